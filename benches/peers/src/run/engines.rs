//! The engines that are compared. To add one, add its entry to [`ENGINES`].

use super::{Jit, ours, programs::Program, v0_9, v0_26};
use std::path::Path;

/// Something that runs the programs.
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) means: Means,
}

impl Engine {
    /// Whether it takes part with this choice of our JIT, if it isn't asked for by name.
    pub(super) fn takes_part(&self, jit: Jit) -> bool {
        match self.name {
            "fusevm-jit" => jit == Jit::Auto,
            "fusevm-jit-eager" => jit == Jit::Eager,
            _ => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Group {
    /// This crate: the best of its engines is what the ratios are about.
    Ours,
    /// A published version of the old line, whose wrong answers are findings and no errors.
    Old,
    /// Everybody else.
    Peer,
}

/// How an engine is run. Either way it gets a process of its own for each round: a fresh heap, a first
/// run that is one, and nothing lost if it hangs or dies.
pub(super) enum Means {
    /// Within a process of this program.
    Library(fn(&'static Program) -> Prepared),
    /// A command, called with a driver of `programs/` that times the source beside it.
    Command {
        command: &'static str,
        arguments: &'static [&'static str],
        driver: &'static str,
    },
}

/// A source of runs, each to be prepared before the clock starts; or why the engine can't run this.
pub(super) type Prepared = Result<Box<dyn FnMut() -> Run>, String>;

/// One run, which gives its checksum or says what went wrong.
pub(super) type Run = Box<dyn FnOnce() -> Result<f64, String>>;

/// All engines, in the order in which they are shown.
pub(super) const ENGINES: [Engine; 14] = [
    library("fusevm-reference", Group::Ours, ours::reference),
    library("fusevm-register", Group::Ours, ours::register),
    library("fusevm-jit", Group::Ours, ours::jit),
    library("fusevm-jit-eager", Group::Ours, ours::jit_eager),
    library("fusevm-0.9.7", Group::Old, v0_9::interpreter),
    library("fusevm-0.9.7-jit", Group::Old, v0_9::jit),
    library("fusevm-0.26.10", Group::Old, v0_26::interpreter),
    library("fusevm-0.26.10-jit", Group::Old, v0_26::jit),
    command("lua5.4", "lua5.4", &[], "drive.lua"),
    command("luajit", "luajit", &[], "drive.lua"),
    command("luajit-joff", "luajit", &["-joff"], "drive.lua"),
    command("python3", "python3", &[], "drive.py"),
    command("node", "node", &[], "drive.js"),
    library("native", Group::Peer, native),
];

const fn library(
    name: &'static str,
    group: Group,
    prepare: fn(&'static Program) -> Prepared,
) -> Engine {
    Engine {
        name,
        group,
        means: Means::Library(prepare),
    }
}

const fn command(
    name: &'static str,
    command: &'static str,
    arguments: &'static [&'static str],
    driver: &'static str,
) -> Engine {
    Engine {
        name,
        group: Group::Peer,
        means: Means::Command {
            command,
            arguments,
            driver,
        },
    }
}

fn native(program: &'static Program) -> Prepared {
    Ok(Box::new(|| -> Run {
        Box::new(|| Ok((program.native)(program.size)))
    }))
}

/// The directory of the drivers and of the programs' sources.
pub(super) fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/programs"))
}
