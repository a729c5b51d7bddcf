//! The basic blocks of lowered code, from one position on, and which registers are live where.

use super::inst::{Effects, Flow, Inst, effects};
use crate::lower::code::{Code, Place, Rop};

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
    fn unite(&mut self, other: &RegisterSet) -> bool {
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

/// The blocks reached from a position, in the order of the code.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) blocks: Vec<Block>,
    /// The block that the code is entered at.
    pub(crate) entry: usize,
    /// Registers that anyone may look at when the code is left: the slots.
    always: RegisterSet,
}

impl Graph {
    /// The graph of `code` from `start` on; `argc_of` gives how many arguments a region takes.
    pub(crate) fn new(code: &Code, start: usize, argc_of: &dyn Fn(usize) -> usize) -> Graph {
        let starts = leaders(code, start);
        let registers = code.registers as usize;
        let mut always = RegisterSet::new(registers);
        for slot in code.slots.iter().flatten() {
            always.insert(usize::from(*slot));
        }
        let mut blocks: Vec<Block> = Vec::with_capacity(starts.len());
        for (place, begin) in starts.iter().enumerate() {
            let limit = starts.get(place + 1).copied().unwrap_or(usize::MAX);
            let mut inst = Inst::at(code, *begin);
            while inst.flow() == Flow::Next && inst.next() < limit {
                inst = Inst::at(code, inst.next());
            }
            let block_at = |at: usize| starts.binary_search(&at).ok();
            let (taken, next) = match inst.flow() {
                Flow::Next => (None, block_at(inst.next())),
                Flow::Jump(target) => (block_at(target), None),
                Flow::Branch(target) => (block_at(target), block_at(inst.next())),
                Flow::End => (None, None),
            };
            blocks.push(Block {
                start: *begin,
                end: inst.next(),
                taken,
                next,
                live: always.clone(),
                live_out: always.clone(),
            });
        }
        let entry = starts.binary_search(&start).unwrap_or(0);
        let mut graph = Graph {
            blocks,
            entry,
            always,
        };
        graph.find_live(code, argc_of);
        graph
    }

    /// Follows liveness backwards until nothing changes.
    fn find_live(&mut self, code: &Code, argc_of: &dyn Fn(usize) -> usize) {
        let mut changed = true;
        while changed {
            changed = false;
            for place in (0..self.blocks.len()).rev() {
                let block = &self.blocks[place];
                let mut live = block.live_out.clone();
                for after in [block.taken, block.next].into_iter().flatten() {
                    live.unite(&self.blocks[after].live);
                }
                let (start, end) = (block.start, block.end);
                let out = live.clone();
                self.backwards(code, (start, end), argc_of, &mut live, |_, _| {});
                let block = &mut self.blocks[place];
                block.live_out = out;
                changed |= block.live.unite(&live);
            }
        }
    }

    /// Walks the instructions of a stretch backwards; `visit` gets what is live before each.
    fn backwards(
        &self,
        code: &Code,
        (start, end): (usize, usize),
        argc_of: &dyn Fn(usize) -> usize,
        live: &mut RegisterSet,
        mut visit: impl FnMut(usize, &RegisterSet),
    ) {
        let mut places = Vec::new();
        let mut at = start;
        while at < end {
            places.push(at);
            at = Inst::at(code, at).next();
        }
        for at in places.into_iter().rev() {
            let inst = Inst::at(code, at);
            self.pass(&inst, argc_of, live);
            // Where the engine may be left, it finds the values of the stack by the map.
            for place in code.map_at(at).into_iter().flatten() {
                if let Place::Register(register) = place {
                    live.insert(usize::from(*register));
                }
            }
            visit(at, live);
        }
    }

    /// From what is live behind an instruction to what is live before it.
    fn pass(&self, inst: &Inst, argc_of: &dyn Fn(usize) -> usize, live: &mut RegisterSet) {
        let Effects { reads, writes } = effects(inst);
        for register in writes.0..writes.0 + writes.1 {
            if !self.always.contains(register) {
                live.remove(register);
            }
        }
        let mut range = reads.range;
        if inst.op == Rop::Call {
            range = (inst.a(), argc_of(inst.callee()));
            if !self.always.contains(inst.a()) {
                live.remove(inst.a());
            }
        }
        let singles = [reads.first, reads.second, reads.extra];
        for register in singles.into_iter().flatten() {
            live.insert(register);
        }
        for register in range.0..range.0 + range.1 {
            live.insert(register);
        }
    }

    /// What is live before each instruction of a block, by ascending place.
    pub(crate) fn live_within(
        &self,
        code: &Code,
        block: usize,
        argc_of: &dyn Fn(usize) -> usize,
    ) -> Vec<(usize, RegisterSet)> {
        let block = &self.blocks[block];
        let mut live = block.live_out.clone();
        let mut found = Vec::new();
        let stretch = (block.start, block.end);
        self.backwards(code, stretch, argc_of, &mut live, |at, live| {
            found.push((at, live.clone()));
        });
        found.reverse();
        found
    }
}

/// The places where blocks begin, ascending.
fn leaders(code: &Code, start: usize) -> Vec<usize> {
    let mut reached = vec![false; code.words.len()];
    let mut leader = vec![false; code.words.len()];
    let mut work = vec![start];
    leader[start] = true;
    while let Some(mut at) = work.pop() {
        while let Some(seen) = reached.get_mut(at)
            && !*seen
        {
            *seen = true;
            let inst = Inst::at(code, at);
            let (target, falls) = match inst.flow() {
                Flow::Next => (None, true),
                Flow::Jump(target) => (Some(target), false),
                Flow::Branch(target) => (Some(target), true),
                Flow::End => (None, false),
            };
            if let Some(target) = target {
                leader[target] = true;
                work.push(target);
                if falls {
                    leader[inst.next()] = true;
                }
            }
            if !falls {
                break;
            }
            at = inst.next();
        }
    }
    (0..leader.len())
        .filter(|at| leader[*at] && reached[*at])
        .collect()
}
