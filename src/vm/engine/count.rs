//! Counting in the engine: a second table of handlers, each of which counts and then goes on with the
//! real one. A run that isn't counted never comes here.

#![allow(unsafe_code)]

use super::dispatch::{self, Handler, Pc, TABLE};
use super::{Activation, links};
use crate::lower::code::{Rop, Word};
use std::time::Instant;

/// What has been counted since the engine was entered.
#[derive(Default)]
pub(super) struct Counts {
    instructions: u64,
    calls: u64,
    /// Whether the activation's table is the one that counts.
    is_on: bool,
}

impl Counts {
    /// Counts a call, if counting is on.
    pub(super) fn note_call(&mut self) {
        self.calls += u64::from(self.is_on);
    }
}

static COUNTING: [Handler; 256] = [count; 256];

/// Counts the instruction, and runs it.
unsafe fn count(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    // SAFETY: as for the handler that is called. The counts are looked at by nobody else meanwhile.
    unsafe {
        (*act).counts.instructions += 1;
        let calls = match word.op() {
            Rop::Call => true,
            // One that leaves is counted there, one whose link is made where that is.
            Rop::CallLinked => links::is_known(act, word),
            _ => false,
        };
        (*act).counts.calls += u64::from(calls);
        TABLE[usize::from(word.op_index())](pc, base, act, word)
    }
}

/// Runs as [`dispatch::run`] does, and counts if the VM asks for it.
///
/// # Safety
/// As there.
pub(super) unsafe fn run(pc: Pc, base: *mut u8, activation: &mut Activation) {
    let counts = activation.machine_vm().stats.is_some();
    if counts != activation.counts.is_on {
        activation.counts.is_on = counts;
        activation.table = if counts { COUNTING } else { TABLE };
    }
    let begun = counts.then(Instant::now);
    // SAFETY: the caller's promise.
    unsafe { dispatch::run(pc, base, &raw mut *activation) };
    if let Some(begun) = begun {
        let instructions = std::mem::take(&mut activation.counts.instructions);
        let calls = std::mem::take(&mut activation.counts.calls);
        if let Some(stats) = &mut activation.machine_vm().stats {
            stats.engine_time += begun.elapsed();
            stats.entries += 1;
            stats.instructions += instructions;
            stats.calls += calls;
        }
    }
}
