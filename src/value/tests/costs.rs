//! Does each op cost what the table says, to the unit, whoever shares its operands?

use super::super::{Excess, collection, compare, convert, string};
use super::*;

/// The units that `op` takes. It must pass with exactly these, and not with one less.
fn cost<R>(op: impl Fn(&mut Work) -> Result<R, Excess>) -> u64 {
    let mut work = plenty();
    assert!(op(&mut work).is_ok());
    let units = work.done;
    assert_eq!(work.limit, plenty().limit - units);
    assert!(op(&mut Work::new(u64::MAX, units)).is_ok());
    if units > 0 {
        let short = op(&mut Work::new(u64::MAX, units - 1));
        assert!(matches!(short, Err(Excess::Work)));
    }
    units
}

/// Taking its form visits 5 elements and makes 5 bytes, "1 2 3".
fn nested() -> Value {
    Value::array(vec![Value::Int(1), Value::array(vec![ints([2, 3])])])
}

#[test]
fn string_forms() {
    let form = |value: Value| cost(move |work| convert::Form::of(&value, work).map(drop));
    assert_eq!(form(Value::str("abc")), 0);
    assert_eq!(form(Value::Float(1e300)), 0);
    assert_eq!(form(nested()), 5 + 5);
    assert_eq!(form(ints([])), 0);
    let written =
        |value: Value| cost(move |work| convert::append_form(&value, &mut Vec::new(), work));
    assert_eq!(written(Value::str("abc")), 3);
    assert_eq!(written(Value::Int(-10)), 3);
    assert_eq!(written(nested()), 5 + 5);
}

#[test]
fn strings() {
    let concat = |a: Value, b: Value| cost(move |work| string::concat(a.clone(), &b, work));
    assert_eq!(concat(Value::str("abcdef"), Value::str("xy")), 2);
    assert_eq!(concat(Value::str("a"), Value::Int(123)), 3);
    assert_eq!(concat(nested(), nested()), 10 + 10 + 5);
    let repeat = |s: Value, n| cost(move |work| string::repeat(&s, &Value::Int(n), work));
    assert_eq!(repeat(Value::str("ab"), 7), 14);
    assert_eq!(repeat(Value::str("ab"), -7), 0);
    assert_eq!(repeat(nested(), 2), 10 + 10);
}

#[test]
fn comparisons() {
    let compare = |a: Value, b: Value| {
        let units = cost(|work| compare::str_cmp(&a, &b, work));
        for op in [compare::str_eq, compare::str_ne, compare::str_lt] {
            assert_eq!(cost(|work| op(&a, &b, work)), units);
        }
        for op in [compare::str_gt, compare::str_le, compare::str_ge] {
            assert_eq!(cost(|work| op(&a, &b, work)), units);
        }
        units
    };
    assert_eq!(compare(Value::str("abc"), Value::str("abcd")), 3);
    assert_eq!(compare(Value::str("x"), Value::str("abcd")), 1);
    assert_eq!(compare(Value::Int(12), Value::str("abcd")), 2);
    assert_eq!(compare(nested(), Value::str("1")), 10 + 1);
    let same = Value::str("abc");
    assert_eq!(compare(same.clone(), same), 3);
}

#[test]
fn arrays() {
    let set = |at| {
        cost(move |work| {
            collection::array_set(&mut ints([1, 2]), &Value::Int(at), Value::Undef, work)
        })
    };
    assert_eq!([set(0), set(1), set(2), set(3), set(10)], [0, 0, 0, 1, 8]);
    let push = |work: &mut Work| collection::array_push(&mut ints([1]), Value::Undef, work);
    assert_eq!(cost(push), 0);
    let make = |work: &mut Work| collection::make_array([1, 2].map(Value::Int).into_iter(), work);
    assert_eq!(cost(make), 2);
    let range = |work: &mut Work| collection::range(&Value::Int(1), &Value::Int(10), work);
    assert_eq!(cost(range), 10);
}

