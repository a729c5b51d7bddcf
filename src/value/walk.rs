//! Walks over nests of values that don't recurse: drop, `==`, `Hash`, `Debug`.
//!
//! A nest may be a million levels deep, and shared so that it has 2^60 paths. Dropping visits each
//! buffer once; `==` remembers the pairs of buffers that it has seen; `Hash` and `Debug` look at a
//! bounded number of nodes.

use super::entries::Entries;
use super::{Array, Hash, Ref, Str, Value};
use smallvec::{SmallVec, smallvec};
use std::collections::HashSet;
use std::fmt;
use std::hash::Hasher;
use std::iter::Enumerate;

/// How many nodes `Hash` looks at. Values that are equal are equal in these.
const HASHED_NODES: usize = 256;

/// How many levels and nodes `Debug` shows before it writes `…`.
const SHOWN_DEPTH: usize = 16;
const SHOWN_NODES: usize = 1024;

/// How many bytes of a string `Debug` shows before it writes `…`.
const SHOWN_BYTES: usize = 4096;

/// Whether the value's buffer holds other values.
#[inline]
fn holds_values(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Hash(_) | Value::Ref(_))
}

/// Drops the elements of an array whose buffer is going away.
#[inline]
pub(super) fn bury_items(items: &mut Vec<Value>) {
    if items.iter().any(holds_values) {
        bury_all(std::mem::take(items));
    }
}

/// Drops the entries of a table that is going away.
#[inline]
pub(super) fn bury_entries(entries: &mut Entries) {
    if entries.values().any(holds_values) {
        bury_all(
            std::mem::take(entries)
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
        );
    }
}

/// Drops the value behind a reference that is going away.
#[inline]
pub(super) fn bury(value: Value) {
    if holds_values(&value) {
        bury_all(vec![value]);
    }
}

/// Drops values with a list of what is still to be dropped in the place of recursion: a buffer is
/// emptied before it is freed, so freeing it drops nothing but itself.
#[cold]
fn bury_all(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(array) => {
                if let Some(items) = array.into_last_items() {
                    pending.extend(items.into_iter().filter(holds_values));
                }
            }
            Value::Hash(hash) => {
                if let Some(entries) = hash.into_last_entries() {
                    pending.extend(
                        entries
                            .into_iter()
                            .map(|(_, value)| value)
                            .filter(holds_values),
                    );
                }
            }
            Value::Ref(reference) => pending.extend(reference.into_last_value()),
            Value::Undef
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Status(_)
            | Value::NativeFn(_)
            | Value::Str(_) => {}
        }
    }
}

/// The elements of an array with those of the arrays among them, depth first: each with its place
/// in its own array, a nested array before its elements.
pub(super) struct Descent<'a> {
    /// Few values lie deep: those that don't need no memory.
    levels: SmallVec<[Enumerate<std::slice::Iter<'a, Value>>; 2]>,
}

impl<'a> Descent<'a> {
    pub(super) fn into(array: &'a [Value]) -> Descent<'a> {
        Descent {
            levels: smallvec![array.iter().enumerate()],
        }
    }
}

impl<'a> Iterator for Descent<'a> {
    type Item = (usize, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.levels.last_mut()?.next() {
                None => {
                    self.levels.pop();
                }
                Some((place, item)) => {
                    if let Value::Array(nested) = item {
                        self.levels.push(nested.iter().enumerate());
                    }
                    return Some((place, item));
                }
            }
        }
    }
}

/// What comparing two values without looking into them says.
enum Shallow<'a> {
    Known(bool),
    Arrays(&'a Array, &'a Array),
    Hashes(&'a Hash, &'a Hash),
    Refs(&'a Ref, &'a Ref),
}

fn compare_shallow<'a>(a: &'a Value, b: &'a Value) -> Shallow<'a> {
    match (a, b) {
        (Value::Undef, Value::Undef) => Shallow::Known(true),
        (Value::Bool(a), Value::Bool(b)) => Shallow::Known(a == b),
        (Value::Int(a), Value::Int(b)) => Shallow::Known(a == b),
        (Value::Float(a), Value::Float(b)) => Shallow::Known(a == b),
        (Value::Status(a), Value::Status(b)) => Shallow::Known(a == b),
        (Value::NativeFn(a), Value::NativeFn(b)) => Shallow::Known(a == b),
        (Value::Str(a), Value::Str(b)) => Shallow::Known(a == b),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => Shallow::Arrays(a, b),
        (Value::Hash(a), Value::Hash(b)) if a.len() == b.len() => Shallow::Hashes(a, b),
        (Value::Ref(a), Value::Ref(b)) => Shallow::Refs(a, b),
        _ => Shallow::Known(false),
    }
}

