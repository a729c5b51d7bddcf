//! Chores of the repository, run as `cargo run --release -p xtask -- CHORE`.

mod ci;
mod r#gen;

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
    /// Write the generated files: chapters of the specification.
    Gen {
        /// Write nothing; fail if a file is stale.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Ci => ci::run(&root()),
        Chore::Gen { check } => r#gen::run(&root(), check),
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
