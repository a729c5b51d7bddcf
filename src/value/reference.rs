//! `Ref`: a counted reference to another value.

use super::Value;
use super::meter::Charge;
use super::walk;
use std::ops::Deref;
use triomphe::Arc;

/// A counted pointer to a value. The value behind it can't be changed.
#[derive(Clone)]
pub struct Ref(Arc<RefBuf>);

struct RefBuf {
    value: Value,
    _charge: Charge,
}

impl Drop for RefBuf {
    #[inline]
    fn drop(&mut self) {
        walk::bury(std::mem::take(&mut self.value));
    }
}

impl Ref {
    /// A reference to `value`.
    pub fn new(value: Value) -> Ref {
        let _charge = Charge::new(size_of::<RefBuf>() + 16);
        Ref(Arc::new(RefBuf { value, _charge }))
    }

    /// Whether both are the same allocation.
    #[inline]
    pub fn ptr_eq(a: &Ref, b: &Ref) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The address of the allocation, to recognize it by while it lives.
    #[inline]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The value behind it, if nobody else owns the reference any more. Of all owners that ask at
    /// the same time exactly one gets it.
    pub(super) fn into_last_value(self) -> Option<Value> {
        Arc::into_unique(self.0).map(|mut buf| std::mem::take(&mut buf.value))
    }
}

impl Deref for Ref {
    type Target = Value;

    #[inline]
    fn deref(&self) -> &Value {
        &self.0.value
    }
}
