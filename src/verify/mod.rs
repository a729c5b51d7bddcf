//! Verification: whether a chunk's stack heights can be proved, and what they are.
//!
//! [`verify`] takes code that may hold anything and gives its [`Shape`], or the first reason why the
//! chunk is not strict. The rules, and the order in which they are looked at, are those of chapter 4
//! of the specification; a `// 4.n` here names the section. Nothing is executed, and how bytes become
//! ops is `format`'s business.
//!
//! Time and memory are linear in the chunk, and nothing recurses.

mod arity;
mod error;
mod flow;
mod linear;
mod operands;
mod segments;
mod shape;
mod step;
mod tables;

pub use error::VerifyError;
pub(crate) use linear::Proof;
pub use shape::{Arity, NeedSet, Region, RegionKind, Scope, Shape, SubShape};

use crate::{
    chunk::{Chunk, Effect, Import, ImportKind, Touches},
    op::Op,
};
use error::{Full, Reports};
use segments::Segments;
use std::collections::{HashMap, VecDeque};
use step::{STEPS, Step, number};

/// The most ops that a chunk can have.
const MAX_OPS: usize = 1 << 24;

/// The most entries of a table that 16 bits index.
const MAX_TABLE: usize = 1 << 16;

/// The greatest height that the stack of a region can have, and the most scopes open at once.
const MAX_HEIGHT: u32 = 65_535;

/// How many errors [`verify_all`] collects at most.
const MAX_ERRORS: usize = 100;

/// The parts of a chunk that decide whether it is strict.
#[derive(Debug, Clone, Copy)]
pub struct CodeView<'a> {
    /// The instructions.
    pub ops: &'a [Op],
    /// How many constants there are.
    pub constants: usize,
    /// How many names there are.
    pub names: usize,
    /// The table of subs.
    pub subs: &'a [Sub],
    /// The block ranges: the first op and the op behind the last.
    pub blocks: &'a [(usize, usize)],
    /// The import table, sorted by kind and id.
    pub imports: &'a [ImportRow],
}

/// A row of the table of subs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sub {
    /// The index of its name.
    pub name: u16,
    /// The op that it begins with.
    pub entry: usize,
    /// How many arguments it takes, if that is declared.
    pub argc: Option<u8>,
}

/// A row of the import table, without the names that only the host needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRow {
    /// What it is.
    pub kind: ImportKind,
    /// The number that the op names it by; for a function the index of its name.
    pub id: u16,
    /// What it does to the stack.
    pub effect: Effect,
    /// What it may touch.
    pub touches: Touches,
}

impl<'a> CodeView<'a> {
    /// The row of the import table for what an op names by `kind` and `id`.
    fn import(&self, kind: ImportKind, id: u16) -> Option<&'a ImportRow> {
        let key = |row: &ImportRow| (row.kind, row.id);
        let index = self.imports.binary_search_by_key(&(kind, id), key).ok()?;
        Some(&self.imports[index])
    }
}

/// Proves the code strict and gives its shape.
///
/// # Errors
/// The first rule that it breaks, in the order that chapter 4 of the specification defines.
pub fn verify(view: &CodeView<'_>) -> Result<Shape, VerifyError> {
    let mut verifier = Verifier::new();
    verifier.verify(view)?;
    Ok(verifier.into_shape())
}

/// As [`verify`], for people: looks for more errors behind the first.
///
/// # Errors
/// Up to a hundred errors, the first of them [`verify`]'s. One that hides others is reported alone:
/// the flow of code with wrong operands isn't looked at.
pub fn verify_all(view: &CodeView<'_>) -> Result<Shape, Vec<VerifyError>> {
    let mut verifier = Verifier::new();
    verifier.take_all(view);
    match verifier.run(view, MAX_ERRORS) {
        errors if errors.is_empty() => Ok(verifier.shape),
        errors => Err(errors),
    }
}

/// As [`verify`], of a chunk in its authoring form.
///
/// # Errors
/// Those of [`verify`].
pub fn verify_chunk(chunk: &Chunk) -> Result<Shape, VerifyError> {
    let imports = import_rows(chunk);
    let subs = subs(chunk);
    verify(&CodeView {
        ops: &chunk.ops,
        constants: chunk.constants.len(),
        names: chunk.names.len(),
        subs: &subs,
        blocks: &chunk.block_ranges,
        imports: &imports,
    })
}

