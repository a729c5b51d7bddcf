//! fusevm: a language-agnostic bytecode VM with a safe, versioned file format.
pub mod code;
pub mod op;
pub mod value;

pub use op::Op;
pub use value::Value;
