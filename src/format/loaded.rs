//! A chunk as it is loaded from a module: decoded, verified, ready to be run or read back.

use super::body::{Body, Ops};
use super::error::LoadError;
use super::hash::ChunkHash;
use super::record::{Entry, Parts, Record, SourceLink};
use super::sizes::RecordSizes;
use crate::chunk::Chunk;
use crate::code::Code;
use crate::op::Op;
use crate::value::Value;
use crate::verify::{ImportRow, Shape, Sub, Verifier, VerifyError};
use std::sync::OnceLock;

/// A chunk from a module. It holds a private copy of its record, so nothing that happens to the file
/// changes it.
#[derive(Debug)]
pub struct LoadedChunk {
    record: Record,
    body: Body,
    /// What the verifier found; `None` in a loose chunk.
    shape: Option<Shape>,
    hash: OnceLock<ChunkHash>,
}

impl LoadedChunk {
    /// Decodes a record and verifies its chunk.
    pub(crate) fn of(record: Record) -> Result<LoadedChunk, LoadError> {
        let mut body = Body::default();
        let mut verifier = Verifier::new();
        let (parts, bytes) = (record.parts(), record.bytes());
        let outcome = parts.decode_body(bytes, &mut body, Ops::Keep, &mut verifier);
        outcome.map_err(|error| record.locate(error))?;
        let shape = match body.height {
            Some(_) if body.is_proved => Some(verifier.into_shape()),
            Some(height) => {
                let verified = verifier.verify(&body.view());
                check_strict(verified, height, &body, parts, bytes)
                    .map_err(|error| record.locate(error))?;
                Some(verifier.into_shape())
            }
            None => None,
        };
        Ok(LoadedChunk {
            record,
            body,
            shape,
            hash: OnceLock::new(),
        })
    }

    /// The record that it was decoded from.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The name space; empty for the default one.
    pub fn space(&self) -> &str {
        self.record.space()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.record.name()
    }

    /// The caller's key.
    pub fn key(&self) -> &[u8] {
        self.record.key()
    }

    /// The name of the source.
    pub fn source(&self) -> &str {
        self.record.source()
    }

    /// The text that it was compiled from.
    pub fn link(&self) -> Option<SourceLink> {
        self.record.link()
    }

    /// How it stands in its module, to write it to another.
    pub fn entry(&self) -> Entry {
        self.record.entry()
    }

    /// The identity of what the chunk means, computed at the first call.
    pub fn hash(&self) -> ChunkHash {
        let body = || self.record.parts().body(self.record.bytes());
        *self.hash.get_or_init(|| ChunkHash::of_body(body()))
    }

    /// The identity of what the chunk means, if it was computed.
    pub(crate) fn known_hash(&self) -> Option<ChunkHash> {
        self.hash.get().copied()
    }

    /// Where the record's bytes go.
    pub fn sizes(&self) -> RecordSizes {
        let (parts, bytes) = (self.record.parts(), self.record.bytes());
        RecordSizes::of(parts, bytes).expect("the body was decoded before")
    }

    /// Whether the stack height is proved at each instruction. A chunk that isn't strict says so
    /// itself, and was not verified.
    pub fn is_strict(&self) -> bool {
        self.shape.is_some()
    }

    /// What the verifier found out about a strict chunk.
    pub fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// The instructions.
    pub fn ops(&self) -> &[Op] {
        &self.body.ops
    }

    /// The number of constants.
    pub fn constant_count(&self) -> usize {
        self.body.constants.len()
    }

    /// The constants, each as a fresh value.
    pub fn constants(&self) -> Vec<Value> {
        self.body.constants.to_values(self.record.bytes())
    }

    /// The names, by their indices.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        let names = self.body.names.iter();
        names.map(|name| name.text_of(self.record.bytes()))
    }

    /// The name of this index.
    pub fn name_at(&self, index: u16) -> Option<&str> {
        let name = self.body.names.get(usize::from(index))?;
        Some(name.text_of(self.record.bytes()))
    }

    /// The subs, with the argument counts that are declared.
    pub fn subs(&self) -> &[Sub] {
        &self.body.subs
    }

    /// The blocks: the first op and the op behind the last.
    pub fn blocks(&self) -> &[(usize, usize)] {
        &self.body.blocks
    }

    /// The import table, complete: kinds, numbers, effects.
    pub fn imports(&self) -> &[ImportRow] {
        &self.body.imports
    }

    /// The name space in which the host looks the import of this row up, and its name: of a handler
    /// the declared one, of a function the one that it is called by.
    pub fn import_name(&self, row: usize) -> Option<(&str, &str)> {
        let (space, name) = self.body.import_texts.get(row)?;
        let bytes = self.record.bytes();
        let name = match self.body.imports[row] {
            ImportRow {
                kind: crate::chunk::ImportKind::Function,
                id,
                ..
            } => self.name_at(id)?,
            _ => name.text_of(bytes),
        };
        Some((space.text_of(bytes), name))
    }

    /// The source line of an op, if it has one. Takes time that grows with the op's index.
    pub fn line(&self, op: usize) -> Option<u32> {
        let (parts, bytes) = (self.record.parts(), self.record.bytes());
        parts.line_of(bytes, self.body.ops.len(), op)
    }

    /// The source line of each op, 0 for none.
    pub fn lines(&self) -> Vec<u32> {
        self.lines_of(self.body.ops.len())
    }

    fn lines_of(&self, op_count: usize) -> Vec<u32> {
        let mut lines = Vec::with_capacity(op_count);
        let mut runs = self.record.parts().runs(self.record.bytes(), op_count);
        while let Ok(Some(run)) = runs.next_run() {
            lines.extend(std::iter::repeat_n(run.line, run.ops));
        }
        lines.resize(op_count, 0);
        lines
    }

    /// The chunk in its authoring form. Written again under the same [`entry`](Self::entry) it gives
    /// the same record, if this one is canonical.
    pub fn to_chunk(&self) -> Chunk {
        self.chunk_with(self.body.ops.clone())
    }

    /// The chunk in its authoring form, as [`to_chunk`](Self::to_chunk) gives it.
    pub fn into_chunk(mut self) -> Chunk {
        let ops = std::mem::take(&mut self.body.ops);
        self.chunk_with(ops)
    }

    fn chunk_with(&self, ops: Vec<Op>) -> Chunk {
        let lines = self.lines_of(ops.len());
        let mut chunk = self.body.to_chunk(self.record.bytes(), ops);
        chunk.lines = lines;
        chunk.source = self.source().to_owned();
        chunk
    }
}

/// Judges what the verifier found out about a chunk that says it is strict, with this greatest height.
/// Places are relative to the record.
pub(crate) fn check_strict(
    verified: Result<&Shape, VerifyError>,
    height: u32,
    body: &Body,
    parts: &Parts,
    record: &[u8],
) -> Result<(), LoadError> {
    let shape = verified.map_err(|error| {
        let op = error.op();
        let line = op.and_then(|op| parts.line_of(record, body.ops.len(), op));
        LoadError::verify(error, line)
    })?;
    let computed = shape.height();
    if computed != height {
        return Err(LoadError::new(Code::WrongMaxStack)
            .with_found(height)
            .with_expected(computed));
    }
    Ok(())
}
