//! The values of the VM and what ops mean on them.
//!
//! [`Value`] is 16 bytes, `Send + Sync`: scalars inline, all else behind one counted pointer that is
//! copied on write. What an op means is a plain function in [`number`], [`compare`], [`string`] or
//! [`collection`], which the interpreters, the JIT's helpers and constant folding call. Here is no
//! I/O and no knowledge of frames or code.
//!
//! # What ops cost
//!
//! Bulk work is counted in units, a byte or an element each, and drawn from a [`Work`] budget. What
//! an op costs follows from its operands' values alone, never from who shares a buffer or how large
//! its capacity is. (So the copy that a write to a shared buffer makes is not counted.) Sizes are
//! checked before work is drawn.
//!
//! *Taking* the string form of a value is free, but for an array: one unit for each element
//! visited, those of nested arrays included, and one for each byte of the form. *Writing* the
//! string form costs one unit for each byte, and for an array also one for each element visited.
//!
//! | Op | Units |
//! |---|---|
//! | `Concat` | taking both forms, and the bytes of the right one |
//! | `StringRepeat` | taking the form, and the bytes of the result |
//! | `StrEq` `StrNe` `StrLt` `StrGt` `StrLe` `StrGe` `StrCmp` | taking both forms, and the bytes of the shorter one |
//! | `ArraySet` `SlotArraySet` | each Undef that fills the gap before the index |
//! | `MakeArray` `Range` `RangeStep` `HashKeys` `HashValues` | each element of the result |
//! | `HashGet` `HashSet` `HashDelete` `HashExists` | taking the key's form, and its bytes; nothing where the variable holds no hash |
//! | `MakeHash` | each pair, and for each key that has a value what `HashSet` costs |
//! | `SortDefault` | writing the forms of the elements that are no strings; then the number of elements plus the bytes of all forms, times the binary digits of the number of elements |
//! | the words of `Exec` | each value visited, those of nested arrays included, and each byte of the words |
//! | `Print` `PrintLn` | writing the forms |
//! | all other ops on values | nothing |
//!
//! The size of a single value, held to [`Work::max_value`], is the bytes of a string, 16 for each
//! element of an array, 48 for each entry of a hash; what elements refer to doesn't count.

mod array;
pub mod collection;
pub mod compare;
pub mod convert;
mod entries;
mod hash;
#[cfg(feature = "jit")]
mod layout;
pub mod meter;
pub mod number;
mod reference;
pub mod serial;
mod str;
pub mod string;
mod walk;
mod work;

pub use self::str::Str;
pub use array::Array;
pub use entries::{IntoIter, Iter};
pub use hash::{Hash, Map};
pub use reference::Ref;
pub use work::{ELEMENT_BYTES, ENTRY_BYTES, Excess, Work};

use convert::Form;
use std::borrow::Cow;
use std::collections::HashMap;

/// The most that the string form of an array may take where no budget is given: a unit for each
/// element visited and each byte. Past it the form is `(array)`.
pub const MAX_UNBUDGETED_FORM: u64 = 1 << 26;

/// A value: scalars inline, all else behind one counted pointer, copied on write.
#[derive(Clone, Default)]
#[repr(u8)]
pub enum Value {
    /// A 64-bit signed integer.
    Int(i64) = 0,
    /// A 64-bit float.
    Float(f64) = 1,
    /// No value.
    #[default]
    Undef = 2,
    /// A truth value.
    Bool(bool) = 4,
    /// The status of a command: 0 is success, and true.
    Status(i32) = 6,
    /// A builtin, by its number.
    NativeFn(u16) = 8,
    /// A byte string.
    Str(Str) = 0x90,
    /// A list of values.
    Array(Array) = 0x92,
    /// A table from byte strings to values, in order of insertion.
    Hash(Hash) = 0x94,
    /// A reference to another value.
    Ref(Ref) = 0x96,
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Value>();
    assert!(size_of::<Value>() == 16);
};

/// Tags of the kinds that the engine and native code know by sight.
pub(crate) mod tag {
    pub(crate) const INT: u8 = 0;
    pub(crate) const FLOAT: u8 = 1;
    pub(crate) const UNDEF: u8 = 2;
    pub(crate) const BOOL: u8 = 4;
    /// The bit of all kinds that are counted.
    pub(crate) const COUNTED: u8 = 0x80;
    /// The bit that all counted kinds have beside it, and no other.
    pub(crate) const POINTER: u8 = 0x10;
    pub(crate) const STR: u8 = 0x90;
    pub(crate) const ARRAY: u8 = 0x92;
    pub(crate) const HASH: u8 = 0x94;
}

