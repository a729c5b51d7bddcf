//! Regions that are too large to be compiled together: the seams at which they come apart.
//!
//! A piece is a stretch of a region's code that is compiled as if there were no more. Where control leads
//! out of it native code is left, and what is live there is known from one walk over the whole region. So
//! what compiling costs grows with what is compiled, not with what is around it.

use super::Program;
use super::body::Body;
use super::graph::{Graph, RegisterSet};
use super::inst::Flow;
use crate::lower::code::{Code, Rop, Word};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::ops::Range;
use std::rc::Rc;

/// Words that a piece has about, unless it is a loop that is larger.
const PIECE_WORDS: usize = 2048;

/// Instructions between seams within a block at most.
const SEAM_EVERY: usize = 512;

/// Words of the largest region that is compiled in pieces, and registers times instructions of it: all of it
/// is looked at once.
const MOST_WORDS: usize = 1 << 20;
const MOST_CELLS: usize = 1 << 26;

/// The places of a region where a piece may end.
#[derive(Debug)]
pub(crate) struct Seams {
    seams: Vec<Seam>,
    /// From the heads of the region's loops, ascending, to behind the last instruction that jumps back there.
    loops: Vec<Range<usize>>,
    /// Words of the region.
    words: usize,
}

#[derive(Debug)]
struct Seam {
    position: usize,
    /// How many loops it is within.
    depth: usize,
    /// The registers that are live there.
    live: RegisterSet,
}

/// The seams of a program's regions, each found once, when it is asked for.
#[derive(Default)]
pub(crate) struct KnownSeams(RefCell<FxHashMap<usize, Option<Rc<Seams>>>>);

impl KnownSeams {
    /// Those of a region, as `find` finds them.
    pub(crate) fn get(
        &self,
        region: usize,
        find: impl FnOnce() -> Option<Seams>,
    ) -> Option<Rc<Seams>> {
        let mut known = self.0.borrow_mut();
        let seams = known.entry(region);
        seams.or_insert_with(|| find().map(Rc::new)).clone()
    }
}

impl Seams {
    /// The seams of a region; `None` if it isn't lowered, or too large for that as well.
    pub(crate) fn of(program: &dyn Program, region: usize) -> Option<Seams> {
        let code = program.code(region)?;
        if code.words.len() > MOST_WORDS || code.words.len() * code.registers as usize > MOST_CELLS
        {
            return None;
        }
        let alone = Alone {
            program,
            region,
            code,
        };
        let body = Body::whole(&alone, region)?;
        let argc_of = |region| program.argc(region);
        let graph = Graph::new(&body, &argc_of);
        let mut seams = Vec::with_capacity(graph.blocks.len());
        for (index, block) in graph.blocks.iter().enumerate() {
            let mut add = |at: usize, live: RegisterSet| {
                seams.push(Seam {
                    position: body.insts[at].site.at as usize,
                    depth: 0,
                    live,
                });
            };
            add(block.start, block.live.clone());
            if block.end - block.start > SEAM_EVERY {
                let within = graph.live_within(&body, index, &argc_of);
                let later = within.into_iter().enumerate().skip(SEAM_EVERY);
                for (step, live) in later.step_by(SEAM_EVERY) {
                    add(block.start + step, live);
                }
            }
        }
        let mut found = Seams {
            seams,
            loops: loops(&body),
            words: code.words.len(),
        };
        found.count_loops();
        Some(found)
    }

    /// Counts the loops that each seam is within.
    fn count_loops(&mut self) {
        let mut ends: Vec<usize> = self.loops.iter().map(|around| around.end).collect();
        ends.sort_unstable();
        let (mut begun, mut ended) = (0, 0);
        for seam in &mut self.seams {
            let is_before = |around: &&Range<usize>| around.start < seam.position;
            begun += self.loops[begun..].iter().take_while(is_before).count();
            let is_over = |end: &&usize| **end <= seam.position;
            ended += ends[ended..].iter().take_while(is_over).count();
            seam.depth = begun - ended;
        }
    }

    /// What is live where control leaves a piece for this position of `code`; `None` where none may end.
    pub(crate) fn live_at(&self, code: &Code, mut position: usize) -> Option<&RegisterSet> {
        while Word(*code.words.get(position)?).op() == Rop::Relink {
            position += Rop::Relink.words();
        }
        let by_position = |seam: &Seam| seam.position;
        let found = self.seams.binary_search_by_key(&position, by_position);
        Some(&self.seams[found.ok()?].live)
    }

    /// The piece that is compiled for a frame at `start`, of at most so many words: the largest loop around
    /// `start`, and what follows up to where the fewest loops are cut; without a loop what follows alone.
    /// `None` if no seam is near enough.
    pub(crate) fn piece(&self, start: usize, max_words: usize) -> Option<Range<usize>> {
        let first = (start + 1).saturating_sub(max_words);
        let from = self.loops.partition_point(|around| around.start < first);
        let around = self.loops[from..]
            .iter()
            .take_while(|around| around.start <= start)
            .filter(|around| start < around.end && around.len() <= max_words)
            .max_by_key(|around| around.len());
        let (begin, end) = around.map_or((start, start), |around| (around.start, around.end));
        let limit = begin + max_words.min(PIECE_WORDS);
        let piece = begin..self.last_seam(end.max(start + 1), limit);
        (piece.len() <= max_words).then_some(piece)
    }

    /// Where the pieces begin that all of the region comes apart into.
    pub(crate) fn starts(&self, max_words: usize) -> impl Iterator<Item = usize> + '_ {
        let behind = move |start: &usize| Some(self.piece(*start, max_words)?.end);
        let starts = std::iter::successors(Some(0), behind);
        starts.take_while(|start| *start < self.words)
    }

    /// The last of the seams from `from` to `to` that are within the fewest loops, or the end of the region if
    /// that comes sooner; the first behind `from` if there is none between.
    fn last_seam(&self, from: usize, to: usize) -> usize {
        if self.words <= to {
            return self.words;
        }
        let behind = self.seams.partition_point(|seam| seam.position < from);
        let seams = &self.seams[behind..];
        let between = seams.iter().take_while(|seam| seam.position <= to);
        let best = between.min_by_key(|seam| (seam.depth, Reverse(seam.position)));
        let best = best.or(seams.first());
        best.map_or(self.words, |seam| seam.position)
    }
}

/// The loops of a body: from what is jumped back to, to behind the last jump.
fn loops(body: &Body) -> Vec<Range<usize>> {
    let position = |index: usize| body.insts[index].site.at as usize;
    let jumps = body.insts.iter().enumerate();
    let mut loops: Vec<Range<usize>> = jumps
        .filter_map(|(at, inst)| match inst.flow() {
            Flow::Jump(target) | Flow::Branch(target) if target <= at => {
                Some(position(target)..position(at) + inst.op.words())
            }
            _ => None,
        })
        .collect();
    loops.sort_unstable_by_key(|around| (around.start, Reverse(around.end)));
    loops.dedup_by_key(|around| around.start);
    loops
}

/// A region without whatever else the program has, so that nothing of that becomes part of it.
struct Alone<'a> {
    program: &'a dyn Program,
    region: usize,
    code: &'a Code,
}

impl Program for Alone<'_> {
    fn code(&self, region: usize) -> Option<&Code> {
        (region == self.region).then_some(self.code)
    }

    fn seams(&self, _region: usize) -> Option<Rc<Seams>> {
        None
    }

    fn argc(&self, region: usize) -> usize {
        self.program.argc(region)
    }

    fn seen(&self, region: usize, at: usize) -> crate::jit::kinds::Seen {
        self.program.seen(region, at)
    }
}
