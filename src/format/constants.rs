//! The constant pool (2.3).

use super::cursor::{Cursor, Span, write_bytes};
use super::error::{LoadError, WriteError};
use super::limits;
use crate::op::leb;
use crate::value::{Map, Value};
use std::collections::HashMap;
use std::hint::select_unpredictable;
use std::ops::Range;

/// The two low bits of a constant's head.
const CLASS_BYTES: u64 = 0;
const CLASS_SAME: u64 = 1;
const CLASS_KIND: u64 = 2;

/// Kinds of class 2.
const UNDEF: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const INT: u64 = 3;
const FLOAT: u64 = 4;
const STATUS: u64 = 5;
const NATIVE_FN: u64 = 6;
const ARRAY: u64 = 7;
const HASH: u64 = 8;
const REF: u64 = 9;

/// For how many items of a nested constant room is made before they are read. Each level may declare
/// as many as there are bytes left, so room for all of them would grow with the nesting.
const RESERVED: usize = 64;

/// Appends the pool. Of equal strings the first is written and the others refer to it.
pub(crate) fn encode(out: &mut Vec<u8>, constants: &[Value]) -> Result<(), WriteError> {
    leb::write_unsigned(out, constants.len() as u64);
    let mut first: HashMap<&[u8], u64> = HashMap::new();
    for (index, constant) in constants.iter().enumerate() {
        if let Value::Str(text) = constant
            && let same = *first.entry(text.as_bytes()).or_insert(index as u64)
            && same != index as u64
        {
            leb::write_unsigned(out, same << 2 | CLASS_SAME);
        } else {
            encode_one(out, constant, 0)
                .map_err(|error| error.about(format_args!("constant {index}")))?;
        }
    }
    Ok(())
}

/// Appends a constant. The recursion ends at the limit of nesting.
fn encode_one(out: &mut Vec<u8>, constant: &Value, depth: usize) -> Result<(), WriteError> {
    let kind = |out: &mut Vec<u8>, kind| leb::write_unsigned(out, kind << 2 | CLASS_KIND);
    match constant {
        Value::Undef => kind(out, UNDEF),
        Value::Bool(false) => kind(out, FALSE),
        Value::Bool(true) => kind(out, TRUE),
        Value::Int(value) => {
            kind(out, INT);
            leb::write_signed(out, *value);
        }
        Value::Float(value) => {
            kind(out, FLOAT);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Status(code) => {
            kind(out, STATUS);
            leb::write_signed(out, i64::from(*code));
        }
        Value::NativeFn(id) => {
            kind(out, NATIVE_FN);
            leb::write_unsigned(out, u64::from(*id));
        }
        Value::Str(text) => {
            leb::write_unsigned(out, (text.len() as u64) << 2 | CLASS_BYTES);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            check_nesting(out, depth)?;
            kind(out, ARRAY);
            leb::write_unsigned(out, items.len() as u64);
            for item in items.iter() {
                encode_one(out, item, depth + 1)?;
            }
        }
        Value::Hash(entries) => {
            check_nesting(out, depth)?;
            kind(out, HASH);
            leb::write_unsigned(out, entries.len() as u64);
            for (key, item) in entries.iter() {
                write_bytes(out, key.as_bytes());
                encode_one(out, item, depth + 1)?;
            }
        }
        Value::Ref(target) => {
            check_nesting(out, depth)?;
            kind(out, REF);
            encode_one(out, target, depth + 1)?;
        }
    }
    Ok(())
}

/// That another level fits. A nest that is shared grows exponentially as it is written, so the size
/// is looked at as well.
fn check_nesting(out: &[u8], depth: usize) -> Result<(), WriteError> {
    if depth == limits::CONSTANT_NESTING {
        return Err(WriteError::over_limit(
            "levels of nesting",
            depth + 1,
            depth,
        ));
    }
    let limit = limits::RECORD_BYTES as usize;
    if out.len() > limit {
        return Err(WriteError::over_limit(
            "bytes of a record",
            out.len(),
            limit,
        ));
    }
    Ok(())
}

/// A constant as the record holds it, in a word: the class in the low two bits, a number in the next
/// thirty. Of class 0 that is the string's length, and its place in the record is above; of class 1 the
/// earlier constant; of class 2 an index of the pool's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Constant(u64);

impl Constant {
    /// The fields fit: a record has at most 2^28 bytes, and a pool 2^16 constants.
    fn new(class: u64, number: usize, place: usize) -> Constant {
        Constant(class | (number as u64) << 2 | (place as u64) << 32)
    }

    fn class(self) -> u64 {
        self.0 & 3
    }

    fn number(self) -> usize {
        (self.0 as u32 >> 2) as usize
    }

    fn place(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Whether its bytes stand at its own place.
    pub(crate) fn is_string(self) -> bool {
        self.class() == CLASS_BYTES
    }

    /// Where the bytes of a [string](Self::is_string) begin and end.
    pub(crate) fn range(self) -> Range<usize> {
        self.place()..self.place() + self.number()
    }
}

/// The constants of a chunk as they were read.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    constants: Vec<Constant>,
    /// Those that aren't strings.
    values: Vec<Value>,
}

impl Pool {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.constants.len()
    }

    /// The constants.
    pub(crate) fn constants(&self) -> &[Constant] {
        &self.constants
    }

    /// Reads a pool in place of what was there before.
    pub(crate) fn decode(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &[u8],
    ) -> Result<(), LoadError> {
        self.constants.clear();
        self.values.clear();
        let count = cursor.count("constants", limits::TABLE_ROWS)?;
        self.constants.reserve(count);
        while self.len() < count {
            self.decode_one(cursor, record)?;
            self.decode_strings(cursor, count);
        }
        Ok(())
    }

    /// Reads a constant of any kind.
    fn decode_one(&mut self, cursor: &mut Cursor<'_>, record: &[u8]) -> Result<(), LoadError> {
        let start = cursor.position() as u64;
        let head = cursor.leb("constant")?;
        let constant = match head & 3 {
            CLASS_BYTES => {
                let span = take_string(cursor, head)?;
                Constant::new(CLASS_BYTES, span.of(record).len(), span.range().0)
            }
            CLASS_SAME => match self.constants.get((head >> 2) as usize) {
                Some(earlier) if earlier.is_string() => {
                    Constant::new(CLASS_SAME, (head >> 2) as usize, 0)
                }
                _ => {
                    let found = format!("a reference to constant {}", head >> 2);
                    let error = LoadError::structure(found, "an earlier string");
                    return Err(error.at(start));
                }
            },
            _ => {
                self.values.push(decode_value(cursor, record, head, 0)?);
                Constant::new(CLASS_KIND, self.values.len() - 1, 0)
            }
        };
        self.constants.push(constant);
        Ok(())
    }

    /// Reads strings and references to them, of short heads, up to the first constant that is more, or is
    /// wrong. Behind the first one; no branch depends on which of both it is, as that is hard to predict.
    fn decode_strings(&mut self, cursor: &mut Cursor<'_>, count: usize) {
        while self.len() < count {
            let Some(&[low, high, ..]) = cursor.rest().first_chunk::<2>() else {
                return;
            };
            let more = low >> 7;
            let is_long = more & u8::from(high.wrapping_sub(1) >= 0x7f) != 0;
            let head = u64::from(low & 0x7f) | u64::from(high & more.wrapping_neg()) << 7;
            let (class, number) = (head & 3, (head >> 2) as usize);
            let is_same = class == CLASS_SAME;
            let earlier = select_unpredictable(is_same, number, 0);
            let refers = self.constants.get(earlier).is_some_and(|c| c.is_string());
            if is_long | (class > CLASS_SAME) | (is_same & !refers) {
                return;
            }
            let head_length = usize::from(1 + more);
            let place = cursor.position() + head_length;
            let length = select_unpredictable(is_same, 0, number);
            if !cursor.skip(head_length + length) {
                return;
            }
            self.constants.push(Constant::new(class, number, place));
        }
    }

    /// The value of each constant.
    pub(crate) fn to_values(&self, record: &[u8]) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::with_capacity(self.len());
        for constant in &self.constants {
            let value = match constant.class() {
                CLASS_BYTES => Value::bytes(&record[constant.range()]),
                CLASS_SAME => values[constant.number()].clone(),
                _ => self.values[constant.number()].clone(),
            };
            values.push(value);
        }
        values
    }
}

