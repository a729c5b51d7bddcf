//! Shell patterns on bytes: `*`, `?`, bracket expressions, backslash.
//!
//! One pattern matches one string: a component of a path, the word of a `case`, a part of a
//! parameter's value. What a slash or a leading dot means is the caller's affair (the globbing host
//! cuts at slashes first).
//!
//! * `*` is any run of bytes, `?` any one byte, `\x` the byte `x` (a backslash at the end is itself).
//! * `[...]` is one byte of a set: bytes, ranges `a-z`, classes `[:alpha:]`; `!` or `^` first makes it
//!   the others; `]` first is a member, as is `-` first or last. Without its end, `[` is itself; an
//!   unknown class is no class, just bytes; a range that runs backwards has no members.
//!
//! Classes are those of the C locale, as names are bytes in no known encoding.
//!
//! Matching a whole text goes back no further than to the last run, and looking for a part follows all
//! possible places in the pattern at once: for a text of `n` bytes and a pattern of `m`, either takes at
//! most `n * m` steps whatever the pattern is (`*a*a*a*b` included), and about `n` where few runs are open
//! at a time.

use super::TooLarge;

/// The longest pattern that is compiled, in bytes.
pub const PATTERN_LIMIT: usize = 1 << 20;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What stands for exactly one byte each, in order.
    units: Vec<Unit>,
    /// Whether a run (`*`) stands before the unit of that place; one longer than `units`, the last
    /// being the run behind them all.
    runs: Vec<bool>,
    sets: Vec<ByteSet>,
}

/// What stands for one byte.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Byte(u8),
    Any,
    /// By its place in `Pattern::sets`.
    Set(u32),
}

impl Pattern {
    /// Compiles a pattern. Every string is one; only one longer than [`PATTERN_LIMIT`] is refused.
    pub fn new(source: &[u8]) -> Result<Pattern, TooLarge> {
        if source.len() > PATTERN_LIMIT {
            return Err(TooLarge);
        }
        let mut pattern = Pattern {
            units: Vec::new(),
            runs: vec![false],
            sets: Vec::new(),
        };
        let closers = BracketEnds::find(source);
        let mut at = 0;
        while let Some(&byte) = source.get(at) {
            at += 1;
            match byte {
                b'*' => pattern.open_run(),
                b'?' => pattern.push(Unit::Any),
                b'\\' => {
                    pattern.push(Unit::Byte(source.get(at).copied().unwrap_or(b'\\')));
                    at += 1;
                }
                b'[' => match Bracket::at(source, at, &closers) {
                    Some(bracket) => {
                        pattern.push_set(bracket.set(source));
                        at = bracket.end + 1;
                    }
                    None => pattern.push(Unit::Byte(b'[')),
                },
                _ => pattern.push(Unit::Byte(byte)),
            }
        }
        Ok(pattern)
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut place, mut at) = (0, 0);
        // Behind the last run: its place, and where the text behind it was tried to begin. What an
        // earlier run could take more, this one can.
        let mut last_run = None;
        loop {
            if self.runs[place] {
                last_run = Some((place, at));
            }
            let is_at_end = place == self.units.len();
            match text.get(at) {
                None => return is_at_end,
                Some(&byte) if !is_at_end && self.unit_matches(place, byte) => {
                    place += 1;
                    at += 1;
                }
                Some(_) => match last_run {
                    // The run behind all units takes whatever is left.
                    Some((run, _)) if run == self.units.len() => return true,
                    Some((run, begun)) => (place, at) = (run, begun + 1),
                    None => return false,
                },
            }
        }
    }

    /// The length of the shortest beginning of the text that matches.
    pub fn shortest_prefix(&self, text: &[u8]) -> Option<usize> {
        shortest(Walk::forward(self), text.iter())
    }

    /// The length of the longest beginning of the text that matches.
    pub fn longest_prefix(&self, text: &[u8]) -> Option<usize> {
        longest(Walk::forward(self), text.iter())
    }

    /// The length of the shortest end of the text that matches.
    pub fn shortest_suffix(&self, text: &[u8]) -> Option<usize> {
        shortest(Walk::backward(self), text.iter().rev())
    }

    /// The length of the longest end of the text that matches.
    pub fn longest_suffix(&self, text: &[u8]) -> Option<usize> {
        longest(Walk::backward(self), text.iter().rev())
    }

    /// For each place in the text, and its end, whether a match begins there. It takes the steps of one match.
    pub fn begins(&self, text: &[u8]) -> Vec<bool> {
        let mut begins = vec![false; text.len() + 1];
        let mut walk = Walk::backward(self);
        begins[text.len()] = walk.is_complete();
        for (place, &byte) in text.iter().enumerate().rev() {
            // A match may end behind any byte.
            if walk.places.first() != Some(&0) {
                walk.places.insert(0, 0);
            }
            walk.step(byte);
            begins[place] = walk.is_complete() || self.units.is_empty();
        }
        begins
    }

    /// The one text that matches, if the pattern has nothing special: its backslashes are resolved.
    pub fn literal(&self) -> Option<Vec<u8>> {
        if self.runs.contains(&true) {
            return None;
        }
        let byte_of = |unit: &Unit| match unit {
            Unit::Byte(byte) => Some(*byte),
            Unit::Any | Unit::Set(_) => None,
        };
        self.units.iter().map(byte_of).collect()
    }

    /// Whether only texts that begin with this very byte can match, as the pattern spells it out.
    pub fn begins_with(&self, byte: u8) -> bool {
        !self.runs[0] && matches!(self.units.first(), Some(Unit::Byte(first)) if *first == byte)
    }

    fn push(&mut self, unit: Unit) {
        self.units.push(unit);
        self.runs.push(false);
    }

    fn push_set(&mut self, set: ByteSet) {
        let place = self.sets.len();
        self.sets.push(set);
        // `PATTERN_LIMIT` bounds the number of sets far below `u32::MAX`.
        self.push(Unit::Set(place as u32));
    }

    fn open_run(&mut self) {
        let here = self.units.len();
        self.runs[here] = true;
    }

    fn unit_matches(&self, unit: usize, byte: u8) -> bool {
        match self.units[unit] {
            Unit::Byte(wanted) => wanted == byte,
            Unit::Any => true,
            Unit::Set(place) => self.sets[place as usize].contains(byte),
        }
    }
}

