//! The bytes of a segment on their way out: counted, hashed, and ended by a root record.

use super::error::WriteError;
use super::layout::{RootHead, Section, Slot};
use super::meta::{self, Metadata};
use super::seal::seal_of;
use super::{limits, root};
use crate::code::Code;
use std::io::Write;
use zerocopy::FromZeros;

/// A segment that is being written to `out`.
#[derive(Debug)]
pub(crate) struct Segment<W> {
    pub(crate) out: W,
    /// What errors of the output are about, if it has a name.
    pub(crate) place: Option<String>,
    /// Where it begins, counted from the header.
    start: u64,
    /// Where the next byte goes.
    at: u64,
    hash: blake3::Hasher,
    /// Whether an output error left half of something behind.
    broken: bool,
}

impl<W: Write> Segment<W> {
    /// A segment that begins `start` bytes behind the header's first; `out` is positioned there.
    pub(crate) fn new(out: W, start: u64) -> Segment<W> {
        Segment {
            out,
            place: None,
            start,
            at: start,
            hash: blake3::Hasher::new(),
            broken: false,
        }
    }

    /// Where the next byte goes, counted from the header's first.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Names the output as what the error is about.
    pub(crate) fn at_place(&self, error: WriteError) -> WriteError {
        match &self.place {
            Some(place) => error.about(place),
            None => error,
        }
    }

    /// Writes bytes and gives their offset.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<u64, WriteError> {
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
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(offset)
    }

    /// Writes a section.
    pub(crate) fn put_section(&mut self, id: u32, bytes: &[u8]) -> Result<Section, WriteError> {
        let mut section = Section::new_zeroed();
        section.id.set(id);
        section.offset.set(self.put(bytes)?);
        section.length.set(bytes.len() as u64);
        section.seal.set(seal_of(bytes));
        Ok(section)
    }

    /// Writes the metadata, if there are any.
    pub(crate) fn put_metadata(
        &mut self,
        metadata: &Metadata,
    ) -> Result<Option<Section>, WriteError> {
        if metadata.is_empty() {
            return Ok(None);
        }
        let bytes = meta::encode(metadata);
        if bytes.len() as u64 > limits::META_BYTES {
            let limit = limits::META_BYTES as usize;
            let length = bytes.len();
            return Err(WriteError::over_limit("bytes of metadata", length, limit));
        }
        let section = self.put_section(super::layout::SECTION_META, &bytes)?;
        Ok(Some(section))
    }

    /// Completes the root record, writes it, and gives the slot that names it, but for its generation
    /// and its seal.
    pub(crate) fn put_root(
        &mut self,
        mut head: RootHead,
        sections: &[Section],
    ) -> Result<Slot, WriteError> {
        head.magic = super::layout::ROOT_MAGIC;
        head.section_count.set(sections.len() as u32);
        head.segment_offset.set(self.start);
        head.segment_hash = self.hash.finalize().into();
        let root = root::encode(&head, sections);
        let offset = self.put(&root)?;
        let mut slot = Slot::empty();
        slot.root_offset.set(offset);
        slot.root_length.set(root.len() as u32);
        slot.file_length.set(self.at);
        slot.root_hash = blake3::hash(&root).into();
        Ok(slot)
    }
}
