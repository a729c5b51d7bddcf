//! From block to block: what a block wants done is done on the way to it.

use super::Translator;
use crate::jit::ir::graph::Loop;
use cranelift_codegen::ir::{self, InstBuilder};

/// Where the ways into a loop meet.
pub(super) struct Door {
    around: Loop,
    block: ir::Block,
}

impl Translator<'_, '_> {
    /// The block to branch to for a block of the graph: its own, or a new one where something is to be
    /// done on the way, which [`write_way`](Self::write_way) writes.
    pub(super) fn way_to(&mut self, to: usize) -> ir::Block {
        let has_work = self.elements.lacks_for(to)
            || self.enters_clip(to)
            || self.leaves_clip(to)
            || self.enters_with_invariants(to)
            || self.stale_for(to).next().is_some();
        if has_work {
            self.b.create_block()
        } else {
            self.door(to)
        }
    }

    /// Writes what a way to a block does, if it isn't the block itself.
    pub(super) fn write_way(&mut self, way: ir::Block, to: usize) {
        if way != self.door(to) {
            self.b.switch_to_block(way);
            self.b.seal_block(way);
            self.go_on(Some(to));
        }
    }

    /// Goes to a block of the graph, with what it wants done. The state at hand stays as it is, for
    /// the other way of a branch.
    pub(super) fn go_on(&mut self, to: Option<usize>) {
        let Some(to) = to else {
            // Behind the last instruction there is nothing; lowered code never gets there.
            self.refuse();
            return;
        };
        if self.leaves_clip(to) {
            let fuel = self.fuel();
            self.b.def_var(self.fuel, fuel);
        }
        let stale: Vec<usize> = self.stale_for(to).collect();
        for register in stale {
            self.store_boxed(register);
        }
        self.open_for(to);
        let mut way_out = None;
        self.make_invariants(to, &mut way_out);
        if self.enters_clip(to) {
            self.enter_clip(to, way_out);
        }
        let target = self.door(to);
        self.b.ins().jump(target, &[]);
    }

    /// The block that the present one leads to for a block of the graph. Where several ways lead into a loop
    /// they meet before it, so that what stays the same in the loop is nothing that it hands on.
    fn door(&mut self, to: usize) -> ir::Block {
        let Some(door) = self.doors.iter().find(|door| door.around.head == to) else {
            return self.blocks[to];
        };
        match self.block {
            Some(from) if door.around.has(from) => self.blocks[to],
            _ => door.block,
        }
    }

    /// Makes the blocks in which the ways meet that lead into loops.
    pub(super) fn make_doors(&mut self) {
        let entries = self.function.entries();
        for around in &self.function.graph.loops {
            if entries.len() > 1 && entries.contains(&around.head) {
                let (around, block) = (*around, self.b.create_block());
                self.doors.push(Door { around, block });
            }
        }
    }

    /// Writes them.
    pub(super) fn write_doors(&mut self) {
        for door in std::mem::take(&mut self.doors) {
            self.b.switch_to_block(door.block);
            self.b.ins().jump(self.blocks[door.around.head], &[]);
        }
    }

    /// Registers that the block wants in their memory and that aren't there.
    fn stale_for(&self, to: usize) -> impl Iterator<Item = usize> {
        let wanted = &self.function.kinds[to];
        let live = &self.function.graph.blocks[to].live;
        live.iter()
            .filter(|register| wanted[*register].is_boxed() && self.is_stale(*register))
    }
}
