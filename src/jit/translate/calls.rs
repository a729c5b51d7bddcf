//! Calls between functions of the group, and their ends.

use super::super::abi::{Helper, LEFT, NOT_ENTERED, Place, Reason};
use super::super::kinds::Kind;
use super::super::kinds::group::Entry;
use super::super::kinds::inst::{Inst, returns_value};
use super::Translator;
use super::registers::offset;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

/// Bytes of the record of a call.
const RECORD_BYTES: i64 = 16;

impl Translator<'_, '_> {
    /// The function that calls of a region go to.
    fn callee(&mut self, region: usize) -> Option<ir::FuncRef> {
        let known = self
            .known_callees
            .iter()
            .find(|(known, _)| *known == region);
        if let Some((_, function)) = known {
            return Some(*function);
        }
        let function = (self.callees)(region, self.b.func)?;
        self.known_callees.push((region, function));
        Some(function)
    }

    /// Writes a call; gives the kind of its result, `None` if control doesn't get past it.
    pub(super) fn call(&mut self, inst: &Inst) -> Option<Kind> {
        let region = inst.callee();
        let index = self.cx.group.called.get(&region).copied();
        let (Some(index), Some(callee)) = (index, self.callee(region)) else {
            self.leave_here(inst);
            return None;
        };
        let function = &self.cx.group.functions[index];
        let Entry::Call(parameters) = &function.entry else {
            self.leave_here(inst);
            return None;
        };
        let first = inst.a();
        let base = self.b.ins().iadd_imm_s(self.base, i64::from(offset(first)));
        let fuel = self.b.use_var(self.fuel);
        let mut arguments = vec![base, fuel, self.depth];
        for (place, kind) in parameters.iter().enumerate() {
            let register = first + place;
            if kind.is_unboxed_value() {
                arguments.push(self.value(register));
            } else {
                self.sync(register);
            }
        }
        let call = self.b.ins().call(callee, &arguments);
        let (result, left) = match *self.b.inst_results(call) {
            [result, left] => (Some(result), left),
            [left] => (None, left),
            _ => return None,
        };
        let (out, go_on) = (self.cold_block(), self.b.create_block());
        let is_out = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        self.b.ins().brif(is_out, out, &[], go_on, &[]);
        self.b.switch_to_block(out);
        self.unwind(inst, left);
        self.b.switch_to_block(go_on);
        self.b.def_var(self.fuel, left);
        self.after_call(inst, function.result, result)
    }

    /// What holds behind a call that returned.
    fn after_call(&mut self, inst: &Inst, kind: Kind, result: Option<Value>) -> Option<Kind> {
        for register in inst.a()..self.halves.len() {
            self.halves[register] = None;
            self.synced[register] = false;
        }
        if kind == Kind::Nothing {
            // It never returns.
            self.refuse();
            return None;
        }
        if let Some(result) = result {
            self.define(inst.a(), kind, result);
        }
        Some(kind)
    }

    /// A call has left native code, or wasn't entered: this frame is left, too.
    fn unwind(&mut self, inst: &Inst, code: Value) {
        let (refused, deeper) = (self.cold_block(), self.cold_block());
        let is_refused = self.b.ins().icmp_imm_s(IntCC::Equal, code, NOT_ENTERED);
        self.b.ins().brif(is_refused, refused, &[], deeper, &[]);
        self.b.switch_to_block(refused);
        self.leave(Reason::Resume, inst.at);
        self.b.switch_to_block(deeper);
        let mut live = self.live_behind.clone();
        // The result isn't there yet, and the arguments are the callee's.
        for register in inst.a()..self.kinds.len() {
            live.remove(register);
        }
        self.write_back(&live);
        self.write_record(inst);
        self.return_code(LEFT);
    }

    /// Notes the call for the engine.
    fn write_record(&mut self, inst: &Inst) {
        let records = self.load_context(self.cx.layout.records);
        let depth = self.b.ins().imul_imm_s(self.depth, RECORD_BYTES);
        let record = self.b.ins().isub(records, depth);
        let place = Place::new(Reason::Resume, self.function.region, inst.at);
        let place = self.int(place.0 as i64);
        let step = self.int(i64::from(inst.word.a()));
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, place, record, 0);
        self.b.ins().store(flags, step, record, 8);
    }

    /// Writes the end of the call, or of what was entered in the middle.
    pub(super) fn end_call(&mut self, inst: &Inst) {
        if !matches!(self.function.entry, Entry::Call(_)) {
            self.leave_here(inst);
            return;
        }
        let fuel = self.b.use_var(self.fuel);
        let gives = returns_value(inst.op) == Some(true);
        let source = inst.b();
        if !gives {
            self.clear_counted(inst);
            self.b.ins().return_(&[fuel]);
            return;
        }
        let result = self.function.result;
        if result.is_unboxed_value() {
            let value = self.value(source);
            self.clear_counted(inst);
            self.b.ins().return_(&[value, fuel]);
            return;
        }
        if self.kinds[source].is_boxed() {
            self.return_boxed(inst);
        } else {
            self.clear_counted(inst);
            let (low, high) = self.halves_of(source);
            let base = self.base;
            let flags = MemFlagsData::trusted();
            self.b.ins().store(flags, low, base, 0);
            if let Some(high) = high {
                self.b.ins().store(flags, high, base, 8);
            }
        }
        self.b.ins().return_(&[fuel]);
    }

    /// The tags of all registers that may hold something counted, in one; `None` if there is none.
    fn counted_tags(&mut self) -> Option<Value> {
        let mut all = None;
        for register in 0..self.kinds.len() {
            if self.kinds[register] != Kind::Any {
                continue;
            }
            let tag = self.tag(register);
            all = Some(match all {
                Some(other) => self.b.ins().bor(other, tag),
                None => tag,
            });
        }
        all
    }

    /// Drops what the frame's registers hold.
    fn clear_counted(&mut self, inst: &Inst) {
        let Some(tags) = self.counted_tags() else {
            return;
        };
        let counted = self.b.ins().band_imm_u(tags, i64::from(tag::COUNTED));
        self.do_if(counted, Helper::ClearCounted, inst);
    }

    /// Moves a boxed result down and drops the rest.
    fn return_boxed(&mut self, inst: &Inst) {
        let source = inst.b();
        let (low, high) = self.both_halves(source);
        // A borrowed result counts, too.
        let pointer = self.b.ins().band_imm_u(low, i64::from(tag::POINTER));
        let mut special = self.b.ins().ishl_imm_u(pointer, 3);
        if let Some(tags) = self.counted_tags() {
            special = self.b.ins().bor(special, tags);
        }
        let special = self.b.ins().band_imm_u(special, i64::from(tag::COUNTED));
        let (slow, fast, done) = (
            self.cold_block(),
            self.b.create_block(),
            self.b.create_block(),
        );
        self.b.ins().brif(special, slow, &[], fast, &[]);
        self.b.switch_to_block(slow);
        let (base, word) = (self.base, self.int(inst.word.0 as i64));
        self.call_helper(Helper::ReturnCounted, &[base, word]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(fast);
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, base, 0);
        self.b.ins().store(flags, high, base, 8);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// Calls a helper with the frame and the instruction if the condition isn't 0.
    fn do_if(&mut self, condition: Value, helper: Helper, inst: &Inst) {
        let (act, done) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(condition, act, &[], done, &[]);
        self.b.switch_to_block(act);
        let (base, word) = (self.base, self.int(inst.word.0 as i64));
        self.call_helper(helper, &[base, word]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        debug_assert_eq!(self.b.func.dfg.value_type(base), types::I64);
    }
}
