//! `Map`, the ordered table with byte-string keys, and `Hash`, the counted pointer to one.
//!
//! Entries keep the order of insertion; removing one moves the last entry into its place, so the
//! order is the same in every run although the hasher's key is random.

use super::entries::{Entries, IntoIter, Iter};
use super::meter::Charge;
use super::walk;
use super::{Str, Value, str};
use std::ops::{Deref, DerefMut, Index};
use triomphe::Arc;

/// What a table costs beside its entries: the counts, its own fields.
const OVERHEAD: usize = size_of::<Map>() + 16;

/// An ordered table from byte strings to values.
pub struct Map {
    entries: Entries,
    charge: Charge,
}

/// A key to look for, with its hash.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    bytes: &'a [u8],
    hash: u32,
}

impl<'a> Key<'a> {
    /// A key of these bytes.
    #[inline]
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Key<'a> {
        let hash = str::table_hash(bytes);
        Key { bytes, hash }
    }

    /// A key that is a string, whose hash may be known.
    #[inline]
    pub(super) fn of_str(key: &'a Str) -> Key<'a> {
        let hash = key.table_hash();
        let bytes = key.as_bytes();
        Key { bytes, hash }
    }

    #[inline]
    fn is(self, other: &Str) -> bool {
        let other = other.as_bytes();
        std::ptr::eq(self.bytes, other) || self.bytes == other
    }
}

impl Map {
    /// The value of a string.
    #[inline]
    pub(crate) fn get_str(&self, key: &Str) -> Option<&Value> {
        let place = self.place_of(key)?;
        self.entries.at(place).map(|(_, value)| value)
    }

    /// The value of a string that is itself a key and where it was last, to be changed in place.
    #[inline]
    pub(crate) fn get_hinted_mut(&mut self, key: &Str) -> Option<&mut Value> {
        let (other, value) = self.entries.at_mut(key.place_hint())?;
        Str::ptr_eq(other, key).then_some(value)
    }

    /// The place of a string's entry. A string that is itself a key is mostly where it was last.
    #[inline]
    fn place_of(&self, key: &Str) -> Option<usize> {
        let hint = key.place_hint();
        let guess = self.entries.at(hint);
        if guess.is_some_and(|(other, _)| Str::ptr_eq(other, key)) {
            return Some(hint);
        }
        let wanted = Key::of_str(key);
        let place = self.place(wanted)?;
        key.set_place_hint(place);
        Some(place)
    }

    #[inline]
    fn place(&self, key: Key<'_>) -> Option<usize> {
        self.entries.find(key.hash, |other| key.is(other))
    }

    /// The value of a key.
    #[inline]
    pub(super) fn find(&self, key: Key<'_>) -> Option<&Value> {
        let place = self.place(key)?;
        self.entries.at(place).map(|(_, value)| value)
    }

    /// The value of a key, to be changed in place.
    #[inline]
    pub(super) fn find_mut(&mut self, key: Key<'_>) -> Option<&mut Value> {
        let place = self.place(key)?;
        self.entries.at_mut(place).map(|(_, value)| value)
    }

    /// Sets the value of a key and gives the one that it had; `to_keep` makes a new key.
    #[inline]
    pub(super) fn set(
        &mut self,
        key: Key<'_>,
        value: Value,
        to_keep: impl FnOnce() -> Str,
    ) -> Option<Value> {
        if let Some(place) = self.place(key) {
            let (kept, old) = self.entries.at_mut(place)?;
            kept.set_place_hint(place);
            return Some(std::mem::replace(old, value));
        }
        let kept = to_keep();
        kept.set_place_hint(self.entries.len());
        self.entries.push(key.hash, kept, value);
        self.charge.set(OVERHEAD + self.entries.heap_bytes());
        None
    }

    /// Removes the entry of a key and gives its value; the last entry takes its place.
    #[inline]
    pub(super) fn take(&mut self, key: Key<'_>) -> Option<Value> {
        let place = self.place(key)?;
        Some(self.entries.swap_remove(place))
    }

    /// An empty table.
    pub fn new() -> Map {
        Map::with_capacity(0)
    }

