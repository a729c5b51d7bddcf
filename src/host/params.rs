//! What parameter expansion does to a value's bytes: cutting by patterns, replacing, changing case.
//!
//! Plain functions on bytes; whose value it is, and what a missing one means, is the interpreter's affair.
//! Letters are those of ASCII.

use super::TooLarge;
use super::pattern::Pattern;

/// How many steps matching one value may take: bytes of the text times bytes of the pattern.
const MAX_STEPS: usize = 1 << 30;

/// Which end of a value a pattern is cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The beginning.
    Front,
    /// The end.
    Back,
}

/// The value without what matches the pattern at this end: the longest match if `longest`, else the
/// shortest.
pub fn strip<'t>(
    text: &'t [u8],
    pattern: &[u8],
    end: End,
    longest: bool,
) -> Result<&'t [u8], TooLarge> {
    let pattern = compile(text, pattern)?;
    let cut = match (end, longest) {
        (End::Front, false) => pattern.shortest_prefix(text),
        (End::Front, true) => pattern.longest_prefix(text),
        (End::Back, false) => pattern.shortest_suffix(text),
        (End::Back, true) => pattern.longest_suffix(text),
    };
    let cut = cut.unwrap_or(0);
    Ok(match end {
        End::Front => &text[cut..],
        End::Back => &text[..text.len() - cut],
    })
}

/// The value with the first match of the pattern, or all of them, replaced; each is the longest at the
/// first place where one begins. An empty match is none. More than `limit` bytes are `TooLarge`.
pub fn substitute(
    text: &[u8],
    pattern: &[u8],
    replacement: &[u8],
    all: bool,
    limit: u64,
) -> Result<Vec<u8>, TooLarge> {
    let pattern = compile(text, pattern)?;
    let begins = pattern.begins(text);
    let mut result = Vec::new();
    let mut at = 0;
    while let Some(ahead) = begins[at..text.len()].iter().position(|begins| *begins) {
        let start = at + ahead;
        let length = pattern.longest_prefix(&text[start..]).unwrap_or(0);
        if length == 0 {
            // Only the empty match begins here.
            result.extend_from_slice(&text[at..=start]);
            at = start + 1;
        } else {
            result.extend_from_slice(&text[at..start]);
            result.extend_from_slice(replacement);
            at = start + length;
        }
        if result.len() as u64 > limit {
            return Err(TooLarge);
        }
        if !all && length > 0 {
            break;
        }
    }
    result.extend_from_slice(&text[at..]);
    match result.len() as u64 > limit {
        true => Err(TooLarge),
        false => Ok(result),
    }
}

fn compile(text: &[u8], pattern: &[u8]) -> Result<Pattern, TooLarge> {
    match text.len().checked_mul(pattern.len()) {
        Some(steps) if steps <= MAX_STEPS => Pattern::new(pattern),
        _ => Err(TooLarge),
    }
}

/// The value with all letters, or the first byte alone, in upper or lower case.
pub fn change_case(mut text: Vec<u8>, upper: bool, first_only: bool) -> Vec<u8> {
    let end = if first_only {
        text.len().min(1)
    } else {
        text.len()
    };
    match upper {
        true => text[..end].make_ascii_uppercase(),
        false => text[..end].make_ascii_lowercase(),
    }
    text
}

/// The part of `len` things from `offset` on, `count` of them or all: a negative offset counts from the
/// end, a negative count is how many are left out there. `None` where that is nothing.
pub fn slice(len: usize, offset: i64, count: Option<i64>) -> Option<std::ops::Range<usize>> {
    let len = i64::try_from(len).ok()?;
    let start = if offset < 0 {
        len.checked_add(offset)?
    } else {
        offset
    };
    let end = match count {
        None => len,
        Some(count) if count < 0 => len.checked_add(count)?,
        Some(count) => start.saturating_add(count).min(len),
    };
    if start < 0 || start > end {
        return None;
    }
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_cut_from_either_end() {
        let cut = |pattern: &[u8], end, longest| {
            let text = b"a/b/c.d.e".as_slice();
            String::from_utf8(strip(text, pattern, end, longest).unwrap().to_vec()).unwrap()
        };
        assert_eq!(cut(b"*/", End::Front, false), "b/c.d.e");
        assert_eq!(cut(b"*/", End::Front, true), "c.d.e");
        assert_eq!(cut(b".*", End::Back, false), "a/b/c.d");
        assert_eq!(cut(b".*", End::Back, true), "a/b/c");
        assert_eq!(cut(b"x", End::Back, true), "a/b/c.d.e");
    }

    #[test]
    fn matches_are_replaced() {
        let replaced = |text: &str, pattern: &str, by: &str, all| {
            let result = substitute(text.as_bytes(), pattern.as_bytes(), by.as_bytes(), all, 99);
            String::from_utf8(result.unwrap()).unwrap()
        };
        assert_eq!(replaced("aXbXc", "X", "--", false), "a--bXc");
        assert_eq!(replaced("aXbXc", "X", "--", true), "a--b--c");
        assert_eq!(replaced("aaa", "a*", "b", true), "b");
        assert_eq!(replaced("abcabd", "ab[cd]", "", true), "");
        assert_eq!(replaced("abc", "", "x", true), "abc");
        assert_eq!(replaced("abc", "*", "x", true), "x");
        assert_eq!(replaced("", "*", "x", true), "");
        assert_eq!(replaced("xaay", "a?", "_", true), "x_y");
        assert_eq!(substitute(b"aa", b"a", b"123", true, 5), Err(TooLarge));
    }

    #[test]
    fn hostile_patterns_take_bounded_time() {
        let text = vec![b'a'; 100_000];
        let pattern = b"*a*a*a*a*a*a*a*b";
        assert_eq!(
            substitute(&text, pattern, b"", true, 1 << 20),
            Ok(text.clone())
        );
        assert_eq!(
            strip(&text, &b"*a".repeat(9000), End::Back, true),
            Err(TooLarge)
        );
    }

    #[test]
    fn slices_count_from_both_ends() {
        assert_eq!(slice(5, 1, Some(2)), Some(1..3));
        assert_eq!(slice(5, 1, None), Some(1..5));
        assert_eq!(slice(5, -2, None), Some(3..5));
        assert_eq!(slice(5, 1, Some(-1)), Some(1..4));
        assert_eq!(slice(5, 5, None), Some(5..5));
        assert_eq!(slice(5, 3, Some(i64::MAX)), Some(3..5));
        for (offset, count) in [(6, None), (-6, None), (3, Some(-3)), (i64::MIN, None)] {
            assert_eq!(slice(5, offset, count), None, "{offset} {count:?}");
        }
    }

    #[test]
    fn letters_change_case() {
        assert_eq!(change_case(b"aBc".to_vec(), true, false), b"ABC");
        assert_eq!(change_case(b"ABC".to_vec(), false, true), b"aBC");
        assert_eq!(change_case(Vec::new(), true, true), b"");
    }
}
