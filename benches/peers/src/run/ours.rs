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
use vm::{VM, VMResult, vm::EngineChoice};

pub(super) fn reference(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Reference)
}

pub(super) fn register(program: &'static Program) -> Prepared {
    prepare(program, EngineChoice::Register)
}

fn prepare(program: &'static Program, engine: EngineChoice) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    Ok(Box::new(move || -> Run {
        let chunk = chunk.clone();
        Box::new(move || {
            let mut vm = VM::new(chunk);
            vm.set_engine(engine);
            match vm.run() {
                VMResult::Ok(value) => Ok(value.to_float()),
                VMResult::Halted => Err("no result".into()),
                VMResult::Error(message) => Err(message),
            }
        })
    }))
}
