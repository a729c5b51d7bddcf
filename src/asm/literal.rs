//! Constants as text: `parse` reads what [`write`] writes, which is exact to the bit.

use super::cursor::Cursor;
use super::error::{Complaint, Span};
use super::lexer::{Token, TokenKind, continues_word, starts_word};
use crate::code::Code;
use crate::format::limits::CONSTANT_NESTING;
use crate::value::{Map, Str, Value};
use std::fmt::Write as _;

/// The bits of the NaN that is written without its bits.
const PLAIN_NAN: u64 = 0x7ff8_0000_0000_0000;

const EXPECTED: &str = "a constant";

/// Whether the word begins a constant, and so can't name one.
pub(super) fn is_reserved(word: &str) -> bool {
    matches!(
        word,
        "undef" | "true" | "false" | "inf" | "nan" | "status" | "builtin" | "ref"
    )
}

/// A container of which not all is read.
enum Open {
    Array(Vec<Value>),
    /// The entries so far, and the key whose value comes next.
    Hash(Map, Str),
    Ref,
}

/// Reads a constant.
pub(super) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Value, Complaint> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let token = cursor.next(EXPECTED)?;
        let opened = match token.kind {
            TokenKind::Punct(b'[') => Some(Open::Array(Vec::new())),
            TokenKind::Punct(b'{') => Some(Open::Hash(Map::new(), Str::default())),
            TokenKind::Word if cursor.text(token.span) == "ref" => {
                cursor.expect_punct(b'(')?;
                Some(Open::Ref)
            }
            _ => None,
        };
        let mut value = match opened {
            None => scalar(cursor, token)?,
            Some(_) if open.len() == CONSTANT_NESTING => return Err(too_deep(token.span)),
            Some(Open::Array(_)) if cursor.take_punct(b']') => Value::array(Vec::new()),
            Some(Open::Hash(..)) if cursor.take_punct(b'}') => Value::map(Map::new()),
            Some(Open::Hash(entries, _)) => {
                let key = key(cursor, &entries)?;
                open.push(Open::Hash(entries, key));
                continue;
            }
            Some(container) => {
                open.push(container);
                continue;
            }
        };
        // Hands the finished value to the innermost container, which it may finish in turn.
        loop {
            let Some(container) = open.pop() else {
                return Ok(value);
            };
            match put(cursor, container, value)? {
                Put::Finished(finished) => value = finished,
                Put::Open(container) => {
                    open.push(container);
                    break;
                }
            }
        }
    }
}

fn too_deep(span: Span) -> Complaint {
    let message = format!("the constant is nested deeper than {CONSTANT_NESTING}");
    Complaint::new(Code::TextTooLarge, span, message)
}

/// What became of a container that got a value.
enum Put {
    Finished(Value),
    Open(Open),
}

/// Adds the value and reads the comma or bracket behind it.
fn put(cursor: &mut Cursor<'_, '_>, container: Open, value: Value) -> Result<Put, Complaint> {
    match container {
        Open::Array(mut items) => {
            items.push(value);
            if goes_on(cursor, b']')? {
                return Ok(Put::Open(Open::Array(items)));
            }
            Ok(Put::Finished(Value::array(items)))
        }
        Open::Hash(mut entries, name) => {
            entries.insert(name, value);
            if goes_on(cursor, b'}')? {
                let key = key(cursor, &entries)?;
                return Ok(Put::Open(Open::Hash(entries, key)));
            }
            Ok(Put::Finished(Value::map(entries)))
        }
        Open::Ref => {
            cursor.expect_punct(b')')?;
            Ok(Put::Finished(Value::reference(value)))
        }
    }
}

/// Whether a comma stands next, rather than the closing bracket; takes either.
fn goes_on(cursor: &mut Cursor<'_, '_>, closing: u8) -> Result<bool, Complaint> {
    let expected = format!("`,` or `{}`", char::from(closing));
    let token = cursor.next(&expected)?;
    match token.kind {
        TokenKind::Punct(b',') => Ok(true),
        TokenKind::Punct(found) if found == closing => Ok(false),
        _ => Err(cursor.wrong(token, &expected)),
    }
}

/// A key of a hash and its colon.
fn key(cursor: &mut Cursor<'_, '_>, entries: &Map) -> Result<Str, Complaint> {
    let (key, span) = cursor.bytes("a key")?;
    if entries.contains_key(&key) {
        let message = "the key stands twice in the hash";
        return Err(Complaint::new(Code::DuplicateSymbol, span, message));
    }
    cursor.expect_punct(b':')?;
    Ok(Str::from(key))
}

/// A constant that holds no others.
fn scalar(cursor: &mut Cursor<'_, '_>, token: &Token) -> Result<Value, Complaint> {
    let value = match &token.kind {
        TokenKind::Int(n) => i64::try_from(*n).ok().map(Value::Int),
        TokenKind::Str(bytes) => Some(Value::bytes(bytes.clone())),
        TokenKind::Word if cursor.text(token.span) == "status" => {
            let range = i128::from(i32::MIN)..=i128::from(i32::MAX);
            Some(Value::Status(argument(cursor, range)? as i32))
        }
        TokenKind::Word if cursor.text(token.span) == "builtin" => {
            let range = 0..=i128::from(u16::MAX);
            Some(Value::NativeFn(argument(cursor, range)? as u16))
        }
        TokenKind::Word => match cursor.text(token.span) {
            "undef" => Some(Value::Undef),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => float(cursor, token)?.map(Value::Float),
        },
        _ => float(cursor, token)?.map(Value::Float),
    };
    value.ok_or_else(|| cursor.wrong(token, EXPECTED))
}

