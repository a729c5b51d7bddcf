//! Instructions that compute: arithmetic, bits, truth.
//!
//! They mean what [`value::number`](crate::value::number) says, which helpers call; the few lines
//! here are its Int and Float cases.

use super::super::abi::Helper;
use super::super::ir::inst::{Comparison, Inst};
use super::super::kinds::Kind;
use super::super::kinds::transfer::{Mode, Plan, accumulation, binary_of, settled, unary_of};
use super::Translator;
use crate::lower::code::{Binary, Rop, Unary, flag};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};

/// What is computed of two numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Mod,
    Compare(Comparison),
    Spaceship,
}

/// Two operands as numbers of one kind.
#[derive(Clone, Copy)]
pub(super) enum Numbers {
    Ints(Value, Value),
    Floats(Value, Value),
}

/// The other operand: a register or a constant.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    Register(usize),
    Int(i64),
    Float(f64),
}

impl Operand {
    fn register(self) -> Option<usize> {
        match self {
            Operand::Register(register) => Some(register),
            Operand::Int(_) | Operand::Float(_) => None,
        }
    }
}

impl Translator<'_, '_> {
    /// Writes an instruction that computes a scalar.
    pub(super) fn compute(&mut self, inst: &Inst) {
        let register = Operand::Register(inst.c());
        let int = Operand::Int(inst.immediate as i64);
        match inst.op {
            Rop::Add | Rop::AddFloats => self.arithmetic(inst, Arithmetic::Add, register),
            Rop::Sub | Rop::SubFloats => self.arithmetic(inst, Arithmetic::Sub, register),
            Rop::Mul | Rop::MulFloats => self.arithmetic(inst, Arithmetic::Mul, register),
            Rop::Mod => self.arithmetic(inst, Arithmetic::Mod, register),
            Rop::AddI => self.arithmetic(inst, Arithmetic::Add, int),
            Rop::SubI | Rop::ISub => self.arithmetic(inst, Arithmetic::Sub, int),
            Rop::MulI => self.arithmetic(inst, Arithmetic::Mul, int),
            Rop::ModI => self.arithmetic(inst, Arithmetic::Mod, int),
            Rop::AddF | Rop::SubF | Rop::MulF | Rop::DivF | Rop::FSub => self.with_float(inst),
            Rop::Div | Rop::FDiv => self.divide(inst),
            Rop::Pow => self.power(inst),
            Rop::MulAdd | Rop::MulAddFloats => self.accumulate(inst, Arithmetic::Add),
            Rop::MulSub | Rop::MulSubFloats => self.accumulate(inst, Arithmetic::Sub),
            Rop::AddInt | Rop::BitAnd | Rop::BitOr | Rop::BitXor | Rop::Shl | Rop::Shr => {
                self.settle(inst.b(), Some(inst.c()));
                let a = self.as_int(inst.b());
                let b = self.as_int(inst.c());
                self.on_ints(inst, a, b, Some(inst.c()));
            }
            Rop::Inc
            | Rop::Dec
            | Rop::BitAndI
            | Rop::BitOrI
            | Rop::BitXorI
            | Rop::ShlI
            | Rop::ShrI => {
                self.settle(inst.b(), None);
                let a = self.as_int(inst.b());
                let b = match inst.op {
                    Rop::Inc | Rop::Dec => self.int(1),
                    _ => self.int(inst.immediate as i64),
                };
                self.on_ints(inst, a, b, None);
            }
            Rop::Binary => self.binary(inst),
            Rop::Unary => self.unary(inst),
            _ => self.step(inst),
        }
    }

    /// Guards operands that count as numbers, where it was seen what they are.
    fn settle(&mut self, a: usize, b: Option<usize>) {
        let kind = settled(self.kinds[a], self.seen.first());
        self.guarded_as(a, kind);
        if let Some(b) = b {
            let kind = settled(self.kinds[b], self.seen.second());
            self.guarded_as(b, kind);
        }
    }

