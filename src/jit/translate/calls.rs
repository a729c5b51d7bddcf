//! Calls between functions of the group, inlined ones, and their ends.

use super::super::abi::{Helper, LEFT, NOT_ENTERED, Reason};
use super::super::ir::inst::{Inst, returns_value};
use super::super::kinds::Kind;
use super::super::kinds::group::Entry;
use super::Translator;
use super::registers::{PAYLOAD, offset};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

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
        self.commit();
        let first = inst.a();
        let base = self.b.ins().iadd_imm_s(self.base, i64::from(offset(first)));
        let (fuel, depth) = (self.fuel(), self.frame_depth(inst));
        let mut arguments = vec![base, fuel, depth];
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
        let out = self.cold_block();
        let is_out = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        self.need_not(is_out, out);
        self.write_cold(out, |translator| translator.unwind(inst, left));
        self.set_fuel(left);
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
        self.leave(Reason::Resume, inst);
        self.b.switch_to_block(deeper);
        let mut live = self.seen_behind(inst);
        for register in self.function.body.kept_at(self.at) {
            live.insert(usize::from(*register));
        }
        // The result isn't there yet, and the arguments are the callee's.
        for register in inst.a()..self.kinds.len() {
            live.remove(register);
        }
        for (register, kind, value) in self.stale_of(&live) {
            self.store_as(register, kind, value);
        }
        self.write_records(inst);
        self.write_record_of(inst);
        self.return_code(LEFT);
    }

    /// Begins an inlined call: it costs what a call costs. Without fuel the engine does it.
    pub(super) fn enter_inlined(&mut self, inst: &Inst) {
        if self.is_paid_in_advance() {
            return;
        }
        self.commit();
        let left = self.spend();
        let spent = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let out = self.cold_block();
        self.need_not(spent, out);
        self.write_cold(out, |translator| translator.leave(Reason::Resume, inst));
        self.set_fuel(left);
    }

    /// Ends an inlined call: its result goes where its frame began.
    pub(super) fn rejoin(&mut self, inst: &Inst) {
        let first = inst.shift();
        let gives = returns_value(inst.op) == Some(true);
        let source = inst.b();
        if gives && self.kinds[source].is_boxed() {
            self.commit();
            self.return_boxed(inst);
        } else if gives {
            let kind = self.kinds[source];
            let value = kind.is_unboxed_value().then(|| self.value(source));
            self.clear_counted(inst);
            if let Some(value) = value {
                self.define(first, kind, value);
            } else {
                // Undef, which is handed over in its memory.
                self.commit();
                self.store_as(first, Kind::Undef, None);
            }
        } else {
            self.clear_counted(inst);
        }
        for register in first..self.halves.len() {
            self.halves[register] = None;
            self.synced[register] = false;
        }
    }

    /// Writes the end of the call, or of what was entered in the middle.
    pub(super) fn end_call(&mut self, inst: &Inst) {
        if !matches!(self.function.entry, Entry::Call(_)) {
            self.leave_here(inst);
            return;
        }
        let fuel = self.fuel();
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

    /// The tags of all registers of a frame that may hold something counted, in one; `None` if there is
    /// none.
    fn counted_tags(&mut self, inst: &Inst) -> Option<Value> {
        let mut all = None;
        for register in inst.shift()..self.kinds.len() {
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
        let Some(tags) = self.counted_tags(inst) else {
            return;
        };
        self.commit();
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
        if let Some(tags) = self.counted_tags(inst) {
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
        let (base, word) = (self.frame_base(inst), self.int(inst.word.0 as i64));
        self.call_rarely(Helper::ReturnCounted, &[base, word]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(fast);
        let flags = MemFlagsData::trusted();
        let (base, at) = (self.base, offset(inst.shift()));
        self.b.ins().store(flags, low, base, at);
        self.b.ins().store(flags, high, base, at + PAYLOAD);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// Calls a helper with the frame and the instruction if the condition isn't 0.
    fn do_if(&mut self, condition: Value, helper: Helper, inst: &Inst) {
        let (act, done) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(condition, act, &[], done, &[]);
        self.b.switch_to_block(act);
        let (base, word) = (self.frame_base(inst), self.int(inst.word.0 as i64));
        self.call_rarely(helper, &[base, word]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        debug_assert_eq!(self.b.func.dfg.value_type(base), types::I64);
    }
}
