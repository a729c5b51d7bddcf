//! `fusevm import`: blobs of the 0.9 line, bincode 1, become a module.

use crate::failure::{Failure, status};
use crate::output::{Kind, Target};
use crate::progress::Progress;
use bincode::Options;
use fusevm::Chunk;
use fusevm::code::Code;
use std::path::PathBuf;

/// Turn a bincode blob of the 0.9 line into a module
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The blob holds a list of (name, Chunk), or a single Chunk, which becomes the chunk `main`. It is \
taken to its last byte or refused.")]
pub(crate) struct Args {
    /// The blob
    blob: PathBuf,
    /// The module to write; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
}

/// Reads a blob's chunks one by one.
struct Blob<'a> {
    /// What is left of it.
    rest: &'a [u8],
}

impl<'a> Blob<'a> {
    /// The next value.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> bincode::Result<T> {
        // The limit keeps a length in the blob from sizing memory: no value takes more than a fixed
        // multiple of the bytes that stand for it.
        let options = bincode::DefaultOptions::new()
            .with_fixint_encoding()
            .allow_trailing_bytes()
            .with_limit(self.rest.len() as u64);
        options.deserialize_from(&mut self.rest)
    }
}