fn shortest<'t>(walk: Walk<'_>, text: impl Iterator<Item = &'t u8>) -> Option<usize> {
    let mut found = None;
    walk.run(text, |length| {
        found = Some(length);
        false
    });
    found
}

fn longest<'t>(walk: Walk<'_>, text: impl Iterator<Item = &'t u8>) -> Option<usize> {
    let mut found = None;
    walk.run(text, |length| {
        found = Some(length);
        true
    });
    found
}

/// The places in a pattern where a match in progress can stand: place `p` has matched `p` units.
struct Walk<'p> {
    pattern: &'p Pattern,
    backward: bool,
    /// Ascending, each once.
    places: Vec<usize>,
    next: Vec<usize>,
}

impl<'p> Walk<'p> {
    fn forward(pattern: &'p Pattern) -> Self {
        Walk {
            pattern,
            backward: false,
            places: vec![0],
            next: Vec::new(),
        }
    }

    fn backward(pattern: &'p Pattern) -> Self {
        Walk {
            backward: true,
            ..Walk::forward(pattern)
        }
    }

    /// Feeds the text; calls `accept` with each length at which the whole pattern has matched, until
    /// it says `false`, the text ends, or nothing can match any more.
    fn run<'t>(
        mut self,
        text: impl Iterator<Item = &'t u8>,
        mut accept: impl FnMut(usize) -> bool,
    ) {
        let mut length = 0;
        if self.is_complete() && !accept(length) {
            return;
        }
        for &byte in text {
            self.step(byte);
            if self.places.is_empty() {
                return;
            }
            length += 1;
            if self.is_complete() && !accept(length) {
                return;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.places.last() == Some(&self.pattern.units.len())
    }

    fn step(&mut self, byte: u8) {
        let count = self.pattern.units.len();
        self.next.clear();
        for &place in &self.places {
            let (run, unit) = if self.backward {
                (count - place, count.wrapping_sub(place + 1))
            } else {
                (place, place)
            };
            // The place before may have advanced to this one already.
            if self.pattern.runs[run] && self.next.last() != Some(&place) {
                self.next.push(place);
            }
            if place < count && self.pattern.unit_matches(unit, byte) {
                self.next.push(place + 1);
            }
        }
        std::mem::swap(&mut self.places, &mut self.next);
    }
}

/// A set of bytes, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// The set of these bytes.
    pub(super) const fn of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet([0; 4]);
        let mut at = 0;
        while at < bytes.len() {
            set.insert(bytes[at]);
            at += 1;
        }
        set
    }

    const fn insert(&mut self, byte: u8) {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
    }

    /// What is in both.
    pub(super) fn common(self, other: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    fn complement(self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }
}

