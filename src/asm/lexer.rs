//! The lexer: a line of text to tokens with their places. What the tokens mean is not here.

use super::error::{Complaint, Span};
use crate::code::Code;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A mnemonic, name or keyword; its text is that of the span.
    Word,
    /// `.name`; the span includes the dot.
    Directive,
    /// A whole number of any operand's range.
    Int(i128),
    /// A number with a point or an exponent, or `-inf`.
    Float(f64),
    /// A string without its quotes and escapes.
    Str(Vec<u8>),
    /// `#n`, an index of a table.
    Index(u64),
    /// `@n`, an index of an op.
    At(u64),
    /// One of `: , [ ] { } ( )`.
    Punct(u8),
}

/// Whether a word begins with the byte.
pub(super) fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Whether a word goes on with the byte.
pub(super) fn continues_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// Reads the lines of a text one after the other.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Lexer { text, at }
    }

    /// Replaces `tokens` by those of the next line and gives the place of the line's end; `None`
    /// behind the last line.
    ///
    /// # Errors
    /// What is wrong with the line; the next call goes on with the line behind it.
    pub(super) fn next_line(&mut self, tokens: &mut Vec<Token>) -> Option<Result<Span, Complaint>> {
        tokens.clear();
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let length = rest.iter().position(|b| *b == b'\n');
        let end = start + length.unwrap_or(rest.len());
        self.at = end + 1;
        let line = &self.text[..end];
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut scanner = Scanner { line, at: start };
        Some(scanner.tokens(tokens).map(|()| Span::new(end, end)))
    }
}

