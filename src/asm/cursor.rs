//! The tokens of one line, taken one by one, with complaints that say what was expected.

use super::error::{Complaint, Span};
use super::lexer::{Token, TokenKind, quote};
use crate::code::Code;
use std::ops::RangeInclusive;

/// The rest of a line's tokens.
pub(super) struct Cursor<'a, 't> {
    text: &'t str,
    tokens: &'a [Token],
    /// The place of the line's end, where what is missing is missed.
    end: Span,
}

impl<'a, 't> Cursor<'a, 't> {
    pub(super) fn new(text: &'t str, tokens: &'a [Token], end: Span) -> Cursor<'a, 't> {
        Cursor { text, tokens, end }
    }

    pub(super) fn text(&self, span: Span) -> &'t str {
        &self.text[span.start..span.end]
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    /// Takes the next token, `expected` being what should stand there.
    pub(super) fn next(&mut self, expected: &str) -> Result<&'a Token, Complaint> {
        let missing = || {
            let message = format!("expected {expected}, found the end of the line");
            Complaint::new(Code::MissingOperand, self.end, message)
        };
        let (first, rest) = self.tokens.split_first().ok_or_else(missing)?;
        self.tokens = rest;
        Ok(first)
    }

    /// Whether the next token is this one, which is then taken.
    pub(super) fn take_punct(&mut self, punct: u8) -> bool {
        self.take_if(|token, _| token.kind == TokenKind::Punct(punct))
    }

    /// Whether the next token is this word, which is then taken.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.take_if(|token, text| token.kind == TokenKind::Word && text == word)
    }

    fn take_if(&mut self, wanted: impl Fn(&Token, &str) -> bool) -> bool {
        let found = self
            .tokens
            .first()
            .is_some_and(|token| wanted(token, self.text(token.span)));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    /// Whether a label's name and colon stand next; then takes both and gives the name's place.
    pub(super) fn take_label(&mut self) -> Option<Span> {
        match self.tokens {
            [name, colon, rest @ ..]
                if name.kind == TokenKind::Word && colon.kind == TokenKind::Punct(b':') =>
            {
                self.tokens = rest;
                Some(name.span)
            }
            _ => None,
        }
    }

    pub(super) fn expect_punct(&mut self, punct: u8) -> Result<(), Complaint> {
        let expected = format!("`{}`", char::from(punct));
        let token = self.next(&expected)?;
        match token.kind {
            TokenKind::Punct(found) if found == punct => Ok(()),
            _ => Err(self.wrong(token, &expected)),
        }
    }

    /// A bare word and its place.
    pub(super) fn word(&mut self, expected: &str) -> Result<(&'t str, Span), Complaint> {
        let token = self.next(expected)?;
        match token.kind {
            TokenKind::Word => Ok((self.text(token.span), token.span)),
            _ => Err(self.wrong(token, expected)),
        }
    }

    /// A word or string as bytes.
    pub(super) fn bytes(&mut self, expected: &str) -> Result<(Vec<u8>, Span), Complaint> {
        let token = self.next(expected)?;
        match &token.kind {
            TokenKind::Word => Ok((self.text(token.span).as_bytes().to_vec(), token.span)),
            TokenKind::Str(bytes) => Ok((bytes.clone(), token.span)),
            _ => Err(self.wrong(token, expected)),
        }
    }

    /// A word or string as text.
    pub(super) fn name(&mut self, expected: &str) -> Result<(String, Span), Complaint> {
        let (bytes, span) = self.bytes(expected)?;
        match String::from_utf8(bytes) {
            Ok(name) => Ok((name, span)),
            Err(_) => {
                let message = format!("{expected} must be UTF-8");
                Err(Complaint::new(Code::WrongOperand, span, message))
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn int(
        &mut self,
        range: RangeInclusive<i128>,
        expected: &str,
    ) -> Result<i128, Complaint> {
        let token = self.next(expected)?;
        match token.kind {
            TokenKind::Int(n) if range.contains(&n) => Ok(n),
            TokenKind::Int(_) => {
                let (low, high) = (range.start(), range.end());
                let expected = format!("{expected} from {low} to {high}");
                Err(self.wrong(token, &expected))
            }
            _ => Err(self.wrong(token, expected)),
        }
    }

    /// Ends the line.
    ///
    /// # Errors
    /// If there is something left.
    pub(super) fn finish(&self) -> Result<(), Complaint> {
        match self.tokens {
            [] => Ok(()),
            [first, .., last] => Err(self.extra(first.span.to(last.span))),
            [only] => Err(self.extra(only.span)),
        }
    }

    fn extra(&self, span: Span) -> Complaint {
        let found = quote(self.text(span));
        let message = format!("expected the end of the line, found `{found}`");
        Complaint::new(Code::ExtraOperand, span, message)
    }

    /// The complaint that `token` is not what was expected.
    pub(super) fn wrong(&self, token: &Token, expected: &str) -> Complaint {
        let found = quote(self.text(token.span));
        let message = format!("expected {expected}, found `{found}`");
        Complaint::new(Code::WrongOperand, token.span, message)
    }
}