/// A bracket expression whose end is known.
struct Bracket {
    negated: bool,
    /// The first member, and the closing bracket.
    start: usize,
    end: usize,
}

impl Bracket {
    /// The bracket expression whose opening bracket stands right before `at`, if it has an end.
    fn at(source: &[u8], at: usize, closers: &BracketEnds) -> Option<Bracket> {
        let negated = matches!(source.get(at), Some(b'!' | b'^'));
        let start = at + usize::from(negated);
        let scan_from = start + usize::from(source.get(start) == Some(&b']'));
        let end = closers.from(scan_from)?;
        Some(Bracket {
            negated,
            start,
            end,
        })
    }

    fn set(&self, source: &[u8]) -> ByteSet {
        let source = &source[..self.end];
        let mut set = ByteSet::default();
        let mut at = self.start;
        while at < source.len() {
            if let Some((class, length)) = Class::at(source, at) {
                (0..=u8::MAX)
                    .filter(|&byte| class.contains(byte))
                    .for_each(|byte| set.insert(byte));
                at += length;
                continue;
            }
            let (low, behind) = member(source, at);
            at = behind;
            let high_at = at + 1;
            let is_range = source.get(at) == Some(&b'-')
                && high_at < source.len()
                && Class::at(source, high_at).is_none();
            if is_range {
                let (high, behind) = member(source, high_at);
                (low..=high).for_each(|byte| set.insert(byte));
                at = behind;
            } else {
                set.insert(low);
            }
        }
        if self.negated { set.complement() } else { set }
    }
}

/// The byte that a member of a bracket expression stands for, and the place behind it.
fn member(source: &[u8], at: usize) -> (u8, usize) {
    match (source[at], source.get(at + 1)) {
        (b'\\', Some(&escaped)) => (escaped, at + 2),
        (byte, _) => (byte, at + 1),
    }
}

/// For each place within a bracket expression, where the expression closes.
///
/// Found in one pass from the right, as looking from each `[` anew would be quadratic.
struct BracketEnds(Vec<usize>);

impl BracketEnds {
    const NONE: usize = usize::MAX;

    fn find(source: &[u8]) -> BracketEnds {
        if !source.contains(&b'[') {
            return BracketEnds(Vec::new());
        }
        let mut ends = BracketEnds(vec![Self::NONE; source.len()]);
        for at in (0..source.len()).rev() {
            let behind = match source[at] {
                b']' => {
                    ends.0[at] = at;
                    continue;
                }
                b'\\' => at + 2,
                b'[' => at + Class::at(source, at).map_or(1, |(_, length)| length),
                _ => at + 1,
            };
            ends.0[at] = ends.from(behind).unwrap_or(Self::NONE);
        }
        ends
    }

    fn from(&self, at: usize) -> Option<usize> {
        self.0.get(at).copied().filter(|&end| end != Self::NONE)
    }
}

/// A named class of bytes.
#[derive(Clone, Copy)]
enum Class {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Xdigit,
}