#[test]
fn hashes() {
    let hash = || map([("a", Value::Int(1)), ("b", Value::Int(2))]);
    let key = Value::str("key");
    assert_eq!(
        cost(|work| collection::hash_get(&hash(), &key, work).cloned()),
        3
    );
    assert_eq!(
        cost(|work| collection::hash_exists(&hash(), &nested(), work)),
        10 + 5
    );
    assert_eq!(
        cost(|work| collection::hash_delete(&mut hash(), &key, work)),
        3
    );
    assert_eq!(
        cost(|work| collection::hash_set(&mut hash(), &key, Value::Undef, work)),
        3
    );
    assert_eq!(
        cost(|work| collection::hash_get(&Value::Undef, &key, work).cloned()),
        0
    );
    assert_eq!(cost(|work| collection::hash_keys(&hash(), work)), 2);
    assert_eq!(cost(|work| collection::hash_values(&hash(), work)), 2);
    let items = [
        key.clone(),
        Value::Undef,
        nested(),
        Value::Undef,
        key.clone(),
    ];
    let make = |work: &mut Work| collection::make_hash(items.clone().into_iter(), work);
    assert_eq!(cost(make), 2 + 3 + 15);
}

#[test]
fn sorting_and_words() {
    let items = Value::array(vec![Value::str("abc"), Value::Int(12), nested()]);
    let sort = |work: &mut Work| collection::sort_default(items.clone(), work);
    assert_eq!(cost(sort), 2 + 10 + (3 + 3 + 2 + 5) * 2);
    let one = |work: &mut Work| collection::sort_default(ints([7]), work);
    assert_eq!(cost(one), 1 + (1 + 1));
    let none = |work: &mut Work| collection::sort_default(ints([]), work);
    assert_eq!(cost(none), 0);
    let words = |work: &mut Work| collection::flatten(&[Value::str("ls"), nested()], work);
    assert_eq!(cost(words), (1 + 2) + 1 + 5 + 3);
}

#[test]
fn a_value_may_be_as_large_as_the_limit_and_no_larger() {
    let work = || Work::new(48, u64::MAX);
    let mut array = ints([1, 2]);
    assert!(collection::array_push(&mut array, Value::Undef, &mut work()).is_ok());
    let too_large = |wanted| Excess::ValueTooLarge { wanted, limit: 48 };
    let pushed = collection::array_push(&mut array, Value::Undef, &mut work());
    assert_eq!(pushed, Err(too_large(64)));
    let mut hash = map([("a", Value::Int(1))]);
    let mut set =
        |key| collection::hash_set(&mut hash, &Value::str(key), Value::Undef, &mut work());
    assert_eq!(set("a"), Ok(()));
    assert_eq!(set("b"), Err(too_large(96)));
    let half = Value::bytes(vec![b'x'; 24]);
    assert!(string::concat(half.clone(), &half, &mut work()).is_ok());
    let half_and_more = Value::bytes(vec![b'x'; 25]);
    assert_eq!(
        string::concat(half, &half_and_more, &mut work()),
        Err(too_large(49))
    );
    let words = collection::flatten(&[1, 2, 3].map(Value::Int), &mut work());
    assert_eq!(words, Err(too_large(51)));
}

#[test]
fn every_excess_has_its_code() {
    let limit = 1;
    for (excess, name) in [
        (Excess::ValueTooLarge { wanted: 2, limit }, "ValueTooLarge"),
        (Excess::Work, "OutOfFuel"),
        (Excess::NegativeIndex { index: -1 }, "NegativeIndex"),
    ] {
        assert_eq!(excess.code().name(), name);
        assert!(!excess.to_string().is_empty());
    }
}

proptest! {
    /// A clone shares its buffers; a copy through the serde form shares none.
    #[test]
    fn costs_do_not_depend_on_sharing(a in values(), b in values()) {
        let copy: Value = bincode::deserialize(&bincode::serialize(&a).unwrap()).unwrap();
        let units = |a: Value| {
            let mut work = plenty();
            string::concat(a.clone(), &b, &mut work).unwrap();
            collection::sort_default(a, &mut work).unwrap();
            work.done
        };
        prop_assert_eq!(units(a.clone()), units(copy));
    }
}
