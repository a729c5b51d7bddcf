//! A bounded walk over the variable-length parts of a file: each read is checked against what is
//! left and against its limit before anything is allocated for it.

use super::error::LoadError;
use crate::op::leb::{self, LebError};

/// A range of bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The bytes in the record that the span was read from.
    #[inline]
    pub(crate) fn of(self, record: &[u8]) -> &[u8] {
        &record[self.start as usize..self.end as usize]
    }

    /// Where it begins and ends.
    pub(crate) fn range(self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }

    /// A cursor over the span.
    pub(crate) fn cursor(self, record: &[u8]) -> Cursor<'_> {
        Cursor::new(record, self.start as usize, self.end as usize)
    }

    /// The text in the record that the span was read from, by [`Cursor::text`].
    #[inline]
    pub(crate) fn text_of(self, record: &[u8]) -> &str {
        std::str::from_utf8(self.of(record)).expect("texts are checked when they are decoded")
    }
}

/// A position in a record, or in a section, up to an end.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    /// Everything up to the end; spans count from its start.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The bytes of `all` from `start` to `end`.
    ///
    /// # Panics
    /// If `end` is behind the end of `all`, or past what a span can name.
    pub(crate) fn new(all: &'a [u8], start: usize, end: usize) -> Cursor<'a> {
        assert!(
            u32::try_from(end).is_ok(),
            "records are limited to 2^28 bytes"
        );
        Cursor {
            bytes: &all[..end],
            at: start,
        }
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The bytes that are left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Goes on by so many bytes, if there are as many.
    #[inline]
    pub(crate) fn skip(&mut self, len: usize) -> bool {
        let is_there = len <= self.left();
        if is_there {
            self.at += len;
        }
        is_there
    }

    /// One byte.
    #[inline]
    pub(crate) fn byte(&mut self, what: &str) -> Result<u8, LoadError> {
        match self.bytes.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => Err(self.ended(what)),
        }
    }

    /// An unsigned number.
    #[inline]
    pub(crate) fn leb(&mut self, what: &str) -> Result<u64, LoadError> {
        leb::read_unsigned(self.bytes, &mut self.at).map_err(|error| self.bad_number(what, error))
    }

    /// A signed number.
    #[inline]
    pub(crate) fn sleb(&mut self, what: &str) -> Result<i64, LoadError> {
        leb::read_signed(self.bytes, &mut self.at).map_err(|error| self.bad_number(what, error))
    }

    /// An unsigned number of at most `limit`, which is one of the format's.
    #[inline]
    pub(crate) fn limited(&mut self, what: &str, limit: usize) -> Result<usize, LoadError> {
        let start = self.at;
        let value = self.leb(what)?;
        if value > limit as u64 {
            return Err(LoadError::over_limit(what, value, limit as u64).at(start as u64));
        }
        Ok(value as usize)
    }

    /// How many items follow: at most `limit`, and at most as many as there are bytes left, as no
    /// item is empty.
    #[inline]
    pub(crate) fn count(&mut self, what: &str, limit: usize) -> Result<usize, LoadError> {
        let start = self.at;
        let count = self.limited(what, limit)?;
        if count > self.left() {
            return Err(self.too_long(what, count, start));
        }
        Ok(count)
    }

    /// An unsigned number of at most `u16::MAX`.
    #[inline]
    pub(crate) fn u16(&mut self, what: &str) -> Result<u16, LoadError> {
        let start = self.at;
        let value = self.leb(what)?;
        u16::try_from(value).map_err(|_| {
            LoadError::structure(format_args!("{what} {value}"), "at most 65535").at(start as u64)
        })
    }

    /// An unsigned number that fits this machine.
    #[inline]
    pub(crate) fn index(&mut self, what: &str) -> Result<usize, LoadError> {
        let start = self.at;
        let value = self.leb(what)?;
        usize::try_from(value)
            .map_err(|_| LoadError::over_limit(what, value, usize::MAX as u64).at(start as u64))
    }

    /// The next `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, what: &str, len: usize) -> Result<Span, LoadError> {
        if len > self.left() {
            return Err(self.too_long(what, len, self.at));
        }
        let start = self.at;
        self.at += len;
        Ok(Span {
            start: start as u32,
            end: self.at as u32,
        })
    }

    /// A length and that many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, what: &str) -> Result<Span, LoadError> {
        let start = self.at;
        let len = self.leb(what)?;
        if len > self.left() as u64 {
            return Err(self.too_long(what, len as usize, start));
        }
        self.take(what, len as usize)
    }

    /// A length and that many bytes of UTF-8.
    #[inline]
    pub(crate) fn text(&mut self, what: &str) -> Result<Span, LoadError> {
        let span = self.bytes(what)?;
        check_utf8(what, span.of(self.bytes)).map_err(|error| error.at(u64::from(span.start)))?;
        Ok(span)
    }

    /// The next eight bytes.
    pub(crate) fn eight_bytes(&mut self, what: &str) -> Result<[u8; 8], LoadError> {
        let bytes = self.bytes[self.at..].first_chunk::<8>();
        let bytes = *bytes.ok_or_else(|| self.ended(what))?;
        self.at += 8;
        Ok(bytes)
    }

    /// That nothing is left.
    pub(crate) fn expect_end(&self, what: &str) -> Result<(), LoadError> {
        if self.left() == 0 {
            return Ok(());
        }
        let error = LoadError::structure(format_args!("{} bytes more", self.left()), what);
        Err(error.at(self.at as u64))
    }

    #[cold]
    fn ended(&self, what: &str) -> LoadError {
        LoadError::structure("the end", what).at(self.at as u64)
    }

    #[cold]
    fn too_long(&self, what: &str, len: usize, at: usize) -> LoadError {
        LoadError::structure(
            format_args!("{what} of {len}"),
            format_args!("at most the {} bytes that are left", self.left()),
        )
        .at(at as u64)
    }

    #[cold]
    fn bad_number(&self, what: &str, error: LebError) -> LoadError {
        match error {
            LebError::Short => self.ended(what),
            LebError::Malformed => LoadError::structure(
                format_args!("a malformed {what}"),
                "a shortest LEB128 number",
            )
            .at(self.at as u64),
        }
    }
}

/// That these bytes are UTF-8. Most texts are short and ASCII.
#[inline]
pub(crate) fn check_utf8(what: &str, bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    Err(LoadError::structure(
        format_args!("{what} \"{}\"", bytes.escape_ascii()),
        "UTF-8",
    ))
}

/// Appends a length and that many bytes: the twin of [`Cursor::bytes`] and [`Cursor::text`].
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    leb::write_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
