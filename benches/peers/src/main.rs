//! Measures fusevm beside its peers: the same work in one run, in CPU time, as medians and ratios.

mod clock;
mod load;
mod report;

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
    /// Opening modules, first use of functions, whole-file checks; beside bincode 1.
    Load(load::Arguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let rows = match arguments.comparison {
        Comparison::Load(load) => load::run(&load)?,
    };
    report::print(&rows, arguments.json)
}
