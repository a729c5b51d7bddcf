//! Which share of the register instructions of generated numeric programs native code does inline.

use super::{Report, Sweep};
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::{EngineChoice, Limits, VM};
use fusevm_kit::program::{Family, install_extensions};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fuel of a run: enough for most programs to end.
const FUEL: u64 = 100_000;

/// Counts over all programs.
#[derive(Default)]
struct Counts {
    inline: AtomicU64,
    helped: AtomicU64,
    engine: AtomicU64,
}

pub(super) fn run(sweep: &Sweep) -> anyhow::Result<()> {
    let counts = Counts::default();
    let tally = sweep.each_number("inline share", |number| {
        count(sweep.seed.wrapping_shl(32) ^ number, &counts);
        Ok(())
    });
    let title = format!(
        "{} generated numeric programs, compiled before they run, seed {}",
        sweep.count, sweep.seed
    );
    let mut report = Report::new(title);
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (inline, helped) = (load(&counts.inline), load(&counts.helped));
    let engine = load(&counts.engine);
    report.count("register instructions done inline", inline);
    report.count("by a helper", helped);
    report.count("by the engine", engine);
    let share = inline as f64 * 100.0 / (inline + helped + engine).max(1) as f64;
    report.figure("inline", format!("{share:.2}"), "%");
    tally.report(report, sweep.json)
}

/// Runs the program of a seed and adds what its instructions were done by.
fn count(seed: u64, counts: &Counts) {
    let mut vm = VM::new(Family::Numeric.program(seed));
    install_extensions(&mut vm);
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        counts: true,
        ..JitOptions::default()
    });
    vm.set_limits(Limits {
        fuel: Some(FUEL),
        ..fusevm_kit::outcome::program_limits()
    });
    vm.set_counting(true);
    // A program that traps has done as much as it has.
    let _ = vm.execute();
    let (jit, engine) = (
        vm.jit_stats(),
        vm.stats().map_or(0, |stats| stats.instructions),
    );
    counts
        .inline
        .fetch_add(jit.executed_inline, Ordering::Relaxed);
    // What native code leaves to the engine is counted there, too.
    let left = (jit.executed - jit.executed_inline).saturating_sub(jit.exits);
    counts.helped.fetch_add(left, Ordering::Relaxed);
    counts.engine.fetch_add(engine, Ordering::Relaxed);
}
