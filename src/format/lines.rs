//! The source lines of a chunk as runs (2.5).

use super::cursor::Cursor;
use super::error::LoadError;
use crate::op::leb;

/// The run lengths that fit the number that begins a run are 1 to this.
const SHORT_RUN: usize = 7;
/// What the low bits are when the length follows.
const LONG_RUN: u64 = 7;

/// Appends the runs of `lines`, of which those behind the last op don't count.
pub(crate) fn encode(out: &mut Vec<u8>, lines: &[u32], op_count: usize) {
    let lines = &lines[..lines.len().min(op_count)];
    let end = lines
        .iter()
        .rposition(|line| *line != 0)
        .map_or(0, |last| last + 1);
    let mut before = 0i64;
    for run in lines[..end].chunk_by(|a, b| a == b) {
        let line = i64::from(run[0]);
        let difference = leb::zigzag(line - before);
        if run.len() <= SHORT_RUN {
            leb::write_unsigned(out, difference << 3 | (run.len() as u64 - 1));
        } else {
            leb::write_unsigned(out, difference << 3 | LONG_RUN);
            leb::write_unsigned(out, run.len() as u64 - 8);
        }
        before = line;
    }
}

/// A run of ops that come from the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) line: u32,
    pub(crate) ops: usize,
}

/// The runs one after the other, each checked as it is read.
pub(crate) struct Runs<'a> {
    cursor: Cursor<'a>,
    line: u32,
    /// Ops that no run covers yet.
    left: usize,
    first: bool,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(cursor: Cursor<'a>, op_count: usize) -> Runs<'a> {
        Runs {
            cursor,
            line: 0,
            left: op_count,
            first: true,
        }
    }

    /// Reads the next run; `None` behind the last.
    #[inline]
    pub(crate) fn next_run(&mut self) -> Result<Option<Run>, LoadError> {
        if self.cursor.left() == 0 {
            return Ok(None);
        }
        let start = self.cursor.position() as u64;
        let number = self.cursor.leb("line")?;
        let ops = match number & LONG_RUN {
            LONG_RUN => self.cursor.leb("run length")?.saturating_add(8),
            short => short + 1,
        };
        let difference = leb::unzigzag(number >> 3);
        // Differences have 61 bits, so the sum doesn't overflow.
        let line = u32::try_from(i64::from(self.line) + difference)
            .map_err(|_| LoadError::structure("a line past 32 bits", "a line").at(start))?;
        let wrong = |found, expected| Err(LoadError::structure(found, expected).at(start));
        if difference == 0 && !self.first {
            return wrong("a run of the same line", "another line");
        }
        if line == 0 && self.cursor.left() == 0 {
            return wrong("a last run without a line", "none");
        }
        if ops > self.left as u64 {
            return wrong("lines of more ops than there are", "at most as many");
        }
        self.left -= ops as usize;
        self.line = line;
        self.first = false;
        Ok(Some(Run {
            line,
            ops: ops as usize,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], op_count: usize) -> Result<Vec<u32>, LoadError> {
        let mut runs = Runs::new(Cursor::new(bytes, 0, bytes.len()), op_count);
        let mut lines = Vec::new();
        while let Some(run) = runs.next_run()? {
            lines.extend(std::iter::repeat_n(run.line, run.ops));
        }
        Ok(lines)
    }

    #[test]
    fn lines_come_back_without_the_zeros_at_the_end() {
        for (lines, kept, bytes) in [
            (vec![], 0, 0),
            (vec![0, 0], 0, 0),
            (vec![1], 1, 1),
            (vec![0, 0, 5, 5, 4, 0], 5, 3),
            (vec![3; 7], 7, 1),
            (vec![3; 8], 8, 2),
            (vec![u32::MAX, 1, u32::MAX], 3, 18),
        ] {
            let mut out = Vec::new();
            encode(&mut out, &lines, lines.len());
            assert_eq!(decode(&out, lines.len()).unwrap(), lines[..kept]);
            assert_eq!(out.len(), bytes, "{lines:?}");
        }
    }

    #[test]
    fn lines_behind_the_last_op_are_not_written() {
        let mut out = Vec::new();
        encode(&mut out, &[1, 2, 3], 1);
        assert_eq!(decode(&out, 1).unwrap(), [1]);
    }

    #[test]
    fn other_forms_are_refused() {
        let run = |line: i64, length: u64| {
            let mut out = Vec::new();
            leb::write_unsigned(&mut out, leb::zigzag(line) << 3 | length);
            out
        };
        let twice = [run(5, 0), run(0, 0)].concat();
        let to_zero = [run(5, 0), run(-5, 0)].concat();
        for bytes in [
            &run(0, 0)[..],
            &run(-1, 0),
            &run(1 << 32, 0),
            &run(1, 3),
            &run(1, 7),
            &twice,
            &to_zero,
        ] {
            assert!(decode(bytes, 3).is_err(), "{bytes:x?}");
        }
    }
}
