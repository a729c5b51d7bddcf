//! Root records: what a module is as of a segment.

use super::error::LoadError;
use super::layout::{
    ANCILLARY, HEADER_LENGTH, ROOT_MAGIC, RootHead, SECTION_INDEX, SECTION_META, Section, Slot,
};
use super::limits;
use super::seal::seal_of;
use super::source::{Piece, Source};
use crate::code::Code;
use crate::digest;
use std::ops::Range;
use zerocopy::{FromBytes, IntoBytes};

/// Where a root record lies, and the hash that its bytes have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RootRef {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) hash: [u8; 32],
}

impl RootRef {
    /// The root that a slot names.
    pub(crate) fn of_slot(slot: &Slot) -> RootRef {
        RootRef {
            offset: slot.root_offset.get(),
            length: slot.root_length.get(),
            hash: slot.root_hash,
        }
    }

    fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.length)
    }
}

/// A root record.
pub(crate) struct Root {
    pub(crate) head: RootHead,
    pub(crate) index: Section,
    pub(crate) meta: Option<Section>,
}

impl Root {
    /// The root record of the segment before, if this is not the first.
    pub(crate) fn previous(&self) -> Option<RootRef> {
        let offset = self.head.previous_root_offset.get();
        (offset != 0).then(|| RootRef {
            offset,
            length: self.head.previous_root_length.get(),
            hash: self.head.previous_root_hash,
        })
    }
}

/// The bytes of a root record with these sections.
pub(crate) fn encode(head: &RootHead, sections: &[Section]) -> Vec<u8> {
    let mut out = head.as_bytes().to_vec();
    out.extend_from_slice(sections.as_bytes());
    out
}

/// Reads a root record and checks its hash and structure.
pub(crate) fn read(source: &Source, root: &RootRef) -> Result<Root, LoadError> {
    let smallest = size_of::<RootHead>();
    let largest = smallest + limits::SECTIONS as usize * size_of::<Section>();
    let length = root.length as usize;
    if !(smallest..=largest).contains(&length) {
        let expected = format_args!("{smallest} to {largest}").to_string();
        return Err(
            LoadError::structure(format_args!("a root of {length} bytes"), expected)
                .at(root.offset),
        );
    }
    let mut buffer = Vec::new();
    let bytes = source.view(root.range(), &mut buffer)?;
    if digest::hash(bytes) != root.hash {
        return Err(LoadError::new(Code::DamagedRoot)
            .with_found("another hash than the one that leads to it")
            .at(root.offset));
    }
    decode(bytes, root.offset).map_err(|error| error.at(root.offset))
}

fn decode(bytes: &[u8], offset: u64) -> Result<Root, LoadError> {
    let (head, rows) = RootHead::read_from_prefix(bytes)
        .map_err(|_| LoadError::structure("a short root record", "at least 128 bytes"))?;
    let expect = |holds: bool, found: &str, expected: &str| {
        holds
            .then_some(())
            .ok_or_else(|| LoadError::structure(found, expected))
    };
    expect(head.magic == ROOT_MAGIC, "another magic", "`fvbcroot`")?;
    expect(
        head.zero_1.get() == 0 && head.zero_2.get() == 0,
        "a reserved field that is set",
        "zero",
    )?;
    expect(
        (HEADER_LENGTH as u64..=offset).contains(&head.segment_offset.get()),
        "a segment that begins outside of the file",
        "one between header and root",
    )?;
    expect(
        (head.segment_number.get() == 0) == (head.previous_root_offset.get() == 0),
        "a first segment with a previous root, or a later one without",
        "a previous root in all but the first segment",
    )?;
    if head.segment_number.get() == 0 {
        expect(
            head.segment_offset.get() == HEADER_LENGTH as u64
                && head.previous_root_length.get() == 0
                && head.previous_root_hash == [0; 32],
            "a first segment that mentions another",
            "one right behind the header",
        )?;
    }
    if head.segment_number.get() >= limits::SEGMENTS {
        let number = u64::from(head.segment_number.get());
        let limit = u64::from(limits::SEGMENTS);
        return Err(LoadError::over_limit("segments", number + 1, limit));
    }
    if head.chunk_count.get() > limits::CHUNKS {
        let count = head.chunk_count.get();
        return Err(LoadError::over_limit("chunks", count, limits::CHUNKS));
    }
    let sections = <[Section]>::ref_from_bytes(rows)
        .ok()
        .filter(|rows| rows.len() == head.section_count.get() as usize)
        .ok_or_else(|| LoadError::structure("another number of sections", head.section_count))?;
    decode_sections(head, sections, offset)
}

fn decode_sections(head: RootHead, sections: &[Section], end: u64) -> Result<Root, LoadError> {
    let mut index = None;
    let mut meta = None;
    let mut last = None;
    for section in sections {
        let id = section.id.get();
        let flags = section.flags.get();
        if last.is_some_and(|last| last >= id) {
            return Err(LoadError::structure(
                format_args!("section {id} out of order"),
                "rising ids",
            ));
        }
        last = Some(id);
        check_range(section, end)?;
        if section.zero.get() != 0 || flags & !ANCILLARY != 0 {
            let found = format_args!("reserved bits of section {id}").to_string();
            return Err(LoadError::structure(found, "zeros"));
        }
        match id {
            SECTION_INDEX if flags == 0 => index = Some(*section),
            SECTION_META if flags == 0 => meta = Some(*section),
            SECTION_INDEX | SECTION_META => {
                let found = format_args!("section {id} marked ancillary").to_string();
                return Err(LoadError::structure(found, "no flags"));
            }
            _ if flags & ANCILLARY != 0 => {}
            _ => {
                return Err(
                    LoadError::new(Code::UnknownSection).with_found(format_args!("section {id}"))
                );
            }
        }
    }
    let index = index.ok_or_else(|| LoadError::structure("no index", "section 1"))?;
    if let Some(meta) = meta
        && meta.length.get() > limits::META_BYTES
    {
        let length = meta.length.get();
        return Err(LoadError::over_limit(
            "bytes of metadata",
            length,
            limits::META_BYTES,
        ));
    }
    Ok(Root { head, index, meta })
}

/// That the section lies between header and root.
fn check_range(section: &Section, end: u64) -> Result<(), LoadError> {
    let start = section.offset.get();
    match start.checked_add(section.length.get()) {
        Some(section_end) if start >= HEADER_LENGTH as u64 && section_end <= end => Ok(()),
        _ => Err(LoadError::structure(
            format_args!("section {} outside of the file", section.id),
            "a place between header and root",
        )),
    }
}

/// Reads a section and checks its seal.
pub(crate) fn read_section(source: &Source, section: &Section) -> Result<Piece, LoadError> {
    let start = section.offset.get();
    let piece = source.fetch(start..start + section.length.get())?;
    if seal_of(&piece) != section.seal.get() {
        return Err(LoadError::new(Code::DamagedSection)
            .with_found(format_args!("section {} with another seal", section.id))
            .at(start));
    }
    Ok(piece)
}
