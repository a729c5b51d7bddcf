//! How handlers go from one to the next.
//!
//! A handler is a function of the instruction's place, the frame's base, the activation and the
//! instruction's first word. Its last act is to call the handler of the next instruction. With any
//! optimization that call is a jump (a test measures the stack of each, and so does each look at fuel, see
//! [`stack`]); at level 0, where it would not be, the same source notes where to go on and returns to a loop. So a handler has no locals with a
//! destructor or an address that escapes: what needs those is in a function that it calls.

#![allow(unsafe_code)]

use super::{Activation, handlers, stack};
use crate::lower::code::{Rop, Word, for_each_rop};

/// The place of an instruction.
pub(super) type Pc = *const u64;

/// A handler. It gives whether there is more to do, which only the loop at level 0 asks.
///
/// # Safety
/// `Pc` is an instruction of lowered code of the activation's chunk, which for the frame at the
/// base has been entered as the engine does; the word is the one there.
pub(super) type Handler = unsafe fn(Pc, *mut u8, *mut Activation, Word) -> bool;

macro_rules! define_table {
    ($($name:ident $words:literal $picture:literal;)*) => {
        /// The handler of each opcode.
        pub(super) static TABLE: [Handler; 256] = {
            let mut table: [Handler; 256] = [handlers::no_such_op; 256];
            $(table[Rop::$name as usize] = handlers::$name;)*
            table
        };
    };
}
for_each_rop!(define_table);

/// Goes on `$words` words further.
macro_rules! go {
    ($pc:expr, $base:expr, $act:expr, $words:expr) => {
        $crate::vm::engine::dispatch::go_to!($pc.offset($words), $base, $act)
    };
}

/// Goes on with the instruction at a place.
#[cfg(tail_calls)]
macro_rules! go_to {
    ($pc:expr, $base:expr, $act:expr) => {{
        let pc = $pc;
        let word = $crate::lower::code::Word(*pc);
        return ((*$act).table[usize::from(word.op_index())])(pc, $base, $act, word);
    }};
}

/// Goes on with the instruction at a place.
#[cfg(not(tail_calls))]
macro_rules! go_to {
    ($pc:expr, $base:expr, $act:expr) => {{
        (*$act).resume = ($pc, $base);
        return true;
    }};
}

pub(super) use {go, go_to};

/// Runs from the instruction at `pc` until the engine is left.
///
/// # Safety
/// As for a [`Handler`].
pub(super) unsafe fn run(pc: Pc, base: *mut u8, act: *mut Activation) {
    // SAFETY: the caller's promise; each handler keeps it for the next.
    unsafe {
        (*act).stack_begin = stack::position();
        let word = Word(*pc);
        let mut more = ((*act).table[usize::from(word.op_index())])(pc, base, act, word);
        while more {
            let (pc, base) = (*act).resume;
            let word = Word(*pc);
            more = ((*act).table[usize::from(word.op_index())])(pc, base, act, word);
        }
    }
}
