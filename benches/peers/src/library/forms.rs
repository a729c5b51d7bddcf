//! Libraries of many functions in the forms that are compared. They are the corpus again and again,
//! under other names and with another constant each time; the first function is one that can run
//! without a host.

use super::{
    Named,
    worker::{Form, result_of},
};
use anyhow::Context;
use fusevm::{
    Chunk, Value,
    format::{Entry, ModuleWriter},
    op,
};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// The name of the first function.
pub(super) const FIRST: &str = "the first function";

/// The functions of a library of the 0.9 line, the one that is run in front: of those that need
/// nothing, the one whose size is nearest to the middle.
pub(super) fn read_functions(blob: &Path) -> anyhow::Result<Vec<Named>> {
    let blob = std::fs::read(blob).with_context(|| format!("can't read {}", blob.display()))?;
    let mut functions: Vec<Named> = bincode::deserialize(&blob)?;
    functions.sort_by_key(|(_, chunk)| chunk.ops.len());
    let middle = functions.len() / 2;
    let runs = |chunk: &Chunk| {
        chunk.ops.iter().all(|op| op.needs() == op::Needs::None) && result_of(chunk.clone()).is_ok()
    };
    let mut places: Vec<usize> = (0..functions.len()).collect();
    places.sort_by_key(|place| place.abs_diff(middle));
    let found = places
        .into_iter()
        .find(|place| runs(&functions[*place].1))
        .context("no function runs without a host")?;
    functions.swap(0, found);
    FIRST.clone_into(&mut functions[0].0);
    Ok(functions)
}

/// The functions of a library of this many.
fn copies(functions: &[Named], count: usize) -> impl Iterator<Item = Named> {
    (0..count).map(|number| {
        let (name, chunk) = &functions[number % functions.len()];
        let (mut name, mut chunk) = (name.clone(), chunk.clone());
        let copy = number / functions.len();
        if copy > 0 {
            name = format!("{copy}/{name}");
            chunk.constants.push(Value::int(copy as i64));
        }
        (name, chunk)
    })
}

/// Writes a library.
pub(super) fn build(
    form: Form,
    functions: &[Named],
    path: &Path,
    count: usize,
) -> anyhow::Result<()> {
    let functions = copies(functions, count);
    match form {
        Form::Fvbc => build_module(functions, path),
        Form::Sqlite => build_sqlite(functions, path),
        Form::Rkyv => build_rkyv(functions, path),
    }
}

fn build_module(functions: impl Iterator<Item = Named>, path: &Path) -> anyhow::Result<()> {
    let mut writer = ModuleWriter::create(path)?;
    for (name, chunk) in functions {
        writer.add(&Entry::named(name), &chunk)?;
    }
    writer.finish()?;
    Ok(())
}

fn build_sqlite(functions: impl Iterator<Item = Named>, path: &Path) -> anyhow::Result<()> {
    let mut database = Connection::open(path)?;
    database.execute_batch("CREATE TABLE functions (name TEXT PRIMARY KEY, chunk BLOB)")?;
    let transaction = database.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO functions VALUES (?1, ?2)")?;
        for (name, chunk) in functions {
            insert.execute((name, bincode::serialize(&chunk)?))?;
        }
    }
    Ok(transaction.commit()?)
}

/// Opens the database, finds the first function and decodes it, as programs of the 0.9 line do.
pub(super) fn load_from_sqlite(path: &Path) -> anyhow::Result<fusevm_0_9::Chunk> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let blob: Vec<u8> = database.query_row(
        "SELECT chunk FROM functions WHERE name = ?1",
        [FIRST],
        |row| row.get(0),
    )?;
    Ok(bincode::deserialize(&blob)?)
}

/// A function in an rkyv archive: ops of 24 bytes, and the strings.
#[derive(rkyv::Archive, rkyv::Serialize)]
struct ArchiveFunction {
    name: String,
    ops: Vec<ArchiveOp>,
    strings: Vec<String>,
    lines: Vec<u32>,
}

#[derive(rkyv::Archive, rkyv::Serialize)]
enum ArchiveOp {
    Plain(u8),
    One(u8, u64),
    Two(u8, u64, u64),
}

impl ArchiveFunction {
    fn of((name, chunk): Named) -> ArchiveFunction {
        let mut strings = chunk.names;
        strings.extend(chunk.constants.iter().map(Value::to_str));
        let archive_op = |op: &op::Op| {
            let mut bytes = Vec::new();
            op.encode(&mut bytes);
            let operands = bytes[1..].iter().rev();
            let number = operands.fold(0, |number, byte| number << 8 | u64::from(*byte));
            match bytes.len() {
                1 => ArchiveOp::Plain(bytes[0]),
                2..=3 => ArchiveOp::One(bytes[0], number),
                _ => ArchiveOp::Two(bytes[0], number, 0),
            }
        };
        ArchiveFunction {
            name,
            ops: chunk.ops.iter().map(archive_op).collect(),
            strings,
            lines: chunk.lines,
        }
    }
}

fn build_rkyv(functions: impl Iterator<Item = Named>, path: &Path) -> anyhow::Result<()> {
    let mut functions: Vec<_> = functions.map(ArchiveFunction::of).collect();
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&functions)?;
    Ok(std::fs::write(path, bytes)?)
}

/// Reads the archive, validates it whole, and finds the first function; gives the number of its ops.
pub(super) fn load_from_rkyv(path: &Path) -> anyhow::Result<usize> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len() as usize;
    let mut bytes = rkyv::util::AlignedVec::<16>::with_capacity(length);
    bytes.extend_from_reader(&mut file)?;
    let functions =
        rkyv::access::<rkyv::Archived<Vec<ArchiveFunction>>, rkyv::rancor::Error>(&bytes)?;
    let place = functions.binary_search_by(|function| function.name.as_str().cmp(FIRST));
    let function = &functions[place.ok().context("no such function")?];
    Ok(function.ops.len())
}
