//! Compiled code that VMs of one engine share: what one of them has compiled of a unit, another one
//! takes. It lives as long as the unit, or a VM that runs it.

use super::compile::Compiled;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries that a unit keeps at most; what comes then is its VM's alone.
const MOST_ENTRIES: usize = 4096;

/// The compiled code of a unit, by what decides what it is compiled to. It is locked to compile, never
/// to run.
#[derive(Default)]
pub(crate) struct SharedCode(Mutex<FxHashMap<Box<[u8]>, Arc<Compiled>>>);

impl SharedCode {
    /// The newest code of this key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Compiled>> {
        self.lock().get(key).cloned()
    }

    /// Adds code, in the place of what there was of this key: that had assumed too much.
    pub(crate) fn put(&self, key: Vec<u8>, code: &Arc<Compiled>) {
        let mut codes = self.lock();
        if codes.len() < MOST_ENTRIES || codes.contains_key(key.as_slice()) {
            codes.insert(key.into_boxed_slice(), Arc::clone(code));
        }
    }

    /// A panic while it was locked has left it whole: each change is one insertion.
    fn lock(&self) -> MutexGuard<'_, FxHashMap<Box<[u8]>, Arc<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
