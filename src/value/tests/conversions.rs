//! What does each kind convert to?

use super::super::{MAX_UNBUDGETED_FORM, convert};
use super::*;
use std::borrow::Cow;
use std::collections::HashMap;

#[test]
fn truth() {
    let falsy = [
        Value::Undef,
        Value::Bool(false),
        Value::Int(0),
        Value::Float(0.0),
        Value::Float(-0.0),
        Value::str(""),
        Value::str("0"),
        ints([]),
        map([]),
        Value::Status(1),
        Value::Status(-1),
    ];
    let truthy = [
        Value::Bool(true),
        Value::Int(-1),
        Value::Float(f64::NAN),
        Value::str("00"),
        Value::str("0.0"),
        Value::str(" "),
        Value::bytes([0]),
        ints([0]),
        map([("", Value::Undef)]),
        Value::Status(0),
        Value::reference(Value::Undef),
        Value::NativeFn(0),
    ];
    for value in falsy {
        assert!(!value.is_truthy(), "{value:?}");
    }
    for value in truthy {
        assert!(value.is_truthy(), "{value:?}");
    }
}

#[test]
fn to_int() {
    for (value, int) in [
        (Value::Undef, 0),
        (Value::Bool(true), 1),
        (Value::Float(3.99), 3),
        (Value::Float(-3.99), -3),
        (Value::Float(f64::NAN), 0),
        (Value::Float(1e300), i64::MAX),
        (Value::Float(f64::NEG_INFINITY), i64::MIN),
        (Value::Status(-7), -7),
        (ints([5, 6, 7]), 3),
        (map([("a", Value::Int(1))]), 0),
        (Value::reference(Value::Int(4)), 0),
        (Value::NativeFn(9), 0),
        (Value::str("+12"), 12),
        (Value::str("-9223372036854775808"), i64::MIN),
        (Value::str("9223372036854775808"), 0),
        (Value::str("007"), 7),
        (Value::str(" 1"), 0),
        (Value::str("1\n"), 0),
        (Value::str("1.0"), 0),
        (Value::str("1e3"), 0),
        (Value::str("0x10"), 0),
        (Value::str("--1"), 0),
        (Value::str("-"), 0),
        (Value::str("٣"), 0),
        (Value::bytes(*b"1\xff"), 0),
    ] {
        assert_eq!(value.to_int(), int, "{value:?}");
    }
}

#[test]
fn to_float() {
    for (value, float) in [
        (Value::Undef, 0.0),
        (Value::Bool(true), 1.0),
        (Value::Bool(false), 0.0),
        (Value::Int(i64::MAX), 9_223_372_036_854_775_807.0),
        (Value::Status(-7), -7.0),
        (ints([5]), 0.0),
        (map([("a", Value::Int(1))]), 0.0),
        (Value::NativeFn(9), 0.0),
        (Value::str("1e3"), 1000.0),
        (Value::str("1E-2"), 0.01),
        (Value::str(".5"), 0.5),
        (Value::str("5."), 5.0),
        (Value::str("+5"), 5.0),
        (Value::str("-inf"), f64::NEG_INFINITY),
        (Value::str("Infinity"), f64::INFINITY),
        (Value::str("INF"), f64::INFINITY),
        (Value::str("1e999"), f64::INFINITY),
        (Value::str("."), 0.0),
        (Value::str("1e"), 0.0),
        (Value::str(""), 0.0),
        (Value::str(" 5"), 0.0),
        (Value::str("0x10"), 0.0),
        (Value::str("1_000"), 0.0),
        (Value::str("infi"), 0.0),
        (Value::bytes(*b"1\xff"), 0.0),
    ] {
        assert_eq!(value.to_float(), float, "{value:?}");
    }
    assert!(Value::str("-NaN").to_float().is_nan());
    assert!(Value::str("-0").to_float().is_sign_negative());
}

#[test]
fn a_text_too_long_for_a_number_is_zero() {
    let mut digits = "0".repeat(convert::MAX_NUMBER_TEXT - 1) + "7";
    assert_eq!(Value::str(digits.as_str()).to_int(), 7);
    assert_eq!(Value::str(digits.as_str()).to_float(), 7.0);
    digits.insert(0, '0');
    assert_eq!(Value::str(digits.as_str()).to_int(), 0);
    assert_eq!(Value::str(digits.as_str()).to_float(), 0.0);
}

