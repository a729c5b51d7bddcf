//! `Array`: the list behind a `Value`.
//!
//! Counted, copied on write. A vector with a head offset, so that taking the first element is
//! amortized O(1). It derefs to a slice; what changes its length goes through methods, which keep
//! the memory count right.

use super::Value;
#[cfg(feature = "jit")]
use super::layout::{self, VecLayout};
use super::meter::Charge;
use super::walk;
use super::work::{Excess, Work};
use std::ops::{Deref, DerefMut};
use triomphe::Arc;

/// What an array costs beside its elements: the counts, the buffer's own fields.
const OVERHEAD: usize = size_of::<ArrayBuf>() + 16;

/// Below this many dead elements at the front, compacting isn't worth a thought.
const SMALL_HEAD: usize = 16;

/// A counted list of values.
#[derive(Clone)]
pub struct Array(Arc<ArrayBuf>);

pub(super) struct ArrayBuf {
    /// The elements, after `head` dead ones (all Undef) that `shift` left.
    items: Vec<Value>,
    head: usize,
    charge: Charge,
}

impl ArrayBuf {
    fn new(items: Vec<Value>) -> ArrayBuf {
        let charge = Charge::new(Self::heap_bytes(&items));
        ArrayBuf {
            items,
            head: 0,
            charge,
        }
    }

    fn heap_bytes(items: &Vec<Value>) -> usize {
        OVERHEAD + items.capacity() * size_of::<Value>()
    }

    #[inline]
    fn live(&self) -> &[Value] {
        &self.items[self.head..]
    }

    #[inline]
    fn measure(&mut self) {
        self.charge.set(Self::heap_bytes(&self.items));
    }

    /// Drops the dead elements at the front.
    fn compact(&mut self) {
        self.items.drain(..self.head);
        self.head = 0;
    }

    /// Makes the items an ordinary vector, changes it, and counts its memory anew.
    fn with_vec<R>(&mut self, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
        if self.head > 0 {
            self.compact();
        }
        let result = change(&mut self.items);
        self.measure();
        result
    }
}

impl Clone for ArrayBuf {
    fn clone(&self) -> ArrayBuf {
        ArrayBuf::new(self.live().to_vec())
    }
}

impl Drop for ArrayBuf {
    #[inline]
    fn drop(&mut self) {
        walk::bury_items(&mut self.items);
    }
}

impl Array {
    /// An empty array with room for `capacity` elements. The caller has checked `capacity`.
    pub fn with_capacity(capacity: usize) -> Array {
        Array::from(Vec::with_capacity(capacity))
    }

    /// The elements.
    #[inline]
    pub fn as_slice(&self) -> &[Value] {
        self.0.live()
    }

    /// The element at `index`, an Int's bits; out of range `None`, or the Undef of a dead element.
    #[inline]
    pub(crate) fn element(&self, index: usize) -> Option<&Value> {
        // What wraps is a negative Int: it names a dead element, or is far behind the last one.
        self.0.items.get(self.0.head.wrapping_add(index))
    }

