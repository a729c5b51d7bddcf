//! The `fusevm` command line: reads the arguments, runs one command, gives its exit status.
//!
//! What a command does stands in its module under `commands`. Nothing here knows the format or the
//! VM beyond the library's public face.

mod builtins;
mod bundle;
mod cli;
mod commands;
mod decisions;
mod failure;
mod input;
mod machine_code;
mod needs;
mod output;
mod progress;
mod units;

use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::read() {
        Ok(cli) => cli,
        Err(refusal) => return cli::refuse(&refusal),
    };
    match cli.command.run() {
        Ok(status) => ExitCode::from(status),
        Err(failure) => finish(failure),
    }
}

/// Reports why a command failed and gives the exit status for it. A reader that went away is not
/// worth a word: `fusevm list lib.fvbc | head` ends well.
fn finish(failure: Failure) -> ExitCode {
    match failure {
        Failure::ReaderGone => ExitCode::from(failure::status::OK),
        Failure::Reported { status, report, .. } => {
            report.print();
            ExitCode::from(status)
        }
    }
}
