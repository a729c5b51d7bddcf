//! What a hit costs: the time from asking for a function to having its code where it can run, all
//! checks included: in a process that has just begun, whose first steps anywhere bring pages into
//! memory and ask the processor what it is, and once more in the same process, for another chunk.

use super::report;
use crate::{clock::median, report::Row};
use anyhow::{Context, anyhow, ensure};
use fusevm::jit::CacheStats;
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
    /// Those of as many of a second chunk.
    later_ns: f64,
}

/// The figures of one function and of a hundred, for both caches.
pub(super) fn run(rounds: u32) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for functions in [1, 100] {
        let ours = measure("hits", functions, rounds)?;
        let theirs = measure("old-hits", functions, rounds)?;
        for (place, each, their) in [
            ("in a fresh process", ours.0, theirs.0),
            ("in one that had some", ours.1, theirs.1),
        ] {
            let named = |what: &str| format!("{what}, each of {functions} {place}");
            rows.push(Row::new(named("a hit"), each / 1e3, "us"));
            let calls = named("a first call from 0.26.10's cache");
            rows.push(Row::new(calls, their / 1e3, "us"));
            rows.push(Row::new(named("0.26.10 / ours"), their / each, "x"));
        }
    }
    Ok(rows)
}

/// Nanoseconds for each function, at first and later: the medians of fresh processes.
fn measure(worker: &str, functions: usize, rounds: u32) -> anyhow::Result<(f64, f64)> {
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
    let (mut first, mut later) = (Vec::new(), Vec::new());
    // Short: more processes than for a program.
    for _ in 0..rounds.saturating_mul(3) {
        let hits = command(false)?;
        ensure!(
            hits.hits >= 2 * functions as u64,
            "{worker}: {} of 2 x {functions} functions were taken from the cache",
            hits.hits
        );
        first.push(hits.ns / functions as f64);
        later.push(hits.later_ns / functions as f64);
    }
    Ok((median(first), median(later)))
}

/// A chunk that calls each of its functions once. `salt` makes it another one.
fn text(functions: usize, salt: usize) -> String {
    let mut text = format!("    load_int {salt}\n");
    for n in 0..functions {
        let _ = writeln!(text, "    load_int {n}\n    call f{n} 1\n    add");
    }
    text += "    return_value\n";
    for n in 0..functions {
        let _ = writeln!(
            text,
            ".sub f{n} args 1\n    set_slot x\n    load_int 0\n    set_slot sum\n\
             again{n}:\n    get_slot sum\n    get_slot x\n    load_int {n}\n    mul\n    add\n    \
             set_slot sum\n    get_slot x\n    dec\n    set_slot x\n    get_slot x\n    \
             load_int 0\n    num_gt\n    jump_if_true again{n}\n    get_slot sum\n    \
             return_value\n.end"
        );
    }
    text
}

/// Runs two such chunks with our cache, or compiles them ahead of that.
pub(super) fn ours(functions: usize, cache: &Path, ahead: bool) -> anyhow::Result<Hits> {
    let first = chunk_with_cache(functions, 0, cache, ahead)?;
    let later = chunk_with_cache(functions, 1, cache, ahead)?;
    Ok(Hits {
        hits: first.hits + later.hits,
        ns: first.ns as f64,
        later_ns: later.ns as f64,
    })
}

fn chunk_with_cache(
    functions: usize,
    salt: usize,
    cache: &Path,
    ahead: bool,
) -> anyhow::Result<CacheStats> {
    let text = text(functions, salt);
    let assembly = asm::assemble(&text, "hits").map_err(|errors| anyhow!("{errors}"))?;
    let (_, chunk) = assembly.chunks.into_iter().next().context("a chunk")?;
    let mut vm = VM::new(chunk);
    vm.set_native_cache(Some(cache));
    if ahead {
        vm.compile_ahead();
    } else if let VMResult::Error(message) = vm.run() {
        return Err(anyhow!(message));
    }
    Ok(vm.jit_stats().cache)
}

/// Has 0.26.10 run as many chunks of about that work once each. What it takes for one is more than the
/// hit: the chunk's few instructions run, too.
pub(super) fn old(functions: usize, cache: &Path) -> anyhow::Result<Hits> {
    let chunks: Vec<old::Chunk> = (0..2 * functions as i64).map(straight).collect();
    let jit = old::JitCompiler::new();
    jit.set_jit_cache_dir(Some(cache.to_owned()));
    let before = old::jit::stats().disk_loads;
    let call_all = |chunks: &[old::Chunk]| -> anyhow::Result<f64> {
        let began = Instant::now();
        for chunk in chunks {
            jit.try_run_linear(chunk, &[3]).context("it declined")?;
        }
        Ok(began.elapsed().as_nanos() as f64)
    };
    let (first, later) = chunks.split_at(functions);
    let (ns, later_ns) = (call_all(first)?, call_all(later)?);
    let hits = old::jit::stats().disk_loads - before;
    Ok(Hits { hits, ns, later_ns })
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
