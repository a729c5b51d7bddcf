//! Does the count of live bytes follow what values hold?

use super::super::{Array, collection, meter, string};
use super::*;

#[test]
fn nothing_is_left_when_all_is_dropped() {
    let start = meter::live_bytes();
    {
        let mut array = ints(0..1000);
        let copy = array.clone();
        collection::array_set(&mut array, &Value::Int(5000), copy, &mut plenty()).unwrap();
        for _ in 0..3000 {
            collection::array_shift(&mut array);
        }
        let mut hash = map([]);
        for i in 0..1000 {
            collection::hash_set(&mut hash, &Value::Int(i), array.clone(), &mut plenty()).unwrap();
        }
        let bytes = Value::bytes(*b"\xff");
        assert_eq!(bytes.to_str(), "\u{fffd}");
        let nest = Value::reference(Value::array(vec![hash, bytes]));
        assert!(meter::live_bytes() > start + 5000 * 16);
        drop(nest);
    }
    assert_eq!(meter::live_bytes(), start);
}

#[test]
fn growth_is_counted_as_it_happens() {
    let start = meter::live_bytes();
    let held = || meter::live_bytes() - start;
    let mut text = Value::str("");
    for _ in 0..1000 {
        text = string::concat(text, &Value::str("0123456789"), &mut plenty()).unwrap();
    }
    assert!((10_000..40_000).contains(&held()), "{}", held());
    drop(text);
    let mut array = Array::default();
    for i in 0..1000 {
        array.push(Value::Int(i));
    }
    assert!((16_000..40_000).contains(&held()), "{}", held());
    drop(array);
    let mut table = Map::new();
    for i in 0..1000 {
        table.insert(format!("{i}"), Value::Int(i));
    }
    assert!((48_000..300_000).contains(&held()), "{}", held());
    drop(table);
    assert_eq!(held(), 0);
}

#[test]
fn a_clone_costs_nothing_until_it_is_written() {
    let array = ints(0..1000);
    let start = meter::live_bytes();
    let mut copy = array.clone();
    assert_eq!(meter::live_bytes(), start);
    collection::array_push(&mut copy, Value::Undef, &mut plenty()).unwrap();
    assert!(meter::live_bytes() >= start + 16_000);
}

proptest! {
    #[test]
    fn any_value_gives_back_what_it_took(value in values()) {
        let start = meter::live_bytes();
        let copy: Value = bincode::deserialize(&bincode::serialize(&value).unwrap()).unwrap();
        let text = string::to_string(copy, &mut plenty()).unwrap();
        drop(text);
        prop_assert_eq!(meter::live_bytes(), start);
    }
}
