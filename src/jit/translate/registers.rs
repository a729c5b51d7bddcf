//! Registers in native code: reading, writing, guarding, storing.

use super::super::abi::{Helper, Place, Reason};
use super::super::ir::inst::{Inst, effects};
use super::super::kinds::Kind;
use super::super::views::Array;
use super::Translator;
use crate::lower::code::{REGISTER_BYTES, flag};
use crate::lower::{TRUE_WORD, UNDEF_WORD};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, Value, types};

/// Bytes from a register's tag to its payload.
pub(super) const PAYLOAD: i32 = 8;

/// The offset of a register from the frame's base.
pub(super) fn offset(register: usize) -> i32 {
    (register * REGISTER_BYTES) as i32
}

impl Translator<'_, '_> {
    /// The value of an unboxed register.
    pub(super) fn value(&mut self, register: usize) -> Value {
        self.value_of(register, self.kinds[register])
    }

    /// The value of a register that is of this kind.
    pub(super) fn value_of(&mut self, register: usize, kind: Kind) -> Value {
        match kind {
            Kind::Float => {
                let variable = self.float_variable(register);
                self.b.use_var(variable)
            }
            _ => {
                let variable = self.int_variable(register);
                self.b.use_var(variable)
            }
        }
    }

    fn int_variable(&mut self, register: usize) -> cranelift_frontend::Variable {
        match self.ints[register] {
            Some(variable) => variable,
            None => {
                let variable = self.b.declare_var(types::I64);
                self.ints[register] = Some(variable);
                variable
            }
        }
    }

    fn float_variable(&mut self, register: usize) -> cranelift_frontend::Variable {
        match self.floats[register] {
            Some(variable) => variable,
            None => {
                let variable = self.b.declare_var(types::F64);
                self.floats[register] = Some(variable);
                variable
            }
        }
    }

    /// Makes the register an unboxed value of this kind. What was counted there is gone already.
    pub(super) fn define(&mut self, register: usize, kind: Kind, value: Value) {
        self.note_change(register);
        let variable = match kind {
            Kind::Float => self.float_variable(register),
            _ => self.int_variable(register),
        };
        self.b.def_var(variable, value);
        self.kinds[register] = kind;
        self.synced[register] = false;
        self.halves[register] = None;
    }

    /// Writes an unboxed result over whatever was there.
    pub(super) fn put(&mut self, register: usize, kind: Kind, value: Value) {
        self.make_way(register);
        self.define(register, kind, value);
    }

    /// Drops what a register holds, before it is written over.
    pub(super) fn make_way(&mut self, register: usize) {
        if self.kinds[register] == Kind::Any {
            self.release_if_counted(register);
        }
        self.halves[register] = None;
    }

    /// Drops operands that die with the instruction, where they may be counted.
    pub(super) fn drop_dying(&mut self, inst: &Inst, first: usize, second: Option<usize>) {
        let flags = inst.word.flags();
        let first = (flags & flag::FIRST_DIES != 0).then_some(first);
        let second = second.filter(|_| flags & flag::SECOND_DIES != 0);
        for register in [first, second].into_iter().flatten() {
            if self.kinds[register] == Kind::Any {
                self.release_if_counted(register);
                self.kinds[register] = Kind::Scalar;
            }
        }
    }

