//! The conditions of `test`.

use fusevm::host::{FileTest, HostError};
use fusevm::value::Str;

/// Whether a condition of at most so many words holds; longer ones nest no deeper.
const MAX_WORDS: usize = 255;

/// Asks about a file.
type AskFile<'a> = dyn FnMut(FileTest, &[u8]) -> Result<bool, HostError> + 'a;

/// Whether the condition that the words spell holds.
///
/// # Errors
/// What is wrong with it.
pub(super) fn evaluate(words: &[Str], file: &mut AskFile<'_>) -> Result<bool, String> {
    let words = &words[..words.len().min(MAX_WORDS)];
    // As `[` it has an end.
    let words = match words.split_last() {
        Some((last, words)) if last.as_bytes() == b"]" => words,
        _ => words,
    };
    match words {
        [] => Ok(false),
        // What POSIX says of few words goes before all operators.
        [word] => Ok(!word.is_empty()),
        [not, word] if not.as_bytes() == b"!" => Ok(word.is_empty()),
        _ => {
            let mut parser = Parser { words, at: 0, file };
            let holds = parser.any()?;
            match parser.words.get(parser.at) {
                None => Ok(holds),
                Some(word) => Err(format!("{word}: unexpected")),
            }
        }
    }
}

struct Parser<'w, 'f> {
    words: &'w [Str],
    at: usize,
    file: &'f mut AskFile<'f>,
}

impl<'w> Parser<'w, '_> {
    fn word(&self, at: usize) -> Option<&'w [u8]> {
        self.words.get(at).map(Str::as_bytes)
    }

    fn takes(&mut self, word: &[u8]) -> bool {
        let is_it = self.word(self.at) == Some(word);
        self.at += usize::from(is_it);
        is_it
    }

    /// Conditions with `-o` between them.
    fn any(&mut self) -> Result<bool, String> {
        let mut holds = self.all()?;
        while self.takes(b"-o") {
            holds |= self.all()?;
        }
        Ok(holds)
    }

    /// Conditions with `-a` between them.
    fn all(&mut self) -> Result<bool, String> {
        let mut holds = self.one()?;
        while self.takes(b"-a") {
            holds &= self.one()?;
        }
        Ok(holds)
    }

    fn one(&mut self) -> Result<bool, String> {
        let mut is_negated = false;
        while self.words.len() > self.at + 1 && self.takes(b"!") {
            is_negated = !is_negated;
        }
        Ok(self.primary()? != is_negated)
    }

    fn primary(&mut self) -> Result<bool, String> {
        let Some(first) = self.word(self.at) else {
            return Err("an argument is missing".to_owned());
        };
        if let (Some(operator), Some(second)) = (self.word(self.at + 1), self.word(self.at + 2))
            && let Some(holds) = binary(first, operator, second)?
        {
            self.at += 3;
            return Ok(holds);
        }
        self.at += 1;
        let Some(operand) = self.word(self.at) else {
            return Ok(!first.is_empty());
        };
        if first == b"(" {
            let holds = self.any()?;
            return match self.takes(b")") {
                true => Ok(holds),
                false => Err("a closing parenthesis is missing".to_owned()),
            };
        }
        let test = match first {
            b"-n" => None,
            b"-z" => None,
            b"-f" => Some(FileTest::File),
            b"-d" => Some(FileTest::Directory),
            b"-r" => Some(FileTest::Readable),
            b"-w" => Some(FileTest::Writable),
            b"-x" => Some(FileTest::Executable),
            b"-e" => Some(FileTest::Exists),
            b"-s" => Some(FileTest::NotEmpty),
            b"-h" | b"-L" => Some(FileTest::Symlink),
            b"-S" => Some(FileTest::Socket),
            b"-p" => Some(FileTest::Fifo),
            b"-b" => Some(FileTest::BlockDevice),
            b"-c" => Some(FileTest::CharDevice),
            word => return Ok(!word.is_empty()),
        };
        self.at += 1;
        match test {
            Some(test) => (self.file)(test, operand).map_err(|error| error.to_string()),
            None => Ok(operand.is_empty() == (first == b"-z")),
        }
    }
}

/// A comparison, if `operator` is one.
fn binary(a: &[u8], operator: &[u8], b: &[u8]) -> Result<Option<bool>, String> {
    let holds = match operator {
        b"=" => a == b,
        b"!=" => a != b,
        b"-eq" => number(a)? == number(b)?,
        b"-ne" => number(a)? != number(b)?,
        b"-lt" => number(a)? < number(b)?,
        b"-le" => number(a)? <= number(b)?,
        b"-gt" => number(a)? > number(b)?,
        b"-ge" => number(a)? >= number(b)?,
        _ => return Ok(None),
    };
    Ok(Some(holds))
}

fn number(word: &[u8]) -> Result<i64, String> {
    let text = std::str::from_utf8(word.trim_ascii()).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let text = String::from_utf8_lossy(word);
        format!("{text}: a number is expected")
    })
}

#[cfg(test)]
mod tests {
    use super::Str;

    fn test(text: &str) -> Result<bool, String> {
        let words: Vec<_> = text.split(' ').map(Str::from).collect();
        super::evaluate(&words, &mut |_, path| Ok(path == b"there"))
    }

    #[test]
    fn conditions_hold_as_in_a_shell() {
        for holds in [
            "x",
            "a = a",
            "! a = b",
            "-n x",
            "2 -lt 10",
            "-f there",
            "a = b -o c = c",
            "( a = a )",
            "-f",
        ] {
            assert_eq!(test(holds), Ok(true), "{holds}");
        }
        for fails in [
            "",
            "a = b",
            "-z x",
            "! x",
            "-e nowhere",
            "a = a -a b = c",
            "1 -ge 2 ]",
        ] {
            assert_eq!(test(fails), Ok(false), "{fails}");
        }
        for wrong in ["a -eq 1", "( a = a", "a b c"] {
            assert!(test(wrong).is_err(), "{wrong}");
        }
    }
}
