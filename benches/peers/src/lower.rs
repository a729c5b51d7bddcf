//! `lower`: what it costs to make register code of a library's functions, and what a program pays that is
//! too short for it.

use crate::{
    clock::{median, time},
    load,
    report::Row,
    short_run,
};
use anyhow::ensure;
use fusevm::{Chunk, Engine, format::Module};
use std::hint::black_box;
use std::path::PathBuf;

/// Runs of each short measurement; their median is the figure.
const ROUNDS: usize = 25;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A library of the 0.9 line: a bincode 1 blob of `Vec<(String, Chunk)>`.
    blob: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let functions = load::read_library(&arguments.blob)?;
    let mut rows = lowering(&functions);
    rows.extend(first_use(&functions)?);
    rows.extend(short_runs()?);
    Ok(rows)
}

/// A VM made and all of its chunk lowered, over the same with an empty chunk.
fn lowering(functions: &[load::Function]) -> Vec<Row> {
    let engine = Engine::new();
    let cost = |chunk: &Chunk| {
        let unit = engine.unit("function", chunk.clone());
        let lower = || black_box(engine.vm(&unit).lower());
        let samples = (0..5).map(|_| time(8, lower));
        (lower(), median(samples.collect()))
    };
    let (_, floor) = cost(&Chunk::default());
    let (mut ns, mut ops, mut lowered) = (0.0, 0, 0);
    for function in functions {
        let (is_lowered, cost) = cost(&function.chunk);
        if is_lowered {
            lowered += 1;
            ops += function.chunk.ops.len();
            ns += cost - floor;
        }
    }
    vec![
        Row::new("functions that are lowered", f64::from(lowered), "of all"),
        Row::new("a VM made, nothing lowered", floor, "ns"),
        Row::new("lowering", ns / ops as f64, "ns/op"),
    ]
}

/// From a module on disk to a VM with register code for all of a function.
fn first_use(functions: &[load::Function]) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.fvbc");
    load::write_module(&path, functions, 1)?;
    let module = Module::open(&path)?;
    let engine = Engine::new();
    let mut costs = Vec::new();
    for function in functions {
        let work = || {
            let chunk = module.chunk(&function.name).expect("it was written");
            black_box(chunk.hash());
            black_box(engine.vm(&engine.loaded(chunk)).lower())
        };
        let samples = (0..5).map(|_| time(8, work));
        costs.push(median(samples.collect()) / 1e3);
    }
    let mean = costs.iter().sum::<f64>() / costs.len() as f64;
    let what = "first use: find, copy, hash, verify, lower, in a VM";
    Ok(vec![
        Row::new(what, median(costs), "us"),
        Row::new(format!("{what}, mean"), mean, "us"),
    ])
}

/// Twenty ops, built and run once.
fn short_runs() -> anyhow::Result<Vec<Row>> {
    ensure!(
        short_run::ours("world") == short_run::old("world"),
        "the short program's result"
    );
    let (mut ours, mut old, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let a = time(2000, || short_run::ours(black_box("world")));
        let b = time(2000, || short_run::old(black_box("world")));
        ours.push(a);
        old.push(b);
        ratios.push(a / b);
    }
    Ok(vec![
        Row::new("twenty ops, built and run once", median(ours), "ns"),
        Row::new("the same with 0.9.7", median(old), "ns"),
        Row::new("ours / 0.9.7", median(ratios), "x"),
    ])
}
