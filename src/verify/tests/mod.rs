//! Whether each rule holds, in time, and as a second verifier that goes by the specification sees it.

mod bounds;
mod model;
mod rules;

use super::{CodeView, ImportRow, Shape, Sub, VerifyError};
use crate::op::Op;

/// A chunk's parts, owned.
#[derive(Debug, Clone, Default)]
struct Sample {
    ops: Vec<Op>,
    constants: usize,
    names: usize,
    subs: Vec<Sub>,
    blocks: Vec<(usize, usize)>,
    imports: Vec<ImportRow>,
}

impl Sample {
    /// Ops in a chunk with a few constants and names.
    fn new(ops: Vec<Op>) -> Self {
        Sample {
            ops,
            constants: 2,
            names: 4,
            ..Sample::default()
        }
    }

    fn sub(mut self, name: u16, entry: usize, argc: Option<u8>) -> Self {
        self.subs.push(Sub { name, entry, argc });
        self
    }

    fn block(mut self, start: usize, end: usize) -> Self {
        self.blocks.push((start, end));
        self
    }

    fn import(mut self, row: ImportRow) -> Self {
        self.imports.push(row);
        self
    }

    fn view(&self) -> CodeView<'_> {
        CodeView {
            ops: &self.ops,
            constants: self.constants,
            names: self.names,
            subs: &self.subs,
            blocks: &self.blocks,
            imports: &self.imports,
        }
    }

    fn verify(&self) -> Result<Shape, VerifyError> {
        super::verify(&self.view())
    }
}
