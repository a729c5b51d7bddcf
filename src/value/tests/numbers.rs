//! What do the numeric, bit, logic and numeric comparison ops answer?

use super::super::{compare, number};
use super::*;

const MIN: Value = Value::Int(i64::MIN);
const MAX: Value = Value::Int(i64::MAX);

fn int(n: i64) -> Value {
    Value::Int(n)
}

fn float(f: f64) -> Value {
    Value::Float(f)
}

#[test]
fn ints_wrap_and_stay_ints() {
    assert_eq!(number::add(&MAX, &int(1)), MIN);
    assert_eq!(number::sub(&MIN, &int(1)), MAX);
    assert_eq!(number::mul(&MAX, &int(2)), int(-2));
    assert_eq!(number::negate(&MIN), MIN);
    assert_eq!(number::inc(&MAX), MIN);
    assert_eq!(number::dec(&MIN), MAX);
    assert_eq!(number::add_as_int(&MAX, &Value::str("1")), MIN);
}

/// As IEEE 754 has `pow`, but rounded as its square root is.
#[test]
fn the_power_of_a_half_is_the_square_root() {
    let root = |a: f64| number::pow_float(a, 0.5);
    // Where the C library's `pow` is known to miss the nearest number.
    for a in [2.8184811158605223, 1.751236398641011, 2.0] {
        assert_eq!(root(a).to_bits(), a.sqrt().to_bits());
    }
    assert_eq!(root(-0.0).to_bits(), 0.0f64.to_bits());
    assert_eq!(root(f64::NEG_INFINITY), f64::INFINITY);
    assert_eq!(root(f64::INFINITY), f64::INFINITY);
    assert!(root(-1.0).is_nan() && root(f64::NAN).is_nan());
    assert_eq!(number::pow(&int(9), &Value::str(".5")), float(3.0));
}

#[test]
fn any_other_mix_is_float() {
    assert_eq!(number::add(&int(1), &float(2.0)), float(3.0));
    assert_eq!(number::add(&Value::str("1"), &int(2)), float(3.0));
    assert_eq!(number::add(&Value::Undef, &Value::Undef), float(0.0));
    assert_eq!(
        number::mul(&Value::Bool(true), &Value::Status(4)),
        float(4.0)
    );
    assert_eq!(number::sub(&ints([1, 2]), &int(1)), float(-1.0));
    assert_eq!(number::negate(&Value::str("2")), float(-2.0));
    assert_eq!(number::inc(&float(1e300)), MIN);
    assert_eq!(number::inc(&float(1.9)), int(2));
    assert_eq!(number::inc(&ints([1, 2])), int(3));
}

#[test]
fn division_and_remainder() {
    assert_eq!(number::div(&int(7), &int(2)), float(3.5));
    assert_eq!(number::div(&int(1), &int(0)), Value::Undef);
    assert_eq!(number::div(&int(1), &float(-0.0)), Value::Undef);
    assert_eq!(number::div(&int(1), &Value::str("x")), Value::Undef);
    assert!(number::div(&int(1), &float(f64::NAN)).to_float().is_nan());
    assert_eq!(number::modulo(&int(-7), &int(3)), int(-1));
    assert_eq!(number::modulo(&int(7), &int(-3)), int(1));
    assert_eq!(number::modulo(&int(7), &int(0)), int(0));
    assert_eq!(number::modulo(&MIN, &int(-1)), int(0));
    assert_eq!(number::modulo(&float(-7.5), &int(2)), float(-1.5));
    assert!(number::modulo(&float(7.0), &int(0)).to_float().is_nan());
}

#[test]
fn power_is_float() {
    assert_eq!(number::pow(&int(2), &int(10)), float(1024.0));
    assert_eq!(number::pow(&int(0), &int(0)), float(1.0));
    assert_eq!(number::pow(&int(2), &int(-1)), float(0.5));
    assert!(number::pow(&int(-1), &float(0.5)).to_float().is_nan());
}

