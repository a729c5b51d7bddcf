//! `load`: what it costs to open a module and to use its functions, beside bincode 1 with the published
//! 0.9.7, which is what frontends of that line keep their functions in.

use crate::{
    clock::{median, time},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::{
    Chunk, Op, VM, Value,
    format::{CheckOptions, Entry, Module, ModuleWriter},
};
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// How many copies of the library the large module holds.
const COPIES: usize = 100;
/// Runs of each short measurement; their median is the figure.
const ROUNDS: usize = 25;
/// What is read before each cold measurement: more than the second-level caches hold, and most of what the
/// last level does.
const EVICTED_BYTES: usize = 32 << 20;
/// How many functions are measured cold, spread over the library.
const COLD_FUNCTIONS: usize = 200;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A library of the 0.9 line: a bincode 1 blob of `Vec<(String, Chunk)>`.
    blob: PathBuf,
}

/// A function of the library in the forms that are compared.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) chunk: Chunk,
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
    rows.extend(hot_use(&small, &functions)?);
    rows.extend(cold_use(&small, &functions)?);
    rows.extend(checking(&small)?);
    rows.extend(lines(&small, &functions)?);
    rows.extend(crate::library::rows(&arguments.blob, folder.path())?);
    Ok(rows)
}

pub(crate) fn read_library(path: &Path) -> anyhow::Result<Vec<Function>> {
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
pub(crate) fn write_module(
    path: &Path,
    functions: &[Function],
    copies: usize,
) -> anyhow::Result<()> {
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

/// What is done with a function, on our side or with bincode 1.
#[derive(Clone, Copy)]
enum Use {
    /// Ours: find, copy, verify.
    Load,
    /// Ours: the same, and hashed: everything that makes it safe to run.
    Hash,
    /// Ours: the same, with every constant made a value.
    Values,
    /// Ours: the same, in a VM.
    Vm,
    /// Theirs: a chunk of 0.9.7 from bincode 1 that is in memory already.
    Bincode,
    /// Theirs: the same, in a VM of 0.9.7.
    BincodeVm,
}

impl Use {
    const ALL: [(Use, &'static str); 6] = [
        (Use::Load, "first use: find, copy, verify"),
        (Use::Hash, "first use: find, copy, hash, verify"),
        (Use::Values, "first use, every constant a value"),
        (Use::Vm, "first use, in a VM"),
        (Use::Bincode, "bincode 1 and 0.9.7, the same function"),
        (Use::BincodeVm, "bincode 1 and 0.9.7, in a VM"),
    ];

    /// Ours and theirs, for ratios.
    const PAIRS: [(Use, Use, &'static str); 3] = [
        (Use::Hash, Use::Bincode, "bincode / first use"),
        (Use::Values, Use::Bincode, "bincode / with constants"),
        (Use::Vm, Use::BincodeVm, "bincode / first use, in a VM"),
    ];

    /// Does it once, and drops what comes of it.
    fn run(self, module: &Module, function: &Function) {
        let load = || module.chunk(&function.name).expect("it loaded before");
        let decode = || -> fusevm_0_9::Chunk {
            bincode::deserialize(&function.bincode).expect("it was read before")
        };
        match self {
            Use::Load => drop(black_box(load())),
            Use::Hash => drop(black_box(hashed(load()))),
            Use::Values => drop(black_box(hashed(load()).into_chunk())),
            Use::Vm => drop(black_box(VM::new(hashed(load()).into_chunk()))),
            Use::Bincode => drop(black_box(decode())),
            Use::BincodeVm => drop(black_box(fusevm_0_9::VM::new(decode()))),
        }
    }
}

fn hashed(chunk: fusevm::format::LoadedChunk) -> fusevm::format::LoadedChunk {
    black_box(chunk.hash());
    chunk
}

/// The costs of each function in nanoseconds, by [`Use::ALL`].
type Costs = [Vec<f64>; Use::ALL.len()];

/// Again and again, so that caches and heap are as the last use left them. Both sides drop what they made,
/// and find its memory again.
fn hot_use(path: &Path, functions: &[Function]) -> anyhow::Result<Vec<Row>> {
    let module = Module::open(path)?;
    let mut costs = Costs::default();
    for function in functions {
        compare(&module, function)?;
        for (work, _) in Use::ALL {
            let rounds = (0..5).map(|_| time(8, || work.run(&module, function)));
            costs[work as usize].push(median(rounds.collect()));
        }
    }
    Ok(rows_of("", &costs))
}

/// Once each, with caches that something else has used since and a heap whose free memory lies anywhere:
/// what a process that does other things as well pays.
fn cold_use(path: &Path, functions: &[Function]) -> anyhow::Result<Vec<Row>> {
    let module = Module::open(path)?;
    let step = functions.len().div_ceil(COLD_FUNCTIONS).max(1);
    let mut other_work = OtherWork::new();
    let mut costs = Costs::default();
    let clock = median((0..ROUNDS).map(|_| time(1, || ())).collect());
    for function in functions.iter().step_by(step) {
        for (work, _) in Use::ALL {
            other_work.run();
            let ns = time(1, || work.run(&module, function));
            costs[work as usize].push((ns - clock).max(1.0));
        }
    }
    Ok(rows_of("cold: ", &costs))
}

/// Work that takes caches and heap away from what is measured.
struct OtherWork {
    memory: Vec<u64>,
    kept: Vec<Vec<u8>>,
}

impl OtherWork {
    fn new() -> OtherWork {
        OtherWork {
            memory: vec![1; EVICTED_BYTES / size_of::<u64>()],
            kept: Vec::new(),
        }
    }

    fn run(&mut self) {
        // Blocks of many sizes, of which every second is freed.
        self.kept.clear();
        for size in (16..4096).step_by(24) {
            drop(black_box(vec![0u8; size]));
            self.kept.push(vec![0; size]);
        }
        for word in &mut self.memory {
            *word = word.wrapping_mul(3);
        }
        black_box(&self.memory);
    }
}

/// That both sides read the same function.
fn compare(module: &Module, function: &Function) -> anyhow::Result<()> {
    let name = &function.name;
    let ours = module.chunk(name)?.to_chunk();
    let theirs: fusevm_0_9::Chunk = bincode::deserialize(&function.bincode)
        .with_context(|| format!("0.9.7 can't read {name}"))?;
    ensure!(ours.ops == function.chunk.ops, "{name} differs");
    ensure!(
        theirs.ops.len() == ours.ops.len(),
        "0.9.7 reads {name} differently"
    );
    Ok(())
}

/// Medians and means over the functions, and the medians of the ratios.
fn rows_of(state: &str, costs: &Costs) -> Vec<Row> {
    let mut rows = Vec::new();
    for (work, what) in Use::ALL {
        let ns = &costs[work as usize];
        let mean = ns.iter().sum::<f64>() / ns.len() as f64;
        rows.push(Row::new(
            format!("{state}{what}"),
            median(ns.clone()) / 1e3,
            "us",
        ));
        rows.push(Row::new(format!("{state}{what}, mean"), mean / 1e3, "us"));
    }
    for (ours, theirs, what) in Use::PAIRS {
        let pairs = costs[ours as usize].iter().zip(&costs[theirs as usize]);
        let ratios = pairs.map(|(ours, theirs)| theirs / ours).collect();
        rows.push(Row::new(format!("{state}{what}"), median(ratios), "x"));
    }
    rows
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

/// What source lines add to the module: a line for each statement, as frontends set them, and in the worst
/// case one for each op.
fn lines(path: &Path, functions: &[Function]) -> anyhow::Result<Vec<Row>> {
    let without = std::fs::metadata(path)?.len() as f64;
    let ops: usize = functions
        .iter()
        .map(|function| function.chunk.ops.len())
        .sum();
    type Begins = fn(&Op) -> bool;
    let cases: [(&str, Begins); 2] = [
        ("lines, one a statement: bytes more", ends_statement),
        ("lines, one an op: bytes more", |_| true),
    ];
    let rows = cases.map(|(what, ends)| {
        let mut writer = ModuleWriter::new(std::io::Cursor::new(Vec::new()))?;
        for function in functions {
            let mut chunk = function.chunk.clone();
            let mut line = 1;
            chunk.lines = chunk
                .ops
                .iter()
                .map(|op| {
                    let this = line;
                    line += u32::from(ends(op));
                    this
                })
                .collect();
            writer.add(&Entry::named(&function.name), &chunk)?;
        }
        let with = writer.finish()?.into_inner().len() as f64;
        Ok(Row::new(what, (with - without) / ops as f64, "B/op"))
    });
    rows.into_iter().collect()
}

/// Whether an op is the last of a shell statement: it stores, or drops, what came of it.
fn ends_statement(op: &Op) -> bool {
    matches!(op, Op::SetStatus | Op::SetVar(_) | Op::SetSlot(_) | Op::Pop)
}
