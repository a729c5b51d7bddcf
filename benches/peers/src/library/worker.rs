//! What the fresh processes do: build a library, or open one and run one function of it.

use super::forms;
use crate::clock::cpu_ns;
use anyhow::{Context, bail};
use fusevm::{VM, VMResult, format::Module, host::NullHost, vm::Limits};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Fuel for one function.
const FUEL: u64 = 1_000_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    work: Work,
}

#[derive(clap::Subcommand)]
enum Work {
    /// Builds a library of so many functions.
    Build {
        form: Form,
        blob: PathBuf,
        path: PathBuf,
        count: usize,
    },
    /// Runs the first function.
    First { form: Form, path: PathBuf },
    /// Changes or reads a library that others change too.
    Beside { work: Vec<String> },
}

/// How a library is stored.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    Fvbc,
    Sqlite,
    Rkyv,
}

impl Form {
    /// The name in arguments.
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Fvbc => "fvbc",
            Form::Sqlite => "sqlite",
            Form::Rkyv => "rkyv",
        }
    }

    /// The name in the table.
    pub(super) fn title(self) -> &'static str {
        match self {
            Form::Fvbc => "a module",
            Form::Sqlite => "bincode in SQLite",
            Form::Rkyv => "rkyv, validated",
        }
    }
}

/// What a worker prints.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    /// CPU time of open, find and load.
    pub(super) load_us: f64,
    /// Page faults of that.
    pub(super) load_faults: u64,
    /// The most memory that the process had.
    pub(super) peak_mib: f64,
    /// What the function came to.
    pub(super) result: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (Load { us, faults }, result) = match &arguments.work {
        Work::Build {
            form,
            blob,
            path,
            count,
        } => {
            let functions = forms::read_functions(blob)?;
            forms::build(*form, &functions, path, *count)?;
            (Load::default(), String::new())
        }
        Work::First { form, path } => match form {
            Form::Fvbc => first_of_module(path)?,
            Form::Sqlite => first_of_sqlite(path)?,
            Form::Rkyv => first_of_rkyv(path)?,
        },
        Work::Beside { work } => {
            return fusevm_kit::processes::worker(work).map_err(anyhow::Error::msg);
        }
    };
    let answer = Answer {
        load_us: us,
        load_faults: faults,
        peak_mib: peak_mib()?,
        result,
    };
    println!("{}", serde_json::to_string(&answer)?);
    Ok(())
}

/// The most memory that this process had. What `getrusage` says begins with the parent's.
fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmHWM")?.parse::<f64>()? / 1024.0)
}

/// What open, find and load cost.
#[derive(Default)]
struct Load {
    us: f64,
    faults: u64,
}

impl Load {
    /// The cost of this work, and what comes of it.
    fn of<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Load, T)> {
        let faults_before = page_faults()?;
        let began = cpu_ns();
        let made = work()?;
        let us = (cpu_ns() - began) / 1e3;
        let faults = page_faults()? - faults_before;
        Ok((Load { us, faults }, made))
    }
}

/// Page faults of this process so far.
fn page_faults() -> anyhow::Result<u64> {
    Ok(getrusage(UsageWho::RUSAGE_SELF)?
        .minor_page_faults()
        .try_into()?)
}

fn first_of_module(path: &Path) -> anyhow::Result<(Load, String)> {
    let (load, chunk) = Load::of(|| Ok(Module::open(path)?.chunk(forms::FIRST)?))?;
    Ok((load, result_of(chunk.into_chunk())?))
}

/// What a chunk comes to that may touch nothing.
pub(super) fn result_of(chunk: fusevm::Chunk) -> anyhow::Result<String> {
    let mut vm = VM::new(chunk);
    vm.set_host(Box::new(NullHost));
    vm.set_limits(Limits {
        fuel: Some(FUEL),
        ..Limits::default()
    });
    match vm.run() {
        VMResult::Ok(value) => Ok(value.to_str()),
        VMResult::Halted => Ok("halted".to_owned()),
        VMResult::Error(error) => bail!("{error}"),
    }
}

fn first_of_sqlite(path: &Path) -> anyhow::Result<(Load, String)> {
    use fusevm_0_9::{VM, VMResult};
    let (load, chunk) = Load::of(|| forms::load_from_sqlite(path))?;
    match VM::new(chunk).run() {
        VMResult::Ok(value) => Ok((load, value.to_str())),
        VMResult::Halted => Ok((load, "halted".to_owned())),
        VMResult::Error(error) => bail!("{error}"),
    }
}

/// Nothing is run: what is validated are ops of the same number and size.
fn first_of_rkyv(path: &Path) -> anyhow::Result<(Load, String)> {
    let (load, ops) = Load::of(|| forms::load_from_rkyv(path))?;
    Ok((load, format!("{ops} ops")))
}
