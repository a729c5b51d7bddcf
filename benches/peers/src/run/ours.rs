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
use std::{cell::RefCell, rc::Rc};
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

/// The chunk of a program.
pub(super) fn chunk(program: &str, size: i64) -> Result<vm::Chunk, String> {
    chunks::build(program, size)
}

fn prepare(program: &'static Program, engine: EngineChoice, mode: JitMode) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    let vm: Rc<RefCell<Option<VM>>> = Rc::default();
    Ok(Box::new(move || -> Run {
        let (chunk, vm) = (chunk.clone(), Rc::clone(&vm));
        Box::new(move || run(&mut vm.borrow_mut(), chunk, engine, mode))
    }))
}

/// Runs the chunk in a new VM, the next time in the same one: a host that runs a program again keeps
/// what the VM has made of it.
fn run(
    vm: &mut Option<VM>,
    chunk: vm::Chunk,
    engine: EngineChoice,
    mode: JitMode,
) -> Result<f64, String> {
    let vm = match vm {
        Some(vm) => {
            vm.reset();
            vm
        }
        None => {
            let mut new = VM::new(chunk);
            new.set_engine(engine);
            new.set_jit(JitOptions {
                mode,
                ..JitOptions::default()
            });
            vm.insert(new)
        }
    };
    match vm.run() {
        VMResult::Ok(value) => Ok(value.to_float()),
        VMResult::Halted => Err("no result".into()),
        VMResult::Error(message) => Err(message),
    }
}
