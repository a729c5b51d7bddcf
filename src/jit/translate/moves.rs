//! Moves between registers, globals and constants.

use super::super::ir::inst::Inst;
use super::super::kinds::Kind;
use super::super::kinds::transfer::kind_of_word;
use super::Translator;
use super::elements::tag_of;
use super::registers::{PAYLOAD, offset};
use crate::lower::TRUE_WORD;
use crate::lower::code::Rop;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

impl Translator<'_, '_> {
    /// Writes an instruction that moves a value.
    pub(super) fn move_value(&mut self, inst: &Inst) {
        let (a, b) = (inst.a(), inst.b());
        self.move_view(inst);
        match inst.op {
            Rop::Copy | Rop::Take | Rop::Borrow if a == b => {}
            Rop::Copy | Rop::Take | Rop::Borrow => match self.kinds[b] {
                Kind::Int | Kind::Float | Kind::Bool => {
                    let (kind, value) = (self.kinds[b], self.value(b));
                    self.put(a, kind, value);
                }
                Kind::Undef | Kind::Nothing => self.put_undef(a),
                Kind::Scalar | Kind::Any => self.move_boxed(inst),
            },
            Rop::Own if self.kinds[a].is_boxed() => {
                self.unless_simple(inst, a, i64::from(tag::POINTER), None);
            }
            Rop::Own => {}
            Rop::Exchange => self.exchange(inst),
            Rop::Drop => self.make_way(a),
            Rop::Clear => {
                // The engine would go on behind it: no guard may lead back before it.
                self.commit();
                for register in a..a + usize::from(inst.word.b()) {
                    self.put_undef(register);
                }
            }
            Rop::LoadInt => {
                let value = self.int(inst.immediate as i64);
                self.put(a, Kind::Int, value);
            }
            Rop::LoadFloat => {
                let value = self.float(f64::from_bits(inst.immediate));
                self.put(a, Kind::Float, value);
            }
            Rop::LoadWord if kind_of_word(inst.word.wide()) == Kind::Bool => {
                let value = self.int(i64::from(inst.word.wide() == TRUE_WORD));
                self.put(a, Kind::Bool, value);
            }
            Rop::LoadWord => self.put_undef(a),
            Rop::LoadConst => {
                let constants = self.constants_of(inst);
                self.borrow_from(a, constants, usize::from(inst.word.b()));
            }
            Rop::GlobalCopy | Rop::GlobalBorrow if self.seen.loaded().is_some() => {
                self.load_global(inst);
            }
            Rop::GlobalBorrow => {
                let globals = self.load_context(self.cx.layout.globals);
                self.borrow_from(a, globals, usize::from(inst.word.b()));
            }
            Rop::GlobalCopy => self.copy_global(inst),
            _ => self.set_global(inst),
        }
    }

    /// Where the constants of the instruction's chunk are.
    fn constants_of(&mut self, inst: &Inst) -> Value {
        let layout = self.cx.layout;
        let Some(place) = self.cx.program.foreign(inst.site.region as usize) else {
            return self.load_context(layout.constants);
        };
        let parts = self.load_context(layout.parts);
        let at = place as i32 * layout.part_bytes + layout.part_constants;
        let flags = MemFlagsData::trusted();
        self.b.ins().load(types::I64, flags, parts, at)
    }

    /// `a = global b`, which is of the kind that was seen.
    fn load_global(&mut self, inst: &Inst) {
        let Some(kind) = self.seen.loaded() else {
            return;
        };
        let flags = MemFlagsData::trusted();
        let globals = self.load_context(self.cx.layout.globals);
        let at = offset(usize::from(inst.word.b()));
        let found = self.b.ins().uload8(types::I64, flags, globals, at);
        let expected = i64::from(tag_of(kind));
        let fits = self.b.ins().icmp_imm_s(IntCC::Equal, found, expected);
        self.guard(fits);
        let ty = super::type_of(kind);
        let value = self.b.ins().load(ty, flags, globals, at + PAYLOAD);
        self.put(inst.a(), kind, value);
    }

    /// Makes a register Undef.
    fn put_undef(&mut self, register: usize) {
        self.make_way(register);
        self.note_change(register);
        self.kinds[register] = Kind::Undef;
        self.synced[register] = false;
    }

    /// `a = b` where `b` is boxed.
    fn move_boxed(&mut self, inst: &Inst) {
        let (a, b) = (inst.a(), inst.b());
        self.make_way(a);
        match inst.op {
            Rop::Borrow => {
                let (low, high) = self.both_halves(b);
                let low = self.uncounted(low);
                self.store_halves(a, low, high);
            }
            Rop::Take => {
                let known = self.kinds[b];
                let (low, high) = self.both_halves(b);
                self.store_halves(a, low, high);
                if known == Kind::Any {
                    // What was counted is the other register's now.
                    self.kinds[a] = known;
                    self.touch(b);
                    let undef = self.int(i64::from(tag::UNDEF));
                    let (base, at) = (self.base, offset(b));
                    self.b.ins().store(MemFlagsData::trusted(), undef, base, at);
                    self.halves[b] = None;
                }
            }
            _ => self.unless_simple(inst, b, i64::from(tag::POINTER), Some(a)),
        }
        self.synced[a] = false;
    }

