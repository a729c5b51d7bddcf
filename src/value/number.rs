//! What the numeric, bit and logic ops mean.
//!
//! Int with Int stays Int and wraps; any other mix of kinds computes on floats. No op here can fail
//! or costs work units: operands are of bounded size (see [`MAX_NUMBER_TEXT`]).
//!
//! [`MAX_NUMBER_TEXT`]: super::convert::MAX_NUMBER_TEXT

use super::Value;

/// Int with Int by the first function, any other mix as floats by the second.
macro_rules! arithmetic {
    ($($(#[$doc:meta])* $name:ident($int:expr, $float:expr);)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(a: &Value, b: &Value) -> Value {
                match (a, b) {
                    (Value::Int(a), Value::Int(b)) => Value::Int($int(*a, *b)),
                    _ => Value::Float($float(a.to_float(), b.to_float())),
                }
            }
        )*
    };
}

arithmetic! {
    /// `Add`: Int with Int wraps, else a Float.
    add(i64::wrapping_add, |a: f64, b: f64| a + b);
    /// `Sub`: Int with Int wraps, else a Float.
    sub(i64::wrapping_sub, |a: f64, b: f64| a - b);
    /// `Mul`: Int with Int wraps, else a Float.
    mul(i64::wrapping_mul, |a: f64, b: f64| a * b);
    /// `Mod`: Int with Int as [`mod_int`], else the float remainder with the sign of `a`, which is
    /// NaN where `b` is zero.
    modulo(mod_int, |a: f64, b: f64| a % b);
}

/// `Mod` of integers: the remainder with the sign of `a`; by zero it is 0, and so is `MIN % -1`.
#[inline]
pub fn mod_int(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}

/// `Div`: a Float, and Undef where the divisor is zero.
#[inline]
pub fn div(a: &Value, b: &Value) -> Value {
    let divisor = b.to_float();
    if divisor == 0.0 {
        Value::Undef
    } else {
        Value::Float(a.to_float() / divisor)
    }
}

/// `Pow`: a Float.
#[inline]
pub fn pow(a: &Value, b: &Value) -> Value {
    Value::Float(pow_float(a.to_float(), b.to_float()))
}

/// `Pow` of floats. Every tier calls this one, as libraries differ in the last bit. An exponent of 0.5
/// gives the square root, correctly rounded: that of -0.0 is 0.0, that of -∞ is ∞, as IEEE 754 has it
/// for `pow`.
#[inline(never)]
pub fn pow_float(a: f64, b: f64) -> f64 {
    if b == 0.5 {
        if a == f64::NEG_INFINITY {
            return f64::INFINITY;
        }
        return a.sqrt().abs();
    }
    a.powf(b)
}

/// `Negate`: an Int wraps, all else becomes a Float.
#[inline]
pub fn negate(a: &Value) -> Value {
    match a {
        Value::Int(n) => Value::Int(n.wrapping_neg()),
        other => Value::Float(-other.to_float()),
    }
}

/// `Inc`, and what `PreIncSlot` does to its slot: to Int, then plus 1, wrapping.
#[inline]
pub fn inc(a: &Value) -> Value {
    Value::Int(a.to_int().wrapping_add(1))
}

/// `Dec`: to Int, then minus 1, wrapping.
#[inline]
pub fn dec(a: &Value) -> Value {
    Value::Int(a.to_int().wrapping_sub(1))
}

/// What `AddAssignSlotVoid` and `AccumSumLoop` add: both to Int, wrapping.
#[inline]
pub fn add_as_int(a: &Value, b: &Value) -> Value {
    Value::Int(a.to_int().wrapping_add(b.to_int()))
}

/// Both operands to Int, then the function.
macro_rules! on_ints {
    ($($(#[$doc:meta])* $name:ident = $int:expr;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(a: &Value, b: &Value) -> Value {
                Value::Int($int(a.to_int(), b.to_int()))
            }
        )*
    };
}

on_ints! {
    /// `BitAnd`, on Int.
    bit_and = |a: i64, b: i64| a & b;
    /// `BitOr`, on Int.
    bit_or = |a: i64, b: i64| a | b;
    /// `BitXor`, on Int.
    bit_xor = |a: i64, b: i64| a ^ b;
    /// `Shl`, on Int: the count is masked with 63.
    shl = |a: i64, b: i64| a.wrapping_shl(b as u32);
    /// `Shr`, on Int: the count is masked with 63, the sign stays.
    shr = |a: i64, b: i64| a.wrapping_shr(b as u32);
}

/// `BitNot`, on Int.
#[inline]
pub fn bit_not(a: &Value) -> Value {
    Value::Int(!a.to_int())
}

/// `LogNot`.
#[inline]
pub fn log_not(a: &Value) -> Value {
    Value::Bool(!a.is_truthy())
}

/// `LogAnd`.
#[inline]
pub fn log_and(a: &Value, b: &Value) -> Value {
    Value::Bool(a.is_truthy() && b.is_truthy())
}

/// `LogOr`.
#[inline]
pub fn log_or(a: &Value, b: &Value) -> Value {
    Value::Bool(a.is_truthy() || b.is_truthy())
}