/// `a == b` for Rust: same kind, same contents; the order of a hash's entries doesn't matter.
///
/// A pair of buffers that was seen before is not looked into again: it was equal, or the answer is
/// already "no".
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    if let Shallow::Known(answer) = compare_shallow(a, b) {
        return answer;
    }
    let mut seen: HashSet<(usize, usize)> = HashSet::new();
    let mut pending = vec![(a, b)];
    while let Some((a, b)) = pending.pop() {
        match compare_shallow(a, b) {
            Shallow::Known(true) => {}
            Shallow::Known(false) => return false,
            Shallow::Arrays(a, b) => {
                if seen.insert((a.address(), b.address())) {
                    pending.extend(a.iter().zip(b.iter()));
                }
            }
            Shallow::Hashes(a, b) => {
                if seen.insert((a.address(), b.address())) {
                    for (key, value) in a.iter() {
                        match b.get(key) {
                            Some(other) => pending.push((value, other)),
                            None => return false,
                        }
                    }
                }
            }
            Shallow::Refs(a, b) => {
                if seen.insert((a.address(), b.address())) {
                    pending.push((a, b));
                }
            }
        }
    }
    true
}

/// Hashes the kind and contents of the first nodes of a nest, depth first. Of a hash only the
/// number of entries counts, as equal ones may differ in order.
pub(super) fn hash_into<H: Hasher>(value: &Value, state: &mut H) {
    let mut left = HASHED_NODES;
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        if left == 0 {
            return;
        }
        left -= 1;
        state.write_u8(value.tag());
        match value {
            Value::Undef => {}
            Value::Bool(b) => state.write_u8(u8::from(*b)),
            Value::Int(n) => state.write_i64(*n),
            // The two zeros are equal, so they hash alike.
            Value::Float(f) => state.write_u64(if *f == 0.0 { 0 } else { f.to_bits() }),
            Value::Status(code) => state.write_i32(*code),
            Value::NativeFn(id) => state.write_u16(*id),
            Value::Str(s) => std::hash::Hash::hash(s, state),
            Value::Array(array) => {
                state.write_usize(array.len());
                pending.extend(array.iter().take(left).rev());
            }
            Value::Hash(hash) => state.write_usize(hash.len()),
            Value::Ref(reference) => pending.push(reference),
        }
    }
}

/// Writes a value as a derived `Debug` would, up to a bound of levels and nodes.
pub(super) fn debug(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut left = SHOWN_NODES;
    write_debug(value, SHOWN_DEPTH, &mut left, f)
}

/// The recursion is bounded by `depth`.
fn write_debug(
    value: &Value,
    depth: usize,
    left: &mut usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if depth == 0 || *left == 0 {
        return f.write_str("…");
    }
    *left -= 1;
    match value {
        Value::Undef => f.write_str("Undef"),
        Value::Bool(b) => write!(f, "Bool({b})"),
        Value::Int(n) => write!(f, "Int({n})"),
        Value::Float(x) => write!(f, "Float({x:?})"),
        Value::Status(code) => write!(f, "Status({code})"),
        Value::NativeFn(id) => write!(f, "NativeFn({id})"),
        Value::Str(s) => {
            f.write_str("Str(")?;
            write_debug_str(s, f)?;
            f.write_str(")")
        }
        Value::Array(array) => {
            f.write_str("Array([")?;
            for (i, item) in array.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                if *left == 0 {
                    f.write_str("…")?;
                    break;
                }
                write_debug(item, depth - 1, left, f)?;
            }
            f.write_str("])")
        }
        Value::Hash(hash) => {
            f.write_str("Hash({")?;
            for (i, (key, item)) in hash.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                if *left == 0 {
                    f.write_str("…")?;
                    break;
                }
                write_debug_str(key, f)?;
                f.write_str(": ")?;
                write_debug(item, depth - 1, left, f)?;
            }
            f.write_str("})")
        }
        Value::Ref(reference) => {
            f.write_str("Ref(")?;
            write_debug(reference, depth - 1, left, f)?;
            f.write_str(")")
        }
    }
}

fn write_debug_str(s: &Str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if s.len() <= SHOWN_BYTES {
        return write!(f, "{s:?}");
    }
    let start = s.as_bytes()[..SHOWN_BYTES].escape_ascii();
    write!(f, "b\"{start}\"…")
}
