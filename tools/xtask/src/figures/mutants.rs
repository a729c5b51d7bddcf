//! Damaged modules: none may panic, hang, or pass for something that it isn't.
//!
//! A mutant that is accepted as it is has to be the same module. One whose seals and hashes were made
//! right again may be another module, and a good one: it is run, within limits.

use super::Sweep;
use fusevm::{
    VM,
    format::{CheckOptions, Entry, Module, ModuleWriter, reseal},
    host::RecordingHost,
    op::INFO,
    vm::Limits,
};
use fusevm_kit::{mutate::mutate, program::program, vectors};
use std::{
    io::Cursor,
    sync::atomic::{AtomicU64, Ordering},
};

/// Modules to damage: small ones of every op, so that most damage means something.
fn originals() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut originals = Vec::new();
    for info in &INFO {
        let cases = vectors::cases(info);
        originals.push(module(
            cases.iter().take(2).map(|case| (&*case.name, &case.chunk)),
        )?);
    }
    for seed in 0..64 {
        let chunks: Vec<_> = (0..3).map(|part| program(seed * 3 + part)).collect();
        originals.push(module(["a", "b", "c"].into_iter().zip(&chunks))?);
    }
    Ok(originals)
}

fn module<'a>(
    chunks: impl Iterator<Item = (&'a str, &'a fusevm::Chunk)>,
) -> anyhow::Result<Vec<u8>> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    writer.metadata("title", "to be damaged");
    for (name, chunk) in chunks {
        writer.add(&Entry::named(name), chunk)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Counts over all mutants.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    chunks_run: AtomicU64,
    traps: AtomicU64,
}

pub(super) fn run(sweep: &Sweep) -> anyhow::Result<()> {
    let originals = originals()?;
    let (raw, resealed) = (Counts::default(), Counts::default());
    // What an item prints when it panics would drown the rest; its seed says enough.
    std::panic::set_hook(Box::new(|_| ()));
    let raw_tally = sweep.each("raw mutant", |rng| {
        let original = &originals[rng.usize(0..originals.len())];
        let mut mutant = original.clone();
        mutate(&mut mutant, rng);
        accept(&mutant, &raw).map_or(Ok(()), |accepted| same_module(original, &accepted))
    });
    let resealed_tally = sweep.each("resealed mutant", |rng| {
        let mut mutant = originals[rng.usize(0..originals.len())].clone();
        mutate(&mut mutant, rng);
        reseal(&mut mutant);
        accept(&mutant, &resealed).map_or(Ok(()), |module| run_all(&module, &resealed))
    });
    drop(std::panic::take_hook());
    for (name, counts, tally) in [
        ("as they are", &raw, raw_tally),
        ("resealed", &resealed, resealed_tally),
    ] {
        println!("{} mutants {name}, seed {}", sweep.count, sweep.seed);
        let accepted = counts.accepted.load(Ordering::Relaxed);
        let share = accepted as f64 * 100.0 / sweep.count.max(1) as f64;
        println!("  accepted             {accepted} ({share:.2} %)");
        println!(
            "  chunks run           {}",
            counts.chunks_run.load(Ordering::Relaxed)
        );
        println!(
            "  of them trapped      {}",
            counts.traps.load(Ordering::Relaxed)
        );
        tally.report()?;
    }
    Ok(())
}

/// The module, if the reader takes it and a whole check finds nothing wrong.
fn accept(bytes: &[u8], counts: &Counts) -> Option<Module> {
    let module = Module::from_bytes(bytes).ok()?;
    // Whatever the check says, each chunk that can be named must load or be refused.
    for name in ["a", "nop", "add_0"] {
        drop(module.chunk(name));
    }
    if !module.check(&CheckOptions::new().all(true)).is_ok() {
        return None;
    }
    counts.accepted.fetch_add(1, Ordering::Relaxed);
    Some(module)
}

fn same_module(original: &[u8], accepted: &Module) -> Result<(), String> {
    let original = Module::from_bytes(original).map_err(|error| error.to_string())?;
    if original.root_hash() != accepted.root_hash() {
        return Err("accepted, with another root hash".to_owned());
    }
    let chunks = |module: &Module| -> Result<Vec<_>, fusevm::format::LoadError> {
        module
            .records()?
            .map(|record| {
                let record = record?;
                let chunk = module.find(record.space(), record.name())?;
                Ok((record.entry(), chunk.map(|chunk| chunk.hash())))
            })
            .collect()
    };
    match (chunks(&original), chunks(accepted)) {
        (Ok(a), Ok(b)) if a == b => Ok(()),
        (Ok(_), Ok(_)) => Err("accepted, with other chunks".to_owned()),
        (_, Err(error)) | (Err(error), _) => Err(format!("checked, but doesn't load: {error}")),
    }
}

/// Runs each chunk within limits; a chunk that was checked has to load.
fn run_all(module: &Module, counts: &Counts) -> Result<(), String> {
    let records = module.records().map_err(|error| error.to_string())?;
    for record in records {
        let record = record.map_err(|error| error.to_string())?;
        let chunk = module
            .find(record.space(), record.name())
            .map_err(|error| format!("checked, but doesn't load: {error}"))?
            .ok_or("checked, but not found")?;
        let mut vm = VM::new(chunk.into_chunk());
        vm.set_limits(Limits {
            fuel: Some(20_000),
            max_depth: 200,
            max_value: 1 << 16,
            max_memory: 1 << 26,
            max_output: Some(1 << 16),
            deadline: None,
        });
        vm.set_host(Box::new(RecordingHost::new().with_limit(1 << 16)));
        counts.chunks_run.fetch_add(1, Ordering::Relaxed);
        if vm.execute().is_err() {
            counts.traps.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
