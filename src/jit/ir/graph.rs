//! The basic blocks of a function, its loops, and which registers are live where.

use super::body::Body;
use super::inst::{Effects, Flow, Role, effects, may_stop};
use crate::lower::code::Rop;

/// A set of registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegisterSet(Vec<u64>);

impl RegisterSet {
    /// An empty set with room for so many registers.
    pub(crate) fn new(registers: usize) -> RegisterSet {
        RegisterSet(vec![0; registers.div_ceil(64)])
    }

    pub(crate) fn insert(&mut self, register: usize) {
        if let Some(word) = self.0.get_mut(register / 64) {
            *word |= 1 << (register % 64);
        }
    }

    pub(crate) fn remove(&mut self, register: usize) {
        if let Some(word) = self.0.get_mut(register / 64) {
            *word &= !(1 << (register % 64));
        }
    }

    pub(crate) fn contains(&self, register: usize) -> bool {
        self.0
            .get(register / 64)
            .is_some_and(|word| word & 1 << (register % 64) != 0)
    }

    /// Adds all of the other set; whether that made a difference.
    pub(crate) fn unite(&mut self, other: &RegisterSet) -> bool {
        let mut changed = false;
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            changed |= *more & !*word != 0;
            *word |= more;
        }
        changed
    }

    /// The registers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.wrapping_sub(1);
                (bit < 64).then_some(place * 64 + bit)
            })
        })
    }
}

/// A stretch of instructions that control enters at its beginning only.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) start: usize,
    /// Behind its last instruction.
    pub(crate) end: usize,
    /// The blocks that follow: the one that a branch goes to, the one behind.
    pub(crate) taken: Option<usize>,
    pub(crate) next: Option<usize>,
    /// What is live at its beginning.
    pub(crate) live: RegisterSet,
    /// What is live at its end.
    pub(crate) live_out: RegisterSet,
}

/// A loop: the blocks from its head to the one that jumps back to it. Code that frontends emit has
/// nothing else between them; where it has, what is made of a loop is worth less, but not wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) head: usize,
    /// The last block that jumps back.
    pub(crate) latch: usize,
}

impl Loop {
    /// Whether the block is between head and latch.
    pub(crate) fn has(self, block: usize) -> bool {
        (self.head..=self.latch).contains(&block)
    }
}

/// The blocks of a function, in the order of its instructions.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) blocks: Vec<Block>,
    /// The block that the function begins with.
    pub(crate) entry: usize,
    /// A loop for each head, outer ones first.
    pub(crate) loops: Vec<Loop>,
}

/// What liveness needs to know of calls: how many arguments a region takes.
type Argc<'a> = &'a dyn Fn(usize) -> usize;

impl Graph {
    /// The graph of a body; `argc_of` gives how many arguments a region takes.
    pub(crate) fn new(body: &Body, argc_of: Argc<'_>) -> Graph {
        let starts = leaders(body);
        let block_at = |at: usize| starts.binary_search(&at).ok();
        let mut blocks: Vec<Block> = Vec::with_capacity(starts.len());
        for (place, start) in starts.iter().enumerate() {
            let end = starts.get(place + 1).copied();
            let end = end.unwrap_or(body.insts.len());
            let (taken, next) = match body.insts[end - 1].flow() {
                Flow::Next => (None, block_at(end)),
                Flow::Jump(target) => (block_at(target), None),
                Flow::Branch(target) => (block_at(target), block_at(end)),
                Flow::End => (None, None),
            };
            blocks.push(Block {
                start: *start,
                end,
                taken,
                next,
                live: RegisterSet::new(body.registers),
                live_out: RegisterSet::new(body.registers),
            });
        }
        let loops = find_loops(&blocks);
        let mut graph = Graph {
            entry: block_at(body.entry).unwrap_or_default(),
            blocks,
            loops,
        };
        graph.find_live(body, argc_of);
        graph
    }

    /// Whether a register is one of those that the frames hold where a block begins.
    pub(crate) fn holds(&self, body: &Body, block: usize, register: usize) -> bool {
        let inst = &body.insts[self.blocks[block].start];
        body.frame_of(inst).held.contains(register)
    }

    /// The blocks that follow one.
    pub(crate) fn after(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let block = &self.blocks[block];
        block.taken.into_iter().chain(block.next)
    }