    /// The first half of a value without the bit that says it is counted.
    fn uncounted(&mut self, low: Value) -> Value {
        self.b.ins().band_imm_s(low, !i64::from(tag::COUNTED))
    }

    /// Copies a boxed register into another, if there is one, unless it has one of the tag's bits:
    /// then a helper does the instruction.
    fn unless_simple(&mut self, inst: &Inst, from: usize, bits: i64, to: Option<usize>) {
        self.commit();
        let (low, high) = self.both_halves(from);
        let simple = self.b.create_block();
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let is_special = self.b.ins().band_imm_u(low, bits);
        self.b.ins().brif(is_special, slow, &[], simple, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(simple);
        if let Some(to) = to {
            self.store_halves(to, low, high);
            self.halves[to] = None;
        }
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.halves[from] = None;
    }

    fn exchange(&mut self, inst: &Inst) {
        let (a, b) = (inst.a(), inst.b());
        let (x, y) = (self.kinds[a], self.kinds[b]);
        if x.is_boxed() || y.is_boxed() {
            self.step(inst);
            return;
        }
        let one = x.is_unboxed_value().then(|| self.value(a));
        let other = y.is_unboxed_value().then(|| self.value(b));
        for (register, kind, value) in [(a, y, other), (b, x, one)] {
            match value {
                Some(value) => self.define(register, kind, value),
                None => self.put_undef(register),
            }
        }
    }

    /// A value of a list, not counted.
    fn borrow_from(&mut self, to: usize, list: Value, index: usize) {
        self.make_way(to);
        let (low, high) = self.load_value(list, index);
        let low = self.uncounted(low);
        self.store_halves(to, low, high);
        self.synced[to] = false;
    }

    /// Both halves of a value in a list.
    fn load_value(&mut self, list: Value, index: usize) -> (Value, Value) {
        let flags = MemFlagsData::trusted();
        let at = offset(index);
        let low = self.b.ins().load(types::I64, flags, list, at);
        let high = self.b.ins().load(types::I64, flags, list, at + 8);
        (low, high)
    }

    fn copy_global(&mut self, inst: &Inst) {
        let to = inst.a();
        self.commit();
        self.make_way(to);
        let globals = self.load_context(self.cx.layout.globals);
        let (low, high) = self.load_value(globals, usize::from(inst.word.b()));
        let (simple, slow, done) = (
            self.b.create_block(),
            self.cold_block(),
            self.b.create_block(),
        );
        let counted = self.b.ins().band_imm_u(low, i64::from(tag::COUNTED));
        self.b.ins().brif(counted, slow, &[], simple, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(simple);
        self.store_halves(to, low, high);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.halves[to] = None;
    }

    /// `global b = a`
    fn set_global(&mut self, inst: &Inst) {
        let a = inst.a();
        self.commit();
        let globals = self.load_context(self.cx.layout.globals);
        let at = offset(usize::from(inst.word.b()));
        let flags = MemFlagsData::trusted();
        let old = self.b.ins().uload8(types::I64, flags, globals, at);
        let mut special = self.b.ins().band_imm_u(old, i64::from(tag::COUNTED));
        let boxed = self.kinds[a].is_boxed();
        if boxed {
            let tag = self.tag(a);
            let pointer = self.b.ins().band_imm_u(tag, i64::from(tag::POINTER));
            special = self.b.ins().bor(special, pointer);
        }
        let (simple, slow, done) = (
            self.b.create_block(),
            self.cold_block(),
            self.b.create_block(),
        );
        self.b.ins().brif(special, slow, &[], simple, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(simple);
        let (low, high) = self.halves_of(a);
        self.b.ins().store(flags, low, globals, at);
        if let Some(high) = high {
            self.b.ins().store(flags, high, globals, at + 8);
        }
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        if boxed {
            self.halves[a] = None;
        }
    }

    /// A register's value as the halves that it is stored as; the second may not matter.
    pub(super) fn halves_of(&mut self, register: usize) -> (Value, Option<Value>) {
        match self.kinds[register] {
            Kind::Int => {
                let tag = self.int(i64::from(tag::INT));
                (tag, Some(self.value(register)))
            }
            Kind::Float => {
                let tag = self.int(i64::from(tag::FLOAT));
                (tag, Some(self.value(register)))
            }
            Kind::Bool => {
                let truth = self.value(register);
                (self.bool_word(truth), None)
            }
            Kind::Undef | Kind::Nothing => (self.int(i64::from(tag::UNDEF)), None),
            Kind::Scalar | Kind::Any => {
                let (low, high) = self.both_halves(register);
                (low, Some(high))
            }
        }
    }
}
