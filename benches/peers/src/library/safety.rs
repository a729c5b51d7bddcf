//! What libraries are to withstand, in small counts; `xtask library` has the large ones. Whatever is wrong
//! ends the comparison.

use super::this_program;
use crate::{
    clock::{cpu_ns, median},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::format::{CheckOptions, Module};
use fusevm_kit::{
    crashes::{Life, random_crash},
    processes::{Killed, append_together},
    vectors::invalid,
};
use std::{path::Path, process::Command};

/// Images of one moment in the life of a small library, at most.
const IMAGES: u32 = 500;
/// Crashes of larger ones, and their chunks, at most.
const CRASHES: u64 = 1_000;
const CHUNKS: u32 = 5_000;
/// Writers that are killed.
const KILLS: u32 = 100;
/// Appends by so many processes, beside as many that read.
const APPENDS: u32 = 1_000;
const PROCESSES: u32 = 8;

/// The rows. Files go to `folder`, which is made.
pub(super) fn rows(folder: &Path) -> anyhow::Result<Vec<Row>> {
    std::fs::create_dir(folder)?;
    let images = Life::small().crash_everywhere(IMAGES);
    let images = images.map_err(anyhow::Error::msg)?;
    let mut rng = fastrand::Rng::with_seed(1);
    for number in 0..CRASHES {
        random_crash(&mut rng, CHUNKS)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("crash {number}"))?;
    }
    let killed = Killed::new(folder.join("killed.fvbc"));
    let mut killed = killed.map_err(anyhow::Error::msg)?;
    for _ in 0..KILLS {
        let round = killed.round(&start, &mut rng);
        round.map_err(anyhow::Error::msg)?;
    }
    let path = folder.join("crowd.fvbc");
    append_together(&path, &start, PROCESSES, PROCESSES, APPENDS).map_err(anyhow::Error::msg)?;
    std::fs::remove_dir_all(folder)?;
    let (files, typical, longest) = hostile()?;
    let none = |what: String| Row::new(what, 0.0, "");
    Ok(vec![
        none(format!(
            "{images} crash images of a small library, neither old nor new"
        )),
        none(format!(
            "{CRASHES} of larger libraries, neither old nor new"
        )),
        none(format!("{KILLS} writers killed, neither old nor new")),
        none(format!(
            "{APPENDS} appends by {PROCESSES} processes beside {PROCESSES} readers, lost or torn"
        )),
        Row::new(
            format!("{files} hostile files, refused, median"),
            typical,
            "us",
        ),
        Row::new("  at most", longest, "us"),
    ])
}

/// How many files there are that have to be refused, and the microseconds that it takes: in the middle,
/// and at most.
fn hostile() -> anyhow::Result<(usize, f64, f64)> {
    let mut times = Vec::new();
    for file in invalid::all() {
        let began = cpu_ns();
        let module = Module::from_bytes(file.bytes);
        let errors = module.map(|module| module.check(&CheckOptions::new()).errors);
        times.push((cpu_ns() - began) / 1e3);
        ensure!(
            errors.map_or(true, |errors| !errors.is_empty()),
            "{} is accepted",
            file.name
        );
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    Ok((times.len(), median(times), longest))
}

/// This program as one of the processes around a library.
fn start(arguments: &[&str]) -> Command {
    let mut command = this_program().unwrap_or_else(|_| Command::new("peers"));
    command.arg("beside").args(arguments);
    command
}
