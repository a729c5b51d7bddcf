//! `load`: what it costs to open a module and to use its functions, beside bincode 1.

use crate::{
    clock::{median, time},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::{
    Chunk, Value,
    format::{CheckOptions, Entry, Module, ModuleWriter},
};
use std::path::{Path, PathBuf};

/// How many copies of the library the large module holds.
const COPIES: usize = 100;
/// Runs of each short measurement; their median is the figure.
const ROUNDS: usize = 25;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A library of the 0.9 line: a bincode 1 blob of `Vec<(String, Chunk)>`.
    blob: PathBuf,
}

/// A function of the library in the forms that are compared.
struct Function {
    name: String,
    chunk: Chunk,
    bincode: Vec<u8>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let functions = read_library(&arguments.blob)?;
    let folder = tempfile::tempdir()?;
    let small = folder.path().join("small.fvbc");
    let large = folder.path().join("large.fvbc");
    write_module(&small, &functions, 1)?;
    write_module(&large, &functions, COPIES)?;

    let mut rows = opening(&small, &large)?;
    rows.extend(first_use(&small, &functions)?);
    rows.extend(checking(&small)?);
    rows.extend(crate::library::rows(&arguments.blob, folder.path())?);
    Ok(rows)
}

fn read_library(path: &Path) -> anyhow::Result<Vec<Function>> {
    let blob = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let chunks: Vec<(String, Chunk)> = bincode::deserialize(&blob)?;
    chunks
        .into_iter()
        .map(|(name, chunk)| {
            let bincode = bincode::serialize(&chunk)?;
            Ok(Function {
                name,
                chunk,
                bincode,
            })
        })
        .collect()
}

/// Writes the library `copies` times into one module; copies differ in name and in a constant.
fn write_module(path: &Path, functions: &[Function], copies: usize) -> anyhow::Result<()> {
    let mut writer = ModuleWriter::create(path)?;
    for copy in 0..copies {
        for function in functions {
            let mut chunk = function.chunk.clone();
            let mut name = function.name.clone();
            if copy > 0 {
                name = format!("{copy}/{name}");
                chunk.constants.push(Value::int(copy as i64));
            }
            writer.add(&Entry::named(&name), &chunk)?;
        }
    }
    writer.finish()?;
    Ok(())
}

fn opening(small: &Path, large: &Path) -> anyhow::Result<Vec<Row>> {
    let (mut small_ns, mut large_ns, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let a = time(200, || drop(Module::open(small)));
        let b = time(200, || drop(Module::open(large)));
        small_ns.push(a);
        large_ns.push(b);
        ratios.push(b / a);
    }
    ensure!(
        Module::open(large)?.chunk_count() > 0,
        "the large module is empty"
    );
    let bytes = std::fs::metadata(small)?.len();
    Ok(vec![
        Row::new("module size", bytes as f64, "bytes"),
        Row::new("open and close", median(small_ns) / 1e3, "us"),
        Row::new(
            format!("open and close, {COPIES} times larger"),
            median(large_ns) / 1e3,
            "us",
        ),
        Row::new("larger / smaller", median(ratios), "x"),
    ])
}

/// Costs of one function in nanoseconds, each the median of a few rounds.
#[derive(Default)]
struct Costs {
    load: Vec<f64>,
    load_and_hash: Vec<f64>,
    with_constants: Vec<f64>,
    bincode: Vec<f64>,
    ratio: Vec<f64>,
    ratio_with_constants: Vec<f64>,
}

fn first_use(path: &Path, functions: &[Function]) -> anyhow::Result<Vec<Row>> {
    let module = Module::open(path)?;
    let mut costs = Costs::default();
    for function in functions {
        let name = function.name.as_str();
        ensure!(
            module.chunk(name)?.to_chunk().ops == function.chunk.ops,
            "{name} differs"
        );
        let old: fusevm_0_9::Chunk = bincode::deserialize(&function.bincode)
            .with_context(|| format!("0.9.7 can't read {name}"))?;
        ensure!(
            old.ops.len() == function.chunk.ops.len(),
            "0.9.7 reads {name} differently"
        );
        let rounds = |work: &mut dyn FnMut()| median((0..5).map(|_| time(8, &mut *work)).collect());
        let load = rounds(&mut || drop(module.chunk(name)));
        let hashed = rounds(&mut || drop(module.chunk(name).map(|chunk| chunk.hash())));
        let whole = rounds(&mut || {
            drop(
                module
                    .chunk(name)
                    .map(|chunk| (chunk.hash(), chunk.to_chunk())),
            );
        });
        let bincode = rounds(&mut || {
            drop(bincode::deserialize::<fusevm_0_9::Chunk>(&function.bincode));
        });
        costs.load.push(load);
        costs.load_and_hash.push(hashed);
        costs.with_constants.push(whole);
        costs.bincode.push(bincode);
        costs.ratio.push(bincode / hashed);
        costs.ratio_with_constants.push(bincode / whole);
    }
    Ok(vec![
        Row::new(
            "first use: find, copy, verify",
            median(costs.load) / 1e3,
            "us",
        ),
        Row::new(
            "first use: find, copy, hash, verify",
            median(costs.load_and_hash) / 1e3,
            "us",
        ),
        Row::new(
            "first use, every constant a value",
            median(costs.with_constants) / 1e3,
            "us",
        ),
        Row::new(
            "bincode 1, the same function",
            median(costs.bincode) / 1e3,
            "us",
        ),
        Row::new("bincode / first use", median(costs.ratio), "x"),
        Row::new(
            "bincode / with constants",
            median(costs.ratio_with_constants),
            "x",
        ),
    ])
}

fn checking(path: &Path) -> anyhow::Result<Vec<Row>> {
    let check = || Module::open(path).map(|module| module.check(&CheckOptions::default()));
    let report = check()?;
    ensure!(report.errors.is_empty(), "the module doesn't check");
    let samples = (0..ROUNDS).map(|_| time(4, check)).collect();
    let ns = median(samples);
    Ok(vec![
        Row::new("whole-file check", ns / 1e6, "ms"),
        Row::new("whole-file check per op", ns / report.ops as f64, "ns/op"),
    ])
}
