//! What of a chunk's tables must be declared ahead of the code so that the text assembles to the same
//! tables, and where labels stand.
//!
//! Names and constants enter their tables where the text first mentions them, subs and blocks where
//! they stand. So of each table a last part may go without declaration: the longest one whose entries
//! first appear in the code in the table's order. All before it is declared in the chunk's head.

use super::printer::Symbols;
use crate::chunk::Chunk;
use crate::op::Operand;

/// How much of each table is declared in the head, as the length of that first part.
pub(super) struct Plan {
    pub(super) names: usize,
    pub(super) constants: usize,
    pub(super) subs: usize,
    pub(super) blocks: usize,
    /// The number of the label at each op and at the end, 0 for none.
    pub(super) labels: Vec<u32>,
}

impl Plan {
    pub(super) fn new(chunk: &Chunk, symbols: &Symbols<'_>) -> Plan {
        let subs = declared_subs(chunk);
        let blocks = declared_blocks(chunk);
        let (names, constants) = declared_by_use(chunk, symbols, subs);
        Plan {
            names,
            constants,
            subs,
            blocks,
            labels: labels(chunk, subs, blocks),
        }
    }
}

/// Subs can stand at their entries if they are in the order of these.
fn declared_subs(chunk: &Chunk) -> usize {
    let mut limit = chunk.ops.len();
    let fitting = chunk.sub_entries.iter().rev().take_while(|(_, entry)| {
        let fits = *entry <= limit;
        limit = *entry;
        fits
    });
    chunk.sub_entries.len() - fitting.count()
}

/// Blocks can stand around their ops if they are in the order of their starts and nest.
fn declared_blocks(chunk: &Chunk) -> usize {
    let ranges = &chunk.block_ranges;
    // Of the blocks behind the one at hand those that lie in no other, the first on top.
    let mut outermost: Vec<(usize, usize)> = Vec::new();
    for (index, &(start, end)) in ranges.iter().enumerate().rev() {
        let next_start = outermost.last().map_or(chunk.ops.len(), |(next, _)| *next);
        if start > end || end > chunk.ops.len() || start > next_start {
            return index + 1;
        }
        while let Some(&(inner_start, inner_end)) = outermost.last() {
            if inner_start >= end {
                break;
            }
            if inner_end > end {
                return index + 1;
            }
            outermost.pop();
        }
        outermost.push((start, end));
    }
    0
}

/// The place in the text, counted in mentions, at which each entry of a table is first mentioned by
/// its own text.
struct Mentions {
    first: Vec<Option<u32>>,
    count: u32,
}

impl Mentions {
    fn new(len: usize) -> Mentions {
        let first = vec![None; len];
        Mentions { first, count: 0 }
    }

    fn mention(&mut self, index: u16) {
        self.count += 1;
        if let Some(first) = self.first.get_mut(usize::from(index)) {
            first.get_or_insert(self.count);
        }
    }

    /// The length of the part that must be declared. `is_first` tells whether an entry is the first
    /// one like it, which alone can be mentioned by its text.
    fn declared(&self, is_first: impl Fn(usize) -> bool) -> usize {
        let mut limit = u32::MAX;
        for (index, first) in self.first.iter().enumerate().rev() {
            match first {
                Some(at) if *at < limit && is_first(index) => limit = *at,
                _ => return index + 1,
            }
        }
        0
    }
}

/// How many names and constants must be declared, the first `declared_subs` subs being so.
fn declared_by_use(chunk: &Chunk, symbols: &Symbols<'_>, declared_subs: usize) -> (usize, usize) {
    let mut names = Mentions::new(chunk.names.len());
    let mut constants = Mentions::new(chunk.constants.len());
    let (in_head, in_code) = chunk.sub_entries.split_at(declared_subs);
    for (name, _) in in_head {
        names.mention(*name);
    }
    let mut subs = in_code.iter().peekable();
    for ip in 0..=chunk.ops.len() {
        while let Some((name, _)) = subs.next_if(|(_, entry)| *entry == ip) {
            names.mention(*name);
        }
        let Some(op) = chunk.ops.get(ip) else {
            break;
        };
        for operand in op.operands().iter() {
            match operand {
                Operand::Name(index) => names.mention(*index),
                Operand::Const(index) => constants.mention(*index),
                Operand::Int(_)
                | Operand::Float(_)
                | Operand::Slot(_)
                | Operand::Block(_)
                | Operand::Count(_)
                | Operand::Count8(_)
                | Operand::Argc(_)
                | Operand::Code(_)
                | Operand::Id(_)
                | Operand::Imm(_)
                | Operand::Target(_)
                | Operand::Payload(_) => {}
            }
        }
    }
    (
        names.declared(|index| symbols.is_first_name(index)),
        constants.declared(|index| symbols.is_first_constant(index)),
    )
}

/// Numbers the places that jumps, and declarations in the head, refer to.
fn labels(chunk: &Chunk, declared_subs: usize, declared_blocks: usize) -> Vec<u32> {
    let mut labels = vec![0; chunk.ops.len() + 1];
    let mut mark = |target: usize| {
        if let Some(label) = labels.get_mut(target) {
            *label = 1;
        }
    };
    for op in &chunk.ops {
        for operand in op.operands().iter() {
            if let Operand::Target(target) = operand {
                mark(*target);
            }
        }
    }
    for (_, entry) in &chunk.sub_entries[..declared_subs] {
        mark(*entry);
    }
    for (start, end) in &chunk.block_ranges[..declared_blocks] {
        mark(*start);
        mark(*end);
    }
    let mut number = 0;
    for label in labels.iter_mut().filter(|label| **label != 0) {
        number += 1;
        *label = number;
    }
    labels
}
