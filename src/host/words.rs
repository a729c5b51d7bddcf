//! What shells do to words before a command sees them: brace expansion, word splitting, the tilde.
//!
//! Plain functions on bytes; no process, no file, no value. What needs the outside (whose home a tilde
//! means, which names match a pattern) is asked of a [`Host`](super::Host).
//!
//! The text is a value, so quotes in it are bytes like any other. A backslash takes away the meaning
//! of the byte behind it in braces; both stay, as a shell removes them only after all expansions.

use super::TooLarge;
use super::pattern::ByteSet;

/// What separates words if nobody says otherwise.
pub const DEFAULT_IFS: &[u8] = b" \t\n";

/// The separators of which any number separate as one does.
const WHITE: ByteSet = ByteSet::of(DEFAULT_IFS);

/// How much an expansion may produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordLimits {
    /// Number of words.
    pub words: usize,
    /// Bytes of the text, and of all words together.
    pub bytes: usize,
}

/// Splits `text` into fields at the bytes of `ifs`, by the rules of POSIX for `IFS`.
///
/// Space, tab and newline, where `ifs` has them, separate in runs and are dropped at both ends. Each
/// other byte of `ifs`, with such white space around it, ends one field, which may be empty; behind
/// the last such byte there is no further field. With an empty `ifs` the text is one field. An empty
/// text has none.
pub fn word_split<'t>(text: &'t [u8], ifs: &[u8]) -> Fields<'t> {
    let separators = match ifs {
        DEFAULT_IFS => WHITE,
        _ => ByteSet::of(ifs),
    };
    let mut fields = Fields {
        rest: text,
        separators,
        spaces: separators.common(WHITE),
    };
    fields.skip_spaces();
    fields
}

/// The fields of a text, see [`word_split`].
#[derive(Clone, Debug)]
pub struct Fields<'t> {
    /// What comes next begins with a field, unless it is empty.
    rest: &'t [u8],
    separators: ByteSet,
    /// Those of them that separate in runs.
    spaces: ByteSet,
}

impl Fields<'_> {
    #[inline]
    fn skip_spaces(&mut self) {
        let spaces = |byte: &&u8| self.spaces.contains(**byte);
        let count = self.rest.iter().take_while(spaces).count();
        self.rest = &self.rest[count..];
    }
}

impl<'t> Iterator for Fields<'t> {
    type Item = &'t [u8];

    #[inline]
    fn next(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let separates = |byte: &u8| self.separators.contains(*byte);
        let end = self.rest.iter().position(separates);
        let (field, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        self.skip_spaces();
        if self
            .rest
            .first()
            .is_some_and(|byte| self.separators.contains(*byte))
        {
            self.rest = &self.rest[1..];
            self.skip_spaces();
        }
        Some(field)
    }
}

/// Splits a line into at most `count` fields, as the builtin `read` does: the last one has all that is left,
/// without the white space of `ifs` at its end. No more than `count` of them are given, none for 0.
pub fn read_fields(text: &[u8], ifs: &[u8], count: usize) -> Vec<Vec<u8>> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n') && ifs.contains(byte);
    let skip = |text: &[u8]| text.iter().take_while(|byte| is_space(byte)).count();
    let mut rest = &text[skip(text)..];
    let mut fields = Vec::new();
    while fields.len() < count && !rest.is_empty() {
        let end = rest.iter().position(|byte| ifs.contains(byte));
        let end = end.unwrap_or(rest.len());
        let mut behind = &rest[end..];
        behind = &behind[skip(behind)..];
        if behind.first().is_some_and(|byte| ifs.contains(byte)) {
            behind = &behind[1..];
            behind = &behind[skip(behind)..];
        }
        if fields.len() + 1 == count && !behind.is_empty() {
            let trailing = rest.iter().rev().take_while(|byte| is_space(byte)).count();
            fields.push(rest[..rest.len() - trailing].to_vec());
            break;
        }
        fields.push(rest[..end].to_vec());
        rest = behind;
    }
    fields
}

/// Cuts a word that begins with a tilde into the user's name (empty for one's own home) and the rest,
/// which is empty or begins with a slash. `None` if there is no tilde.
pub fn tilde_split(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let behind = word.strip_prefix(b"~")?;
    let end = behind.iter().position(|&byte| byte == b'/');
    Some(behind.split_at(end.unwrap_or(behind.len())))
}

