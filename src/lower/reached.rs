//! The ops of a region that control can reach, and what leads to them.

use super::{Lowering, jump_target};
use crate::chunk::Chunk;
use crate::op::{Flow, Op};
use crate::verify::{Region, RegionKind, Shape};

/// What is known of an op: a set of these.
pub(super) mod mark {
    /// It is one of the region.
    pub(in crate::lower) const REACHED: u8 = 1;
    /// Something other than the op before it leads here.
    pub(in crate::lower) const LEADER: u8 = 2;
    /// The op before it is the reference interpreter's.
    pub(in crate::lower) const RESUMES: u8 = 4;
}

/// What was found of a region.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// By op of the chunk, a set of [`mark`]s; nothing but zeros between two regions.
    pub(super) marks: Vec<u8>,
    /// The ops of the region: stretches of them, ascending, the end of each not in it.
    pub(super) stretches: Vec<(u32, u32)>,
    /// How many places of the region are jumped to or resumed at, roughly.
    pub(super) leaders: usize,
    /// Those of the ops that jump back.
    pub(super) back_jumps: Vec<u32>,
    /// How many slots there are at each depth of scopes.
    pub(super) slots: Vec<u32>,
    work: Vec<u32>,
}

impl Reached {
    /// Follows the region's paths: marks what is reached and what is jumped to. The end of its code is `end`.
    pub(super) fn find(
        &mut self,
        lowering: &Lowering,
        chunk: &Chunk,
        shape: &Shape,
        region: &Region,
        end: usize,
    ) {
        // One behind the last op, which is where a jump to the end goes.
        self.marks.resize(chunk.ops.len() + 1, 0);
        if matches!(region.kind, RegionKind::Block(_)) {
            self.marks[region.entry] |= mark::LEADER;
        }
        self.slots.push(shape.scopes()[region.scope].slots);
        self.work.push(region.entry as u32);
        while let Some(start) = self.work.pop() {
            let mut at = start as usize;
            let behind = loop {
                let mark = &mut self.marks[at];
                if *mark & mark::REACHED != 0 {
                    break at;
                }
                *mark |= mark::REACHED;
                let Some(op) = chunk.ops.get(at).filter(|_| at != end) else {
                    break at + 1;
                };
                match op.flow() {
                    Flow::Next if lowering.is_public(op) => {
                        let leads = if at + 1 == end { 0 } else { mark::LEADER };
                        self.marks[at + 1] |= leads | mark::RESUMES;
                        self.leaders += 1;
                    }
                    Flow::Next => {}
                    Flow::Branch => self.note_jump(op, at, end),
                    Flow::Jump => {
                        self.note_jump(op, at, end);
                        break at + 1;
                    }
                    Flow::Return => break at + 1,
                    Flow::Scope => self.note_scope(shape, at + 1),
                }
                at += 1;
            };
            if behind as u32 != start {
                self.stretches.push((start, behind as u32));
            }
        }
        // They were found in any order.
        self.stretches.sort_unstable_by_key(|(start, _)| *start);
        self.mark_inverted_loops(chunk);
    }

    /// Forgets the region; the memory stays.
    pub(super) fn clear(&mut self) {
        self.back_jumps.clear();
        self.slots.clear();
        self.leaders = 0;
        for (start, end) in self.stretches.drain(..) {
            self.marks[start as usize..end as usize].fill(0);
        }
    }

    /// Whether something other than the op before it leads to the op at `at`.
    pub(super) fn is_leader(&self, at: usize) -> bool {
        self.marks[at] & mark::LEADER != 0
    }

    /// Marks where the jump or branch at `at` goes, and goes there later.
    fn note_jump(&mut self, op: &Op, at: usize, end: usize) {
        let Some(target) = jump_target(op).filter(|target| *target != end) else {
            return;
        };
        if target <= at {
            self.back_jumps.push(at as u32);
        }
        self.leaders += 1;
        let mark = &mut self.marks[target];
        *mark |= mark::LEADER;
        if *mark & mark::REACHED == 0 {
            self.work.push(target as u32);
        }
    }

    /// Makes room for the slots of the scope at `at`.
    fn note_scope(&mut self, shape: &Shape, at: usize) {
        if let Some(scope) = shape.scope_at(at) {
            let scope = shape.scopes()[scope];
            let depth = scope.depth as usize;
            if self.slots.len() <= depth {
                self.slots.resize(depth + 1, 0);
            }
            self.slots[depth] = self.slots[depth].max(scope.slots);
        }
    }

    /// A loop whose head is a simple test gets that test again at its end, from where it goes on
    /// behind the head: that place is one that is jumped to.
    fn mark_inverted_loops(&mut self, chunk: &Chunk) {
        for place in 0..self.back_jumps.len() {
            let at = self.back_jumps[place] as usize;
            if let Op::Jump(target) = chunk.ops[at]
                && let Some(test) = self.loop_test(chunk, at, target)
            {
                self.marks[test + 1] |= mark::LEADER;
            }
        }
    }

    /// The branch that ends the test at the head of the loop which `at` jumps back to, if the test
    /// is short and nothing else leads into it.
    pub(super) fn loop_test(&self, chunk: &Chunk, at: usize, head: usize) -> Option<usize> {
        const LONGEST: usize = 8;
        if head > at {
            return None;
        }
        for test in head..at.min(head + LONGEST) {
            if test > head && self.is_leader(test) {
                return None;
            }
            match chunk.ops[test] {
                Op::JumpIfFalse(exit)
                | Op::JumpIfTrue(exit)
                | Op::SlotLtIntJumpIfFalse(_, _, exit)
                    if exit > at =>
                {
                    return Some(test);
                }
                ref op if is_simple(op) => {}
                _ => return None,
            }
        }
        None
    }
}

/// Whether the op may stand in a loop's test that is copied: it reads and computes.
fn is_simple(op: &Op) -> bool {
    matches!(
        op,
        Op::GetSlot(_)
            | Op::GetVar(_)
            | Op::LoadInt(_)
            | Op::LoadFloat(_)
            | Op::LoadConst(_)
            | Op::ArrayLen(_)
            | Op::ArrayGet(_)
            | Op::SlotArrayGet(_)
            | Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Mod
            | Op::NumEq
            | Op::NumNe
            | Op::NumLt
            | Op::NumGt
            | Op::NumLe
            | Op::NumGe
    )
}
