//! The second stage (4.3): each op by itself, reachable or not.

use super::{
    CodeView, Verifier,
    error::{Full, Reports},
    shape::{Arity, NONE},
    step::{Class, ROWS, Ranges, Step, check_operands, number},
};
use crate::{
    chunk::{Effect, ImportKind, Touches},
    code::Code,
    op::Op,
};

/// Checks the operands of every op, in the order of the code.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    for at in 0..view.ops.len() {
        if let Err(code) = verifier.step(view, at) {
            reports.at(code, view.ops, at, detail(code, view, at))?;
        }
    }
    Ok(())
}

/// Whether the operands of the ops are right that no path leads to.
pub(super) fn unreachable_ops_are_right(verifier: &Verifier, view: &CodeView<'_>) -> bool {
    let scopes = verifier.shape.scope_of_op.iter().enumerate();
    let mut unreachable = scopes.filter(|(_, scope)| **scope == NONE);
    unreachable.all(|(at, _)| verifier.step(view, at).is_ok())
}

impl Verifier {
    /// The step of an op; of a call of a sub once the subs' shapes are known.
    ///
    /// # Errors
    /// The code for the first operand that is wrong, or for a call of what is not imported.
    #[inline]
    pub(super) fn step(&self, view: &CodeView<'_>, at: usize) -> Result<Step, Code> {
        let op = &view.ops[at];
        let row = &ROWS[usize::from(op.opcode())];
        let number = number(op);
        if number < self.limits[row.number as usize] {
            return Ok(row.step_with(number));
        }
        self.uncommon_step(view, op)
    }

    /// The step of an op that has several operands, or a declared effect, or is wrong.
    #[inline(never)]
    fn uncommon_step(&self, view: &CodeView<'_>, op: &Op) -> Result<Step, Code> {
        let ranges = Ranges {
            ops: view.ops.len(),
            constants: view.constants,
            names: view.names,
            blocks: view.blocks.len(),
        };
        let slots = check_operands(op, &ranges)?;
        let step = ROWS[usize::from(op.opcode())].step;
        let step = match step.class() {
            Class::Computed => Step::compute(op),
            Class::Declared => self.declared(view, op).ok_or(Code::BadImport)?,
            _ => step,
        };
        Ok(step.with_slots(slots))
    }

    /// The step of an op whose effect the table of subs or imports declares, if it does.
    fn declared(&self, view: &CodeView<'_>, op: &Op) -> Option<Step> {
        let (kind, id, count) = match *op {
            Op::Call(name, argc) => {
                if let Some(row) = self.sub_of(name) {
                    return Some(self.call(row, argc));
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
            Effect::Unknown => Step::REFUSED,
        };
        if import.touches.contains(Touches::FRAMES) {
            return Some(Step::REFUSED);
        }
        Some(step)
    }

    /// The step of a call of a sub of the chunk.
    fn call(&self, row: usize, argc: u8) -> Step {
        let sub = self.shape.subs[row];
        if argc != sub.argc {
            return Step::REFUSED;
        }
        Step::effect(u16::from(argc), u8::from(sub.returns == Arity::Value))
    }

    /// The sub of the chunk that a call of this name goes to.
    pub(super) fn sub_of(&self, name: u16) -> Option<usize> {
        let row = *self.sub_of_name.get(usize::from(name))?;
        (row != NONE).then_some(row as usize)
    }
}

/// The detail of an error of operands.
#[cold]
pub(super) fn detail(code: Code, view: &CodeView<'_>, at: usize) -> String {
    let op = &view.ops[at];
    let (what, size) = match code {
        Code::BadConstant => ("constants", view.constants),
        Code::BadName => ("names", view.names),
        Code::BadBlock => ("blocks", view.blocks.len()),
        Code::BadTarget => ("ops", view.ops.len()),
        _ => return format!("{op:?} has no row in the import table"),
    };
    format!("{op:?} in a chunk with {size} {what}")
}
