//! The child process that measures one library engine on one program. It prints one [`Report`], as do
//! the drivers of `programs/`.

use super::{
    engines::{Means, Run},
    find_engine, find_program,
};
use crate::clock::cpu_ns;
use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    engine: String,
    program: String,
    budget_ms: u32,
}

/// What a child process found out.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Report {
    /// CPU nanoseconds of the first run and of each later one; all gave this checksum.
    Measured {
        checksum: f64,
        first: f64,
        later: Vec<f64>,
    },
    /// The engine can't run the program, and why.
    Declined { declined: String },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let report = measure(arguments)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let Means::Library(prepare) = find_engine(&arguments.engine)?.means else {
        bail!("{} is a command", arguments.engine);
    };
    let mut runs = match prepare(find_program(&arguments.program)?) {
        Ok(runs) => runs,
        Err(declined) => return Ok(Report::Declined { declined }),
    };
    let (first, checksum) = timed(runs())?;
    let mut later = Vec::new();
    let mut spent = 0.0;
    while later.is_empty() || spent < f64::from(arguments.budget_ms) * 1e6 {
        let (ns, again) = timed(runs())?;
        if again.to_bits() != checksum.to_bits() {
            bail!("runs differ: {checksum}, then {again}");
        }
        spent += ns;
        later.push(ns);
    }
    Ok(Report::Measured {
        checksum,
        first,
        later,
    })
}

/// CPU nanoseconds of the run, and its checksum.
fn timed(run: Run) -> anyhow::Result<(f64, f64)> {
    let began = cpu_ns();
    let checksum = run();
    let spent = cpu_ns() - began;
    Ok((spent, checksum.map_err(|message| anyhow!(message))?))
}
