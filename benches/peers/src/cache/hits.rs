//! What a hit costs: the time from asking for a function to having its code where it can run, all
//! checks included, in a process that has just begun.

use super::report;
use crate::{clock::median, report::Row};
use anyhow::{Context, anyhow, ensure};
use fusevm::{VM, VMResult, asm};
use fusevm_0_26 as old;
use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, path::Path, process::Command, time::Instant};

/// What a process took for its hits.
#[derive(Deserialize, Serialize)]
pub(super) struct Hits {
    hits: u64,
    /// Nanoseconds of all of them together.
    ns: f64,
}

/// The figures of one function and of a hundred, for both caches.
pub(super) fn run(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for functions in [1, 100] {
        let each = measure("hits", functions, rounds)?;
        rows.push(Row::new(named("a hit", functions), each / 1e3, "us"));
        let theirs = measure("old-hits", functions, rounds)?;
        rows.push(Row::new(
            named("a first call from 0.26.10's cache", functions),
            theirs / 1e3,
            "us",
        ));
        rows.push(Row::new(
            named("0.26.10 / ours", functions),
            theirs / each,
            "x",
        ));
    }
    Ok(rows)
}

fn named(what: &str, functions: usize) -> String {
    match functions {
        1 => format!("{what}, of one function in a fresh process"),
        _ => format!("{what}, each of {functions} in a fresh process"),
    }
}

/// Nanoseconds for each function: the median of fresh processes.
fn measure(worker: &str, functions: usize, rounds: u32) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("code");
    let command = |ahead: bool| -> anyhow::Result<Hits> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["cache-worker", worker, &functions.to_string()]);
        command.arg(&cache).args(ahead.then_some("--ahead"));
        report(command)
    };
    // One to fill the cache.
    command(worker == "hits")?;
    let mut samples = Vec::new();
    // Short: more processes than for a program.
    for _ in 0..rounds.saturating_mul(3) {
        let hits = command(false)?;
        ensure!(
            hits.hits >= functions as u64,
            "{worker}: {} of {functions} functions were taken from the cache",
            hits.hits
        );
        samples.push(hits.ns / functions as f64);
    }
    Ok(median(samples))
}

/// A chunk that calls each of its functions once.
fn text(functions: usize) -> String {
    let mut text = String::from("    load_int 0\n");
    for n in 0..functions {
        let _ = writeln!(text, "    load_int {n}\n    call f{n} 1\n    add");
    }
    text += "    return_value\n";
    for n in 0..functions {
        let _ = writeln!(
            text,
            ".sub f{n} args 1\n    set_slot x\n    load_int 0\n    set_slot sum\n\
             again:\n    get_slot sum\n    get_slot x\n    load_int {n}\n    mul\n    add\n    \
             set_slot sum\n    get_slot x\n    dec\n    set_slot x\n    get_slot x\n    \
             load_int 0\n    num_gt\n    jump_if_true again\n    get_slot sum\n    \
             return_value\n.end"
        );
    }
    text
}

/// Runs such a chunk with our cache, or compiles it ahead of that.
pub(super) fn ours(functions: usize, cache: &Path, ahead: bool) -> anyhow::Result<Hits> {
    let assembly = asm::assemble(&text(functions), "hits").map_err(|errors| anyhow!("{errors}"))?;
    let (_, chunk) = assembly.chunks.into_iter().next().context("a chunk")?;
    let mut vm = VM::new(chunk);
    vm.set_native_cache(Some(cache));
    if ahead {
        vm.compile_ahead();
    } else if let VMResult::Error(message) = vm.run() {
        return Err(anyhow!(message));
    }
    let stats = vm.jit_stats();
    Ok(Hits {
        hits: stats.cache.hits,
        ns: stats.cache.ns as f64,
    })
}

/// Has 0.26.10 run as many chunks of about that work once each. What it takes for one is more than the
/// hit: the chunk's few instructions run, too.
pub(super) fn old(functions: usize, cache: &Path) -> anyhow::Result<Hits> {
    let chunks: Vec<old::Chunk> = (0..functions as i64).map(straight).collect();
    let jit = old::JitCompiler::new();
    jit.set_jit_cache_dir(Some(cache.to_owned()));
    let before = old::jit::stats().disk_loads;
    let began = Instant::now();
    for chunk in &chunks {
        jit.try_run_linear(chunk, &[3]).context("it declined")?;
    }
    let ns = began.elapsed().as_nanos() as f64;
    let loaded = old::jit::stats().disk_loads - before;
    Ok(Hits { hits: loaded, ns })
}

/// A chunk without loops, which is what that cache keeps for any chunk.
fn straight(n: i64) -> old::Chunk {
    use old::Op;
    let mut b = old::ChunkBuilder::new();
    b.emit(Op::GetSlot(0), 1);
    for step in 0..8 {
        b.emit(Op::LoadInt(n + step), 1);
        b.emit(Op::Mul, 1);
        b.emit(Op::GetSlot(0), 1);
        b.emit(Op::Add, 1);
    }
    b.build()
}
