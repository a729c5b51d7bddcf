//! Whether two values are the same to a program: kind, contents, the bits of floats, the order of a
//! hash's entries. `==` leaves out the last two.

use fusevm::Value;
use std::collections::HashSet;

/// What has to be compared within two values that look alike from outside.
enum Inside<'a> {
    Nothing,
    Values(Vec<(&'a Value, &'a Value)>),
    Different,
}

/// Whether two values are the same. Nests may be of any depth and sharing: a pair of values that was
/// looked into before is not looked into again.
pub fn same(a: &Value, b: &Value) -> bool {
    let mut seen: HashSet<(*const Value, *const Value)> = HashSet::new();
    let mut pending = vec![(a, b)];
    while let Some((a, b)) = pending.pop() {
        match inside(a, b) {
            Inside::Nothing => {}
            Inside::Different => return false,
            // Copies of an array share its elements, so their places tell what was seen.
            Inside::Values(pairs) => match pairs.first() {
                Some((a, b)) if seen.insert((*a, *b)) => pending.extend(pairs),
                _ => {}
            },
        }
    }
    true
}

/// Whether two lists of values are the same, one by one.
pub fn all_same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn inside<'a>(a: &'a Value, b: &'a Value) -> Inside<'a> {
    let scalars = |same: bool| {
        if same {
            Inside::Nothing
        } else {
            Inside::Different
        }
    };
    match (a, b) {
        // Which NaN it is can't be seen.
        (Value::Float(a), Value::Float(b)) => {
            scalars(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            Inside::Values(a.iter().zip(b.iter()).collect())
        }
        (Value::Hash(a), Value::Hash(b)) if a.keys().eq(b.keys()) => {
            Inside::Values(a.values().zip(b.values()).collect())
        }
        (Value::Ref(a), Value::Ref(b)) => Inside::Values(vec![(a, b)]),
        (Value::Array(_) | Value::Hash(_) | Value::Ref(_), _) => Inside::Different,
        (a, b) => scalars(a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusevm::value::Map;

    #[test]
    fn sameness_is_stricter_than_equality() {
        assert!(!same(&Value::float(0.0), &Value::float(-0.0)));
        assert!(same(&Value::float(f64::NAN), &Value::float(-f64::NAN)));
        assert!(!same(&Value::int(1), &Value::float(1.0)));
        assert!(!same(&Value::int(1), &Value::array(vec![Value::int(1)])));
        let map = |keys: [&str; 2]| {
            let mut map = Map::new();
            for key in keys {
                map.insert(key, Value::Undef);
            }
            Value::map(map)
        };
        assert!(same(&map(["a", "b"]), &map(["a", "b"])));
        assert!(!same(&map(["a", "b"]), &map(["b", "a"])));
    }

    #[test]
    fn shared_nests_are_looked_into_once() {
        let grow = || (0..200).fold(Value::int(1), |v, _| Value::array(vec![v.clone(), v]));
        assert!(same(&grow(), &grow()));
    }
}
