//! What the interpreters do to a VM's state beside running ops: paying, growing, dropping.

use super::limits::WORK_PER_FUEL;
use super::trap::Step;
use super::{Frame, VM};
use crate::value::{Excess, Value, Work};

impl VM {
    /// Pays `units` of fuel.
    #[inline(always)]
    pub(super) fn charge(&mut self, units: u64) -> Step {
        if self.meter.pay(units) {
            return Ok(());
        }
        self.refill(units)
    }

    #[cold]
    fn refill(&mut self, units: u64) -> Step {
        self.meter.refill(units)?;
        self.check_memory()
    }

    /// Does bulk work within what the fuel can pay, pays for it, and looks at the memory.
    #[inline]
    pub(super) fn bulk<R>(
        &mut self,
        act: impl FnOnce(&mut VM, &mut Work) -> Result<R, Excess>,
    ) -> Step<R> {
        let mut work = self.meter.work();
        match act(self, &mut work) {
            Ok(result) => {
                self.settle(&work)?;
                Ok(result)
            }
            Err(excess) => Err(self.meter.fault_of(excess)),
        }
    }

    /// Pays for an op's bulk work, all of it together, and looks at the memory.
    #[inline]
    pub(super) fn settle(&mut self, work: &Work) -> Step {
        self.charge(work.done / WORK_PER_FUEL)?;
        self.check_memory()
    }

    /// Holds the memory in use to its limit.
    #[inline]
    pub(super) fn check_memory(&mut self) -> Step {
        if self.memory_left() > 0 {
            return Ok(());
        }
        self.recount_memory()
    }

    /// Bytes that may still be used, by the counts.
    #[inline]
    pub(super) fn memory_left(&self) -> u64 {
        let stack = self.stack.capacity() * size_of::<Value>();
        let frames = self.frames.capacity() * size_of::<Frame>();
        self.meter.memory_left((stack + frames) as u64)
    }

    /// Counts the slots anew, as handlers change frames without a word, and looks again.
    #[cold]
    fn recount_memory(&mut self) -> Step {
        let slots = self.frames.iter().map(|frame| slots_bytes(&frame.slots));
        let engine = self.engine.bytes as u64;
        self.meter.set_slot_bytes(slots.sum::<u64>() + engine);
        if self.memory_left() > 0 {
            return Ok(());
        }
        Err(self.meter.memory_fault())
    }

    /// Drops all frames but the first `len`.
    #[inline]
    pub(super) fn truncate_frames(&mut self, len: usize) {
        while self.frames.len() > len {
            if let Some(frame) = self.frames.pop() {
                self.meter.slots_dropped(slots_bytes(&frame.slots));
            }
        }
    }
}

/// What a frame's slots take, without what their values refer to.
#[inline]
pub(super) fn slots_bytes(slots: &Vec<Value>) -> u64 {
    (slots.capacity() * size_of::<Value>()) as u64
}