    /// Both operands as numbers, as the plan says; `None` if a helper has to look.
    pub(super) fn numbers(&mut self, a: usize, b: Operand) -> Option<Numbers> {
        let other = match b {
            Operand::Register(b) => self.kinds[b],
            Operand::Int(_) => Kind::Int,
            Operand::Float(_) => Kind::Float,
        };
        let plan = Plan::of(self.kinds[a], other, self.seen);
        self.guarded_as(a, plan.first);
        if let Operand::Register(b) = b {
            self.guarded_as(b, plan.second);
        }
        match plan.mode {
            Mode::Ints => {
                let x = self.value(a);
                let y = match b {
                    Operand::Register(b) => self.value(b),
                    Operand::Int(k) => self.int(k),
                    Operand::Float(_) => return None,
                };
                Some(Numbers::Ints(x, y))
            }
            Mode::Floats => {
                let x = self.as_float(a);
                let y = match b {
                    Operand::Register(b) => self.as_float(b),
                    Operand::Int(k) => self.b.ins().f64const(k as f64),
                    Operand::Float(k) => self.b.ins().f64const(k),
                };
                Some(Numbers::Floats(x, y))
            }
            Mode::Open => None,
        }
    }

    /// `a = b op other`, or the other way round for a difference from a constant.
    fn arithmetic(&mut self, inst: &Inst, what: Arithmetic, other: Operand) {
        let Some(numbers) = self.numbers(inst.b(), other) else {
            self.step(inst);
            return;
        };
        let second = other.register();
        let numbers = match numbers {
            Numbers::Ints(x, y) if inst.op == Rop::ISub => Numbers::Ints(y, x),
            Numbers::Floats(x, y) if inst.op == Rop::ISub => Numbers::Floats(y, x),
            numbers => numbers,
        };
        self.drop_dying(inst, inst.b(), second);
        let (kind, value) = match (what, numbers) {
            (Arithmetic::Compare(comparison), numbers) => {
                let holds = self.comparison(comparison, numbers);
                (Kind::Bool, self.b.ins().uextend(types::I64, holds))
            }
            (Arithmetic::Spaceship, numbers) => (Kind::Int, self.spaceship(numbers)),
            (what, Numbers::Ints(x, y)) => {
                let constant = match other {
                    Operand::Int(k) => Some(k),
                    Operand::Register(_) | Operand::Float(_) => None,
                };
                (Kind::Int, self.int_arithmetic(what, x, y, constant))
            }
            (what, Numbers::Floats(x, y)) => (Kind::Float, self.float_arithmetic(what, x, y)),
        };
        self.put(inst.a(), kind, value);
    }

    /// `a = a + b * c`, or the difference, each rounded.
    fn accumulate(&mut self, inst: &Inst, what: Arithmetic) {
        let (a, b, c) = (inst.a(), inst.b(), inst.c());
        let [product, sum] = accumulation(&self.kinds, inst, self.seen);
        self.guarded_as(b, product.first);
        self.guarded_as(c, product.second);
        if product.mode != Mode::Open {
            self.guarded_as(a, sum.first);
        }
        let (x, y) = match (product.mode, sum.mode) {
            (_, Mode::Open) | (Mode::Open, _) => {
                self.step(inst);
                return;
            }
            (Mode::Ints, _) => (self.value(b), self.value(c)),
            (Mode::Floats, _) => (self.as_float(b), self.as_float(c)),
        };
        let is_int = product.mode == Mode::Ints;
        let product = match is_int {
            true => self.b.ins().imul(x, y),
            false => self.float_arithmetic(Arithmetic::Mul, x, y),
        };
        let (kind, value) = match sum.mode {
            Mode::Ints => {
                let old = self.value(a);
                (Kind::Int, self.int_arithmetic(what, old, product, None))
            }
            _ => {
                let old = self.as_float(a);
                let product = match is_int {
                    true => self.b.ins().fcvt_from_sint(types::F64, product),
                    false => product,
                };
                (Kind::Float, self.float_arithmetic(what, old, product))
            }
        };
        self.drop_dying(inst, b, Some(c));
        self.put(a, kind, value);
    }

    fn int_arithmetic(&mut self, what: Arithmetic, x: Value, y: Value, k: Option<i64>) -> Value {
        match what {
            Arithmetic::Add => self.b.ins().iadd(x, y),
            Arithmetic::Sub => self.b.ins().isub(x, y),
            Arithmetic::Mul => self.b.ins().imul(x, y),
            _ => self.int_remainder(x, y, k),
        }
    }

