//! `fusevm asm`: one assembly text becomes a module, as it stands.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Output, Target};
use std::path::PathBuf;

/// Turn assembly text into a module
///
/// `dis` is the way back: what it prints assembles to the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text; `-` for standard input
    file: PathBuf,
    /// The module to write; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
}

/// Assembles the text.
///
/// # Errors
/// The text can't be read or has errors, or the module can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut output = Output::begin(args.output, status::CHECK_FAILED)?;
    let assembly = input::assemble(&args.file, status::CHECK_FAILED)?;
    output.add_all(&assembly)?;
    output.finish()?;
    Ok(status::OK)
}