/// Expands the braces of a word, as bash does: `{a,b}` into each of the parts, `{1..10}`, `{10..1..3}`,
/// `{a..e}` into each of the terms (as wide as the widest if one has a leading zero), nested and in
/// any number, the leftmost varying slowest.
///
/// What is no expansion stays: braces with neither comma nor sequence, without their end, `${...}`,
/// and `{}` alone. Empty words that arise are kept.
///
/// [`TooLarge`] if `limits` are exceeded (which is known before any word is made), if a word with an
/// opening brace is longer than 1 MiB, or if braces nest more than 32 deep.
pub fn brace_expand(word: &[u8], limits: WordLimits) -> Result<Vec<Vec<u8>>, TooLarge> {
    let has_brace = word.contains(&b'{');
    if word.len() > limits.bytes || (has_brace && word.len() > MAX_BRACE_TEXT) {
        return Err(TooLarge);
    }
    let parts = if has_brace {
        parse(word, 0)?
    } else {
        vec![Part::Text(word)]
    };
    let size = Size::of(&parts);
    if size.words > limits.words as u64 || size.bytes > limits.bytes as u64 {
        return Err(TooLarge);
    }
    Ok(expand(&parts))
}

/// The deepest nest of braces; it bounds the recursion of the functions below.
const MAX_BRACE_NEST: u32 = 32;

/// The longest word whose braces are read; reading takes some 32 bytes for each of them.
const MAX_BRACE_TEXT: usize = 1 << 20;

/// A piece of a word; the word is the product of its parts.
enum Part<'t> {
    Text(&'t [u8]),
    Choice(Vec<Vec<Part<'t>>>),
    Sequence(Sequence),
}

/// Reads a word, or a choice within braces, into its parts.
fn parse(text: &[u8], nest: u32) -> Result<Vec<Part<'_>>, TooLarge> {
    if nest > MAX_BRACE_NEST {
        return Err(TooLarge);
    }
    let marks = marks(text);
    let closers = closers(&marks);
    let mut parts = Vec::new();
    // Where the text that no part holds yet begins: at the start, or behind an expansion.
    let mut pending = 0;
    let mut next = 0;
    while let Some(mark) = marks.get(next) {
        let closer = closers[next];
        match (mark.kind, closer) {
            (MarkKind::Open, Some(closer)) if !stands_alone(text, pending, mark.at) => {
                let close_at = marks[closer].at;
                parts.push(Part::Text(&text[pending..mark.at]));
                let inside = mark.at + 1..close_at;
                let inner = &marks[next + 1..closer];
                parts.push(if inner.iter().any(|mark| mark.kind == MarkKind::Comma) {
                    parse_choice(text, inside, inner, nest)?
                } else if let Some(sequence) = Sequence::parse(&text[inside]) {
                    Part::Sequence(sequence)
                } else {
                    Part::Text(&text[mark.at..=close_at])
                });
                pending = close_at + 1;
                next = closer + 1;
            }
            // No brace within `${...}` counts; without its end, none behind it does.
            (MarkKind::Dollar, Some(closer)) => next = closer + 1,
            (MarkKind::Dollar, None) => break,
            _ => next += 1,
        }
    }
    parts.push(Part::Text(&text[pending..]));
    Ok(parts)
}

/// Reads what stands between braces, cut at the commas that are not in inner braces.
fn parse_choice<'t>(
    text: &'t [u8],
    inside: std::ops::Range<usize>,
    marks: &[Mark],
    nest: u32,
) -> Result<Part<'t>, TooLarge> {
    let mut choices = Vec::new();
    let mut start = inside.start;
    let mut level = 0usize;
    for mark in marks {
        match mark.kind {
            MarkKind::Open | MarkKind::Dollar => level += 1,
            MarkKind::Close => level = level.saturating_sub(1),
            MarkKind::Comma if level == 0 => {
                choices.push(parse(&text[start..mark.at], nest + 1)?);
                start = mark.at + 1;
            }
            MarkKind::Comma | MarkKind::Dots => {}
        }
    }
    choices.push(parse(&text[start..inside.end], nest + 1)?);
    Ok(Part::Choice(choices))
}

