//! What do the string ops and string comparisons answer?

use super::super::{Excess, compare, string};
use super::*;

fn concat(a: Value, b: &Value) -> Value {
    string::concat(a, b, &mut plenty()).unwrap()
}

fn repeat(s: &Value, n: i64) -> Value {
    string::repeat(s, &Value::Int(n), &mut plenty()).unwrap()
}

#[test]
fn concat_joins_string_forms() {
    assert_eq!(concat(Value::Int(1), &Value::Float(2.0)), Value::str("12"));
    assert_eq!(concat(ints([1, 2]), &map([])), Value::str("1 2(hash)"));
    assert_eq!(concat(Value::Undef, &Value::Undef), Value::str(""));
    assert_eq!(
        concat(Value::bytes(*b"\xc3"), &Value::bytes(*b"\xa9")),
        Value::str("é")
    );
}

#[test]
fn concat_appends_in_place_only_where_the_string_is_not_shared() {
    let mut text = Value::bytes(Vec::with_capacity(64));
    let start = text.as_bytes().unwrap().as_ptr();
    text = concat(text, &Value::str("abc"));
    assert_eq!(text.as_bytes().unwrap().as_ptr(), start);
    let other = text.clone();
    text = concat(text, &Value::str("d"));
    assert_eq!((text, other), (Value::str("abcd"), Value::str("abc")));
}

#[test]
fn a_string_appends_to_itself() {
    let text = Value::str("ab");
    assert_eq!(concat(text.clone(), &text), Value::str("abab"));
}

#[test]
fn the_lossy_text_follows_an_append() {
    let text = Value::bytes(*b"\xff");
    assert_eq!(text.to_str(), "\u{fffd}");
    assert_eq!(concat(text, &Value::str("a")).to_str(), "\u{fffd}a");
}

#[test]
fn repeat_counts() {
    assert_eq!(repeat(&Value::str("ab"), 3), Value::str("ababab"));
    assert_eq!(repeat(&Value::Int(7), 5), Value::str("77777"));
    assert_eq!(repeat(&Value::str("ab"), 0), Value::str(""));
    assert_eq!(repeat(&Value::str("ab"), i64::MIN), Value::str(""));
    assert_eq!(repeat(&Value::str(""), i64::MAX), Value::str(""));
}

#[test]
fn repeat_past_the_limit_is_refused() {
    let excess = string::repeat(&Value::str("ab"), &Value::Int(1 << 62), &mut plenty());
    let wanted = 1 << 63;
    let limit = 1 << 30;
    assert_eq!(excess, Err(Excess::ValueTooLarge { wanted, limit }));
    // Without a limit the allocator says no.
    let excess = string::repeat(
        &Value::str("ab"),
        &Value::Int(1 << 62),
        &mut Work::unlimited(),
    );
    assert!(matches!(excess, Err(Excess::ValueTooLarge { .. })));
}

#[test]
fn lengths_are_of_bytes_or_elements() {
    assert_eq!(string::string_len(&Value::str("é")), 2);
    assert_eq!(string::string_len(&Value::Float(1e21)), 22);
    assert_eq!(string::string_len(&ints([10, 20])), 2);
}

#[test]
fn comparison_is_bytewise() {
    let work = &mut plenty();
    assert!(compare::str_lt(&Value::Int(10), &Value::Int(9), work).unwrap());
    assert!(compare::str_eq(&Value::Float(1.0), &Value::str("1"), work).unwrap());
    assert!(compare::str_lt(&Value::str("a"), &Value::bytes(*b"a\0"), work).unwrap());
    assert!(compare::str_gt(&Value::bytes(*b"\xff"), &Value::str("é"), work).unwrap());
    assert!(compare::str_eq(&ints([1, 2]), &Value::str("1 2"), work).unwrap());
    assert_eq!(
        compare::str_cmp(&Value::Undef, &Value::str(""), work),
        Ok(0)
    );
}

proptest! {
    #[test]
    fn concat_and_repeat_are_what_their_forms_are(a in values(), b in values(), n in -2i64..5) {
        let expected = [a.to_bytes_cow(), b.to_bytes_cow()].concat();
        prop_assert_eq!(concat(a.clone(), &b), Value::bytes(expected));
        let expected = a.to_bytes_cow().repeat(n.max(0) as usize);
        prop_assert_eq!(repeat(&a, n), Value::bytes(expected));
    }

    #[test]
    fn the_string_comparisons_agree(a in values(), b in values()) {
        let work = &mut plenty();
        let order = a.to_bytes_cow().cmp(&b.to_bytes_cow());
        prop_assert_eq!(compare::str_cmp(&a, &b, work), Ok(order as i64));
        prop_assert_eq!(compare::str_eq(&a, &b, work), Ok(order.is_eq()));
        prop_assert_eq!(compare::str_ne(&a, &b, work), Ok(order.is_ne()));
        prop_assert_eq!(compare::str_lt(&a, &b, work), Ok(order.is_lt()));
        prop_assert_eq!(compare::str_gt(&a, &b, work), Ok(order.is_gt()));
        prop_assert_eq!(compare::str_le(&a, &b, work), Ok(order.is_le()));
        prop_assert_eq!(compare::str_ge(&a, &b, work), Ok(order.is_ge()));
    }
}
