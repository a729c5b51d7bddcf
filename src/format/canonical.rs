//! That the tables of subs and imports are those that a writer gives the chunk: what 2.2 and 2.4 ask of
//! them beyond what a strict chunk has to have.

use super::body::{Body, Ops};
use super::error::LoadError;
use super::record::Parts;
use crate::chunk::{ImportKind, called_imports};
use crate::code::Code;
use crate::op::Op;
use crate::verify::{ImportRow, Sub, Verifier};
use std::collections::{BTreeSet, HashMap};

/// What a chunk calls from outside: the kind, and the number or the index of the name.
type Called = BTreeSet<(ImportKind, u16)>;

/// Checks the tables of a body whose code was verified. It has its ops if it wasn't proved strict.
pub(crate) fn check_tables(body: &Body, parts: &Parts, record: &[u8]) -> Result<(), LoadError> {
    check_subs(&body.subs)?;
    if body.height.is_none() {
        // A strict chunk has a row for each.
        check_calls(body, &called(body, &body.ops))?;
    }
    // Functions come last.
    let functions_at = |row: &ImportRow| row.kind != ImportKind::Function;
    let functions = &body.imports[body.imports.partition_point(functions_at)..];
    if !functions.is_empty()
        && let names = Names::of(body, record)
        && names.repeat
    {
        let mut decoded = Body::default();
        parts.decode_body(record, &mut decoded, Ops::Keep, &mut Verifier::new())?;
        let called = called(body, &decoded.ops);
        check_functions(body, functions, &names, &called, record)?;
    }
    Ok(())
}

/// That subs of one name declare the same number of arguments.
fn check_subs(subs: &[Sub]) -> Result<(), LoadError> {
    if subs.len() < 2 {
        return Ok(());
    }
    let mut declared = HashMap::new();
    let mut subs = subs.iter();
    match subs.find(|sub| *declared.entry(sub.name).or_insert(sub.argc) != sub.argc) {
        None => Ok(()),
        Some(sub) => Err(odd(
            format!("subs of name {} that declare different arguments", sub.name),
            "the same of all",
        )),
    }
}

fn called(body: &Body, ops: &[Op]) -> Called {
    let subs = body.subs.iter().map(|sub| sub.name);
    called_imports(ops, body.names.len(), subs)
}

/// That there is a row for whatever is called.
fn check_calls(body: &Body, called: &Called) -> Result<(), LoadError> {
    let rows: Called = body.imports.iter().map(|row| (row.kind, row.id)).collect();
    match called.difference(&rows).next() {
        None => Ok(()),
        Some((kind, id)) => Err(odd(
            format!("a call of {kind:?} {id}, which isn't imported"),
            "a row of the import table",
        )),
    }
}

/// The first index of each name.
struct Names<'r> {
    first: HashMap<&'r [u8], u16>,
    /// Whether a name stands there twice.
    repeat: bool,
}

impl<'r> Names<'r> {
    fn of(body: &Body, record: &'r [u8]) -> Names<'r> {
        let mut first = HashMap::with_capacity(body.names.len());
        for (index, name) in body.names.iter().enumerate() {
            first.entry(name.of(record)).or_insert(index as u16);
        }
        let repeat = first.len() < body.names.len();
        Names { first, repeat }
    }
}

/// That rows of functions of one name are the same, and stand there for just the indices that are
/// called; for the first, if none is.
fn check_functions(
    body: &Body,
    functions: &[ImportRow],
    names: &Names<'_>,
    called: &Called,
    record: &[u8],
) -> Result<(), LoadError> {
    let name_of = |id: u16| body.names[usize::from(id)].of(record);
    let called_names: BTreeSet<&[u8]> = called
        .range((ImportKind::Function, 0)..)
        .map(|(_, id)| name_of(*id))
        .collect();
    let first_at = body.imports.len() - functions.len();
    let mut rows: HashMap<&[u8], (ImportRow, &[u8])> = HashMap::new();
    for (row, (space, _)) in functions.iter().zip(&body.import_texts[first_at..]) {
        let name = name_of(row.id);
        let is_called = called.contains(&(row.kind, row.id));
        if !is_called && (called_names.contains(name) || names.first[name] != row.id) {
            return Err(odd(
                format!("a row for name {}, which isn't called", row.id),
                "rows for those of the same names that are called, or for the first",
            ));
        }
        let without_id = (ImportRow { id: 0, ..*row }, space.of(record));
        if *rows.entry(name).or_insert(without_id) != without_id {
            return Err(odd(
                format!("functions \"{}\" that differ", name.escape_ascii()),
                "the same row for all of one name",
            ));
        }
    }
    Ok(())
}

fn odd(found: String, expected: &str) -> LoadError {
    LoadError::new(Code::NotCanonical)
        .with_found(found)
        .with_expected(expected)
}
