//! Generated programs in two implementations: the library, and the Python package that was written from
//! the specification. They have to agree on verdict, hash, result and kind, output, trap, op and fuel.

use super::Sweep;
use crate::vectors::expectations;
use anyhow::ensure;
use fusevm_kit::{outcome, program::program};
use serde_json::json;
use std::{fs, path::Path, process::Command, thread};

/// Programs in a module.
const BATCH: u64 = 500;

pub(super) fn run(sweep: &Sweep, root: &Path) -> anyhow::Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let folders: Vec<_> = (0..cores)
        .map(|_| tempfile::tempdir())
        .collect::<Result<_, _>>()?;
    for (batch, first) in (0..sweep.count).step_by(BATCH as usize).enumerate() {
        let seeds = first..sweep.count.min(first + BATCH);
        let chunks = seeds.map(|number| {
            let seed = sweep.seed.wrapping_shl(32) ^ number;
            let chunk = program(seed);
            let ran = outcome::run_program(chunk.clone());
            let mut expected = ran.to_json();
            expected["fuel"] = json!(ran.fuel);
            (format!("seed {seed}"), chunk, expected)
        });
        let (module, expected) = expectations("generated programs", chunks)?;
        let path = folders[batch % folders.len()]
            .path()
            .join(format!("{batch:06}.fvbc"));
        fs::write(&path, module)?;
        fs::write(path.with_extension("json"), expected)?;
    }
    println!(
        "{} generated programs in the library and in Python, seed {}",
        sweep.count, sweep.seed
    );
    let script = root.join("tools/python/tests/compare.py");
    let mut children = Vec::new();
    for folder in &folders {
        children.push(
            Command::new("python3")
                .arg(&script)
                .arg(folder.path())
                .spawn()?,
        );
    }
    for mut child in children {
        ensure!(child.wait()?.success(), "the implementations differ");
    }
    Ok(())
}
