//! The limits of the format, as the specification's table 1.6 has them. A reader compares every size
//! with them before it allocates for it; a writer refuses what exceeds them.

/// Bytes of a file.
pub const FILE_BYTES: u64 = 1 << 40;
/// Bytes of a record.
pub const RECORD_BYTES: u32 = 1 << 28;
/// Chunks of a module.
pub const CHUNKS: u64 = 1 << 24;
/// Segments of a file.
pub const SEGMENTS: u32 = 1 << 16;
/// Sections that a root record lists.
pub const SECTIONS: u32 = 64;
/// Branches from the index's root down to a leaf.
pub const INDEX_DEPTH: u32 = 10;
/// Entries of a leaf of the index.
pub const LEAF_ENTRIES: usize = 64;
/// Bytes of a name space, a name, a key or the name of a source.
pub const NAME_BYTES: usize = 65_535;
/// Bytes of the metadata section.
pub const META_BYTES: u64 = 1 << 20;
/// Ops of a chunk.
pub const OPS: usize = 1 << 24;
/// Constants, names, subs, blocks and imports of a chunk, each.
pub const TABLE_ROWS: usize = 65_536;
/// How many arrays, hashes and references may lie within each other in a constant.
pub const CONSTANT_NESTING: usize = 64;
/// Values on the stack of a frame.
pub const STACK_HEIGHT: u32 = 65_535;
