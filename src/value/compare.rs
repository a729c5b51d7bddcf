//! What the comparison ops mean.
//!
//! The numeric ones are exact on Int with Int and compare anything else as floats, at no cost. The
//! string ones compare string forms bytewise; each costs the two string forms and as many units as
//! the shorter form has bytes.

use super::Value;
use super::convert::Form;
use super::work::{Excess, Work};
use std::cmp::Ordering;

macro_rules! numeric {
    ($($(#[$doc:meta])* $name:ident $operator:tt;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(a: &Value, b: &Value) -> bool {
                match (a, b) {
                    (Value::Int(a), Value::Int(b)) => a $operator b,
                    _ => a.to_float() $operator b.to_float(),
                }
            }
        )*
    };
}

numeric! {
    /// `NumEq`; NaN is equal to nothing.
    num_eq ==;
    /// `NumNe`; NaN differs from everything.
    num_ne !=;
    /// `NumLt`; false with NaN.
    num_lt <;
    /// `NumGt`; false with NaN.
    num_gt >;
    /// `NumLe`; false with NaN.
    num_le <=;
    /// `NumGe`; false with NaN.
    num_ge >=;
}

/// `Spaceship`: -1, 0 or 1; 0 with NaN.
#[inline]
pub fn spaceship(a: &Value, b: &Value) -> i64 {
    let order = match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        _ => a.to_float().partial_cmp(&b.to_float()),
    };
    order.map_or(0, sign)
}

/// -1, 0 or 1.
#[inline]
fn sign(order: Ordering) -> i64 {
    order as i64
}

/// Hands the bytes of both string forms to `compare`, at the cost that all string comparisons have.
#[inline]
fn with_forms<R>(
    a: &Value,
    b: &Value,
    work: &mut Work,
    compare: impl FnOnce(&[u8], &[u8]) -> R,
) -> Result<R, Excess> {
    if let (Value::Str(a), Value::Str(b)) = (a, b) {
        work.charge(a.len().min(b.len()) as u64)?;
        return Ok(compare(a.as_bytes(), b.as_bytes()));
    }
    let a = Form::of(a, work)?;
    let b = Form::of(b, work)?;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    work.charge(a.len().min(b.len()) as u64)?;
    Ok(compare(a, b))
}

macro_rules! textual {
    ($($(#[$doc:meta])* $name:ident $operator:tt;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Excess`] when a string form is too large or the work runs out.
            #[inline]
            pub fn $name(a: &Value, b: &Value, work: &mut Work) -> Result<bool, Excess> {
                with_forms(a, b, work, |a, b| a $operator b)
            }
        )*
    };
}

textual! {
    /// `StrEq`.
    str_eq ==;
    /// `StrNe`.
    str_ne !=;
    /// `StrLt`.
    str_lt <;
    /// `StrGt`.
    str_gt >;
    /// `StrLe`.
    str_le <=;
    /// `StrGe`.
    str_ge >=;
}

/// `StrCmp`: -1, 0 or 1.
///
/// # Errors
/// [`Excess`] when a string form is too large or the work runs out.
#[inline]
pub fn str_cmp(a: &Value, b: &Value, work: &mut Work) -> Result<i64, Excess> {
    with_forms(a, b, work, |a, b| sign(a.cmp(b)))
}
