//! `ci`: everything that has to hold before a change is taken, in the order in which it fails fastest.

use anyhow::{Context, bail};
use std::{path::Path, process::Command, time::Instant};

/// The library's feature sets; each is checked and tested.
const FEATURE_SETS: [&str; 4] = ["", "host", "jit", "host,jit"];

/// Runs all steps in `root`; stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    crate::r#gen::run(root, true)?;
    cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    for features in FEATURE_SETS {
        let library = [
            "-p",
            "fusevm",
            "--no-default-features",
            "--features",
            features,
        ];
        let clippy = [
            &["clippy"],
            &library[..],
            &["--all-targets", "--", "-D", "warnings"],
        ];
        cargo(root, &clippy.concat())?;
        cargo(root, &[&["test"], &library[..]].concat())?;
    }
    cargo(root, &["test", "--workspace", "--exclude", "fusevm"])?;
    cargo(root, &["doc", "--workspace", "--no-deps"])
}

/// Runs cargo, showing the command and, at its end, the time that it took.
fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    println!("+ cargo {}", arguments.join(" "));
    let began = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(root)
        .status()
        .context("can't run cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    println!("  {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
