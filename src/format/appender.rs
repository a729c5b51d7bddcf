//! Changes a module in place: what is new becomes a segment at the end of the file, and the header's
//! other slot names it. What was published before is never written again.

use super::error::WriteError;
use super::graft::{self, Change};
use super::hash::ChunkHash;
use super::layout::{IndexEntry, RootHead, SEALED_HEADER, SECTION_INDEX, Section, Slot};
use super::loaded::LoadedChunk;
use super::meta::Metadata;
use super::module::Module;
use super::new_file::Buffered;
use super::peek::peek;
use super::record::{self, Entry, Record};
use super::segment::Segment;
use super::source::Source;
use super::storage::{Folder, Lock, Storage, StoredFile};
use super::writer::ModuleWriter;
use super::{index, limits};
use crate::chunk::Chunk;
use crate::code::Code;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zerocopy::{FromZeros, IntoBytes};

/// How long a writer waits for others, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a module is changed.
#[derive(Debug, Clone)]
pub struct AppendOptions {
    pub(crate) sync: bool,
    pub(crate) create: bool,
    pub(crate) wait: Duration,
}

impl Default for AppendOptions {
    fn default() -> AppendOptions {
        AppendOptions {
            sync: true,
            create: false,
            wait: PATIENCE,
        }
    }
}

impl AppendOptions {
    /// The defaults: with syncs, of a module that is there, waiting ten seconds for other writers.
    pub fn new() -> AppendOptions {
        AppendOptions::default()
    }

    /// Whether the change is synced to disk. Without that it takes a fraction of the time, and
    /// nothing is lost when this process dies; but a crash of the machine can cost the whole module,
    /// which then says so when it is opened. Fit for caches that can be made again.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> AppendOptions {
        self.sync = sync;
        self
    }

    /// Whether an empty module is made first if there is none.
    #[must_use]
    pub fn create(mut self, create: bool) -> AppendOptions {
        self.create = create;
        self
    }

    /// How long to wait for other writers.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> AppendOptions {
        self.wait = wait;
        self
    }
}

/// Puts chunks into a module that is there, and takes some out: all at once, when it is
/// [finished](Self::finish), or not at all. Readers go on meanwhile; other writers wait.
///
/// ```
/// use fusevm::format::{AppendOptions, Entry, Module, ModuleAppender};
/// use fusevm::{ChunkBuilder, Op};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("lib.fvbc");
///
/// let mut b = ChunkBuilder::new();
/// b.emit(Op::LoadInt(42), 1);
/// let mut appender = ModuleAppender::open(&path, &AppendOptions::new().create(true))?;
/// appender.put(&Entry::named("answer"), &b.build())?;
/// appender.finish()?;
///
/// assert_eq!(Module::open(&path)?.chunk("answer")?.ops(), [Op::LoadInt(42)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ModuleAppender {
    /// As it was when this began.
    module: Module,
    segment: Segment<Buffered>,
    file: Arc<dyn StoredFile>,
    metadata: Option<Metadata>,
    /// What becomes of names, by half of their hash: that two share it doesn't happen.
    changes: HashMap<[u8; 16], Pending>,
    sync: bool,
    _lock: Lock,
}

/// What becomes of a name.
#[derive(Debug)]
struct Pending {
    change: Change,
    /// The opset levels of the entries that go and come; 0 of none.
    old_level: u16,
    new_level: u16,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Bytes that were written, the slot included; 0 if there was nothing to change.
    pub bytes: u64,
    /// The module's generation.
    pub generation: u64,
    /// How many segments it has.
    pub segments: u32,
}

