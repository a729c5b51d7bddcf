//! The stretches of code between ops that pair (4.1), which no jump may cross the borders of.

use super::shape::NONE;
use crate::op::{Mark, Pairs};

/// The pairs of a chunk, and the segment that each op lies in.
///
/// A segment is named by the mark that it begins behind. The mark that ends it lies in it, the one that
/// begins it doesn't.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The ops that are marks, paired or not.
    marks: Vec<(usize, Mark)>,
    pairs: Pairs,
    /// The segment of each op, `NONE` outside of any; empty if there are no pairs.
    of_op: Vec<u32>,
}

impl Segments {
    /// Begins with another chunk.
    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.pairs = Pairs::default();
        self.of_op.clear();
    }

    /// Notes an op that is a mark; they come in the order of the code.
    pub(super) fn note(&mut self, at: usize, mark: Mark) {
        self.marks.push((at, mark));
    }

    /// Whether marks were noted, paired or not.
    pub(super) fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Pairs the marks that were noted, in a chunk of so many ops.
    pub(super) fn pair(&mut self, ops: usize) {
        self.pairs = Pairs::of_marks(self.marks.iter().copied());
        if self.pairs.is_empty() {
            return;
        }
        let (mut segment, mut around) = (NONE, Vec::new());
        for mark in self.pairs.iter() {
            self.of_op.resize(mark.at + 1, segment);
            if mark.at == mark.opener {
                around.push(segment);
            }
            segment = match mark.end {
                Some(_) => mark.at as u32,
                None => around.pop().unwrap_or(NONE),
            };
        }
        self.of_op.resize(ops + 1, segment);
    }

    /// Whether there are no pairs, so that jumps may go anywhere.
    pub(super) fn is_empty(&self) -> bool {
        self.of_op.is_empty()
    }

    /// The pairs.
    pub(super) fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// The segment that the op lies in; of the end of the ops, none.
    pub(super) fn of(&self, op: usize) -> u32 {
        self.of_op.get(op).copied().unwrap_or(NONE)
    }

    /// The segment that control is in behind the op.
    pub(super) fn behind(&self, op: usize) -> u32 {
        self.of(op + 1)
    }
}
