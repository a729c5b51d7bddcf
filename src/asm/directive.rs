//! The directives: what a text says besides ops and labels.

use super::cursor::Cursor;
use super::error::{Complaint, Span};
use super::lexer::{TokenKind, quote};
use super::parser::Parser;
use super::tables::{LineOf, Place, Tables};
use super::{literal, words};
use crate::chunk::{Effect, Import, ImportKind, Touches};
use crate::code::Code;
use crate::format::SourceLink;
use crate::format::limits::NAME_BYTES;

type Reader = for<'t> fn(&mut Parser<'t>, Span, &mut Cursor<'_, 't>) -> Result<(), Complaint>;

/// Each directive with its syntax and what reads it.
const DIRECTIVES: &[(&str, &str, Reader)] = &[
    (".meta", ".meta KEY VALUE", meta),
    (".chunk", ".chunk NAME", chunk),
    (".space", ".space NAME", space),
    (".key", ".key BYTES", key),
    (".link", ".link HASH mtime NANOSECONDS size BYTES", link),
    (".source", ".source NAME", source),
    (".import", IMPORT_SYNTAX, import),
    (".name", ".name NAME", name),
    (".const", ".const [NAME] VALUE", constant),
    (".slot", ".slot NAME [NUMBER]", slot),
    (".sub", ".sub NAME [args COUNT] [at TARGET]", sub),
    (".end", ".end", end),
    (".block", ".block NAME [from TARGET to TARGET]", block),
    (".endblock", ".endblock", end_block),
    (".line", ".line NUMBER, or `.line auto`", line),
];

const IMPORT_SYNTAX: &str =
    ".import KIND [NUMBER] [NAME] [space NAME] [pops COUNT pushes COUNT] [touches WHAT...]";

/// Reads a directive and its operands.
pub(super) fn read<'t>(
    parser: &mut Parser<'t>,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let span = cursor.next("a directive")?.span;
    let word = cursor.text(span);
    let row = DIRECTIVES.iter().find(|(name, ..)| *name == word);
    let (_, syntax, reader) = row.ok_or_else(|| unknown(word, span))?;
    let read = reader(parser, span, cursor).and_then(|()| cursor.finish());
    read.map_err(|complaint| match complaint.code {
        Code::MissingOperand | Code::ExtraOperand | Code::WrongOperand
            if complaint.help.is_none() =>
        {
            complaint.help(format!("write `{syntax}`"))
        }
        _ => complaint,
    })
}

fn unknown(word: &str, span: Span) -> Complaint {
    let message = format!("there is no directive `{}`", quote(word));
    let complaint = Complaint::new(Code::UnknownDirective, span, message);
    match words::nearest(word, DIRECTIVES.iter().map(|(name, ..)| *name)) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint,
    }
}

fn misplaced(span: Span, message: &str) -> Complaint {
    Complaint::new(Code::MisplacedDirective, span, message)
}

/// Checks the length of a name that stands in a field of 16 bits.
fn short<T: AsRef<[u8]>>((name, span): (T, Span)) -> Result<T, Complaint> {
    match name.as_ref().len() {
        0..=NAME_BYTES => Ok(name),
        length => {
            let message = format!("{length} bytes are too long, the limit is {NAME_BYTES}");
            Err(Complaint::new(Code::TextTooLarge, span, message))
        }
    }
}

/// Sets what a chunk has once.
fn once<T>(place: &mut Option<T>, value: T, span: Span) -> Result<(), Complaint> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => {
            let message = "the directive stands twice in the chunk";
            Err(Complaint::new(Code::DuplicateSymbol, span, message))
        }
    }
}

fn meta(parser: &mut Parser<'_>, span: Span, cursor: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    if parser.chunk.is_some() {
        return Err(misplaced(span, "`.meta` stands before the first chunk"));
    }
    let (key, key_span) = cursor.name("a key")?;
    let (value, _) = cursor.bytes("a value")?;
    match parser.assembly.metadata.insert(key, value) {
        None => Ok(()),
        Some(_) => {
            let message = "the key is already there";
            Err(Complaint::new(Code::DuplicateSymbol, key_span, message))
        }
    }
}

fn chunk<'t>(
    parser: &mut Parser<'t>,
    span: Span,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let name = short(cursor.name("a name")?)?;
    parser.finish_chunk();
    parser.chunk = Some((Tables::new(name), span));
    Ok(())
}

