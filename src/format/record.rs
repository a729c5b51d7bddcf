//! A chunk's record (2.1): its head, the names around the body, and the seal over all of it.

use super::body;
use super::cursor::{Cursor, Span, check_utf8};
use super::error::{LoadError, Origin, WriteError};
use super::hash::ChunkHash;
use super::layout::{HAS_LINK, Link, RecordHead};
use super::limits;
use super::lines::{self, Runs};
use super::loaded::LoadedChunk;
use super::seal::seal_of;
use super::source::Piece;
use crate::chunk::Chunk;
use crate::code::Code;
use crate::op;
use crate::verify::Verifier;
use std::path::Path;
use std::sync::Arc;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// How a chunk stands in a module: its names, and what it was made from.
///
/// ```
/// use fusevm::format::Entry;
///
/// let entry = Entry::named("compinit").in_space("zsh").with_key(b"5.9");
/// assert_eq!(entry.name, "compinit");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name space; empty for the default one.
    pub space: String,
    /// The name, unique in its name space.
    pub name: String,
    /// Whatever must be equal for the chunk to be of use to its frontend: compared, never read.
    pub key: Vec<u8>,
    /// The text that the chunk was compiled from.
    pub link: Option<SourceLink>,
}

impl Entry {
    /// An entry of this name in the default name space, without key and link.
    pub fn named(name: impl Into<String>) -> Entry {
        Entry {
            name: name.into(),
            ..Entry::default()
        }
    }

    /// Sets the name space.
    #[must_use]
    pub fn in_space(mut self, space: impl Into<String>) -> Entry {
        self.space = space.into();
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Entry {
        self.key = key.into();
        self
    }

    /// Sets the link to the source text.
    #[must_use]
    pub fn with_link(mut self, link: SourceLink) -> Entry {
        self.link = Some(link);
        self
    }
}

/// Which text a chunk was compiled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceLink {
    /// BLAKE3 of the text.
    pub hash: [u8; 32],
    /// When the text was last changed, in nanoseconds since 1970.
    pub mtime: i64,
    /// Bytes of the text.
    pub size: u64,
}

/// A record in bytes, with what the module says about it elsewhere.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) opset_level: u16,
    pub(crate) hash: ChunkHash,
}

/// The bytes of a chunk's record.
pub(crate) fn encode(entry: &Entry, chunk: &Chunk) -> Result<Encoded, WriteError> {
    let body = body::encode(chunk)?;
    let mut lines = Vec::new();
    lines::encode(&mut lines, &chunk.lines, chunk.ops.len());

    let mut head = RecordHead::new_zeroed();
    head.opset_level.set(body.opset_level);
    head.flags
        .set(if entry.link.is_some() { HAS_LINK } else { 0 });
    head.space_length
        .set(short("bytes of a name space", entry.space.len())?);
    head.name_length
        .set(short("bytes of a name", entry.name.len())?);
    head.key_length
        .set(short("bytes of a key", entry.key.len())?);
    head.source_length
        .set(short("bytes of a source's name", chunk.source.len())?);

    let mut out = head.as_bytes().to_vec();
    out.extend_from_slice(entry.space.as_bytes());
    out.extend_from_slice(entry.name.as_bytes());
    out.extend_from_slice(&entry.key);
    out.extend_from_slice(chunk.source.as_bytes());
    if let Some(link) = &entry.link {
        let link = Link {
            hash: link.hash,
            mtime: link.mtime.into(),
            size: link.size.into(),
        };
        out.extend_from_slice(link.as_bytes());
    }
    out.extend_from_slice(&body.bytes);
    out.extend_from_slice(&lines);
    if out.len() > limits::RECORD_BYTES as usize {
        let limit = limits::RECORD_BYTES as usize;
        return Err(WriteError::over_limit(
            "bytes of a record",
            out.len(),
            limit,
        ));
    }
    head.body_length.set(body.bytes.len() as u32);
    head.lines_length.set(lines.len() as u32);
    out[..size_of::<RecordHead>()].copy_from_slice(head.as_bytes());
    seal(&mut out);
    Ok(Encoded {
        bytes: out,
        opset_level: body.opset_level,
        hash: ChunkHash::of_body(&body.bytes),
    })
}

