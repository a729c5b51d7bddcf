//! What do the array, hash and range ops do, in place and shared?

use super::super::{Excess, Str, collection, number};
use super::*;
use std::collections::VecDeque;

fn set(array: &mut Value, index: i64, value: Value) -> Result<(), Excess> {
    collection::array_set(array, &Value::Int(index), value, &mut plenty())
}

#[test]
fn reading_what_is_not_there_gives_undef() {
    let array = ints([10, 20]);
    for (index, found) in [
        (Value::Int(1), Value::Int(20)),
        (Value::str("1"), Value::Int(20)),
        (Value::Float(1.9), Value::Int(20)),
        (Value::Float(-0.5), Value::Int(10)),
        (Value::Int(2), Value::Undef),
        (Value::Int(-1), Value::Undef),
        (Value::Int(i64::MIN), Value::Undef),
    ] {
        assert_eq!(*collection::array_get(&array, &index), found, "{index:?}");
    }
    let text = Value::str("abc");
    assert_eq!(*collection::array_get(&text, &Value::Int(0)), Value::Undef);
}

#[test]
fn storing_past_the_end_fills_with_undef() {
    let mut array = ints([1]);
    set(&mut array, 3, Value::Int(4)).unwrap();
    let expected = vec![Value::Int(1), Value::Undef, Value::Undef, Value::Int(4)];
    assert_eq!(array, Value::array(expected));
}

#[test]
fn storing_at_a_negative_index_is_refused() {
    let mut array = ints([1]);
    let index = -1;
    let refused = set(&mut array, index, Value::Undef);
    assert_eq!(refused, Err(Excess::NegativeIndex { index }));
    assert_eq!(array, ints([1]));
}

#[test]
fn storing_far_past_the_end_is_refused() {
    let mut array = ints([1]);
    for index in [1 << 27, i64::MAX] {
        let refused = set(&mut array, index, Value::Undef);
        assert!(matches!(refused, Err(Excess::ValueTooLarge { .. })));
    }
    assert_eq!(array, ints([1]));
}

#[test]
fn ops_on_a_variable_that_holds_no_collection_have_no_effect() {
    let work = &mut plenty();
    for other in [Value::Undef, Value::Int(3), Value::str("abc")] {
        let mut value = other.clone();
        assert_eq!(set(&mut value, -1, Value::Int(1)), Ok(()));
        assert_eq!(
            collection::array_push(&mut value, Value::Int(1), work),
            Ok(())
        );
        assert_eq!(collection::array_pop(&mut value), Value::Undef);
        assert_eq!(collection::array_shift(&mut value), Value::Undef);
        assert_eq!(collection::array_len(&value), 0);
        let key = Value::str("k");
        assert_eq!(
            collection::hash_set(&mut value, &key, Value::Int(1), work),
            Ok(())
        );
        assert_eq!(collection::hash_get(&value, &key, work), Ok(&Value::Undef));
        assert_eq!(
            collection::hash_delete(&mut value, &key, work),
            Ok(Value::Undef)
        );
        assert_eq!(collection::hash_exists(&value, &key, work), Ok(false));
        assert_eq!(collection::hash_keys(&value, work), Ok(ints([])));
        assert_eq!(collection::hash_values(&value, work), Ok(ints([])));
        assert_eq!(value, other);
        collection::make_array_in_place(&mut value);
        assert_eq!(value, ints([]));
    }
}

#[test]
fn a_write_to_a_shared_collection_leaves_the_other_owner_alone() {
    let work = &mut plenty();
    let mut array = ints([1, 2]);
    let kept = array.clone();
    set(&mut array, 0, Value::Int(9)).unwrap();
    assert_eq!(collection::array_pop(&mut array), Value::Int(2));
    assert_eq!((array, kept), (ints([9]), ints([1, 2])));

    let mut hash = map([("a", Value::Int(1))]);
    let kept = hash.clone();
    collection::hash_set(&mut hash, &Value::str("b"), Value::Int(2), work).unwrap();
    collection::hash_delete(&mut hash, &Value::str("a"), work).unwrap();
    assert_eq!(hash, map([("b", Value::Int(2))]));
    assert_eq!(kept, map([("a", Value::Int(1))]));
}

#[test]
fn keys_are_string_forms_in_order_of_insertion() {
    let work = &mut plenty();
    let mut hash = map([]);
    let keys = [
        Value::Int(10),
        Value::str("a"),
        Value::Undef,
        ints([1, 2]),
        Value::Float(10.0),
    ];
    for (i, key) in keys.iter().enumerate() {
        collection::hash_set(&mut hash, key, Value::Int(i as i64), work).unwrap();
    }
    let texts = ["10", "a", "", "1 2"].map(Value::str).to_vec();
    assert_eq!(collection::hash_keys(&hash, work), Ok(Value::array(texts)));
    assert_eq!(collection::hash_values(&hash, work), Ok(ints([4, 1, 2, 3])));
    let gone = collection::hash_delete(&mut hash, &Value::str("10"), work);
    assert_eq!(gone, Ok(Value::Int(4)));
    let texts = ["1 2", "a", ""].map(Value::str).to_vec();
    assert_eq!(collection::hash_keys(&hash, work), Ok(Value::array(texts)));
}

