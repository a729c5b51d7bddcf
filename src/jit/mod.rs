//! Native code: what the register engine runs often is compiled with Cranelift.
//!
//! The input is register code (`lower`). A *group* is compiled at once: a sub that is
//! hot, or a frame at a loop's head, and the subs that it calls (`kinds` finds them and what their
//! registers hold). `translate` writes it down for Cranelift, `module` lays out what comes out,
//! `memory` makes it run. When the engine enters native code and how it goes on behind it is the
//! engine's side, `vm/engine/native`.
//!
//! Nothing is ineligible: an instruction is done inline, by a helper, or native code is left before it
//! and the engine does it. Frames have the engine's layout, so leaving is writing machine registers
//! back.
//!
//! `scalar` keeps the entry points of the 0.9 line.

mod extension;
pub mod miss;
pub mod options;
pub mod scalar;

#[cfg(feature = "jit")]
pub(crate) mod abi;
#[cfg(feature = "jit")]
pub mod cache;
#[cfg(feature = "jit")]
pub(crate) mod compile;
#[cfg(feature = "jit")]
mod features;
#[cfg(feature = "jit")]
pub(crate) mod ir;
#[cfg(feature = "jit")]
pub(crate) mod kept;
#[cfg(feature = "jit")]
pub(crate) mod kinds;
#[cfg(feature = "jit")]
pub mod listing;
#[cfg(feature = "jit")]
pub(crate) mod memory;
#[cfg(feature = "jit")]
mod module;
#[cfg(feature = "jit")]
mod shared;
#[cfg(feature = "jit")]
mod stale;
#[cfg(feature = "jit")]
mod translate;
#[cfg(feature = "jit")]
mod views;

#[cfg(feature = "jit")]
pub use extension::NativeLowering;
pub use extension::{JitExtension, PlainFunction, PlainKind, PlainValue};
pub use miss::{CacheStats, Miss};
pub use options::{CodeListener, JitMode, JitOptions, JitStats, NewCode};
pub use scalar::{JitCompiler, NativeCode};

/// The types of the code generator that a [`NativeLowering`] writes with, in the version that this crate
/// is built with.
#[cfg(feature = "jit")]
pub mod cranelift {
    pub use cranelift_codegen::ir;
    pub use cranelift_frontend::FunctionBuilder;
}
#[cfg(feature = "jit")]
pub(crate) use ir::inst::stops_at;
#[cfg(feature = "jit")]
pub(crate) use shared::SharedCode;
