//! Conversions: truth, integers, floats and string forms.

use super::walk::Descent;
use super::work::{Excess, Work};
use super::{Array, Str, Value};
use std::borrow::Cow;

/// The longest text that can be a number; a longer one reads as zero.
///
/// Reading a text is work in proportion to its length, and numeric ops cost no work units, so the
/// length needs a bound. No number that is meant as one comes near it.
pub const MAX_NUMBER_TEXT: usize = 4096;

/// Reads a whole text as an integer, as Rust's `i64::from_str` does: an optional `+` or `-`, then
/// decimal digits, within the range of `i64`. Anything else, white space included, is 0.
pub fn parse_int(text: &[u8]) -> i64 {
    number_text(text)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Reads a whole text as a float, as Rust's `f64::from_str` does: an optional `+` or `-`, then
/// `inf`, `infinity` or `nan` in any case, or decimal digits with an optional point (`5.` and `.5`
/// too) and an optional exponent (`1e3`, `1E-3`); rounded to nearest. Anything else is 0.0.
pub fn parse_float(text: &[u8]) -> f64 {
    number_text(text)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0)
}

fn number_text(text: &[u8]) -> Option<&str> {
    if text.len() > MAX_NUMBER_TEXT {
        return None;
    }
    std::str::from_utf8(text).ok()
}

/// The string form of a value: borrowed from it, or short enough to need no heap, or made.
pub struct Form<'a>(Repr<'a>);

enum Repr<'a> {
    Borrowed(&'a [u8]),
    Short([u8; SHORT], u8),
    Made(Vec<u8>),
}

/// Fits every Int and Status.
const SHORT: usize = 20;

impl<'a> Form<'a> {
    /// The string form of `value`. Costs nothing, but for an array one unit for each element
    /// visited, nested ones included, and each byte produced.
    ///
    /// # Errors
    /// [`Excess::ValueTooLarge`] and [`Excess::Work`], for arrays only.
    #[inline]
    pub fn of(value: &'a Value, work: &mut Work) -> Result<Form<'a>, Excess> {
        match value {
            Value::Array(array) => {
                let mut out = Vec::new();
                join(array, &mut out, work)?;
                Ok(Form(Repr::Made(out)))
            }
            other => Ok(Form::of_scalar(other).unwrap_or(Form(Repr::Borrowed(b"")))),
        }
    }

    /// The string form of anything but an array, which costs nothing.
    #[inline]
    pub fn of_scalar(value: &'a Value) -> Option<Form<'a>> {
        Some(Form(match value {
            Value::Str(s) => Repr::Borrowed(s.as_bytes()),
            Value::Int(n) => decimal(*n),
            Value::Undef => Repr::Borrowed(b""),
            Value::Bool(b) => Repr::Borrowed(if *b { b"1" } else { b"" }),
            // Rust's Display never uses an exponent: up to some 330 bytes.
            Value::Float(f) => Repr::Made(f.to_string().into_bytes()),
            Value::Status(code) => decimal(i64::from(*code)),
            Value::Hash(_) => Repr::Borrowed(b"(hash)"),
            Value::Ref(_) => Repr::Borrowed(b"(ref)"),
            Value::NativeFn(id) => Repr::Made(format!("(builtin:{id})").into_bytes()),
            Value::Array(_) => return None,
        }))
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Short(bytes, len) => &bytes[..usize::from(*len)],
            Repr::Made(bytes) => bytes,
        }
    }

    /// The bytes, as a vector where they were made.
    pub fn into_cow(self) -> Cow<'a, [u8]> {
        match self.0 {
            Repr::Borrowed(bytes) => bytes.into(),
            Repr::Short(bytes, len) => bytes[..usize::from(len)].to_vec().into(),
            Repr::Made(bytes) => bytes.into(),
        }
    }
}

impl From<Form<'_>> for Str {
    fn from(form: Form<'_>) -> Str {
        match form.0 {
            Repr::Made(bytes) => Str::from(bytes),
            Repr::Borrowed(_) | Repr::Short(..) => Str::from(form.as_bytes()),
        }
    }
}

#[inline]
fn decimal<'a>(n: i64) -> Repr<'a> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(n).as_bytes();
    let mut bytes = [0; SHORT];
    bytes[..digits.len()].copy_from_slice(digits);
    Repr::Short(bytes, digits.len() as u8)
}

/// Appends the string form of `value`. Costs one unit for each byte, and for an array one for each
/// element visited, nested ones included. `out` as a whole is held to the size of one value.
///
/// # Errors
/// [`Excess`] when `out` would be too large or the work runs out; `out` then holds a part.
pub fn append_form(value: &Value, out: &mut Vec<u8>, work: &mut Work) -> Result<(), Excess> {
    match value {
        Value::Array(array) => join(array, out, work),
        scalar => match Form::of_scalar(scalar) {
            Some(form) => append(form.as_bytes(), out, work),
            None => Ok(()),
        },
    }
}

/// Appends an array's elements joined by one space, nested arrays likewise. `out` as a whole is
/// held to the size of one value.
fn join(array: &Array, out: &mut Vec<u8>, work: &mut Work) -> Result<(), Excess> {
    for (place, item) in Descent::into(array) {
        work.charge(1)?;
        if place > 0 {
            append(b" ", out, work)?;
        }
        if let Some(form) = Form::of_scalar(item) {
            append(form.as_bytes(), out, work)?;
        }
    }
    Ok(())
}

fn append(bytes: &[u8], out: &mut Vec<u8>, work: &mut Work) -> Result<(), Excess> {
    work.fits(out.len() as u64 + bytes.len() as u64)?;
    work.charge(bytes.len() as u64)?;
    out.extend_from_slice(bytes);
    Ok(())
}