#[test]
fn made_from_the_stack() {
    let work = &mut plenty();
    let array = collection::make_array([1, 2].map(Value::Int).into_iter(), work);
    assert_eq!(array, Ok(ints([1, 2])));
    let items = [
        Value::str("a"),
        Value::Int(1),
        Value::str("b"),
        Value::Int(2),
        Value::str("a"),
        Value::Int(3),
    ];
    let hash = collection::make_hash(items[..5].iter().cloned(), work);
    let expected = map([("a", Value::Int(1)), ("b", Value::Int(2))]);
    assert_eq!(hash, Ok(expected));
    let hash = collection::make_hash(items.into_iter(), work);
    let expected = map([("a", Value::Int(3)), ("b", Value::Int(2))]);
    assert_eq!(hash, Ok(expected));
}

#[test]
fn ranges() {
    let work = &mut plenty();
    let mut range = |from, to| collection::range(&Value::Int(from), &Value::Int(to), work);
    assert_eq!(range(-1, 2), Ok(ints([-1, 0, 1, 2])));
    assert_eq!(range(2, 2), Ok(ints([2])));
    assert_eq!(range(2, 1), Ok(ints([])));
    assert_eq!(
        range(i64::MAX - 1, i64::MAX),
        Ok(ints([i64::MAX - 1, i64::MAX]))
    );
    assert!(matches!(
        range(0, 1 << 62),
        Err(Excess::ValueTooLarge { .. })
    ));
    assert!(matches!(
        range(i64::MIN, i64::MAX),
        Err(Excess::ValueTooLarge { .. })
    ));
    let all = collection::range(
        &Value::Int(i64::MIN),
        &Value::Int(i64::MAX),
        &mut Work::unlimited(),
    );
    assert!(matches!(all, Err(Excess::ValueTooLarge { .. })));
}

#[test]
fn ranges_with_a_step() {
    let work = &mut plenty();
    let mut range = |from, to, step| {
        collection::range_step(&Value::Int(from), &Value::Int(to), &Value::Int(step), work)
    };
    assert_eq!(range(0, 7, 3), Ok(ints([0, 3, 6])));
    assert_eq!(range(7, 0, -3), Ok(ints([7, 4, 1])));
    assert_eq!(range(0, 7, -1), Ok(ints([])));
    assert_eq!(range(0, 0, -1), Ok(ints([0])));
    assert_eq!(range(0, 7, 0), Ok(ints([])));
    assert_eq!(
        range(i64::MIN, i64::MAX, i64::MAX),
        Ok(ints([i64::MIN, -1, i64::MAX - 1]))
    );
    assert_eq!(
        range(i64::MAX, i64::MIN, i64::MIN),
        Ok(ints([i64::MAX, -1]))
    );
}

#[test]
fn collections_in_a_pattern_are_used_as_vectors_and_maps() {
    let mut value = Value::array(vec![Value::Int(1), map([("x", Value::Int(2))])]);
    if let Value::Array(array) = &mut value {
        assert_eq!((array.len(), array[0].to_int()), (2, 1));
        if let Value::Hash(hash) = &mut array[1] {
            assert_eq!(hash.get("x").map(Value::to_int), Some(2));
            hash.insert("y".to_string(), Value::Undef);
            assert!(hash.contains_key("y") && hash.remove(&String::from("y")).is_some());
        }
        array.extend([Value::Undef]);
        array.insert(0, Value::str("a"));
        assert_eq!(array.remove(0), Value::str("a"));
        array.truncate(2);
        assert_eq!(array.first(), Some(&Value::Int(1)));
        array.iter_mut().for_each(|item| *item = number::inc(item));
    }
    assert_eq!(value, ints([2, 1]));
    let Value::Array(array) = value else { panic!() };
    let shared = array.clone();
    assert_eq!(array.into_iter().count(), 2);
    assert_eq!(format!("{shared:?}"), "Array([Int(2), Int(1)])");
    let Value::Hash(hash) = map([("x", Value::Int(2))]) else {
        panic!()
    };
    let entries: Vec<(Str, Value)> = hash.clone().into_iter().collect();
    assert_eq!(entries, [(Str::from("x"), Value::Int(2))]);
    assert_eq!(hash.len(), 1);
}

