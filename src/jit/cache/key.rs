//! What addresses native code: who made it, for which chunk, from what part of it.

use crate::digest::{self, Mode};

/// Who made the code: everything that decides which instructions a function becomes, and what those
/// instructions believe about the process they run in. It names the cache's directory, so that
/// machines with different processors and versions share a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(super) [u8; 32]);

/// A chunk as it was lowered: all functions of it are loaded together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeKey(pub(crate) [u8; 32]);

/// Which part of a chunk was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnitKey {
    pub(super) region: u32,
    pub(super) place: u32,
}

impl Fingerprint {
    /// The fingerprint of these facts, each with its name. They are told apart by name and length,
    /// so no two lists run together.
    pub(crate) fn of(facts: &[(&str, &[u8])]) -> Fingerprint {
        Fingerprint(digest("fusevm native code: who made it, 2", facts))
    }

    /// The name of the directory of this maker's packs.
    pub(super) fn directory(&self) -> String {
        hex(&self.0[..16])
    }
}

impl ScopeKey {
    /// The scope of the chunk with this hash. `linked` says that it was lowered as one of an engine's,
    /// whose calls may reach others; `globals` are the bytes that say where its names' globals are.
    pub(crate) fn of(chunk_hash: &[u8; 32], linked: bool, globals: &[u8]) -> ScopeKey {
        let linked = [u8::from(linked)];
        let facts: [(&str, &[u8]); 3] = [
            ("chunk", chunk_hash),
            ("linked", &linked),
            ("globals", globals),
        ];
        ScopeKey(digest("fusevm native code: a chunk, 2", &facts))
    }

    /// What the names of the scope's packs begin with.
    pub(super) fn stem(&self) -> String {
        hex(&self.0[..16])
    }
}

impl UnitKey {
    /// The place of what is entered by calls.
    const CALLED: u32 = u32::MAX;
    /// The code through which all other is entered. It belongs to no region.
    pub(crate) const TRAMPOLINE: UnitKey = UnitKey {
        region: u32::MAX,
        place: UnitKey::CALLED,
    };

    /// The sub of a region.
    pub(crate) fn sub(region: usize) -> Option<UnitKey> {
        Some(UnitKey {
            region: u32::try_from(region).ok()?,
            place: UnitKey::CALLED,
        })
    }

    /// A frame of a region, entered at a position of its code.
    pub(crate) fn frame(region: usize, position: usize) -> Option<UnitKey> {
        Some(UnitKey {
            region: u32::try_from(region).ok()?,
            place: u32::try_from(position).ok()?,
        })
    }

    /// The region; `None` for the trampoline.
    pub(crate) fn region(self) -> Option<usize> {
        (self != UnitKey::TRAMPOLINE).then_some(self.region as usize)
    }

    /// Where a frame is entered; `None` for what is called.
    pub(crate) fn position(self) -> Option<usize> {
        (self.place != UnitKey::CALLED).then_some(self.place as usize)
    }
}

/// BLAKE3 over named facts, in a context of its own.
fn digest(context: &str, facts: &[(&str, &[u8])]) -> [u8; 32] {
    let mut all = Vec::new();
    for (name, fact) in facts {
        for bytes in [name.as_bytes(), fact] {
            all.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            all.extend_from_slice(bytes);
        }
    }
    digest::digest(Mode::Context(context), &[&all])
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
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
    fn scopes_are_told_apart_by_each_fact() {
        let scopes = [
            ScopeKey::of(&[5; 32], false, b""),
            ScopeKey::of(&[6; 32], false, b""),
            ScopeKey::of(&[5; 32], true, b""),
            ScopeKey::of(&[5; 32], false, b"\0\0"),
        ];
        for (i, scope) in scopes.iter().enumerate() {
            assert!(!scopes[..i].contains(scope), "{i}");
            assert_eq!(scope.stem().len(), 32);
        }
    }

    #[test]
    fn units_say_what_they_are() {
        let (sub, frame) = (UnitKey::sub(3).unwrap(), UnitKey::frame(3, 7).unwrap());
        assert_eq!((sub.region(), sub.position()), (Some(3), None));
        assert_eq!((frame.region(), frame.position()), (Some(3), Some(7)));
        assert_eq!(UnitKey::TRAMPOLINE.region(), None);
        assert!(frame < sub);
    }
}
