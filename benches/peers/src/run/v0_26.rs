//! The published fusevm 0.26.10: its interpreter, and the same with its tracing JIT on.

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
use fusevm_0_26 as vm;
use vm::{VM, VMResult, Value};

pub(super) fn interpreter(program: &'static Program) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    Ok(Box::new(move || -> Run {
        let chunk = chunk.clone();
        Box::new(move || checksum(VM::new(chunk).run()))
    }))
}

/// As its compiled tiers take a chunk only if the slots of the base frame hold numbers of the right
/// kinds before the run, an interpreted run, which isn't counted, finds the kinds out.
pub(super) fn jit(program: &'static Program) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    let mut probe = VM::new(chunk.clone());
    checksum(probe.run())?;
    let slots: Vec<Value> = probe.frames[0].slots.iter().map(zero).collect();
    Ok(Box::new(move || -> Run {
        let mut vm = VM::new(chunk.clone());
        vm.enable_tracing_jit();
        vm.frames[0].slots.clone_from(&slots);
        Box::new(move || checksum(vm.run()))
    }))
}

/// The zero of the value's kind if it is a number.
fn zero(value: &Value) -> Value {
    match value {
        Value::Int(_) => Value::Int(0),
        Value::Float(_) => Value::Float(0.0),
        _ => Value::Undef,
    }
}

fn checksum(result: VMResult) -> Result<f64, String> {
    match result {
        VMResult::Ok(value) => Ok(value.to_float()),
        VMResult::Halted => Err("no result".into()),
        VMResult::Error(message) => Err(message),
    }
}