    /// An empty table with room for `capacity` entries. The caller has checked `capacity`.
    pub fn with_capacity(capacity: usize) -> Map {
        let entries = Entries::with_capacity(capacity);
        let charge = Charge::new(OVERHEAD + entries.heap_bytes());
        Map { entries, charge }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// The value of `key`.
    #[inline]
    pub fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<&Value> {
        self.find(Key::of_bytes(key.as_ref()))
    }

    /// The value of `key`, to be changed in place.
    #[inline]
    pub fn get_mut<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Option<&mut Value> {
        self.find_mut(Key::of_bytes(key.as_ref()))
    }

    /// Whether `key` has an entry.
    #[inline]
    pub fn contains_key<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> bool {
        self.find(Key::of_bytes(key.as_ref())).is_some()
    }

    /// Sets the value of `key` and gives the one that it had. A new key goes to the end.
    #[inline]
    pub fn insert(&mut self, key: impl Into<Str>, value: Value) -> Option<Value> {
        let key = key.into();
        self.set(Key::of_str(&key), value, || key.clone())
    }

    /// Removes the entry of `key` and gives its value; the last entry takes its place.
    #[inline]
    pub fn remove<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Option<Value> {
        self.take(Key::of_bytes(key.as_ref()))
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        *self = Map::new();
    }

    /// The entries in order.
    pub fn iter(&self) -> Iter<'_> {
        self.entries.iter()
    }

    /// The entries in order, values to be changed in place.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Str, &mut Value)> {
        self.entries.iter_mut()
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Str> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.entries.values()
    }

    /// The values in order, to be changed in place.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Value> {
        self.entries.iter_mut().map(|(_, value)| value)
    }
}

impl Default for Map {
    fn default() -> Map {
        Map::new()
    }
}

impl Clone for Map {
    fn clone(&self) -> Map {
        let entries = self.entries.clone();
        let charge = Charge::new(OVERHEAD + entries.heap_bytes());
        Map { entries, charge }
    }
}

impl Drop for Map {
    #[inline]
    fn drop(&mut self) {
        walk::bury_entries(&mut self.entries);
    }
}

impl<K: Into<Str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Map {
        let mut map = Map::new();
        map.extend(entries);
        map
    }
}

impl<K: Into<Str>> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: AsRef<[u8]> + ?Sized> Index<&K> for Map {
    type Output = Value;

    /// # Panics
    /// When there is no such key.
    fn index(&self, key: &K) -> &Value {
        self.get(key).expect("no entry for the key")
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Map {
    type Item = (Str, Value);
    type IntoIter = IntoIter;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut self.entries).into_iter()
    }
}

/// A counted [`Map`], copied on write.
#[derive(Clone, Default)]
pub struct Hash(Arc<Map>);

impl Hash {
    /// Where a table keeps things, as offsets from what a hash points to.
    #[cfg(feature = "jit")]
    pub(crate) fn layout() -> crate::jit::abi::HashLayout {
        let table = super::layout::behind_count(&Hash::default().0);
        let entries = table + std::mem::offset_of!(Map, entries) as i32;
        Entries::layout(entries)
    }

    /// The table, if this is its only owner.
    #[inline]
    pub(crate) fn unshared_mut(&mut self) -> Option<&mut Map> {
        Arc::get_mut(&mut self.0)
    }

    /// Whether both are the same allocation.
    #[inline]
    pub fn ptr_eq(a: &Hash, b: &Hash) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The address of the allocation, to recognize it by while it lives.
    #[inline]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The entries, if nobody else owns the table any more. Of all owners that ask at the same time
    /// exactly one gets them.
    pub(super) fn into_last_entries(self) -> Option<Entries> {
        Arc::into_unique(self.0).map(|mut map| std::mem::take(&mut map.entries))
    }
}

impl From<Map> for Hash {
    fn from(map: Map) -> Hash {
        Hash(Arc::new(map))
    }
}

impl Deref for Hash {
    type Target = Map;

    #[inline]
    fn deref(&self) -> &Map {
        &self.0
    }
}

impl DerefMut for Hash {
    #[inline]
    fn deref_mut(&mut self) -> &mut Map {
        Arc::make_mut(&mut self.0)
    }
}

impl<'a> IntoIterator for &'a Hash {
    type Item = (&'a Str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Hash {
    type Item = (Str, Value);
    type IntoIter = IntoIter;

    /// Moves the entries out if this is the only owner, else clones them.
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}
