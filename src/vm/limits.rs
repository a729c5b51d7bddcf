//! What a run may use up, and the meter that counts it.
//!
//! Fuel, the size of a value and the depth of calls are exact: every tier charges the same at the
//! same points. Memory is a bound. The deadline and the interrupt are looked at where fuel is
//! charged, every few hundred units.

use super::trap::{Fault, Step};
use crate::code::Code;
use crate::value::{Excess, Work, meter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many units of bulk work (bytes or elements) cost one unit of fuel.
pub const WORK_PER_FUEL: u64 = 64;

/// How many units of fuel may pass between two looks at the clock, the interrupt and the memory.
pub(super) const LOOK_EVERY: u64 = 256;

/// What a program may use up. Reaching a limit ends the run in a trap that names it.
///
/// The defaults let every reasonable program run and stop an unreasonable one before the machine
/// suffers.
///
/// ```
/// use fusevm::vm::Limits;
///
/// let limits = Limits { fuel: Some(1_000_000), ..Limits::default() };
/// assert_eq!(limits.max_depth, 1_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units of fuel: one for each taken backward jump, call, run of a block and iteration of a
    /// fused loop, and one for each [`WORK_PER_FUEL`] units of an op's bulk work. It is spent over
    /// all runs of a VM. `None` (the default) for no limit.
    pub fuel: Option<u64>,
    /// Calls that may be active at the same time; by default 1,000,000.
    pub max_depth: usize,
    /// Bytes of a single string; an element of an array counts 16, an entry of a hash 48. By
    /// default 256 MiB.
    pub max_value: u64,
    /// Bytes that values, stack and frames may take together, roughly; by default 4 GiB.
    pub max_memory: u64,
    /// Bytes that all runs of a VM may print. `None` (the default) for no limit.
    pub max_output: Option<u64>,
    /// How long a run may take. `None` (the default) for no limit.
    pub deadline: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            fuel: None,
            max_depth: 1_000_000,
            max_value: 1 << 28,
            max_memory: 4 << 30,
            max_output: None,
            deadline: None,
        }
    }
}

/// Asks a running VM to stop, from another thread or a signal handler.
#[derive(Clone, Debug)]
pub struct InterruptHandle(Arc<AtomicBool>);

impl InterruptHandle {
    /// Makes the present run, or the next one, end in the trap
    /// [`Interrupted`](Code::Interrupted) soon. One request stops one run.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the end of a run restores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer {
    depth: usize,
}

