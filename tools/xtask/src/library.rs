//! `library`: crashes, kills and crowds around libraries that change in place, each from a seed.

use anyhow::{Context, anyhow, ensure};
use fusevm_kit::{
    crashes::{Life, random_crash},
    processes::{Killed, append_together, worker},
};
use std::{
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

/// Chunks of a large library, at most.
const CHUNKS: u32 = 5_000;
/// Images of one moment in the life of a small library, at most.
const IMAGES: u32 = 20_000;
/// Processes that append, and as many that read.
const PROCESSES: u32 = 8;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Crash the machine at every moment and in every way while a small library changes, and so many
    /// times at random while large ones do.
    #[arg(long, value_name = "COUNT")]
    crashes: Option<u64>,
    /// Kill a writer so many times.
    #[arg(long, value_name = "COUNT")]
    kills: Option<u64>,
    /// Let eight processes append so many chunks to a library that eight others read.
    #[arg(long, value_name = "COUNT")]
    appends: Option<u32>,
    /// The seed of the sweeps.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Crash this one time alone.
    #[arg(long, value_name = "ITEM")]
    only: Option<u64>,
    /// Be one of the processes.
    #[arg(long, hide = true, num_args = 1.., value_name = "WORK")]
    worker: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if !arguments.worker.is_empty() {
        return worker(&arguments.worker).map_err(anyhow::Error::msg);
    }
    let counts = [arguments.crashes, arguments.kills];
    ensure!(
        arguments.appends.is_some() || counts.iter().any(Option::is_some),
        "name a sweep, such as --crashes 1000"
    );
    if let Some(count) = arguments.crashes {
        crash(count, arguments)?;
    }
    if let Some(count) = arguments.kills {
        kill(count, arguments.seed)?;
    }
    if let Some(count) = arguments.appends {
        append(count)?;
    }
    Ok(())
}

fn crash(count: u64, arguments: &Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    if arguments.only.is_none() {
        let images = Life::small().crash_everywhere(IMAGES);
        let images = images.map_err(anyhow::Error::msg)?;
        println!("{images} crash images of a small library: each is the old or the new one");
    }
    let range = arguments.only.map_or(0..count, |item| item..item + 1);
    let next = AtomicU64::new(range.start);
    let work = || loop {
        let item = next.fetch_add(1, Ordering::Relaxed);
        if item >= range.end {
            return Ok(());
        }
        let mut rng = fastrand::Rng::with_seed(arguments.seed.wrapping_shl(32) ^ item);
        if let Err(wrong) = random_crash(&mut rng, CHUNKS) {
            next.store(range.end, Ordering::Relaxed);
            return Err(anyhow!("--seed {} --only {item}: {wrong}", arguments.seed));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut outcomes = workers.into_iter().map(|worker| worker.join());
        outcomes
            .try_for_each(|outcome| outcome.unwrap_or_else(|_| Err(anyhow!("a crash panicked"))))
    })?;
    println!(
        "{} crash images of libraries with up to {CHUNKS} chunks, seed {}: each is the old or the new one ({:.0} s)",
        range.end - range.start,
        arguments.seed,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// This program as one of the processes.
fn start(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "xtask".into()));
    command.args(["library", "--worker"]).args(arguments);
    command
}

fn kill(count: u64, seed: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let library = Killed::new(folder.path().join("lib.fvbc"));
    let mut library = library.map_err(anyhow::Error::msg)?;
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..count {
        library
            .round(&start, &mut rng)
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("round {round} of seed {seed}"))?;
    }
    library.tidy().map_err(anyhow::Error::msg)?;
    println!(
        "{count} writers killed, seed {seed}: each left the old or the new library, and nothing else for long"
    );
    Ok(())
}

fn append(count: u32) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lib.fvbc");
    let began = Instant::now();
    append_together(&path, &start, PROCESSES, PROCESSES, count).map_err(anyhow::Error::msg)?;
    println!(
        "{count} appends by {PROCESSES} processes with {PROCESSES} readers: nothing lost, nothing torn ({:.2} s)",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
