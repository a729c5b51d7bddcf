//! The entries of a table, in order, and the index over them.
//!
//! Of a million keys nearly each look misses the caches, so what counts is how many lines it touches:
//! one of the index, whose slots hold the hash beside the entry's place, and the entry
//! itself. That made the programs with large tables a third faster than `indexmap` and `hashbrown`,
//! whose index has two parts. Hashes are the caller's, see [`Key`](super::hash::Key).

use super::{Str, Value};

/// A key with its hash and its value.
#[derive(Clone)]
struct Entry {
    hash: u32,
    key: Str,
    value: Value,
}

/// An ordered list of entries with an index.
#[derive(Clone, Default)]
pub(super) struct Entries {
    list: Vec<Entry>,
    /// A power of two of slots, at least a fourth of them free; or none. A slot is 0, or has an
    /// entry's hash above the entry's place plus 1. An entry's slot is the first that was free from the
    /// one that its hash says.
    slots: Box<[u64]>,
}

const PLACE_BITS: u32 = 32;

/// The most entries of a table, as many as a slot can name. [`Work::fits_hash`](super::Work::fits_hash)
/// holds programs to it.
pub(super) const MAX_ENTRIES: u64 = (1 << PLACE_BITS) - 2;

fn slot_of(hash: u32, place: usize) -> u64 {
    let place = u32::try_from(place + 1).expect("fewer entries than a slot can name");
    (u64::from(hash) << PLACE_BITS) | u64::from(place)
}

fn place_in(slot: u64) -> usize {
    (slot as u32) as usize - 1
}

impl Entries {
    /// Without entries, with room for `capacity`.
    pub(super) fn with_capacity(capacity: usize) -> Entries {
        let mut entries = Entries {
            list: Vec::with_capacity(capacity),
            slots: Box::default(),
        };
        if capacity > 0 {
            entries.index_anew(capacity);
        }
        entries
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The key and value at a place.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<(&Str, &Value)> {
        self.list.get(place).map(|entry| (&entry.key, &entry.value))
    }

    /// The same, the value to be changed.
    #[inline]
    pub(super) fn at_mut(&mut self, place: usize) -> Option<(&Str, &mut Value)> {
        let entry = self.list.get_mut(place)?;
        Some((&entry.key, &mut entry.value))
    }

    /// The place of the entry of this hash whose key is the one.
    #[inline]
    pub(super) fn find(&self, hash: u32, is: impl Fn(&Str) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if slot >> PLACE_BITS == u64::from(hash) {
                let place = place_in(slot);
                if is(&self.list[place].key) {
                    return Some(place);
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Appends an entry with a key that isn't there yet.
    ///
    /// # Panics
    /// When there are [`MAX_ENTRIES`].
    #[inline]
    pub(super) fn push(&mut self, hash: u32, key: Str, value: Value) {
        if (self.list.len() + 1) * 4 > self.slots.len() * 3 {
            self.index_anew((self.list.len() + 1).max(6));
        }
        let slot = slot_of(hash, self.list.len());
        self.list.push(Entry { hash, key, value });
        let free = self.free_slot(hash);
        self.slots[free] = slot;
    }

    /// Removes the entry at `place`; the last one takes its place.
    pub(super) fn swap_remove(&mut self, place: usize) -> Value {
        let last = self.list.len() - 1;
        let removed = self.slot_at(place);
        self.free(removed);
        if place != last {
            let moved = self.slot_at(last);
            self.slots[moved] = slot_of(self.list[last].hash, place);
        }
        self.list.swap_remove(place).value
    }

    /// Where such entries keep things that are `at` so many bytes from what a hash points to.
    #[cfg(feature = "jit")]
    pub(super) fn layout(at: i32) -> crate::jit::abi::HashLayout {
        use std::mem::offset_of;
        let list = super::layout::VecLayout::of(Entry {
            hash: 0,
            key: Str::default(),
            value: Value::Undef,
        });
        let list_at = at + offset_of!(Entries, list) as i32;
        crate::jit::abi::HashLayout {
            count: 0,
            entries: list_at + list.items,
            len: list_at + list.len,
            entry_bytes: size_of::<Entry>() as i32,
            key: offset_of!(Entry, key) as i32,
            value: offset_of!(Entry, value) as i32,
        }
    }

    /// Bytes that list and index take.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Entry>() + self.slots.len() * size_of::<u64>()
    }

    /// Makes an index with room for `count` entries and half as many again.
    #[cold]
    fn index_anew(&mut self, count: usize) {
        let slots = (count * 2).next_power_of_two();
        self.slots = vec![0; slots].into_boxed_slice();
        for place in 0..self.list.len() {
            let hash = self.list[place].hash;
            let free = self.free_slot(hash);
            self.slots[free] = slot_of(hash, place);
        }
    }

    /// The first free slot for the hash.
    #[inline]
    fn free_slot(&self, hash: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        at
    }

    /// The slot of the entry at `place`.
    fn slot_at(&self, place: usize) -> usize {
        let mask = self.slots.len() - 1;
        let hash = self.list[place].hash;
        let slot = slot_of(hash, place);
        let mut at = hash as usize & mask;
        while self.slots[at] != slot {
            at = (at + 1) & mask;
        }
        at
    }

    /// Frees a slot, and moves back into it what would no longer be found behind it.
    fn free(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let home = self.list[place_in(slot)].hash as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = 0;
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter(self.list.iter())
    }

    pub(super) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Str, &mut Value)> {
        let entries = self.list.iter_mut();
        entries.map(|entry| (&entry.key, &mut entry.value))
    }

    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.list.iter().map(|entry| &entry.value)
    }
}

/// The entries of a [`Map`](super::Map) in order.
#[derive(Clone)]
pub struct Iter<'a>(std::slice::Iter<'a, Entry>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Str, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| (&entry.key, &entry.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|entry| (&entry.key, &entry.value))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// The entries of a [`Map`](super::Map) in order, taken out of it.
pub struct IntoIter(std::vec::IntoIter<Entry>);

impl Iterator for IntoIter {
    type Item = (Str, Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| (entry.key, entry.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}

impl IntoIterator for Entries {
    type Item = (Str, Value);
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.list.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few hashes, so that slots collide; the order is that of a list with `swap_remove`.
    #[test]
    fn agrees_with_a_list() {
        let mut entries = Entries::default();
        let mut list: Vec<(u64, i64)> = Vec::new();
        let mut random: u64 = 1;
        for _ in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let n = random % 97;
            let hash = ((n % 11) << 20 | (n % 7)) as u32;
            let key = n.to_string();
            let found = entries.find(hash, |other| other.as_bytes() == key.as_bytes());
            let expected = list.iter().position(|(other, _)| *other == n);
            assert_eq!(found, expected);
            match found {
                Some(place) if random.is_multiple_of(3) => {
                    let (_, value) = list.swap_remove(place);
                    assert_eq!(entries.swap_remove(place), Value::Int(value));
                }
                Some(_) => {}
                None => {
                    list.push((n, random as i64));
                    entries.push(hash, Str::from(&key), Value::Int(random as i64));
                }
            }
            assert_eq!(entries.len(), list.len());
        }
        let values: Vec<&Value> = entries.values().collect();
        let expected: Vec<Value> = list.iter().map(|(_, v)| Value::Int(*v)).collect();
        assert_eq!(values, expected.iter().collect::<Vec<_>>());
    }
}
