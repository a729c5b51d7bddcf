//! Room for native frames: native stack, registers, records of calls.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::{Activation, CallRecord};
use crate::jit::compile::Compiled;
use std::cell::Cell;

/// Native stack that is left for helpers and whatever they call.
const RESERVE: usize = 192 << 10;

/// Native stack that the compiler takes at most; without optimization its frames are much larger.
const COMPILER: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    384 << 10
};

/// Calls inside of each other that there is to be room for, first and at most: more each time that
/// it wasn't enough.
pub(super) const FIRST_FRAMES: usize = 256;
pub(super) const MOST_FRAMES: usize = 1 << 16;

/// What is assumed of a native stack whose end isn't known.
const ASSUMED_STACK: usize = 256 << 10;

/// Whether the thread's stack has room for the compiler.
pub(super) fn for_compiler() -> bool {
    stack_left() >= COMPILER
}

/// How many calls deep the code may go, all limits observed; with the base, which may have moved.
/// `None` if there is not even room for its first frame.
pub(super) unsafe fn make(
    act: *mut Activation,
    compiled: &Compiled,
    base: *mut u8,
) -> Option<(*mut u8, usize)> {
    let stack = stack_left().checked_sub(RESERVE)? / compiled.frame_bytes.max(1);
    // The first frame, and what the trampoline and the thunk take.
    let stack = stack.checked_sub(4)?;
    let base = grow_window(act, compiled, base);
    let window = ((*act).window_end.addr() - base.addr()) / compiled.window_bytes.max(1);
    let window = window.checked_sub(1)?;
    if !compiled.calls {
        return Some((base, 0));
    }
    let active = (*act).active_calls();
    let wanted = (*act).links.frames.min(stack).min(window);
    let wanted = wanted.min((*act).max_calls.saturating_sub(active));
    let records = record_room(act, active, wanted);
    Some((base, wanted.min(records)))
}

/// Makes the window larger if it has room for a few frames only.
unsafe fn grow_window(act: *mut Activation, compiled: &Compiled, base: *mut u8) -> *mut u8 {
    let frames = if compiled.calls {
        (*act).links.frames + 2
    } else {
        2
    };
    let needed = compiled.window_bytes * frames;
    if base.addr() + needed <= (*act).window_end.addr() {
        return base;
    }
    match (*act).grow_window(base, needed) {
        Ok(base) => base,
        // The memory is counted: the next look at it ends the run.
        Err((base, _)) => base,
    }
}

/// Records that there is room for, once more is made if need be.
unsafe fn record_room(act: *mut Activation, active: usize, wanted: usize) -> usize {
    let room = |act: *mut Activation| {
        ((*act).calls_end.addr() - (*act).calls_top.addr()) / size_of::<CallRecord>()
    };
    while room(act) < wanted && active < (*act).max_calls {
        let before = room(act);
        // Counted memory that is too much ends the run at the next look.
        let _ = (*act).grow_calls();
        if room(act) == before {
            break;
        }
    }
    room(act)
}

/// Bytes of the thread's native stack below the caller's frame.
fn stack_left() -> usize {
    thread_local! {
        /// Where the thread's stack ends; 0 while nobody has asked.
        static LOWEST: Cell<usize> = const { Cell::new(0) };
    }
    let here = 0_u8;
    let here = (&raw const here).addr();
    let lowest = match LOWEST.get() {
        0 => {
            let lowest = lowest_of_thread().unwrap_or(here.saturating_sub(ASSUMED_STACK));
            LOWEST.set(lowest);
            lowest
        }
        lowest => lowest,
    };
    here.saturating_sub(lowest)
}

/// Where the stack of this thread ends.
#[cfg(target_os = "linux")]
fn lowest_of_thread() -> Option<usize> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut start = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the attributes are filled by the first call, and used only if it succeeds.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let got = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (got == 0).then(|| start.addr())
    }
}

/// Where the stack of this thread ends.
#[cfg(not(target_os = "linux"))]
fn lowest_of_thread() -> Option<usize> {
    None
}