/// A number in parentheses.
fn argument(
    cursor: &mut Cursor<'_, '_>,
    range: std::ops::RangeInclusive<i128>,
) -> Result<i128, Complaint> {
    cursor.expect_punct(b'(')?;
    let n = cursor.int(range, "a number")?;
    cursor.expect_punct(b')')?;
    Ok(n)
}

/// The float that the token begins, if it begins one.
pub(super) fn float(cursor: &mut Cursor<'_, '_>, token: &Token) -> Result<Option<f64>, Complaint> {
    match token.kind {
        TokenKind::Float(number) => Ok(Some(number)),
        TokenKind::Word => match cursor.text(token.span) {
            "inf" => Ok(Some(f64::INFINITY)),
            "nan" if cursor.take_punct(b'(') => {
                let bits = cursor.int(0..=i128::from(u64::MAX), "the bits of a NaN")?;
                cursor.expect_punct(b')')?;
                let nan = f64::from_bits(bits as u64);
                if !nan.is_nan() {
                    let message = "these are not the bits of a NaN";
                    return Err(Complaint::new(Code::WrongOperand, token.span, message));
                }
                Ok(Some(nan))
            }
            "nan" => Ok(Some(f64::from_bits(PLAIN_NAN))),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Why a value has no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unwritable {
    /// It is nested deeper than [`CONSTANT_NESTING`].
    TooDeep,
    /// Its text would be longer than the limit given.
    TooLong,
}

/// What is still to be written of a container.
enum Rest<'v> {
    Array(std::slice::Iter<'v, Value>),
    Hash(crate::value::Iter<'v>),
    Ref,
}

/// Appends the constant's text to `out`, which may grow up to `limit` bytes.
pub(super) fn write(out: &mut String, value: &Value, limit: usize) -> Result<(), Unwritable> {
    let mut open: Vec<Rest<'_>> = Vec::new();
    let mut next = Some(value);
    loop {
        if out.len() > limit {
            return Err(Unwritable::TooLong);
        }
        if let Some(value) = next.take() {
            match value {
                Value::Array(_) | Value::Hash(_) | Value::Ref(_)
                    if open.len() == CONSTANT_NESTING =>
                {
                    return Err(Unwritable::TooDeep);
                }
                Value::Array(items) => {
                    out.push('[');
                    open.push(Rest::Array(items.as_slice().iter()));
                }
                Value::Hash(entries) => {
                    out.push('{');
                    open.push(Rest::Hash(entries.iter()));
                }
                Value::Ref(target) => {
                    out.push_str("ref(");
                    open.push(Rest::Ref);
                    next = Some(target);
                    continue;
                }
                Value::Str(text) => write_string(out, text.as_bytes()),
                Value::Float(number) => write_float(out, *number),
                Value::Undef => out.push_str("undef"),
                Value::Bool(b) => push(out, format_args!("{b}")),
                Value::Int(n) => push(out, format_args!("{n}")),
                Value::Status(code) => push(out, format_args!("status({code})")),
                Value::NativeFn(number) => push(out, format_args!("builtin({number})")),
            }
        }
        let first = out.ends_with(['[', '{']);
        match open.last_mut() {
            None => return Ok(()),
            Some(Rest::Ref) => out.push(')'),
            Some(Rest::Array(items)) => match items.next() {
                Some(item) => {
                    out.push_str(if first { "" } else { ", " });
                    next = Some(item);
                    continue;
                }
                None => out.push(']'),
            },
            Some(Rest::Hash(entries)) => match entries.next() {
                Some((key, value)) => {
                    out.push_str(if first { "" } else { ", " });
                    write_string(out, key.as_bytes());
                    out.push_str(": ");
                    next = Some(value);
                    continue;
                }
                None => out.push('}'),
            },
        }
        open.pop();
    }
}

/// Appends formatted text.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes what is written");
}

/// Appends a float so that it reads back to the same bits.
pub(super) fn write_float(out: &mut String, number: f64) {
    match number.to_bits() {
        PLAIN_NAN => out.push_str("nan"),
        bits if number.is_nan() => push(out, format_args!("nan({bits:#018x})")),
        // The shortest decimal that reads back, always with a point or an exponent.
        _ => push(out, format_args!("{number:?}")),
    }
}

/// Appends a string in quotes: text that can be shown as it is, all else escaped.
pub(super) fn write_string(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            write_char(out, c);
        }
        for byte in chunk.invalid() {
            push(out, format_args!("\\x{byte:02x}"));
        }
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        '\0' => out.push_str("\\0"),
        '\x1b' => out.push_str("\\e"),
        '\\' | '"' => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        _ if c.is_ascii() => push(out, format_args!("\\x{:02x}", c as u32)),
        _ if is_hidden(c) => push(out, format_args!("\\u{{{:x}}}", c as u32)),
        _ => out.push(c),
    }
}

/// Whether the character can't be seen, or turns the direction of what follows: the list of 6.8.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..=char::MAX)
}

/// Appends a name: bare if it is a word, else as a string.
pub(super) fn write_name(out: &mut String, name: &str) {
    let mut bytes = name.bytes();
    let bare = bytes.next().is_some_and(starts_word) && bytes.all(continues_word);
    if bare {
        out.push_str(name);
    } else {
        write_string(out, name.as_bytes());
    }
}
