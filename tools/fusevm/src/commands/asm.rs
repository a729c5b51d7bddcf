//! `fusevm asm`: one assembly text becomes a module, as it stands.

use crate::failure::{Failure, status};
use crate::input;
use crate::output::{Kind, Target};
use fusevm::format::ModuleWriter;
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
    args.output.check(Kind::Binary)?;
    let assembly = input::assemble(&args.file, status::CHECK_FAILED)?;
    let mut writer = ModuleWriter::new();
    input::add_all(&mut writer, &assembly, &args.file, status::CHECK_FAILED)?;
    writer.set_metadata(assembly.metadata);
    let written = writer.finish();
    let bytes = written.map_err(|error| Failure::of(status::CHECK_FAILED, &error))?;
    args.output.write(&bytes)?;
    Ok(status::OK)
}