impl ModuleAppender {
    /// Begins to change the module in this file, as soon as no other writer does.
    ///
    /// # Errors
    /// When the file can't be opened for writing, is no module, or other writers take too long.
    pub fn open(
        path: impl AsRef<Path>,
        options: &AppendOptions,
    ) -> Result<ModuleAppender, WriteError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let folder = if options.create {
            Folder::of(path)
        } else {
            Folder::of_existing(path)
        };
        folder
            .map_err(WriteError::from)
            .and_then(|(folder, name)| {
                ModuleAppender::open_as(&(Arc::new(folder) as _), &name, &place, options)
            })
            .map_err(|error| error.about(place))
    }

    /// As [`open`](Self::open), in a storage of the caller's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in(
        storage: &Arc<dyn Storage>,
        name: impl AsRef<OsStr>,
        options: &AppendOptions,
    ) -> Result<ModuleAppender, WriteError> {
        let name = name.as_ref();
        let place = name.display().to_string();
        ModuleAppender::open_as(storage, name, &place, options).map_err(|error| error.about(place))
    }

    fn open_as(
        storage: &Arc<dyn Storage>,
        name: &OsStr,
        place: &str,
        options: &AppendOptions,
    ) -> Result<ModuleAppender, WriteError> {
        let lock = storage.lock(name, options.wait)?;
        let file = match storage.open(name) {
            Err(error) if options.create && error.kind() == io::ErrorKind::NotFound => {
                ModuleWriter::create_in(Arc::clone(storage), name)?.finish()?;
                storage.open(name)
            }
            opened => opened,
        }?;
        let module = Module::of_storage(Source::stored(Arc::clone(&file))?, place)?;
        let end = module.file_length();
        let mut segment = Segment::new(Buffered::new(Arc::clone(&file), end), end);
        segment.place = Some(place.to_owned());
        Ok(ModuleAppender {
            module,
            segment,
            file,
            metadata: None,
            changes: HashMap::new(),
            sync: options.sync,
            _lock: lock,
        })
    }

    /// The module as it was when the change began.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Sets a key of the module's metadata, or takes it away.
    ///
    /// # Errors
    /// When the metadata that are there can't be read.
    pub fn metadata(
        &mut self,
        key: impl Into<String>,
        value: Option<Vec<u8>>,
    ) -> Result<(), WriteError> {
        let metadata = match &mut self.metadata {
            Some(metadata) => metadata,
            None => self.metadata.insert(self.module.metadata()?),
        };
        match value {
            Some(value) => metadata.insert(key.into(), value),
            None => metadata.remove(&key.into()),
        };
        Ok(())
    }

    /// Puts a chunk into the module, in place of the one of that name, and gives its hash.
    ///
    /// # Errors
    /// When the chunk exceeds a limit of the format, what is there is damaged, or the file can't be
    /// written.
    pub fn put(&mut self, entry: &Entry, chunk: &Chunk) -> Result<ChunkHash, WriteError> {
        let about = |error: WriteError| error.about(format_args!("chunk \"{}\"", entry.name));
        let record = record::encode(entry, chunk).map_err(about)?;
        let level = record.opset_level;
        self.append(
            &entry.space,
            &entry.name,
            &record.bytes,
            level,
            chunk.ops.len(),
        )
        .map_err(about)?;
        Ok(record.hash)
    }

    /// Puts a chunk of another module into this one, byte for byte as it stands there, in place of the
    /// one of that name.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), WriteError> {
        self.put_record(chunk.record())
    }

    /// As [`put_loaded`](Self::put_loaded), of a chunk that isn't decoded.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_record(&mut self, record: &Record) -> Result<(), WriteError> {
        let ops = record.op_count()?;
        let level = record.parts().opset_level;
        self.append(record.space(), record.name(), record.bytes(), level, ops)
            .map_err(|error| error.about(format_args!("chunk \"{}\"", record.name())))
    }

    /// Takes a chunk out of the module, and tells whether there was one of that name.
    ///
    /// # Errors
    /// When the index is damaged there.
    pub fn remove(&mut self, space: &str, name: &str) -> Result<bool, WriteError> {
        let pending = self.pending(space, name)?;
        let was_there = pending.change.new.is_some();
        pending.change.new = None;
        pending.new_level = 0;
        Ok(was_there)
    }

    fn append(
        &mut self,
        space: &str,
        name: &str,
        record: &[u8],
        opset_level: u16,
        op_count: usize,
    ) -> Result<(), WriteError> {
        self.pending(space, name)?;
        let offset = self.segment.put(record)?;
        let pending = self.pending(space, name)?;
        pending.change.new = Some(IndexEntry {
            name_key: pending.change.name_key.into(),
            offset: offset.into(),
            length: (record.len() as u32).into(),
            op_count: (op_count as u32).into(),
        });
        pending.new_level = opset_level;
        Ok(())
    }

    /// What becomes of the name; nothing, if nothing was said.
    fn pending(&mut self, space: &str, name: &str) -> Result<&mut Pending, WriteError> {
        let hash = index::name_hash(space, name);
        let half = *hash.first_chunk().expect("a hash has 32 bytes");
        if !self.changes.contains_key(&half) {
            let found = self.module.inner().entry(space, name)?;
            let old = found.map(|(entry, _)| entry);
            let level = found.map_or(0, |(_, level)| level);
            let change = Change {
                name_key: index::name_key(space, name),
                old,
                new: old,
            };
            let pending = Pending {
                change,
                old_level: level,
                new_level: level,
            };
            self.changes.insert(half, pending);
        }
        Ok(self.changes.get_mut(&half).expect("it was put there above"))
    }

    /// Publishes what was changed, if anything was. Behind an error the module is as it was, unless
    /// it is the very last step that failed: then it may be either.
    ///
    /// # Errors
    /// When the file can't be written, a limit of the format is reached, or the index is damaged.
    pub fn finish(mut self) -> Result<Appended, WriteError> {
        let finished = self.publish();
        finished.map_err(|error| self.segment.at_place(error))
    }

    fn publish(&mut self) -> Result<Appended, WriteError> {
        let begun = self.module.file_length();
        let inner = self.module.inner();
        let (old, old_head) = (inner.slot, inner.root.head);
        self.changes
            .retain(|_, pending| pending.change.old != pending.change.new);
        let metadata = self.metadata.take();
        let metadata = match metadata {
            Some(changed) if changed != self.module.metadata()? => Some(changed),
            Some(_) | None => None,
        };
        if self.changes.is_empty() && metadata.is_none() {
            return Ok(Appended {
                bytes: 0,
                generation: old.generation.get(),
                segments: self.module.segment_count(),
            });
        }
        let mut head = self.next_head()?;
        let meta = match metadata {
            Some(metadata) => self.segment.put_metadata(&metadata)?,
            None => self.module.inner().root.meta,
        };
        let index = self.put_index()?;
        let sections: Vec<Section> = std::iter::once(index).chain(meta).collect();
        head.previous_root_offset = old.root_offset;
        head.previous_root_length = old.root_length;
        head.previous_root_hash = old.root_hash;
        head.segment_number.set(old_head.segment_number.get() + 1);
        let mut slot = self.segment.put_root(head, &sections)?;
        let generation = old.generation.get().checked_add(1);
        let generation = generation
            .ok_or_else(|| WriteError::new(Code::OverLimit, "the last generation there can be"))?;
        slot.generation.set(generation);
        self.segment.out.flush()?;
        self.flip(&slot)?;
        Ok(Appended {
            bytes: slot.file_length.get() - begun + size_of::<Slot>() as u64,
            generation,
            segments: head.segment_number.get() + 1,
        })
    }

    /// The new root's counts.
    fn next_head(&self) -> Result<RootHead, WriteError> {
        let old = &self.module.inner().root.head;
        if old.segment_number.get() + 1 >= limits::SEGMENTS {
            let message = "the file has as many segments as it may: compact it";
            return Err(WriteError::new(Code::OverLimit, message));
        }
        let (mut chunks, mut ops) = (old.chunk_count.get(), old.op_count.get());
        let wrong = || WriteError::new(Code::BadStructure, "the root counts too few chunks or ops");
        for pending in self.changes.values() {
            if let Some(entry) = pending.change.old {
                chunks = chunks.checked_sub(1).ok_or_else(wrong)?;
                ops = ops
                    .checked_sub(entry.op_count.get().into())
                    .ok_or_else(wrong)?;
            }
            if let Some(entry) = pending.change.new {
                chunks += 1;
                ops = ops
                    .checked_add(entry.op_count.get().into())
                    .ok_or_else(wrong)?;
            }
        }
        if chunks > limits::CHUNKS {
            let limit = limits::CHUNKS as usize;
            return Err(WriteError::over_limit("chunks", chunks as usize, limit));
        }
        let mut head = RootHead::new_zeroed();
        head.opset_level.set(self.next_level()?);
        head.chunk_count.set(chunks);
        head.op_count.set(ops);
        Ok(head)
    }

    /// The highest level of the opset that a record has. All are looked at only if one goes that alone
    /// may have had it.
    fn next_level(&self) -> Result<u16, WriteError> {
        let inner = self.module.inner();
        let old = inner.root.head.opset_level.get();
        let changed = self.changes.values();
        let new = changed.clone().map(|pending| pending.new_level).max();
        let new = new.unwrap_or(1).max(1);
        let highest_goes = old > 1 && changed.clone().any(|pending| pending.old_level >= old);
        if new >= old || !highest_goes {
            return Ok(new.max(old));
        }
        let gone: HashSet<u64> = changed
            .filter_map(|pending| pending.change.old)
            .map(|entry| entry.offset.get())
            .collect();
        let mut buffer = Vec::new();
        let mut level = new;
        for entry in inner.entries()? {
            if !gone.contains(&entry.offset.get()) {
                let range = super::module::record_range(&entry, inner.source.len())?;
                level = level.max(peek(&inner.source, &range, &mut buffer)?.opset_level);
            }
        }
        Ok(level)
    }

    fn put_index(&mut self) -> Result<Section, WriteError> {
        let inner = self.module.inner();
        let mut changes: Vec<Change> = self
            .changes
            .values()
            .map(|pending| pending.change)
            .collect();
        let root = inner.index()?;
        let node = graft::graft(&inner.source, &root, &mut changes, &mut |node| {
            self.segment.put(node)
        })?;
        self.segment.put_section(SECTION_INDEX, &node)
    }

    /// Makes the segment durable, then names it in the slot that isn't in use.
    fn flip(&self, slot: &Slot) -> Result<(), WriteError> {
        if self.sync {
            self.file.sync()?;
        }
        let inner = self.module.inner();
        let header = inner.header.as_bytes();
        let mut slot = *slot;
        slot.seal.set(slot.seal_in(&header[..SEALED_HEADER]));
        let first = SEALED_HEADER as u64;
        let second = first + size_of::<Slot>() as u64;
        let in_use = inner.header.slots[0].as_bytes() == inner.slot.as_bytes();
        self.file
            .write_at(if in_use { second } else { first }, slot.as_bytes())?;
        if self.sync {
            self.file.sync()?;
        }
        Ok(())
    }
}
