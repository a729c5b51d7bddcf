//! What addresses native code: who made it, for which run, from what.

use std::fmt;

/// Who made the code: everything that decides which instructions a function becomes, and what those
/// instructions believe about the process they run in. It names the cache's directory, so that
/// machines with different processors and versions share a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(super) [u8; 32]);

/// What is loaded together: a program with what it uses, or whatever an embedder names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeKey(pub(super) [u8; 32]);

/// One compiled function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EntryKey(pub(super) [u8; 32]);

impl Fingerprint {
    /// The fingerprint of these facts, each with its name. They are told apart by name and length,
    /// so no two lists run together.
    pub(crate) fn of(facts: &[(&str, &[u8])]) -> Fingerprint {
        Fingerprint(digest("fusevm native code: who made it, 1", facts))
    }

    /// The name of the directory of this maker's packs.
    pub(super) fn directory(&self) -> String {
        Hex(&self.0[..16]).to_string()
    }
}

impl ScopeKey {
    /// The scope of these bytes: a chunk's hash, or an embedder's name for what it loads together.
    pub(crate) fn of(identity: &[u8]) -> ScopeKey {
        let facts: [(&str, &[u8]); 1] = [("scope", identity)];
        ScopeKey(digest("fusevm native code: loaded together, 1", &facts))
    }

    /// What the names of the scope's packs begin with.
    pub(super) fn stem(&self) -> String {
        Hex(&self.0[..16]).to_string()
    }
}

impl EntryKey {
    /// The key of a unit of the chunk with this hash. `unit` says which part of it was compiled, and
    /// under which assumptions.
    pub(crate) fn of(chunk_hash: &[u8; 32], unit: &[u8]) -> EntryKey {
        let facts: [(&str, &[u8]); 2] = [("chunk", chunk_hash), ("unit", unit)];
        EntryKey(digest("fusevm native code: a unit, 1", &facts))
    }
}

/// BLAKE3 over named facts, in a context of its own.
fn digest(context: &str, facts: &[(&str, &[u8])]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for (name, fact) in facts {
        for bytes in [name.as_bytes(), fact] {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
    }
    *hasher.finalize().as_bytes()
}

/// Bytes as lower-case hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_told_apart_by_name_and_length() {
        let lists: [&[(&str, &[u8])]; 4] = [
            &[("a", b"bc")],
            &[("ab", b"c")],
            &[("a", b"b"), ("", b"c")],
            &[("a", b"bc"), ("", b"")],
        ];
        let prints: Vec<Fingerprint> = lists.iter().map(|facts| Fingerprint::of(facts)).collect();
        for (i, print) in prints.iter().enumerate() {
            assert!(!prints[..i].contains(print), "{i}");
        }
    }

    #[test]
    fn keys_of_different_uses_never_agree() {
        let hash = [5; 32];
        assert_ne!(EntryKey::of(&hash, b"").0, ScopeKey::of(&hash).0);
        assert_ne!(EntryKey::of(&hash, b"a"), EntryKey::of(&hash, b"b"));
        assert_eq!(ScopeKey::of(&hash).stem().len(), 32);
    }
}
