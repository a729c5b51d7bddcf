//! Walking through the instructions of a block whose kinds are known.

use super::group::{Function, Group};
use super::transfer::{Step, transfer};
use super::{Kind, Kinds, Seen};
use crate::jit::ir::Program;
use crate::jit::ir::inst::{Inst, Role};
use crate::lower::code::Rop;

/// An instruction, and the kinds of registers before and after it.
pub(crate) struct Walked<'a> {
    pub(crate) inst: &'a Inst,
    pub(crate) before: &'a [Kind],
    pub(crate) after: &'a [Kind],
    pub(crate) seen: Seen,
}

/// Visits the instructions of a block as far as control gets.
pub(crate) fn block(
    program: &dyn Program,
    group: &Group,
    function: &Function,
    block: usize,
    mut visit: impl FnMut(Walked<'_>),
) {
    let mut before: Kinds = function.kinds[block].clone();
    if !function.is_reached(block) {
        return;
    }
    let mut after = before.clone();
    let block = &function.graph.blocks[block];
    for inst in &function.body.insts[block.start..block.end] {
        let seen = program.seen(inst.site.region as usize, inst.site.at as usize);
        let result = match inst.op {
            Rop::Call if inst.role == Role::Plain => group.result_of(inst.callee()),
            _ => Kind::Nothing,
        };
        let mut step = Step {
            kinds: &mut after,
            seen,
        };
        let goes_on = transfer(inst, result, &mut step);
        visit(Walked {
            inst,
            before: &before,
            after: &after,
            seen,
        });
        if !goes_on {
            return;
        }
        before.clone_from(&after);
    }
}
