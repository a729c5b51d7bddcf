//! The chunk hash: what a chunk means, as 32 bytes.

use super::body;
use super::error::WriteError;
use crate::chunk::Chunk;
use crate::digest;
use std::fmt;

/// The BLAKE3 hash of a chunk's body. It covers code, constants, names, subs, blocks and imports, not
/// the chunk's own name, key, source or lines. Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkHash(pub [u8; 32]);

impl ChunkHash {
    pub(crate) fn of_body(body: &[u8]) -> ChunkHash {
        ChunkHash(digest::hash(body))
    }
}

impl fmt::Display for ChunkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ChunkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkHash({self})")
    }
}

/// The hash that the chunk has in any module that it is written to.
///
/// # Errors
/// When the chunk exceeds a limit of the format, so that no module can hold it.
pub fn chunk_hash(chunk: &Chunk) -> Result<ChunkHash, WriteError> {
    let body = body::encode(chunk)?;
    Ok(ChunkHash::of_body(&body.bytes))
}