impl Value {
    /// Whether both are the very same: bits, or allocation.
    pub(crate) fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Undef, Value::Undef) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Status(a), Value::Status(b)) => a == b,
            (Value::NativeFn(a), Value::NativeFn(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => Str::ptr_eq(a, b),
            (Value::Array(a), Value::Array(b)) => Array::ptr_eq(a, b),
            (Value::Hash(a), Value::Hash(b)) => Hash::ptr_eq(a, b),
            (Value::Ref(a), Value::Ref(b)) => Ref::ptr_eq(a, b),
            _ => false,
        }
    }

    /// An integer.
    pub fn int(n: i64) -> Value {
        Value::Int(n)
    }

    /// A float.
    pub fn float(f: f64) -> Value {
        Value::Float(f)
    }

    /// A string from text.
    pub fn str(text: impl Into<String>) -> Value {
        Value::Str(Str::from(text.into()))
    }

    /// A string from bytes, UTF-8 or not.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
        Value::Str(Str::from(bytes.into()))
    }

    /// A truth value.
    pub fn bool(b: bool) -> Value {
        Value::Bool(b)
    }

    /// A list.
    pub fn array(items: Vec<Value>) -> Value {
        Value::Array(Array::from(items))
    }

    /// A table with its keys in ascending order, as a `HashMap` has none of its own.
    pub fn hash(entries: HashMap<String, Value>) -> Value {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Value::map(entries.into_iter().collect())
    }

    /// A table.
    pub fn map(map: Map) -> Value {
        Value::Hash(Hash::from(map))
    }

    /// The status of a command.
    pub fn status(code: i32) -> Value {
        Value::Status(code)
    }

    /// A reference to `value`.
    pub fn reference(value: Value) -> Value {
        Value::Ref(Ref::new(value))
    }

    /// The number of the value's kind, as in the enum's declaration.
    #[inline]
    pub fn tag(&self) -> u8 {
        match self {
            Value::Int(_) => 0,
            Value::Float(_) => 1,
            Value::Undef => 2,
            Value::Bool(_) => 4,
            Value::Status(_) => 6,
            Value::NativeFn(_) => 8,
            Value::Str(_) => 0x90,
            Value::Array(_) => 0x92,
            Value::Hash(_) => 0x94,
            Value::Ref(_) => 0x96,
        }
    }

    /// Truth: false are Undef, `false`, the zeros, the strings `""` and `"0"`, the empty array and
    /// hash, and a status other than 0. All else is true, NaN included.
    #[inline]
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Float(f) => *f != 0.0,
            Value::Undef => false,
            Value::Str(s) => !matches!(s.as_bytes(), b"" | b"0"),
            Value::Array(a) => !a.is_empty(),
            Value::Hash(h) => !h.is_empty(),
            Value::Status(code) => *code == 0,
            Value::Ref(_) | Value::NativeFn(_) => true,
        }
    }

    /// As an integer: a float saturates (NaN is 0), a string by [`convert::parse_int`], a status its
    /// code, an array its length, `true` 1, all else 0.
    #[inline]
    pub fn to_int(&self) -> i64 {
        match self {
            Value::Int(n) => *n,
            Value::Float(f) => *f as i64,
            Value::Bool(b) => i64::from(*b),
            Value::Str(s) => convert::parse_int(s.as_bytes()),
            Value::Status(code) => i64::from(*code),
            Value::Array(a) => a.len() as i64,
            Value::Undef | Value::Hash(_) | Value::Ref(_) | Value::NativeFn(_) => 0,
        }
    }

    /// As a float: a string by [`convert::parse_float`], a status its code, `true` 1.0, all else,
    /// arrays included, 0.0.
    #[inline]
    pub fn to_float(&self) -> f64 {
        match self {
            Value::Float(f) => *f,
            Value::Int(n) => *n as f64,
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Str(s) => convert::parse_float(s.as_bytes()),
            Value::Status(code) => f64::from(*code),
            Value::Undef
            | Value::Array(_)
            | Value::Hash(_)
            | Value::Ref(_)
            | Value::NativeFn(_) => 0.0,
        }
    }

    /// The string form as text, lossy where it is no UTF-8; see [`MAX_UNBUDGETED_FORM`].
    pub fn to_str(&self) -> String {
        self.as_str_cow().into_owned()
    }

    /// The string form as text, borrowed where possible; see [`Value::to_str`].
    pub fn as_str_cow(&self) -> Cow<'_, str> {
        match self {
            Value::Str(s) => Cow::Borrowed(s.as_str()),
            other => match other.to_bytes_cow() {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => Cow::Owned(
                    String::from_utf8(bytes)
                        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
                ),
            },
        }
    }

    /// The bytes of a string; `None` for any other kind.
    #[inline]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Str(s) => Some(s.as_bytes()),
            _ => None,
        }
    }

    /// The string form as bytes, borrowed where possible; see [`MAX_UNBUDGETED_FORM`].
    pub fn to_bytes_cow(&self) -> Cow<'_, [u8]> {
        let mut work = Work::new(MAX_UNBUDGETED_FORM, MAX_UNBUDGETED_FORM);
        match Form::of(self, &mut work) {
            Ok(form) => form.into_cow(),
            Err(_) => Cow::Borrowed(b"(array)"),
        }
    }

    /// Bytes of a string, elements of a collection, bytes of any other kind's string form.
    pub fn len(&self) -> usize {
        match self {
            Value::Str(s) => s.len(),
            Value::Array(a) => a.len(),
            Value::Hash(h) => h.len(),
            other => Form::of_scalar(other).map_or(0, |form| form.as_bytes().len()),
        }
    }

    /// Whether [`Value::len`] is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Value {
    /// Same kind and same contents. NaN differs from itself, the two zeros are equal, and the order
    /// of a hash's entries doesn't matter. Nests may be of any depth and sharing.
    fn eq(&self, other: &Value) -> bool {
        walk::equal(self, other)
    }
}

impl std::hash::Hash for Value {
    /// Agrees with `==`. Of large nests only the beginning is hashed.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        walk::hash_into(self, state);
    }
}

impl std::fmt::Debug for Value {
    /// As derived, but cut short with `…` where the nest is deep or large.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        walk::debug(self, f)
    }
}

/// Equality and `Debug` of what a value holds are those of the value that holds it.
macro_rules! like_the_value {
    ($($held:ident)*) => {
        $(
            impl PartialEq for $held {
                fn eq(&self, other: &$held) -> bool {
                    Value::$held(self.clone()) == Value::$held(other.clone())
                }
            }

            impl std::fmt::Debug for $held {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    Value::$held(self.clone()).fmt(f)
                }
            }
        )*
    };
}

like_the_value! { Array Hash Ref }

#[cfg(test)]
mod tests;
