//! Do values read and write the serde form of the 0.9 line, and refuse hostile blobs?

use super::super::{Str, serial};
use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The enum of the 0.9 line, as derived.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Old {
    Undef,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Array(Vec<Old>),
    Hash(BTreeMap<String, Old>),
    Status(i32),
    Ref(Box<Old>),
    NativeFn(u16),
}

fn old_and_new() -> (Old, Value) {
    let text = |s: &str| Old::Str(s.to_string());
    let entries = [("a", Old::Undef), ("b", text("é"))];
    let entries = entries.map(|(key, value)| (key.to_string(), value));
    let old = Old::Array(vec![
        Old::Undef,
        Old::Bool(true),
        Old::Int(-2),
        Old::Float(-0.5),
        text("x\0y"),
        Old::Array(vec![]),
        Old::Hash(BTreeMap::from(entries)),
        Old::Status(127),
        Old::Ref(Box::new(Old::Int(1))),
        Old::NativeFn(300),
    ]);
    let new = Value::array(vec![
        Value::Undef,
        Value::Bool(true),
        Value::Int(-2),
        Value::Float(-0.5),
        Value::str("x\0y"),
        ints([]),
        map([("a", Value::Undef), ("b", Value::str("é"))]),
        Value::Status(127),
        Value::reference(Value::Int(1)),
        Value::NativeFn(300),
    ]);
    (old, new)
}

#[test]
fn bincode_is_that_of_the_old_enum() {
    let (old, new) = old_and_new();
    let blob = bincode::serialize(&old).unwrap();
    assert_eq!(bincode::serialize(&new).unwrap(), blob);
    assert_eq!(bincode::deserialize::<Value>(&blob).unwrap(), new);
    assert_eq!(
        bincode::deserialize_from::<_, Value>(&blob[..]).unwrap(),
        new
    );
}

#[test]
fn json_is_that_of_the_old_enum() {
    let (old, new) = old_and_new();
    let text = serde_json::to_string(&old).unwrap();
    assert_eq!(serde_json::to_string(&new).unwrap(), text);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), new);
}

#[test]
fn the_bytes_are_these() {
    // Array of two: Int 1, Str "hi".
    let blob = [
        &[5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0][..],
        &[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        &[4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i'],
    ]
    .concat();
    let value = Value::array(vec![Value::Int(1), Value::str("hi")]);
    assert_eq!(bincode::deserialize::<Value>(&blob).unwrap(), value);
    assert_eq!(bincode::serialize(&value).unwrap(), blob);
}

#[test]
fn bytes_that_are_no_text_survive() {
    let value = Value::array(vec![Value::bytes(*b"\xff\x00"), Value::bytes(*b"ok")]);
    let blob = bincode::serialize(&value).unwrap();
    assert_eq!(bincode::deserialize::<Value>(&blob).unwrap(), value);
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, r#"{"Array":[{"Str":[255,0]},{"Str":"ok"}]}"#);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    let mut key = Map::new();
    key.insert(&b"\xff"[..], Value::Undef);
    let value = Value::map(key);
    let blob = bincode::serialize(&value).unwrap();
    assert_eq!(bincode::deserialize::<Value>(&blob).unwrap(), value);
}

/// `levels` arrays of one element around an Undef, as a blob.
fn nested_blob(levels: usize) -> Vec<u8> {
    let mut blob = [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].repeat(levels);
    blob.extend([0, 0, 0, 0]);
    blob
}

#[test]
fn depth_is_bounded_both_ways() {
    let most = serial::MAX_DEPTH as usize;
    let value: Value = bincode::deserialize(&nested_blob(most - 1)).unwrap();
    assert_eq!(bincode::serialize(&value).unwrap(), nested_blob(most - 1));
    for levels in [most, 1_000_000] {
        let error = bincode::deserialize::<Value>(&nested_blob(levels)).unwrap_err();
        assert!(error.to_string().contains("deeper than 128"), "{error}");
    }
    let error = bincode::serialize(&Value::array(vec![value])).unwrap_err();
    assert!(error.to_string().contains("deeper than 128"), "{error}");
    // A refusal leaves the count of levels as it was.
    assert!(bincode::deserialize::<Value>(&nested_blob(most - 1)).is_ok());
}

#[test]
fn a_shared_nest_is_not_written_without_end() {
    let mut value = Value::Undef;
    for _ in 0..60 {
        value = Value::array(vec![value.clone(), value]);
    }
    let error = bincode::serialize_into(std::io::sink(), &value).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    let long = Value::bytes(vec![b'x'; 1 << 26]);
    let error = bincode::serialize_into(std::io::sink(), &Value::array(vec![long; 5]));
    assert!(error.is_err());
}

#[test]
fn strings_on_their_own_are_not_held_to_the_bound_of_a_value() {
    let long = Str::from(vec![b'x'; 1 << 26]);
    for _ in 0..6 {
        assert!(bincode::serialize_into(std::io::sink(), &long).is_ok());
    }
}

#[test]
fn lengths_that_lie_reserve_nothing() {
    for kind in [4, 5, 6] {
        for len in [u64::MAX, 1 << 60, 1 << 33] {
            let blob = [&[kind, 0, 0, 0][..], &len.to_le_bytes(), &[0; 16]].concat();
            assert!(bincode::deserialize::<Value>(&blob).is_err());
        }
    }
}

#[test]
fn unknown_kinds_are_refused() {
    assert!(bincode::deserialize::<Value>(&[10, 0, 0, 0]).is_err());
    assert!(serde_json::from_str::<Value>(r#"{"Text":"a"}"#).is_err());
}

proptest! {
    #[test]
    fn any_value_survives_bincode(value in values()) {
        let blob = bincode::serialize(&value).unwrap();
        prop_assert_eq!(bincode::deserialize::<Value>(&blob).unwrap(), value);
    }

    #[test]
    fn any_bytes_are_read_or_refused(blob in prop::collection::vec(0u8..8, 0..200)) {
        if let Ok(value) = bincode::deserialize::<Value>(&blob) {
            prop_assert!(bincode::serialize(&value).is_ok());
        }
    }
}