#[test]
fn sorting_is_by_string_form_and_stable() {
    let work = &mut plenty();
    let mixed = vec![
        Value::Int(10),
        Value::str("9"),
        Value::Float(9.0),
        Value::Undef,
        ints([1, 2]),
    ];
    let sorted = vec![
        Value::Undef,
        ints([1, 2]),
        Value::Int(10),
        Value::str("9"),
        Value::Float(9.0),
    ];
    let kept = Value::array(mixed.clone());
    assert_eq!(
        collection::sort_default(kept.clone(), work),
        Ok(Value::array(sorted))
    );
    assert_eq!(kept, Value::array(mixed));
    assert_eq!(
        collection::sort_default(Value::Int(3), work),
        Ok(Value::Int(3))
    );
}

#[test]
fn words_of_nested_arrays() {
    let arguments = [
        Value::str("ls"),
        Value::array(vec![ints([1, 2]), ints([]), Value::bytes(*b"\xff")]),
        Value::Undef,
        map([]),
    ];
    let words = collection::flatten(&arguments, &mut plenty()).unwrap();
    let expected: [&[u8]; 6] = [b"ls", b"1", b"2", b"\xff", b"", b"(hash)"];
    assert_eq!(
        words.iter().map(Str::as_bytes).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn shifting_a_long_array_is_fast() {
    let mut array = ints(0..200_000);
    for i in 0..200_000 {
        assert_eq!(collection::array_shift(&mut array), Value::Int(i));
    }
    assert_eq!(collection::array_shift(&mut array), Value::Undef);
}

#[derive(Debug, Clone)]
enum Step {
    Push(i64),
    Pop,
    Shift,
    Set(i64, i64),
    Share,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<i64>().prop_map(Step::Push),
        1 => Just(Step::Pop),
        3 => Just(Step::Shift),
        2 => (0i64..40, any::<i64>()).prop_map(|(at, n)| Step::Set(at, n)),
        1 => Just(Step::Share),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn an_array_is_a_queue_and_a_stack(steps in steps()) {
        let mut model: VecDeque<Value> = VecDeque::new();
        let mut array = ints([]);
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Push(n) => {
                    model.push_back(Value::Int(n));
                    collection::array_push(&mut array, Value::Int(n), &mut plenty()).unwrap();
                }
                Step::Pop => prop_assert_eq!(
                    collection::array_pop(&mut array), model.pop_back().unwrap_or_default()),
                Step::Shift => prop_assert_eq!(
                    collection::array_shift(&mut array), model.pop_front().unwrap_or_default()),
                Step::Set(at, n) => {
                    model.resize(model.len().max(at as usize + 1), Value::Undef);
                    model[at as usize] = Value::Int(n);
                    set(&mut array, at, Value::Int(n)).unwrap();
                }
                Step::Share => kept.push((array.clone(), model.clone())),
            }
            prop_assert_eq!(collection::array_len(&array), model.len() as i64);
        }
        kept.push((array, model));
        for (array, model) in kept {
            prop_assert_eq!(array, Value::array(model.into()));
        }
    }

    #[test]
    fn deleting_moves_the_last_entry_into_the_gap(steps in prop::collection::vec((0u8..12, any::<bool>()), 0..80)) {
        let work = &mut plenty();
        let mut model: Vec<(Value, Value)> = Vec::new();
        let mut hash = map([]);
        for (i, (key, set)) in steps.into_iter().enumerate() {
            let (key, value) = (Value::str(format!("k{key}")), Value::Int(i as i64));
            let place = model.iter().position(|(k, _)| *k == key);
            prop_assert_eq!(collection::hash_exists(&hash, &key, work), Ok(place.is_some()));
            match (set, place) {
                (true, Some(place)) => model[place].1 = value.clone(),
                (true, None) => model.push((key.clone(), value.clone())),
                (false, Some(place)) => drop(model.swap_remove(place)),
                (false, None) => {}
            }
            if set {
                collection::hash_set(&mut hash, &key, value, work).unwrap();
            } else {
                collection::hash_delete(&mut hash, &key, work).unwrap();
            }
        }
        let (keys, values): (Vec<_>, Vec<_>) = model.into_iter().unzip();
        prop_assert_eq!(collection::hash_keys(&hash, work), Ok(Value::array(keys)));
        prop_assert_eq!(collection::hash_values(&hash, work), Ok(Value::array(values)));
    }

    #[test]
    fn a_sorted_array_is_what_a_stable_sort_gives(items in prop::collection::vec(values(), 0..20)) {
        let mut expected = items.clone();
        expected.sort_by(|a, b| a.to_bytes_cow().cmp(&b.to_bytes_cow()));
        let sorted = collection::sort_default(Value::array(items), &mut plenty());
        prop_assert_eq!(sorted, Ok(Value::array(expected)));
    }

    #[test]
    fn a_range_is_what_counting_gives(from in -50i64..50, to in -50i64..50, step in -9i64..9) {
        let mut expected = Vec::new();
        let mut next = from;
        while step > 0 && next <= to || step < 0 && next >= to {
            expected.push(next);
            next += step;
        }
        let range = collection::range_step(
            &Value::Int(from), &Value::Int(to), &Value::Int(step), &mut plenty());
        prop_assert_eq!(range, Ok(ints(expected)));
    }
}
