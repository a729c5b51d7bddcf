//! `fusevm import`: blobs of the 0.9 line, bincode 1, become a module.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Kind, Target};
use crate::progress::Progress;
use bincode::Options;
use fusevm::Chunk;
use fusevm::code::Code;
use fusevm::format::{Entry, ModuleWriter, WriteError};
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
    /// Leave out source lines
    #[arg(long)]
    strip: bool,
}

/// Reads the blob and writes the module.
///
/// # Errors
/// The blob can't be read or is none, or the module can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    args.output.check(Kind::Binary)?;
    let place = input::place(&args.blob);
    let blob = input::read(&args.blob, MAX_BLOB)?;
    let writer = match decode(&blob, decode_list) {
        Ok(writer) => writer,
        Err(Refusal::Write(error)) => return Err(Failure::of(status::CANT_LOAD, &error)),
        Err(Refusal::Decode(as_list)) => match decode(&blob, decode_lone_chunk) {
            Ok(writer) => writer,
            Err(Refusal::Write(error)) => return Err(Failure::of(status::CANT_LOAD, &error)),
            Err(Refusal::Decode(as_chunk)) => {
                let detail = format!("as a list: {as_list}\n  as one Chunk: {as_chunk}");
                let code = Code::BadImportBlob;
                return Err(Failure::new(status::CANT_LOAD, code, Some(&place), detail));
            }
        },
    };
    let bytes = writer
        .finish()
        .map_err(|error| Failure::of(status::CANT_LOAD, &error))?;
    args.output.write(&bytes)?;
    Ok(status::OK)
}

/// Why a blob doesn't become a module.
enum Refusal {
    /// The bytes are no value of the type.
    Decode(BadBytes),
    /// The format has no place for it.
    Write(WriteError),
}

/// What is wrong with the bytes, and where.
struct BadBytes {
    byte: usize,
    reason: String,
}

impl fmt::Display for BadBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.byte, self.reason)
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Refusal {
        Refusal::Write(error)
    }
}

/// Decodes a whole blob in one of its two forms.
fn decode(
    blob: &[u8],
    form: fn(&mut Blob<'_>, &mut ModuleWriter) -> Result<(), Refusal>,
) -> Result<ModuleWriter, Refusal> {
    let mut writer = ModuleWriter::new();
    let mut blob = Blob {
        whole: blob,
        rest: blob,
    };
    form(&mut blob, &mut writer)?;
    match blob.rest.len() {
        0 => Ok(writer),
        left => Err(blob.refusal(format!("{left} bytes are left behind its end"))),
    }
}

fn decode_list(blob: &mut Blob<'_>, writer: &mut ModuleWriter) -> Result<(), Refusal> {
    let count: u64 = blob.next()?;
    let progress = Progress::new("importing", blob.whole.len() as u64);
    // The count is only believed as far as chunks follow.
    for _ in 0..count {
        let (name, chunk): (String, Chunk) = blob.next()?;
        writer.add(&Entry::new(name, chunk))?;
        progress.set((blob.whole.len() - blob.rest.len()) as u64);
    }
    Ok(())
}

fn decode_lone_chunk(blob: &mut Blob<'_>, writer: &mut ModuleWriter) -> Result<(), Refusal> {
    let chunk: Chunk = blob.next()?;
    writer.add(&Entry::new(LONE_CHUNK, chunk))?;
    Ok(())
}

/// A blob that is read value by value.
struct Blob<'a> {
    whole: &'a [u8],
    /// What is not read yet.
    rest: &'a [u8],
}

impl Blob<'_> {
    /// The next value.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        // With the limit a length that the blob claims sizes no memory beyond a small multiple of
        // the bytes that are there.
        let options = bincode::DefaultOptions::new()
            .with_fixint_encoding()
            .with_limit(self.rest.len() as u64);
        let value = options.deserialize_from(&mut self.rest);
        value.map_err(|error| self.refusal(error.to_string()))
    }

    /// The refusal of what stands at the present place.
    fn refusal(&self, reason: String) -> Refusal {
        Refusal::Decode(BadBytes {
            byte: self.whole.len() - self.rest.len(),
            reason,
        })
    }
}
