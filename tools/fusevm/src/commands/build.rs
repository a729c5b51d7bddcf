//! `fusevm build`: sources become a module.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Output, Target};
use fusevm::asm::Assembly;
use fusevm::code::Code;
use fusevm::format::Metadata;
use std::collections::btree_map::Entry as Place;
use std::path::{Path, PathBuf};

/// The metadata key of the module's name.
const NAME_KEY: &str = "name";

/// Build a module from sources
///
/// Sources are assembly text; the chunks of all of them become one module. The same sources give
/// the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The sources; `-` for standard input
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<PathBuf>,
    /// The module to write; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
    /// Leave out source lines and what tells of the sources
    #[arg(long)]
    strip: bool,
    /// Name the module, in its metadata
    #[arg(long)]
    name: Option<String>,
}

/// Builds the module.
///
/// # Errors
/// A source can't be read or has errors, or the module can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut output = Output::begin(args.output, status::CHECK_FAILED)?;
    let mut metadata = Metadata::new();
    for path in &args.sources {
        let mut assembly = input::assemble(path, status::CHECK_FAILED)?;
        if args.strip {
            strip(&mut assembly);
        }
        add_metadata(&mut metadata, &assembly, path)?;
        for (entry, chunk) in &assembly.chunks {
            output.add(entry, chunk)?;
        }
    }
    if let Some(name) = args.name {
        metadata.insert(NAME_KEY.to_owned(), name.into_bytes());
    }
    output.set_metadata(metadata);
    output.finish()?;
    Ok(status::OK)
}

/// Drops what a chunk's meaning doesn't depend on: source names, lines and links.
fn strip(assembly: &mut Assembly) {
    for (entry, chunk) in &mut assembly.chunks {
        entry.link = None;
        chunk.lines.clear();
        chunk.source.clear();
    }
}

/// Adds a source's metadata to the module's.
fn add_metadata(all: &mut Metadata, assembly: &Assembly, path: &Path) -> Result<(), Failure> {
    for (key, value) in &assembly.metadata {
        match all.entry(key.clone()) {
            Place::Vacant(place) => {
                place.insert(value.clone());
            }
            Place::Occupied(place) if place.get() == value => {}
            Place::Occupied(_) => {
                let detail = format!("another source gives the metadata `{key}` another value");
                let (status, code) = (status::CHECK_FAILED, Code::DuplicateSymbol);
                return Err(Failure::new(
                    status,
                    code,
                    Some(&input::place(path)),
                    detail,
                ));
            }
        }
    }
    Ok(())
}
