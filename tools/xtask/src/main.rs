//! Chores of the repository, run as `cargo run --release -p xtask -- CHORE`.

mod ci;
mod figures;
mod r#gen;
mod golden;
mod library;
mod vectors;

use clap::{Parser, Subcommand};
use std::{
    env,
    path::{Path, PathBuf},
};

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
    /// Crash, kill and crowd libraries that change in place.
    Library(library::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Ci => ci::run(&root()),
        Chore::Figures(arguments) => figures::run(&root(), &arguments),
        Chore::Gen { check } => r#gen::run(&root(), check),
        Chore::Golden => golden::run(&root()),
        Chore::Library(arguments) => library::run(&arguments),
    }
}

/// The repository's top folder. Cargo says at run time where this package lies: a build folder that is
/// shared by several checkouts may hold another one's binary.
fn root() -> PathBuf {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let tools = Path::new(&package).parent();
    tools
        .and_then(Path::parent)
        .expect("xtask lies in tools/")
        .to_owned()
}
