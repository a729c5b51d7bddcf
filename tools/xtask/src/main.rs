//! Chores of the repository, run as `cargo run --release -p xtask -- CHORE`.

mod callgrind;
mod ci;
mod coverage;
mod figures;
mod r#gen;
mod golden;
mod library;
mod valgrind;
mod vectors;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Count the instructions of the compared programs anew, in `benches/callgrind.md`.
    Callgrind,
    /// Check formatting, lints, generated files and documentation, and run all tests.
    Ci,
    /// Tell which share of the lines of `src/{op,format,verify,value}` the tests run.
    Coverage(coverage::Arguments),
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
    /// Run all vectors and programs in all tiers under valgrind.
    Valgrind(valgrind::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Callgrind => callgrind::run(&root()),
        Chore::Ci => ci::run(&root()),
        Chore::Coverage(arguments) => coverage::run(&root(), &arguments),
        Chore::Figures(arguments) => figures::run(&root(), &arguments),
        Chore::Gen { check } => r#gen::run(&root(), check),
        Chore::Golden => golden::run(&root()),
        Chore::Library(arguments) => library::run(&arguments),
        Chore::Valgrind(arguments) => valgrind::run(&root(), &arguments),
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

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> anyhow::Result<PathBuf> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("can't run cargo")?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let folder = metadata["target_directory"].as_str();
    Ok(folder.context("cargo tells no target folder")?.into())
}
