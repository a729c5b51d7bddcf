//! The fixed-size structures of a file, byte for byte as chapters 1 and 2 of the specification have
//! them: same order, same names. What they mean, and whether their fields agree, is not here.

use super::seal::seal_of;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of every file.
pub(crate) const MAGIC: [u8; 8] = *b"\x89FVBC\r\n\x1a";
/// The first bytes of every root record.
pub(crate) const ROOT_MAGIC: [u8; 8] = *b"fvbcroot";
/// The major version of the format.
pub(crate) const FORMAT_MAJOR: u16 = 1;
/// The minor version that this crate writes.
pub(crate) const FORMAT_MINOR: u16 = 0;

/// Bytes of the header's producer.
pub(crate) const PRODUCER_LENGTH: usize = 48;

/// Section `INDEX`: the root node of the index.
pub(crate) const SECTION_INDEX: u32 = 1;
/// Section `META`: keys and values.
pub(crate) const SECTION_META: u32 = 2;
/// Section flag: a reader that doesn't know the section skips it.
pub(crate) const ANCILLARY: u32 = 1;

/// Node kind: a list of entries.
pub(crate) const LEAF: u8 = 0;
/// Node kind: 64 references to nodes.
pub(crate) const BRANCH: u8 = 1;
/// References of a branch node.
pub(crate) const BRANCHES: usize = 64;

/// Record flag: a [`Link`] stands before the body.
pub(crate) const HAS_LINK: u16 = 1;

/// 1.1, the header.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) format_major: U16,
    pub(crate) format_minor: U16,
    pub(crate) header_length: U32,
    pub(crate) producer: [u8; PRODUCER_LENGTH],
    pub(crate) slots: [Slot; 2],
    pub(crate) zero: [u8; 32],
}

/// 1.2, a slot of the header.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Slot {
    pub(crate) generation: U64,
    pub(crate) root_offset: U64,
    pub(crate) root_length: U32,
    pub(crate) zero_1: U32,
    pub(crate) file_length: U64,
    pub(crate) root_hash: [u8; 32],
    pub(crate) zero_2: U32,
    pub(crate) zero_3: U64,
    pub(crate) seal: U32,
}

/// 1.3, the root record up to its sections.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RootHead {
    pub(crate) magic: [u8; 8],
    pub(crate) segment_number: U32,
    pub(crate) section_count: U32,
    pub(crate) segment_offset: U64,
    pub(crate) previous_root_offset: U64,
    pub(crate) previous_root_length: U32,
    pub(crate) opset_level: U16,
    pub(crate) zero_1: U16,
    pub(crate) chunk_count: U64,
    pub(crate) op_count: U64,
    pub(crate) zero_2: U64,
    pub(crate) segment_hash: [u8; 32],
    pub(crate) previous_root_hash: [u8; 32],
}

/// 1.3, a row of the root record's section table.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Section {
    pub(crate) id: U32,
    pub(crate) flags: U32,
    pub(crate) offset: U64,
    pub(crate) length: U64,
    pub(crate) seal: U32,
    pub(crate) zero: U32,
}

/// 1.4, what both kinds of index nodes begin with.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct NodeHead {
    pub(crate) kind: u8,
    pub(crate) zero_1: u8,
    pub(crate) count: U16,
    pub(crate) zero_2: U32,
}

/// 1.4, an entry of a leaf.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct IndexEntry {
    pub(crate) name_key: U64,
    pub(crate) offset: U64,
    pub(crate) length: U32,
    pub(crate) op_count: U32,
}

/// 1.4, a branch's reference to a child node.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct NodeRef {
    pub(crate) offset: U64,
    pub(crate) length: U32,
    pub(crate) seal: U32,
}

/// 2.1, the record up to its name space.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RecordHead {
    pub(crate) seal: U32,
    pub(crate) opset_level: U16,
    pub(crate) flags: U16,
    pub(crate) space_length: U16,
    pub(crate) name_length: U16,
    pub(crate) key_length: U16,
    pub(crate) source_length: U16,
    pub(crate) body_length: U32,
    pub(crate) lines_length: U32,
}

/// 2.1, which text a chunk was compiled from.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Link {
    pub(crate) hash: [u8; 32],
    pub(crate) mtime: I64,
    pub(crate) size: U64,
}

/// The length of the header, which is where the first segment begins.
pub(crate) const HEADER_LENGTH: usize = size_of::<Header>();
/// The part of the header that every slot's seal covers, and that has this layout in every version.
pub(crate) const SEALED_HEADER: usize = 64;

const _: () = {
    assert!(size_of::<Header>() == 256);
    assert!(size_of::<Slot>() == 80);
    assert!(size_of::<RootHead>() == 128);
    assert!(size_of::<Section>() == 32);
    assert!(size_of::<NodeHead>() == 8);
    assert!(size_of::<IndexEntry>() == 24);
    assert!(size_of::<NodeRef>() == 16);
    assert!(size_of::<RecordHead>() == 24);
    assert!(size_of::<Link>() == 48);
};

impl Slot {
    /// A slot that nothing was written to.
    pub(crate) fn empty() -> Slot {
        Slot::new_zeroed()
    }

    /// The seal that the slot must have behind the first bytes of this header.
    pub(crate) fn seal_in(&self, sealed_header: &[u8]) -> u32 {
        let bytes = self.as_bytes();
        let unsealed = &bytes[..bytes.len() - size_of::<U32>()];
        seal_of(&[sealed_header, unsealed].concat())
    }
}
