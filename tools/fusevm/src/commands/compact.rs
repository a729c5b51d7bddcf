//! `fusevm compact`: a module that was changed in place gets its canonical form back.

use crate::failure::{Failure, status};
use crate::output;
use crate::progress::Progress;
use fusevm::format::{AppendOptions, compact};
use std::path::PathBuf;

/// Tidy up a module that was changed in place
///
/// It becomes the module that would have been written at once: without what was replaced or removed,
/// in canonical form. Programs that have it open keep what they have.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module
    file: PathBuf,
}

/// Compacts the module, and prints what that saved.
///
/// # Errors
/// The module can't be loaded or written, or others keep changing it.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut progress = None;
    let compacted = compact(&args.file, &AppendOptions::new(), |done, of| {
        progress
            .get_or_insert_with(|| Progress::new("compacting", of))
            .set(done);
    });
    drop(progress);
    let compacted = compacted.map_err(|error| output::write_failure(&error, status::CANT_LOAD))?;
    let file = args.file.display().to_string();
    output::print_text(&format!(
        "{}: {}, {} bytes before, {} now\n",
        output::shown(&file),
        output::counted(compacted.chunks, "chunk"),
        compacted.before,
        compacted.after
    ))?;
    Ok(status::OK)
}
