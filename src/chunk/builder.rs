//! `ChunkBuilder`, the way in which frontends write chunks.

use super::{Chunk, Import, Signature};
use crate::{op::Op, value::Value};
use std::collections::HashMap;

/// The most constants, names or blocks that a chunk can index.
const TABLE_LIMIT: usize = 1 << 16;

/// Builds a [`Chunk`] op by op.
///
/// ```
/// use fusevm::{ChunkBuilder, Op};
///
/// let mut b = ChunkBuilder::new();
/// b.emit(Op::LoadTrue, 1);
/// let jump = b.emit(Op::JumpIfFalse(0), 1);
/// b.emit(Op::LoadInt(1), 2);
/// b.patch_jump(jump, b.current_pos());
/// assert_eq!(b.build().ops[1], Op::JumpIfFalse(3));
/// ```
#[derive(Debug, Default)]
pub struct ChunkBuilder {
    chunk: Chunk,
    name_indices: HashMap<String, u16>,
}

impl ChunkBuilder {
    /// A builder of an empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an op that comes from `line` of the source (0 for none) and gives its index.
    pub fn emit(&mut self, op: Op, line: u32) -> usize {
        let index = self.chunk.ops.len();
        self.chunk.ops.push(op);
        self.chunk.lines.push(line);
        index
    }

    /// Appends a constant and gives its index.
    ///
    /// # Panics
    /// If the chunk has 65,536 constants; [`try_add_constant`](Self::try_add_constant) doesn't.
    pub fn add_constant(&mut self, value: Value) -> u16 {
        self.try_add_constant(value)
            .expect("a chunk holds at most 65536 constants")
    }

    /// Appends a constant and gives its index, or `None` if the pool is full.
    pub fn try_add_constant(&mut self, value: Value) -> Option<u16> {
        let index = table_index(self.chunk.constants.len())?;
        self.chunk.constants.push(value);
        Some(index)
    }

    /// The index of a name, which is added if it is new.
    ///
    /// # Panics
    /// If the chunk has 65,536 names; [`try_add_name`](Self::try_add_name) doesn't.
    pub fn add_name(&mut self, name: &str) -> u16 {
        self.try_add_name(name)
            .expect("a chunk holds at most 65536 names")
    }

    /// The index of a name, which is added if it is new, or `None` if the table is full.
    pub fn try_add_name(&mut self, name: &str) -> Option<u16> {
        if let Some(&index) = self.name_indices.get(name) {
            return Some(index);
        }
        let index = table_index(self.chunk.names.len())?;
        self.chunk.names.push(name.to_owned());
        self.name_indices.insert(name.to_owned(), index);
        Some(index)
    }

    /// The index that the next op will have.
    pub fn current_pos(&self) -> usize {
        self.chunk.ops.len()
    }

    /// Sets the target of the jump at `op_idx`.
    ///
    /// # Panics
    /// If there is no op at `op_idx`, or it has no target.
    pub fn patch_jump(&mut self, op_idx: usize, target: usize) {
        match &mut self.chunk.ops[op_idx] {
            Op::Jump(t)
            | Op::JumpIfTrue(t)
            | Op::JumpIfFalse(t)
            | Op::JumpIfTrueKeep(t)
            | Op::JumpIfFalseKeep(t)
            | Op::SlotLtIntJumpIfFalse(_, _, t)
            | Op::SlotIncLtIntJumpBack(_, _, t) => *t = target,
            other => panic!("patch_jump on non-jump op: {other:?}"),
        }
    }

    /// Declares that the sub with this name index begins at op `ip`.
    pub fn add_sub_entry(&mut self, name_idx: u16, ip: usize) {
        self.chunk.sub_entries.push((name_idx, ip));
    }

    /// Declares how many arguments the sub with this name index takes. Without it the calls in the
    /// chunk tell; a sub that is called from other chunks only, and takes any, needs it.
    pub fn declare_argc(&mut self, name_idx: u16, argc: u8) {
        let signature = Signature {
            name: name_idx,
            argc,
        };
        self.chunk.signatures.push(signature);
    }

    /// Declares what a builtin, an extension op or a function that the chunk calls does.
    pub fn declare_import(&mut self, import: Import) {
        self.chunk.imports.push(import);
    }

    /// Declares the block of ops from `start` up to, not including, `end`, and gives its index.
    ///
    /// # Panics
    /// If the chunk has 65,536 blocks.
    pub fn add_block_range(&mut self, start: usize, end: usize) -> u16 {
        let index = table_index(self.chunk.block_ranges.len());
        let index = index.expect("a chunk holds at most 65536 blocks");
        self.chunk.block_ranges.push((start, end));
        index
    }

    /// Names the source, for messages.
    pub fn set_source(&mut self, source: impl Into<String>) {
        self.chunk.source = source.into();
    }

    /// The finished chunk.
    pub fn build(mut self) -> Chunk {
        self.chunk.op_hash = self.chunk.compute_op_hash();
        self.chunk
    }
}

/// The index of the next entry of a table, if a `u16` can name it.
fn table_index(len: usize) -> Option<u16> {
    (len < TABLE_LIMIT).then_some(len as u16)
}
