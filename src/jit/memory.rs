//! Memory that can run, and then never be written again: what could write it is gone by then.

#![allow(unsafe_code)]

use memmap2::{Mmap, MmapMut, MmapOptions};
use std::ops::Range;
use std::sync::Arc;
use wasmtime_internal_jit_icache_coherence as instructions;

/// Alignment of an entry's code.
pub(crate) const ALIGN: usize = 64;

/// Memory that is still being written, and can't be run.
pub(crate) struct Draft(MmapMut);

impl Draft {
    /// Zeros of this length, which isn't 0; `None` if the system has no such memory. Its pages come at once,
    /// as all of them are about to be written.
    pub(crate) fn new(len: usize) -> Option<Draft> {
        let memory = MmapOptions::new().len(len).populate().map_anon();
        memory.ok().filter(|_| len > 0).map(Draft)
    }

    /// The bytes, to be read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// From now on the bytes can be run, and not be written.
    pub(crate) fn finish(self) -> Option<Placed> {
        // SAFETY: the range is that of the mapping.
        unsafe { instructions::clear_cache(self.0.as_ptr().cast(), self.0.len()) }.ok()?;
        let memory = self.0.make_exec().ok()?;
        instructions::pipeline_flush_mt().ok()?;
        Some(Placed(Arc::new(memory)))
    }
}

/// Bytes that can be run. They go when the last code in them goes.
#[derive(Clone)]
pub(crate) struct Placed(Arc<Mmap>);

impl Placed {
    /// All of them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
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
        f.debug_tuple("Placed").field(&self.0.len()).finish()
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
