//! What the string ops mean.

use super::convert::Form;
#[cfg(feature = "jit")]
use super::str::{SHORT_KEY, both_in};
use super::work::{Excess, Work};
use super::{Str, Value};

/// The string form of a value as a string; a string is given back as it is. What `ConcatConstLoop`
/// turns its slot into. Costs the string form.
///
/// # Errors
/// [`Excess`] when the string form is too large or the work runs out.
#[inline]
pub fn to_string(value: Value, work: &mut Work) -> Result<Str, Excess> {
    match value {
        Value::Str(s) => Ok(s),
        other => Ok(Str::from(Form::of(&other, work)?)),
    }
}

/// `Concat`: the string form of `a`, then that of `b`. Appends in place where `a` is the only owner
/// of its string. Costs both string forms and as many units as `b`'s has bytes.
///
/// # Errors
/// [`Excess`] when the result would be too large or the work runs out.
#[inline]
pub fn concat(a: Value, b: &Value, work: &mut Work) -> Result<Value, Excess> {
    let mut a = to_string(a, work)?;
    append(&mut a, b, work)?;
    Ok(Value::Str(a))
}

/// `Concat` where `a` stays: makes a new string. Costs the same.
///
/// # Errors
/// [`Excess`] when the result would be too large or the work runs out.
pub fn join(a: &Value, b: &Value, work: &mut Work) -> Result<Value, Excess> {
    let a = Form::of(a, work)?;
    let b = Form::of(b, work)?;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    work.fits(a.len() as u64 + b.len() as u64)?;
    work.charge(b.len() as u64)?;
    Ok(Value::Str(Str::joined(a, b)))
}

/// `Concat` where `a` is a string that the result replaces. Costs what it does there; where it
/// fails, `a` is as it was.
///
/// # Errors
/// [`Excess`] when the result would be too large or the work runs out.
#[inline]
pub fn append(a: &mut Str, b: &Value, work: &mut Work) -> Result<(), Excess> {
    let b = Form::of(b, work)?;
    let b = b.as_bytes();
    work.fits(a.len() as u64 + b.len() as u64)?;
    work.charge(b.len() as u64)?;
    a.push_bytes(b);
    Ok(())
}

/// What [`join`] makes of a string and an Int, to be looked for without a string being made, if that is so
/// short that neither op costs fuel.
#[cfg(feature = "jit")]
pub(crate) struct ShortKey {
    bytes: [u8; SHORT_KEY - 1],
    len: usize,
}

#[cfg(feature = "jit")]
impl ShortKey {
    /// `None` if it is longer.
    #[inline]
    pub(crate) fn joined(a: &Str, b: i64) -> Option<ShortKey> {
        let b = Value::Int(b);
        let b = Form::of_scalar(&b)?;
        let (bytes, len) = both_in(a.as_bytes(), b.as_bytes())?;
        Some(ShortKey { bytes, len })
    }
}

#[cfg(feature = "jit")]
impl AsRef<[u8]> for ShortKey {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `StringRepeat`: the string form of `s`, `n` (to Int) times; empty where `n` is below 1. Costs
/// the string form and as many units as the result has bytes.
///
/// # Errors
/// [`Excess`] when the result would be too large or the work runs out.
pub fn repeat(s: &Value, n: &Value, work: &mut Work) -> Result<Value, Excess> {
    let form = Form::of(s, work)?;
    let piece = form.as_bytes();
    let times = u64::try_from(n.to_int()).unwrap_or(0);
    let len = times.saturating_mul(piece.len() as u64);
    work.fits(len)?;
    work.charge(len)?;
    if len == 0 {
        return Ok(Value::Str(Str::default()));
    }
    let mut bytes = Vec::new();
    work.reserve(&mut bytes, len)?;
    // Doubling: each round copies all that is there, so short pieces cost no more than long ones.
    bytes.extend_from_slice(piece);
    let len = len as usize;
    while bytes.len() < len {
        let more = bytes.len().min(len - bytes.len());
        bytes.extend_from_within(..more);
    }
    Ok(Value::Str(Str::from(bytes)))
}

/// `StringLen`: bytes of a string, elements of a collection, else bytes of the string form. Free.
#[inline]
pub fn string_len(s: &Value) -> i64 {
    s.len() as i64
}
