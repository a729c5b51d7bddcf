//! What the cache tells of a chunk: which parts of it are there, and why others aren't.

use super::super::miss::Miss;

/// A part of a chunk that is native code by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The sub with this name index.
    Sub(u16),
    /// A loop, or what else is entered in the middle of code.
    Loop,
}

/// What is kept of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCode {
    /// The bytes of machine code.
    pub bytes: usize,
    /// The kinds of the arguments, or of the registers of a loop, that it is for; none where they were
    /// guessed ahead of any run.
    pub kinds: Vec<&'static str>,
}

/// A part of a chunk, and what the cache has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPart {
    /// Which part.
    pub part: Part,
    /// The op that it begins with.
    pub op: usize,
    /// Its code, or why there is none.
    pub kept: Result<KeptCode, Miss>,
}

/// What the cache has of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptChunk {
    /// Its subs, and the loops that were compiled.
    pub parts: Vec<KeptPart>,
    /// Why what isn't there isn't.
    pub reason: Miss,
}

/// What compiling a chunk ahead of any run has come to, in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Those that were compiled.
    pub compiled: u64,
    /// Those that were there.
    pub kept: u64,
    /// Those that are too large.
    pub declined: u64,
    /// Those that were written to the cache.
    pub stored: u64,
}