fn short(what: &str, length: usize) -> Result<u16, WriteError> {
    u16::try_from(length).map_err(|_| WriteError::over_limit(what, length, limits::NAME_BYTES))
}

/// Sets the seal of a record.
pub(crate) fn seal(record: &mut [u8]) {
    if let Some((seal, rest)) = record.split_first_chunk_mut::<4>() {
        *seal = seal_of(rest).to_le_bytes();
    }
}

/// The parts of a record: where they lie in its bytes, and its level.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) opset_level: u16,
    pub(crate) space: Span,
    pub(crate) name: Span,
    pub(crate) key: Span,
    pub(crate) source: Span,
    pub(crate) link: Option<SourceLink>,
    body: Span,
    lines: Span,
}

impl Parts {
    /// Reads the head of a record and checks its seal.
    pub(crate) fn decode(record: &[u8]) -> Result<Parts, LoadError> {
        let (head, _) = RecordHead::ref_from_prefix(record)
            .map_err(|_| LoadError::structure("a short record", "24 bytes at least"))?;
        if record.len() > limits::RECORD_BYTES as usize {
            let limit = u64::from(limits::RECORD_BYTES);
            return Err(LoadError::over_limit("bytes", record.len() as u64, limit));
        }
        let seal = seal_of(&record[size_of_val(&head.seal)..]);
        if seal != head.seal.get() {
            return Err(LoadError::new(Code::DamagedRecord)
                .with_found(format_args!("seal {:#010x}", head.seal))
                .with_expected(format_args!("{seal:#010x}")));
        }
        let flags = head.flags.get();
        if flags & !HAS_LINK != 0 {
            let found = format_args!("flags {flags:#06x}").to_string();
            return Err(LoadError::structure(found, "no unknown ones").at(6));
        }
        let mut cursor = Cursor::new(record, size_of::<RecordHead>(), record.len());
        let space = cursor.take("the name space", head.space_length.get().into())?;
        let name = cursor.take("the name", head.name_length.get().into())?;
        let key = cursor.take("the key", head.key_length.get().into())?;
        let source = cursor.take("the source's name", head.source_length.get().into())?;
        for (what, span) in [("name space", space), ("name", name), ("source", source)] {
            check_utf8(what, span.of(record))?;
        }
        let link = if flags & HAS_LINK != 0 {
            let span = cursor.take("the link", size_of::<Link>())?;
            let link = Link::read_from_bytes(span.of(record));
            let link = link.map_err(|_| LoadError::structure("a short link", "48 bytes"))?;
            Some(SourceLink {
                hash: link.hash,
                mtime: link.mtime.get(),
                size: link.size.get(),
            })
        } else {
            None
        };
        let body = cursor.take("the body", head.body_length.get() as usize)?;
        let lines = cursor.take("the lines", head.lines_length.get() as usize)?;
        cursor.expect_end("the end of the record")?;
        Ok(Parts {
            opset_level: head.opset_level.get(),
            space,
            name,
            key,
            source,
            link,
            body,
            lines,
        })
    }

