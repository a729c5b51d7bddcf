//! The commands, a module each: its arguments, and what it does with them.

use fusevm::Chunk;

pub(crate) mod asm;
pub(crate) mod build;
pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod dis;
pub(crate) mod explain;
pub(crate) mod extract;
pub(crate) mod graph;
pub(crate) mod hash;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod run;
pub(crate) mod size;
pub(crate) mod spec;
pub(crate) mod strip;

/// Drops what tells of a chunk's source; what the chunk means stays.
fn strip(chunk: &mut Chunk) {
    chunk.lines.clear();
    chunk.source.clear();
}