/// Whether the brace at a place opens no expansion as it stands between white space or the word's
/// borders, or is the `{}` of a word that begins so.
fn stands_alone(text: &[u8], word_start: usize, at: usize) -> bool {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n');
    let first = at == word_start || is_space(text[at - 1]);
    first
        && text
            .get(at + 1)
            .is_none_or(|&next| is_space(next) || next == b'}')
}

/// A place in the text that means something to brace expansion.
struct Mark {
    at: usize,
    kind: MarkKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MarkKind {
    /// `{`
    Open,
    /// The brace of `${`.
    Dollar,
    /// `}`
    Close,
    /// `,`
    Comma,
    /// `..`, unless a closing brace follows.
    Dots,
}

fn marks(text: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1);
        let kind = match byte {
            b'\\' => {
                at += 2;
                continue;
            }
            b'$' if next == Some(&b'{') => {
                at += 1;
                Some(MarkKind::Dollar)
            }
            b'{' => Some(MarkKind::Open),
            b'}' => Some(MarkKind::Close),
            b',' => Some(MarkKind::Comma),
            b'.' if next == Some(&b'.') && text.get(at + 2) != Some(&b'}') => Some(MarkKind::Dots),
            _ => None,
        };
        marks.extend(kind.map(|kind| Mark { at, kind }));
        at += 1;
    }
    marks
}

/// For each opening mark, the mark that closes it, if one does.
///
/// A brace is closed by the first closing brace of its own level that has a comma or dots of that
/// level before it; closing braces before that are text (`{a},b}` is `a}` and `b`). A `${` is closed
/// by the first of its level. One pass from the right finds all of them: it keeps the closing braces
/// that a look to the right from here meets on its level, nearest last.
fn closers(marks: &[Mark]) -> Vec<Option<usize>> {
    struct Ahead {
        closer: usize,
        /// What closes a brace that stands here with neither comma nor dots up to `closer`: it or one
        /// further on.
        answer: Option<usize>,
    }
    let mut closers = vec![None; marks.len()];
    let mut ahead: Vec<Ahead> = Vec::new();
    for (place, mark) in marks.iter().enumerate().rev() {
        match mark.kind {
            MarkKind::Close => {
                let answer = ahead.last().and_then(|further| further.answer);
                let closer = place;
                ahead.push(Ahead { closer, answer });
            }
            MarkKind::Comma | MarkKind::Dots => {
                if let Some(nearest) = ahead.last_mut() {
                    nearest.answer = Some(nearest.closer);
                }
            }
            // A look from further left passes over this brace and the nearest closer as one group.
            MarkKind::Open => closers[place] = ahead.pop().and_then(|nearest| nearest.answer),
            MarkKind::Dollar => closers[place] = ahead.pop().map(|nearest| nearest.closer),
        }
    }
    closers
}

/// `first..last` or `first..last..step` between braces.
struct Sequence {
    first: i64,
    /// Signed so that it leads from the first term to the last.
    step: i128,
    count: u64,
    form: Form,
}

/// How a term is written.
#[derive(Clone, Copy)]
enum Form {
    /// Decimal, with zeros to at least this width.
    Number {
        width: usize,
    },
    Byte,
}

impl Sequence {
    /// Reads what stands between the braces; `None` if it is no sequence.
    fn parse(text: &[u8]) -> Option<Sequence> {
        let text = std::str::from_utf8(text).ok()?;
        let (first, rest) = text.split_once("..")?;
        let (last, step) = match rest.split_once("..") {
            Some((last, step)) => (last, step.parse().ok()?),
            None => (rest, 1),
        };
        let letter = |term: &str| match term.as_bytes() {
            &[byte] if byte.is_ascii_alphabetic() => Some(i64::from(byte)),
            _ => None,
        };
        if let (Some(first), Some(last)) = (letter(first), letter(last)) {
            return Some(Sequence::new(first, last, step, Form::Byte));
        }
        let is_padded = |term: &str| {
            let digits = term.strip_prefix('-').unwrap_or(term);
            digits.len() > 1 && digits.starts_with('0')
        };
        let width = if is_padded(first) || is_padded(last) {
            first.len().max(last.len())
        } else {
            0
        };
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        Some(Sequence::new(first, last, step, Form::Number { width }))
    }

