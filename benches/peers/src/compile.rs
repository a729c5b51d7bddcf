//! `compile`: what native code costs to make, by op of the chunks that it is made of.

use crate::{clock::median, report::Row};
use anyhow::Context;
use fusevm::{
    Chunk, ChunkBuilder, Op, VM,
    asm::assemble,
    host::RecordingHost,
    jit::{JitMode, JitOptions, JitStats},
    vm::{EngineChoice, Limits},
};
use std::{fs, path::Path};

/// Where the programs are whose cost is taken together.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs");

/// Fuel of a run: what is compiled is seen soon.
const FUEL: u64 = 1 << 20;

/// Ops of the chunks that grow.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each chunk is compiled; the figures are the medians.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The programs alone, for profilers.
    #[arg(long)]
    programs: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let programs = read_programs(Path::new(PROGRAMS))?;
    let mut rows = Vec::new();
    for (mode, name) in [
        (JitMode::Eager, "programs, all before they run"),
        (JitMode::Auto, "programs, threshold 1"),
    ] {
        let rounds = (0..=arguments.rounds).map(|_| {
            let stats = programs.iter().map(|chunk| compile(chunk, mode));
            stats.collect::<Vec<JitStats>>()
        });
        let rounds: Vec<_> = rounds.collect();
        let ns_of = |place: usize| {
            let later = rounds[1..].iter();
            median(later.map(|round| round[place].compile_ns as f64).collect())
        };
        let ns: f64 = (0..programs.len()).map(ns_of).sum();
        let sum = |what: fn(&JitStats) -> u64| rounds[0].iter().map(what).sum::<u64>() as f64;
        let first = sum(|stats| stats.compile_ns);
        let instructions = sum(|stats| stats.instructions);
        let bytes = sum(|stats| stats.code_bytes);
        let ops = programs.iter().map(|chunk| chunk.ops.len()).sum::<usize>() as f64;
        let row = |what: &str, value: f64, unit| Row::new(format!("{name}{what}"), value, unit);
        rows.push(row("", ns / 1e3 / ops, "us/op"));
        rows.push(row(", the first time", first / 1e3 / ops, "us/op"));
        rows.push(row(
            ", by instruction compiled",
            ns / 1e3 / instructions,
            "us",
        ));
        rows.push(row(", code", bytes / instructions, "bytes"));
    }
    if arguments.programs {
        return Ok(rows);
    }
    for (name, make) in GROWING {
        for size in SIZES {
            let chunk = make(size);
            let rounds = (arguments.rounds as usize).min(1 + 200_000 / size);
            let stats = (0..rounds).map(|_| compile(&chunk, JitMode::Eager));
            let samples = stats.map(|stats| match stats.declined {
                0 => stats.compile_ns as f64,
                _ => f64::NAN,
            });
            let cost = median(samples.collect()) / 1e3 / chunk.ops.len() as f64;
            rows.push(Row::new(format!("{name}, {size} ops"), cost, "us/op"));
        }
    }
    Ok(rows)
}

/// The chunks named `main` of the assembly texts in a folder.
fn read_programs(folder: &Path) -> anyhow::Result<Vec<Chunk>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    let chunk = |path: &Path| -> anyhow::Result<Chunk> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).context(name.clone())?;
        let mut chunks = assemble(&text, &name)?.chunks.into_iter();
        let main = chunks.find(|(entry, _)| entry.name == "main");
        Ok(main.with_context(|| format!("{name}: no main"))?.1)
    };
    paths.iter().map(|path| chunk(path)).collect()
}

/// What the JIT did in a run of the chunk in a new VM. How the run ends is of no interest.
fn compile(chunk: &Chunk, mode: JitMode) -> JitStats {
    let mut vm = VM::new(chunk.clone());
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode,
        threshold: 1,
        ..JitOptions::default()
    });
    vm.set_host(Box::new(RecordingHost::new()));
    vm.set_limits(Limits {
        fuel: Some(FUEL),
        ..Limits::default()
    });
    let _ = vm.execute();
    vm.jit_stats()
}

/// Makes a chunk of about so many ops.
type Make = fn(usize) -> Chunk;

const GROWING: [(&str, Make); 2] = [("straight code", straight), ("loops", loops)];

/// Sums without a branch.
fn straight(ops: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    for slot in 0..8 {
        b.emit(Op::LoadInt(i64::from(slot)), 1);
        b.emit(Op::SetSlot(slot), 1);
    }
    for round in 0..ops / 4 {
        let slot = |n: usize| ((round * 7 + n) % 8) as u16;
        b.emit(Op::GetSlot(slot(0)), 1);
        b.emit(Op::GetSlot(slot(3)), 1);
        b.emit(Op::Add, 1);
        b.emit(Op::SetSlot(slot(5)), 1);
    }
    b.emit(Op::GetSlot(0), 1);
    b.build()
}

/// Loops of three rounds, one behind the other.
fn loops(ops: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(1), 1);
    for _ in 0..ops / 15 {
        b.emit(Op::LoadInt(0), 1);
        b.emit(Op::SetSlot(0), 1);
        let top = b.current_pos();
        for op in [Op::GetSlot(0), Op::LoadInt(3), Op::NumLt] {
            b.emit(op, 1);
        }
        let out = b.emit(Op::JumpIfFalse(0), 1);
        for op in [Op::GetSlot(1), Op::GetSlot(0), Op::Add, Op::SetSlot(1)] {
            b.emit(op, 1);
        }
        for op in [
            Op::GetSlot(0),
            Op::LoadInt(1),
            Op::Add,
            Op::SetSlot(0),
            Op::Jump(top),
        ] {
            b.emit(op, 1);
        }
        let behind = b.current_pos();
        b.patch_jump(out, behind);
    }
    b.emit(Op::GetSlot(1), 1);
    b.build()
}