    fn float_arithmetic(&mut self, what: Arithmetic, x: Value, y: Value) -> Value {
        match what {
            Arithmetic::Add => {
                let sum = self.b.ins().fadd(x, y);
                let are_positive = self.are_positive(x, y);
                self.note_positive(sum, are_positive)
            }
            Arithmetic::Sub => self.b.ins().fsub(x, y),
            Arithmetic::Mul => {
                let product = self.b.ins().fmul(x, y);
                let are_positive = x == y || self.are_positive(x, y);
                self.note_positive(product, are_positive)
            }
            _ => self.ask_helper(Helper::FloatRemainder, &[x, y]),
        }
    }

    fn are_positive(&self, x: Value, y: Value) -> bool {
        self.positive.contains(&x) && self.positive.contains(&y)
    }

    /// Remembers of a Float that its sign bit is not set, unless it is no number, if that is so.
    fn note_positive(&mut self, value: Value, is_positive: bool) -> Value {
        if is_positive {
            self.positive.insert(value);
        }
        value
    }

    /// The remainder, 0 for divisors 0 and -1.
    fn int_remainder(&mut self, x: Value, y: Value, constant: Option<i64>) -> Value {
        if let Some(k) = constant {
            return self.remainder_by(x, k);
        }
        // By 1 it is 0, too, and the machine's division can't fail.
        let above = self.b.ins().iadd_imm_s(y, 1);
        let is_special = self
            .b
            .ins()
            .icmp_imm_u(IntCC::UnsignedLessThanOrEqual, above, 1);
        let one = self.int(1);
        let divisor = self.b.ins().select(is_special, one, y);
        self.b.ins().srem(x, divisor)
    }

    /// The remainder by a constant, by multiplication with its inverse.
    fn remainder_by(&mut self, x: Value, k: i64) -> Value {
        // The sign of the divisor doesn't matter.
        let divisor = k.unsigned_abs();
        if divisor <= 1 {
            return self.int(0);
        }
        if divisor.is_power_of_two() {
            // Rounded towards zero: negative numbers are moved up first.
            let sign = self.b.ins().sshr_imm_u(x, 63);
            let mask = (divisor - 1) as i64;
            let shift = self.b.ins().band_imm_s(sign, mask);
            let moved = self.b.ins().iadd(x, shift);
            let rest = self.b.ins().band_imm_s(moved, mask);
            return self.b.ins().isub(rest, shift);
        }
        let (multiplier, shift) = inverse(divisor);
        let factor = self.int(multiplier);
        let mut quotient = self.b.ins().smulhi(x, factor);
        if multiplier < 0 {
            quotient = self.b.ins().iadd(quotient, x);
        }
        let quotient = self.b.ins().sshr_imm_u(quotient, shift);
        let sign = self.b.ins().ushr_imm_u(x, 63);
        let quotient = self.b.ins().iadd(quotient, sign);
        let product = self.b.ins().imul_imm_s(quotient, divisor as i64);
        self.b.ins().isub(x, product)
    }

    fn spaceship(&mut self, numbers: Numbers) -> Value {
        let above = self.comparison(Comparison::Gt, numbers);
        let below = self.comparison(Comparison::Lt, numbers);
        let above = self.b.ins().uextend(types::I64, above);
        let below = self.b.ins().uextend(types::I64, below);
        self.b.ins().isub(above, below)
    }

    /// Whether the comparison holds, as a byte.
    pub(super) fn comparison(&mut self, comparison: Comparison, numbers: Numbers) -> Value {
        match numbers {
            Numbers::Ints(x, y) => {
                let code = match comparison {
                    Comparison::Lt => IntCC::SignedLessThan,
                    Comparison::Le => IntCC::SignedLessThanOrEqual,
                    Comparison::Gt => IntCC::SignedGreaterThan,
                    Comparison::Ge => IntCC::SignedGreaterThanOrEqual,
                    Comparison::Eq => IntCC::Equal,
                    Comparison::Ne => IntCC::NotEqual,
                };
                self.b.ins().icmp(code, x, y)
            }
            Numbers::Floats(x, y) => {
                let code = match comparison {
                    Comparison::Lt => FloatCC::LessThan,
                    Comparison::Le => FloatCC::LessThanOrEqual,
                    Comparison::Gt => FloatCC::GreaterThan,
                    Comparison::Ge => FloatCC::GreaterThanOrEqual,
                    Comparison::Eq => FloatCC::Equal,
                    Comparison::Ne => FloatCC::NotEqual,
                };
                self.b.ins().fcmp(code, x, y)
            }
        }
    }