/// Counts what a VM uses up against its limits.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    /// Fuel that may be spent before the next look.
    slice: u64,
    /// Fuel behind the slice; with no limit it is never used up.
    reserve: u64,
    /// Fuel that was used beyond what there was, in a run that may pause; `None` where that traps.
    overdrawn: Option<u64>,
    printed: u64,
    /// Calls that are active.
    depth: usize,
    /// Bytes of the slots of all frames; values don't count these.
    slot_bytes: u64,
    /// The thread's live bytes when nothing that this VM made was among them.
    memory_base: i64,
    /// What earlier runs left alive.
    retained: i64,
    /// When the run must be over.
    deadline: Option<Instant>,
    interrupt: Option<Arc<AtomicBool>>,
    /// Runs that are active: more than one if a handler runs the VM that called it.
    runs: u32,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Meter {
        Meter {
            limits,
            slice: 0,
            reserve: limits.fuel.unwrap_or(u64::MAX),
            overdrawn: None,
            printed: 0,
            depth: 0,
            slot_bytes: 0,
            memory_base: 0,
            retained: 0,
            deadline: None,
            interrupt: None,
            runs: 0,
        }
    }

    /// Sets new limits and fills the fuel up to theirs.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.slice = 0;
        self.reserve = limits.fuel.unwrap_or(u64::MAX);
        self.overdrawn = None;
    }

    /// Adds fuel to what is left, for a run that pauses when it is used up. What was overdrawn is paid
    /// first.
    pub(super) fn grant(&mut self, fuel: u64) {
        let is_counted = self.limits.fuel.is_some() || self.overdrawn.is_some();
        let left = if is_counted { self.fuel() } else { 0 };
        let debt = self.overdrawn.unwrap_or(0);
        let fuel = left.saturating_add(fuel);
        self.overdrawn = Some(debt.saturating_sub(fuel));
        self.slice = 0;
        self.reserve = fuel.saturating_sub(debt);
    }

    /// From now on it is a trap again to use more fuel than there is.
    pub(super) fn end_credit(&mut self) {
        if self.runs == 0 && self.overdrawn.take().is_some() && self.limits.fuel.is_none() {
            self.slice = 0;
            self.reserve = u64::MAX;
        }
    }

    /// Whether all fuel is used up.
    pub(super) fn is_spent(&self) -> bool {
        self.fuel() == 0
    }

    /// Whether a run may use more fuel than there is.
    fn has_credit(&self) -> bool {
        self.overdrawn.is_some() && self.runs == 1
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The fuel that is left, if there is a limit.
    pub(super) fn fuel_left(&self) -> Option<u64> {
        self.limits.fuel.map(|_| self.fuel())
    }

    pub(super) fn interrupt_handle(&mut self) -> InterruptHandle {
        InterruptHandle(Arc::clone(self.interrupt.get_or_insert_default()))
    }

    /// Begins a run. What it gives goes to [`end_run`](Meter::end_run).
    pub(super) fn begin_run(&mut self) -> Outer {
        let outer = Outer { depth: self.depth };
        if self.runs == 0 {
            self.depth = 0;
            self.memory_base = meter::live_bytes().wrapping_sub(self.retained);
            self.deadline = self
                .limits
                .deadline
                .and_then(|allowed| Instant::now().checked_add(allowed));
        }
        self.runs += 1;
        outer
    }

    /// Ends a run, also one that a panic of a handler ends.
    pub(super) fn end_run(&mut self, outer: Outer) {
        self.runs = self.runs.saturating_sub(1);
        self.depth = outer.depth;
        if self.runs == 0 {
            let held = meter::live_bytes().wrapping_sub(self.memory_base);
            self.retained = held.max(0);
        }
    }

    /// Whether a run is active.
    pub(super) fn is_running(&self) -> bool {
        self.runs > 0
    }

    /// Whether a handler of another run has begun this one.
    pub(super) fn is_nested(&self) -> bool {
        self.runs > 1
    }

    /// The fuel that is left; without a limit more than can be spent.
    #[inline]
    pub(super) fn fuel(&self) -> u64 {
        self.slice.saturating_add(self.reserve)
    }

    /// Pays `units` of fuel if the slice has them; else [`refill`](Meter::refill) must.
    #[inline(always)]
    pub(super) fn pay(&mut self, units: u64) -> bool {
        match self.slice.checked_sub(units) {
            Some(left) => {
                self.slice = left;
                true
            }
            None => false,
        }
    }

    /// Takes back what was paid for something that didn't come to be done.
    pub(super) fn pay_back(&mut self, units: u64) {
        self.slice = self.slice.saturating_add(units);
    }

    /// How many times `cost` can be paid before the next look.
    #[inline]
    pub(super) fn affordable(&self, cost: u64) -> u64 {
        self.slice / cost
    }

    /// Pays `units`, looks at what may end the run, and begins a new slice.
    pub(super) fn refill(&mut self, units: u64) -> Step {
        let had = self.fuel();
        let left = had.checked_sub(units);
        self.slice = 0;
        self.reserve = left.unwrap_or(0);
        if left.is_none() {
            let Some(debt) = self.overdrawn.as_mut().filter(|_| self.runs == 1) else {
                return Err(Fault::of(Code::OutOfFuel));
            };
            *debt = debt.saturating_add(units.saturating_sub(had));
            return self.look();
        }
        if self.limits.fuel.is_none() && self.overdrawn.is_none() {
            self.reserve = u64::MAX;
        }
        self.look()?;
        self.slice = self.reserve.min(LOOK_EVERY);
        self.reserve -= self.slice;
        Ok(())
    }

    /// Looks at the interrupt and the clock.
    pub(super) fn look(&mut self) -> Step {
        if let Some(flag) = &self.interrupt
            && flag.swap(false, Ordering::Relaxed)
        {
            return Err(Fault::of(Code::Interrupted));
        }
        if self.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Fault::of(Code::Deadline));
        }
        Ok(())
    }

    /// The budget of an op's bulk work: what the fuel that is left can pay.
    #[inline]
    pub(super) fn work(&self) -> Work {
        let fuel = if self.has_credit() {
            u64::MAX
        } else {
            self.fuel()
        };
        let units = fuel.saturating_mul(WORK_PER_FUEL);
        Work::new(
            self.limits.max_value,
            units.saturating_add(WORK_PER_FUEL - 1),
        )
    }

    /// The fault that an op's bulk work ran into.
    #[cold]
    pub(super) fn fault_of(&mut self, excess: Excess) -> Fault {
        match excess {
            // The budget is the fuel, so work without fuel is what ran out.
            Excess::Work => {
                self.slice = 0;
                self.reserve = 0;
                Fault::of(Code::OutOfFuel)
            }
            Excess::ValueTooLarge { .. } | Excess::NegativeIndex { .. } => {
                Fault::new(excess.code(), excess.to_string())
            }
        }
    }

    /// Hands the slice over to the engine, which pays from it.
    pub(super) fn take_slice(&mut self) -> u64 {
        std::mem::take(&mut self.slice)
    }

    /// Takes back what the engine has left of the slice.
    pub(super) fn give_slice(&mut self, left: u64) {
        self.slice = left;
    }

    /// Takes up to `units` from behind the slice, for native code, which looks less often.
    #[cfg(feature = "jit")]
    pub(super) fn draw(&mut self, units: u64) -> u64 {
        let drawn = self.reserve.min(units);
        self.reserve -= drawn;
        drawn
    }

    /// Puts fuel back behind the slice.
    #[cfg(feature = "jit")]
    pub(super) fn put_back(&mut self, units: u64) {
        self.reserve = self.reserve.saturating_add(units);
    }

    /// The calls that are active.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Sets the number of calls that are active, which the engine has counted.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// Enters a call, which is paid for.
    #[inline]
    pub(super) fn enter_call(&mut self) -> Step {
        if self.depth >= self.limits.max_depth {
            return Err(Fault::of(Code::TooDeep));
        }
        self.depth += 1;
        Ok(())
    }

    /// Leaves a call.
    #[inline]
    pub(super) fn leave_call(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Follows the frames that a handler pushed or popped: each counts as a call.
    pub(super) fn frames_changed(&mut self, before: usize, now: usize) -> Step {
        self.depth += now.saturating_sub(before);
        self.depth = self.depth.saturating_sub(before.saturating_sub(now));
        if self.depth > self.limits.max_depth {
            return Err(Fault::of(Code::TooDeep));
        }
        Ok(())
    }

    /// Counts the memory of slots that a frame gained.
    #[inline]
    pub(super) fn slots_grown(&mut self, bytes: u64) {
        self.slot_bytes = self.slot_bytes.saturating_add(bytes);
    }

    /// Counts the memory of slots that went with their frame.
    #[inline]
    pub(super) fn slots_dropped(&mut self, bytes: u64) {
        self.slot_bytes = self.slot_bytes.saturating_sub(bytes);
    }

    /// Bytes that may still be used; `own` are those of the stack and the list of frames.
    #[inline]
    pub(super) fn memory_left(&self, own: u64) -> u64 {
        let made = meter::live_bytes().wrapping_sub(self.memory_base).max(0) as u64;
        let used = made.saturating_add(own).saturating_add(self.slot_bytes);
        self.limits.max_memory.saturating_sub(used)
    }

    /// Sets the count of [`slots_grown`](Meter::slots_grown) right.
    pub(super) fn set_slot_bytes(&mut self, bytes: u64) {
        self.slot_bytes = bytes;
    }

    /// The fault of using all memory.
    #[cold]
    pub(super) fn memory_fault(&self) -> Fault {
        let limit = self.limits.max_memory;
        let message = format!("the program uses more than its {limit} bytes");
        Fault::new(Code::OutOfMemory, message)
    }

    /// Counts bytes that are about to be printed.
    pub(super) fn print(&mut self, bytes: u64) -> Step {
        let printed = self.printed.saturating_add(bytes);
        if let Some(limit) = self.limits.max_output
            && printed > limit
        {
            let message = format!("the output would exceed the limit of {limit} bytes");
            return Err(Fault::new(Code::OutputLimit, message));
        }
        self.printed = printed;
        Ok(())
    }
}
