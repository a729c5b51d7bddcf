//! The valid vectors: for each op a module of small chunks that show what it means, at the values at
//! which meanings part.
//!
//! What the chunks give is not stated here: the reference interpreter computes it, and the Python
//! package, written from the specification, has to agree.

mod cases;
mod collections;
mod edges;
mod fused;
pub mod invalid;
mod script;
mod segments;
pub mod text;

use fusevm::{Chunk, Value, op::OpInfo};

/// One chunk of a vector.
pub struct Case {
    /// The chunk's name.
    pub name: String,
    /// The program.
    pub chunk: Chunk,
}

/// The cases of an op; never empty.
pub fn cases(op: &OpInfo) -> Vec<Case> {
    let mut chunks = cases::of(op);
    let single = chunks.len() == 1;
    chunks
        .drain(..)
        .enumerate()
        .map(|(index, chunk)| Case {
            name: if single {
                op.mnemonic.to_owned()
            } else {
                format!("{}_{index}", op.mnemonic)
            },
            chunk,
        })
        .collect()
}

/// The values at which meanings part: those of the operators' tables, in their order.
pub fn edge_values() -> Vec<Value> {
    edges::values()
}

/// The lines of standard input that each case can read.
pub const INPUT: [&[u8]; 3] = [b"first", b"", b"\xff last"];
