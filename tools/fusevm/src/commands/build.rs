//! `fusevm build`: sources become a module.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{self, Output, Target};
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
    /// Leave out the names and lines of sources
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
            for (entry, chunk) in &mut assembly.chunks {
                entry.link = None;
                super::strip(chunk);
            }
        }
        merge_metadata(&mut metadata, &assembly, path)?;
        output.add_all(&assembly)?;
    }
    if let Some(name) = args.name {
        output.metadata(NAME_KEY, name.as_bytes());
    }
    output.finish()?;
    Ok(status::OK)
}

/// Adds a source's metadata to that of the sources before it, which must not contradict.
fn merge_metadata(all: &mut Metadata, assembly: &Assembly, path: &Path) -> Result<(), Failure> {
    for (key, value) in &assembly.metadata {
        match all.entry(key.clone()) {
            Place::Vacant(place) => {
                place.insert(value.clone());
            }
            Place::Occupied(place) if place.get() == value => {}
            Place::Occupied(_) => {
                let key = output::shown(key);
                let detail = format!("another source gives the metadata `{key}` another value");
                let (status, code) = (status::CHECK_FAILED, Code::DuplicateSymbol);
                let place = input::place(path);
                return Err(Failure::new(status, code, Some(&place), detail));
            }
        }
    }
    Ok(())
}
