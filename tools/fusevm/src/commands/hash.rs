//! `fusevm hash`: the identities of a module and of its chunks.

use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Print the hashes of a module and its chunks
///
/// The root hash, in the first line, stands for every record and the metadata. A chunk's hash stands
/// for what the chunk means, not for its name, source or lines.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// Only the hash of this chunk, NAME or SPACE::NAME, and nothing else
    #[arg(long, value_name = "NAME")]
    chunk: Option<String>,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the hashes.
///
/// # Errors
/// The module can't be loaded, has no such chunk, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    if let Some(name) = &args.chunk {
        let chunk = input::chunk(&module, name)?;
        let hash = ChunkHash {
            space: chunk.space().to_owned(),
            name: chunk.name().to_owned(),
            hash: chunk.hash().to_string(),
        };
        if args.json {
            output::print_json(&hash)?;
        } else {
            output::print_text(&format!("{}\n", hash.hash))?;
        }
        return Ok(status::OK);
    }
    let mut hashes = Hashes {
        file: input::place(&args.file).into_owned(),
        root: output::hex(&module.root_hash()),
        chunks: Vec::new(),
    };
    for chunk in input::chunks(&module)? {
        let chunk = chunk?;
        hashes.chunks.push(ChunkHash {
            space: chunk.space().to_owned(),
            name: chunk.name().to_owned(),
            hash: chunk.hash().to_string(),
        });
    }
    if args.json {
        output::print_json(&hashes)?;
    } else {
        output::print_text(&hashes.text())?;
    }
    Ok(status::OK)
}

/// What a module is known by.
#[derive(Serialize)]
struct Hashes {
    file: String,
    root: String,
    chunks: Vec<ChunkHash>,
}

/// What a chunk is known by.
#[derive(Serialize)]
struct ChunkHash {
    space: String,
    name: String,
    hash: String,
}

impl Hashes {
    fn text(&self) -> String {
        let mut text = format!("{}  {} (root)\n", self.root, output::shown(&self.file));
        for chunk in &self.chunks {
            let name = output::shown(&output::full_name(&chunk.space, &chunk.name));
            // Writing to a string doesn't fail.
            let _ = writeln!(text, "{}  {name}", chunk.hash);
        }
        text
    }
}
