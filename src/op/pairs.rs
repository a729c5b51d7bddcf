//! Which ops pair: the beginning and the end of a pipeline, of a subshell, of redirections that hold
//! for several commands.
//!
//! Pairing goes by the order of the code alone, as brackets pair in a text, so that whoever skips a
//! subshell knows where it ends without running it. What the pairs mean, and what a path may do between
//! them, is not here.

use super::Op;

/// What two ops that pair stand around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairKind {
    /// `PipelineBegin` and `PipelineEnd`, with a `PipelineStage` between two stages.
    Pipeline,
    /// `SubshellBegin` and `SubshellEnd`.
    Subshell,
    /// `RedirectMark` and `RedirectPop`.
    Redirections,
}

/// What an op is in a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It begins one; a pipeline says how many stages it has, others have one.
    Open(PairKind, u8),
    /// It ends a stage of a pipeline and begins the next.
    Between,
    /// It ends one.
    Close(PairKind),
}

impl Op {
    /// What the op is in a pair; `None` for most.
    pub fn mark(&self) -> Option<Mark> {
        match *self {
            Op::PipelineBegin(stages) => Some(Mark::Open(PairKind::Pipeline, stages)),
            Op::PipelineStage => Some(Mark::Between),
            Op::PipelineEnd => Some(Mark::Close(PairKind::Pipeline)),
            Op::SubshellBegin => Some(Mark::Open(PairKind::Subshell, 1)),
            Op::SubshellEnd => Some(Mark::Close(PairKind::Subshell)),
            Op::RedirectMark => Some(Mark::Open(PairKind::Redirections, 1)),
            Op::RedirectPop => Some(Mark::Close(PairKind::Redirections)),
            _ => None,
        }
    }
}

/// The opcodes of the ops that are marks.
pub(crate) const MARK_BYTES: [u8; 7] = [0x6b, 0x6c, 0x6d, 0x72, 0x73, 0x81, 0x82];

/// A mark that belongs to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired {
    /// The op.
    pub at: usize,
    /// The op that begins the pair; the same if it is this one.
    pub opener: usize,
    /// The next mark of the pair, where what this one begins ends; `None` if this one ends the pair.
    pub end: Option<usize>,
}

/// The pairs of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// In the order of the code.
    marks: Vec<Paired>,
}

/// A pair whose end has not come yet.
struct Pending {
    kind: PairKind,
    stages: u8,
    /// Its marks so far.
    marks: Vec<usize>,
}

impl Pairs {
    /// The pairs of these ops.
    pub fn of(ops: &[Op]) -> Pairs {
        let marks = ops.iter().enumerate();
        Pairs::of_marks(marks.filter_map(|(at, op)| Some((at, op.mark()?))))
    }

    /// The pairs of these marks, which come in the order of the code.
    ///
    /// An op that ends something pairs with the last one that began something and has no end yet. If that
    /// is of another kind, it pairs with nothing. A pipeline with another number of stages than its
    /// beginning says is no pair.
    pub fn of_marks(marks: impl Iterator<Item = (usize, Mark)>) -> Pairs {
        let mut paired = Vec::new();
        let mut pending: Vec<Pending> = Vec::new();
        for (at, mark) in marks {
            match (mark, pending.last_mut()) {
                (Mark::Open(kind, stages), _) => pending.push(Pending {
                    kind,
                    stages,
                    marks: vec![at],
                }),
                (Mark::Between, Some(last)) if last.kind == PairKind::Pipeline => {
                    last.marks.push(at);
                }
                (Mark::Close(kind), Some(last)) if last.kind == kind => {
                    let fits = last.marks.len() == usize::from(last.stages);
                    if let Some(pair) = pending.pop().filter(|_| fits) {
                        pair.close(at, &mut paired);
                    }
                }
                (Mark::Between | Mark::Close(_), _) => {}
            }
        }
        paired.sort_unstable_by_key(|mark: &Paired| mark.at);
        Pairs { marks: paired }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The mark at this op, if it belongs to a pair.
    pub fn at(&self, op: usize) -> Option<&Paired> {
        let place = self.marks.binary_search_by_key(&op, |mark| mark.at).ok()?;
        self.marks.get(place)
    }

    /// All marks that belong to a pair, in the order of the code.
    pub fn iter(&self) -> impl Iterator<Item = &Paired> {
        self.marks.iter()
    }
}

impl Pending {
    /// Notes the marks of the pair, which ends at `close`.
    fn close(self, close: usize, paired: &mut Vec<Paired>) {
        let opener = self.marks[0];
        let ends = self.marks[1..].iter().copied().chain([close]);
        paired.extend(self.marks.iter().zip(ends).map(|(&at, end)| Paired {
            at,
            opener,
            end: Some(end),
        }));
        paired.push(Paired {
            at: close,
            opener,
            end: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Op::*;

    /// For each op that is a mark of a pair: it, its opener and its end.
    fn pairs(ops: &[Op]) -> Vec<(usize, usize, Option<usize>)> {
        let pairs = Pairs::of(ops);
        let marks = pairs.iter().map(|mark| (mark.at, mark.opener, mark.end));
        marks.collect()
    }

    #[test]
    fn marks_pair_as_brackets_do() {
        let ops = [
            SubshellBegin,
            PipelineBegin(2),
            Nop,
            PipelineStage,
            RedirectMark,
            RedirectPop,
            PipelineEnd,
            SubshellEnd,
        ];
        let expected = [
            (0, 0, Some(7)),
            (1, 1, Some(3)),
            (3, 1, Some(6)),
            (4, 4, Some(5)),
            (5, 4, None),
            (6, 1, None),
            (7, 0, None),
        ];
        assert_eq!(pairs(&ops), expected);
        assert_eq!(Pairs::of(&ops).at(3).map(|mark| mark.end), Some(Some(6)));
        assert_eq!(Pairs::of(&ops).at(2), None);
    }

    #[test]
    fn marks_are_known_by_their_bytes() {
        let marks = [
            PipelineBegin(1),
            PipelineStage,
            PipelineEnd,
            SubshellBegin,
            SubshellEnd,
            RedirectMark,
            RedirectPop,
        ];
        assert_eq!(marks.each_ref().map(Op::opcode), MARK_BYTES);
        assert!(marks.iter().all(|op| op.mark().is_some()));
    }

    #[test]
    fn what_does_not_pair_is_left_out() {
        assert!(pairs(&[SubshellBegin]).is_empty());
        assert!(pairs(&[SubshellEnd, SubshellBegin]).is_empty());
        assert!(pairs(&[PipelineBegin(2), PipelineEnd]).is_empty());
        assert!(pairs(&[PipelineBegin(0), PipelineEnd]).is_empty());
        assert!(pairs(&[PipelineStage]).is_empty());
        // The end of another kind is no end.
        let crossed = [SubshellBegin, RedirectMark, SubshellEnd, RedirectPop];
        assert_eq!(pairs(&crossed), [(1, 1, Some(3)), (3, 1, None)]);
    }
}
