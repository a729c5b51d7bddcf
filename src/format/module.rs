//! A module as it is read: opened by header and root alone, searched through its index.

use super::check::{self, CheckOptions, Report};
use super::error::{LoadError, Origin};
use super::index::{self, Walk};
use super::layout::{HEADER_LENGTH, Header, IndexEntry, Slot};
use super::loaded::LoadedChunk;
use super::meta::{self, Metadata};
use super::peek::peek;
use super::record::Record;
use super::root::{self, Root, RootRef};
use super::sizes::ModuleSizes;
use super::source::{OpenOptions, Piece, Source};
use super::{header, limits};
use crate::code::Code;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use zerocopy::IntoBytes;

/// How often a file is opened again that seems to be in the midst of a change.
const ATTEMPTS: usize = 64;

/// How many names an error message looks at to suggest one.
const SUGGEST_AMONG: usize = 4096;

/// The longest names that are compared for it, in bytes.
const SUGGEST_UP_TO: usize = 128;

/// A module: a file of chunks, opened for reading. Clones share it.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) source: Source,
    pub(crate) header: Header,
    pub(crate) slot: Slot,
    pub(crate) root: Root,
    pub(crate) origin: Arc<Origin>,
    /// How to open the file again, if it is one.
    reopen: Option<OpenOptions>,
    /// The index's root node, once it was needed.
    index: OnceLock<Piece>,
}

impl Module {
    /// Opens the module in a file. It reads header and root, and nothing else.
    ///
    /// # Errors
    /// When it is not a readable regular file, or header or root are not those of a module.
    pub fn open(path: impl AsRef<Path>) -> Result<Module, LoadError> {
        Module::open_with(path, &OpenOptions::new())
    }

