//! Which unboxed registers have a memory that may not hold their value: those have to be stored where
//! native code is left.

use super::ir::inst::{Role, effects};
use super::ir::{Program, RegisterSet};
use super::kinds::group::{Entry, Function, Group};
use super::kinds::{Kind, walk};
use crate::lower::code::Rop;

/// By block, the registers whose memory may be stale where it begins.
pub(crate) fn at_start(
    program: &dyn Program,
    group: &Group,
    function: &Function,
) -> Vec<RegisterSet> {
    let graph = &function.graph;
    let registers = function.body.registers;
    let mut stale = vec![RegisterSet::new(registers); graph.blocks.len()];
    if let Entry::Call(parameters) = &function.entry {
        for (register, kind) in parameters.iter().enumerate() {
            if kind.is_unboxed_value() {
                stale[graph.entry].insert(register);
            }
        }
    }
    let mut work: Vec<usize> = (0..graph.blocks.len()).rev().collect();
    while let Some(block) = work.pop() {
        let mut now = stale[block].clone();
        walk::block(program, group, function, block, |step| {
            let (first, count) = match step.inst.op {
                Rop::Call if step.inst.role == Role::Plain => (step.inst.a(), 1),
                _ => effects(step.inst).writes,
            };
            for register in first..first + count {
                match step.after[register] {
                    Kind::Scalar | Kind::Any => now.remove(register),
                    _ => now.insert(register),
                }
            }
        });
        for next in graph.after(block) {
            let kinds = &function.kinds[next];
            let mut passed = now.clone();
            for register in now.iter() {
                if kinds[register].is_boxed() {
                    passed.remove(register);
                }
            }
            if stale[next].unite(&passed) {
                work.push(next);
            }
        }
    }
    stale
}
