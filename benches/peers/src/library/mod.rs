//! The library part of `load`: one function out of fifty thousand, in a fresh process, beside bincode in
//! SQLite, zsh's `.zwc`, and rkyv; what it costs to add one function more, and what libraries withstand.

mod appending;
mod forms;
mod safety;
pub(crate) mod worker;
mod zwc;

use crate::{
    clock::{median, time},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::{Chunk, format::Module};
use nix::sys::resource::{UsageWho, getrusage};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};
use worker::{Answer, Form};

/// Functions of a large library.
const LARGE: usize = 50_000;
/// Functions of a small one.
const SMALL: usize = 16;
/// Paired runs of fresh processes of ours.
const PAIRS: usize = 200;
/// Runs of fresh processes of the peers.
const RUNS: usize = 25;

/// A function under its name.
pub(crate) type Named = (String, Chunk);

/// The rows about libraries of the functions in `blob`. Files go to `folder`.
pub(crate) fn rows(blob: &Path, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let large = folder.join("library.fvbc");
    let small = folder.join("library-16.fvbc");
    let built = build(Form::Fvbc, blob, &large, LARGE)?;
    build(Form::Fvbc, blob, &small, SMALL)?;
    let bytes = std::fs::metadata(&large)?.len();
    rows.extend([
        Row::new(
            format!("library of {LARGE} functions"),
            bytes as f64,
            "bytes",
        ),
        Row::new("  built, peak memory", built.peak_mib, "MiB"),
    ]);
    rows.extend(fresh_processes(&small, &large)?);
    for form in [Form::Sqlite, Form::Rkyv] {
        let path = folder.join(form.name());
        build(form, blob, &path, LARGE)?;
        let bytes = std::fs::metadata(&path)?.len();
        rows.push(Row::new(
            format!("{}, its size", form.title()),
            bytes as f64,
            "bytes",
        ));
        rows.extend(peer(form, &path)?);
        std::fs::remove_file(&path)?;
    }
    rows.extend(zwc::rows(&folder.join("zsh"), SMALL, LARGE)?);
    rows.extend(appending::rows(&large, &folder.join("appended.fvbc"))?);
    rows.extend(safety::rows(&folder.join("safety"))?);
    Ok(rows)
}

/// Builds a library in a process of its own.
fn build(form: Form, blob: &Path, path: &Path, count: usize) -> anyhow::Result<Answer> {
    let mut command = this_program()?;
    command.args(["build", form.name()]).arg(blob).arg(path);
    command.arg(count.to_string());
    Ok(run(&mut command)?.1)
}

fn this_program() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("library-worker");
    Ok(command)
}

/// Microseconds of CPU that a process took from its start to its end, and its answer.
fn run(command: &mut Command) -> anyhow::Result<(f64, Answer)> {
    let (cpu, output) = measured(command)?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    let answer = serde_json::from_slice(&output.stdout).context("the worker's answer")?;
    Ok((cpu, answer))
}

/// Microseconds of CPU that a process took from its start to its end, and what it left.
fn measured(command: &mut Command) -> anyhow::Result<(f64, Output)> {
    let before = children_us()?;
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("can't start {command:?}"))?;
    Ok((children_us()? - before, output))
}

/// Microseconds of CPU that the children used which have ended.
fn children_us() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    Ok(us(usage.user_time()) + us(usage.system_time()))
}

/// A fresh process to the first result of one function: of many, and of few.
fn fresh_processes(small: &Path, large: &Path) -> anyhow::Result<Vec<Row>> {
    let first = |path: &Path| {
        let mut command = this_program()?;
        run(command.args(["first", Form::Fvbc.name()]).arg(path))
    };
    let (mut few, mut many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut loads, mut peaks) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    for _ in 0..PAIRS {
        let (a, small) = first(small)?;
        let (b, large) = first(large)?;
        faults.push(large.load_faults as f64);
        ensure!(small.result == large.result, "the results differ");
        few.push(a);
        many.push(b);
        ratios.push(b / a);
        loads.push(large.load_us);
        peaks.push(large.peak_mib);
    }
    Ok(vec![
        Row::new(
            format!("fresh process to the first result, {SMALL} functions"),
            median(few),
            "us",
        ),
        Row::new(
            format!("fresh process to the first result, {LARGE} functions"),
            median(many),
            "us",
        ),
        Row::new("  many / few", median(ratios), "x"),
        Row::new(
            "  of it open, find, load, all of it cold",
            median(loads),
            "us",
        ),
        Row::new("  page faults in that", median(faults), ""),
        Row::new("  peak memory", median(peaks), "MiB"),
        Row::new(
            "open, find, load in a process that runs",
            warm(large)?,
            "us",
        ),
    ])
}

/// Microseconds of opening the library and loading one function of it, each time another.
fn warm(library: &Path) -> anyhow::Result<f64> {
    let records = Module::open(library)?.records()?;
    let names = records
        .step_by(LARGE / PAIRS)
        .map(|record| Ok(record?.name().to_owned()));
    let names: Vec<String> = names.collect::<anyhow::Result<_>>()?;
    let loads = names.iter().map(|name| {
        time(1, || -> anyhow::Result<_> {
            Ok(Module::open(library)?.chunk(name)?.is_strict())
        })
    });
    Ok(median(loads.collect()) / 1e3)
}

/// The same of a peer.
fn peer(form: Form, path: &Path) -> anyhow::Result<Vec<Row>> {
    let (mut whole, mut loads, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut command = this_program()?;
        let (cpu, answer) = run(command.args(["first", form.name()]).arg(path))?;
        whole.push(cpu);
        loads.push(answer.load_us);
        peaks.push(answer.peak_mib);
    }
    let title = form.title();
    Ok(vec![
        Row::new(format!("{title}, fresh process"), median(whole), "us"),
        Row::new(format!("{title}, open, find, load"), median(loads), "us"),
        Row::new(format!("{title}, peak memory"), median(peaks), "MiB"),
    ])
}