    /// By block, the blocks that it follows.
    pub(crate) fn before(&self) -> Vec<Vec<usize>> {
        let mut before = vec![Vec::new(); self.blocks.len()];
        for block in 0..self.blocks.len() {
            for next in self.after(block) {
                before[next].push(block);
            }
        }
        before
    }

    /// Follows liveness backwards until nothing changes.
    fn find_live(&mut self, body: &Body, argc_of: Argc<'_>) {
        let before = self.before();
        // The last block is the first to be looked at.
        let mut work: Vec<usize> = (0..self.blocks.len()).collect();
        let mut waits = vec![true; self.blocks.len()];
        while let Some(place) = work.pop() {
            waits[place] = false;
            let block = &self.blocks[place];
            let mut live = block.live_out.clone();
            for after in self.after(place) {
                live.unite(&self.blocks[after].live);
            }
            let (start, end) = (block.start, block.end);
            let out = live.clone();
            for at in (start..end).rev() {
                pass(body, at, argc_of, &mut live);
            }
            let block = &mut self.blocks[place];
            block.live_out = out;
            if block.live.unite(&live) {
                for &earlier in &before[place] {
                    if !std::mem::replace(&mut waits[earlier], true) {
                        work.push(earlier);
                    }
                }
            }
        }
    }

    /// What is live before each instruction of a block.
    pub(crate) fn live_within(
        &self,
        body: &Body,
        block: usize,
        argc_of: Argc<'_>,
    ) -> Vec<RegisterSet> {
        let block = &self.blocks[block];
        let mut live = block.live_out.clone();
        let mut found = Vec::with_capacity(block.end - block.start);
        for at in (block.start..block.end).rev() {
            pass(body, at, argc_of, &mut live);
            found.push(live.clone());
        }
        found.reverse();
        found
    }
}

/// From what is live behind an instruction to what is live before it. Where a run may stop, what its
/// frames hold is live, too: it is looked at then. Native code may be left elsewhere as well, but the
/// engine goes on from there, at least until it comes to such a place.
fn pass(body: &Body, at: usize, argc_of: Argc<'_>, live: &mut RegisterSet) {
    let inst = &body.insts[at];
    let Effects { reads, writes } = effects(inst);
    for register in writes.0..writes.0 + writes.1 {
        live.remove(register);
    }
    let mut range = reads.range;
    if inst.op == Rop::Call && inst.role == Role::Plain {
        range = (inst.a(), argc_of(inst.callee()));
        live.remove(inst.a());
    }
    let singles = [reads.first, reads.second, reads.extra];
    for register in singles.into_iter().flatten() {
        live.insert(register);
    }
    for register in range.0..range.0 + range.1 {
        live.insert(register);
    }
    if may_stop(inst) {
        live.unite(&body.frame_of(inst).held);
    }
    if let Some(outside) = body.live_outside(inst) {
        live.unite(outside);
    }
    for register in body.kept_at(at) {
        live.insert(usize::from(*register));
    }
}

/// The instructions where blocks begin, ascending.
fn leaders(body: &Body) -> Vec<usize> {
    let mut leader = vec![false; body.insts.len()];
    leader[0] = true;
    leader[body.entry] = true;
    for (at, inst) in body.insts.iter().enumerate() {
        let (target, ends) = match inst.flow() {
            Flow::Next => (None, false),
            Flow::Jump(target) | Flow::Branch(target) => (Some(target), true),
            Flow::End => (None, true),
        };
        for place in target.into_iter().chain(ends.then_some(at + 1)) {
            if let Some(leader) = leader.get_mut(place) {
                *leader = true;
            }
        }
    }
    let places = leader.iter().enumerate();
    places
        .filter_map(|(at, leads)| leads.then_some(at))
        .collect()
}

/// The loops that blocks which jump back close.
fn find_loops(blocks: &[Block]) -> Vec<Loop> {
    let mut latches = vec![None; blocks.len()];
    for (place, block) in blocks.iter().enumerate() {
        for after in [block.taken, block.next].into_iter().flatten() {
            if after <= place {
                latches[after] = Some(place);
            }
        }
    }
    let loops = latches.iter().enumerate();
    loops
        .filter_map(|(head, latch)| latch.map(|latch| Loop { head, latch }))
        .collect()
}
