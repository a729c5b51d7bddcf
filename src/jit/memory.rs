//! Memory that can run, and then never be written again.

#![allow(unsafe_code)]

use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider, SystemMemoryProvider};

/// Alignment of an entry's code.
const ALIGN: u64 = 64;

/// Code that can be run. It goes when this goes.
pub(crate) struct Executable {
    provider: SystemMemoryProvider,
    start: *const u8,
    len: usize,
}

// SAFETY: the memory is its own and isn't written.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Executable {
    /// Copies the bytes, which are code without relocations, to where they can run; `None` if the
    /// system has no such memory.
    pub(crate) fn new(code: &[u8]) -> Option<Executable> {
        let mut provider = SystemMemoryProvider::new();
        let start = provider
            .allocate(code.len(), ALIGN, JITMemoryKind::Executable)
            .ok()?;
        // SAFETY: as many bytes were allocated, and nobody else has them yet.
        unsafe { start.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        let executable = Executable {
            provider,
            start,
            len: code.len(),
        };
        let mut executable = executable;
        executable.provider.finalize(BranchProtection::None).ok()?;
        Some(executable)
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

impl Drop for Executable {
    fn drop(&mut self) {
        // SAFETY: who runs code holds its `Executable`.
        unsafe { self.provider.free_memory() };
    }
}