/// The rows of the chunk's import table; a function has one for each index that its name has.
fn import_rows(chunk: &Chunk) -> Vec<ImportRow> {
    let table = chunk.import_table();
    let row = |import: &Import, id| ImportRow {
        kind: import.kind,
        id,
        effect: import.effect,
        touches: import.touches,
    };
    // Sorted by kind, and functions are the last kind.
    let functions_at = table.partition_point(|import| import.kind != ImportKind::Function);
    let (handlers, functions) = table.split_at(functions_at);
    let mut rows: Vec<ImportRow> = handlers.iter().map(|i| row(i, i.id)).collect();
    let functions: HashMap<&str, &Import> =
        functions.iter().map(|i| (i.name.as_str(), i)).collect();
    for (index, name) in chunk.names.iter().take(MAX_TABLE).enumerate() {
        if let Some(import) = functions.get(name.as_str()) {
            rows.push(row(import, index as u16));
        }
    }
    rows
}

/// The chunk's table of subs, with the argument counts that it declares.
pub(crate) fn subs(chunk: &Chunk) -> Vec<Sub> {
    let mut declared: HashMap<u16, u8> = HashMap::new();
    for signature in &chunk.signatures {
        declared.entry(signature.name).or_insert(signature.argc);
    }
    let subs = chunk.sub_entries.iter().map(|&(name, entry)| Sub {
        name,
        entry,
        argc: declared.get(&name).copied(),
    });
    subs.collect()
}

/// How many entries the things of a chunk have that operands index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sizes {
    /// Ops.
    ops: usize,
    /// Constants.
    constants: usize,
    /// Names.
    names: usize,
    /// Blocks.
    blocks: usize,
}

impl Sizes {
    fn of(view: &CodeView<'_>) -> Self {
        Sizes {
            ops: view.ops.len(),
            constants: view.constants,
            names: view.names,
            blocks: view.blocks.len(),
        }
    }
}

/// Verifies chunks, one after the other with the same memory.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The result, valid after a run without errors.
    shape: Shape,
    /// What each op does, as far as the flow needs it.
    steps: Vec<Step>,
    /// Ops that a limit didn't clear.
    unclear: Vec<u32>,
    /// The first sub of each name, or `NONE`; empty where there are no subs.
    sub_of_name: Vec<u32>,
    /// The ops that call subs of the chunk.
    calls: Vec<u32>,
    /// What is between ops that pair.
    segments: Segments,
    /// Jumps and branches, as the pass through the code met them, and the other ops that it looked at one by
    /// one, with the places of their bytes.
    edges: Vec<linear::Edge>,
    looked_at: Vec<(u32, u32)>,
    /// Ops that a jump has reached; the pending ones of them are yet to be looked at.
    work: Vec<u32>,
    /// For each block how it is used; empty where none is.
    uses: Vec<Option<flow::BlockUse>>,
    /// Blocks that are used and not yet looked at, the next one first.
    pending: VecDeque<u32>,
}

impl Verifier {
    /// A verifier without memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// As the function [`verify`], but lends the shape.
    ///
    /// # Errors
    /// Those of the function.
    pub fn verify(&mut self, view: &CodeView<'_>) -> Result<&Shape, VerifyError> {
        self.take_all(view);
        match self.run(view, 1).into_iter().next() {
            None => Ok(&self.shape),
            Some(error) => Err(error),
        }
    }

    /// The shape that was found last.
    pub fn into_shape(self) -> Shape {
        self.shape
    }

    /// Makes the steps of the ops, and notes for the second stage those that a limit doesn't clear.
    fn take_all(&mut self, view: &CodeView<'_>) {
        let limits = operands::limits(Sizes::of(view));
        self.steps.clear();
        self.steps.reserve(view.ops.len());
        self.unclear.clear();
        for op in view.ops {
            let step = STEPS[usize::from(op.opcode())];
            let number = number(op);
            if number >= limits[step.meaning() as usize] {
                self.unclear.push(self.steps.len() as u32);
            }
            self.steps.push(step.with_number(number));
        }
    }

    /// Goes through the stages; one with errors is the last. Gives up to `limit` errors.
    fn run(&mut self, view: &CodeView<'_>, limit: usize) -> Vec<VerifyError> {
        let mut reports = Reports::new(limit);
        let stages: [Stage; 4] = [tables::check, operands::check, arity::check, flow::check];
        for stage in stages {
            let stopped = stage(self, view, &mut reports).is_err();
            if stopped || !reports.errors.is_empty() {
                break;
            }
        }
        reports.errors
    }
}

/// A stage: checks some rules, reports what breaks them, and ends early when that is enough.
type Stage = fn(&mut Verifier, &CodeView<'_>, &mut Reports) -> Result<(), Full>;

#[cfg(test)]
mod tests;
