//! Ops that touch nothing but the top of the stack.
//!
//! Two ways of taking too few operands: some ops then have no effect (`if_both`), others take Undef
//! for what is missing (`with_both`, `with_top`). Which op does which is the 0.9 line's choice.

use super::super::trap::Step;
use super::Machine;
use crate::value::{Excess, Value, Work, string};

/// `a b -- r`; without two operands nothing happens.
#[inline(always)]
pub(super) fn if_both(stack: &mut Vec<Value>, meaning: impl FnOnce(&Value, &Value) -> Value) {
    if let [.., a, b] = stack.as_mut_slice() {
        *a = meaning(a, b);
        stack.pop();
    }
}

/// `a b -- r`; missing operands are Undef.
#[inline(always)]
pub(super) fn with_both(stack: &mut Vec<Value>, meaning: impl FnOnce(&Value, &Value) -> Value) {
    let b = stack.pop().unwrap_or_default();
    let a = stack.pop().unwrap_or_default();
    stack.push(meaning(&a, &b));
}

/// `a -- r`; a missing operand is Undef.
#[inline(always)]
pub(super) fn with_top(stack: &mut Vec<Value>, meaning: impl FnOnce(&Value) -> Value) {
    match stack.last_mut() {
        Some(a) => *a = meaning(a),
        None => stack.push(meaning(&Value::Undef)),
    }
}

/// `a b -- a b a b`; without two operands nothing happens.
pub(super) fn dup2(stack: &mut Vec<Value>) {
    if let [.., a, b] = stack.as_slice() {
        let pair = [a.clone(), b.clone()];
        stack.extend(pair);
    }
}

/// `a b -- b a`; without two operands nothing happens.
#[inline]
pub(super) fn swap(stack: &mut [Value]) {
    if let [.., a, b] = stack {
        std::mem::swap(a, b);
    }
}

/// `a b c -- b c a`; without three operands nothing happens.
pub(super) fn rot(stack: &mut [Value]) {
    if let Some(first) = stack.len().checked_sub(3) {
        stack[first..].rotate_left(1);
    }
}

/// The values that an op with a count takes: as many, or all there are.
pub(super) fn height_below(stack: &[Value], count: usize) -> usize {
    stack.len().saturating_sub(count)
}

impl Machine<'_> {
    /// `a b -- s`, appending in place where `a` is not shared.
    pub(super) fn concat(&mut self) -> Step {
        let b = self.vm.pop();
        let a = self.vm.pop();
        let joined = self.vm.bulk(|_, work| string::concat(a, &b, work))?;
        self.vm.push(joined);
        Ok(())
    }

    /// `a b -- r` with bulk work; missing operands are Undef.
    pub(super) fn bulk_both(
        &mut self,
        meaning: impl FnOnce(&Value, &Value, &mut Work) -> Result<Value, Excess>,
    ) -> Step {
        let b = self.vm.pop();
        let a = self.vm.pop();
        let result = self.vm.bulk(|_, work| meaning(&a, &b, work))?;
        self.vm.push(result);
        Ok(())
    }

    /// `a b -- bool` on string forms; missing operands are Undef.
    pub(super) fn compare_text(
        &mut self,
        meaning: fn(&Value, &Value, &mut Work) -> Result<bool, Excess>,
    ) -> Step {
        self.bulk_both(|a, b, work| meaning(a, b, work).map(Value::Bool))
    }
}
