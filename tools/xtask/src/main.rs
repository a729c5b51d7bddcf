//! Chores of the repository, run as `cargo run --release -p xtask -- CHORE`.

mod ci;
mod figures;
mod r#gen;
mod golden;
mod vectors;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check formatting, lints, generated files and documentation, and run all tests.
    Ci,
    /// Sweep over what a seed makes, and print the figures.
    Figures(figures::Arguments),
    /// Write the generated files: chapters of the specification, and its vectors.
    Gen {
        /// Write nothing; fail if a file is stale.
        #[arg(long)]
        check: bool,
    },
    /// Write the modules that are kept for later readers; never again for one version of the format.
    Golden,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Ci => ci::run(&root()),
        Chore::Figures(arguments) => figures::run(&arguments),
        Chore::Gen { check } => r#gen::run(&root(), check),
        Chore::Golden => golden::run(&root()),
    }
}

/// The repository's top folder.
fn root() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tools
        .and_then(Path::parent)
        .expect("xtask lies in tools/")
        .to_owned()
}
