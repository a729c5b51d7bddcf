//! Errors of the text form: each with a code, a place, the line and a caret.

use crate::code::Code;
use std::borrow::Cow;
use std::fmt;

/// How many errors are reported before the assembler gives up.
pub const MAX_ERRORS: usize = 20;

/// How many characters of a line are shown.
const SHOWN_COLUMNS: usize = 120;

/// A place in the text: the byte range `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// From where `self` starts to where `other` ends.
    pub(super) fn to(self, other: Span) -> Span {
        Span::new(self.start, other.end)
    }
}

/// Something wrong at a span of the text, before the line is looked up.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) code: Code,
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: Option<Cow<'static, str>>,
}

impl Complaint {
    pub(super) fn new(code: Code, span: Span, message: impl Into<String>) -> Complaint {
        Complaint {
            code,
            span,
            message: message.into(),
            help: None,
        }
    }

    /// The same with a help line that fits better than the code's own.
    pub(super) fn help(mut self, help: impl Into<Cow<'static, str>>) -> Complaint {
        self.help = Some(help.into());
        self
    }
}

/// One error of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsmError {
    /// Its code, of the E03xx.
    pub code: Code,
    /// What is wrong, with what was found.
    pub message: String,
    /// What to do about it.
    pub help: Cow<'static, str>,
    /// The name of the text, as the caller gave it.
    pub origin: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// How many characters are meant, at least one.
    pub width: usize,
    /// The line's text; of a very long line the part around the place, and what is no UTF-8 or can't
    /// be shown replaced.
    pub text: String,
    /// Where in `text` the place is, in characters from 0.
    pub caret: usize,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = " ".repeat(self.line.to_string().len());
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        let (origin, line, column) = (&self.origin, self.line, self.column);
        writeln!(f, "{gutter}--> {origin}:{line}:{column}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {}", self.text)?;
        let (caret, width) = (" ".repeat(self.caret), "^".repeat(self.width));
        writeln!(f, "{gutter} | {caret}{width}")?;
        write!(f, "{gutter} = help: {}", self.help)
    }
}

impl std::error::Error for AsmError {}

/// All errors of a text, in the order of their places: at least one, at most [`MAX_ERRORS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsmErrors {
    errors: Vec<AsmError>,
    gave_up: bool,
}

impl AsmErrors {
    /// The errors, by rising place.
    pub fn as_slice(&self) -> &[AsmError] {
        &self.errors
    }

    /// The error that stands first in the text.
    pub fn first(&self) -> &AsmError {
        &self.errors[0]
    }

    /// Whether the assembler stopped at [`MAX_ERRORS`], so that there may be more.
    pub fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Looks up lines and columns. `complaints` holds at least one.
    pub(super) fn locate(mut complaints: Vec<Complaint>, text: &[u8], origin: &str) -> AsmErrors {
        let gave_up = complaints.len() >= MAX_ERRORS;
        complaints.sort_by_key(|complaint| complaint.span.start);
        let (mut line, mut line_start, mut at) = (1, 0, 0);
        let locate_one = |complaint: Complaint| {
            let start = complaint.span.start.min(text.len());
            for (offset, _) in (text[at..start].iter().enumerate()).filter(|(_, b)| **b == b'\n') {
                line += 1;
                line_start = at + offset + 1;
            }
            at = start;
            located(complaint, text, line, line_start, origin)
        };
        AsmErrors {
            errors: complaints.into_iter().map(locate_one).collect(),
            gave_up,
        }
    }
}

impl fmt::Display for AsmErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{error}")?;
        }
        if self.gave_up {
            write!(f, "\n\nerror: gave up after {MAX_ERRORS} errors")?;
        }
        Ok(())
    }
}

impl std::error::Error for AsmErrors {}

/// The complaint with its line, which begins at `line_start`.
fn located(
    complaint: Complaint,
    text: &[u8],
    line: usize,
    line_start: usize,
    origin: &str,
) -> AsmError {
    let start = complaint.span.start.min(text.len());
    let line_end = text[start..].iter().position(|b| *b == b'\n');
    let line_end = line_end.map_or(text.len(), |offset| start + offset);
    let span_end = complaint.span.end.clamp(start, line_end);
    let before = characters(&text[line_start..start]);
    // Half of the columns before the place, the rest behind it.
    let shown_from = before.saturating_sub(SHOWN_COLUMNS / 2);
    let caret = before - shown_from;
    let room = SHOWN_COLUMNS - caret;
    let shown = shown(&text[line_start..line_end], shown_from);
    let width = characters(&text[start..span_end]).clamp(1, room);
    let help = complaint.help;
    AsmError {
        code: complaint.code,
        message: complaint.message,
        help: help.unwrap_or(Cow::Borrowed(complaint.code.help())),
        origin: origin.to_owned(),
        line,
        column: before + 1,
        width,
        text: shown,
        caret,
    }
}

/// How many characters the bytes are, a byte that is no UTF-8 counting as one.
fn characters(bytes: &[u8]) -> usize {
    let invalid = |chunk: &std::str::Utf8Chunk<'_>| chunk.invalid().len();
    let chunks = bytes.utf8_chunks();
    chunks
        .map(|chunk| chunk.valid().chars().count() + invalid(&chunk))
        .sum()
}

/// The columns of a line from `skip` on, at most [`SHOWN_COLUMNS`], one character for each.
fn shown(line: &[u8], skip: usize) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let characters = line.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(invalid)
    });
    let visible = characters.map(|c| match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    visible.skip(skip).take(SHOWN_COLUMNS).collect()
}
