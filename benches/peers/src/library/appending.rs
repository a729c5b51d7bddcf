//! What it costs to add one function to a large library, and to look up one behind many additions.

use crate::{
    clock::{median, time},
    report::Row,
};
use anyhow::ensure;
use fusevm::{
    ChunkBuilder, Op, Value,
    format::{AppendOptions, Entry, Module, ModuleAppender, ModuleWriter, compact},
};
use std::{hint::black_box, io::Write, path::Path, time::Instant};

/// Functions that are added, one at a time.
const APPENDS: usize = 1_000;
/// Appends and syncs that are timed with the disk.
const SYNCED: usize = 50;
/// Lookups of a round, and rounds.
const LOOKUPS: u32 = 200;
const ROUNDS: usize = 25;

/// The rows about a copy of `library` at `path`.
pub(super) fn rows(library: &Path, path: &Path) -> anyhow::Result<Vec<Row>> {
    std::fs::copy(library, path)?;
    let mut most = 0;
    let (mut unsynced, mut synced, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..APPENDS {
        let began = Instant::now();
        most = most.max(append(path, number, false)?);
        unsynced.push(began.elapsed().as_secs_f64() * 1e6);
    }
    for number in APPENDS..APPENDS + SYNCED {
        let began = Instant::now();
        append(path, number, true)?;
        synced.push(began.elapsed().as_secs_f64() * 1e6);
        bare.push(bare_sync(&path.with_extension("bare"))?);
    }
    let appended = Module::open(path)?;
    let segments = appended.segment_count();
    compact(path, &AppendOptions::new(), |_, _| ())?;
    let compacted = Module::open(path)?;
    ensure!(
        std::fs::read(path)? == written_anew(&compacted)?,
        "the compacted module has other bytes than a writer gives"
    );
    let (mut before, mut after, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for _ in 0..ROUNDS {
        let mut look_up = |module: &Module, name: &str| {
            time(LOOKUPS, || {
                number = (number + 7) % APPENDS;
                black_box(module.record("", &format!("{name} {number}")).is_ok())
            })
        };
        before.push(look_up(&appended, "added"));
        after.push(look_up(&compacted, "added"));
        absent.push(look_up(&compacted, "absent"));
    }
    let ratios = before.iter().zip(&after).map(|(a, b)| a / b).collect();
    Ok(vec![
        Row::new(
            "append of one function, at most written",
            most as f64,
            "bytes",
        ),
        Row::new(
            "append of one function, elapsed, no sync",
            median(unsynced),
            "us",
        ),
        Row::new(
            "append of one function, elapsed, two syncs",
            median(synced),
            "us",
        ),
        Row::new("  two bare syncs of as many bytes", median(bare), "us"),
        Row::new(
            format!("lookup in {segments} segments"),
            median(before) / 1e3,
            "us",
        ),
        Row::new("compacted, bytes that a writer gives otherwise", 0.0, ""),
        Row::new("lookup when compacted", median(after) / 1e3, "us"),
        Row::new("  segments / compacted", median(ratios), "x"),
        Row::new("lookup of an absent name", median(absent) / 1e3, "us"),
    ])
}

/// The bytes of the module when its chunks are encoded again.
fn written_anew(module: &Module) -> anyhow::Result<Vec<u8>> {
    let mut writer = ModuleWriter::new(std::io::Cursor::new(Vec::new()))?;
    for record in module.records()? {
        let chunk = record?.load()?;
        writer.add(&chunk.entry(), &chunk.to_chunk())?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Adds a function, and gives the number of bytes that it took.
fn append(path: &Path, number: usize, sync: bool) -> anyhow::Result<u64> {
    let mut b = ChunkBuilder::new();
    let constant = b.add_constant(Value::str("x".repeat(1_000)));
    b.emit(Op::LoadConst(constant), 1);
    let options = AppendOptions::new().sync(sync);
    let mut appender = ModuleAppender::open(path, &options)?;
    appender.put(&Entry::named(format!("added {number}")), &b.build())?;
    Ok(appender.finish()?.bytes)
}

/// Microseconds of appending 4 KB to a file and syncing it, then writing 80 bytes of it again and
/// syncing that.
fn bare_sync(path: &Path) -> anyhow::Result<f64> {
    use std::os::unix::fs::FileExt;
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)?;
    let began = Instant::now();
    file.write_all(&[7; 4096])?;
    file.sync_data()?;
    let file = std::fs::File::options().write(true).open(path)?;
    file.write_all_at(&[8; 80], 64)?;
    file.sync_data()?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}
