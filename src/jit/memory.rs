//! Memory that can run, and then never be written again.

#![allow(unsafe_code)]

use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider, SystemMemoryProvider};
use std::sync::Arc;

/// Alignment of an entry's code.
const ALIGN: u64 = 64;

/// Code that can be run. Its memory goes when the last code in it goes.
pub(crate) struct Executable {
    _memory: Arc<Memory>,
    start: *const u8,
    len: usize,
}

/// A piece of executable memory.
struct Memory(SystemMemoryProvider);

// SAFETY: the memory is its own and isn't written any more.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}
// SAFETY: the pointer is into memory of which the same is true.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Executable {
    /// Copies the bytes, which are code without relocations, to where they can run; `None` if the
    /// system has no such memory.
    pub(crate) fn new(code: &[u8]) -> Option<Executable> {
        Executable::several(&[code])?.pop()
    }

    /// The same for several pieces, in one allocation.
    pub(crate) fn several(codes: &[&[u8]]) -> Option<Vec<Executable>> {
        let ends = codes.iter().scan(0_usize, |end, code| {
            *end = end
                .checked_add(code.len())?
                .next_multiple_of(ALIGN as usize);
            Some(*end)
        });
        let length = ends.last().filter(|length| *length > 0)?;
        let mut provider = SystemMemoryProvider::new();
        let memory = provider
            .allocate(length, ALIGN, JITMemoryKind::Executable)
            .ok()?;
        let mut at = 0;
        let mut starts = Vec::with_capacity(codes.len());
        for code in codes {
            let start = memory.wrapping_add(at);
            // SAFETY: as many bytes were allocated, and nobody else has them yet.
            unsafe { start.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
            starts.push(start);
            at += code.len().next_multiple_of(ALIGN as usize);
        }
        provider.finalize(BranchProtection::None).ok()?;
        let memory = Arc::new(Memory(provider));
        let piece = |(code, start): (&&[u8], *mut u8)| Executable {
            _memory: Arc::clone(&memory),
            start,
            len: code.len(),
        };
        Some(codes.iter().zip(starts).map(piece).collect())
    }

    /// The address of the code at an offset.
    pub(crate) fn at(&self, offset: usize) -> *const u8 {
        debug_assert!(offset < self.len);
        self.start.wrapping_add(offset)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: as many bytes were written, and none is since.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: who runs code holds its `Executable`, and that this.
        unsafe { self.0.free_memory() };
    }
}