    fn new(first: i64, last: i64, step: i64, form: Form) -> Sequence {
        // A step of 0 is 1, and its sign is the direction's: both as bash has it.
        let stride = step.unsigned_abs().max(1);
        let count = (first.abs_diff(last) / stride).saturating_add(1);
        let step = if first <= last {
            i128::from(stride)
        } else {
            -i128::from(stride)
        };
        Sequence {
            first,
            step,
            count,
            form,
        }
    }

    fn term(&self, place: u64) -> Vec<u8> {
        let term = i128::from(self.first) + self.step * i128::from(place);
        match self.form {
            Form::Number { width } => format!("{term:0width$}").into_bytes(),
            // Between two letters, so it fits.
            Form::Byte => vec![term as u8],
        }
    }

    fn size(&self) -> Size {
        let longest = self.term(0).len().max(self.term(self.count - 1).len());
        Size {
            words: self.count,
            bytes: self.count.saturating_mul(longest as u64),
        }
    }
}

/// How much an expansion makes; saturating, and for sequences with each term as long as the longest.
#[derive(Clone, Copy)]
struct Size {
    words: u64,
    bytes: u64,
}

impl Size {
    fn of(parts: &[Part<'_>]) -> Size {
        let empty_word = Size { words: 1, bytes: 0 };
        parts.iter().fold(empty_word, |before, part| {
            let part = Size::of_part(part);
            let bytes_before = before.bytes.saturating_mul(part.words);
            let bytes_of_part = part.bytes.saturating_mul(before.words);
            Size {
                words: before.words.saturating_mul(part.words),
                bytes: bytes_before.saturating_add(bytes_of_part),
            }
        })
    }

    fn of_part(part: &Part<'_>) -> Size {
        match part {
            Part::Text(text) => Size {
                words: 1,
                bytes: text.len() as u64,
            },
            Part::Sequence(sequence) => sequence.size(),
            Part::Choice(choices) => {
                let none = Size { words: 0, bytes: 0 };
                choices.iter().fold(none, |before, choice| {
                    let choice = Size::of(choice);
                    Size {
                        words: before.words.saturating_add(choice.words),
                        bytes: before.bytes.saturating_add(choice.bytes),
                    }
                })
            }
        }
    }
}

/// Makes the words; their number and size were found to be within the limits.
fn expand(parts: &[Part<'_>]) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    for part in parts {
        let endings = match part {
            Part::Text(text) => {
                words
                    .iter_mut()
                    .for_each(|word| word.extend_from_slice(text));
                continue;
            }
            Part::Choice(choices) => choices.iter().flat_map(|choice| expand(choice)).collect(),
            Part::Sequence(sequence) => (0..sequence.count)
                .map(|place| sequence.term(place))
                .collect::<Vec<_>>(),
        };
        words = words
            .iter()
            .flat_map(|word| endings.iter().map(|end| [&word[..], end].concat()))
            .collect();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WordLimits = WordLimits {
        words: 1000,
        bytes: 100_000,
    };

    fn text_of(words: &[impl AsRef<[u8]>]) -> String {
        let shown = words.iter().map(|word| {
            let word = std::str::from_utf8(word.as_ref()).unwrap();
            format!("<{word}>")
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Each row: `IFS`, text, what dash and bash make of it (`printf '<%s> ' $text` under `set -f`).
    #[test]
    fn splits_as_dash_and_bash_do() {
        let rows = [
            (" \t\n", "", ""),
            (" \t\n", " \t\n ", ""),
            (" \t\n", "a", "<a>"),
            (" \t\n", " a\tb\n\nc ", "<a> <b> <c>"),
            (" ", "a : b", "<a> <:> <b>"),
            (" ", "a\tb", "<a\tb>"),
            (":", ":", "<>"),
            (":", "::", "<> <>"),
            (":", ":a", "<> <a>"),
            (":", "a:", "<a>"),
            (":", "a::", "<a> <>"),
            (":", "a::b", "<a> <> <b>"),
            (":", "a : b", "<a > < b>"),
            (":", " : : ", "< > < > < >"),
            (":", "a :: b", "<a > <> < b>"),
            (" :", " ", ""),
            (" :", "a : b", "<a> <b>"),
            (" :", " : a", "<> <a>"),
            (" :", "a : ", "<a>"),
            (" :", " : : ", "<> <>"),
            (" :", "a : : b", "<a> <> <b>"),
            (" :", "a :: b", "<a> <> <b>"),
            (" :", "a b:c  d", "<a> <b> <c> <d>"),
            ("xy", "axbyc", "<a> <b> <c>"),
            ("", "", ""),
            ("", " a b ", "< a b >"),
        ];
        for (ifs, text, expected) in rows {
            let fields: Vec<_> = word_split(text.as_bytes(), ifs.as_bytes()).collect();
            assert_eq!(text_of(&fields), expected, "IFS {ifs:?}, text {text:?}");
        }
    }

    #[test]
    fn fields_are_bytes() {
        let fields: Vec<_> = word_split(b"\xff \x80", b"\xff").collect();
        assert_eq!(fields, [&b""[..], b" \x80"]);
    }

    #[test]
    fn tildes_are_cut_at_the_first_slash() {
        let none: &[u8] = b"";
        assert_eq!(tilde_split(b"~"), Some((none, none)));
        assert_eq!(tilde_split(b"~/x/y"), Some((none, &b"/x/y"[..])));
        assert_eq!(tilde_split(b"~user"), Some((&b"user"[..], none)));
        assert_eq!(tilde_split(b"~a b/c"), Some((&b"a b"[..], &b"/c"[..])));
        assert_eq!(tilde_split(b"x~"), None);
        assert_eq!(tilde_split(b""), None);
    }

    #[test]
    fn lines_are_read_into_fields() {
        let read = |text: &str, ifs: &str, count| {
            text_of(&read_fields(text.as_bytes(), ifs.as_bytes(), count))
        };
        assert_eq!(read(" a b  c ", " ", 2), "<a> <b  c>");
        assert_eq!(read("a b", " ", 3), "<a> <b>");
        assert_eq!(read("a:b:c", ":", 2), "<a> <b:c>");
        assert_eq!(read("a:b:", ":", 2), "<a> <b>");
        assert_eq!(read("a::", ":", 1), "<a::>");
        assert_eq!(read(" x ", "", 1), "< x >");
        assert_eq!(read("a b", " ", 0), "");
    }

    /// Each row: a word and what bash 5.2 makes of it; where it drops an empty word, it is shown here.
    #[test]
    fn expands_braces_as_bash_does() {
        let rows = [
            ("", "<>"),
            ("plain", "<plain>"),
            ("{a,b}", "<a> <b>"),
            ("x{a,b}y", "<xay> <xby>"),
            ("{a,b}{1,2}", "<a1> <a2> <b1> <b2>"),
            ("{a,b{1,2},c}", "<a> <b1> <b2> <c>"),
            ("{{1..2},{a..b}}", "<1> <2> <a> <b>"),
            ("x{,}", "<x> <x>"),
            ("{a,}", "<a> <>"),
            ("{1..3}", "<1> <2> <3>"),
            ("{3..1}", "<3> <2> <1>"),
            ("{10..1..3}", "<10> <7> <4> <1>"),
            ("{1..10..4}", "<1> <5> <9>"),
            ("{5..1..2}", "<5> <3> <1>"),
            ("{1..3..0}", "<1> <2> <3>"),
            ("{1..3..-1}", "<1> <2> <3>"),
            ("{1..5..99}", "<1>"),
            ("{-1..1}", "<-1> <0> <1>"),
            ("{+1..3}", "<1> <2> <3>"),
            ("{01..3}", "<01> <02> <03>"),
            ("{1..00}", "<01> <00>"),
            ("{-01..2}", "<-01> <000> <001> <002>"),
            ("{-1..-03}", "<-01> <-02> <-03>"),
            ("{00..010..5}", "<000> <005> <010>"),
            ("{0..-0}", "<0>"),
            ("{a..e}", "<a> <b> <c> <d> <e>"),
            ("{x..z..2}", "<x> <z>"),
            ("{c..a}", "<c> <b> <a>"),
            ("{Y..b}", "<Y> <Z> <[> <\\> <]> <^> <_> <`> <a> <b>"),
            ("{A..C}{1..2}", "<A1> <A2> <B1> <B2> <C1> <C2>"),
            (
                "{9223372036854775806..9223372036854775807}",
                "<9223372036854775806> <9223372036854775807>",
            ),
            ("{1..2..9223372036854775807}", "<1>"),
            // Literal as they stand.
            ("{}", "<{}>"),
            ("{a}", "<{a}>"),
            ("{a,b", "<{a,b>"),
            ("a,b}", "<a,b}>"),
            ("{},a}", "<{},a}>"),
            ("{ a,b }", "<{ a,b }>"),
            ("{a..3}", "<{a..3}>"),
            ("{1..a}", "<{1..a}>"),
            ("{1...3}", "<{1...3}>"),
            ("{1..}", "<{1..}>"),
            ("{..1}", "<{..1}>"),
            ("{a..c..}", "<{a..c..}>"),
            ("{1..2..}", "<{1..2..}>"),
            ("{9223372036854775808..1}", "<{9223372036854775808..1}>"),
            ("{é..ü}", "<{é..ü}>"),
            ("${a,b}", "<${a,b}>"),
            ("${x{a,b}}{1,2}", "<${x{a,b}}1> <${x{a,b}}2>"),
            ("${{a,b}", "<${{a,b}>"),
            ("\\{a,b}", "<\\{a,b}>"),
            ("{a\\,b}", "<{a\\,b}>"),
            ("{a\\,b,c}", "<a\\,b> <c>"),
            // Partly literal.
            ("{{a,b}", "<{a> <{b>"),
            ("}{1..2}", "<}1> <}2>"),
            ("{1..2}{", "<1{> <2{>"),
            ("{a}{b,c}", "<{a}b> <{a}c>"),
            ("{a},b}", "<a}> <b>"),
            ("a{},b}", "<a}> <ab>"),
            ("{a,b}{},c}", "<a{},c}> <b{},c}>"),
            ("{a,{b},c}", "<a> <{b}> <c>"),
            ("{a,${b,c},d}", "<a> <${b,c}> <d>"),
            ("{a..{b,c}}", "<a..b> <a..c>"),
            ("{x{a,b}..y}", "<xa..y> <xb..y>"),
            ("{x{1..2}..y}", "<{x{1..2}..y}>"),
        ];
        for (word, expected) in rows {
            let words = brace_expand(word.as_bytes(), LIMITS).unwrap();
            assert_eq!(text_of(&words), expected, "{word:?}");
        }
    }

    #[test]
    fn expansions_are_refused_before_they_are_made() {
        let refused = |word: &[u8]| brace_expand(word, LIMITS) == Err(TooLarge);
        assert!(refused(b"{1..1000000000}"));
        assert!(refused(b"{-9223372036854775808..9223372036854775807}"));
        assert!(refused(&b"{1,2}".repeat(10_000)));
        assert!(refused(b"{1..1001}"));
        assert!(!refused(b"{1..1000}"));
        // 1000 words of 101 bytes.
        assert!(refused(&[&[b'x'; 98][..], b"{001..1000}"].concat()));
        assert!(refused(&vec![b'x'; LIMITS.bytes + 1]));
        let long = vec![b'x'; MAX_BRACE_TEXT];
        let roomy = WordLimits {
            words: 1,
            bytes: 2 * long.len(),
        };
        let plain = [&long[..], b"}"].concat();
        assert_eq!(brace_expand(&plain, roomy), Ok(vec![plain]));
        let braced = [&long[..], b"{"].concat();
        assert_eq!(brace_expand(&braced, roomy), Err(TooLarge));
    }

    #[test]
    fn hostile_braces_are_read_in_linear_time() {
        let wide = WordLimits {
            words: 10,
            bytes: 1 << 20,
        };
        let text = |unit: &str| unit.repeat(wide.bytes / unit.len()).into_bytes();
        for unit in ["{", "}", "{,", "{}", "${", "{a", "{a}", "..{"] {
            let word = text(unit);
            assert_eq!(brace_expand(&word, wide), Ok(vec![word]), "{unit}");
        }
        let nested = |depth| ["{a,".repeat(depth), "}".repeat(depth)].concat();
        let depth = MAX_BRACE_NEST as usize;
        assert!(brace_expand(nested(depth).as_bytes(), LIMITS).is_ok());
        assert_eq!(
            brace_expand(nested(depth + 1).as_bytes(), LIMITS),
            Err(TooLarge)
        );
    }

    #[test]
    fn any_bytes_are_a_word() {
        let word = b"\xff{\xfe,\x80}\0";
        let words = brace_expand(word, LIMITS).unwrap();
        assert_eq!(words, [b"\xff\xfe\0".to_vec(), b"\xff\x80\0".to_vec()]);
    }
}
