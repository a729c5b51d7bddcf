//! `Map`, the ordered table with byte-string keys, and `Hash`, the counted pointer to one.
//!
//! Entries keep the order of insertion; removing one moves the last entry into its place, so the
//! order is the same in every run although the hasher's key is random.

use super::meter::Charge;
use super::walk;
use super::{Str, Value};
use indexmap::IndexMap;
use std::ops::{Deref, DerefMut, Index};
use std::sync::Arc;

/// What a table costs beside its entries: the counts, its own fields.
const OVERHEAD: usize = size_of::<Map>() + 16;

/// What room for one entry costs: hash, key, value, and its part of the index.
const ENTRY: usize = 48;

/// An ordered table from byte strings to values.
pub struct Map {
    entries: IndexMap<Str, Value>,
    charge: Charge,
}

impl Map {
    /// An empty table.
    pub fn new() -> Map {
        Map::with_capacity(0)
    }

    /// An empty table with room for `capacity` entries. The caller has checked `capacity`.
    pub fn with_capacity(capacity: usize) -> Map {
        let entries = IndexMap::with_capacity(capacity);
        let charge = Charge::new(OVERHEAD + entries.capacity() * ENTRY);
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
        self.entries.is_empty()
    }

    /// The value of `key`.
    #[inline]
    pub fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<&Value> {
        self.entries.get(key.as_ref())
    }

    /// The value of `key`, to be changed in place.
    #[inline]
    pub fn get_mut<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Option<&mut Value> {
        self.entries.get_mut(key.as_ref())
    }

    /// Whether `key` has an entry.
    #[inline]
    pub fn contains_key<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> bool {
        self.entries.contains_key(key.as_ref())
    }

    /// Sets the value of `key` and gives the one that it had. A new key goes to the end.
    #[inline]
    pub fn insert(&mut self, key: impl Into<Str>, value: Value) -> Option<Value> {
        let old = self.entries.insert(key.into(), value);
        self.charge.set(OVERHEAD + self.entries.capacity() * ENTRY);
        old
    }

    /// Removes the entry of `key` and gives its value; the last entry takes its place.
    #[inline]
    pub fn remove<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Option<Value> {
        self.entries.swap_remove(key.as_ref())
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
    pub fn iter_mut(&mut self) -> indexmap::map::IterMut<'_, Str, Value> {
        self.entries.iter_mut()
    }

    /// The keys in order.
    pub fn keys(&self) -> indexmap::map::Keys<'_, Str, Value> {
        self.entries.keys()
    }

    /// The values in order.
    pub fn values(&self) -> indexmap::map::Values<'_, Str, Value> {
        self.entries.values()
    }

    /// The values in order, to be changed in place.
    pub fn values_mut(&mut self) -> indexmap::map::ValuesMut<'_, Str, Value> {
        self.entries.values_mut()
    }
}

/// The entries of a [`Map`] in order.
pub type Iter<'a> = indexmap::map::Iter<'a, Str, Value>;

impl Default for Map {
    fn default() -> Map {
        Map::new()
    }
}

impl Clone for Map {
    fn clone(&self) -> Map {
        let entries = self.entries.clone();
        let charge = Charge::new(OVERHEAD + entries.capacity() * ENTRY);
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
    type IntoIter = indexmap::map::IntoIter<Str, Value>;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut self.entries).into_iter()
    }
}

/// A counted [`Map`], copied on write.
#[derive(Clone, Default)]
pub struct Hash(Arc<Map>);

impl Hash {
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
    pub(super) fn into_last_entries(self) -> Option<IndexMap<Str, Value>> {
        Arc::into_inner(self.0).map(|mut map| std::mem::take(&mut map.entries))
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
    type IntoIter = indexmap::map::IntoIter<Str, Value>;

    /// Moves the entries out if this is the only owner, else clones them.
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}
