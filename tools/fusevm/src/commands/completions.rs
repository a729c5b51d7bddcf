//! `fusevm completions`: what a shell needs to complete fusevm's command lines.

use crate::cli::Cli;
use crate::failure::{Failure, status};
use crate::output;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// Standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(args.shell, &mut command, "fusevm", &mut script);
    output::print_bytes(&script)?;
    Ok(status::OK)
}