    /// The elements, to be changed in place; copies them first if they are shared.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [Value] {
        let buf = Arc::make_mut(&mut self.0);
        &mut buf.items[buf.head..]
    }

    /// The element at `index`, to be changed in place; `None` where it is out of range or the array
    /// is shared.
    #[inline]
    pub(crate) fn unshared_mut(&mut self, index: usize) -> Option<&mut Value> {
        let buf = Arc::get_mut(&mut self.0)?;
        let place = buf.head.checked_add(index)?;
        buf.items.get_mut(place)
    }

    /// The vector of elements, if it has room for one more and fewer than `limit` elements and the
    /// array isn't shared. What is pushed needs no counting then.
    #[inline]
    pub(crate) fn unshared_with_room(&mut self, limit: usize) -> Option<&mut Vec<Value>> {
        let buf = Arc::get_mut(&mut self.0)?;
        let len = buf.items.len();
        (len < buf.items.capacity() && len - buf.head < limit).then_some(&mut buf.items)
    }

    /// Appends an element.
    #[inline]
    pub fn push(&mut self, value: Value) {
        let buf = Arc::make_mut(&mut self.0);
        if buf.items.len() == buf.items.capacity() {
            if buf.head * 2 > buf.items.len() {
                buf.compact();
            }
            buf.items.push(value);
            buf.measure();
        } else {
            buf.items.push(value);
        }
    }

    /// Removes and gives the last element.
    #[inline]
    pub fn pop(&mut self) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        Arc::make_mut(&mut self.0).items.pop()
    }

    /// Removes and gives the first element, in amortized constant time.
    #[inline]
    pub fn shift(&mut self) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        let buf = Arc::make_mut(&mut self.0);
        let first = std::mem::take(&mut buf.items[buf.head]);
        buf.head += 1;
        if buf.head > SMALL_HEAD && buf.head * 2 > buf.items.len() {
            buf.compact();
        }
        Some(first)
    }

    /// Grows with clones of `value`, or shortens, to `len` elements. The caller has checked `len`.
    pub fn resize(&mut self, len: usize, value: Value) {
        Arc::make_mut(&mut self.0).with_vec(|items| items.resize(len, value));
    }

    /// Appends `count` times Undef, a count that the budget has let pass.
    pub(super) fn fill_undef(&mut self, count: u64, work: &Work) -> Result<(), Excess> {
        if count == 0 {
            return Ok(());
        }
        let buf = Arc::make_mut(&mut self.0);
        work.reserve(&mut buf.items, count)?;
        buf.items
            .resize(buf.items.len() + count as usize, Value::Undef);
        buf.measure();
        Ok(())
    }

    /// Keeps the first `len` elements.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            Arc::make_mut(&mut self.0).with_vec(|items| items.truncate(len));
        }
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        *self = Array::default();
    }

    /// Inserts an element before `index`.
    ///
    /// # Panics
    /// When `index` is past the length.
    pub fn insert(&mut self, index: usize, value: Value) {
        Arc::make_mut(&mut self.0).with_vec(|items| items.insert(index, value));
    }

    /// Removes and gives the element at `index`.
    ///
    /// # Panics
    /// When `index` is not below the length.
    pub fn remove(&mut self, index: usize) -> Value {
        Arc::make_mut(&mut self.0).with_vec(|items| items.remove(index))
    }

    /// The elements as a vector: moved out if this is the only owner, else cloned.
    pub fn into_vec(mut self) -> Vec<Value> {
        match Arc::get_mut(&mut self.0) {
            Some(buf) => buf.with_vec(std::mem::take),
            None => self.as_slice().to_vec(),
        }
    }

    /// Whether both are the same allocation.
    #[inline]
    pub fn ptr_eq(a: &Array, b: &Array) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The address of the allocation, to recognize it by while it lives.
    #[inline]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The elements, if nobody else owns the buffer any more. Of all owners that ask at the same
    /// time exactly one gets them.
    pub(super) fn into_last_items(self) -> Option<Vec<Value>> {
        Arc::into_unique(self.0).map(|mut buf| std::mem::take(&mut buf.items))
    }
}

#[cfg(feature = "jit")]
impl Array {
    /// Where a buffer keeps things, as offsets from what an array points to.
    #[cfg(feature = "jit")]
    pub(crate) fn layout() -> crate::jit::abi::ArrayLayout {
        let items = VecLayout::of(Value::Undef);
        let buffer = layout::behind_count(&Array::default().0);
        let items_at = buffer + std::mem::offset_of!(ArrayBuf, items) as i32;
        crate::jit::abi::ArrayLayout {
            count: 0,
            items: items_at + items.items,
            len: items_at + items.len,
            capacity: items_at + items.capacity,
            head: buffer + std::mem::offset_of!(ArrayBuf, head) as i32,
        }
    }
}

impl Default for Array {
    fn default() -> Array {
        Array::from(Vec::new())
    }
}

impl From<Vec<Value>> for Array {
    fn from(items: Vec<Value>) -> Array {
        Array(Arc::new(ArrayBuf::new(items)))
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Array {
        Array::from(values.into_iter().collect::<Vec<_>>())
    }
}

impl Extend<Value> for Array {
    fn extend<I: IntoIterator<Item = Value>>(&mut self, values: I) {
        Arc::make_mut(&mut self.0).with_vec(|items| items.extend(values));
    }
}

impl Deref for Array {
    type Target = [Value];

    #[inline]
    fn deref(&self) -> &[Value] {
        self.as_slice()
    }
}

impl DerefMut for Array {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Value] {
        self.as_mut_slice()
    }
}

impl<'a> IntoIterator for &'a Array {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Array {
    type Item = &'a mut Value;
    type IntoIter = std::slice::IterMut<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl IntoIterator for Array {
    type Item = Value;
    type IntoIter = std::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}