#[test]
fn floats_keep_the_sign_of_zero() {
    let Value::Float(zero) = number::negate(&float(0.0)) else {
        panic!()
    };
    assert!(zero.is_sign_negative());
    let Value::Float(sum) = number::add(&float(-0.0), &float(-0.0)) else {
        panic!()
    };
    assert!(sum.is_sign_negative());
}

#[test]
fn bits() {
    assert_eq!(number::bit_and(&Value::str("6"), &float(3.9)), int(2));
    assert_eq!(number::bit_or(&int(4), &Value::Bool(true)), int(5));
    assert_eq!(number::bit_xor(&int(-1), &int(1)), int(-2));
    assert_eq!(number::bit_not(&Value::Undef), int(-1));
    assert_eq!(number::shl(&int(1), &int(63)), MIN);
    assert_eq!(number::shl(&int(1), &int(64)), int(1));
    assert_eq!(number::shl(&int(1), &int(-1)), MIN);
    assert_eq!(number::shr(&int(-8), &int(1)), int(-4));
    assert_eq!(number::shr(&MIN, &MAX), int(-1));
    assert_eq!(number::shr(&int(8), &int(1 << 32)), int(8));
}

#[test]
fn logic() {
    let (yes, no) = (Value::str("a"), Value::Status(1));
    assert_eq!(number::log_not(&no), Value::Bool(true));
    assert_eq!(number::log_and(&yes, &no), Value::Bool(false));
    assert_eq!(number::log_or(&no, &yes), Value::Bool(true));
}

#[test]
fn ints_compare_exactly_and_the_rest_as_floats() {
    // As floats these two are equal.
    let (a, b) = (int(i64::MAX - 1), MAX);
    assert!(compare::num_lt(&a, &b) && !compare::num_eq(&a, &b));
    assert!(compare::num_eq(&a, &float(9_223_372_036_854_775_807.0)));
    assert!(compare::num_eq(&Value::str("1.0"), &int(1)));
    assert!(compare::num_eq(&Value::Undef, &Value::str("x")));
    assert_eq!(compare::spaceship(&a, &b), -1);
    assert_eq!(compare::spaceship(&Value::str("10"), &Value::str("9")), 1);
}

#[test]
fn nan_is_unordered() {
    let nan = float(f64::NAN);
    for other in [int(0), nan.clone()] {
        assert!(compare::num_ne(&nan, &other));
        assert!(!compare::num_eq(&nan, &other));
        assert!(!compare::num_lt(&nan, &other) && !compare::num_ge(&nan, &other));
        assert!(!compare::num_gt(&nan, &other) && !compare::num_le(&nan, &other));
        assert_eq!(compare::spaceship(&nan, &other), 0);
    }
}

proptest! {
    #[test]
    fn arithmetic_of_ints(a in any::<i64>(), b in any::<i64>()) {
        let wide = |n: i128| int(n as i64);
        let (x, y) = (i128::from(a), i128::from(b));
        prop_assert_eq!(number::add(&int(a), &int(b)), wide(x + y));
        prop_assert_eq!(number::sub(&int(a), &int(b)), wide(x - y));
        prop_assert_eq!(number::mul(&int(a), &int(b)), wide(x.wrapping_mul(y)));
        if b != 0 {
            prop_assert_eq!(number::modulo(&int(a), &int(b)), wide(x % y));
        }
        prop_assert_eq!(compare::spaceship(&int(a), &int(b)), x.cmp(&y) as i64);
    }

    #[test]
    fn the_numeric_comparisons_agree(a in scalars(), b in scalars()) {
        prop_assert_eq!(compare::num_eq(&a, &b), !compare::num_ne(&a, &b));
        prop_assert_eq!(compare::num_lt(&a, &b), compare::num_gt(&b, &a));
        prop_assert_eq!(compare::num_le(&a, &b), compare::num_ge(&b, &a));
        let order = compare::spaceship(&a, &b);
        prop_assert_eq!(order, -compare::spaceship(&b, &a));
        prop_assert_eq!(order < 0, compare::num_lt(&a, &b));
        prop_assert_eq!(order > 0, compare::num_gt(&a, &b));
    }
}
