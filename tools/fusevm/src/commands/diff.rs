//! `fusevm diff`: what changed from one module to another, by what chunks mean.

use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use fusevm::Chunk;
use fusevm::asm::{self, Style};
use fusevm::format::{Entry, LoadedChunk, Metadata, Module, Record};
use serde::Serialize;
use similar::TextDiff;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Ops that are shown around a difference.
const CONTEXT: usize = 3;

/// After this time a difference need not be the smallest any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show what changed from one module to another
///
/// Chunks are compared by name, and by what they mean: where ops, constants or tables differ, the
/// disassemblies are. The order of chunks and the form of the file don't count. The exit status is 0
/// if nothing differs, 1 if something does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The old module, or assembly text; `-` for standard input
    #[arg(value_name = "A")]
    old: PathBuf,
    /// The new module, or assembly text
    #[arg(value_name = "B")]
    new: PathBuf,
    /// Only name the chunks
    #[arg(long)]
    stat: bool,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
}

/// Compares the modules and prints the differences.
///
/// # Errors
/// A module can't be loaded, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let modules = [input::open(&args.old)?, input::open(&args.new)?];
    let differences = Differences::of(&modules, args.stat)?;
    if args.json {
        output::print_json(&differences)?;
    } else {
        output::print_text(&differences.text())?;
    }
    Ok(if differences.equal {
        status::OK
    } else {
        status::CHECK_FAILED
    })
}

/// All that differs.
#[derive(Default, Serialize)]
struct Differences {
    equal: bool,
    metadata: Vec<Entries>,
    removed: Vec<Lone>,
    added: Vec<Lone>,
    changed: Vec<Changed>,
    /// Chunks that mean the same.
    details: Vec<Details>,
}

/// An entry of the metadata that isn't the same.
#[derive(Serialize)]
struct Entries {
    key: String,
    old: Option<String>,
    new: Option<String>,
}

/// A chunk that only one of the modules has.
#[derive(Serialize)]
struct Lone {
    name: String,
    ops: usize,
    hash: String,
}

/// A chunk that means something else.
#[derive(Serialize)]
struct Changed {
    name: String,
    ops: [usize; 2],
    hash: [String; 2],
    /// The unified difference of the disassemblies.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// A chunk that means the same, and what is told of its source that doesn't.
#[derive(Serialize)]
struct Details {
    name: String,
    what: Vec<&'static str>,
}

impl Differences {
    /// What differs between an old and a new module; without disassemblies if only names are wanted.
    fn of(modules: &[Module; 2], only_names: bool) -> Result<Differences, Failure> {
        let [old, new] = modules;
        let mut differences = Differences {
            metadata: entries(&metadata(old)?, &metadata(new)?),
            ..Differences::default()
        };
        for record in old.records().map_err(|error| input::cant_load(&error))? {
            let record = record.map_err(|error| input::cant_load(&error))?;
            match find(new, &record)? {
                Some(other) if other.bytes() == record.bytes() => {}
                Some(other) => differences.compare([load(record)?, load(other)?], only_names)?,
                None => differences.removed.push(Lone::of(&load(record)?)),
            }
        }
        for record in new.records().map_err(|error| input::cant_load(&error))? {
            let record = record.map_err(|error| input::cant_load(&error))?;
            if find(old, &record)?.is_none() {
                differences.added.push(Lone::of(&load(record)?));
            }
        }
        differences.equal = differences.metadata.is_empty()
            && differences.removed.is_empty()
            && differences.added.is_empty()
            && differences.changed.is_empty()
            && differences.details.is_empty();
        Ok(differences)
    }

