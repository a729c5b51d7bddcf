//! `fusevm man`: the manual page, of all commands or of one.

use crate::cli::Cli;
use crate::failure::{Failure, status};
use crate::output;
use clap::CommandFactory;

/// Print the manual page, as roff
#[derive(Debug, clap::Args)]
#[command(after_help = "Read it with `fusevm man run | man -l -`.")]
pub(crate) struct Args {
    /// The command; without it the page of fusevm itself
    command: Option<String>,
}

/// Prints the page.
///
/// # Errors
/// There is no such command, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut cli = Cli::command();
    // Names in full, as in `fusevm-run`.
    cli.build();
    let command = match &args.command {
        None => cli,
        Some(name) => cli
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("no such command: `{name}`")))?,
    };
    let mut page = Vec::new();
    // Writing to memory doesn't fail.
    let _ = clap_mangen::Man::new(command).render(&mut page);
    output::print_bytes(&page)?;
    Ok(status::OK)
}
