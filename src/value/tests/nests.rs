//! Are nests a million deep, and nests shared 2^60 times, walked within bounds?

use super::super::{Excess, collection, compare, string};
use super::*;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

const DEEP: usize = 1_000_000;

/// A nest of arrays, hashes and references in turn.
fn deep(kinds: usize) -> Value {
    let mut value = Value::Int(7);
    for level in 0..DEEP {
        value = match level % kinds {
            0 => Value::array(vec![value]),
            1 => map([("k", value)]),
            _ => Value::reference(value),
        };
    }
    value
}

/// Sixty rounds of `a = [a, a]`.
fn shared(innermost: Value) -> Value {
    let mut value = innermost;
    for _ in 0..60 {
        value = Value::array(vec![value.clone(), value]);
    }
    value
}

#[test]
fn a_deep_nest_drops() {
    drop(deep(1));
    drop(deep(3));
    let mut holder = vec![deep(3), Value::array(vec![deep(3), Value::str("x")])];
    holder.truncate(1);
    let kept = holder[0].clone();
    drop(holder);
    drop(kept);
}

#[test]
fn a_deep_nest_drops_from_two_threads() {
    let value = deep(3);
    let other = value.clone();
    let thread = std::thread::spawn(move || drop(other));
    drop(value);
    thread.join().unwrap();
}

#[test]
fn a_deep_nest_compares_hashes_and_shows() {
    let (a, b) = (deep(3), deep(3));
    assert!(a == b);
    assert!(a == a.clone());
    assert!(a != deep(2));
    let keys = std::hash::RandomState::new();
    assert_eq!(keys.hash_one(&a), keys.hash_one(&b));
    assert!(format!("{a:?}").len() < 1000);
}

#[test]
fn a_deep_nest_has_a_string_form_and_words() {
    let value = deep(1);
    assert_eq!(value.to_str(), "7");
    let work = &mut plenty();
    assert_eq!(compare::str_eq(&value, &Value::Int(7), work), Ok(true));
    let words = collection::flatten(std::slice::from_ref(&value), work).unwrap();
    assert_eq!(words, ["7"]);
}

#[test]
fn a_deep_nest_is_copied_on_write_one_level_at_a_time() {
    let kept = deep(1);
    let mut value = kept.clone();
    collection::array_push(&mut value, Value::Int(1), &mut plenty()).unwrap();
    assert_eq!((value.len(), kept.len()), (2, 1));
}

#[test]
fn a_shared_nest_is_refused_by_the_budget() {
    for innermost in [ints([]), Value::Int(1)] {
        let value = shared(innermost);
        let work = &mut Work::new(1 << 40, 1_000_000);
        let form = string::to_string(value.clone(), work);
        assert_eq!(form, Err(Excess::Work));
        assert!(work.limit < 64);
        let work = &mut Work::new(1000, 1 << 40);
        let form = string::to_string(value.clone(), work);
        assert!(matches!(form, Err(Excess::ValueTooLarge { .. })));
        let work = &mut Work::new(1 << 40, 1_000_000);
        let words = collection::flatten(std::slice::from_ref(&value), work);
        assert_eq!(words, Err(Excess::Work));
        let sorted = collection::sort_default(value, &mut Work::new(1 << 40, 1_000_000));
        assert_eq!(sorted, Err(Excess::Work));
    }
}

#[test]
fn long_chains_that_make_no_text_are_refused_too() {
    let mut chain = ints([]);
    for _ in 0..10_000 {
        chain = Value::array(vec![chain]);
    }
    let value = Value::array(vec![chain; 10_000]);
    let form = string::to_string(value, &mut Work::new(1 << 30, 1_000_000));
    assert_eq!(form, Err(Excess::Work));
}

#[test]
fn shared_nests_compare_hash_and_show_quickly() {
    let start = Instant::now();
    let (a, b) = (shared(Value::Int(1)), shared(Value::Int(1)));
    assert!(a == b);
    assert!(a != shared(Value::Int(2)));
    let nan = shared(Value::Float(f64::NAN));
    assert!(nan != nan.clone());
    let keys = std::hash::RandomState::new();
    assert_eq!(keys.hash_one(&a), keys.hash_one(&b));
    assert!(format!("{a:?}").len() < 100_000);
    drop((a, b));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn wide_values_are_shown_in_part() {
    assert!(format!("{:?}", ints(0..100_000)).len() < 20_000);
    let long = Value::bytes(vec![0xff; 1 << 20]);
    assert!(format!("{long:?}").len() < 20_000);
    let small = Value::array(vec![
        Value::str("a"),
        map([("k", Value::Float(1.0))]),
        Value::reference(Value::Undef),
    ]);
    assert_eq!(
        format!("{small:?}"),
        r#"Array([Str("a"), Hash({"k": Float(1.0)}), Ref(Undef)])"#
    );
}

#[test]
fn equality_tells_kinds_apart() {
    let different = [
        Value::Undef,
        Value::Bool(true),
        Value::Int(1),
        Value::Float(1.0),
        Value::Status(1),
        Value::NativeFn(1),
        Value::str("1"),
        ints([1]),
        ints([1, 1]),
        map([("1", Value::Int(1))]),
        map([("2", Value::Int(1))]),
        Value::reference(Value::Int(1)),
    ];
    for (i, a) in different.iter().enumerate() {
        for (j, b) in different.iter().enumerate() {
            assert_eq!(a == b, i == j, "{a:?} {b:?}");
        }
    }
    let ordered = map([("a", Value::Int(1)), ("b", Value::Int(2))]);
    let reversed = map([("b", Value::Int(2)), ("a", Value::Int(1))]);
    assert_eq!(ordered, reversed);
    assert_eq!(Value::Float(0.0), Value::Float(-0.0));
    assert_ne!(Value::Float(f64::NAN), Value::Float(f64::NAN));
}
