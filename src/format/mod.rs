//! The file format: modules of chunks as `.fvbc` bytes, written and read. Nothing runs here.
//!
//! [`ModuleWriter`] writes a module, [`ModuleAppender`] changes one in place, [`compact`] tidies it up;
//! [`Module`] reads one: opening costs the same at any size, and a
//! chunk is fetched, checked and decoded when it is asked for. [`Module::check`] looks at all of it.
//! The bytes are those that `format-spec/` describes; the structures of chapter 1 and 2 stand in
//! `layout` under the same names.
//!
//! Any bytes give a module or a located [`LoadError`]: whatever a file says is compared with what is
//! there, and with the [`limits`], before it is used. Bytes are fetched once, into private memory,
//! and judged there, so a file that changes meanwhile can't change what was judged.

mod appender;
mod body;
mod canonical;
mod check;
mod compact;
mod constants;
mod cursor;
mod duplicates;
mod error;
mod graft;
mod hash;
mod header;
mod imports;
mod index;
mod layout;
pub mod limits;
mod lines;
mod loaded;
#[cfg(unix)]
mod map;
mod meta;
mod module;
mod new_file;
mod peek;
mod record;
mod reseal;
mod root;
mod seal;
mod segment;
mod sizes;
mod source;
mod storage;
mod writer;

pub use appender::{AppendOptions, Appended, ModuleAppender};
pub use check::{CheckOptions, LooseChunk, Report};
pub use compact::{Compacted, compact, compact_in};
pub use error::{LoadError, WriteError};
pub use hash::{ChunkHash, chunk_hash};
pub use loaded::LoadedChunk;
#[cfg(unix)]
pub use map::guard_bus_errors;
pub use meta::Metadata;
pub use module::{Module, Records};
pub use new_file::NewFile;
pub use record::{Entry, Record, SourceLink};
pub use reseal::reseal;
pub use sizes::{ModuleSizes, RecordSizes};
pub use source::{OpenOptions, Strategy};
pub use storage::{Folder, Lock, Storage, StoredFile};
pub use writer::ModuleWriter;

#[cfg(test)]
mod tests;