impl Class {
    const NAMES: [(&'static [u8], Class); 12] = [
        (b"[:alnum:]", Class::Alnum),
        (b"[:alpha:]", Class::Alpha),
        (b"[:blank:]", Class::Blank),
        (b"[:cntrl:]", Class::Cntrl),
        (b"[:digit:]", Class::Digit),
        (b"[:graph:]", Class::Graph),
        (b"[:lower:]", Class::Lower),
        (b"[:print:]", Class::Print),
        (b"[:punct:]", Class::Punct),
        (b"[:space:]", Class::Space),
        (b"[:upper:]", Class::Upper),
        (b"[:xdigit:]", Class::Xdigit),
    ];

    /// The class spelled out at a place, and the length of its spelling.
    fn at(source: &[u8], at: usize) -> Option<(Class, usize)> {
        let rest = source.get(at..)?;
        if !rest.starts_with(b"[:") {
            return None;
        }
        Class::NAMES
            .iter()
            .find(|(spelling, _)| rest.starts_with(spelling))
            .map(|&(spelling, class)| (class, spelling.len()))
    }

    fn contains(self, byte: u8) -> bool {
        match self {
            Class::Alnum => byte.is_ascii_alphanumeric(),
            Class::Alpha => byte.is_ascii_alphabetic(),
            Class::Blank => matches!(byte, b' ' | b'\t'),
            Class::Cntrl => byte.is_ascii_control(),
            Class::Digit => byte.is_ascii_digit(),
            Class::Graph => byte.is_ascii_graphic(),
            Class::Lower => byte.is_ascii_lowercase(),
            Class::Print => byte.is_ascii_graphic() || byte == b' ',
            Class::Punct => byte.is_ascii_punctuation(),
            // `is_ascii_whitespace` lacks the vertical tab, byte 11.
            Class::Space => matches!(byte, b' ' | b'\t'..=b'\r'),
            Class::Upper => byte.is_ascii_uppercase(),
            Class::Xdigit => byte.is_ascii_hexdigit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern.as_bytes())
            .unwrap()
            .matches(text.as_bytes())
    }

    /// Each row: a pattern, texts that match, texts that don't; as dash's and bash's `case` has it.
    #[test]
    fn matches_as_case_does() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("", &[""], &["a"]),
            ("abc", &["abc"], &["ab", "abcd", "Abc"]),
            ("*", &["", "a", ".x", "a/b"], &[]),
            ("?", &["a", "*"], &["", "ab"]),
            ("a*", &["a", "ab", "a*"], &["", "ba"]),
            ("*a", &["a", "ba", "aa"], &["", "ab"]),
            ("*a*b", &["ab", "aab", "xaxb", "abab"], &["ba", "a", "b"]),
            ("**", &["", "ab"], &[]),
            ("a?*c", &["abc", "abbc", "acc"], &["ac", "ab"]),
            ("\\*", &["*"], &["a", "\\*"]),
            ("a\\", &["a\\"], &["a"]),
            ("\\a\\?", &["a?"], &["ab"]),
            ("[abc]", &["a", "b", "c"], &["d", "", "ab"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "-x"]),
            ("[!a-c]", &["d", "-"], &["a", "b", ""]),
            ("[^a-c]", &["d", "^"], &["a"]),
            ("[]]", &["]"], &["["]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[!]a]", &["b"], &["]", "a"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            ("[z-a]", &[], &["a", "z", "-", "m"]),
            ("[a\\]b]", &["a", "]", "b"], &["\\"]),
            ("[\\a-\\c]", &["a", "b", "c"], &["\\", "-"]),
            ("[a", &["[a"], &["a"]),
            ("[", &["["], &[""]),
            ("[]", &["[]"], &["]"]),
            ("[!]", &["[!]"], &["a"]),
            ("[a*b", &["[ab", "[axb"], &["ab"]),
            (
                "[[:digit:][:upper:]_]",
                &["0", "A", "_"],
                &["a", ":", "[", "]"],
            ),
            ("[![:space:]]", &["a"], &[" ", "\t", "\u{b}"]),
            ("[[:foo:]d]", &["fd]", ":d]"], &["d"]),
            ("[[:alpha:]", &["[:", "[a", "[l"], &["a"]),
            ("[a-[:digit:]]", &["a", "-", "7"], &["b"]),
            ("[[]", &["["], &["]"]),
            ("[a-c-e]", &["a", "b", "c", "-", "e"], &["d"]),
            ("x[", &["x["], &["x"]),
        ];
        for (pattern, hits, misses) in rows {
            for text in *hits {
                assert!(matches(pattern, text), "{pattern:?} should match {text:?}");
            }
            for text in *misses {
                assert!(!matches(pattern, text), "{pattern:?} matches {text:?}");
            }
        }
    }

    /// The meaning of `*` and `?` as one would define it, one way at a time.
    fn matches_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((b'*', rest)), _) => {
                (0..=text.len()).any(|taken| matches_by_definition(rest, &text[taken..]))
            }
            (Some((b'?', rest)), Some((_, text))) => matches_by_definition(rest, text),
            (Some((byte, rest)), Some((first, text))) => {
                byte == first && matches_by_definition(rest, text)
            }
            (Some(_), None) => false,
        }
    }

    /// Every string of up to `length` of the letters.
    fn strings(letters: &[u8], length: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..length {
            let shorter = from..all.len();
            from = all.len();
            for place in shorter {
                for letter in letters {
                    all.push([&all[place][..], &[*letter]].concat());
                }
            }
        }
        all
    }

    #[test]
    fn every_short_pattern_means_what_the_definition_says() {
        let texts = strings(b"ab", 4);
        for source in strings(b"ab*?", 4) {
            let pattern = Pattern::new(&source).unwrap();
            for text in &texts {
                let cuts = 0..=text.len();
                let matching = |cut: &usize| matches_by_definition(&source, &text[..*cut]);
                let ending = |cut: &usize| matches_by_definition(&source, &text[*cut..]);
                let from_end = |cut: usize| text.len() - cut;
                assert_eq!(pattern.matches(text), matches_by_definition(&source, text));
                assert_eq!(pattern.shortest_prefix(text), cuts.clone().find(matching));
                assert_eq!(
                    pattern.longest_prefix(text),
                    cuts.clone().rev().find(matching)
                );
                assert_eq!(
                    pattern.shortest_suffix(text),
                    cuts.clone().rev().find(ending).map(from_end)
                );
                assert_eq!(
                    pattern.longest_suffix(text),
                    cuts.clone().find(ending).map(from_end)
                );
            }
        }
    }

    #[test]
    fn classes_are_those_of_the_c_locale() {
        let counts = [
            ("alnum", 62),
            ("alpha", 52),
            ("blank", 2),
            ("cntrl", 33),
            ("digit", 10),
            ("graph", 94),
            ("lower", 26),
            ("print", 95),
            ("punct", 32),
            ("space", 6),
            ("upper", 26),
            ("xdigit", 22),
        ];
        for (name, count) in counts {
            let pattern = Pattern::new(format!("[[:{name}:]]").as_bytes()).unwrap();
            let members = (0..=u8::MAX).filter(|&byte| pattern.matches(&[byte]));
            assert_eq!(members.count(), count, "[:{name}:]");
        }
    }

    #[test]
    fn bytes_need_no_encoding() {
        let any = Pattern::new(b"\xff?[\x80-\xc0]").unwrap();
        assert!(any.matches(b"\xff\x00\x90"));
        assert!(!any.matches(b"\xff\x00\xd0"));
    }

    /// What `${x#pattern}`, `##`, `%` and `%%` cut off.
    #[test]
    fn prefixes_and_suffixes() {
        let rows: &[(&str, &str, [Option<usize>; 4])] = &[
            ("*/", "a/b/c", [Some(2), Some(4), None, None]),
            (".*", "a.tar.gz", [None, None, Some(3), Some(7)]),
            ("*", "abc", [Some(0), Some(3), Some(0), Some(3)]),
            ("?", "abc", [Some(1), Some(1), Some(1), Some(1)]),
            ("a*c", "abcabc", [Some(3), Some(6), Some(3), Some(6)]),
            ("", "abc", [Some(0), Some(0), Some(0), Some(0)]),
            ("[a-b][b-c]", "abc", [Some(2), Some(2), Some(2), Some(2)]),
            ("x", "abc", [None, None, None, None]),
        ];
        for &(source, text, expected) in rows {
            let pattern = Pattern::new(source.as_bytes()).unwrap();
            let text = text.as_bytes();
            let found = [
                pattern.shortest_prefix(text),
                pattern.longest_prefix(text),
                pattern.shortest_suffix(text),
                pattern.longest_suffix(text),
            ];
            assert_eq!(found, expected, "{source:?}");
        }
    }

    #[test]
    fn literals_and_first_bytes() {
        let of = |source: &[u8]| Pattern::new(source).unwrap();
        assert_eq!(of(b"a\\*b").literal(), Some(b"a*b".to_vec()));
        assert_eq!(of(b"[a").literal(), Some(b"[a".to_vec()));
        assert_eq!(of(b"[a]").literal(), None);
        assert_eq!(of(b"a*").literal(), None);
        assert!(of(b".x").begins_with(b'.') && of(b"\\.x").begins_with(b'.'));
        assert!(!of(b"[.]x").begins_with(b'.') && !of(b"*.x").begins_with(b'.'));
        assert!(!of(b"").begins_with(b'.'));
    }

    #[test]
    fn hostile_patterns_take_linear_room_and_bounded_time() {
        let runs = Pattern::new(&b"*a".repeat(200)).unwrap();
        assert!(!runs.matches(&b"a".repeat(199)));
        assert!(runs.matches(&b"a".repeat(200)));
        assert!(!runs.matches(&[b"a".repeat(5000), b"b".to_vec()].concat()));
        for unit in [&b"["[..], b"[[:alpha:]", b"[a\\]", b"[!", b"[]"] {
            let source = unit.repeat(PATTERN_LIMIT / unit.len());
            assert!(!Pattern::new(&source).unwrap().matches(b"x"));
        }
        assert!(Pattern::new(&vec![b'a'; PATTERN_LIMIT + 1]).is_err());
    }
}
