//! The first stage (4.2): the sizes and tables of a chunk, before its code.

use super::{
    CodeView, MAX_OPS, MAX_TABLE, Verifier,
    error::{Full, Reports},
    shape::{Arity, NONE, SubShape},
};
use crate::{
    chunk::{Effect, ImportKind},
    code::Code,
};

/// Checks sizes, subs, blocks and imports, in this order, and prepares for the other stages.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    check_with(verifier, view, view.ops.len(), reports)
}

/// As [`check`], of a chunk with so many ops.
pub(super) fn check_with(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    ops: usize,
    reports: &mut Reports,
) -> Result<(), Full> {
    check_sizes(view, ops, reports)?;
    check_subs(view, ops, reports)?;
    check_blocks(view, ops, reports)?;
    check_imports(view, reports)?;
    if reports.errors.is_empty() {
        verifier.index_subs(view);
    }
    Ok(())
}

impl Verifier {
    fn index_subs(&mut self, view: &CodeView<'_>) {
        let subs = &mut self.shape.subs;
        subs.clear();
        subs.extend(view.subs.iter().enumerate().map(|(row, sub)| SubShape {
            argc: sub.argc.unwrap_or(0),
            returns: Arity::Never,
            region: row + 1,
        }));
        self.sub_of_name.clear();
        if view.subs.is_empty() {
            return;
        }
        self.sub_of_name.resize(view.names, NONE);
        // Of two subs of a name the first counts.
        for (row, sub) in view.subs.iter().enumerate().rev() {
            self.sub_of_name[usize::from(sub.name)] = row as u32;
        }
    }
}

fn check_sizes(view: &CodeView<'_>, ops: usize, reports: &mut Reports) -> Result<(), Full> {
    let sizes = [
        ("ops", ops, MAX_OPS),
        ("constants", view.constants, MAX_TABLE),
        ("names", view.names, MAX_TABLE),
        ("subs", view.subs.len(), MAX_TABLE),
        ("blocks", view.blocks.len(), MAX_TABLE),
        ("imports", view.imports.len(), MAX_TABLE),
    ];
    for (what, size, limit) in sizes {
        if size > limit {
            let detail = format!("{size} {what}, at most {limit} are allowed");
            reports.table(Code::OverLimit, detail)?;
        }
    }
    Ok(())
}

fn check_subs(view: &CodeView<'_>, ops: usize, reports: &mut Reports) -> Result<(), Full> {
    for (row, sub) in view.subs.iter().enumerate() {
        if usize::from(sub.name) >= view.names {
            let (name, names) = (sub.name, view.names);
            let detail = format!("sub {row} has name {name} of {names}");
            reports.table(Code::BadName, detail)?;
        }
        if sub.entry >= ops {
            let entry = sub.entry;
            let detail = format!("sub {row} begins at op {entry} of {ops}");
            reports.table(Code::BadSub, detail)?;
        }
    }
    Ok(())
}

fn check_blocks(view: &CodeView<'_>, ops: usize, reports: &mut Reports) -> Result<(), Full> {
    for (row, &(start, end)) in view.blocks.iter().enumerate() {
        if start > end || end > ops {
            let detail = format!("block {row} goes from op {start} to {end} of {ops}");
            reports.table(Code::BadBlock, detail)?;
        }
    }
    Ok(())
}

fn check_imports(view: &CodeView<'_>, reports: &mut Reports) -> Result<(), Full> {
    let mut last = None;
    for (row, import) in view.imports.iter().enumerate() {
        let key = (import.kind, import.id);
        if last.is_some_and(|last| last >= key) {
            let detail = format!("import {row} doesn't stand behind the one before it");
            reports.table(Code::BadImport, detail)?;
        }
        last = Some(key);
        if import.kind == ImportKind::Function && usize::from(import.id) >= view.names {
            let (name, names) = (import.id, view.names);
            let detail = format!("import {row} has name {name} of {names}");
            reports.table(Code::BadName, detail)?;
        }
        let by_arguments = matches!(import.effect, Effect::Arguments { .. });
        if import.kind == ImportKind::ExtensionWide && by_arguments {
            let detail = format!("import {row} goes by an argument count that its op doesn't have");
            reports.table(Code::BadImport, detail)?;
        }
    }
    Ok(())
}
