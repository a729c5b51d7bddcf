//! Where the buffers behind values keep things, for native code that reads them.
//!
//! The fields of vectors have no names outside of their crates, so they are looked up once in some whose
//! contents are known. What isn't found would be an offset of a word that isn't asked for; the tests see that
//! all are.

#![allow(unsafe_code)]

use smallvec::SmallVec;
use triomphe::Arc;

/// Offsets of a vector's fields.
pub(super) struct VecLayout {
    pub(super) items: i32,
    pub(super) len: i32,
    pub(super) capacity: i32,
}

/// The place of a word among these, in bytes.
fn place_of(words: &[usize], wanted: usize) -> i32 {
    let place = words.iter().position(|word| *word == wanted);
    debug_assert!(place.is_some(), "{wanted} in {words:?}");
    (place.unwrap_or_default() * size_of::<usize>()) as i32
}

impl VecLayout {
    /// That of vectors of such elements.
    pub(super) fn of<T>(one: T) -> VecLayout {
        const WORDS: usize = size_of::<Vec<u64>>() / size_of::<usize>();
        let mut items = Vec::with_capacity(5);
        items.push(one);
        // SAFETY: every vector is three words, of which none is padding.
        let words: [usize; WORDS] =
            unsafe { std::ptr::from_ref(&items).cast::<[usize; WORDS]>().read() };
        VecLayout {
            items: place_of(&words, items.as_ptr().addr()),
            len: place_of(&words, items.len()),
            capacity: place_of(&words, items.capacity()),
        }
    }
}

/// Offsets of what byte strings that may be inline keep.
pub(super) struct BytesLayout {
    /// Of the length, if it is no more than what is inline; of the capacity otherwise.
    pub(super) inline: i32,
    /// Of the length otherwise. There is a word in every case.
    pub(super) spilled: i32,
    /// Of the first byte of what is inline; of the address of the bytes otherwise.
    pub(super) items: i32,
}

impl BytesLayout {
    /// That of strings of which `INLINE` bytes are inline.
    pub(super) fn of<const INLINE: usize>() -> BytesLayout
    where
        [u8; INLINE]: smallvec::Array<Item = u8>,
    {
        /// The words that are looked through; a string has no fewer.
        const WORDS: usize = 3;
        let mut bytes = SmallVec::<[u8; INLINE]>::with_capacity(INLINE * 2 + 1);
        bytes.push(1);
        assert!(size_of_val(&bytes) >= WORDS * size_of::<usize>());
        // SAFETY: a string on the heap has three words that are written: capacity, address and length. They are
        // the first ones, as the bytes of one that is inline begin where the address does.
        let words: [usize; WORDS] =
            unsafe { std::ptr::from_ref(&bytes).cast::<[usize; WORDS]>().read() };
        BytesLayout {
            inline: place_of(&words, bytes.capacity()),
            spilled: place_of(&words, bytes.len()),
            items: place_of(&words, bytes.as_ptr().addr()),
        }
    }
}

/// How far behind what a counted pointer points to its contents begin.
pub(super) fn behind_count<T>(counted: &Arc<T>) -> i32 {
    // SAFETY: it is one pointer.
    let start = unsafe { std::ptr::from_ref(counted).cast::<usize>().read() };
    (Arc::as_ptr(counted).addr() - start) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let vec = VecLayout::of(7_u64);
        let mut places = [vec.items, vec.len, vec.capacity];
        places.sort_unstable();
        assert_eq!(places, [0, 8, 16]);
        let bytes = BytesLayout::of::<24>();
        let mut places = [bytes.inline, bytes.spilled, bytes.items];
        places.sort_unstable();
        assert_eq!(places, [0, 8, 16]);
    }

    /// A short string's length is where its capacity is otherwise, its bytes where their address is.
    #[test]
    fn short_strings_have_their_length_first() {
        let layout = BytesLayout::of::<24>();
        let bytes = SmallVec::<[u8; 24]>::from_slice(b"short");
        let place = std::ptr::from_ref(&bytes).cast::<u8>();
        // SAFETY: the word is one of the string's own, which is always written.
        let len = unsafe { place.add(layout.inline as usize).cast::<usize>().read() };
        assert_eq!(len, 5);
        assert_eq!(place.addr() + layout.items as usize, bytes.as_ptr().addr());
    }
}
