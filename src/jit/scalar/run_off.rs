//! In the place of `run` where the crate is built without the JIT: nothing runs.

use crate::chunk::Chunk;
use crate::value::Value;

/// Runs nothing.
#[derive(Default)]
pub(super) struct Runner;

/// What a run would have left.
pub(super) struct Ran {
    pub(super) result: Option<Value>,
    pub(super) slots: Vec<Value>,
}

impl Runner {
    /// Nothing.
    pub(super) fn run(&self, _chunk: &Chunk, _slots: &[i64]) -> Option<Ran> {
        None
    }
}
