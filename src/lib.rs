//! fusevm: a language-agnostic bytecode VM with a safe, versioned file format.
//!
//! A frontend emits ops into a [`Chunk`], a [`VM`] runs it:
//!
//! ```
//! use fusevm::{Op, ChunkBuilder, VM, VMResult, Value};
//!
//! let mut b = ChunkBuilder::new();
//! b.emit(Op::LoadInt(40), 1);
//! b.emit(Op::LoadInt(2), 1);
//! b.emit(Op::Add, 1);
//!
//! let mut vm = VM::new(b.build());
//! match vm.run() {
//!     VMResult::Ok(val) => println!("result: {}", val.to_str()),  // "42"
//!     VMResult::Error(e) => eprintln!("error: {}", e),
//!     VMResult::Halted => {}
//! }
//! ```
//!
//! The [`guide`] goes through all that a language needs, from text to a program that runs.
//!
//! What the ops don't say, a frontend says with ops of its own:
//!
//! ```
//! # use fusevm::{ChunkBuilder, Op, VM};
//! # let mut b = ChunkBuilder::new();
//! # b.emit(Op::Extended(0, 0), 1);
//! # let chunk = b.build();
//! let mut vm = VM::new(chunk);
//! vm.set_extension_handler(Box::new(|vm, id, arg| {
//!     match id {
//!         0 => { /* language-specific op 0 */ }
//!         1 => { /* language-specific op 1 */ }
//!         _ => {}
//!     }
//! }));
//! # vm.run();
//! ```
//!
//! Code over integers can be asked of the scalar JIT:
//!
//! ```
//! use fusevm::{JitCompiler, ChunkBuilder, Op, Value};
//!
//! let mut b = ChunkBuilder::new();
//! b.emit(Op::LoadInt(40), 1);
//! b.emit(Op::LoadInt(2), 1);
//! b.emit(Op::Add, 1);
//! let chunk = b.build();
//!
//! let jit = JitCompiler::new();
//! if jit.is_linear_eligible(&chunk) {
//!     // Compiles to native x86-64/aarch64, caches, and runs
//!     let result = jit.try_run_linear(&chunk, &[]);  // Some(Int(42))
//! }
//! ```
//!
//! Nothing that a program or a file holds is trusted: what a run may use up is bounded by
//! [`Limits`](vm::Limits), what it may do by a [`Policy`](host::Policy), and it ends in a
//! [`Trap`](vm::Trap) that says why and where.

pub mod asm;
pub mod chunk;
pub mod code;
mod descriptors;
mod digest;
pub mod engine;
pub mod format;
pub mod guide;
pub mod host;
pub mod jit;
pub(crate) mod lower;
pub mod op;
pub mod shell_builtins;
pub mod value;
pub mod verify;
pub mod vm;

pub use chunk::{Chunk, ChunkBuilder};
pub use engine::Engine;
pub use format::{Module, ModuleWriter};
pub use jit::{JitCompiler, JitExtension, NativeCode};
pub use op::Op;
pub use value::Value;
pub use vm::{Frame, VM, VMResult};

// Embedders move VMs and builders between threads, and share the rest.
const _: () = {
    const fn is_send<T: Send>() {}
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send::<VM>();
    is_send::<ChunkBuilder>();
    is_send_and_sync::<Engine>();
    is_send_and_sync::<engine::Unit>();
    is_send_and_sync::<Value>();
    is_send_and_sync::<Chunk>();
    is_send_and_sync::<Op>();
    is_send_and_sync::<Frame>();
    is_send_and_sync::<VMResult>();
    is_send_and_sync::<JitCompiler>();
};

/// The Rust code of the first page compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