/// Reads one line: `line` is the text up to the line's end.
struct Scanner<'t> {
    line: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn tokens(&mut self, tokens: &mut Vec<Token>) -> Result<(), Complaint> {
        while let Some(byte) = self.peek() {
            let start = self.at;
            let kind = match byte {
                b' ' | b'\t' => {
                    self.at += 1;
                    continue;
                }
                b';' => return self.comment(),
                b'"' => self.string()?,
                b':' | b',' | b'[' | b']' | b'{' | b'}' | b'(' | b')' => {
                    self.at += 1;
                    TokenKind::Punct(byte)
                }
                b'#' => TokenKind::Index(self.index()?),
                b'@' => TokenKind::At(self.index()?),
                b'.' if self.line[start + 1..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    self.at += 1;
                    self.skip(continues_word);
                    TokenKind::Directive
                }
                b'-' => self.negative()?,
                _ if byte.is_ascii_digit() => self.number()?,
                _ if starts_word(byte) => {
                    self.skip(continues_word);
                    TokenKind::Word
                }
                _ => return Err(self.bad_character()),
            };
            let span = Span::new(start, self.at);
            tokens.push(Token { kind, span });
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
    }

    /// The complaint about the character at hand.
    fn bad_character(&self) -> Complaint {
        let c = self.line[self.at..].chars().next().unwrap_or('\0');
        let span = Span::new(self.at, self.at + c.len_utf8());
        let message = format!("the character {c:?} doesn't belong here");
        Complaint::new(Code::BadCharacter, span, message)
    }

    /// Skips to the end of the line; a comment must not hide control characters.
    fn comment(&mut self) -> Result<(), Complaint> {
        let hidden = |c: char| c.is_ascii_control() && c != '\t';
        match self.line[self.at..].find(hidden) {
            Some(offset) => {
                self.at += offset;
                Err(self.bad_character())
            }
            None => {
                self.at = self.line.len();
                Ok(())
            }
        }
    }

    /// A string from its opening quote.
    fn string(&mut self) -> Result<TokenKind, Complaint> {
        let open = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let start = self.at;
            self.skip(|b| !matches!(b, b'"' | b'\\') && (b >= b' ' || b == b'\t') && b != 0x7f);
            bytes.extend_from_slice(&self.line.as_bytes()[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(TokenKind::Str(bytes));
                }
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(_) => return Err(self.bad_character()),
                None => {
                    let span = Span::new(open, self.line.len());
                    let message = "the string has no end on this line";
                    return Err(Complaint::new(Code::UnclosedString, span, message));
                }
            }
        }
    }

    /// An escape from its backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Complaint> {
        let start = self.at;
        let rest = &self.line[start + 1..];
        let Some(c) = rest.chars().next() else {
            let span = Span::new(start, start + 1);
            let message = "the string has no end on this line";
            return Err(Complaint::new(Code::UnclosedString, span, message));
        };
        self.at += 1 + c.len_utf8();
        match c {
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            '0' => bytes.push(0),
            'e' => bytes.push(0x1b),
            '\\' | '"' => bytes.push(c as u8),
            'x' => bytes.push(self.hex_escape(start)?),
            'u' => {
                let c = self.unicode_escape(start)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(self.bad_escape(start)),
        }
        Ok(())
    }

    fn bad_escape(&self, start: usize) -> Complaint {
        let escape = &self.line[start..self.at];
        let message = format!("no such escape: {escape}");
        Complaint::new(Code::BadEscape, Span::new(start, self.at), message)
    }

    /// The two digits of `\xHH`.
    fn hex_escape(&mut self, start: usize) -> Result<u8, Complaint> {
        let digits = self.line.as_bytes().get(self.at..self.at + 2);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if digits.is_none() {
            return Err(self.bad_escape(start));
        }
        let digits = &self.line[self.at..self.at + 2];
        self.at += 2;
        u8::from_str_radix(digits, 16).map_err(|_| self.bad_escape(start))
    }

    /// The braces of `\u{H}`, one to six digits.
    fn unicode_escape(&mut self, start: usize) -> Result<char, Complaint> {
        let digits_at = self.at + 1;
        if self.peek() != Some(b'{') {
            return Err(self.bad_escape(start));
        }
        self.at += 1;
        self.skip(|b| b.is_ascii_hexdigit());
        let digits = &self.line[digits_at..self.at];
        let closed = self.peek() == Some(b'}');
        self.at += usize::from(closed);
        let number = match digits.len() {
            1..=6 if closed => u32::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        let c = number.and_then(char::from_u32);
        c.ok_or_else(|| self.bad_escape(start))
    }

    /// The number behind `#` or `@`.
    fn index(&mut self) -> Result<u64, Complaint> {
        let start = self.at;
        self.at += 1;
        self.skip(continues_word);
        let digits = &self.line[start + 1..self.at];
        let number = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let number = number.and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| self.bad_number(start))
    }

    fn bad_number(&self, start: usize) -> Complaint {
        let span = Span::new(start, self.at);
        let message = format!("`{}` is no number", quote(&self.line[start..self.at]));
        Complaint::new(Code::BadNumber, span, message)
    }

    /// A number, or `-inf`, from its sign.
    fn negative(&mut self) -> Result<TokenKind, Complaint> {
        let start = self.at;
        match self.line.as_bytes().get(start + 1) {
            Some(byte) if byte.is_ascii_digit() => self.number(),
            Some(byte) if starts_word(*byte) => {
                self.at += 1;
                self.skip(continues_word);
                match &self.line[start..self.at] {
                    "-inf" => Ok(TokenKind::Float(f64::NEG_INFINITY)),
                    _ => Err(self.bad_number(start)),
                }
            }
            _ => Err(self.bad_character()),
        }
    }

    /// A number from its sign or first digit.
    fn number(&mut self) -> Result<TokenKind, Complaint> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let hex = self.line[self.at..].starts_with("0x");
        loop {
            self.skip(continues_word);
            let exponent = !hex && self.line[..self.at].ends_with(['e', 'E']);
            if !(exponent && matches!(self.peek(), Some(b'+' | b'-'))) {
                break;
            }
            self.at += 1;
        }
        let digits = &self.line[start + usize::from(negative)..self.at];
        let kind = match digits.strip_prefix("0x") {
            Some(digits) => whole(digits, 16, negative),
            None if digits.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
                fraction(digits, negative)
            }
            None => whole(digits, 10, negative),
        };
        kind.ok_or_else(|| self.bad_number(start))
    }
}

/// `text` as it may stand in a message: its beginning.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The digits without their underscores, each of which stands between two digits.
fn plain_digits(digits: &str, radix: u32) -> Option<String> {
    let mut plain = String::with_capacity(digits.len());
    for part in digits.split('_') {
        if part.is_empty() || !part.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        plain.push_str(part);
    }
    Some(plain)
}

fn whole(digits: &str, radix: u32, negative: bool) -> Option<TokenKind> {
    let number = i128::from_str_radix(&plain_digits(digits, radix)?, radix).ok()?;
    let number = if negative { -number } else { number };
    let fits = i128::from(i64::MIN)..=i128::from(u64::MAX);
    fits.contains(&number).then_some(TokenKind::Int(number))
}

/// A finite float: digits, then a point with digits, an exponent, or both.
fn fraction(text: &str, negative: bool) -> Option<TokenKind> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mut plain = match mantissa.split_once('.') {
        Some((whole, part)) => format!("{}.{}", plain_digits(whole, 10)?, plain_digits(part, 10)?),
        None => plain_digits(mantissa, 10)?,
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let sign = if exponent.starts_with('-') { "-" } else { "" };
        plain.push('e');
        plain.push_str(sign);
        plain.push_str(&plain_digits(digits, 10)?);
    }
    let number: f64 = plain.parse().ok()?;
    let number = if negative { -number } else { number };
    number.is_finite().then_some(TokenKind::Float(number))
}
