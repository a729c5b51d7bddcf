//! What the cache of native code has of the chunks that a VM runs: asked before a run begins, so that one
//! with code starts natively, and when a program is made.

use super::super::program::{self, Program};
use super::layout;
use crate::engine::Unit;
use crate::format::{ChunkHash, chunk_hash};
use crate::jit::cache::Unfit;
use crate::jit::kept::{Identity, Kept, fingerprint};
use crate::jit::{JitMode, JitStats};
use crate::vm::VM;

/// The answer to the question before a run.
#[derive(Default)]
pub(in super::super) struct Asked {
    /// Where the chunk's lists were. Should another chunk have come to lie there, it is only started in
    /// the wrong interpreter.
    chunk: program::Identity,
    has_code: bool,
    /// What was found, until the chunk's program is made.
    found: Option<(ChunkHash, Kept)>,
}

/// Whether earlier processes left native code of the chunk that the VM is to run. A chunk is looked up
/// once; what is there then serves its program.
pub(in super::super) fn has_code(vm: &mut VM) -> bool {
    if !uses_cache(vm) {
        return false;
    }
    let chunk = program::identity(vm.running());
    if vm.engine.asked.chunk != chunk {
        // Only of the chunk that a VM was made for it is known where its names' globals are.
        let is_first = vm.link.global(0).is_none();
        let found = hash_of(vm).filter(|_| is_first);
        let found = found.and_then(|hash| Some((hash, open(vm, hash, &[])?)));
        vm.engine.asked = Asked {
            chunk,
            has_code: found.as_ref().is_some_and(|(_, kept)| kept.has_code()),
            found,
        };
    }
    vm.engine.asked.has_code
}

/// Readies a program that was just made of the chunk that the VM runs.
pub(in super::super) fn prepare(program: &mut Program, vm: &mut VM) {
    program.native.set_options(vm.engine.jit);
    if !uses_cache(vm) {
        return;
    }
    let Some(hash) = hash_of(vm) else { return };
    let found = vm.engine.asked.found.take();
    let kept = match found {
        Some((asked, kept)) if asked == hash && program.names_are_globals() => Some(kept),
        _ => open(vm, hash, program.global_places()),
    };
    if let Some(kept) = kept {
        program.native.keep(kept);
    }
}

/// Adds to the stats what was asked for a program.
pub(in super::super) fn add_stats(program: &Program, stats: &mut JitStats) {
    program.native.add_to(stats);
}

/// What is kept of the chunk that the VM is to run, as a first program of it would find it; `None` if the
/// VM has no cache, or the chunk no identity.
///
/// # Errors
/// When the directory isn't fit for code.
pub(super) fn look(vm: &VM) -> Result<Option<Kept>, Unfit> {
    match hash_of(vm).filter(|_| uses_cache(vm)) {
        Some(hash) => try_open(vm, hash, &[]),
        None => Ok(None),
    }
}

/// Code that counts is for this run alone, and where plain functions of the embedder are is known to this
/// process alone.
fn uses_cache(vm: &VM) -> bool {
    let has_functions = |unit: &Unit| !unit.plain_functions().is_empty();
    let jit = &vm.engine.jit;
    vm.engine.cache.is_some()
        && jit.mode != JitMode::Off
        && !jit.counts
        && !vm.link.unit().is_some_and(|unit| has_functions(unit))
}

/// The identity of the chunk that runs; `None` if it has none, as no file can hold it.
fn hash_of(vm: &VM) -> Option<ChunkHash> {
    match vm.link.unit() {
        Some(unit) => unit.hash(),
        None => chunk_hash(&vm.chunk).ok(),
    }
}

/// What is kept of the chunk that runs; `None` where the directory isn't fit for code.
fn open(vm: &VM, chunk: ChunkHash, globals: &[u16]) -> Option<Kept> {
    try_open(vm, chunk, globals).ok()?
}

fn try_open(vm: &VM, chunk: ChunkHash, globals: &[u16]) -> Result<Option<Kept>, Unfit> {
    let Some(root) = vm.engine.cache.clone() else {
        return Ok(None);
    };
    let identity = Identity {
        chunk,
        linked: vm.link.unit().is_some(),
        globals,
    };
    Kept::open(root, &identity, || fingerprint(&layout())).map(Some)
}
