//! `cache`: native code that outlives the process. What a second process of a program takes over its
//! steady state and the start of a process, and what a hit costs; beside the cache of 0.26.10.

mod hits;
pub(crate) mod worker;

use crate::{clock::median, report::Row};
use anyhow::{Context, ensure};
use std::{path::Path, process::Command};
use worker::Report;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Programs and their sizes, which are such that a run takes 50 ms at least.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "fib:37,ack:10,sum:300000000,nested:15000,mandelbrot:5200,sieve:10000000,matrix:400,nbody:800000,spectral:1200,array:16000000"
    )]
    programs: Vec<String>,
    /// Processes of each kind; the figures are the medians.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Measures programs and hits.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let empty = processes("empty:0", arguments.rounds)?;
    let start = median(empty.second.iter().map(|report| report.cpu_ns).collect());
    rows.push(Row::new("empty program: a process", start / 1e6, "ms"));
    for program in &arguments.programs {
        rows.extend(compare(program, start, arguments.rounds)?);
    }
    rows.extend(hits::run(arguments.rounds)?);
    Ok(rows)
}

/// Processes of one program.
struct Processes {
    /// Each with a cache of its own that is empty.
    first: Vec<Report>,
    /// Each with the cache that a first one has filled.
    second: Vec<Report>,
}

fn processes(program: &str, rounds: u32) -> anyhow::Result<Processes> {
    let mut processes = Processes {
        first: Vec::new(),
        second: Vec::new(),
    };
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        let cache = folder.path().join("code");
        processes.first.push(process(program, &cache, 0)?);
        processes.second.push(process(program, &cache, 0)?);
    }
    Ok(processes)
}

/// The figures of one program. `start` is what a process takes that does nothing.
fn compare(program: &str, start: f64, rounds: u32) -> anyhow::Result<Vec<Row>> {
    let Processes { first, second } = processes(program, rounds)?;
    let folder = tempfile::tempdir()?;
    let mut steady = Vec::new();
    for _ in 0..rounds.min(3) {
        steady.extend(process(program, &folder.path().join("code"), 3)?.later);
    }
    let steady = median(steady);
    for report in &second {
        ensure!(
            report.compiled == 0 && report.compilers == 0,
            "{program}: a second process has compiled {} parts, and started {} compilers",
            report.compiled,
            report.compilers
        );
        ensure!(
            report.hits > 0,
            "{program}: nothing was taken from the cache"
        );
    }
    let cpu = |reports: &[Report]| median(reports.iter().map(|report| report.cpu_ns).collect());
    let ops = second.iter().map(|report| report.reference_ops as f64);
    Ok(vec![
        Row::new(format!("{program}: first process"), cpu(&first) / 1e6, "ms"),
        Row::new(
            format!("{program}: second process"),
            cpu(&second) / 1e6,
            "ms",
        ),
        Row::new(format!("{program}: steady state"), steady / 1e6, "ms"),
        Row::new(
            format!("{program}: second / (steady state + start)"),
            cpu(&second) / (steady + start),
            "x",
        ),
        Row::new(
            format!("{program}: ops interpreted in the second"),
            median(ops.collect()),
            "ops",
        ),
    ])
}

/// Runs a program in a process of its own, and `more` times again there.
fn process(program: &str, cache: &Path, more: u32) -> anyhow::Result<Report> {
    let (name, size) = program.split_once(':').context("PROGRAM:SIZE")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["cache-worker", "program", name, size]);
    command.arg(cache).arg(more.to_string());
    report(command)
}

/// What a worker reports.
fn report<R: serde::de::DeserializeOwned>(mut command: Command) -> anyhow::Result<R> {
    let output = command.output()?;
    let failure = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {failure}");
    Ok(serde_json::from_slice(&output.stdout)?)
}
