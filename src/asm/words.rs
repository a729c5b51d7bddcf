//! Words that stand for numbers: the codes that some ops take, and those of imports.

use crate::chunk::{ImportKind, Touches};
use crate::op::{OperandInfo, OperandKind, file_test, param_mod, redirect_op};

/// The words for an operand's codes; empty where the codes are the frontend's own.
pub(super) fn of_codes(operand: &OperandInfo) -> &'static [(u8, &'static str)] {
    match (operand.kind, operand.name) {
        (OperandKind::Code, "test") => FILE_TESTS,
        (OperandKind::Code, "op") => REDIRECTIONS,
        (OperandKind::Code, "modifier") => MODIFIERS,
        _ => &[],
    }
}

const FILE_TESTS: &[(u8, &str)] = &[
    (file_test::IS_FILE, "is_file"),
    (file_test::IS_DIR, "is_dir"),
    (file_test::IS_READABLE, "is_readable"),
    (file_test::IS_WRITABLE, "is_writable"),
    (file_test::IS_EXECUTABLE, "is_executable"),
    (file_test::EXISTS, "exists"),
    (file_test::IS_NONEMPTY, "is_nonempty"),
    (file_test::IS_SYMLINK, "is_symlink"),
    (file_test::IS_SOCKET, "is_socket"),
    (file_test::IS_FIFO, "is_fifo"),
    (file_test::IS_BLOCK_DEV, "is_block_dev"),
    (file_test::IS_CHAR_DEV, "is_char_dev"),
];

const REDIRECTIONS: &[(u8, &str)] = &[
    (redirect_op::WRITE, "write"),
    (redirect_op::APPEND, "append"),
    (redirect_op::READ, "read"),
    (redirect_op::READ_WRITE, "read_write"),
    (redirect_op::CLOBBER, "clobber"),
    (redirect_op::DUP_READ, "dup_read"),
    (redirect_op::DUP_WRITE, "dup_write"),
    (redirect_op::WRITE_BOTH, "write_both"),
    (redirect_op::APPEND_BOTH, "append_both"),
];

const MODIFIERS: &[(u8, &str)] = &[
    (param_mod::DEFAULT, "default"),
    (param_mod::ASSIGN, "assign"),
    (param_mod::ERROR, "error"),
    (param_mod::ALTERNATE, "alternate"),
    (param_mod::LENGTH, "length"),
    (param_mod::STRIP_SHORT, "strip_short"),
    (param_mod::STRIP_LONG, "strip_long"),
    (param_mod::RSTRIP_SHORT, "rstrip_short"),
    (param_mod::RSTRIP_LONG, "rstrip_long"),
    (param_mod::SUBST_FIRST, "subst_first"),
    (param_mod::SUBST_ALL, "subst_all"),
    (param_mod::UPPER, "upper"),
    (param_mod::LOWER, "lower"),
    (param_mod::UPPER_FIRST, "upper_first"),
    (param_mod::LOWER_FIRST, "lower_first"),
    (param_mod::INDIRECT, "indirect"),
    (param_mod::KEYS, "keys"),
    (param_mod::SLICE, "slice"),
];

/// The words for what is imported.
pub(super) const IMPORT_KINDS: &[(ImportKind, &str)] = &[
    (ImportKind::Builtin, "builtin"),
    (ImportKind::Extension, "extension"),
    (ImportKind::ExtensionWide, "extension_wide"),
    (ImportKind::Function, "function"),
];

/// The words for what a handler may touch; `everything` is all of it, `nothing` none.
pub(super) const TOUCHES: &[(Touches, &str)] = &[
    (Touches::GLOBALS, "globals"),
    (Touches::SLOTS, "slots"),
    (Touches::FRAMES, "frames"),
];

/// The words that begin a clause of an import, and so can't stand bare as its name.
pub(super) const IMPORT_CLAUSES: &[&str] = &["space", "pops", "unknown", "touches"];

/// Of the candidates the one most like `word`, if one is like it.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let near =
        candidates.map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate));
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.len().div_ceil(3)).then_some(candidate)
}

/// How many bytes must be put in, left out or replaced to get from one to the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, byte) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
