//! The published fusevm 0.9.7: its interpreter, and its block JIT for the chunks that it takes.

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
use fusevm_0_9 as vm;
use vm::{JitCompiler, VM, VMResult};

/// More slots than any program has: the block JIT doesn't grow them.
const SLOTS: usize = 32;

pub(super) fn interpreter(program: &'static Program) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    Ok(Box::new(move || -> Run {
        let chunk = chunk.clone();
        Box::new(move || match VM::new(chunk).run() {
            VMResult::Ok(value) => Ok(value.to_float()),
            VMResult::Halted => Err("no result".into()),
            VMResult::Error(message) => Err(message),
        })
    }))
}

pub(super) fn jit(program: &'static Program) -> Prepared {
    let chunk = chunks::build(program.name, program.size)?;
    if !JitCompiler::new().is_block_eligible(&chunk) {
        return Err("ineligible".into());
    }
    Ok(Box::new(move || -> Run {
        let chunk = chunk.clone();
        Box::new(move || {
            JitCompiler::new()
                .try_run_block(&chunk, &mut [0; SLOTS])
                .map(|result| result as f64)
                .ok_or_else(|| "declined".into())
        })
    }))
}
