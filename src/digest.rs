//! BLAKE3 in one of two ways, which give the same.
//!
//! The fast one asks the processor what it can do before its first hash, three times, and in a virtual
//! machine each time the hypervisor answers: 17 to 30 µs, in which the plain one hashes 35 to 60 KiB. So what
//! a process hashes first goes the plain way: names, roots, chunks, native code. What hashes whole files goes
//! the fast way at once, and isn't here.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes a process hashes the plain way. A hash counts as one block more than its bytes.
const PLAIN: usize = 64 << 10;
/// What BLAKE3 compresses at a time, in bytes.
const BLOCK: usize = 64;

/// How many it has.
static HASHED: Allowance = Allowance::new(PLAIN);

/// A number of bytes that a process may spend, from any thread.
pub(crate) struct Allowance {
    most: usize,
    spent: AtomicUsize,
}

impl Allowance {
    /// One of `most` bytes, none of them spent.
    pub(crate) const fn new(most: usize) -> Allowance {
        Allowance {
            most,
            spent: AtomicUsize::new(0),
        }
    }

    /// Spends this many bytes, if they are left; threads at once may spend a little more than there is.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let spent = self.spent.load(Ordering::Relaxed);
        let is_left = bytes <= self.most.saturating_sub(spent);
        if is_left {
            self.spent.fetch_add(bytes, Ordering::Relaxed);
        }
        is_left
    }

    /// How many are spent.
    #[cfg(test)]
    pub(crate) fn spent(&self) -> usize {
        self.spent.load(Ordering::Relaxed)
    }
}

/// What BLAKE3 is used as.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// A hash.
    Plain,
    /// A hash that only those can make who have the key.
    #[cfg_attr(
        not(feature = "jit"),
        allow(dead_code, reason = "packs of native code")
    )]
    Keyed(&'a [u8; 32]),
    /// A hash for one purpose, which the context names.
    #[cfg_attr(
        not(feature = "jit"),
        allow(dead_code, reason = "packs of native code")
    )]
    Context(&'a str),
}

/// The hash of these bytes.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(Mode::Plain, &[bytes])
}

/// The hash of these parts, one behind the other.
pub(crate) fn digest(mode: Mode<'_>, parts: &[&[u8]]) -> [u8; 32] {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    match HASHED.spend(length.saturating_add(BLOCK)) {
        true => plainly(mode, parts),
        false => fast(mode, parts),
    }
}

/// The hash by the library of this name.
macro_rules! by {
    ($library:ident, $mode:expr, $parts:expr) => {{
        let mut hasher = match $mode {
            Mode::Plain => $library::Hasher::new(),
            Mode::Keyed(key) => $library::Hasher::new_keyed(key),
            Mode::Context(context) => $library::Hasher::new_derive_key(context),
        };
        for part in $parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }};
}

fn plainly(mode: Mode<'_>, parts: &[&[u8]]) -> [u8; 32] {
    by!(blake3_plain, mode, parts)
}

fn fast(mode: Mode<'_>, parts: &[&[u8]]) -> [u8; 32] {
    by!(blake3, mode, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|n| ((n * n) >> 5) as u8).collect();
        let lengths = (0..200)
            .chain(960..1_100)
            .chain([2_048, 2_049, 7_167, 20_000]);
        for length in lengths {
            let part = &bytes[..length];
            for mode in [Mode::Plain, Mode::Keyed(&[7; 32]), Mode::Context("a test")] {
                let whole = plainly(mode, &[part]);
                assert_eq!(whole, fast(mode, &[part]), "{length}");
                let (start, end) = part.split_at(length / 3);
                assert_eq!(whole, plainly(mode, &[start, &[], end]), "{length}");
            }
        }
        assert_eq!(
            blake3::Hash::from(plainly(Mode::Plain, &[b"abc"]))
                .to_hex()
                .as_str(),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
        );
    }

    #[test]
    fn a_process_that_hashes_much_goes_the_fast_way() {
        for n in 0..PLAIN {
            assert_eq!(
                hash(&n.to_le_bytes()),
                *blake3::hash(&n.to_le_bytes()).as_bytes()
            );
        }
        assert!(HASHED.spent() > PLAIN - 2 * BLOCK);
    }
}
