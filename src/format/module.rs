//! A module as it is read: opened by header and root alone, searched through its index.

use super::check::{self, CheckOptions, Report};
use super::error::{LoadError, Origin};
use super::index::{self, Walk};
use super::layout::{HEADER_LENGTH, Header, IndexEntry, Slot};
use super::loaded::LoadedChunk;
use super::meta::{self, Metadata};
use super::record::Record;
use super::root::{self, Root, RootRef};
use super::sizes::ModuleSizes;
use super::source::{OpenOptions, Piece, Source};
use super::{header, limits};
use crate::code::Code;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

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
        let origin = Origin {
            path: Some(path.as_ref().to_owned()),
            producer: None,
        };
        match Source::open(path.as_ref(), options) {
            Ok(source) => Module::of(source, origin),
            Err(error) => Err(error.with_origin(&origin)),
        }
    }

    /// Opens the module that these bytes begin with. An `Arc<[u8]>` is shared, anything else copied.
    ///
    /// # Errors
    /// When header or root are not those of a module.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Module, LoadError> {
        Module::of(Source::from_memory(bytes.into(), 0), Origin::default())
    }

    /// As [`from_bytes`](Self::from_bytes), of bytes that messages shall call by this name.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_named_bytes(
        bytes: impl Into<Arc<[u8]>>,
        name: impl AsRef<Path>,
    ) -> Result<Module, LoadError> {
        let origin = Origin {
            path: Some(name.as_ref().to_owned()),
            producer: None,
        };
        Module::of(Source::from_memory(bytes.into(), 0), origin)
    }

    fn of(mut source: Source, mut origin: Origin) -> Result<Module, LoadError> {
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
            index: OnceLock::new(),
        })))
    }

    /// The chunk of this name in the default name space.
    ///
    /// # Errors
    /// When there is none ([`Code::NoSuchChunk`], with the nearest name), or it can't be loaded.
    pub fn chunk(&self, name: &str) -> Result<LoadedChunk, LoadError> {
        match self.find("", name)? {
            Some(chunk) => Ok(chunk),
            None => Err(self.no_such_chunk(name)),
        }
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
        let node = self.0.index()?;
        let key = index::name_key(space, name);
        let found = index::find(&self.0.source, &node, key, |entry| {
            let record = self.0.record_at(entry)?;
            Ok((record.space() == space && record.name() == name).then_some(record))
        });
        found.map_err(|error| error.in_chunk(space, name).with_origin(&self.0.origin))
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

    #[cfg(test)]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    #[cold]
    fn no_such_chunk(&self, name: &str) -> LoadError {
        let error = LoadError::new(Code::NoSuchChunk)
            .in_chunk("", name)
            .with_origin(&self.0.origin);
        match self.nearest_name(name) {
            Some(nearest) => error.with_help(format_args!("did you mean \"{nearest}\"?")),
            None => error,
        }
    }

    /// A name of the default name space that `name` may be a misspelling of.
    fn nearest_name(&self, name: &str) -> Option<String> {
        let records = self.records().ok()?.take(SUGGEST_AMONG).flatten();
        let candidates = records.filter(|record| {
            record.space().is_empty() && record.name().len().max(name.len()) <= SUGGEST_UP_TO
        });
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

    /// All entries of the index.
    fn entries(&self) -> Result<Vec<IndexEntry>, LoadError> {
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