    /// The bytes of the body.
    pub(crate) fn body<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        self.body.of(record)
    }

    /// Where the body begins and ends.
    pub(crate) fn body_range(&self) -> (usize, usize) {
        self.body.range()
    }

    /// Reads the body into `into`, as [`Body::decode`](body::Body::decode) does, and checks the lines
    /// and the level.
    pub(crate) fn decode_body(
        &self,
        record: &[u8],
        into: &mut body::Body,
        ops: body::Ops,
        verifier: &mut Verifier,
    ) -> Result<(), LoadError> {
        if self.opset_level > op::OPSET_LEVEL {
            return Err(LoadError::new(Code::NewerOpset)
                .with_found(format_args!("level {}", self.opset_level))
                .with_expected(format_args!("at most {}", op::OPSET_LEVEL))
                .at(4));
        }
        into.decode(self.body.cursor(record), record, ops, verifier)?;
        if into.opset_level != self.opset_level {
            let found = format_args!("opset level {}", self.opset_level).to_string();
            return Err(LoadError::structure(found, into.opset_level).at(4));
        }
        let mut runs = self.runs(record, into.op_count);
        while runs.next_run()?.is_some() {}
        Ok(())
    }

    /// The runs of source lines of a chunk with this many ops.
    pub(crate) fn runs<'a>(&self, record: &'a [u8], op_count: usize) -> Runs<'a> {
        Runs::new(self.lines.cursor(record), op_count)
    }

    /// The source line of an op, if the lines are readable that far.
    pub(crate) fn line_of(&self, record: &[u8], op_count: usize, op: usize) -> Option<u32> {
        let mut runs = self.runs(record, op_count);
        let mut first = 0;
        while let Ok(Some(run)) = runs.next_run() {
            if op < first + run.ops {
                return Some(run.line).filter(|line| *line != 0);
            }
            first += run.ops;
        }
        None
    }
}

/// The record of a chunk, in private memory, its seal and names checked. What the chunk holds is
/// checked when it is [loaded](Record::load).
#[derive(Debug, Clone)]
pub struct Record {
    bytes: Piece,
    parts: Parts,
    offset: u64,
    origin: Arc<Origin>,
}

impl Record {
    /// The record in these bytes, which lie at `offset` of the module.
    pub(crate) fn new(
        bytes: Piece,
        offset: u64,
        origin: &Arc<Origin>,
    ) -> Result<Record, LoadError> {
        let parts =
            Parts::decode(&bytes).map_err(|error| error.relative_to(offset).with_origin(origin))?;
        Ok(Record {
            bytes,
            parts,
            offset,
            origin: Arc::clone(origin),
        })
    }

    /// The name space; empty for the default one.
    pub fn space(&self) -> &str {
        self.parts.space.text_of(&self.bytes)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.parts.name.text_of(&self.bytes)
    }

    /// The caller's key.
    pub fn key(&self) -> &[u8] {
        self.parts.key.of(&self.bytes)
    }

    /// The name of the source.
    pub fn source(&self) -> &str {
        self.parts.source.text_of(&self.bytes)
    }

    /// The text that the chunk was compiled from.
    pub fn link(&self) -> Option<SourceLink> {
        self.parts.link
    }

    /// How the chunk stands in its module, to write it to another.
    pub fn entry(&self) -> Entry {
        Entry {
            space: self.space().to_owned(),
            name: self.name().to_owned(),
            key: self.key().to_vec(),
            link: self.link(),
        }
    }

    /// The file of the module that it is from, or what stands for it in messages.
    pub fn path(&self) -> Option<&Path> {
        self.origin.path.as_deref()
    }

    /// The record as it stands in the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the record begins, counted from the first byte of the module's header.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many ops the chunk has, as its body says; loading it tells whether that is so.
    ///
    /// # Errors
    /// When the body ends before it says so, or says more than a chunk may have.
    pub fn op_count(&self) -> Result<usize, LoadError> {
        let mut body = self.parts.body.cursor(&self.bytes);
        let counted = body
            .leb("stack height")
            .and_then(|_| body.count("ops", limits::OPS));
        counted.map_err(|error| self.locate(error))
    }

    /// Decodes the chunk, and verifies it if it says that it is strict.
    ///
    /// # Errors
    /// When it is malformed, or isn't strict although it says so.
    pub fn load(self) -> Result<LoadedChunk, LoadError> {
        LoadedChunk::of(self)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Completes an error from within the record.
    pub(crate) fn locate(&self, error: LoadError) -> LoadError {
        error
            .relative_to(self.offset)
            .in_chunk(self.space(), self.name())
            .with_origin(&self.origin)
    }
}
