//! Watching the engine: a second table of handlers, each of which counts instructions for the run's
//! figures and notes what they run on for the JIT, and then goes on with the real one. A run that isn't
//! watched never comes here.

#![allow(unsafe_code)]

use super::dispatch::{self, Handler, Pc, TABLE};
use super::native;
use super::{Activation, links};
use crate::lower::code::{Rop, Word};
use std::time::Instant;

/// What has been counted since the engine was entered, and what is watched.
#[derive(Default)]
pub(super) struct Counts {
    instructions: u64,
    calls: u64,
    /// Whether the run is counted.
    counts: bool,
    /// Whether it is noted what instructions run on.
    observes: bool,
}

static WATCHED: [Handler; 256] = [watched; 256];

impl Counts {
    /// Counts a call, if the run is counted.
    pub(super) fn note_call(&mut self) {
        self.calls += u64::from(self.counts);
    }
}

/// Watches the instruction, and runs it.
unsafe fn watched(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
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
        if (*act).counts.observes {
            native::observe(act, pc, base, word);
        }
        TABLE[usize::from(word.op_index())](pc, base, act, word)
    }
}

#[cfg(feature = "jit")]
impl Activation {
    /// Notes from now on what instructions run on.
    pub(super) fn watch(&mut self) {
        self.counts.observes = true;
        self.table = WATCHED;
    }

    /// Notes no more what instructions run on.
    pub(super) fn stop_watching(&mut self) {
        if std::mem::take(&mut self.counts.observes) && !self.counts.counts {
            self.table = TABLE;
        }
    }
}

/// Runs as [`dispatch::run`] does, and counts if the VM asks for it.
///
/// # Safety
/// As there.
pub(super) unsafe fn run(pc: Pc, base: *mut u8, activation: &mut Activation) {
    let counts = activation.machine_vm().stats.is_some();
    if counts != activation.counts.counts {
        activation.counts.counts = counts;
        let is_watched = counts || activation.counts.observes;
        activation.table = if is_watched { WATCHED } else { TABLE };
    }
    let begun = counts.then(Instant::now);
    // SAFETY: the caller's promise.
    unsafe { dispatch::run(pc, base, &raw mut *activation) };
    let instructions = std::mem::take(&mut activation.counts.instructions);
    let calls = std::mem::take(&mut activation.counts.calls);
    if let Some(begun) = begun
        && let Some(stats) = &mut activation.machine_vm().stats
    {
        stats.engine_time += begun.elapsed();
        stats.entries += 1;
        stats.instructions += instructions;
        stats.calls += calls;
    }
}
