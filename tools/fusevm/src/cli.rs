//! The command line's one definition: parser, help, man page and completions come from it.
//!
//! Each command's own flags stand in its module under `commands`.

use crate::commands::{
    asm, build, bundle, cache, check, compact, completions, diff, dis, explain, extract, graph,
    hash, import, info, list, man, run, size, spec, strip,
};
use crate::failure::{Failure, status};
use clap::{Args as _, FromArgMatches as _, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Builds, runs, checks and looks into .fvbc files, the bytecode of fusevm.
#[derive(Debug, Parser)]
#[command(name = "fusevm", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit status: that of the program under `run`; else 0 fine, 1 a check that failed or a difference, 2 wrong usage, \
125 fusevm itself failed (a trap, a limit), 126 the file can't be loaded or is denied, \
127 not found.";

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "each command's arguments say it")]
pub(crate) enum Command {
    Run(run::Args),
    Build(build::Args),
    Asm(asm::Args),
    Dis(dis::Args),
    Check(check::Args),
    Info(info::Args),
    List(list::Args),
    Size(size::Args),
    Hash(hash::Args),
    Diff(diff::Args),
    Graph(graph::Args),
    Strip(strip::Args),
    Bundle(bundle::Args),
    Compact(compact::Args),
    Extract(extract::Args),
    Import(import::Args),
    Cache(cache::Args),
    Spec(spec::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Runs the command and gives the exit status.
    ///
    /// # Errors
    /// Why the command did not do its work.
    pub(crate) fn run(self) -> Result<u8, Failure> {
        match self {
            Command::Run(args) => run::run(args),
            Command::Build(args) => build::run(args),
            Command::Asm(args) => asm::run(args),
            Command::Dis(args) => dis::run(args),
            Command::Check(args) => check::run(args),
            Command::Info(args) => info::run(args),
            Command::List(args) => list::run(args),
            Command::Size(args) => size::run(args),
            Command::Hash(args) => hash::run(args),
            Command::Diff(args) => diff::run(args),
            Command::Graph(args) => graph::run(args),
            Command::Strip(args) => strip::run(args),
            Command::Bundle(args) => bundle::run(args),
            Command::Compact(args) => compact::run(args),
            Command::Extract(args) => extract::run(args),
            Command::Import(args) => import::run(args),
            Command::Cache(args) => cache::run(args),
            Command::Spec(args) => spec::run(args),
            Command::Explain(args) => explain::run(args),
            Command::Completions(args) => completions::run(args),
            Command::Man(args) => man::run(args),
        }
    }
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it; also where help or the version is asked for.
    pub(crate) fn read() -> Result<Cli, clap::Error> {
        match run_arguments() {
            Some(args) => Ok(Cli {
                command: Command::Run(args),
            }),
            None => Cli::try_parse(),
        }
    }
}

/// The arguments of `run`, if it is the command and nothing is wrong with them. To set up all commands takes
/// longer than many a program runs, and what that leaves of the heap is copied with every process that a
/// shell makes. What is wrong is told by the whole.
fn run_arguments() -> Option<run::Args> {
    let words = || std::env::args_os().skip(1);
    words().next().filter(|command| command == "run")?;
    let command = run::Args::augment_args(clap::Command::new("run"));
    let matches = command.try_get_matches_from(words()).ok()?;
    run::Args::from_arg_matches(&matches).ok()
}

/// Prints help and version to standard output, and what is wrong with a command line to standard
/// error, with its code; gives the exit status.
pub(crate) fn refuse(refusal: &clap::Error) -> ExitCode {
    let text = refusal.render().ansi().to_string();
    if !refusal.use_stderr() {
        // A reader that went away has seen enough of the help.
        let _ = write!(anstream::stdout(), "{text}");
        return ExitCode::from(status::OK);
    }
    let code = fusevm::code::Code::BadUsage;
    let text = text.replacen("error:", &format!("error[{code}]:"), 1);
    let _ = write!(anstream::stderr(), "{text}");
    ExitCode::from(status::USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_argument_has_help() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let described = argument.get_help().is_some();
                assert!(described, "{} {}", command.get_name(), argument.get_id());
            }
        }
    }
}
