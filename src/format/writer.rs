//! Writes a module, chunk by chunk, in canonical form. Of a chunk that was added only its index
//! entry and the hash of its name stay in memory.

use super::error::WriteError;
use super::hash::ChunkHash;
use super::layout::{
    HEADER_LENGTH, IndexEntry, PRODUCER_LENGTH, ROOT_MAGIC, RootHead, SECTION_INDEX, SECTION_META,
    Section, Slot, seal_of,
};
use super::loaded::LoadedChunk;
use super::meta::{self, Metadata};
use super::new_file::NewFile;
use super::record::{self, Entry};
use super::{header, index, limits, root};
use crate::chunk::Chunk;
use crate::code::Code;
use std::collections::HashSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use zerocopy::FromZeros;

/// What this crate writes into the header.
const PRODUCER: &str = concat!("fusevm ", env!("CARGO_PKG_VERSION"));
const _: () = assert!(PRODUCER.len() <= PRODUCER_LENGTH);

/// Writes a module of chunks.
///
/// ```
/// use fusevm::format::{Entry, Module, ModuleWriter};
/// use fusevm::{ChunkBuilder, Op};
/// use std::io::Cursor;
///
/// let mut b = ChunkBuilder::new();
/// b.emit(Op::LoadInt(42), 1);
/// let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
/// writer.add(&Entry::named("answer"), &b.build())?;
/// let bytes = writer.finish()?.into_inner();
///
/// let module = Module::from_bytes(bytes)?;
/// assert_eq!(module.chunk("answer")?.ops(), [Op::LoadInt(42)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ModuleWriter<W: Write + Seek> {
    out: W,
    /// Where the header begins in `out`.
    base: u64,
    /// Where the next byte goes, counted from the header.
    at: u64,
    segment_hash: blake3::Hasher,
    metadata: Metadata,
    entries: Vec<IndexEntry>,
    /// Half of each name's hash: that two names share it doesn't happen.
    names: HashSet<[u8; 16]>,
    op_count: u64,
    opset_level: u16,
    /// Whether an output error left half of something behind.
    broken: bool,
    /// What errors of the output are about, if it has a name.
    place: Option<String>,
    /// Who wrote the module, for its header.
    producer: String,
    /// What is done with the output when the module is complete.
    publish: fn(&mut W) -> io::Result<()>,
}

impl<W: Write + Seek> ModuleWriter<W> {
    /// Begins a module at the present position of `out`.
    ///
    /// # Errors
    /// When `out` can't be written. Half a module is none: until [`finish`](Self::finish) the header is
    /// all zeros.
    pub fn new(mut out: W) -> Result<ModuleWriter<W>, WriteError> {
        let base = out.stream_position()?;
        out.write_all(&[0; HEADER_LENGTH])?;
        Ok(ModuleWriter {
            out,
            base,
            at: HEADER_LENGTH as u64,
            segment_hash: blake3::Hasher::new(),
            metadata: Metadata::new(),
            entries: Vec::new(),
            names: HashSet::new(),
            op_count: 0,
            opset_level: 1,
            broken: false,
            place: None,
            producer: PRODUCER.to_owned(),
            publish: |_| Ok(()),
        })
    }

    /// Sets a key of the module's metadata, in place of what it was before.
    pub fn metadata(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.metadata.insert(key.into(), value.into());
    }

    /// Names who wrote the module, in place of this crate and its version. Readers show it with their
    /// errors and nothing else.
    ///
    /// # Errors
    /// When it has more than 48 bytes, or a zero byte.
    pub fn producer(&mut self, producer: impl Into<String>) -> Result<(), WriteError> {
        let producer = producer.into();
        if producer.len() > PRODUCER_LENGTH {
            let (what, limit) = ("bytes of a producer", PRODUCER_LENGTH);
            return Err(WriteError::over_limit(what, producer.len(), limit));
        }
        if producer.contains('\0') {
            let message = "the producer has a zero byte, which ends it";
            return Err(WriteError::new(Code::BadStructure, message));
        }
        self.producer = producer;
        Ok(())
    }

    /// Adds a chunk, and gives its hash. It is verified, and stands in the file as strict or loose by
    /// that.
    ///
    /// # Errors
    /// When there is a chunk of that name already, when the chunk exceeds a limit of the format, or
    /// when the output can't be written. After the first two the module is as it was before.
    pub fn add(&mut self, entry: &Entry, chunk: &Chunk) -> Result<ChunkHash, WriteError> {
        let about = |error: WriteError| error.about(format_args!("chunk \"{}\"", entry.name));
        let record = record::encode(entry, chunk).map_err(about)?;
        let row = RecordRow {
            space: &entry.space,
            name: &entry.name,
            op_count: chunk.ops.len(),
            opset_level: record.opset_level,
        };
        self.append(&row, &record.bytes).map_err(about)?;
        Ok(record.hash)
    }

