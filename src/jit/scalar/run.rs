//! Runs chunks for the scalar entry points: each in a VM that compiles all of it before it runs, and
//! that is kept for the next time.

use crate::chunk::Chunk;
use crate::format::{self, ChunkHash};
use crate::jit::{JitMode, JitOptions};
use crate::lower::jump_target;
use crate::op::Op;
use crate::value::Value;
use crate::vm::{EngineChoice, VM};
use rustc_hash::FxHashMap;
use std::sync::{Mutex, PoisonError};

/// VMs that are kept at most.
const MOST_IDLE: usize = 64;

/// Runs chunks, and keeps what they were compiled to.
#[derive(Default)]
pub(super) struct Runner {
    /// By their chunks' hashes, VMs that nobody uses at present. The hash covers all that shapes what a
    /// chunk does, so no two chunks share code.
    idle: Mutex<FxHashMap<ChunkHash, VM>>,
}

/// What a run has left.
pub(super) struct Ran {
    /// The top of the stack, if there was any.
    pub(super) result: Option<Value>,
    /// The slots, as many as there were.
    pub(super) slots: Vec<Value>,
}

impl Runner {
    /// Runs a chunk on slots that are Ints. `None` if it traps, or can't be run natively.
    pub(super) fn run(&self, chunk: &Chunk, slots: &[i64]) -> Option<Ran> {
        let hash = format::chunk_hash(chunk).ok()?;
        let mut vm = self.take(&hash).unwrap_or_else(|| vm_for(chunk));
        vm.reset();
        vm.frames[0].slots = slots.iter().map(|n| Value::Int(*n)).collect();
        let entries = vm.jit_stats().entries;
        let result = vm.execute();
        let was_native = vm.jit_stats().entries > entries;
        let mut left = std::mem::take(&mut vm.frames[0].slots);
        left.resize(slots.len(), Value::Undef);
        self.keep(hash, vm);
        let mut result = result.ok().filter(|_| was_native)?;
        if let Some(Value::Float(power)) = &result {
            let exact = self.exact_power(chunk, slots, *power);
            result = exact.map(Value::Int).or(result);
        }
        Some(Ran {
            result,
            slots: left,
        })
    }

    /// The result of the power that the chunk ends with, if its operands are Ints and it is exact.
    fn exact_power(&self, chunk: &Chunk, slots: &[i64], power: f64) -> Option<i64> {
        let (Op::Pow, rest) = chunk.ops.split_last()? else {
            return None;
        };
        let exact = power as i64;
        let leads_behind = |op: &Op| jump_target(op).is_some_and(|to| to > rest.len());
        if exact as f64 != power || rest.iter().any(leads_behind) {
            return None;
        }
        let operands = Chunk {
            ops: rest.to_vec(),
            ..chunk.clone()
        };
        let mut vm = vm_for(&operands);
        vm.frames[0].slots = slots.iter().map(|n| Value::Int(*n)).collect();
        let exponent = vm.execute().ok()??;
        match (vm.pop(), exponent) {
            (Value::Int(base), Value::Int(exponent)) => {
                let exponent = u32::try_from(exponent).ok()?;
                base.checked_pow(exponent).filter(|power| *power == exact)
            }
            _ => None,
        }
    }

    fn take(&self, hash: &ChunkHash) -> Option<VM> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.remove(hash)
    }

    fn keep(&self, hash: ChunkHash, vm: VM) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST_IDLE {
            idle.clear();
        }
        idle.insert(hash, vm);
    }
}

/// A VM that compiles the chunk before it runs.
fn vm_for(chunk: &Chunk) -> VM {
    let mut vm = VM::new(chunk.clone());
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        ..JitOptions::default()
    });
    vm
}