fn space(
    parser: &mut Parser<'_>,
    span: Span,
    cursor: &mut Cursor<'_, '_>,
) -> Result<(), Complaint> {
    let name = short(cursor.name("a name space")?)?;
    once(&mut parser.tables(span).space, name, span)
}

fn key(parser: &mut Parser<'_>, span: Span, cursor: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    let key = short(cursor.bytes("a key")?)?;
    once(&mut parser.tables(span).key, key, span)
}

fn source(
    parser: &mut Parser<'_>,
    span: Span,
    cursor: &mut Cursor<'_, '_>,
) -> Result<(), Complaint> {
    let name = short(cursor.name("a name")?)?;
    once(&mut parser.tables(span).source, name, span)
}

fn link(parser: &mut Parser<'_>, span: Span, cursor: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    const HASH: &str = "a hash of 64 hexadecimal digits in quotes";
    let (digits, hash_span) = cursor.bytes(HASH)?;
    let wrong = || Complaint::new(Code::WrongOperand, hash_span, format!("expected {HASH}"));
    let hash = blake3::Hash::from_hex(&digits).map_err(|_| wrong())?;
    keyword(cursor, "mtime")?;
    let mtime = cursor.int(i128::from(i64::MIN)..=i128::from(i64::MAX), "nanoseconds")?;
    keyword(cursor, "size")?;
    let size = cursor.int(0..=i128::from(u64::MAX), "a size")?;
    let link = SourceLink {
        hash: *hash.as_bytes(),
        mtime: mtime as i64,
        size: size as u64,
    };
    once(&mut parser.tables(span).link, link, span)
}

/// Takes a word that must stand next.
fn keyword(cursor: &mut Cursor<'_, '_>, word: &str) -> Result<(), Complaint> {
    let expected = format!("`{word}`");
    match cursor.take_word(word) {
        true => Ok(()),
        false => {
            let token = cursor.next(&expected)?;
            Err(cursor.wrong(token, &expected))
        }
    }
}

fn import(
    parser: &mut Parser<'_>,
    span: Span,
    cursor: &mut Cursor<'_, '_>,
) -> Result<(), Complaint> {
    let kind = import_kind(cursor)?;
    let (id, name) = match kind {
        ImportKind::Function => (0, Some(cursor.name("a function's name")?.0)),
        ImportKind::Builtin | ImportKind::Extension | ImportKind::ExtensionWide => {
            let id = cursor.int(0..=i128::from(u16::MAX), "a handler's number")?;
            (id as u16, import_name(cursor)?)
        }
    };
    let mut import = Import::undeclared(kind, id, &name.unwrap_or_default());
    if cursor.take_word("space") {
        import.space = short(cursor.name("a name space")?)?;
    }
    if cursor.take_word("unknown") {
        import.effect = Effect::Unknown;
    } else if cursor.take_word("pops") {
        import.effect = effect(cursor)?;
    }
    if cursor.take_word("touches") {
        import.touches = touches(cursor)?;
    }
    parser.tables(span).add_import(import, span)
}

fn import_kind(cursor: &mut Cursor<'_, '_>) -> Result<ImportKind, Complaint> {
    const EXPECTED: &str = "builtin, extension, extension_wide or function";
    let (word, span) = cursor.word(EXPECTED)?;
    let row = words::IMPORT_KINDS.iter().find(|(_, name)| *name == word);
    row.map(|(kind, _)| *kind).ok_or_else(|| {
        let message = format!("expected {EXPECTED}, found `{}`", quote(word));
        Complaint::new(Code::WrongOperand, span, message)
    })
}

/// The name of a handler, if one stands next: a string, or a word that begins no clause.
fn import_name(cursor: &mut Cursor<'_, '_>) -> Result<Option<String>, Complaint> {
    let stands_next = cursor.peek().is_some_and(|token| match token.kind {
        TokenKind::Str(_) => true,
        TokenKind::Word => !words::IMPORT_CLAUSES.contains(&cursor.text(token.span)),
        _ => false,
    });
    match stands_next {
        true => Ok(Some(short(cursor.name("a name")?)?)),
        false => Ok(None),
    }
}

/// What stands behind `pops`.
fn effect(cursor: &mut Cursor<'_, '_>) -> Result<Effect, Complaint> {
    let pops = match cursor.take_word("argc") {
        true => None,
        false => Some(count(cursor, "`argc` or a number of values")?),
    };
    keyword(cursor, "pushes")?;
    let pushes = count(cursor, "a number of values")?;
    Ok(match pops {
        None => Effect::Arguments { pushes },
        Some(pops) => Effect::Fixed { pops, pushes },
    })
}