    /// Adds a chunk of another module, byte for byte as it stands there.
    ///
    /// # Errors
    /// When there is a chunk of that name already, or the output can't be written.
    pub fn add_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), WriteError> {
        let row = RecordRow {
            space: chunk.space(),
            name: chunk.name(),
            op_count: chunk.ops().len(),
            opset_level: chunk.record().parts().opset_level,
        };
        let appended = self.append(&row, chunk.record().bytes());
        appended.map_err(|error| error.about(format_args!("chunk \"{}\"", chunk.name())))
    }

    /// Writes index, root and header, and gives the output back, positioned behind the module. A
    /// [created](ModuleWriter::create) file gets its name now.
    ///
    /// # Errors
    /// When the output can't be written, or the metadata is too large.
    pub fn finish(mut self) -> Result<W, WriteError> {
        let completed = self.complete();
        let published = completed.and_then(|()| Ok((self.publish)(&mut self.out)?));
        match published {
            Ok(()) => Ok(self.out),
            Err(error) => Err(self.at_place(error)),
        }
    }

    /// Names the output as what the error is about.
    fn at_place(&self, error: WriteError) -> WriteError {
        match &self.place {
            Some(place) => error.about(place),
            None => error,
        }
    }

    fn append(&mut self, row: &RecordRow<'_>, record: &[u8]) -> Result<(), WriteError> {
        if self.entries.len() as u64 == limits::CHUNKS {
            let count = self.entries.len();
            return Err(WriteError::over_limit("chunks", count + 1, count));
        }
        let hash = index::name_hash(row.space, row.name);
        let half = *hash.first_chunk().expect("a hash has 32 bytes");
        if self.names.contains(&half) {
            return Err(WriteError::new(
                Code::DuplicateChunk,
                format_args!("the module has a chunk \"{}\" already", row.name),
            ));
        }
        let offset = self.put(record)?;
        self.names.insert(half);
        self.entries.push(IndexEntry {
            name_key: index::name_key(row.space, row.name).into(),
            offset: offset.into(),
            length: (record.len() as u32).into(),
            op_count: (row.op_count as u32).into(),
        });
        self.op_count += row.op_count as u64;
        self.opset_level = self.opset_level.max(row.opset_level);
        Ok(())
    }

    /// Appends bytes to the segment and gives their offset.
    fn put(&mut self, bytes: &[u8]) -> Result<u64, WriteError> {
        let offset = self.at;
        if offset + bytes.len() as u64 > limits::FILE_BYTES {
            let limit = limits::FILE_BYTES as usize;
            return Err(WriteError::over_limit("bytes of a file", limit + 1, limit));
        }
        if self.broken {
            let message = "an earlier write failed";
            return Err(WriteError::new(Code::CantWrite, message));
        }
        self.broken = true;
        let written = self.out.write_all(bytes);
        written.map_err(|error| self.at_place(error.into()))?;
        self.broken = false;
        self.segment_hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(offset)
    }

    /// Writes everything but the records, and leaves the output behind the module.
    fn complete(&mut self) -> Result<(), WriteError> {
        let mut sections = Vec::new();
        if !self.metadata.is_empty() {
            let meta = meta::encode(&self.metadata);
            if meta.len() as u64 > limits::META_BYTES {
                let limit = limits::META_BYTES as usize;
                return Err(WriteError::over_limit(
                    "bytes of metadata",
                    meta.len(),
                    limit,
                ));
            }
            sections.push(self.put_section(SECTION_META, &meta)?);
        }
        let mut entries = std::mem::take(&mut self.entries);
        let node = index::build(&mut entries, &mut |node| self.put(node))?;
        sections.insert(0, self.put_section(SECTION_INDEX, &node)?);

        let mut head = RootHead::new_zeroed();
        head.magic = ROOT_MAGIC;
        head.section_count.set(sections.len() as u32);
        head.segment_offset.set(HEADER_LENGTH as u64);
        head.opset_level.set(self.opset_level);
        head.chunk_count.set(entries.len() as u64);
        head.op_count.set(self.op_count);
        head.segment_hash = self.segment_hash.finalize().into();
        let root = root::encode(&head, &sections);
        let root_offset = self.put(&root)?;

        let mut slot = Slot::empty();
        slot.generation.set(1);
        slot.root_offset.set(root_offset);
        slot.root_length.set(root.len() as u32);
        slot.file_length.set(self.at);
        slot.root_hash = blake3::hash(&root).into();
        self.out.seek(SeekFrom::Start(self.base))?;
        self.out.write_all(&header::encode(&self.producer, &slot))?;
        self.out.seek(SeekFrom::Start(self.base + self.at))?;
        self.out.flush()?;
        Ok(())
    }

    fn put_section(&mut self, id: u32, bytes: &[u8]) -> Result<Section, WriteError> {
        let mut section = Section::new_zeroed();
        section.id.set(id);
        section.offset.set(self.put(bytes)?);
        section.length.set(bytes.len() as u64);
        section.seal.set(seal_of(bytes));
        Ok(section)
    }
}

impl ModuleWriter<NewFile> {
    /// Begins a module that is to appear at `path`, in place of the file that may be there. It grows
    /// in a temporary file beside it, of which nothing is left unless [`finish`](Self::finish)
    /// succeeds.
    ///
    /// # Errors
    /// When there is something at `path` that isn't a regular file, or no file can be made beside it.
    pub fn create(path: impl AsRef<Path>) -> Result<ModuleWriter<NewFile>, WriteError> {
        let path = path.as_ref();
        let mut writer = NewFile::beside(path)
            .and_then(ModuleWriter::new)
            .map_err(|error| error.about(path.display()))?;
        writer.place = Some(path.display().to_string());
        writer.publish = NewFile::publish;
        Ok(writer)
    }
}

/// What the index and the root tell of a record.
struct RecordRow<'a> {
    space: &'a str,
    name: &'a str,
    op_count: usize,
    opset_level: u16,
}
