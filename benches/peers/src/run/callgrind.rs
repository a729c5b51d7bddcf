//! Instructions that each program takes in each of our engines, over an empty program: figures that a
//! busy machine doesn't disturb, kept as a table in the repository.

use super::{
    engines::{ENGINES, Engine, Group},
    find_engine, once,
    programs::{EMPTY, FUNCTIONS, MANY, PROGRAMS, Program},
};
use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use std::process::Command;

const INTRODUCTION: &str = "\
# Instructions of the programs

What `cargo run -p xtask -- callgrind` printed: x86-64 instructions for each unit of a program's work, as valgrind counts them, over a run of an \
empty program; making the chunk, verifying and lowering included. Sizes are small, so that a count is done in seconds. Unlike times, counts hardly \
depend on what else the machine does; hash tables are keyed anew in each process, which moves those that use them by a percent.
";

/// Prints the table.
pub(crate) fn run() -> anyhow::Result<()> {
    let engines: Vec<&Engine> = ENGINES.iter().filter(|e| e.group == Group::Ours).collect();
    let bar = ProgressBar::new((engines.len() * (PROGRAMS.len() + 1)) as u64);
    let count = |engine: &Engine, program: &Program| {
        let counted = count(engine, program);
        bar.inc(1);
        counted
    };
    let mut floors = Vec::new();
    for engine in &engines {
        floors.push(count(engine, &EMPTY)?);
    }
    let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
    let mut table = format!(
        "{INTRODUCTION}\n| Program | Size | Unit | {} |\n",
        names.join(" | ")
    );
    table.push_str(&format!(
        "|---|---:|---|{}\n",
        "---:|".repeat(engines.len())
    ));
    for program in &PROGRAMS {
        let sized = program.of_size(program.counted_size);
        let (_, units) = sized.expected();
        let (name, size, unit) = (program.name, sized.size, program.unit);
        table.push_str(&format!("| `{name}` | {size} | {unit} |"));
        for (engine, floor) in engines.iter().zip(&floors) {
            let over = count(engine, sized)? as f64 - *floor as f64;
            table.push_str(&format!(" {:.1} |", over / units));
        }
        table.push('\n');
    }
    let without = count(find_engine("fusevm-register")?, &MANY)?;
    let with = count(find_engine("fusevm-jit")?, &MANY)?;
    let more = with as f64 / without as f64;
    table.push_str(&format!(
        "\n{FUNCTIONS} functions that run once each take {more:.3} times as many with the JIT as without.\n"
    ));
    bar.finish_and_clear();
    print!("{table}");
    Ok(())
}

/// Instructions of a process that runs the program once.
fn count(engine: &Engine, program: &Program) -> anyhow::Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?);
    let mut command = once::command(valgrind, engine, program.name, program.size);
    let output = command.arg("--untimed").output();
    let output = output.context("can't start valgrind")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} on {}: {messages}",
        engine.name,
        program.name
    );
    let line = messages.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    number.with_context(|| format!("valgrind gave no count: {messages}"))
}
