//! `figures`: sweeps with a seed, and the figures that they give.
//!
//! A sweep splits its count over the cores. Each item has a seed of its own, derived from the sweep's,
//! so a failure is found again with `--seed SEED --only ITEM`.

mod differential;
mod inline_share;
mod models;
mod mutants;
mod operators;
mod report;
mod texts;

use anyhow::ensure;
use differential::Seen;
use indicatif::{ProgressBar, ProgressStyle};
use report::Report;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// An item that takes longer than this counts as a hang.
const HANG: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Damage this many module files, each as it is and with its seals and hashes made right again.
    #[arg(long, value_name = "COUNT")]
    mutants: Option<u64>,
    /// Run this many generated programs, every vector and every program of the tests in all tiers.
    #[arg(long, value_name = "COUNT")]
    differential: Option<u64>,
    /// Run this many generated programs here and in the Python package.
    #[arg(long, value_name = "COUNT")]
    models: Option<u64>,
    /// Assemble this many random texts.
    #[arg(long, value_name = "COUNT")]
    texts: Option<u64>,
    /// Compile and run this many generated numeric programs, and tell which share of their instructions is
    /// done inline.
    #[arg(long, value_name = "COUNT")]
    inline_share: Option<u64>,
    /// Flip every bit of every vector, as it is and with its seals and hashes made right again.
    #[arg(long)]
    bit_flips: bool,
    /// Apply every operator to every pair of edge values in all tiers, against the vectors' tables.
    #[arg(long)]
    operators: bool,
    /// Run programs in the first tier and this one only; may be given several times.
    #[arg(long, value_name = "NAME")]
    tier: Vec<String>,
    /// The seed of the sweep.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do this one item of the sweep alone.
    #[arg(long, value_name = "ITEM")]
    only: Option<u64>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    if !cfg!(debug_assertions) {
        return run_with_assertions();
    }
    let sweep = |count| Sweep {
        count,
        seed: arguments.seed,
        only: arguments.only,
        json: arguments.json,
    };
    let counts = [
        arguments.mutants,
        arguments.differential,
        arguments.models,
        arguments.texts,
        arguments.inline_share,
    ];
    ensure!(
        arguments.bit_flips || arguments.operators || counts.iter().any(Option::is_some),
        "name a sweep, such as --mutants 1000"
    );
    if let Some(count) = arguments.mutants {
        mutants::run(&sweep(count))?;
    }
    if arguments.bit_flips {
        mutants::flip_every_bit(&sweep(0))?;
    }
    if let Some(count) = arguments.texts {
        texts::run(&sweep(count))?;
    }
    if let Some(count) = arguments.differential {
        differential::run(&sweep(count), root, &arguments.tier)?;
    }
    if let Some(count) = arguments.inline_share {
        inline_share::run(&sweep(count))?;
    }
    if arguments.operators {
        operators::run(&sweep(0), root)?;
    }
    if let Some(count) = arguments.models {
        models::run(&sweep(count), root)?;
    }
    Ok(())
}

/// Runs the same sweep in the profile `checked`: optimized, with every assertion of the library on,
/// that of the stack's height at each op among them.
fn run_with_assertions() -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--profile",
            "checked",
            "--package",
            "xtask",
            "--",
        ])
        .args(std::env::args_os().skip(1))
        .status()?;
    ensure!(status.success(), "the sweep failed");
    Ok(())
}

/// How many items, and from which seed.
struct Sweep {
    count: u64,
    seed: u64,
    only: Option<u64>,
    json: bool,
}

/// What went wrong in a sweep, and how long its slowest item took.
#[derive(Default)]
struct Tally {
    panics: u64,
    hangs: u64,
    failures: u64,
    slowest: Duration,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.panics += other.panics;
        self.hangs += other.hangs;
        self.failures += other.failures;
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Adds the tally to a report and prints it; an error if anything went wrong.
    fn report(&self, mut report: Report, json: bool) -> anyhow::Result<()> {
        report.count("panics", self.panics);
        report.count(&format!("hangs over {HANG:?}"), self.hangs);
        report.count("wrong", self.failures);
        let slowest = self.slowest.as_secs_f64() * 1e3;
        report.figure("slowest item", format!("{slowest:.1}"), "ms");
        report.figure("peak memory", peak_memory_mib(), "MiB");
        report.print(json);
        ensure!(
            self.panics + self.hangs + self.failures == 0,
            "the sweep found errors"
        );
        Ok(())
    }
}

impl Sweep {
    /// Does every item on all cores: `item` gets the item's random numbers and may say what is wrong.
    /// `name` stands in messages.
    fn each(
        &self,
        name: &str,
        item: impl Fn(&mut fastrand::Rng) -> Result<(), String> + Sync,
    ) -> Tally {
        self.each_number(name, |number| {
            item(&mut fastrand::Rng::with_seed(
                self.seed.wrapping_shl(32) ^ number,
            ))
        })
    }

    /// Does every item on all cores: `item` gets its number.
    fn each_number(&self, name: &str, item: impl Fn(u64) -> Result<(), String> + Sync) -> Tally {
        if let Some(only) = self.only {
            return self.items(name, &AtomicU64::new(only), only + 1, &item);
        }
        let next = AtomicU64::new(0);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut tally = Tally::default();
        let progress = progress(name, self.count);
        let item = |number| {
            progress.inc(1);
            item(number)
        };
        thread::scope(|scope| {
            let work = || self.items(name, &next, self.count, &item);
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                tally.add(worker.join().expect("panics of items are caught"));
            }
        });
        progress.finish_and_clear();
        tally
    }

    fn items(
        &self,
        name: &str,
        next: &AtomicU64,
        end: u64,
        item: &(impl Fn(u64) -> Result<(), String> + Sync),
    ) -> Tally {
        let mut tally = Tally::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return tally;
            }
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| item(number)));
            let took = began.elapsed();
            let wrong = match outcome {
                Ok(Ok(())) if took < HANG => None,
                Ok(Ok(())) => {
                    tally.hangs += 1;
                    Some(format!("took {took:?}"))
                }
                Ok(Err(message)) => {
                    tally.failures += 1;
                    Some(message)
                }
                Err(_) => {
                    tally.panics += 1;
                    Some("panicked".to_owned())
                }
            };
            if let Some(wrong) = wrong {
                eprintln!("{name}, --seed {} --only {number}: {wrong}", self.seed);
            }
            tally.slowest = tally.slowest.max(took);
        }
    }
}

/// A bar for so many items, which is drawn on a terminal only.
fn progress(name: &str, count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    // A template that doesn't parse leaves the default style, which is as good.
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar
}

/// The most memory that this process had, as the system says; 0 where it doesn't.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
