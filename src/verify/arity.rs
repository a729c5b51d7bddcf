//! The third stage (4.4): how the subs return that the chunk itself calls.
//!
//! Heights behind a call depend on it, so it is found before them, by the paths alone.

use super::{
    CodeView, Verifier,
    error::{Full, Reports},
    shape::{Arity, NONE, SubShape},
    step::{Class, Step, target},
};
use crate::{code::Code, op::Op};

/// Finds the arities, and gives each call of a sub its effect.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    let shape = &mut verifier.shape;
    shape.subs.clear();
    for (row, sub) in verifier.subs.iter().enumerate() {
        shape.subs.push(SubShape {
            argc: sub.argc.unwrap_or(0),
            returns: Arity::Never,
            region: row + 1,
        });
    }
    if verifier.calls.is_empty() {
        return Ok(());
    }
    shape.scope_of_op.clear();
    shape.scope_of_op.resize(view.ops.len(), NONE);
    for row in 0..view.subs.len() {
        if verifier.subs[row].called {
            find_arity(verifier, view, reports, row)?;
        }
    }
    for i in 0..verifier.calls.len() {
        let at = verifier.calls[i] as usize;
        if let Op::Call(name, argc) = view.ops[at]
            && let Some(row) = verifier.sub_of(name)
            && argc == verifier.shape.subs[row].argc
        {
            let returns = verifier.shape.subs[row].returns;
            verifier.steps[at] = Step::effect(u16::from(argc), u8::from(returns == Arity::Value));
        }
    }
    Ok(())
}

/// Follows a sub's paths from its entry, without heights, and notes how it returns.
fn find_arity(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
    row: usize,
) -> Result<(), Full> {
    // The field is the next stage's; until then it holds the sub that reached the op.
    let owners = &mut verifier.shape.scope_of_op;
    let mut is_new = |reports: &mut Reports, from: usize, to: usize| -> Result<bool, Full> {
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
            let step = verifier.steps[at];
            match step.class() {
                Class::Return => {
                    let returns = &mut verifier.shape.subs[row].returns;
                    if !join_arity(returns, arity_of(step.pops)) {
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
pub(super) fn arity_of(pops: u16) -> Arity {
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