    /// With a constant Float: always one.
    fn with_float(&mut self, inst: &Inst) {
        self.settle(inst.b(), None);
        let a = self.as_float(inst.b());
        let k = f64::from_bits(inst.immediate);
        self.drop_dying(inst, inst.b(), None);
        let value = match (inst.op, exact_inverse(k)) {
            (Rop::DivF, Some(inverse)) => {
                let inverse = self.float(inverse);
                self.b.ins().fmul(a, inverse)
            }
            (op, _) => {
                let k = self.float(k);
                match op {
                    Rop::AddF => self.b.ins().fadd(a, k),
                    Rop::SubF => self.b.ins().fsub(a, k),
                    Rop::MulF => self.b.ins().fmul(a, k),
                    Rop::DivF => self.b.ins().fdiv(a, k),
                    _ => self.b.ins().fsub(k, a),
                }
            }
        };
        self.put(inst.a(), Kind::Float, value);
    }

    /// A quotient, taken for a Float: a zero divisor gives Undef, which is guarded unless it was seen.
    fn divide(&mut self, inst: &Inst) {
        if self.seen.is_irregular() {
            self.step(inst);
            return;
        }
        let (divisor, second) = match inst.op {
            Rop::Div => (inst.c(), Some(inst.c())),
            _ => (inst.b(), None),
        };
        if inst.op == Rop::Div {
            self.settle(inst.b(), Some(divisor));
        } else {
            let kind = settled(self.kinds[divisor], self.seen.second());
            self.guarded_as(divisor, kind);
        }
        let b = self.as_float(divisor);
        self.guard_not_zero(b);
        let a = match inst.op {
            Rop::Div => self.as_float(inst.b()),
            _ => self.float(f64::from_bits(inst.immediate)),
        };
        self.drop_dying(inst, inst.b(), second);
        let value = self.b.ins().fdiv(a, b);
        self.put(inst.a(), Kind::Float, value);
    }

    /// Guards that a Float isn't zero. What is no number is told apart from zero where it is rare to be: the machine
    /// compares for both at once.
    fn guard_not_zero(&mut self, value: Value) {
        let zero = self.b.ins().f64const(0.0);
        if self.positive.contains(&value) {
            let is_fine = self
                .b
                .ins()
                .fcmp(FloatCC::UnorderedOrGreaterThan, value, zero);
            return self.guard(is_fine);
        }
        let is_rare = self.b.ins().fcmp(FloatCC::UnorderedOrEqual, value, zero);
        let (rare, done) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(is_rare, rare, &[], done, &[]);
        self.b.switch_to_block(rare);
        self.b.seal_block(rare);
        let is_fine = self.b.ins().fcmp(FloatCC::NotEqual, value, zero);
        self.guard(is_fine);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        self.b.seal_block(done);
    }

    /// A power. That with a constant 0.5 is a root, as [`pow_float`](crate::value::number::pow_float)
    /// has it.
    fn power(&mut self, inst: &Inst) {
        self.settle(inst.b(), Some(inst.c()));
        let a = self.as_float(inst.b());
        let b = self.as_float(inst.c());
        let is_root = self.constants[inst.c()] == Some(0.5) && !self.seen.is_irregular();
        let value = if is_root && self.positive.contains(&a) {
            let root = self.b.ins().sqrt(a);
            self.note_positive(root, true)
        } else if is_root {
            let lowest = self.b.ins().f64const(f64::NEG_INFINITY);
            let is_other = self.b.ins().fcmp(FloatCC::NotEqual, a, lowest);
            self.guard(is_other);
            // So that -0.0 is 0.0.
            let zero = self.b.ins().f64const(0.0);
            let a = self.b.ins().fadd(a, zero);
            let root = self.b.ins().sqrt(a);
            self.note_positive(root, true)
        } else {
            self.ask_helper(Helper::Pow, &[a, b])
        };
        self.drop_dying(inst, inst.b(), Some(inst.c()));
        self.put(inst.a(), Kind::Float, value);
    }

