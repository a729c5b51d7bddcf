//! `fusevm strip`: a module without what only tells of its sources.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Output, Target};
use std::path::PathBuf;

/// Leave out what a program doesn't need to run
///
/// Source lines and links to source texts go, with --all the names of sources too. What the chunks
/// mean, and so their hashes, names, keys and the metadata, stays. The result is in canonical form.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// The module to write, which may be FILE itself; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
    /// Leave out the names of sources too
    #[arg(long)]
    all: bool,
}

/// Writes the stripped module.
///
/// # Errors
/// The module can't be loaded or written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    let mut output = Output::begin(args.output, status::CANT_LOAD)?;
    let metadata = module
        .metadata()
        .map_err(|error| input::cant_load(&error))?;
    for (key, value) in &metadata {
        output.metadata(key, value);
    }
    for chunk in input::chunks(&module)? {
        let chunk = chunk?;
        let mut entry = chunk.entry();
        let mut chunk = chunk.into_chunk();
        entry.link = None;
        if args.all {
            super::strip(&mut chunk);
        } else {
            chunk.lines.clear();
        }
        output.add(&entry, &chunk)?;
    }
    output.finish()?;
    Ok(status::OK)
}
