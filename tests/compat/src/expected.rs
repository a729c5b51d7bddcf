//! The differences that chapter 5 of the specification and the changelog announce.

/// Cases whose outcome differs, and why.
pub(crate) const EXPECTED: &[(&str, &str)] = &[
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
