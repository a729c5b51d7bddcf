//! The import table of a chunk (2.4): rows, their bytes, and the way back to declarations.

use super::cursor::{Cursor, Span, write_bytes};
use super::error::LoadError;
use super::limits;
use crate::chunk::{Chunk, Effect, Import, ImportKind, Touches};
use crate::code::Code;
use crate::op::leb;
use crate::verify::ImportRow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The effects' numbers in a row's head.
const ARGUMENTS: u8 = 0;
const FIXED: u8 = 1;
const UNKNOWN: u8 = 2;

/// The bits of a row's head.
const KIND_BITS: u8 = 0b0000_0011;
const EFFECT_SHIFT: u8 = 2;
const EFFECT_BITS: u8 = 0b0000_0011;
const TOUCHES_SHIFT: u8 = 4;

/// The table of a chunk as the file has it.
pub(crate) struct Table<'a> {
    /// Sorted by kind, then by number.
    pub(crate) rows: Vec<ImportRow>,
    /// Name space and name of each row.
    texts: Vec<(&'a str, &'a str)>,
}

impl<'a> Table<'a> {
    /// The rows for all that the chunk calls, and for what it declares without calling it. A function
    /// that is declared only, and whose name is not in the name table, has none.
    pub(crate) fn of(chunk: &'a Chunk) -> Table<'a> {
        let mut declared: HashMap<(ImportKind, u16, &str), &Import> = HashMap::new();
        for import in &chunk.imports {
            declared.entry(import.called_as()).or_insert(import);
        }
        let mut table: BTreeMap<(ImportKind, u16), (ImportRow, &str, &str)> = BTreeMap::new();
        let mut called_functions: HashSet<&str> = HashSet::new();
        for (kind, id) in chunk.called_imports() {
            let key = match kind {
                ImportKind::Function => (kind, 0, chunk.names[usize::from(id)].as_str()),
                _ => (kind, id, ""),
            };
            if kind == ImportKind::Function {
                called_functions.insert(key.2);
            }
            let row = match declared.get(&key) {
                Some(import) => row_of(import, id),
                None => (row_of(&Import::undeclared(kind, id, ""), id).0, "", ""),
            };
            table.insert((kind, id), row);
        }
        let names = first_indices(&chunk.names);
        for import in declared.into_values() {
            let id = match import.kind {
                ImportKind::Function if called_functions.contains(import.name.as_str()) => continue,
                ImportKind::Function => match names.get(import.name.as_str()) {
                    Some(index) => *index,
                    None => continue,
                },
                _ => import.id,
            };
            let entry = table.entry((import.kind, id));
            entry.or_insert_with(|| row_of(import, id));
        }
        let (rows, texts) = table
            .into_values()
            .map(|(row, space, name)| (row, (space, name)))
            .unzip();
        Table { rows, texts }
    }

    /// Appends the table.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        leb::write_unsigned(out, self.rows.len() as u64);
        for (row, (space, name)) in self.rows.iter().zip(&self.texts) {
            let effect = match row.effect {
                Effect::Arguments { .. } => ARGUMENTS,
                Effect::Fixed { .. } => FIXED,
                Effect::Unknown => UNKNOWN,
            };
            out.push(row.kind as u8 | effect << EFFECT_SHIFT | row.touches.bits() << TOUCHES_SHIFT);
            leb::write_unsigned(out, u64::from(row.id));
            match row.effect {
                Effect::Arguments { pushes } => out.push(pushes),
                Effect::Fixed { pops, pushes } => out.extend([pops, pushes]),
                Effect::Unknown => {}
            }
            write_bytes(out, space.as_bytes());
            write_bytes(out, name.as_bytes());
        }
    }
}

/// The row of a declaration, with its name space and its name.
fn row_of(import: &Import, id: u16) -> (ImportRow, &str, &str) {
    let row = ImportRow {
        kind: import.kind,
        id,
        effect: import.effect,
        touches: import.touches,
    };
    // The name table has a function's name.
    let name = match import.kind {
        ImportKind::Function => "",
        _ => &import.name,
    };
    (row, &import.space, name)
}

