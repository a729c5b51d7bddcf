//! The count of heap bytes that values of this thread hold.
//!
//! Every heap buffer of a value owns a `Charge`: what it added to the count, given back when the
//! buffer is dropped. The count is an estimate of the allocator's view (capacities plus fixed
//! overheads) and a bound for the VM's memory limit; it never shapes a result.
//!
//! A value that is made on one thread and dropped on another moves its bytes between two counts, so
//! the count of one thread may be negative; the sum over all threads is what is live.

use std::cell::Cell;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// Heap bytes made minus heap bytes dropped on this thread, values only.
#[inline]
pub fn live_bytes() -> i64 {
    LIVE.get()
}

/// Adds to the count of this thread, for buffers that know their size when they are dropped.
#[inline]
pub(super) fn count(bytes: i64) {
    LIVE.set(LIVE.get().wrapping_add(bytes));
}

/// What one buffer added to the count of the thread that made or grew it.
#[derive(Debug, Default)]
pub(super) struct Charge(usize);

impl Charge {
    #[inline]
    pub(super) fn new(bytes: usize) -> Charge {
        count(bytes as i64);
        Charge(bytes)
    }

    /// Follows the buffer's present size.
    #[inline]
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes != self.0 {
            count((bytes as i64).wrapping_sub(self.0 as i64));
            self.0 = bytes;
        }
    }
}

impl Drop for Charge {
    #[inline]
    fn drop(&mut self) {
        count((self.0 as i64).wrapping_neg());
    }
}