#[test]
fn string_forms() {
    for (value, text) in [
        (Value::Undef, ""),
        (Value::Bool(true), "1"),
        (Value::Bool(false), ""),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Int(i64::MAX), "9223372036854775807"),
        (Value::Int(0), "0"),
        (Value::Float(1.0), "1"),
        (Value::Float(-0.0), "-0"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(1e21), "1000000000000000000000"),
        (Value::Float(1e-7), "0.0000001"),
        (Value::Float(f64::NAN), "NaN"),
        (Value::Float(-f64::NAN), "NaN"),
        (Value::Float(f64::NEG_INFINITY), "-inf"),
        (Value::Status(i32::MIN), "-2147483648"),
        (Value::NativeFn(65535), "(builtin:65535)"),
        (Value::reference(Value::Int(1)), "(ref)"),
        (map([("a", Value::Int(1))]), "(hash)"),
        (ints([]), ""),
        (ints([1, 2, 3]), "1 2 3"),
        (
            Value::array(vec![ints([]), ints([1, 2]), Value::Undef, map([])]),
            " 1 2  (hash)",
        ),
        (Value::array(vec![ints([]), ints([])]), " "),
    ] {
        assert_eq!(value.to_str(), text, "{value:?}");
        assert_eq!(value.to_bytes_cow(), text.as_bytes(), "{value:?}");
    }
}

#[test]
fn text_of_bytes_is_lossy_and_kept() {
    let value = Value::bytes(*b"a\xffb");
    assert_eq!(value.to_str(), "a\u{fffd}b");
    assert_eq!(value.to_bytes_cow(), &b"a\xffb"[..]);
    assert_eq!(value.as_bytes(), Some(&b"a\xffb"[..]));
    let Value::Str(s) = &value else { panic!() };
    assert!(std::ptr::eq(s.as_str(), s.as_str()));
    assert_eq!((s.len(), s.is_empty(), s.to_utf8()), (3, false, None));
    assert_eq!(format!("{s}|{s:?}"), "a\u{fffd}b|b\"a\\xffb\"");
    assert_eq!(Value::Int(1).as_bytes(), None);
}

#[test]
fn text_is_borrowed_where_it_can_be() {
    for value in [
        Value::str("a"),
        Value::bytes(*b"\xff"),
        Value::Undef,
        Value::Bool(true),
        map([]),
        Value::reference(Value::Undef),
    ] {
        assert!(matches!(value.as_str_cow(), Cow::Borrowed(_)), "{value:?}");
    }
    assert!(matches!(Value::Int(1).as_str_cow(), Cow::Owned(_)));
}

#[test]
fn a_form_past_the_bound_is_a_placeholder() {
    let long = Value::bytes(vec![b'x'; (MAX_UNBUDGETED_FORM / 4) as usize]);
    let value = Value::array(vec![long; 4]);
    assert_eq!(value.to_str(), "(array)");
}

#[test]
fn lengths() {
    for (value, len) in [
        (Value::Undef, 0),
        (Value::Int(-123), 4),
        (Value::Float(0.5), 3),
        (Value::bytes(*b"\xff\xfe"), 2),
        (Value::str("é"), 2),
        (ints([1, 2]), 2),
        (map([("a", Value::Undef)]), 1),
        (Value::reference(Value::Undef), 5),
        (Value::NativeFn(7), 11),
    ] {
        assert_eq!(value.len(), len, "{value:?}");
        assert_eq!(value.is_empty(), len == 0);
    }
}

#[test]
fn a_hash_map_becomes_a_table_in_the_order_of_its_keys() {
    let entries: HashMap<String, Value> = (0..100)
        .map(|i| (format!("k{i:02}"), Value::Int(i)))
        .collect();
    let Value::Hash(hash) = Value::hash(entries) else {
        panic!()
    };
    let order: Vec<i64> = hash.values().map(Value::to_int).collect();
    assert_eq!(order, (0..100).collect::<Vec<_>>());
    assert_eq!(hash.get("k07").map(Value::to_int), Some(7));
    assert_eq!(hash["k42"].to_int(), 42);
}

#[test]
fn the_size_is_sixteen_bytes_with_room_for_options() {
    assert_eq!(size_of::<Value>(), 16);
    assert_eq!(size_of::<Option<Value>>(), 16);
}

proptest! {
    #[test]
    fn numbers_read_their_own_text(n in any::<i64>(), f in any::<f64>()) {
        prop_assert_eq!(Value::str(n.to_string()).to_int(), n);
        let text = Value::Float(f).to_str();
        let back = Value::str(text).to_float();
        prop_assert!(back == f || back.is_nan() && f.is_nan());
    }

    #[test]
    fn equal_values_hash_alike(a in values(), b in values()) {
        use std::hash::BuildHasher;
        let keys = std::hash::RandomState::new();
        let copy: Value = bincode::deserialize(&bincode::serialize(&a).unwrap()).unwrap();
        prop_assert_eq!(&a, &copy);
        prop_assert_eq!(keys.hash_one(&a), keys.hash_one(&copy));
        prop_assert_eq!(a == b, b == a);
        if a == b {
            prop_assert_eq!(keys.hash_one(&a), keys.hash_one(&b));
        }
    }
}