    /// Drops what a register holds, if it is counted there; what is left is Undef.
    pub(super) fn release_if_counted(&mut self, register: usize) {
        let tag = self.tag(register);
        let counted = self.b.ins().band_imm_u(tag, i64::from(tag::COUNTED));
        let (release, done) = (self.cold_block(), self.b.create_block());
        self.commit();
        self.b.ins().brif(counted, release, &[], done, &[]);
        self.b.switch_to_block(release);
        let place = self.address(register);
        self.call_rarely(Helper::Release, &[place]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.halves[register] = None;
    }

    /// The address of a register's memory.
    pub(super) fn address(&mut self, register: usize) -> Value {
        self.b
            .ins()
            .iadd_imm_s(self.base, i64::from(offset(register)))
    }

    /// The tag of a boxed register.
    pub(super) fn tag(&mut self, register: usize) -> Value {
        match self.halves[register] {
            Some((low, _)) => self.b.ins().band_imm_u(low, 0xff),
            None => {
                let (base, at) = (self.base, offset(register));
                self.b
                    .ins()
                    .uload8(types::I64, MemFlagsData::trusted(), base, at)
            }
        }
    }

    /// The tag in a register's memory.
    fn load_tag(&mut self, register: usize) -> Value {
        let flags = MemFlagsData::trusted();
        let (base, at) = (self.base, offset(register));
        self.b.ins().uload8(types::I64, flags, base, at)
    }

    /// The payload of a boxed register.
    pub(super) fn payload(&mut self, register: usize, ty: ir::Type) -> Value {
        let flags = MemFlagsData::trusted();
        match self.halves[register] {
            Some((_, high)) if ty == types::F64 => {
                self.b.ins().bitcast(types::F64, MemFlagsData::new(), high)
            }
            Some((_, high)) => high,
            None => {
                let (base, at) = (self.base, offset(register) + PAYLOAD);
                self.b.ins().load(ty, flags, base, at)
            }
        }
    }

    /// The two halves of a boxed register.
    pub(super) fn both_halves(&mut self, register: usize) -> (Value, Value) {
        match self.halves[register] {
            Some(halves) => halves,
            None => {
                let (base, at) = (self.base, offset(register));
                let flags = MemFlagsData::trusted();
                let low = self.b.ins().load(types::I64, flags, base, at);
                let high = self.b.ins().load(types::I64, flags, base, at + PAYLOAD);
                (low, high)
            }
        }
    }

    /// Writes both halves of a register that holds nothing counted, and remembers them.
    pub(super) fn store_halves(&mut self, register: usize, low: Value, high: Value) {
        self.touch(register);
        let (base, at) = (self.base, offset(register));
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, base, at);
        self.b.ins().store(flags, high, base, at + PAYLOAD);
        self.halves[register] = Some((low, high));
    }

    /// The value as an Int, if it is one or unboxed; else the guard goes back.
    pub(super) fn guarded_int(&mut self, register: usize) -> Value {
        if self.kinds[register].is_boxed() {
            self.guard_tag(register, tag::INT);
            let value = self.payload(register, types::I64);
            self.refined(register, Kind::Int, value);
        }
        self.value(register)
    }

    /// The value as a Float, if it is one or a known number; else the guard goes back.
    pub(super) fn guarded_float(&mut self, register: usize) -> Value {
        if self.kinds[register].is_boxed() {
            self.guard_tag(register, tag::FLOAT);
            let value = self.payload(register, types::F64);
            self.refined(register, Kind::Float, value);
        }
        self.as_float(register)
    }

    /// Sees that a boxed register is unboxed to this kind, if it is one to unbox to.
    pub(super) fn guarded_as(&mut self, register: usize, kind: Kind) {
        match kind {
            Kind::Int if self.kinds[register].is_boxed() => {
                self.guarded_int(register);
            }
            Kind::Float if self.kinds[register].is_boxed() => {
                self.guarded_float(register);
            }
            _ => {}
        }
    }

    /// The register was found to be of the kind; its memory holds the same.
    fn refined(&mut self, register: usize, kind: Kind, value: Value) {
        self.define(register, kind, value);
        self.synced[register] = true;
    }