    /// Adds what differs between two chunks of a name.
    fn compare(&mut self, chunks: [LoadedChunk; 2], only_names: bool) -> Result<(), Failure> {
        let name = name_of(&chunks[0]);
        let hashes = [chunks[0].hash(), chunks[1].hash()];
        if hashes[0] == hashes[1] {
            let what = details(&chunks);
            if !what.is_empty() {
                self.details.push(Details { name, what });
            }
            return Ok(());
        }
        let ops = [chunks[0].ops().len(), chunks[1].ops().len()];
        let diff = if only_names {
            None
        } else {
            Some(diff(&name, chunks)?)
        };
        self.changed.push(Changed {
            name,
            ops,
            hash: hashes.map(|hash| hash.to_string()),
            diff,
        });
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string doesn't fail, here and below.
        for Entries { key, old, new } in &self.metadata {
            let value = |value: &Option<String>| match value {
                Some(value) => format!("\"{}\"", output::shown(value)),
                None => "nothing".to_owned(),
            };
            let (key, old, new) = (output::shown(key), value(old), value(new));
            let _ = writeln!(text, "metadata {key}: {old} -> {new}");
        }
        for (what, chunks) in [("removed", &self.removed), ("added", &self.added)] {
            for Lone { name, ops, .. } in chunks {
                let (name, ops) = (output::shown(name), output::counted(*ops as u64, "op"));
                let _ = writeln!(text, "{what} {name}, {ops}");
            }
        }
        for Details { name, what } in &self.details {
            let (name, what) = (output::shown(name), what.join(", "));
            let _ = writeln!(text, "same {name}, but for {what}");
        }
        for Changed {
            name, ops, diff, ..
        } in &self.changed
        {
            let (name, [old, new]) = (output::shown(name), ops);
            let _ = writeln!(text, "changed {name}, {old} -> {new} ops");
            text.push_str(diff.as_deref().unwrap_or_default());
        }
        text
    }
}

impl Lone {
    fn of(chunk: &LoadedChunk) -> Lone {
        Lone {
            name: name_of(chunk),
            ops: chunk.ops().len(),
            hash: chunk.hash().to_string(),
        }
    }
}

fn metadata(module: &Module) -> Result<Metadata, Failure> {
    module.metadata().map_err(|error| input::cant_load(&error))
}

/// The entries that are in one only, or differ.
fn entries(old: &Metadata, new: &Metadata) -> Vec<Entries> {
    let value = |metadata: &Metadata, key: &String| {
        let value = metadata.get(key)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differing = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key));
    differing
        .map(|key| Entries {
            key: key.clone(),
            old: value(old, key),
            new: value(new, key),
        })
        .collect()
}

fn find(module: &Module, record: &Record) -> Result<Option<Record>, Failure> {
    let found = module.record(record.space(), record.name());
    found.map_err(|error| input::cant_load(&error))
}

fn load(record: Record) -> Result<LoadedChunk, Failure> {
    record.load().map_err(|error| input::cant_load(&error))
}

fn name_of(chunk: &LoadedChunk) -> String {
    output::full_name(chunk.space(), chunk.name())
}

/// What differs between chunks that mean the same.
fn details([old, new]: &[LoadedChunk; 2]) -> Vec<&'static str> {
    let differing = [
        ("lines", old.lines() != new.lines()),
        ("source", old.source() != new.source()),
        ("link", old.link() != new.link()),
        ("key", old.key() != new.key()),
    ];
    let differing = differing.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(what, _)| what).collect()
}

/// The unified difference of the disassemblies.
fn diff(name: &str, [old, new]: [LoadedChunk; 2]) -> Result<String, Failure> {
    let (old, new) = (disassembly(name, old)?, disassembly(name, new)?);
    let mut diff = TextDiff::configure();
    let diff = diff.timeout(PATIENCE).diff_lines(&old, &new);
    let name = output::shown(name);
    let (a, b) = (format!("a/{name}"), format!("b/{name}"));
    let mut unified = diff.unified_diff();
    Ok(unified.context_radius(CONTEXT).header(&a, &b).to_string())
}

/// The text of what a chunk means.
fn disassembly(name: &str, chunk: LoadedChunk) -> Result<String, Failure> {
    let mut chunk: Chunk = chunk.into_chunk();
    super::strip(&mut chunk);
    let printed = asm::print_chunk(&Entry::named(name), &chunk, &Style::default());
    printed.map_err(|error| {
        let place = format!("chunk \"{}\"", output::shown(name));
        Failure::new(status::FAILED, error.code(), Some(&place), error)
    })
}
