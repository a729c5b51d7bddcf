//! One run of one program in a process of its own: what a short run costs from the process's start,
//! and something for profilers to look at.

use super::{
    engines::{ENGINES, Engine, Group, Means},
    find_engine, find_program,
    programs::{EMPTY, MANY, Program},
};
use crate::{
    clock::{cpu_ns, median},
    report::Row,
};
use anyhow::{Context, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    engine: String,
    /// A program of the comparison, or `empty`, or `many` functions that run once.
    program: String,
    /// The program's size, in the place of its own.
    #[arg(long)]
    size: Option<i64>,
    /// Leave the clock alone, which valgrind doesn't let a program read.
    #[arg(long)]
    untimed: bool,
}

#[derive(clap::Args)]
pub(crate) struct FreshArguments {
    /// A program and its size.
    #[arg(long, value_delimiter = ',', default_value = "sum:10000000,fib:30")]
    programs: Vec<String>,
    /// Only these engines, separated by commas; those of this crate otherwise.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// Processes for each engine and program; the figures are the medians.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// What a process prints.
#[derive(Deserialize, Serialize)]
struct Report {
    checksum: f64,
    /// CPU nanoseconds of the whole process so far; 0 if it was run untimed.
    cpu_ns: f64,
}

/// Runs the program and prints what the process has taken.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Means::Library(prepare) = find_engine(&arguments.engine)?.means else {
        bail!("{} is a command", arguments.engine);
    };
    let program = match arguments.program.as_str() {
        "empty" => &EMPTY,
        "many" => &MANY,
        name => find_program(name)?,
    };
    let program = program.of_size(arguments.size.unwrap_or(program.size));
    let mut runs = prepare(program).map_err(|declined| anyhow!(declined))?;
    let checksum = runs()().map_err(|message| anyhow!(message))?;
    let cpu_ns = if arguments.untimed { 0.0 } else { cpu_ns() };
    println!("{}", serde_json::to_string(&Report { checksum, cpu_ns })?);
    Ok(())
}

/// The command that runs a program once in a fresh process.
pub(super) fn command(mut command: Command, engine: &Engine, program: &str, size: i64) -> Command {
    command.env("FUSEVM_JIT_CACHE_DIR", "off");
    command.args(["once", engine.name, program, "--size", &size.to_string()]);
    command
}

/// Measures programs in fresh processes, round by round, and gives what they take over an empty one.
pub(crate) fn fresh(arguments: &FreshArguments) -> anyhow::Result<Vec<Row>> {
    let engines: Vec<&Engine> = match arguments.engines.as_slice() {
        [] => ENGINES.iter().filter(|e| e.group == Group::Ours).collect(),
        names => names
            .iter()
            .map(|name| find_engine(name))
            .collect::<Result<_, _>>()?,
    };
    let programs = arguments.programs.iter().map(|text| sized(text));
    let programs: Vec<&Program> = programs.collect::<Result<_, _>>()?;
    let mut cells = vec![(Vec::new(), vec![Vec::new(); programs.len()]); engines.len()];
    for _ in 0..arguments.rounds {
        for (engine, (empty, rest)) in engines.iter().zip(&mut cells) {
            empty.push(measure(engine, &EMPTY)?);
            for (program, samples) in programs.iter().zip(rest) {
                samples.push(measure(engine, program)?);
            }
        }
    }
    let mut rows = Vec::new();
    for (engine, (empty, rest)) in engines.iter().zip(cells) {
        let empty = median(empty);
        rows.push(Row::new(
            format!("{} empty", engine.name),
            empty / 1e6,
            "ms",
        ));
        for (program, samples) in programs.iter().zip(rest) {
            let name = format!("{} {} {}", engine.name, program.name, program.size);
            rows.push(Row::new(name, (median(samples) - empty) / 1e6, "ms"));
        }
    }
    Ok(rows)
}

/// Reads `PROGRAM:SIZE`, or a program alone.
fn sized(text: &str) -> anyhow::Result<&'static Program> {
    let Some((name, size)) = text.split_once(':') else {
        return find_program(text);
    };
    let size = size.parse().with_context(|| format!("{size} is no size"))?;
    Ok(find_program(name)?.of_size(size))
}

/// CPU nanoseconds of a process that runs the program once.
fn measure(engine: &Engine, program: &Program) -> anyhow::Result<f64> {
    let this = Command::new(std::env::current_exe()?);
    let output = command(this, engine, program.name, program.size).output()?;
    let failure = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} on {}: {failure}",
        engine.name,
        program.name
    );
    let report: Report = serde_json::from_slice(&output.stdout)?;
    let (expected, _) = program.expected();
    ensure!(
        (report.checksum - expected).abs() <= super::TOLERANCE * expected.abs(),
        "{} on {}: wrong answer {}",
        engine.name,
        program.name,
        report.checksum
    );
    Ok(report.cpu_ns)
}
