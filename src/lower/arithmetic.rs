//! The translation of ops that compute: constants become immediates where there is an instruction
//! with one.

use super::Translator;
use super::code::{Binary, Rop, Unary, Word, Worked, flag};
use super::emit::field;
use super::stack::{Entry, Owner};
use crate::op::Op;

impl Translator<'_> {
    pub(super) fn unary(&mut self, at: usize, kind: Unary) -> usize {
        self.unary_rop(at, Rop::Unary, (kind as u8) << flag::KIND_SHIFT)
    }

    /// `a -- r`, where `r` is a scalar.
    pub(super) fn unary_rop(&mut self, at: usize, rop: Rop, flags: u8) -> usize {
        let a = self.pop_operand();
        let dest = self.dest(at);
        self.out
            .emit(rop, flags | a.first(), dest.field, a.field, 0);
        self.finish(dest, Entry::Scalar)
    }

    pub(super) fn binary(&mut self, at: usize, kind: Binary) -> usize {
        self.binary_rop(
            at,
            Rop::Binary,
            (kind as u8) << flag::KIND_SHIFT,
            Entry::Scalar,
        )
    }

    pub(super) fn worked(&mut self, at: usize, kind: Worked, result: Entry) -> usize {
        self.binary_rop(at, Rop::Worked, (kind as u8) << flag::KIND_SHIFT, result)
    }

    /// `a b -- r`
    pub(super) fn binary_rop(&mut self, at: usize, rop: Rop, flags: u8, result: Entry) -> usize {
        let (a, b) = self.pop_pair();
        self.binary_on(at, rop, flags, a, b, result)
    }

    /// Takes the two topmost as they are.
    pub(super) fn pop_pair(&mut self) -> (Entry, Entry) {
        let b = self.stack.pop();
        let a = self.stack.pop();
        (a, b)
    }

    /// `a b -- r`, the operands taken from the stack.
    pub(super) fn binary_on(
        &mut self,
        at: usize,
        rop: Rop,
        flags: u8,
        a: Entry,
        b: Entry,
        result: Entry,
    ) -> usize {
        let height = self.stack.height();
        let a = self.operand(a, height);
        let b = self.operand(b, height + 1);
        let dest = self.dest(at);
        let flags = flags | a.first() | b.second();
        self.out.emit(rop, flags, dest.field, a.field, b.field);
        self.finish(dest, result)
    }

    /// `a k -- r` or `k a -- r`, where `k` is a constant and `a` was at `position`.
    pub(super) fn with_constant(
        &mut self,
        at: usize,
        rop: Rop,
        a: Entry,
        position: usize,
        k: u64,
    ) -> usize {
        let a = self.operand(a, position);
        let dest = self.dest(at);
        let fields = [dest.field, a.field, 0];
        self.out.emit_with(rop, a.first(), fields, k);
        self.finish(dest, Entry::Scalar)
    }

    pub(super) fn add(&mut self, at: usize) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, Rop::AddI, a, height, k as u64),
            (Entry::Int(k), b) => self.with_constant(at, Rop::AddI, b, height + 1, k as u64),
            (a, Entry::Float(k)) => self.with_constant(at, Rop::AddF, a, height, k.to_bits()),
            (Entry::Float(k), b) => self.with_constant(at, Rop::AddF, b, height + 1, k.to_bits()),
            (a, b) => self.sum(at, (Rop::Add, Rop::MulAdd), a, b),
        }
    }

    /// `a b -- r`, a sum or difference. Where `b` is the product that was just made and the result goes
    /// where `a` is, both are one instruction.
    fn sum(&mut self, at: usize, rops: (Rop, Rop), a: Entry, b: Entry) -> usize {
        let (plain, accumulating) = rops;
        let Some((last, word)) = self.product(b).filter(|_| self.is_changed(a, at)) else {
            return self.binary_on(at, plain, 0, a, b, Entry::Scalar);
        };
        self.out.retract(last);
        let dest = self.dest(at);
        self.out
            .emit(accumulating, word.flags(), dest.field, word.b(), word.c());
        self.finish(dest, Entry::Scalar)
    }

    /// The multiplication that gave the entry above the top, if it is the instruction before.
    fn product(&self, entry: Entry) -> Option<(usize, Word)> {
        let home = self.home_field(self.stack.height() + 1);
        let is_product = |(_, word): &(usize, Word)| word.op() == Rop::Mul && word.a() == home;
        let product = self.out.last().filter(is_product);
        product.filter(|_| entry == Entry::Scalar)
    }

    /// Whether the result of the op at `at` goes to the register that its first operand, taken from the
    /// top, is in.
    fn is_changed(&self, operand: Entry, at: usize) -> bool {
        let stored = match self.op_at(at + 1) {
            Some(Op::SetSlot(slot)) if !self.is_leader(at + 1) => Some(self.slot(*slot)),
            _ => None,
        };
        match operand {
            Entry::Slot(register) => stored == Some(register),
            Entry::Home | Entry::Scalar | Entry::Borrowed(_) => stored.is_none(),
            _ => false,
        }
    }

    pub(super) fn sub(&mut self, at: usize) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, Rop::SubI, a, height, k as u64),
            (Entry::Int(k), b) => self.with_constant(at, Rop::ISub, b, height + 1, k as u64),
            (a, Entry::Float(k)) => self.with_constant(at, Rop::SubF, a, height, k.to_bits()),
            (Entry::Float(k), b) => self.with_constant(at, Rop::FSub, b, height + 1, k.to_bits()),
            (a, b) => self.sum(at, (Rop::Sub, Rop::MulSub), a, b),
        }
    }

    pub(super) fn mul(&mut self, at: usize) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, Rop::MulI, a, height, k as u64),
            (Entry::Int(k), b) => self.with_constant(at, Rop::MulI, b, height + 1, k as u64),
            (a, Entry::Float(k)) => self.with_constant(at, Rop::MulF, a, height, k.to_bits()),
            (Entry::Float(k), b) => self.with_constant(at, Rop::MulF, b, height + 1, k.to_bits()),
            (a, b) => self.binary_on(at, Rop::Mul, 0, a, b, Entry::Scalar),
        }
    }

    pub(super) fn div(&mut self, at: usize) -> usize {
        let height = self.stack.height() - 2;
        let as_float = |entry| match entry {
            Entry::Int(k) => Some(k as f64),
            Entry::Float(k) => Some(k),
            _ => None,
        };
        let (a, b) = self.pop_pair();
        if let Some(k) = as_float(b).filter(|k| *k != 0.0) {
            return self.with_constant(at, Rop::DivF, a, height, k.to_bits());
        }
        if let Some(k) = as_float(a) {
            return self.with_constant(at, Rop::FDiv, b, height + 1, k.to_bits());
        }
        self.binary_on(at, Rop::Div, 0, a, b, Entry::Scalar)
    }

    /// A bit op whose operands may change places.
    pub(super) fn bits(&mut self, at: usize, rop: Rop, with_int: Rop) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, with_int, a, height, k as u64),
            (Entry::Int(k), b) => self.with_constant(at, with_int, b, height + 1, k as u64),
            (a, b) => self.binary_on(at, rop, 0, a, b, Entry::Scalar),
        }
    }

    pub(super) fn shift(&mut self, at: usize, rop: Rop, by_int: Rop) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, by_int, a, height, k as u64),
            (a, b) => self.binary_on(at, rop, 0, a, b, Entry::Scalar),
        }
    }

    pub(super) fn modulo(&mut self, at: usize) -> usize {
        let height = self.stack.height() - 2;
        match self.pop_pair() {
            (a, Entry::Int(k)) => self.with_constant(at, Rop::ModI, a, height, k as u64),
            (a, b) => self.binary_on(at, Rop::Mod, 0, a, b, Entry::Scalar),
        }
    }

    /// A slot to Int, plus 1. Gives its register.
    pub(super) fn increment(&mut self, slot: u16) -> u16 {
        let register = self.slot(slot);
        self.before_change(Owner::Register(register));
        let slot = field(register);
        self.out.emit(Rop::Inc, 0, slot, slot, 0);
        register
    }
}
