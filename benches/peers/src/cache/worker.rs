//! What runs in a process of its own.

use super::hits;
use crate::{clock::cpu_ns, run};
use anyhow::{Context, anyhow};
use fusevm::{VM, VMResult};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Runs a program, and again so many times.
    Program {
        name: String,
        size: i64,
        cache: PathBuf,
        more: u32,
    },
    /// Takes functions from our cache, or compiles them ahead for it.
    Hits {
        functions: usize,
        cache: PathBuf,
        #[arg(long)]
        ahead: bool,
    },
    /// Takes functions from the cache of 0.26.10.
    OldHits { functions: usize, cache: PathBuf },
}

/// What a process took.
#[derive(Deserialize, Serialize)]
pub(super) struct Report {
    /// CPU nanoseconds of the process up to the end of the first run.
    pub(super) cpu_ns: f64,
    /// Those of each later run.
    pub(super) later: Vec<f64>,
    /// What the first run did.
    pub(super) compiled: u64,
    pub(super) compilers: u64,
    pub(super) hits: u64,
    pub(super) reference_ops: u64,
}

/// Does it, and prints the report.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let report = match &arguments.what {
        What::Program {
            name,
            size,
            cache,
            more,
        } => serde_json::to_string(&program(name, *size, cache, *more)?)?,
        What::Hits {
            functions,
            cache,
            ahead,
        } => serde_json::to_string(&hits::ours(*functions, cache, *ahead)?)?,
        What::OldHits { functions, cache } => {
            serde_json::to_string(&hits::old(*functions, cache)?)?
        }
    };
    println!("{report}");
    Ok(())
}

fn program(name: &str, size: i64, cache: &std::path::Path, more: u32) -> anyhow::Result<Report> {
    let chunk = run::chunk(name, size).map_err(|declined| anyhow!(declined))?;
    let mut vm = VM::new(chunk);
    vm.set_native_cache(Some(cache));
    vm.set_counting(true);
    execute(&mut vm)?;
    let cpu = cpu_ns();
    let stats = vm.jit_stats();
    let counted = vm.stats().context("it counts")?;
    let mut report = Report {
        cpu_ns: cpu,
        later: Vec::new(),
        compiled: stats.compiled,
        compilers: stats.compilers,
        hits: stats.cache.hits,
        reference_ops: counted.ops,
    };
    for _ in 0..more {
        vm.reset();
        let began = cpu_ns();
        execute(&mut vm)?;
        report.later.push(cpu_ns() - began);
    }
    Ok(report)
}

fn execute(vm: &mut VM) -> anyhow::Result<()> {
    match vm.run() {
        VMResult::Ok(_) => Ok(()),
        VMResult::Halted => Err(anyhow!("no result")),
        VMResult::Error(message) => Err(anyhow!(message)),
    }
}
