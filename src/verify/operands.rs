//! The second stage (4.3): each op by itself, in the order of the code, reachable or not.
//!
//! It leaves a [`Step`] for each op, and for each sub the argument count of its first call.

use super::{
    CodeView, Verifier,
    error::{Full, Reports},
    shape::NONE,
    step::{Class, Ranges, STEPS, Step, check_operands},
};
use crate::{
    chunk::{Effect, ImportKind, Touches},
    code::Code,
    op::Op,
};

/// What the code says about a sub.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubCalls {
    /// Its argument count: declared, or that of the first call.
    pub(super) argc: Option<u8>,
    /// Whether an op of the chunk calls it.
    pub(super) called: bool,
}

/// Checks the operands of every op.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    let ranges = Ranges {
        ops: view.ops.len(),
        constants: view.constants,
        names: view.names,
        blocks: view.blocks.len(),
    };
    verifier.index_subs(view);
    verifier.steps.clear();
    verifier.steps.reserve(view.ops.len());
    for (at, op) in view.ops.iter().enumerate() {
        let mut step = STEPS[usize::from(op.opcode())];
        match step.class() {
            Class::Computed => step = Step::compute(op),
            Class::Declared => match verifier.declared(view, at, op) {
                Some(declared) => step = declared,
                None => reports.at(Code::BadImport, view.ops, at, not_imported(op))?,
            },
            _ => {}
        }
        match check_operands(op, &ranges) {
            Ok(slots) => step.slots = slots,
            Err(code) => reports.at(code, view.ops, at, out_of_range(code, op, &ranges))?,
        }
        verifier.steps.push(step);
    }
    Ok(())
}

impl Verifier {
    /// Fills the tables of subs by name and of argument counts.
    fn index_subs(&mut self, view: &CodeView<'_>) {
        self.calls.clear();
        self.sub_of_name.clear();
        self.subs.clear();
        self.subs.extend(view.subs.iter().map(|sub| SubCalls {
            argc: sub.argc,
            called: false,
        }));
        if view.subs.is_empty() {
            return;
        }
        self.sub_of_name.resize(view.names, NONE);
        // Of two subs of a name the first counts.
        for (row, sub) in view.subs.iter().enumerate().rev() {
            self.sub_of_name[usize::from(sub.name)] = row as u32;
        }
    }

    /// The sub of the chunk that a call of this name goes to.
    pub(super) fn sub_of(&self, name: u16) -> Option<usize> {
        let row = *self.sub_of_name.get(usize::from(name))?;
        (row != NONE).then_some(row as usize)
    }

    /// The step of an op whose effect the table of subs or imports declares; `None` if it doesn't.
    fn declared(&mut self, view: &CodeView<'_>, at: usize, op: &Op) -> Option<Step> {
        let (kind, id, count) = match *op {
            Op::Call(name, argc) => {
                if let Some(row) = self.sub_of(name) {
                    self.calls.push(at as u32);
                    self.subs[row].called = true;
                    self.subs[row].argc.get_or_insert(argc);
                    return Some(Step::effect(0, 0).with_class(Class::CallSub));
                }
                (ImportKind::Function, name, argc)
            }
            Op::CallBuiltin(id, argc) => (ImportKind::Builtin, id, argc),
            Op::Extended(id, arg) => (ImportKind::Extension, id, arg),
            Op::ExtendedWide(id, _) => (ImportKind::ExtensionWide, id, 0),
            _ => return None,
        };
        let import = view.import(kind, id)?;
        let step = match import.effect {
            Effect::Arguments { pushes } => Step::effect(u16::from(count), pushes),
            Effect::Fixed { pops, pushes } => Step::effect(u16::from(pops), pushes),
            Effect::Unknown => Step::effect(0, 0).with_class(Class::Refused),
        };
        if import.touches.contains(Touches::FRAMES) {
            return Some(step.with_class(Class::Refused));
        }
        Some(step)
    }
}

fn out_of_range(code: Code, op: &Op, ranges: &Ranges) -> String {
    let (what, size) = match code {
        Code::BadConstant => ("constants", ranges.constants),
        Code::BadName => ("names", ranges.names),
        Code::BadBlock => ("blocks", ranges.blocks),
        _ => ("ops", ranges.ops),
    };
    format!("{op:?} in a chunk with {size} {what}")
}

fn not_imported(op: &Op) -> String {
    format!("{op:?} has no row in the import table")
}
