//! Tests of the values, a file for each question.

mod blobs;
mod collections;
mod containers;
mod conversions;
mod costs;
mod memory;
mod nests;
mod numbers;
mod strings;

use super::{Map, Value, Work};
use proptest::prelude::*;

/// A budget that no test of meaning reaches.
fn plenty() -> Work {
    Work::new(1 << 30, 1 << 40)
}

fn ints(items: impl IntoIterator<Item = i64>) -> Value {
    Value::array(items.into_iter().map(Value::Int).collect())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::map(entries.into_iter().collect())
}

/// A value of every kind, the interesting ones among them.
fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Undef),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-3i64..12).prop_map(Value::Int),
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX]).prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        prop::sample::select(vec![
            0.0,
            -0.0,
            1.0,
            1e21,
            5e-324,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY
        ])
        .prop_map(Value::Float),
        any::<i32>().prop_map(Value::Status),
        any::<u16>().prop_map(Value::NativeFn),
        "[ -~]{0,6}".prop_map(Value::str),
        "[-+]?[0-9]{1,20}([.][0-9]*)?".prop_map(Value::str),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::bytes),
    ]
}

/// Values with nests of all kinds. NaN is left out: it differs from itself.
fn values() -> impl Strategy<Value = Value> {
    let leaf = scalars().prop_filter("NaN", |v| !matches!(v, Value::Float(f) if f.is_nan()));
    leaf.prop_recursive(4, 48, 6, |inner| {
        let entries = prop::collection::vec(("[a-c]{0,2}", inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::array),
            entries.prop_map(|entries| Value::map(entries.into_iter().collect::<Map>())),
            inner.prop_map(Value::reference),
        ]
    })
}