/// A number of one byte.
fn count(cursor: &mut Cursor<'_, '_>, expected: &str) -> Result<u8, Complaint> {
    Ok(cursor.int(0..=i128::from(u8::MAX), expected)? as u8)
}

/// What stands behind `touches`: `nothing`, `everything`, or a list.
fn touches(cursor: &mut Cursor<'_, '_>) -> Result<Touches, Complaint> {
    const EXPECTED: &str = "nothing, globals, slots, frames or everything";
    let mut touches = Touches::ARGUMENTS;
    let mut first = true;
    while first || cursor.peek().is_some() {
        let (word, span) = cursor.word(EXPECTED)?;
        let row = words::TOUCHES.iter().find(|(_, name)| *name == word);
        touches = match (row, word) {
            (Some((touched, _)), _) => touches | *touched,
            (None, "nothing") if first => {
                return Ok(Touches::ARGUMENTS);
            }
            (None, "everything") if first => return Ok(Touches::EVERYTHING),
            _ => {
                let message = format!("expected {EXPECTED}, found `{}`", quote(word));
                return Err(Complaint::new(Code::WrongOperand, span, message));
            }
        };
        first = false;
    }
    Ok(touches)
}

fn name(parser: &mut Parser<'_>, span: Span, cursor: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    let (name, name_span) = cursor.name("a name")?;
    parser.tables(span).add_name(name, name_span).map(|_| ())
}

fn constant<'t>(
    parser: &mut Parser<'t>,
    span: Span,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let named = cursor.peek().is_some_and(|token| {
        token.kind == TokenKind::Word && !literal::is_reserved(cursor.text(token.span))
    });
    let name = match named {
        true => Some(cursor.word("a name")?),
        false => None,
    };
    let value = literal::parse(cursor)?;
    parser.tables(span).add_constant(name, value, span)
}

fn slot<'t>(
    parser: &mut Parser<'t>,
    span: Span,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let (name, name_span) = cursor.word("a name")?;
    let number = match cursor.peek() {
        None => None,
        Some(_) => Some(cursor.int(0..=i128::from(u16::MAX), "a slot's number")? as u16),
    };
    parser.tables(span).declare_slot(name, number, name_span)
}

fn sub<'t>(
    parser: &mut Parser<'t>,
    span: Span,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let name = parser.name(span, cursor)?;
    let argc = match cursor.take_word("args") {
        true => Some(count(cursor, "a number of arguments")?),
        false => None,
    };
    let tables = parser.tables(span);
    let sub = tables.add_sub(name, argc, span)?;
    if cursor.take_word("at") {
        tables.place(Place::SubEntry(sub), cursor)
    } else {
        tables.open_sub();
        Ok(())
    }
}

fn end(parser: &mut Parser<'_>, span: Span, _: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    match parser.tables(span).close_sub() {
        true => Ok(()),
        false => Err(misplaced(span, "no sub is open here")),
    }
}

fn block<'t>(
    parser: &mut Parser<'t>,
    span: Span,
    cursor: &mut Cursor<'_, 't>,
) -> Result<(), Complaint> {
    let (name, name_span) = cursor.word("a name")?;
    let tables = parser.tables(span);
    let block = tables.add_block(name, name_span)?;
    if cursor.take_word("from") {
        tables.place(Place::BlockStart(usize::from(block)), cursor)?;
        keyword(cursor, "to")?;
        tables.place(Place::BlockEnd(usize::from(block)), cursor)
    } else {
        tables.open_block(block, span);
        Ok(())
    }
}

fn end_block(parser: &mut Parser<'_>, span: Span, _: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    match parser.tables(span).close_block() {
        true => Ok(()),
        false => Err(misplaced(span, "no block is open here")),
    }
}

fn line(parser: &mut Parser<'_>, span: Span, cursor: &mut Cursor<'_, '_>) -> Result<(), Complaint> {
    let line = match cursor.take_word("auto") {
        true => LineOf::Text,
        false => {
            let number = cursor.int(0..=i128::from(u32::MAX), "a line number or `auto`")?;
            LineOf::Source(number as u32)
        }
    };
    parser.tables(span).line = line;
    Ok(())
}
