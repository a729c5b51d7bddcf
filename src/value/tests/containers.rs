//! Is what Rust programs do with strings, arrays and maps in place what programs of the VM would see?

use super::*;
use crate::value::{Array, Hash, Ref, Str, string};
use std::borrow::{Borrow, Cow};

#[test]
fn elements_are_changed_in_place() {
    let mut array = Array::from(vec![Value::Int(1), Value::Int(2)]);
    let before = array.clone();
    for item in &mut array {
        *item = Value::Int(item.to_int() * 10);
    }
    array.resize(3, Value::Undef);
    assert_eq!(
        Value::Array(array.clone()),
        Value::array(vec![Value::Int(10), Value::Int(20), Value::Undef])
    );
    array.resize(1, Value::Undef);
    assert_eq!(array, Array::from(vec![Value::Int(10)]));
    array.clear();
    assert!(array.is_empty());
    assert_eq!(Value::Array(before), ints([1, 2]), "the other owner's");
}

#[test]
fn entries_are_changed_in_place() {
    let mut entries: Map = [("a", Value::Int(1)), ("b", Value::Int(2))]
        .into_iter()
        .collect();
    *entries.get_mut("a").expect("it is there") = Value::str("new");
    assert!(entries.get_mut("c").is_none());
    for (key, value) in entries.iter_mut() {
        if key == "b" {
            *value = Value::Undef;
        }
    }
    let expected = [("a", Value::str("new")), ("b", Value::Undef)];
    assert_eq!(Value::map(entries.clone()), map(expected));
    for value in entries.values_mut() {
        *value = Value::Int(0);
    }
    let sum: i64 = (&entries)
        .into_iter()
        .map(|(_, value)| value.to_int())
        .sum();
    assert_eq!(sum, 0);
    entries.clear();
    assert!(entries.is_empty() && entries.get("a").is_none());
}

#[test]
fn a_hash_is_walked_and_told_apart_by_its_place() {
    let Value::Hash(hash) = map([("k", Value::Int(1))]) else {
        panic!("a hash");
    };
    let keys: Vec<&str> = (&hash).into_iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["k"]);
    let again = map([("k", Value::Int(1))]);
    let Value::Hash(again) = again else {
        panic!("a hash");
    };
    assert_eq!(hash, again);
    assert!(Hash::ptr_eq(&hash, &hash.clone()) && !Hash::ptr_eq(&hash, &again));
    let reference = Ref::new(Value::Int(1));
    assert!(Ref::ptr_eq(&reference, &reference.clone()));
    assert!(!Ref::ptr_eq(&reference, &Ref::new(Value::Int(1))));
}

#[test]
fn strings_are_their_bytes_however_they_are_made() {
    let owned = "text".to_owned();
    let made = [
        Str::from("text"),
        Str::from(&owned),
        Str::from(owned.clone()),
        Str::from(Cow::Borrowed("text")),
        Str::from(b"text".as_slice()),
    ];
    for text in &made {
        assert_eq!(text, &made[0]);
        assert!(*text == *"text" && *text == "text");
        assert_eq!(text.cmp(&Str::from("texts")), std::cmp::Ordering::Less);
        assert_eq!(Borrow::<[u8]>::borrow(text), b"text");
        assert!(text.starts_with("te"), "it is a `str` where one is wanted");
    }
    let (a, b) = (Str::from("a"), Str::from("b"));
    assert!(a < b && b.partial_cmp(&a) == Some(std::cmp::Ordering::Greater));
}

#[test]
fn what_is_no_number_is_zero_as_a_float() {
    let reference = Value::reference(Value::Int(7));
    for value in [
        Value::Undef,
        ints([1]),
        map([]),
        reference,
        Value::NativeFn(3),
    ] {
        assert_eq!(value.to_float(), 0.0, "{value:?}");
    }
}

#[test]
fn of_a_large_value_debug_shows_the_beginning() {
    let shown = format!("{:?}", ints(0..1_000_000));
    assert!(
        shown.contains('…') && shown.len() < 1 << 20,
        "{}",
        shown.len()
    );
}

proptest! {
    #[test]
    fn joining_is_concatenation(a in scalars(), b in scalars()) {
        let joined = string::join(&a, &b, &mut plenty());
        let concatenated = string::concat(a, &b, &mut plenty());
        prop_assert_eq!(joined.ok(), concatenated.ok());
    }
}
