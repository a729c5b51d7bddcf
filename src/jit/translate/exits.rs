//! The ways out of native code.
//!
//! Native code may be left before any instruction: what is unboxed is stored, and the engine goes on
//! there with the frames as it would have them, inlined ones included. A failed guard goes back to the
//! last *checkpoint* instead, the beginning of a stretch of instructions that may as well be done
//! again, so that all guards of a stretch share their way out.

use super::super::abi::{LEFT, NOT_ENTERED, Place, Reason};
use super::super::ir::RegisterSet;
use super::super::ir::inst::Inst;
use super::super::kinds::group::Entry;
use super::super::kinds::{Kind, Kinds};
use super::Translator;
use super::clips::Fuel;
use super::registers::offset;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, Value, types};

/// Bytes of the record of a call.
const RECORD_BYTES: i64 = 16;

/// The beginning of a stretch of instructions that may be done again: they change nothing but unboxed
/// registers, and boxed ones that were dead.
pub(super) struct Checkpoint {
    /// The index of its first instruction.
    at: usize,
    live: RegisterSet,
    kinds: Kinds,
    synced: Vec<bool>,
    /// The values of unboxed registers that have changed since.
    changed: Vec<(usize, Value)>,
    /// What the round of a clipped loop had cost.
    paid: i64,
    /// Where failed guards lead, once there is one.
    exit: Option<ir::Block>,
    /// Whether something was done that must not be done again.
    is_over: bool,
}

/// A register whose value is to be stored; one without a value is Undef.
type Store = (usize, Kind, Option<Value>);

/// The unboxed registers and the fuel at a checkpoint.
struct State {
    stores: Vec<Store>,
    fuel: Fuel,
}

/// A way out that stores certain registers. Its block has their values as parameters, behind the
/// place, the fuel, the base and the depth.
pub(super) struct Exit {
    registers: Vec<(usize, Kind)>,
    block: ir::Block,
}

/// How many parameters come first.
const PLACE_PARAMETERS: usize = 4;

impl Checkpoint {
    /// Whether the memory of a register is its value at the checkpoint.
    fn is_in_memory(&self, register: usize) -> bool {
        self.kinds[register].is_boxed() || self.synced[register]
    }
}

impl Translator<'_, '_> {
    /// Sees that there is a checkpoint for the instruction at hand.
    pub(super) fn begin_checkpoint(&mut self, at: usize) {
        if self.checkpoint.is_none() {
            self.checkpoint = Some(Checkpoint {
                at,
                live: self.live.clone(),
                kinds: self.kinds.clone(),
                synced: self.synced.clone(),
                changed: Vec::new(),
                paid: self.paid,
                exit: None,
                is_over: false,
            });
        }
    }

    /// The instruction is done; if it can't be done again, the next one gets a new checkpoint.
    pub(super) fn end_checkpoint(&mut self) {
        if self.checkpoint.as_ref().is_some_and(|point| point.is_over) {
            self.checkpoint = None;
        }
    }

    /// Something is done that must not be done again. No guard may follow in the instruction.
    pub(super) fn commit(&mut self) {
        if let Some(point) = &mut self.checkpoint {
            point.is_over = true;
        }
    }

    /// The memory of a register is written.
    pub(super) fn touch(&mut self, register: usize) {
        if let Some(point) = &mut self.checkpoint
            && point.live.contains(register)
            && point.is_in_memory(register)
        {
            point.is_over = true;
        }
    }

    /// An unboxed register is about to get another value.
    pub(super) fn note_change(&mut self, register: usize) {
        let Some(point) = &self.checkpoint else {
            return;
        };
        let matters = point.live.contains(register)
            && point.kinds[register].is_unboxed_value()
            && !point.changed.iter().any(|(known, _)| *known == register);
        if matters {
            let kind = point.kinds[register];
            let value = self.value_of(register, kind);
            if let Some(point) = &mut self.checkpoint {
                point.changed.push((register, value));
            }
        }
    }

    /// Goes back to the checkpoint unless the condition holds.
    pub(super) fn guard(&mut self, holds: Value) {
        self.guard_by(holds, Self::need);
    }

    /// Goes back to the checkpoint if the condition holds.
    pub(super) fn guard_not(&mut self, fails: Value) {
        self.guard_by(fails, Self::need_not);
    }

