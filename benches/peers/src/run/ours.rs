//! This crate, each engine of it with all limits at their defaults.

#[path = "chunks.rs"]
#[allow(clippy::duplicate_mod, reason = "once for each version of the crate")]
mod chunks;
#[path = "code.rs"]
#[allow(clippy::duplicate_mod, reason = "once for each version of the crate")]
mod code;

use super::{
    engines::{Prepared, Run},
    programs::Program,
};
use fusevm as vm;
use vm::{
    VM, VMResult,
    jit::{JitMode, JitOptions},
    vm::EngineChoice,
};

pub(super) fn reference(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Reference, JitMode::Off)
}

pub(super) fn register(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Register, JitMode::Off)
}

pub(super) fn jit(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Register, JitMode::Auto)
}

pub(super) fn jit_eager(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Register, JitMode::Eager)
}

fn prepare(program: &'static Program, engine: EngineChoice, mode: JitMode) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    Ok(Box::new(move || -> Run {
        let chunk = chunk.clone();
        Box::new(move || {
            let mut vm = VM::new(chunk);
            vm.set_engine(engine);
            vm.set_jit(JitOptions {
                mode,
                ..JitOptions::default()
            });
            match vm.run() {
                VMResult::Ok(value) => Ok(value.to_float()),
                VMResult::Halted => Err("no result".into()),
                VMResult::Error(message) => Err(message),
            }
        })
    }))
}