    /// Opens a module that lies within a file, from `offset` on.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(path: impl AsRef<Path>, offset: u64) -> Result<Module, LoadError> {
        Module::open_with(path, &OpenOptions::new().offset(offset))
    }

    /// Opens the module in a file, with a choice of how its bytes are fetched and where it begins.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Module, LoadError> {
        let path = path.as_ref();
        let mut attempt = 1;
        loop {
            let opened = Module::open_once(path, options);
            match &opened {
                // Between a look at the file's length or at a slot and the next one a writer can have
                // changed both.
                Err(error)
                    if matches!(error.code(), Code::DamagedHeader | Code::Truncated)
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                    std::thread::yield_now();
                }
                _ => return opened,
            }
        }
    }

    fn open_once(path: &Path, options: &OpenOptions) -> Result<Module, LoadError> {
        let origin = Origin::of_path(path);
        match Source::open(path, options) {
            Ok(source) => Module::of(source, origin, Some(options.clone())),
            Err(error) => Err(error.with_origin(&origin)),
        }
    }

    /// Opens the module that these bytes begin with. An `Arc<[u8]>` is shared, anything else copied.
    ///
    /// # Errors
    /// When header or root are not those of a module.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Module, LoadError> {
        Module::of(
            Source::from_memory(bytes.into(), 0),
            Origin::default(),
            None,
        )
    }

    /// As [`from_bytes`](Self::from_bytes), of bytes that messages shall call by this name.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_named_bytes(
        bytes: impl Into<Arc<[u8]>>,
        name: impl AsRef<Path>,
    ) -> Result<Module, LoadError> {
        let origin = Origin::of_path(name.as_ref());
        Module::of(Source::from_memory(bytes.into(), 0), origin, None)
    }

    /// The module in a file that is about to be changed.
    pub(crate) fn of_storage(source: Source, place: &str) -> Result<Module, LoadError> {
        Module::of(source, Origin::of_path(Path::new(place)), None)
    }

    fn of(
        mut source: Source,
        mut origin: Origin,
        reopen: Option<OpenOptions>,
    ) -> Result<Module, LoadError> {
        let opened = header::read(&source, &mut origin).and_then(|(header, slot)| {
            let root = root::read(&source, &RootRef::of_slot(&slot))?;
            Ok((header, slot, root))
        });
        let (header, slot, root) = opened.map_err(|error| error.with_origin(&origin))?;
        source.truncate(slot.file_length.get());
        Ok(Module(Arc::new(Inner {
            source,
            header,
            slot,
            root,
            origin: Arc::new(origin),
            reopen,
            index: OnceLock::new(),
        })))
    }

    /// Opens the file again if it was changed or replaced since, and tells whether that was so. Chunks
    /// that were loaded, clones of this handle, and what runs stay as they are. A look at a file that
    /// wasn't changed costs a few microseconds; a module that was made of bytes never changes.
    ///
    /// # Errors
    /// When the file isn't there any more, or is no module: this handle is then as it was.
    pub fn reload_if_changed(&mut self) -> Result<bool, LoadError> {
        let (Some(path), Some(options)) = (self.path(), &self.0.reopen) else {
            return Ok(false);
        };
        let options = options.clone();
        let look = options.clone().strategy(super::source::Strategy::Read);
        let mut origin = Origin::of_path(path);
        let slot = Source::open(path, &look)
            .and_then(|source| header::read(&source, &mut origin))
            .map(|(_, slot)| slot);
        if slot.is_ok_and(|slot| slot.as_bytes() == self.0.slot.as_bytes()) {
            return Ok(false);
        }
        *self = Module::open_with(path, &options)?;
        Ok(true)
    }

    /// The chunk of this name in the default name space.
    ///
    /// # Errors
    /// When there is none ([`Code::NoSuchChunk`]; the nearest name is looked for when its help is asked
    /// for), or it can't be loaded.
    pub fn chunk(&self, name: &str) -> Result<LoadedChunk, LoadError> {
        let missing = || LoadError::missing(self.clone(), name);
        self.find("", name)?.ok_or_else(missing)
    }

    /// The chunk of this name, if there is one.
    ///
    /// # Errors
    /// When the index or the chunk's record is damaged or malformed, or the chunk isn't strict although
    /// it says so.
    pub fn find(&self, space: &str, name: &str) -> Result<Option<LoadedChunk>, LoadError> {
        self.record(space, name)?.map(Record::load).transpose()
    }

    /// The chunk of this name, if there is one and it has this key.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn get(
        &self,
        space: &str,
        name: &str,
        key: &[u8],
    ) -> Result<Option<LoadedChunk>, LoadError> {
        match self.record(space, name)? {
            Some(record) if record.key() == key => record.load().map(Some),
            _ => Ok(None),
        }
    }

    /// The record of the chunk of this name, if there is one; not decoded yet.
    ///
    /// # Errors
    /// When the index or the record is damaged.
    pub fn record(&self, space: &str, name: &str) -> Result<Option<Record>, LoadError> {
        let found = self.0.look_up(space, name, |entry| {
            let record = self.0.record_at(entry)?;
            Ok((record.space() == space && record.name() == name).then_some(record))
        });
        found.map_err(|error| error.in_chunk(space, name).with_origin(&self.0.origin))
    }

    /// The records of the chunks in a name space whose names begin with `prefix`, in the module's
    /// order. Of the others only the names are read.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn records_with_prefix(
        &self,
        space: &str,
        prefix: &str,
    ) -> Result<impl Iterator<Item = Result<Record, LoadError>>, LoadError> {
        let records = self.records()?;
        Ok(records
            .filter_names(move |its_space, name| its_space == space && name.starts_with(prefix)))
    }

    /// The records of all chunks, in the module's order.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn records(&self) -> Result<Records, LoadError> {
        let mut entries = self.0.entries()?;
        entries.sort_unstable_by_key(|entry| entry.offset.get());
        Ok(Records {
            module: self.clone(),
            entries: entries.into_iter(),
        })
    }

    /// The module's metadata.
    ///
    /// # Errors
    /// When its section is damaged or malformed.
    pub fn metadata(&self) -> Result<Metadata, LoadError> {
        self.0
            .metadata()
            .map_err(|error| error.with_origin(&self.0.origin))
    }

    /// Checks every byte of the module: seals, hashes, structure, and each chunk's code.
    pub fn check(&self, options: &CheckOptions) -> Report {
        check::run(&self.0, options)
    }

    /// How many chunks there are, as the root says.
    pub fn chunk_count(&self) -> u64 {
        self.0.root.head.chunk_count.get()
    }

    /// How many ops there are in all chunks, as the root says.
    pub fn op_count(&self) -> u64 {
        self.0.root.head.op_count.get()
    }

    /// The lowest level of the opset that has all ops of the module, as the root says.
    pub fn opset_level(&self) -> u16 {
        self.0.root.head.opset_level.get()
    }

    /// How many segments the file has.
    pub fn segment_count(&self) -> u32 {
        self.0.root.head.segment_number.get() + 1
    }

    /// How often the module was written or changed.
    pub fn generation(&self) -> u64 {
        self.0.slot.generation.get()
    }

    /// The bytes of the module, header and root included.
    pub fn file_length(&self) -> u64 {
        self.0.slot.file_length.get()
    }

    /// Where the module's bytes go.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn sizes(&self) -> Result<ModuleSizes, LoadError> {
        ModuleSizes::of(&self.0)
    }

    /// The hash of the root, and by that of the whole module, if it is undamaged.
    pub fn root_hash(&self) -> [u8; 32] {
        self.0.slot.root_hash
    }

    /// Major and minor version of the format.
    pub fn format_version(&self) -> (u16, u16) {
        let header = &self.0.header;
        (header.format_major.get(), header.format_minor.get())
    }

    /// Who wrote the file, if the header names it.
    pub fn producer(&self) -> Option<&str> {
        self.0.origin.producer.as_deref()
    }

    /// The file, if the module was opened from one.
    pub fn path(&self) -> Option<&Path> {
        self.0.origin.path.as_deref()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// A name of the default name space that `name` may be a misspelling of.
    pub(crate) fn nearest_name(&self, name: &str) -> Option<String> {
        let similar_length = |its_space: &str, its_name: &str| {
            its_space.is_empty() && its_name.len().max(name.len()) <= SUGGEST_UP_TO
        };
        let mut records = self.records().ok()?;
        records.truncate(SUGGEST_AMONG);
        let candidates = records.filter_names(similar_length).flatten();
        let rated = candidates.map(|record| {
            let candidate = record.name().to_owned();
            (
                strsim::normalized_damerau_levenshtein(name, &candidate),
                candidate,
            )
        });
        let (similarity, nearest) = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (similarity > 0.6).then_some(nearest)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path())
            .field("chunk_count", &self.chunk_count())
            .field("file_length", &self.file_length())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The root node of the index.
    pub(crate) fn index(&self) -> Result<Piece, LoadError> {
        if let Some(node) = self.index.get() {
            return Ok(node.clone());
        }
        let node = root::read_section(&self.source, &self.root.index)
            .map_err(|error| error.with_origin(&self.origin))?;
        Ok(self.index.get_or_init(|| node).clone())
    }

    /// Hands the entries that may be of this name to `probe`, until it answers. Where the index leads to
    /// several records, only those are probed whose names are the right ones as far as a peek tells: so
    /// no index can make a lookup read many long records.
    fn look_up<T>(
        &self,
        space: &str,
        name: &str,
        mut probe: impl FnMut(&IndexEntry) -> Result<Option<T>, LoadError>,
    ) -> Result<Option<T>, LoadError> {
        let node = self.index()?;
        let key = index::name_key(space, name);
        let mut buffer = Vec::new();
        index::find(&self.source, &node, key, |entry, is_only| {
            if !is_only {
                let peek = peek(
                    &self.source,
                    &record_range(entry, self.source.len())?,
                    &mut buffer,
                )?;
                if peek.space != space || peek.name != name {
                    return Ok(None);
                }
            }
            probe(entry)
        })
    }

    /// The entry of this name and its record's opset level, if there is one.
    pub(crate) fn entry(
        &self,
        space: &str,
        name: &str,
    ) -> Result<Option<(IndexEntry, u16)>, LoadError> {
        let mut buffer = Vec::new();
        self.look_up(space, name, |entry| {
            let peek = peek(
                &self.source,
                &record_range(entry, self.source.len())?,
                &mut buffer,
            )?;
            let is_it = peek.space == space && peek.name == name;
            Ok(is_it.then_some((*entry, peek.opset_level)))
        })
    }

    /// All entries of the index.
    pub(crate) fn entries(&self) -> Result<Vec<IndexEntry>, LoadError> {
        let node = self.index()?;
        Ok(self.walk(&node)?.entries)
    }

    /// A walk over the whole index, whose root node this is.
    pub(crate) fn walk(&self, node: &[u8]) -> Result<Walk<'_>, LoadError> {
        let offset = self.root.index.offset.get();
        let mut walk = Walk::run(&self.source, node, offset, 1);
        match walk.errors.pop() {
            Some(error) => Err(error.with_origin(&self.origin)),
            None => Ok(walk),
        }
    }

    pub(crate) fn metadata(&self) -> Result<Metadata, LoadError> {
        let Some(section) = &self.root.meta else {
            return Ok(Metadata::new());
        };
        let bytes = root::read_section(&self.source, section)?;
        meta::decode(&bytes).map_err(|error| error.relative_to(section.offset.get()))
    }

    fn record_at(&self, entry: &IndexEntry) -> Result<Record, LoadError> {
        let range = record_range(entry, self.source.len())?;
        let offset = range.start;
        Record::new(self.source.fetch(range)?, offset, &self.origin)
    }
}

