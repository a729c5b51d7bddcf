//! `fusevm import`: blobs of the 0.9 line, bincode 1, become a module.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Output, Target};
use crate::progress::Progress;
use bincode::Options;
use fusevm::Chunk;
use fusevm::code::Code;
use fusevm::format::Entry;
use std::fmt;
use std::path::PathBuf;

/// The name of a chunk that stands alone in its blob.
const LONE_CHUNK: &str = "main";

/// The largest blob that is read.
const MAX_BLOB: u64 = 4 << 30;

/// Turn a bincode blob of the 0.9 line into a module
///
/// The blob holds a list of (name, Chunk), or a single Chunk, which becomes the chunk `main`. It is
/// taken to its last byte or refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The blob; `-` for standard input
    blob: PathBuf,
    /// The module to write; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
    /// Leave out the names and lines of sources
    #[arg(long)]
    strip: bool,
}

/// Reads the blob and writes the module.
///
/// # Errors
/// The blob can't be read or is none, or the module can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let blob = input::read(&args.blob, MAX_BLOB)?;
    let forms: [(&str, Form); 2] = [
        ("a list of (name, Chunk)", read_list),
        ("one Chunk", read_lone_chunk),
    ];
    let mut reasons = Vec::new();
    let mut unwritable = None;
    for (name, form) in forms {
        let mut import = Import {
            whole: &blob,
            rest: &blob,
            output: Output::begin(args.output.clone(), status::CANT_LOAD)?,
            strip: args.strip,
        };
        match form(&mut import).and_then(|()| import.end()) {
            Ok(()) => {
                import.output.finish()?;
                return Ok(status::OK);
            }
            // A lone chunk may begin as a list whose chunks no module can hold.
            Err(Refusal::Write(failure)) => unwritable = unwritable.or(Some(failure)),
            Err(Refusal::Decode(reason)) => reasons.push(format!("as {name}: {reason}")),
        }
    }
    Err(unwritable.unwrap_or_else(|| {
        let place = input::place(&args.blob);
        let (status, code) = (status::CANT_LOAD, Code::BadImportBlob);
        Failure::new(status, code, Some(&place), reasons.join("\n  "))
    }))
}

/// Why a blob doesn't become a module.
enum Refusal {
    /// The bytes are of another form; says where and why.
    Decode(String),
    /// The module can't be written.
    Write(Failure),
}

/// Reads a blob of one of the two forms.
type Form = fn(&mut Import<'_>) -> Result<(), Refusal>;

fn read_list(import: &mut Import<'_>) -> Result<(), Refusal> {
    let count: u64 = import.next()?;
    let progress = Progress::new("importing", import.whole.len() as u64);
    // The count is believed only as far as chunks follow.
    for _ in 0..count {
        let (name, chunk) = import.next()?;
        import.add(name, chunk)?;
        progress.set(import.position());
    }
    Ok(())
}

fn read_lone_chunk(import: &mut Import<'_>) -> Result<(), Refusal> {
    let chunk = import.next()?;
    import.add(LONE_CHUNK.to_owned(), chunk)
}

/// A blob that is read value by value, and the module that it becomes.
struct Import<'a> {
    whole: &'a [u8],
    /// What is not read yet.
    rest: &'a [u8],
    output: Output,
    strip: bool,
}

impl Import<'_> {
    /// The next value.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        // With the limit a length that the blob claims sizes no memory beyond a small multiple of
        // the bytes that are there.
        let options = bincode::DefaultOptions::new()
            .with_fixint_encoding()
            .with_limit(self.rest.len() as u64);
        let value = options.deserialize_from(&mut self.rest);
        value.map_err(|error| self.refusal(&error))
    }

    fn add(&mut self, name: String, mut chunk: Chunk) -> Result<(), Refusal> {
        if self.strip {
            super::strip(&mut chunk);
        }
        let added = self.output.add(&Entry::named(name), &chunk);
        added.map_err(Refusal::Write)
    }

    /// Refuses what is left.
    fn end(&self) -> Result<(), Refusal> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.refusal(&format_args!("{left} bytes are left behind its end"))),
        }
    }

    fn position(&self) -> u64 {
        (self.whole.len() - self.rest.len()) as u64
    }

    /// The refusal of what stands at the present place.
    fn refusal(&self, reason: &dyn fmt::Display) -> Refusal {
        Refusal::Decode(format!("{reason}, at byte {}", self.position()))
    }
}
