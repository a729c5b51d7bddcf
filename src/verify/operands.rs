//! The second stage (4.3): each op by itself, reachable or not.
//!
//! [`Verifier::take_all`] has compared the only operand of most ops with a limit. Here is what takes more.

use super::{
    CodeView, ImportRow, MAX_TABLE, Sizes, Verifier,
    error::{Full, Reports},
    shape::NONE,
    step::{Class, Meaning, STEPS, Step, check_operands},
};
use crate::{
    chunk::{Effect, ImportKind, Touches},
    code::Code,
    op::Op,
};

/// Checks the operands of the ops that are not clear, in the order of the code.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    verifier.calls.clear();
    verifier.segments.clear();
    for i in 0..verifier.unclear.len() {
        let at = verifier.unclear[i] as usize;
        verifier.steps[at] = verifier.step(view, reports, at)?;
        if let Some(mark) = view.ops[at].mark() {
            verifier.segments.note(at, mark);
        }
    }
    verifier.segments.pair(view.ops.len());
    Ok(())
}

/// What the numbers of ops stay below, by their meaning.
pub(super) fn limits(sizes: Sizes) -> [usize; Meaning::COUNT] {
    let mut limits = [MAX_TABLE; Meaning::COUNT];
    limits[Meaning::Const as usize] = sizes.constants;
    limits[Meaning::Name as usize] = sizes.names;
    limits[Meaning::Block as usize] = sizes.blocks;
    limits[Meaning::Target as usize] = sizes.ops + 1;
    // Nothing is below.
    limits[Meaning::Complex as usize] = 0;
    limits
}

/// What an op calls.
pub(super) enum Callee<'a> {
    /// The sub in this row.
    Sub(usize),
    /// A row of the import table, if there is one.
    Import(Option<&'a ImportRow>),
}

impl Verifier {
    /// The step of an op that has several operands, a declared effect or an error.
    fn step(
        &mut self,
        view: &CodeView<'_>,
        reports: &mut Reports,
        at: usize,
    ) -> Result<Step, Full> {
        let op = &view.ops[at];
        let sizes = Sizes::of(view);
        let step = match check_operands(op, sizes) {
            Ok(()) if STEPS[usize::from(op.opcode())].class() == Class::Declared => {
                self.declared_step(view, at)
            }
            Ok(()) => Ok(Step::compute(op)),
            Err(code) => Err((code, out_of_range(code, op, sizes))),
        };
        match step {
            Ok(step) => Ok(step),
            Err((code, detail)) => {
                reports.at(code, view.ops, at, detail)?;
                Ok(Step::REFUSED)
            }
        }
    }

    /// The step of an op whose effect the table of subs or imports declares; that of a call of a sub
    /// is known later.
    fn declared_step(&mut self, view: &CodeView<'_>, at: usize) -> Result<Step, (Code, String)> {
        let op = &view.ops[at];
        match self.callee(view, op) {
            Some((Callee::Sub(_), _)) => {
                self.calls.push(at as u32);
                Ok(Step::REFUSED)
            }
            Some((Callee::Import(Some(import)), argc)) => {
                Ok(import_step(import, argc).unwrap_or(Step::REFUSED))
            }
            Some((Callee::Import(None), _)) | None => {
                let detail = format!("{op:?} has no row in the import table");
                Err((Code::BadImport, detail))
            }
        }
    }

    /// As the function [`callee`].
    pub(super) fn callee<'a>(&self, view: &CodeView<'a>, op: &Op) -> Option<(Callee<'a>, u8)> {
        callee(&self.sub_of_name, view, op)
    }
}

/// What an op calls, and with how many arguments; `sub_of_name` has the first sub of each name.
pub(super) fn callee<'a>(
    sub_of_name: &[u32],
    view: &CodeView<'a>,
    op: &Op,
) -> Option<(Callee<'a>, u8)> {
    let (kind, id, argc) = match *op {
        Op::Call(name, argc) => match sub_of_name.get(usize::from(name)) {
            None | Some(&NONE) => (ImportKind::Function, name, argc),
            Some(row) => return Some((Callee::Sub(*row as usize), argc)),
        },
        Op::CallBuiltin(id, argc) => (ImportKind::Builtin, id, argc),
        Op::Extended(id, arg) => (ImportKind::Extension, id, arg),
        Op::ExtendedWide(id, _) => (ImportKind::ExtensionWide, id, 0),
        _ => return None,
    };
    Some((Callee::Import(view.import(kind, id)), argc))
}

/// The step of a call of an import.
///
/// # Errors
/// The code for the rule that keeps it from strict chunks.
pub(super) fn import_step(import: &ImportRow, argc: u8) -> Result<Step, Code> {
    let step = match import.effect {
        Effect::Arguments { pushes } => Step::effect(u16::from(argc), pushes),
        Effect::Fixed { pops, pushes } => Step::effect(u16::from(pops), pushes),
        Effect::Unknown => return Err(Code::UnknownEffect),
    };
    if import.touches.contains(Touches::FRAMES) {
        return Err(Code::TouchesFrames);
    }
    Ok(step)
}

fn out_of_range(code: Code, op: &Op, sizes: Sizes) -> String {
    let (what, size) = match code {
        Code::BadConstant => ("constants", sizes.constants),
        Code::BadName => ("names", sizes.names),
        Code::BadBlock => ("blocks", sizes.blocks),
        _ => ("ops", sizes.ops),
    };
    format!("{op:?} in a chunk with {size} {what}")
}
