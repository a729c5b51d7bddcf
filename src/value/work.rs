//! The budget of bulk work, and the ways in which an op's work can exceed it.
//!
//! What each op costs stands in the table of the [module](super). Costs depend on the operands'
//! values alone, never on sharing or capacity, so every tier charges the same.

use super::entries::MAX_ENTRIES;
use crate::code::Code;
use thiserror::Error;

/// What an element of an array counts against [`Work::max_value`], in bytes.
pub const ELEMENT_BYTES: u64 = 16;

/// What an entry of a hash counts against [`Work::max_value`], in bytes.
pub const ENTRY_BYTES: u64 = 48;

/// The budget that ops draw their bulk work from.
///
/// A unit is a byte or an element touched. The fields are public so that a VM can refill `limit`
/// from its fuel and read off `done`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The largest size of a single value: bytes of a string, [`ELEMENT_BYTES`] per element of an
    /// array, [`ENTRY_BYTES`] per entry of a hash. What a value refers to is not counted.
    pub max_value: u64,
    /// Units that may still be done.
    pub limit: u64,
    /// Units done so far.
    pub done: u64,
}

impl Work {
    /// A budget of `limit` units for values of up to `max_value` bytes.
    pub const fn new(max_value: u64, limit: u64) -> Work {
        Work {
            max_value,
            limit,
            done: 0,
        }
    }

    /// A budget without bounds, for trusted callers and tests. What doesn't fit in memory aborts.
    pub const fn unlimited() -> Work {
        Work::new(u64::MAX, u64::MAX)
    }

    /// Takes `units` from the budget.
    ///
    /// # Errors
    /// [`Excess::Work`] when less is left; nothing is taken then.
    #[inline]
    pub fn charge(&mut self, units: u64) -> Result<(), Excess> {
        if units > self.limit {
            return Err(Excess::Work);
        }
        self.limit -= units;
        self.done = self.done.wrapping_add(units);
        Ok(())
    }

    /// Checks that a value of `bytes` may exist.
    ///
    /// # Errors
    /// [`Excess::ValueTooLarge`] when it may not.
    #[inline]
    pub fn fits(&self, bytes: u64) -> Result<(), Excess> {
        if bytes > self.max_value {
            return Err(Excess::ValueTooLarge {
                wanted: bytes,
                limit: self.max_value,
            });
        }
        Ok(())
    }

    /// Makes room for `len` more elements, a count that [`Work::fits`] has let pass.
    ///
    /// # Errors
    /// [`Excess::ValueTooLarge`] when the allocator has no such room, as can be where the limit is
    /// higher than the machine's memory.
    pub(super) fn reserve<T>(&self, items: &mut Vec<T>, len: u64) -> Result<(), Excess> {
        let reserved = usize::try_from(len).is_ok_and(|len| items.try_reserve(len).is_ok());
        if !reserved {
            return Err(Excess::ValueTooLarge {
                wanted: len.saturating_mul(size_of::<T>() as u64),
                limit: self.max_value,
            });
        }
        Ok(())
    }

    /// Checks that an array of `len` elements may exist.
    ///
    /// # Errors
    /// [`Excess::ValueTooLarge`] when it may not.
    #[inline]
    pub fn fits_array(&self, len: u64) -> Result<(), Excess> {
        self.fits(len.saturating_mul(ELEMENT_BYTES))
    }

    /// Checks that a hash of `len` entries may exist.
    ///
    /// # Errors
    /// [`Excess::ValueTooLarge`] when it may not.
    #[inline]
    pub fn fits_hash(&self, len: u64) -> Result<(), Excess> {
        let bytes = len.saturating_mul(ENTRY_BYTES);
        if len > MAX_ENTRIES {
            return Err(Excess::ValueTooLarge {
                wanted: bytes,
                limit: MAX_ENTRIES * ENTRY_BYTES,
            });
        }
        self.fits(bytes)
    }
}

/// Why an op on values had to be refused. The VM turns it into a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Excess {
    /// A value would be larger than [`Work::max_value`].
    #[error("a value of {wanted} bytes exceeds the limit of {limit}")]
    ValueTooLarge {
        /// The size that the value would have had at least, in bytes.
        wanted: u64,
        /// The limit that it exceeds.
        limit: u64,
    },
    /// The op needs more bulk work than is left.
    #[error("the work that the op needs exceeds what is left of the limit")]
    Work,
    /// A store at an index below zero.
    #[error("a store at index {index}")]
    NegativeIndex {
        /// The index.
        index: i64,
    },
}

impl Excess {
    /// The row of the error table that this belongs to.
    pub fn code(&self) -> Code {
        match self {
            Excess::ValueTooLarge { .. } => Code::ValueTooLarge,
            Excess::Work => Code::OutOfFuel,
            Excess::NegativeIndex { .. } => Code::NegativeIndex,
        }
    }
}
