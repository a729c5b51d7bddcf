//! fusevm: a language-agnostic bytecode VM with a safe, versioned file format.
pub mod code;
pub mod value;

pub use value::Value;