/// The bytes behind the head of a string.
#[inline]
fn take_string(cursor: &mut Cursor<'_>, head: u64) -> Result<Span, LoadError> {
    let len = usize::try_from(head >> 2).unwrap_or(usize::MAX);
    cursor.take("a string", len)
}

/// Reads what follows the head of a constant. The recursion ends at the limit of nesting.
fn decode_value(
    cursor: &mut Cursor<'_>,
    record: &[u8],
    head: u64,
    depth: usize,
) -> Result<Value, LoadError> {
    let start = cursor.position() as u64;
    let unknown = |found: String, expected| Err(LoadError::structure(found, expected).at(start));
    if head & 3 == CLASS_BYTES {
        return Ok(Value::bytes(take_string(cursor, head)?.of(record)));
    }
    if head & 3 != CLASS_KIND {
        return unknown(format!("class {}", head & 3), "a string or a kind");
    }
    let kind = head >> 2;
    if matches!(kind, ARRAY | HASH | REF) && depth == limits::CONSTANT_NESTING {
        let limit = limits::CONSTANT_NESTING as u64;
        return Err(LoadError::over_limit("levels of nesting", limit + 1, limit).at(start));
    }
    Ok(match kind {
        UNDEF => Value::Undef,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(cursor.sleb("an Int")?),
        FLOAT => Value::Float(f64::from_le_bytes(cursor.eight_bytes("a Float")?)),
        STATUS => match i32::try_from(cursor.sleb("a Status")?) {
            Ok(code) => Value::Status(code),
            Err(_) => return unknown("a Status past 32 bits".to_owned(), "32 bits"),
        },
        NATIVE_FN => Value::NativeFn(cursor.u16("a NativeFn")?),
        ARRAY => {
            let count = cursor.count("elements", usize::MAX)?;
            let mut items = Vec::with_capacity(count.min(RESERVED));
            for _ in 0..count {
                let head = cursor.leb("constant")?;
                items.push(decode_value(cursor, record, head, depth + 1)?);
            }
            Value::array(items)
        }
        HASH => Value::map(decode_entries(cursor, record, depth)?),
        REF => {
            let head = cursor.leb("constant")?;
            Value::reference(decode_value(cursor, record, head, depth + 1)?)
        }
        _ => return unknown(format!("a constant of kind {kind}"), "a kind from 0 to 9"),
    })
}

fn decode_entries(cursor: &mut Cursor<'_>, record: &[u8], depth: usize) -> Result<Map, LoadError> {
    let count = cursor.count("entries", usize::MAX)?;
    let mut entries = Map::with_capacity(count.min(RESERVED));
    for _ in 0..count {
        let start = cursor.position() as u64;
        let key = cursor.bytes("a key")?.of(record);
        let head = cursor.leb("constant")?;
        let value = decode_value(cursor, record, head, depth + 1)?;
        if entries.insert(key, value).is_some() {
            let found = format_args!("key \"{}\" twice", key.escape_ascii()).to_string();
            return Err(LoadError::structure(found, "keys that differ").at(start));
        }
    }
    Ok(entries)
}