/// The first index of each name.
fn first_indices(names: &[String]) -> HashMap<&str, u16> {
    let mut indices = HashMap::new();
    for (index, name) in names.iter().enumerate().take(limits::TABLE_ROWS) {
        if let Entry::Vacant(entry) = indices.entry(name.as_str()) {
            entry.insert(index as u16);
        }
    }
    indices
}

/// Reads the table of a chunk with this many names: the rows to `rows`, name space and name of each to
/// `texts`.
pub(crate) fn decode(
    cursor: &mut Cursor<'_>,
    names: usize,
    rows: &mut Vec<ImportRow>,
    texts: &mut Vec<(Span, Span)>,
) -> Result<(), LoadError> {
    let count = cursor.count("imports", limits::TABLE_ROWS)?;
    let mut last = None;
    for _ in 0..count {
        let start = cursor.position() as u64;
        let row = decode_row(cursor).map_err(|error| error.at(start))?;
        if last.is_some_and(|last| last >= (row.kind, row.id)) {
            return Err(bad("a row out of order", "rising kinds and numbers").at(start));
        }
        last = Some((row.kind, row.id));
        let space = cursor.text("a name space")?;
        let at_name = cursor.position();
        let name = cursor.text("a name")?;
        if row.kind == ImportKind::Function {
            if usize::from(row.id) >= names {
                return Err(bad("a function without a name", "an index of a name").at(start));
            }
            // The length of an empty name is one byte.
            if cursor.position() != at_name + 1 {
                return Err(bad("a second name of a function", "an empty one").at(start));
            }
        }
        rows.push(row);
        texts.push((space, name));
    }
    Ok(())
}

fn decode_row(cursor: &mut Cursor<'_>) -> Result<ImportRow, LoadError> {
    let head = cursor.byte("an import")?;
    let kind = match head & KIND_BITS {
        0 => ImportKind::Builtin,
        1 => ImportKind::Extension,
        2 => ImportKind::ExtensionWide,
        _ => ImportKind::Function,
    };
    let touches = Touches::from_bits(head >> TOUCHES_SHIFT)
        .ok_or_else(|| bad("bit 7 of a row's head", "zero"))?;
    let id = cursor.u16("import")?;
    let effect = match head >> EFFECT_SHIFT & EFFECT_BITS {
        ARGUMENTS => Effect::Arguments {
            pushes: cursor.byte("pushes")?,
        },
        FIXED => Effect::Fixed {
            pops: cursor.byte("pops")?,
            pushes: cursor.byte("pushes")?,
        },
        UNKNOWN => Effect::Unknown,
        _ => return Err(bad("effect 3", "0, 1 or 2")),
    };
    Ok(ImportRow {
        kind,
        id,
        effect,
        touches,
    })
}

fn bad(found: &str, expected: &str) -> LoadError {
    LoadError::new(Code::BadImport)
        .with_found(found)
        .with_expected(expected)
}

/// The declarations that give the chunk, whose other tables are complete, this table again when it is
/// written. A row that says what holds without a declaration needs none.
pub(crate) fn declarations(
    chunk: &Chunk,
    rows: &[ImportRow],
    texts: &[(Span, Span)],
    record: &[u8],
) -> Vec<Import> {
    let called = chunk.called_imports();
    let mut declarations: Vec<Import> = Vec::new();
    for (row, (space, name)) in rows.iter().zip(texts) {
        let (id, name) = match row.kind {
            ImportKind::Function => (0, chunk.names[usize::from(row.id)].as_str()),
            _ => (row.id, name.text_of(record)),
        };
        let import = Import {
            kind: row.kind,
            id,
            space: space.text_of(record).to_owned(),
            name: name.to_owned(),
            effect: row.effect,
            touches: row.touches,
        };
        let default_name = match row.kind {
            ImportKind::Function => name,
            _ => "",
        };
        let is_default = import == Import::undeclared(row.kind, id, default_name);
        if !(is_default && called.contains(&(row.kind, row.id))) {
            declarations.push(import);
        }
    }
    declarations
}
