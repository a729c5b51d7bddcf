//! In the place of `native` where the crate is built without the JIT: nothing is ever native.

#![allow(unsafe_code)]

use super::Activation;
use super::dispatch::Pc;
use super::program::Program;
use crate::jit::JitStats;
use crate::lower::code::Word;
use crate::vm::VM;

/// What native code needs to know of a run: nothing.
pub(super) struct Links;

impl Links {
    pub(super) fn new() -> Links {
        Links
    }
}

/// How a native call ended.
#[derive(PartialEq, Eq)]
#[allow(
    dead_code,
    reason = "nothing is called here, but the handler knows all ends"
)]
pub(super) enum Called {
    Returned,
    GoOn,
    Ended,
}

/// Never reached, as no call leads to native code.
pub(super) unsafe fn call(_act: *mut Activation, _region: usize, _base: *mut u8) -> Called {
    Called::Ended
}

/// Goes on in the engine.
pub(super) unsafe fn at_loop(act: *mut Activation, pc: Pc, base: *mut u8, _is_head: bool) -> bool {
    // SAFETY: the caller gives the activation of the run at hand.
    unsafe { (*act).resume = (pc, base) };
    true
}

/// Nothing is counted.
pub(super) unsafe fn note_call(_act: *mut Activation, _region: usize, _base: *mut u8) {}

/// No process has left any.
pub(super) fn has_code(_vm: &mut VM) -> bool {
    false
}

/// There is nothing to be readied.
pub(super) fn prepare(_program: &mut Program, _vm: &mut VM) {}

/// There is nothing to be told.
pub(super) fn add_stats(_program: &Program, _stats: &mut JitStats) {}

/// Nothing was compiled.
pub(super) unsafe fn end(_act: *mut Activation) {}

/// Begins in the engine.
pub(super) unsafe fn begin(_act: *mut Activation, pc: Pc, base: *mut u8) -> Option<(Pc, *mut u8)> {
    Some((pc, base))
}

/// Nothing is noted.
pub(super) unsafe fn observe(_act: *mut Activation, _pc: Pc, _base: *mut u8, _word: Word) {}