    fn guard_by(&mut self, condition: Value, need: fn(&mut Self, Value, ir::Block)) {
        let Some(mut point) = self.checkpoint.take() else {
            unreachable!("every instruction has a checkpoint");
        };
        debug_assert!(!point.is_over, "a guard behind a change");
        match point.exit {
            Some(exit) => need(self, condition, exit),
            None => {
                let exit = self.cold_block();
                point.exit = Some(exit);
                // Values are looked up where they still are what they were, not where guards meet.
                let state = self.state_at(&point);
                need(self, condition, exit);
                let here = self.b.current_block();
                self.b.switch_to_block(exit);
                self.write_guard_exit(&point, state);
                if let Some(here) = here {
                    self.b.switch_to_block(here);
                }
            }
        }
        self.checkpoint = Some(point);
    }

    /// What has to be stored to go back to a checkpoint, and the fuel.
    fn state_at(&mut self, point: &Checkpoint) -> State {
        let mut stores = Vec::new();
        for register in point.live.iter() {
            let kind = point.kinds[register];
            if kind == Kind::Nothing || point.is_in_memory(register) {
                continue;
            }
            let changed = point.changed.iter().find(|(known, _)| *known == register);
            let value = match changed {
                Some((_, value)) => Some(*value),
                None if kind.is_unboxed_value() => Some(self.value_of(register, kind)),
                None => None,
            };
            stores.push((register, kind, value));
        }
        let fuel = self.fuel_parts(point.paid);
        State { stores, fuel }
    }

    fn write_guard_exit(&mut self, point: &Checkpoint, state: State) {
        let fuel = self.fuel_from(state.fuel);
        let inst = self.function.body.insts[point.at];
        self.jump_out(Reason::Guard, &inst, fuel, &state.stores);
    }

    /// The registers of the set whose memory is stale.
    pub(super) fn stale_of(&mut self, live: &RegisterSet) -> Vec<Store> {
        let stale: Vec<usize> = live.iter().filter(|r| self.is_stale(*r)).collect();
        let store = |register: usize| {
            let kind = self.kinds[register];
            let value = kind.is_unboxed_value().then(|| self.value(register));
            (register, kind, value)
        };
        stale.into_iter().map(store).collect()
    }

    /// Leaves native code before the instruction, all that is live there stored.
    pub(super) fn leave(&mut self, reason: Reason, inst: &Inst) {
        let live = self.live.clone();
        self.leave_with(reason, inst, &live);
    }

    /// Leaves native code at the instruction with these registers stored.
    pub(super) fn leave_with(&mut self, reason: Reason, inst: &Inst, live: &RegisterSet) {
        let stores = self.stale_of(live);
        let fuel = self.fuel();
        self.jump_out(reason, inst, fuel, &stores);
    }

    /// The registers that matter if a run stops behind the instruction: those that are live, and what its
    /// frames hold.
    pub(super) fn seen_behind(&self, inst: &Inst) -> RegisterSet {
        let mut seen = self.live_behind.clone();
        seen.unite(&self.function.body.frame_of(inst).held);
        seen
    }

    /// Leaves native code where the piece ends that the function is. No instruction of the program stands there.
    pub(super) fn part(&mut self, inst: &Inst) {
        self.share.instructions -= 1;
        self.share.inline -= 1;
        self.leave(Reason::Part, inst);
    }

    /// The engine does the instruction.
    pub(super) fn leave_here(&mut self, inst: &Inst) {
        self.note_helped();
        self.leave(Reason::Resume, inst);
    }

    /// Goes to the way out that stores these registers, with a record for each inlined call around.
    pub(super) fn jump_out(&mut self, reason: Reason, inst: &Inst, fuel: Value, stores: &[Store]) {
        self.write_records(inst);
        let place = Place::new(reason, inst.site.region as usize, inst.site.at as usize);
        let place = self.int(place.0 as i64);
        let (base, depth) = (self.frame_base(inst), self.frame_depth(inst));
        let exit = self.exit_for(stores);
        let values = stores.iter().filter_map(|(_, _, value)| *value);
        let arguments = [place, fuel, base, depth].into_iter().chain(values);
        let arguments: Vec<BlockArg> = arguments.map(BlockArg::Value).collect();
        self.b.ins().jump(exit, &arguments);
    }

