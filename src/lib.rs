//! fusevm: a language-agnostic bytecode VM with a safe, versioned file format.
pub mod asm;
pub mod chunk;
pub mod code;
pub mod format;
pub mod host;
pub mod op;
pub mod value;
pub mod verify;

pub use chunk::{Chunk, ChunkBuilder};
pub use format::{Module, ModuleWriter};
pub use op::Op;
pub use value::Value;
