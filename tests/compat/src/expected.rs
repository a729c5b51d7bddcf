//! The differences that chapter 5 of the specification and the changelog announce.

/// Cases whose outcome differs, and why.
pub(crate) fn expected() -> impl Iterator<Item = (&'static str, &'static str)> {
    let native = if cfg!(feature = "jit") { NATIVE } else { &[] };
    EXPECTED.iter().chain(native).copied()
}

/// Those with native code only: without it, neither crate's scalar entry points answer.
const NATIVE: &[(&str, &str)] = &[
    (
        "jit: block",
        "the first call is answered, where the published JIT waits until the chunk is hot",
    ),
    (
        "jit: block float",
        "a slot that holds a Float is none that could be written back, where it was truncated",
    ),
    (
        "jit: short slots",
        "too few slots are refused, where memory behind them was read",
    ),
    (
        "jit: division by zero",
        "nothing is answered, where the process died",
    ),
];

/// Those with and without native code.
const EXPECTED: &[(&str, &str)] = &[
    (
        "ranges and blocks",
        "blocks run here; the published interpreter goes past them",
    ),
    (
        "sorting",
        "arrays are sorted here; the published interpreter leaves them as they are",
    ),
    (
        "shell ops",
        "words are split and braces expanded here; the published interpreter leaves them",
    ),
    (
        "hash of what was serialized",
        "the hash is computed again when a chunk is read",
    ),
    (
        "return within a scope",
        "a return ends the innermost call, or the run",
    ),
    ("recursion without end", "a trap, where memory was used up"),
    ("a text of 2^62", "a trap, where the process was aborted"),
    ("a store at -1", "a trap, where the process panicked"),
    (
        "too many constants",
        "a panic with a message, where indices wrapped around",
    ),
    (
        "errors",
        "the text of an error has its code, its place and what can be done",
    ),
];