    /// The block of the way out that stores these registers.
    fn exit_for(&mut self, stores: &[Store]) -> ir::Block {
        let is_same = |exit: &&Exit| {
            let stored = stores.iter().map(|(register, kind, _)| (*register, *kind));
            exit.registers.iter().copied().eq(stored)
        };
        if let Some(exit) = self.exits.iter().find(is_same) {
            return exit.block;
        }
        let block = self.cold_block();
        for _ in 0..PLACE_PARAMETERS {
            self.b.append_block_param(block, types::I64);
        }
        for (_, kind, value) in stores {
            if value.is_some() {
                self.b.append_block_param(block, super::type_of(*kind));
            }
        }
        let registers = stores.iter().map(|(register, kind, _)| (*register, *kind));
        self.exits.push(Exit {
            registers: registers.collect(),
            block,
        });
        block
    }

    /// Writes the ways out.
    pub(super) fn write_exits(&mut self) {
        for exit in std::mem::take(&mut self.exits) {
            self.b.switch_to_block(exit.block);
            let parameters = self.b.block_params(exit.block).to_vec();
            let (place, mut values) = parameters.split_at(PLACE_PARAMETERS);
            for (register, kind) in exit.registers {
                let value = match values.split_first() {
                    Some((value, rest)) if kind.is_unboxed_value() => {
                        values = rest;
                        Some(*value)
                    }
                    _ => None,
                };
                self.store_as(register, kind, value);
            }
            let layout = self.cx.layout;
            let offsets = [
                layout.exit_place,
                layout.fuel,
                layout.exit_base,
                layout.exit_depth,
            ];
            let context = self.b.ins().get_pinned_reg(types::I64);
            for (value, offset) in place.iter().zip(offsets) {
                let flags = MemFlagsData::trusted();
                self.b.ins().store(flags, *value, context, offset);
            }
            self.return_code(LEFT);
        }
    }

    /// The base of the frame that an instruction belongs to.
    pub(super) fn frame_base(&mut self, inst: &Inst) -> Value {
        match inst.shift() {
            0 => self.base,
            shift => self.b.ins().iadd_imm_s(self.base, i64::from(offset(shift))),
        }
    }

    /// The depth that is left to the frame that an instruction belongs to.
    pub(super) fn frame_depth(&mut self, inst: &Inst) -> Value {
        match self.function.body.frame_of(inst).depth {
            0 => self.depth,
            depth => self.b.ins().iadd_imm_s(self.depth, -(depth as i64)),
        }
    }

    /// Notes the inlined calls around an instruction for the engine.
    pub(super) fn write_records(&mut self, inst: &Inst) {
        let mut frame = self.function.body.frame_of(inst);
        while let Some(call) = frame.call {
            let caller = &self.function.body.frames[call.frame];
            let place = Place::new(Reason::Resume, caller.region, call.at);
            self.write_record(caller.depth, place, call.step);
            frame = caller;
        }
    }

    /// Notes the call that an instruction is for the engine.
    pub(super) fn write_record_of(&mut self, inst: &Inst) {
        let depth = self.function.body.frame_of(inst).depth;
        let place = Place::new(
            Reason::Resume,
            inst.site.region as usize,
            inst.site.at as usize,
        );
        self.write_record(depth, place, inst.word.a());
    }

    /// Notes a call in a frame that so many inlined calls are around.
    fn write_record(&mut self, frame_depth: usize, place: Place, step: u16) {
        let records = self.load_context(self.cx.layout.records);
        let depth = self.b.ins().imul_imm_s(self.depth, RECORD_BYTES);
        let record = self.b.ins().isub(records, depth);
        let place = self.int(place.0 as i64);
        let step = self.int(i64::from(step));
        let flags = MemFlagsData::trusted();
        let at = frame_depth as i32 * RECORD_BYTES as i32;
        self.b.ins().store(flags, place, record, at);
        self.b.ins().store(flags, step, record, at + 8);
    }

    /// Says that the function wasn't entered.
    pub(super) fn refuse(&mut self) {
        self.return_code(NOT_ENTERED);
    }

    /// Returns a code in the place of the fuel, and no result.
    pub(super) fn return_code(&mut self, code: i64) {
        let code = self.int(code);
        let result = self.function.result;
        let is_called = matches!(self.function.entry, Entry::Call(_));
        match result {
            Kind::Float if is_called => {
                let nothing = self.b.ins().f64const(0.0);
                self.b.ins().return_(&[nothing, code]);
            }
            Kind::Int | Kind::Bool if is_called => {
                let nothing = self.int(0);
                self.b.ins().return_(&[nothing, code]);
            }
            _ => {
                self.b.ins().return_(&[code]);
            }
        }
    }
}