/// Where an entry's record lies in a file of this length.
pub(crate) fn record_range(entry: &IndexEntry, end: u64) -> Result<Range<u64>, LoadError> {
    let start = entry.offset.get();
    let length = entry.length.get();
    if length > limits::RECORD_BYTES {
        let limit = u64::from(limits::RECORD_BYTES);
        return Err(LoadError::over_limit("bytes of a record", length.into(), limit).at(start));
    }
    match start.checked_add(u64::from(length)) {
        Some(record_end) if start >= HEADER_LENGTH as u64 && record_end <= end => {
            Ok(start..record_end)
        }
        _ => Err(LoadError::new(Code::DamagedIndex)
            .with_found("a record outside of the file")
            .with_expected("one within")
            .at(start)),
    }
}

/// The records of a module, in its order.
#[derive(Debug)]
pub struct Records {
    module: Module,
    entries: std::vec::IntoIter<IndexEntry>,
}

impl Records {
    /// Only the records whose name space and name `keep` accepts. Of the others nothing more is read.
    pub fn filter_names(
        self,
        mut keep: impl FnMut(&str, &str) -> bool,
    ) -> impl Iterator<Item = Result<Record, LoadError>> {
        let Records { module, entries } = self;
        let mut buffer = Vec::new();
        entries.filter_map(move |entry| {
            let inner = &module.0;
            let peeked = record_range(&entry, inner.source.len())
                .and_then(|range| peek(&inner.source, &range, &mut buffer));
            let record = match peeked {
                Ok(peek) if !keep(&peek.space, &peek.name) => return None,
                Ok(_) => inner.record_at(&entry),
                Err(error) => Err(error),
            };
            Some(record.map_err(|error| error.with_origin(&inner.origin)))
        })
    }

    /// Forgets all but the first `count`.
    fn truncate(&mut self, count: usize) {
        let entries: Vec<_> = self.entries.by_ref().take(count).collect();
        self.entries = entries.into_iter();
    }
}

impl Iterator for Records {
    type Item = Result<Record, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        let inner = &self.module.0;
        let record = inner.record_at(&entry);
        Some(record.map_err(|error| error.with_origin(&inner.origin)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Records {}
