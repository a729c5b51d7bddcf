//! Native code that outlives the process: what one process compiled, a later one takes from a
//! directory. What the code means and how it is run is the JIT's.
//!
//! An entry is a guess. Whatever is wrong with one, with its file or with the directory is a miss,
//! which is counted; it never fails a run and never runs.
//!
//! * `key` says what addresses code: who made it, of which chunk, which part of it.
//! * `pack` is the bytes of a file, `directory` where it may lie, `store` a chunk's files.
//! * `upkeep` lists, verifies and prunes, `report` is what is told of a chunk.
//!
//! The trust model and the layout are chapter 8 of the specification.

mod directory;
mod key;
mod pack;
mod report;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;

pub use super::miss::{CacheStats, Miss};
pub use directory::Unfit;
pub use report::{Ahead, KeptChunk, KeptCode, KeptPart, Part};
pub use upkeep::{CacheDirectory, CacheLimits, PackStatus, Removed, Verified};

pub(crate) use key::{Fingerprint, ScopeKey, UnitKey};
pub(crate) use pack::Entry;
pub(crate) use store::{Found, Scope};

use std::env;
use std::path::PathBuf;

/// The directory of the cache that the environment asks for: `FUSEVM_CACHE_DIR`, or `fusevm` in
/// `XDG_CACHE_HOME` or in `~/.cache`. Never a shared temporary directory.
///
/// # Errors
/// [`Unfit::Off`] when the first is `off`, [`Unfit::NoHome`] when none names an absolute path.
pub fn default_directory() -> Result<PathBuf, Unfit> {
    if env::var_os("FUSEVM_CACHE_DIR").is_some_and(|asked| asked == "off") {
        return Err(Unfit::Off);
    }
    let absolute = |name: &str| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    absolute("FUSEVM_CACHE_DIR")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("fusevm")))
        .or_else(|| Some(absolute("HOME")?.join(".cache/fusevm")))
        .ok_or(Unfit::NoHome)
}
