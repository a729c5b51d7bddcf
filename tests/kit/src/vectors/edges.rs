//! The values at which meanings part: extremes of every kind, and texts that look like numbers.

use fusevm::{Value, value::Map};

/// Integers.
pub(super) const INTS: [i64; 9] = [0, 1, -1, 7, 63, 64, (1 << 53) + 1, i64::MAX, i64::MIN];

/// Floats.
pub(super) const FLOATS: [f64; 11] = [
    0.0,
    -0.0,
    1.0,
    -2.5,
    1e21,
    5e-324,
    0.1,
    9.3e18,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// Texts; some look like numbers, some are no UTF-8.
pub(super) const TEXTS: [&[u8]; 17] = [
    b"",
    b"0",
    b"00",
    b"0.0",
    b"-12",
    b"+5",
    b" 7",
    b"3.5",
    b".5",
    b"1e3",
    b"nan",
    b"-inf",
    b"9223372036854775808",
    b"abc",
    b"abd",
    b"\xc3\xa4",
    b"\xff\x00",
];

/// All of them, and a few of each other kind.
pub(super) fn values() -> Vec<Value> {
    let mut values = vec![Value::Undef, Value::bool(false), Value::bool(true)];
    values.extend(INTS.map(Value::int));
    values.extend(FLOATS.map(Value::float));
    values.extend(TEXTS.map(Value::bytes));
    values.extend([0, 1, -1].map(Value::status));
    values.push(Value::NativeFn(7));
    values.extend(collections());
    values.push(Value::reference(Value::int(3)));
    values
}

/// One or two of each kind, for ops with many operands.
pub(super) fn few() -> Vec<Value> {
    vec![
        Value::Undef,
        Value::bool(true),
        Value::int(-3),
        Value::int(2),
        Value::float(2.5),
        Value::str("4"),
        Value::str("x"),
        Value::status(1),
        Value::array(vec![Value::int(1)]),
        Value::map(Map::new()),
    ]
}

/// Arrays and hashes: empty, plain, nested.
pub(super) fn collections() -> Vec<Value> {
    let mut map = Map::new();
    map.insert("k", Value::int(1));
    map.insert("", Value::Undef);
    let nested = vec![
        Value::array(vec![Value::int(1), Value::str("b")]),
        Value::map(map.clone()),
        Value::float(-0.0),
    ];
    vec![
        Value::array(Vec::new()),
        Value::array(vec![Value::int(10), Value::str("9"), Value::float(9.5)]),
        Value::array(nested),
        Value::map(Map::new()),
        Value::map(map),
    ]
}
