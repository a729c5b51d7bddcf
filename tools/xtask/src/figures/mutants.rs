//! Damaged modules: none may panic, hang, or pass for something that it isn't.
//!
//! A mutant that is accepted as it is has to be the same module. One whose seals and hashes were made
//! right again may be another module, and a good one: it is run, within limits, and its text has to give
//! the same bytes.

use super::{Report, Sweep, Tally};
use fusevm::{
    format::{LoadError, Module, reseal},
    op::INFO,
};
use fusevm_kit::{
    module_of,
    mutate::mutate,
    program::program,
    smoke::{accept, prints_itself, run_all},
    vectors,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Modules to damage: small ones of every op, so that most damage means something.
fn originals() -> Vec<Vec<u8>> {
    let mut originals = Vec::new();
    for info in &INFO {
        let cases = vectors::cases(info);
        originals.push(module_of(
            cases.iter().take(2).map(|case| (&*case.name, &case.chunk)),
        ));
    }
    for seed in 0..64 {
        let chunks: Vec<_> = (0..3).map(|part| program(seed * 3 + part)).collect();
        originals.push(module_of(["a", "b", "c"].into_iter().zip(&chunks)));
    }
    originals
}

/// Counts over all mutants.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    chunks_run: AtomicU64,
    traps: AtomicU64,
}

impl Counts {
    fn accept(&self) -> Result<(), String> {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Runs the chunks; one that was checked has to load, and to be what its text assembles to.
    fn run_all(&self, module: &Module) -> Result<(), String> {
        let (runs, traps) =
            run_all(module).map_err(|error| format!("checked, but doesn't load: {error}"))?;
        self.chunks_run.fetch_add(runs, Ordering::Relaxed);
        self.traps.fetch_add(traps, Ordering::Relaxed);
        prints_itself(module)
    }
}

pub(super) fn run(sweep: &Sweep) -> anyhow::Result<()> {
    let originals = originals();
    let (raw, resealed) = (Counts::default(), Counts::default());
    // What an item prints when it panics would drown the rest; its seed says enough.
    std::panic::set_hook(Box::new(|_| ()));
    let raw_tally = sweep.each("raw mutant", |rng| {
        let original = &originals[rng.usize(0..originals.len())];
        let mut mutant = original.clone();
        mutate(&mut mutant, rng);
        match accept(&mutant) {
            Some(accepted) => raw.accept().and_then(|()| same_module(original, &accepted)),
            None => Ok(()),
        }
    });
    let resealed_tally = sweep.each("resealed mutant", |rng| {
        let mut mutant = originals[rng.usize(0..originals.len())].clone();
        mutate(&mut mutant, rng);
        reseal(&mut mutant);
        match accept(&mutant) {
            Some(accepted) => resealed.accept().and_then(|()| resealed.run_all(&accepted)),
            None => Ok(()),
        }
    });
    drop(std::panic::take_hook());
    for (name, counts, tally) in [
        ("as they are", &raw, raw_tally),
        ("resealed", &resealed, resealed_tally),
    ] {
        let mut report = Report::new(format!(
            "{} mutants {name}, seed {}",
            sweep.count, sweep.seed
        ));
        let accepted = counts.accepted.load(Ordering::Relaxed);
        let share = accepted as f64 * 100.0 / sweep.count.max(1) as f64;
        report.count("accepted", accepted);
        report.figure("accepted share", format!("{share:.2}"), "%");
        report.count("chunks run", counts.chunks_run.load(Ordering::Relaxed));
        report.count("of them trapped", counts.traps.load(Ordering::Relaxed));
        tally.report(report, sweep.json)?;
    }
    Ok(())
}

fn same_module(original: &[u8], accepted: &Module) -> Result<(), String> {
    let original = Module::from_bytes(original).map_err(|error| error.to_string())?;
    if original.root_hash() != accepted.root_hash() {
        return Err("accepted, with another root hash".to_owned());
    }
    let chunks = |module: &Module| -> Result<Vec<_>, LoadError> {
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

/// Flips each bit of each vector, both ways.
pub(super) fn flip_every_bit(sweep: &Sweep) -> anyhow::Result<()> {
    for sealed_again in [false, true] {
        let counts = Counts::default();
        let mut tally = Tally::default();
        let mut flips = 0;
        for original in originals().into_iter().take(INFO.len()) {
            let bits = original.len() as u64 * 8;
            flips += bits;
            let each_bit = Sweep {
                count: bits,
                seed: sweep.seed,
                only: None,
                json: sweep.json,
            };
            tally.add(each_bit.each_number("bit", |bit| {
                let mut mutant = original.clone();
                mutant[bit as usize / 8] ^= 1 << (bit % 8);
                if sealed_again {
                    reseal(&mut mutant);
                }
                match accept(&mutant) {
                    Some(accepted) if sealed_again => {
                        counts.accept().and_then(|()| counts.run_all(&accepted))
                    }
                    Some(accepted) => counts
                        .accept()
                        .and_then(|()| same_module(&original, &accepted)),
                    None => Ok(()),
                }
            }));
        }
        let how = if sealed_again {
            "resealed"
        } else {
            "as they are"
        };
        let mut report = Report::new(format!("{flips} single-bit flips of all vectors, {how}"));
        report.count("accepted", counts.accepted.load(Ordering::Relaxed));
        tally.report(report, sweep.json)?;
    }
    Ok(())
}
