//! `callgrind`: refreshes the table of instruction counts that is kept in the repository.

use anyhow::ensure;
use std::{fs, path::Path, process::Command};

/// The table, below the repository's root.
const TABLE: &str = "benches/callgrind.md";

/// Counts anew and writes the table.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", "peers", "--"])
        .arg("callgrind")
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "counting failed");
    fs::write(root.join(TABLE), output.stdout)?;
    println!("wrote {TABLE}");
    Ok(())
}
