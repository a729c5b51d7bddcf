//! The third stage (4.4): how the subs return that the chunk itself calls.
//!
//! Heights behind a call depend on it, so it is found before them, by the paths alone.

use super::{
    CodeView, Verifier,
    error::{Full, Reports},
    operands::Callee,
    shape::{Arity, State},
    step::{Step, target},
};
use crate::{
    code::Code,
    op::{Flow, Op},
};

/// Finds the argument counts and the arities of the subs that the chunk calls, and the steps of the
/// calls.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    if verifier.calls.is_empty() {
        return Ok(());
    }
    let calls = std::mem::take(&mut verifier.calls);
    let mut first_argc = vec![None; view.subs.len()];
    for &at in &calls {
        if let Some((Callee::Sub(row), argc)) = verifier.callee(view, &view.ops[at as usize]) {
            first_argc[row].get_or_insert(argc);
        }
    }
    verifier.shape.states.clear();
    verifier.shape.states.resize(view.ops.len(), State::NONE);
    for (row, sub) in view.subs.iter().enumerate() {
        if let Some(first) = first_argc[row] {
            verifier.shape.subs[row].argc = sub.argc.unwrap_or(first);
            find_arity(verifier, view, reports, row)?;
        }
    }
    for &at in &calls {
        if let Some((Callee::Sub(row), argc)) = verifier.callee(view, &view.ops[at as usize])
            && verifier.shape.subs[row].argc == argc
        {
            let pushes = u8::from(verifier.shape.subs[row].returns == Arity::Value);
            verifier.steps[at as usize] = Step::effect(u16::from(argc), pushes);
        }
    }
    verifier.calls = calls;
    Ok(())
}

/// Follows a sub's paths from its entry, without heights, and notes how it returns.
fn find_arity(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
    row: usize,
) -> Result<(), Full> {
    let entry = view.subs[row].entry;
    verifier.work.clear();
    let mut next = verifier
        .pass(view, reports, row, entry, entry)?
        .then_some(entry);
    loop {
        let Some(at) = next.or_else(|| verifier.next_pending()) else {
            return Ok(());
        };
        let op = &view.ops[at];
        let mark = verifier.segments.pairs().at(at);
        if let Some(end) = mark.and_then(|mark| mark.end) {
            verifier.touch(view, reports, row, at, end)?;
        }
        let to = match op.flow() {
            Flow::Next | Flow::Scope => at + 1,
            Flow::Jump => target(op),
            Flow::Branch => {
                verifier.touch(view, reports, row, at, target(op))?;
                at + 1
            }
            Flow::Return => {
                if !join_arity(&mut verifier.shape.subs[row].returns, arity_of(op)) {
                    reports.at(Code::ReturnMismatch, view.ops, at, two_arities(row))?;
                }
                next = None;
                continue;
            }
        };
        next = verifier.pass(view, reports, row, at, to)?.then_some(to);
    }
}

impl Verifier {
    /// The op last touched that no path went through.
    pub(super) fn next_pending(&mut self) -> Option<usize> {
        while let Some(at) = self.work.pop() {
            let state = &mut self.shape.states[at as usize];
            if state.is_pending() {
                *state = state.settled();
                return Some(at as usize);
            }
        }
        None
    }

    /// Goes from op `from` to `to` in the sub of this row: whether no path went through `to` yet.
    fn pass(
        &mut self,
        view: &CodeView<'_>,
        reports: &mut Reports,
        row: usize,
        from: usize,
        to: usize,
    ) -> Result<bool, Full> {
        let own = self.touch(view, reports, row, from, to)?;
        let Some(state) = self.shape.states.get_mut(to).filter(|_| own) else {
            return Ok(false);
        };
        let was_pending = state.is_pending();
        *state = state.settled();
        Ok(was_pending)
    }

    /// Makes `to` the sub's, pending, if it is nobody's: whether it is the sub's then. The end of the
    /// ops is nobody's.
    fn touch(
        &mut self,
        view: &CodeView<'_>,
        reports: &mut Reports,
        row: usize,
        from: usize,
        to: usize,
    ) -> Result<bool, Full> {
        let Some(state) = self.shape.states.get_mut(to) else {
            return Ok(false);
        };
        if *state == State::NONE {
            *state = State::new(row, 0).pending();
            self.work.push(to as u32);
        } else if state.scope() != row {
            let detail = format!("op {to} belongs to sub {}", state.scope());
            reports.at(Code::CrossesRegion, view.ops, from, detail)?;
            return Ok(false);
        }
        Ok(true)
    }
}

/// What a return leaves for the caller.
pub(super) fn arity_of(op: &Op) -> Arity {
    if matches!(op, Op::ReturnValue) {
        Arity::Value
    } else {
        Arity::None
    }
}

/// Notes that a sub returns in this way; false if it also returns in another.
pub(super) fn join_arity(known: &mut Arity, found: Arity) -> bool {
    if *known == Arity::Never {
        *known = found;
    }
    *known == found
}

/// The detail of an `E0214`.
pub(super) fn two_arities(row: usize) -> String {
    format!("sub {row} ends with `return` on one path and with `return_value` on another")
}