    /// What counts its operands as Ints.
    fn on_ints(&mut self, inst: &Inst, a: Value, b: Value, second: Option<usize>) {
        self.drop_dying(inst, inst.b(), second);
        let value = match inst.op {
            Rop::AddInt | Rop::Inc => self.b.ins().iadd(a, b),
            Rop::Dec => self.b.ins().isub(a, b),
            Rop::BitAnd | Rop::BitAndI => self.b.ins().band(a, b),
            Rop::BitOr | Rop::BitOrI => self.b.ins().bor(a, b),
            Rop::BitXor | Rop::BitXorI => self.b.ins().bxor(a, b),
            // Counts are masked with 63, as those of the machine.
            Rop::Shl | Rop::ShlI => self.b.ins().ishl(a, b),
            _ => self.b.ins().sshr(a, b),
        };
        self.put(inst.a(), Kind::Int, value);
    }

    fn binary(&mut self, inst: &Inst) {
        let other = Operand::Register(inst.c());
        let compare = Arithmetic::Compare;
        match binary_of(inst) {
            Binary::NumEq => self.arithmetic(inst, compare(Comparison::Eq), other),
            Binary::NumNe => self.arithmetic(inst, compare(Comparison::Ne), other),
            Binary::NumLt => self.arithmetic(inst, compare(Comparison::Lt), other),
            Binary::NumGt => self.arithmetic(inst, compare(Comparison::Gt), other),
            Binary::NumLe => self.arithmetic(inst, compare(Comparison::Le), other),
            Binary::NumGe => self.arithmetic(inst, compare(Comparison::Ge), other),
            Binary::Spaceship => self.arithmetic(inst, Arithmetic::Spaceship, other),
            Binary::LogAnd | Binary::LogOr => {
                let a = self.truth_of(inst.b());
                let b = self.truth_of(inst.c());
                self.drop_dying(inst, inst.b(), Some(inst.c()));
                let value = match binary_of(inst) {
                    Binary::LogAnd => self.b.ins().band(a, b),
                    _ => self.b.ins().bor(a, b),
                };
                self.put(inst.a(), Kind::Bool, value);
            }
        }
    }

    fn unary(&mut self, inst: &Inst) {
        match unary_of(inst) {
            Unary::Negate => {
                let Some(numbers) = self.numbers(inst.b(), Operand::Int(0)) else {
                    self.step(inst);
                    return;
                };
                self.drop_dying(inst, inst.b(), None);
                let (kind, value) = match numbers {
                    Numbers::Ints(x, _) => (Kind::Int, self.b.ins().ineg(x)),
                    Numbers::Floats(x, _) => (Kind::Float, self.b.ins().fneg(x)),
                };
                self.put(inst.a(), kind, value);
            }
            Unary::LogNot => {
                let truth = self.truth_of(inst.b());
                self.drop_dying(inst, inst.b(), None);
                let value = self.b.ins().bxor_imm_u(truth, 1);
                self.put(inst.a(), Kind::Bool, value);
            }
            Unary::BitNot => {
                self.settle(inst.b(), None);
                let value = self.as_int(inst.b());
                self.drop_dying(inst, inst.b(), None);
                let value = self.b.ins().bnot(value);
                self.put(inst.a(), Kind::Int, value);
            }
        }
    }

