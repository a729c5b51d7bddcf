//! Chunks, the authoring form of code: what frontends build, files hold and the VM runs.
//!
//! A [`Chunk`] is plain data and may hold anything; `verify` tells whether it is
//! well formed, and `format` turns it to bytes and back.

mod builder;
mod import;

pub use builder::ChunkBuilder;
pub(crate) use import::called_imports;
pub use import::{Effect, Import, ImportKind, Touches};

use crate::{op::Op, value::Value};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// A unit of compilation: a script, a function, a block.
///
/// Its serialized form is that of the 0.9 line: the fields of that line in their order, `op_hash`
/// left out and computed again when it is read. `imports` and `signatures` live in `.fvbc` files
/// only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "SerializedChunk")]
pub struct Chunk {
    /// The instructions; jump targets are indices of this list.
    pub ops: Vec<Op>,
    /// The constant pool.
    pub constants: Vec<Value>,
    /// Names of globals, subs and functions.
    pub names: Vec<String>,
    /// The source line of each op, 0 for none; may be shorter than `ops`.
    pub lines: Vec<u32>,
    /// Subs: the index of the name, and the op that the sub begins with.
    pub sub_entries: Vec<(u16, usize)>,
    /// Blocks: the first op and the op behind the last.
    pub block_ranges: Vec<(usize, usize)>,
    /// The name of the source, for messages.
    pub source: String,
    /// A hash of ops and constants, good for telling chunks apart within a process; 0 in the
    /// default chunk. Not an identity: `format::chunk_hash` is one.
    #[serde(skip)]
    pub op_hash: u64,
    /// What the chunk declares of the handlers and functions that it calls; what it calls without
    /// declaring has the default of [`Import::undeclared`].
    #[serde(skip)]
    pub imports: Vec<Import>,
    /// Argument counts of subs, where they are declared; the others follow from the calls.
    #[serde(skip)]
    pub signatures: Vec<Signature>,
}

/// The declared number of arguments of a sub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The index of the sub's name.
    pub name: u16,
    /// How many values a call of it takes from the stack.
    pub argc: u8,
}

impl Chunk {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The op that the sub with this name index begins with.
    pub fn find_sub(&self, name_idx: u16) -> Option<usize> {
        let entry = self.sub_entries.iter().find(|(name, _)| *name == name_idx);
        entry.map(|(_, ip)| *ip)
    }

    /// The source line of an op, if it has one.
    pub fn line(&self, ip: usize) -> Option<u32> {
        self.lines.get(ip).copied().filter(|line| *line != 0)
    }

    /// The declared number of arguments of the sub with this name index.
    pub fn declared_argc(&self, name_idx: u16) -> Option<u8> {
        let signature = self.signatures.iter().find(|s| s.name == name_idx);
        signature.map(|s| s.argc)
    }

    /// The value of `op_hash` for the present ops and constants.
    pub(crate) fn compute_op_hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        self.ops.hash(&mut hasher);
        self.constants.hash(&mut hasher);
        hasher.finish()
    }
}

/// The fields that the 0.9 line writes, in its order.
#[derive(Deserialize)]
struct SerializedChunk {
    ops: Vec<Op>,
    constants: Vec<Value>,
    names: Vec<String>,
    lines: Vec<u32>,
    sub_entries: Vec<(u16, usize)>,
    block_ranges: Vec<(usize, usize)>,
    source: String,
}

impl From<SerializedChunk> for Chunk {
    fn from(form: SerializedChunk) -> Self {
        let mut chunk = Chunk {
            ops: form.ops,
            constants: form.constants,
            names: form.names,
            lines: form.lines,
            sub_entries: form.sub_entries,
            block_ranges: form.block_ranges,
            source: form.source,
            ..Chunk::default()
        };
        chunk.op_hash = chunk.compute_op_hash();
        chunk
    }
}
