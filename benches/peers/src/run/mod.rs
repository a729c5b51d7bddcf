//! `run`: the same algorithms on every engine, first run and steady state apart, in CPU time.

pub(crate) mod callgrind;
mod child;
mod engines;
mod goals;
mod native;
pub(crate) mod once;
mod ours;
mod programs;
mod table;
#[cfg(test)]
mod tests;
mod v0_26;
mod v0_9;
pub(crate) mod worker;

use crate::clock::median;
use anyhow::{Context, bail, ensure};
use child::Outcome;
use engines::{ENGINES, Engine, Group};
use programs::{PROGRAMS, Program};
use serde::Serialize;
use std::time::Duration;
use table::{Cell, Figures, Line};

/// How far floats may be apart, relatively: languages differ in the last digit of powers.
const TOLERANCE: f64 = 1e-9;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whether our JIT takes part.
    #[arg(long, value_enum, default_value = "auto")]
    jit: Jit,
    /// Only these programs, separated by commas.
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Only these engines, separated by commas.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// Processes for each engine and program; the figures are the medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// CPU milliseconds for the later runs of one process.
    #[arg(long, default_value_t = 100)]
    budget_ms: u64,
    /// Seconds after which a process is given up.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Jit {
    /// It takes no part.
    Off,
    /// What has become hot is compiled.
    Auto,
    /// Everything is compiled before it runs.
    Eager,
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> anyhow::Result<()> {
    ensure!(
        engines::sources().is_dir(),
        "{} is gone; build anew where it is now",
        engines::sources().display()
    );
    let programs = select(&arguments.programs, &PROGRAMS, find_program)?;
    let mut engines = select(&arguments.engines, &ENGINES, find_engine)?;
    if arguments.engines.is_empty() {
        engines.retain(|engine| engine.takes_part(arguments.jit));
    }

    let mut lines = Vec::new();
    for program in programs {
        eprintln!("{}", program.name);
        let line = compare(program, &engines, arguments)?;
        if json {
            print_json(&line, &engines)?;
        }
        lines.push(line);
    }
    if !json {
        table::print(&lines, &engines);
    }
    let failures: Vec<String> = failures(&lines, &engines).collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

/// What the names stand for, or everything if there are none.
fn select<T>(
    names: &[String],
    all: &'static [T],
    find: fn(&str) -> anyhow::Result<&'static T>,
) -> anyhow::Result<Vec<&'static T>> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

/// The chunk of a program for this crate.
///
/// # Errors
/// There is no such program.
pub(crate) fn chunk(program: &str, size: i64) -> Result<fusevm::Chunk, String> {
    ours::chunk(program, size)
}

fn find_program(name: &str) -> anyhow::Result<&'static Program> {
    PROGRAMS
        .iter()
        .find(|program| program.name == name)
        .with_context(|| {
            format!(
                "no program {name}; there are {}",
                PROGRAMS.each_ref().map(|program| program.name).join(" ")
            )
        })
}

fn find_engine(name: &str) -> anyhow::Result<&'static Engine> {
    ENGINES
        .iter()
        .find(|engine| engine.name == name)
        .with_context(|| {
            format!(
                "no engine {name}; there are {}",
                ENGINES.each_ref().map(|engine| engine.name).join(" ")
            )
        })
}

/// What the rounds of one engine have given so far.
#[derive(Default)]
struct Samples {
    first: Vec<f64>,
    steady: Vec<f64>,
    /// What is to be shown in place of figures.
    note: Option<Cell>,
}

/// Measures one program on all engines, round by round, so that what disturbs one disturbs all.
fn compare(
    program: &'static Program,
    engines: &[&Engine],
    arguments: &Arguments,
) -> anyhow::Result<Line> {
    let (expected, units) = program.expected();
    let mut samples: Vec<Samples> = engines.iter().map(|_| Samples::default()).collect();
    for _ in 0..arguments.rounds {
        for (engine, samples) in engines.iter().zip(&mut samples) {
            if samples.note.is_some() {
                continue;
            }
            let outcome = child::measure(
                engine,
                program,
                Duration::from_millis(arguments.budget_ms),
                Duration::from_secs(arguments.timeout),
            )?;
            match outcome {
                Outcome::Measured { checksum, .. }
                    if (checksum - expected).abs() > TOLERANCE * expected.abs() =>
                {
                    samples.note = Some(Cell::Wrong(checksum));
                }
                Outcome::Measured { first, later, .. } => {
                    samples.first.push(first / units);
                    samples.steady.push(median(later) / units);
                }
                Outcome::Missing => samples.note = Some(Cell::Missing),
                Outcome::Failed(reason) => samples.note = Some(Cell::Failed(reason)),
            }
        }
    }
    let cells = samples.into_iter().map(|samples| match samples.note {
        Some(note) => note,
        None => Cell::Figures(Figures {
            first: median(samples.first),
            steady: median(samples.steady),
        }),
    });
    Ok(Line {
        program,
        expected,
        cells: cells.collect(),
    })
}

/// One line of `--json`.
#[derive(Serialize)]
struct Record {
    program: &'static str,
    engine: &'static str,
    phase: &'static str,
    cpu_ns_per_unit: f64,
}

fn print_json(line: &Line, engines: &[&Engine]) -> anyhow::Result<()> {
    for (engine, cell) in engines.iter().zip(&line.cells) {
        let Cell::Figures(figures) = cell else {
            eprintln!("{} {}: {cell}", line.program.name, engine.name);
            continue;
        };
        for (phase, cpu_ns_per_unit) in [("first", figures.first), ("steady", figures.steady)] {
            let record = Record {
                program: line.program.name,
                engine: engine.name,
                phase,
                cpu_ns_per_unit,
            };
            println!("{}", serde_json::to_string(&record)?);
        }
    }
    Ok(())
}

/// What makes the whole run fail: wrong answers and failures of everything but the old line.
fn failures(lines: &[Line], engines: &[&Engine]) -> impl Iterator<Item = String> {
    lines.iter().flat_map(|line| {
        let cells = engines.iter().zip(&line.cells);
        cells.filter_map(|(engine, cell)| match cell {
            Cell::Wrong(_) | Cell::Failed(_) if engine.group != Group::Old => Some(format!(
                "{} {}: {cell}, {} expected",
                line.program.name, engine.name, line.expected
            )),
            Cell::Wrong(_) | Cell::Failed(_) | Cell::Missing | Cell::Figures(_) => None,
        })
    })
}