    /// The truth of a register as 0 or 1; nothing is dropped.
    pub(super) fn truth_of(&mut self, register: usize) -> Value {
        match self.kinds[register] {
            Kind::Bool => self.value(register),
            Kind::Int => {
                let value = self.value(register);
                let truth = self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0);
                self.b.ins().uextend(types::I64, truth)
            }
            Kind::Float => {
                let value = self.value(register);
                let zero = self.b.ins().f64const(0.0);
                let truth = self.b.ins().fcmp(FloatCC::NotEqual, value, zero);
                self.b.ins().uextend(types::I64, truth)
            }
            Kind::Undef | Kind::Nothing => self.int(0),
            Kind::Scalar | Kind::Any => self.boxed_truth(register),
        }
    }

    fn boxed_truth(&mut self, register: usize) -> Value {
        let (low, _) = self.both_halves(register);
        let tag = self.b.ins().band_imm_u(low, 0xff);
        let is_bool = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(tag::BOOL));
        let (fast, slow, done) = (
            self.b.create_block(),
            self.cold_block(),
            self.b.create_block(),
        );
        let truth = self.b.append_block_param(done, types::I64);
        self.b.ins().brif(is_bool, fast, &[], slow, &[]);
        self.b.switch_to_block(fast);
        let shifted = self.b.ins().ushr_imm_u(low, 8);
        let bit = self.b.ins().band_imm_u(shifted, 0xff);
        self.b.ins().jump(done, &[BlockArg::Value(bit)]);
        self.b.switch_to_block(slow);
        let base = self.base;
        // As an operand that doesn't die, counted from the function's base: who calls this drops it.
        let word = crate::lower::code::Word::new(Rop::IfTrue, 0, (register * 16) as u16, 0, 0);
        let word = self.int(word.0 as i64);
        let found = self.ask_rarely(Helper::Truth, &[base, word]);
        self.b.ins().jump(done, &[BlockArg::Value(found)]);
        self.b.switch_to_block(done);
        truth
    }

    /// The comparison of a branch by the engine's function, as 0 or 1; operands that die are gone.
    pub(super) fn open_comparison(&mut self, inst: &Inst, b: Option<usize>) -> Value {
        self.note_helped();
        self.commit();
        for register in [Some(inst.a()), b].into_iter().flatten() {
            self.sync(register);
        }
        let (base, word) = (self.frame_base(inst), self.int(inst.word.0 as i64));
        let immediate = self.int(inst.immediate as i64);
        let holds = self.ask_helper(Helper::Compare, &[base, word, immediate]);
        let flags = inst.word.flags();
        if flags & (flag::FIRST_DIES | flag::SECOND_DIES) != 0 {
            self.halves.fill(None);
        }
        holds
    }
}

/// The inverse of a power of two: multiplying with it gives what dividing does, to the last bit.
fn exact_inverse(k: f64) -> Option<f64> {
    const MANTISSA: u64 = (1 << 52) - 1;
    let is_power = k.is_normal() && k.to_bits() & MANTISSA == 0;
    let inverse = 1.0 / k;
    (is_power && inverse.is_normal()).then_some(inverse)
}

/// For a division by `divisor`, no power of two: what to multiply with, of which the upper 64 bits
/// count, and how far to shift then. A factor that reads as negative stands for one of 64 bits, and
/// the dividend has to be added. Granlund and Montgomery's method, for signed numbers rounded towards
/// zero.
fn inverse(divisor: u64) -> (i64, i64) {
    let bits = 63 - i64::from(divisor.leading_zeros());
    let power = 1_u128 << (64 + bits);
    let factor = power / u128::from(divisor) + 1;
    // With one bit less where that is exact enough.
    let small_power = 1_u128 << (63 + bits);
    let small = small_power / u128::from(divisor) + 1;
    let error = small * u128::from(divisor) - small_power;
    if error <= 1 << bits && small < 1 << 63 {
        (small as i64, bits - 1)
    } else {
        (factor as u64 as i64, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::inverse;

    /// The quotient as the code computes it.
    fn quotient(x: i64, divisor: u64) -> i64 {
        let (factor, shift) = inverse(divisor);
        let high = ((i128::from(x) * i128::from(factor)) >> 64) as i64;
        let high = if factor < 0 {
            high.wrapping_add(x)
        } else {
            high
        };
        (high >> shift) + i64::from(x < 0)
    }

    #[test]
    fn inverses_divide() {
        let edges = [0, 1, 2, 6, 7, 139_967, 139_968, i64::MAX - 1, i64::MAX];
        for divisor in [
            3_u64,
            5,
            7,
            10,
            139_968,
            1_000_003,
            (1 << 62) + 1,
            (1 << 63) - 1,
        ] {
            for x in edges.into_iter().flat_map(|x| [x, -x, i64::MIN + x]) {
                let expected = x / divisor as i64;
                assert_eq!(quotient(x, divisor), expected, "{x} / {divisor}");
            }
        }
    }
}
