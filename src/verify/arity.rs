//! The third stage (4.4): how the subs return that the chunk itself calls.
//!
//! Heights behind a call depend on it, so it is found before them, by the paths alone.

use super::{
    CodeView, Verifier,
    error::{Full, Reports},
    shape::{Arity, NONE},
    step::{Class, ROWS, target},
};
use crate::{code::Code, op::Op};

/// Finds the argument counts and the arities of the subs that the chunk calls.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    if view.subs.is_empty() || !verifier.find_calls(view) {
        return Ok(());
    }
    // The next stage's field holds here the sub that reached the op.
    let owners = &mut verifier.shape.scope_of_op;
    owners.clear();
    owners.resize(view.ops.len(), NONE);
    for (row, sub) in view.subs.iter().enumerate() {
        if let Some(first) = verifier.first_calls[row] {
            verifier.shape.subs[row].argc = sub.argc.unwrap_or(first);
            find_arity(verifier, view, reports, row)?;
        }
    }
    Ok(())
}

impl Verifier {
    /// Notes the first call of each sub, in the order of the code; whether there is one.
    fn find_calls(&mut self, view: &CodeView<'_>) -> bool {
        self.first_calls.clear();
        self.first_calls.resize(view.subs.len(), None);
        let mut found = false;
        for op in view.ops {
            if let Op::Call(name, argc) = *op
                && let Some(row) = self.sub_of(name)
            {
                self.first_calls[row].get_or_insert(argc);
                found = true;
            }
        }
        found
    }
}

/// Follows a sub's paths from its entry, without heights, and notes how it returns.
fn find_arity(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
    row: usize,
) -> Result<(), Full> {
    let owners = &mut verifier.shape.scope_of_op;
    let mut is_new = |reports: &mut Reports, from: usize, to: usize| -> Result<bool, Full> {
        // The end, where the run ends.
        let Some(owner) = owners.get_mut(to) else {
            return Ok(false);
        };
        if *owner == NONE {
            *owner = row as u32;
            return Ok(true);
        }
        if *owner != row as u32 {
            let detail = format!("op {to} belongs to sub {owner}, not to sub {row}");
            reports.at(Code::CrossesRegion, view.ops, from, detail)?;
        }
        Ok(false)
    };
    let entry = view.subs[row].entry;
    verifier.work.clear();
    if is_new(reports, entry, entry)? {
        verifier.work.push(entry as u32);
    }
    while let Some(at) = verifier.work.pop() {
        let mut at = at as usize;
        loop {
            let step = ROWS[usize::from(view.ops[at].opcode())].step;
            match step.class() {
                Class::Return => {
                    let returns = &mut verifier.shape.subs[row].returns;
                    if !join_arity(returns, arity_of(step.pops())) {
                        reports.at(Code::ReturnMismatch, view.ops, at, two_arities(row))?;
                    }
                    break;
                }
                class @ (Class::Jump | Class::Branch) => {
                    let to = target(&view.ops[at]);
                    if is_new(reports, at, to)? {
                        verifier.work.push(to as u32);
                    }
                    if class == Class::Jump {
                        break;
                    }
                }
                _ => {}
            }
            if !is_new(reports, at, at + 1)? {
                break;
            }
            at += 1;
        }
    }
    Ok(())
}

/// What a return that takes `pops` values leaves for the caller.
pub(super) fn arity_of(pops: u32) -> Arity {
    if pops == 0 { Arity::None } else { Arity::Value }
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