    fn guard_tag(&mut self, register: usize, expected: u8) {
        let tag = self.tag(register);
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(expected));
        self.guard(fits);
    }

    /// The value as a Float, whatever it is.
    pub(super) fn as_float(&mut self, register: usize) -> Value {
        match self.kinds[register] {
            Kind::Float => self.value(register),
            Kind::Int => self.int_as_float(register),
            Kind::Bool => {
                let value = self.value(register);
                self.b.ins().fcvt_from_sint(types::F64, value)
            }
            Kind::Undef | Kind::Nothing => self.b.ins().f64const(0.0),
            Kind::Scalar | Kind::Any => {
                self.convert(register, tag::FLOAT, types::F64, Helper::ToFloat)
            }
        }
    }

    /// The value as an Int, whatever it is.
    pub(super) fn as_int(&mut self, register: usize) -> Value {
        match self.kinds[register] {
            Kind::Int | Kind::Bool => self.value(register),
            Kind::Float => {
                let value = self.value(register);
                self.b.ins().fcvt_to_sint_sat(types::I64, value)
            }
            Kind::Undef | Kind::Nothing => self.int(0),
            Kind::Scalar | Kind::Any => self.convert(register, tag::INT, types::I64, Helper::ToInt),
        }
    }

    /// The payload if the tag is as expected, else what the helper makes of the value.
    fn convert(&mut self, register: usize, expected: u8, ty: ir::Type, helper: Helper) -> Value {
        let tag = self.tag(register);
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(expected));
        let (fast, slow, done) = (
            self.b.create_block(),
            self.cold_block(),
            self.b.create_block(),
        );
        let result = self.b.append_block_param(done, ty);
        self.b.ins().brif(fits, fast, &[], slow, &[]);
        self.b.switch_to_block(fast);
        let payload = self.payload(register, ty);
        self.b.ins().jump(done, &[BlockArg::Value(payload)]);
        self.b.switch_to_block(slow);
        let place = self.address(register);
        let converted = self.ask_rarely(helper, &[place]);
        self.b.ins().jump(done, &[BlockArg::Value(converted)]);
        self.b.switch_to_block(done);
        result
    }

    /// Whether the memory of a register isn't its value.
    pub(super) fn is_stale(&self, register: usize) -> bool {
        let kind = self.kinds[register];
        !kind.is_boxed() && kind != Kind::Nothing && !self.synced[register]
    }

    /// Stores an unboxed register into its memory.
    pub(super) fn store_boxed(&mut self, register: usize) {
        let kind = self.kinds[register];
        let value = kind.is_unboxed_value().then(|| self.value(register));
        self.touch(register);
        self.store_as(register, kind, value);
    }

    /// Stores a value of a kind into the memory of a register; Undef without a value.
    pub(super) fn store_as(&mut self, register: usize, kind: Kind, value: Option<Value>) {
        let flags = MemFlagsData::trusted();
        let (base, at) = (self.base, offset(register));
        let low = match (kind, value) {
            (Kind::Int, _) => self.int(i64::from(tag::INT)),
            (Kind::Float, _) => self.int(i64::from(tag::FLOAT)),
            (Kind::Bool, Some(truth)) => self.bool_word(truth),
            _ => self.int(i64::from(UNDEF_WORD)),
        };
        self.b.ins().store(flags, low, base, at);
        if let (Kind::Int | Kind::Float, Some(value)) = (kind, value) {
            self.b.ins().store(flags, value, base, at + PAYLOAD);
        }
    }

    /// The first half of a Bool.
    pub(super) fn bool_word(&mut self, truth: Value) -> Value {
        let shifted = self.b.ins().ishl_imm_u(truth, 8);
        self.b.ins().bor_imm_u(shifted, i64::from(TRUE_WORD & 0xff))
    }

    /// Sees that the memory of a register holds its value.
    pub(super) fn sync(&mut self, register: usize) {
        if !self.kinds[register].is_boxed() && !self.synced[register] {
            self.store_boxed(register);
            self.synced[register] = true;
        }
    }

    /// Unboxes a register that is to be of a kind, at the entry; else goes to `refuse`.
    pub(super) fn unbox_or(&mut self, register: usize, kind: Kind, refuse: ir::Block) {
        let expected = match kind {
            Kind::Int => tag::INT,
            Kind::Float => tag::FLOAT,
            Kind::Bool => tag::BOOL,
            Kind::Undef => tag::UNDEF,
            Kind::Nothing | Kind::Scalar | Kind::Any => {
                self.kinds[register] = kind;
                return;
            }
        };
        let (base, at) = (self.base, offset(register));
        let flags = MemFlagsData::trusted();
        let tag = self.load_tag(register);
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(expected));
        self.need(fits, refuse);
        let value = match kind {
            Kind::Int => self.b.ins().load(types::I64, flags, base, at + PAYLOAD),
            Kind::Float => self.b.ins().load(types::F64, flags, base, at + PAYLOAD),
            Kind::Bool => self.b.ins().uload8(types::I64, flags, base, at + 1),
            _ => {
                self.kinds[register] = kind;
                return;
            }
        };
        self.define(register, kind, value);
        self.synced[register] = true;
    }

    /// Sees that registers hold nothing counted, as they are written over without a look; else goes to
    /// `refuse`.
    pub(super) fn uncounted_or(&mut self, registers: &[usize], refuse: ir::Block) {
        let mut tags = None;
        for register in registers {
            let tag = self.load_tag(*register);
            tags = Some(match tags {
                Some(others) => self.b.ins().bor(others, tag),
                None => tag,
            });
        }
        if let Some(tags) = tags {
            let counted = self.b.ins().band_imm_u(tags, i64::from(tag::COUNTED));
            self.need_not(counted, refuse);
        }
    }

    /// Has the engine's function do the instruction, operands in their memory.
    pub(super) fn step(&mut self, inst: &Inst) {
        self.note_helped();
        self.step_by(inst, Self::ask_helper);
    }

    /// The same by one of the ways to a helper. Registers that the instruction writes hold what it has
    /// written.
    fn step_by(&mut self, inst: &Inst, ask: fn(&mut Self, Helper, &[Value]) -> Value) {
        self.commit();
        let effects = effects(inst);
        let reads = effects.reads;
        let singles = [reads.first, reads.second, reads.extra];
        let range = reads.range.0..reads.range.0 + reads.range.1;
        for register in singles.into_iter().flatten().chain(range) {
            self.sync(register);
            self.halves[register] = None;
        }
        let (start, count) = effects.writes;
        for register in start..start + count {
            self.halves[register] = None;
        }
        let fuel = self.fuel();
        self.store_context(fuel, self.cx.layout.fuel);
        let context = self.b.ins().get_pinned_reg(types::I64);
        let place = Place::new(
            Reason::Fault,
            inst.site.region as usize,
            inst.site.at as usize,
        );
        let (word, immediate) = (inst.word.0 as i64, inst.immediate as i64);
        let word = self.int(word);
        let immediate = self.int(immediate);
        let place = self.int(place.0 as i64);
        let base = self.frame_base(inst);
        let failed = ask(self, Helper::Step, &[context, base, word, immediate, place]);
        let left = self.load_context(self.cx.layout.fuel);
        self.set_fuel(left);
        let fault = self.cold_block();
        self.need_not(failed, fault);
        self.write_cold(fault, |translator| translator.leave(Reason::Fault, inst));
    }

    /// A helper does the instruction; control goes on at `done`, with nothing else changed.
    pub(super) fn rarely(&mut self, inst: &Inst, done: ir::Block) {
        self.rarely_then(inst, done, |_| {});
    }

    /// The same of an instruction that may put another array in the place of this one.
    pub(super) fn rarely_on(&mut self, inst: &Inst, array: Array, done: ir::Block) {
        self.rarely_then(inst, done, |translator| translator.refresh(array));
    }

    fn rarely_then(&mut self, inst: &Inst, done: ir::Block, then: impl FnOnce(&mut Self)) {
        let (synced, halves) = (self.synced.clone(), self.halves.clone());
        self.step_by(inst, Self::ask_rarely);
        then(self);
        self.b.ins().jump(done, &[]);
        self.synced = synced;
        self.halves = halves;
        let effects = effects(inst);
        let reads = effects.reads;
        let written = effects.writes.0..effects.writes.0 + effects.writes.1;
        let singles = [reads.first, reads.second, reads.extra];
        for register in singles.into_iter().flatten().chain(written) {
            self.halves[register] = None;
        }
    }
}
