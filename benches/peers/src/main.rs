//! Measures fusevm beside its peers: the same work in one run, in CPU time, as medians and ratios.

mod cache;
mod clock;
mod compile;
mod library;
mod link;
mod load;
mod lower;
mod report;
mod run;
mod shell_ops;
mod short_run;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures fusevm beside its peers in one run, in CPU time")]
struct Arguments {
    #[command(subcommand)]
    comparison: Comparison,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Comparison {
    /// Opening modules, first use of functions, whole-file checks; beside bincode 1. Libraries of fifty
    /// thousand functions, beside SQLite, rkyv and zsh.
    Load(load::Arguments),
    /// Making register code of a library's functions; a program too short for it, beside 0.9.7.
    Lower(lower::Arguments),
    /// Making native code: all programs of the tests together, and chunks that grow.
    Compile(compile::Arguments),
    /// Native code that outlives the process: second processes, and what a hit costs; beside 0.26.10.
    Cache(cache::Arguments),
    /// An engine shared by many VMs: VMs, calls between chunks, threads.
    Link(link::Arguments),
    /// The same algorithms on our engines, the published versions of the old line, and other
    /// languages.
    Run(run::Arguments),
    /// One program once in a fresh process, over an empty one: what a short run costs, compiling
    /// included.
    Fresh(run::once::FreshArguments),
    /// Instructions that the programs take, counted by valgrind, as a table.
    Callgrind,
    /// Runs one program once, for profilers, and prints what it took.
    Once(run::once::Arguments),
    /// Pipelines, subshells, substitutions, splits and globs, beside dash.
    ShellOps(shell_ops::Arguments),
    /// Measures one engine on one program; `run` starts it.
    #[command(hide = true)]
    Worker(run::worker::Arguments),
    /// Runs a program with a cache; `cache` starts it.
    #[command(hide = true)]
    CacheWorker(cache::worker::Arguments),
    /// Builds or uses one library; `load` starts it.
    #[command(hide = true)]
    LibraryWorker(library::worker::Arguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.comparison {
        Comparison::Load(load) => report::print(&load::run(&load)?, arguments.json),
        Comparison::Lower(lower) => report::print(&lower::run(&lower)?, arguments.json),
        Comparison::Compile(compile) => report::print(&compile::run(&compile)?, arguments.json),
        Comparison::Cache(cache) => report::print(&cache::run(&cache)?, arguments.json),
        Comparison::CacheWorker(work) => cache::worker::run(&work),
        Comparison::Link(link) => report::print(&link::run(&link)?, arguments.json),
        Comparison::Run(run) => run::run(&run, arguments.json),
        Comparison::Fresh(fresh) => report::print(&run::once::fresh(&fresh)?, arguments.json),
        Comparison::Callgrind => run::callgrind::run(),
        Comparison::Once(once) => run::once::run(&once),
        Comparison::ShellOps(ops) => report::print(&shell_ops::run(&ops)?, arguments.json),
        Comparison::Worker(worker) => run::worker::run(&worker),
        Comparison::LibraryWorker(work) => library::worker::run(&work),
    }
}
