//! The serde form of values: that of the 0.9 line.
//!
//! An enum in the order Undef 0, Bool 1, Int 2, Float 3, Str 4, Array 5, Hash 6, Status 7, Ref 8,
//! NativeFn 9. A string is written as text where it is UTF-8, else as bytes; bincode 1 writes both
//! alike. Nests deeper than [`MAX_DEPTH`] are refused both ways, as serde recurses, and so is
//! output past [`MAX_WRITTEN`], as a shared nest is written once for each path to it.

use super::{Array, Hash, Map, Ref, Str, Value};
use serde::de::{self, Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess};
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// The deepest nest that is written or read.
pub const MAX_DEPTH: u32 = 128;

/// The most that one outermost value writes, in bytes: 16 for each value, and those of strings.
pub const MAX_WRITTEN: u64 = 1 << 28;

/// The most elements that room is made for before they are read.
const MAX_RESERVED: usize = 256;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static WRITTEN: Cell<u64> = const { Cell::new(0) };
}

/// One level of nesting, for as long as it lives.
struct Level(PhantomData<*const ()>);

impl Level {
    fn enter<E>(error: impl FnOnce(String) -> E) -> Result<Level, E> {
        let depth = DEPTH.get();
        if depth >= MAX_DEPTH {
            return Err(error(format!("values nested deeper than {MAX_DEPTH}")));
        }
        if depth == 0 {
            WRITTEN.set(0);
        }
        DEPTH.set(depth + 1);
        Ok(Level(PhantomData))
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Counts what is written within the outermost value.
fn count_written<E: ser::Error>(bytes: usize) -> Result<(), E> {
    if DEPTH.get() == 0 {
        return Ok(());
    }
    let written = WRITTEN.get().saturating_add(bytes as u64);
    WRITTEN.set(written);
    if written > MAX_WRITTEN {
        return Err(E::custom("the value is too large to be written"));
    }
    Ok(())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let _level = Level::enter(ser::Error::custom)?;
        count_written(size_of::<Value>())?;
        match self {
            Value::Undef => to.serialize_unit_variant("Value", 0, "Undef"),
            Value::Bool(b) => to.serialize_newtype_variant("Value", 1, "Bool", b),
            Value::Int(n) => to.serialize_newtype_variant("Value", 2, "Int", n),
            Value::Float(f) => to.serialize_newtype_variant("Value", 3, "Float", f),
            Value::Str(s) => to.serialize_newtype_variant("Value", 4, "Str", s),
            Value::Array(a) => to.serialize_newtype_variant("Value", 5, "Array", a),
            Value::Hash(h) => to.serialize_newtype_variant("Value", 6, "Hash", &**h),
            Value::Status(code) => to.serialize_newtype_variant("Value", 7, "Status", code),
            Value::Ref(r) => to.serialize_newtype_variant("Value", 8, "Ref", &**r),
            Value::NativeFn(id) => to.serialize_newtype_variant("Value", 9, "NativeFn", id),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        let _level = Level::enter(de::Error::custom)?;
        from.deserialize_enum("Value", KINDS, ValueVisitor)
    }
}

const KINDS: &[&str] = &[
    "Undef", "Bool", "Int", "Float", "Str", "Array", "Hash", "Status", "Ref", "NativeFn",
];

#[derive(serde::Deserialize)]
#[serde(variant_identifier)]
enum Kind {
    Undef,
    Bool,
    Int,
    Float,
    Str,
    Array,
    Hash,
    Status,
    Ref,
    NativeFn,
}

struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        let (kind, of) = from.variant()?;
        Ok(match kind {
            Kind::Undef => {
                of.unit_variant()?;
                Value::Undef
            }
            Kind::Bool => Value::Bool(of.newtype_variant()?),
            Kind::Int => Value::Int(of.newtype_variant()?),
            Kind::Float => Value::Float(of.newtype_variant()?),
            Kind::Str => Value::Str(of.newtype_variant()?),
            Kind::Array => Value::Array(of.newtype_variant()?),
            Kind::Hash => Value::Hash(Hash::from(of.newtype_variant::<Map>()?)),
            Kind::Status => Value::Status(of.newtype_variant()?),
            Kind::Ref => Value::Ref(Ref::new(of.newtype_variant()?)),
            Kind::NativeFn => Value::NativeFn(of.newtype_variant()?),
        })
    }
}

impl Serialize for Str {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        count_written(self.len())?;
        match self.to_utf8() {
            Some(text) => to.serialize_str(text),
            None => to.serialize_bytes(self.as_bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Str, D::Error> {
        // A self-describing format tells text from bytes; the others don't keep them apart.
        if from.is_human_readable() {
            from.deserialize_any(StrVisitor)
        } else {
            from.deserialize_byte_buf(StrVisitor)
        }
    }
}

struct StrVisitor;

impl<'de> de::Visitor<'de> for StrVisitor {
    type Value = Str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Str, E> {
        Ok(Str::from(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Str, E> {
        Ok(Str::from(text))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Str, E> {
        Ok(Str::from(bytes))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Str, E> {
        Ok(Str::from(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Str, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = from.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Str::from(bytes))
    }
}

impl Serialize for Array {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut items = to.serialize_seq(Some(self.len()))?;
        for item in self {
            items.serialize_element(item)?;
        }
        items.end()
    }
}

impl<'de> Deserialize<'de> for Array {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Array, D::Error> {
        from.deserialize_seq(ArrayVisitor)
    }
}

struct ArrayVisitor;

impl<'de> de::Visitor<'de> for ArrayVisitor {
    type Value = Array;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Array, A::Error> {
        let mut items = Vec::with_capacity(from.size_hint().unwrap_or(0).min(MAX_RESERVED));
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Array::from(items))
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut entries = to.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            entries.serialize_entry(key, value)?;
        }
        entries.end()
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Map, D::Error> {
        from.deserialize_map(MapVisitor)
    }
}

struct MapVisitor;

impl<'de> de::Visitor<'de> for MapVisitor {
    type Value = Map;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Map, A::Error> {
        let mut map = Map::with_capacity(from.size_hint().unwrap_or(0).min(MAX_RESERVED));
        while let Some((key, value)) = from.next_entry::<Str, Value>()? {
            map.insert(key, value);
        }
        Ok(map)
    }
}
