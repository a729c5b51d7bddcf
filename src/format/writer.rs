//! Writes a module, chunk by chunk, in canonical form. Of a chunk that was added only its index
//! entry and the hash of its name stay in memory.

use super::error::WriteError;
use super::hash::ChunkHash;
use super::layout::{HEADER_LENGTH, IndexEntry, PRODUCER_LENGTH, RootHead, SECTION_INDEX, Section};
use super::loaded::LoadedChunk;
use super::meta::Metadata;
use super::new_file::NewFile;
use super::record::{self, Entry, Record};
use super::segment::Segment;
use super::storage::Storage;
use super::{header, index, limits};
use crate::chunk::Chunk;
use crate::code::Code;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
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
    segment: Segment<W>,
    /// Where the header begins in the output.
    base: u64,
    metadata: Metadata,
    entries: Vec<IndexEntry>,
    /// Half of each name's hash: that two names share it doesn't happen.
    names: HashSet<[u8; 16]>,
    op_count: u64,
    opset_level: u16,
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
            segment: Segment::new(out, HEADER_LENGTH as u64),
            base,
            metadata: Metadata::new(),
            entries: Vec::new(),
            names: HashSet::new(),
            op_count: 0,
            opset_level: 1,
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

    /// Adds a chunk of another module, byte for byte as it stands there, without decoding it.
    ///
    /// # Errors
    /// When there is a chunk of that name already, the record doesn't say how many ops it has, or the
    /// output can't be written.
    pub fn add_record(&mut self, record: &Record) -> Result<(), WriteError> {
        let row = RecordRow {
            space: record.space(),
            name: record.name(),
            op_count: record.op_count()?,
            opset_level: record.parts().opset_level,
        };
        let appended = self.append(&row, record.bytes());
        appended.map_err(|error| error.about(format_args!("chunk \"{}\"", record.name())))
    }

    /// Writes index, root and header, and gives the output back, positioned behind the module. A
    /// [created](ModuleWriter::create) file gets its name now.
    ///
    /// # Errors
    /// When the output can't be written, or the metadata is too large.
    pub fn finish(self) -> Result<W, WriteError> {
        self.finish_with_hash().map(|(out, _)| out)
    }

    /// As [`finish`](Self::finish), with the module's root hash beside the output.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_with_hash(mut self) -> Result<(W, [u8; 32]), WriteError> {
        let completed = self.complete();
        let published =
            completed.and_then(|hash| Ok(((self.publish)(&mut self.segment.out)?, hash)));
        match published {
            Ok(((), hash)) => Ok((self.segment.out, hash)),
            Err(error) => Err(self.segment.at_place(error)),
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
        let offset = self.segment.put(record)?;
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

    /// Writes everything but the records, leaves the output behind the module, and gives the root
    /// hash.
    fn complete(&mut self) -> Result<[u8; 32], WriteError> {
        let meta = self.segment.put_metadata(&self.metadata)?;
        let mut entries = std::mem::take(&mut self.entries);
        let node = index::build(&mut entries, &mut |node| self.segment.put(node))?;
        let index = self.segment.put_section(SECTION_INDEX, &node)?;
        let sections: Vec<Section> = std::iter::once(index).chain(meta).collect();

        let mut head = RootHead::new_zeroed();
        head.opset_level.set(self.opset_level);
        head.chunk_count.set(entries.len() as u64);
        head.op_count.set(self.op_count);
        let mut slot = self.segment.put_root(head, &sections)?;
        slot.generation.set(1);

        let end = self.base + self.segment.position();
        let out = &mut self.segment.out;
        out.seek(SeekFrom::Start(self.base))?;
        out.write_all(&header::encode(&self.producer, &slot))?;
        out.seek(SeekFrom::Start(end))?;
        out.flush()?;
        Ok(slot.root_hash)
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
        NewFile::beside(path)
            .and_then(|file| ModuleWriter::publishing(file, path.display().to_string()))
            .map_err(|error| error.about(path.display()))
    }

    /// As [`create`](Self::create), in a storage of the caller's.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(
        storage: Arc<dyn Storage>,
        name: impl AsRef<OsStr>,
    ) -> Result<ModuleWriter<NewFile>, WriteError> {
        let name = name.as_ref();
        NewFile::in_storage(storage, name)
            .and_then(|file| ModuleWriter::publishing(file, name.display().to_string()))
            .map_err(|error| error.about(name.display()))
    }

    fn publishing(file: NewFile, place: String) -> Result<ModuleWriter<NewFile>, WriteError> {
        let mut writer = ModuleWriter::new(file)?;
        writer.segment.place = Some(place);
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
