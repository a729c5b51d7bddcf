//! Memory that can run, and then never be written again.

#![allow(unsafe_code)]

use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider, SystemMemoryProvider};
use std::ops::Range;
use std::sync::Arc;

/// Alignment of an entry's code.
pub(crate) const ALIGN: usize = 64;

/// A piece of memory of the provider, freed with this.
struct Memory {
    provider: SystemMemoryProvider,
    start: *mut u8,
    len: usize,
}

// SAFETY: the memory is its own and nobody else has its address.
unsafe impl Send for Memory {}
// SAFETY: through a shared reference it is only read.
unsafe impl Sync for Memory {}

impl Memory {
    fn bytes(&self) -> &[u8] {
        // SAFETY: as many bytes were allocated, all of them zero at first, and only a `Draft` writes
        // them, which is borrowed while somebody else reads.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: who runs code holds its `Executable`, and that this.
        unsafe { self.provider.free_memory() };
    }
}

/// Memory that is still being written, and can't be run.
pub(crate) struct Draft(Memory);

impl Draft {
    /// Zeros of this length, which isn't 0; `None` if the system has no such memory.
    pub(crate) fn new(len: usize) -> Option<Draft> {
        let mut provider = SystemMemoryProvider::new();
        let allocated = provider.allocate(len, ALIGN as u64, JITMemoryKind::Executable);
        let start = allocated.ok().filter(|_| len > 0)?;
        Some(Draft(Memory {
            provider,
            start,
            len,
        }))
    }

    /// The bytes, to be read.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as many bytes were allocated, all of them zero at first, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.0.start, self.0.len) }
    }

    /// From now on the bytes can be run, and not be written.
    pub(crate) fn finish(mut self) -> Option<Placed> {
        self.0.provider.finalize(BranchProtection::None).ok()?;
        Some(Placed(Arc::new(self.0)))
    }
}

/// Bytes that can be run. They go when the last code in them goes.
#[derive(Clone)]
pub(crate) struct Placed(Arc<Memory>);

impl Placed {
    /// All of them.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The code in this range; `None` if it isn't within the bytes.
    pub(crate) fn code(&self, range: Range<usize>) -> Option<Executable> {
        self.bytes().get(range.clone())?;
        Some(Executable {
            placed: self.clone(),
            range,
        })
    }
}

impl std::fmt::Debug for Placed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Placed").field(&self.0.len).finish()
    }
}

/// Code that can be run.
pub(crate) struct Executable {
    placed: Placed,
    range: Range<usize>,
}

impl Executable {
    /// Copies the bytes, which are code without relocations, to where they can run; `None` if the
    /// system has no such memory.
    pub(crate) fn new(code: &[u8]) -> Option<Executable> {
        let mut draft = Draft::new(code.len())?;
        draft.bytes_mut().copy_from_slice(code);
        draft.finish()?.code(0..code.len())
    }

    /// The address of the code at an offset.
    pub(crate) fn at(&self, offset: usize) -> *const u8 {
        debug_assert!(offset < self.range.len());
        self.bytes().as_ptr().wrapping_add(offset)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.placed.bytes()[self.range.clone()]
    }
}
