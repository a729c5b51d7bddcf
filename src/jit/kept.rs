//! Compiled groups on their way to the cache and back: which facts address one, and what has to be
//! known of it beside its code. Files are the cache's business, compiling the compiler's.

use super::abi::Layout;
use super::cache::{Entry, EntryKey, Fingerprint, Scope, ScopeKey};
use super::compile::Compiled;
use super::features;
use super::memory::Executable;
use super::miss::CacheStats;
use crate::chunk::Chunk;
use crate::format::{self, ChunkHash};
use crate::op;
use rustc_hash::FxHashMap;
use std::path::PathBuf;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What the engine has to know of a group, as it stands behind its code. Its entries follow.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Tables {
    entry: U64,
    frame_bytes: U64,
    window_bytes: U64,
    calls: U64,
    inlined: U64,
    instructions: U64,
    inline: U64,
}

/// The native code of one chunk, as earlier processes left it and as this one adds to it.
pub(crate) struct Kept {
    scope: Scope,
    chunk: ChunkHash,
    /// By name index, which global a name is, where that isn't the index itself.
    globals: Box<[u16]>,
    /// What the packs have, all of it in one piece of memory, until it is asked for.
    placed: FxHashMap<EntryKey, Compiled>,
    fresh: Vec<(EntryKey, Entry)>,
}

impl Kept {
    /// Opens what the cache at `root` has of a chunk; `None` if the directory isn't fit for code, or
    /// the chunk has no identity, as no file can hold it.
    /// `globals` says which global a name is; empty where names are their globals.
    pub(crate) fn open(
        root: PathBuf,
        chunk: &Chunk,
        globals: &[u16],
        layout: &Layout,
    ) -> Option<Kept> {
        let chunk = format::chunk_hash(chunk).ok()?;
        let mut scope = Scope::open(root, fingerprint(layout), ScopeKey::of(&chunk.0)).ok()?;
        let placed = place(scope.take_all());
        Some(Kept {
            scope,
            chunk,
            globals: globals.into(),
            placed,
            fresh: Vec::new(),
        })
    }

    /// The code of a unit, if it was kept. `unit` is all that decides what it is compiled to, beside
    /// the chunk.
    pub(crate) fn take(&mut self, unit: &[u8]) -> Option<Compiled> {
        let key = self.key(unit);
        let found = self.placed.remove(&key);
        self.scope.count(found.is_some());
        found
    }

    /// The key of a unit: register code names globals by where they are in the VM.
    fn key(&self, unit: &[u8]) -> EntryKey {
        let globals = self.globals.as_bytes();
        EntryKey::of(&self.chunk.0, &[globals, unit].concat())
    }

    /// Whether earlier processes left anything that wasn't taken yet.
    pub(crate) fn has_more(&self) -> bool {
        !self.placed.is_empty()
    }

    /// Whether a unit is there to be taken.
    pub(crate) fn has(&self, unit: &[u8]) -> bool {
        let key = self.key(unit);
        self.placed.contains_key(&key)
    }

    /// Whether there is something to be written.
    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Adds a unit that was compiled now.
    pub(crate) fn add(&mut self, unit: &[u8], compiled: &Compiled) {
        let tables = Tables {
            entry: U64::new(compiled.entry as u64),
            frame_bytes: U64::new(compiled.frame_bytes as u64),
            window_bytes: U64::new(compiled.window_bytes as u64),
            calls: U64::new(u64::from(compiled.calls)),
            inlined: U64::new(compiled.inlined as u64),
            instructions: U64::new(compiled.instructions),
            inline: U64::new(compiled.inline),
        };
        let entries = compiled.entries.iter().map(|at| U32::new(*at));
        let entries: Vec<U32> = entries.collect();
        let tables = [tables.as_bytes(), entries.as_bytes()].concat();
        let entry = Entry::new(compiled.code.bytes(), &tables);
        self.fresh.push((self.key(unit), entry));
    }

    /// Writes what was added to the cache.
    pub(crate) fn flush(&mut self) {
        self.scope.publish(std::mem::take(&mut self.fresh));
    }

    /// What became of the questions.
    pub(crate) fn stats(&self) -> CacheStats {
        self.scope.stats()
    }
}

/// Places code where it can run, all in one mapping. What doesn't make sense is left out.
fn place(entries: Vec<(EntryKey, Entry)>) -> FxHashMap<EntryKey, Compiled> {
    let codes: Vec<&[u8]> = entries.iter().map(|(_, entry)| entry.code()).collect();
    let Some(placed) = Executable::several(&codes) else {
        return FxHashMap::default();
    };
    let compiled = |((key, entry), code): (&(EntryKey, Entry), Executable)| {
        let (tables, entries) = Tables::ref_from_prefix(entry.tables()).ok()?;
        let entries = <[U32]>::ref_from_bytes(entries).ok()?;
        let number = |field: &U64| usize::try_from(field.get()).ok();
        let compiled = Compiled {
            entry: number(&tables.entry).filter(|entry| *entry < code.bytes().len())?,
            entries: entries.iter().map(|at| at.get()).collect(),
            frame_bytes: number(&tables.frame_bytes)?,
            window_bytes: number(&tables.window_bytes)?,
            calls: tables.calls.get() != 0,
            inlined: number(&tables.inlined)?,
            instructions: tables.instructions.get(),
            inline: tables.inline.get(),
            code,
        };
        Some((*key, compiled))
    };
    entries.iter().zip(placed).filter_map(compiled).collect()
}

/// Who makes code in this process: the build, the code generator, the processor's features as the
/// compiler is told them, and where the engine keeps things.
fn fingerprint(layout: &Layout) -> Fingerprint {
    let features = format!("{:?}", features::usable());
    let layout = format!("{layout:?}");
    Fingerprint::of(&[
        ("build", env!("FUSEVM_BUILD").as_bytes()),
        ("code generator", cranelift_codegen::VERSION.as_bytes()),
        ("features", features.as_bytes()),
        ("layout", layout.as_bytes()),
        ("opset", &op::OPSET_LEVEL.to_le_bytes()),
    ])
}
