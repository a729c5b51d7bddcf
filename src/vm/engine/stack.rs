//! Does the native stack stay where it was? A handler's last call is a jump with any optimization, which
//! the language doesn't promise. So whenever fuel is looked at, the stack is, too: should calls pile up
//! there after all, all of them are left, and the run goes on from the loop that began it.

#![allow(unsafe_code)]

use super::Activation;

/// How far the stack may have grown since the first handler was called, the frame of one that isn't a
/// handler included.
const MOST_GROWTH: usize = 64 << 10;

/// Where the stack is now.
#[inline(never)]
pub(super) fn position() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}

/// Whether calls of handlers have piled up.
///
/// # Safety
/// It is the activation of the run at hand.
#[inline(never)]
pub(super) unsafe fn has_grown(act: *mut Activation) -> bool {
    // SAFETY: the caller's promise.
    let act = unsafe { &mut *act };
    let growth = act.stack_begin.abs_diff(position());
    act.stack_growth = act.stack_growth.max(growth);
    growth > MOST_GROWTH
}
