//! Pausing a run, and going on.
//!
//! A run that may pause for want of fuel overdraws it and looks, every few hundred calls and backward
//! jumps at most, whether any is left: by the same counter that otherwise tells when the run is warm.
//! So nothing is paid for that in the loop.

use super::super::VM;
use super::super::progress::{Stops, Verdict};
use super::super::trap::{Fault, Step};
use super::{Fence, Machine};
use crate::code::Code;

/// The most calls and backward jumps between two looks at the fuel.
const LOOK_EVERY: u64 = 256;

/// Whether a run may pause, and has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pausing {
    No,
    OnFuel,
    Paused,
}

/// What a paused run needs beside the VM's public state.
pub(in super::super) struct Standstill {
    floor: usize,
    link_floor: usize,
    fences: Vec<Fence>,
    frames: usize,
    depth: usize,
    /// Whether a hook was called for the op at hand.
    is_seen: bool,
}

impl Machine<'_> {
    /// Goes on from a pause, if there was one.
    pub(in super::super) fn resume(&mut self, standstill: Option<Box<Standstill>>) -> Step {
        let Some(standstill) = standstill else {
            return Ok(());
        };
        self.floor = standstill.floor;
        self.link_floor = standstill.link_floor;
        self.fences = standstill.fences;
        self.is_seen = standstill.is_seen;
        self.heights = None;
        self.vm.meter.set_depth(standstill.depth);
        self.region = self.innermost_region();
        // The embedder may have changed frames meanwhile.
        if self.vm.frames.len() != standstill.frames {
            self.frames_changed(standstill.frames)?;
        }
        Ok(())
    }

    /// What going on needs, if the run has paused.
    pub(in super::super) fn take_standstill(&mut self) -> Option<Standstill> {
        (self.pausing == Pausing::Paused).then(|| Standstill {
            floor: self.floor,
            link_floor: self.link_floor,
            fences: std::mem::take(&mut self.fences),
            frames: self.vm.frames.len(),
            depth: self.vm.meter.depth(),
            is_seen: self.is_seen,
        })
    }

    /// Runs to the end, or until the fuel is used up.
    pub(in super::super) fn run_on_fuel(&mut self) -> Step {
        self.pausing = Pausing::OnFuel;
        if self.vm.meter.is_spent() {
            return self.pause();
        }
        self.is_seen = false;
        self.arm();
        self.interpret::<false, false>().map(drop)
    }

    /// Has the run look at its fuel when that may be used up.
    fn arm(&mut self) {
        // At most as many as a `u32` holds.
        self.heat = self.vm.meter.fuel().clamp(1, LOOK_EVERY) as u32;
    }

    /// Where the run goes on that was to look at its fuel before the op at `at`.
    pub(super) fn pause_or_go_on(&mut self, at: usize) -> Step<Option<usize>> {
        if self.vm.meter.is_spent() {
            self.vm.ip = at;
            self.pause()?;
        }
        self.arm();
        Ok(Some(at))
    }

    /// Ends the run for now. The fault is never seen.
    #[cold]
    fn pause(&mut self) -> Step {
        self.pausing = Pausing::Paused;
        Err(Fault::of(Code::OutOfFuel))
    }

    /// Runs op by op, with a hook that is called at some of them.
    pub(in super::super) fn run_watched(
        &mut self,
        stops: &Stops,
        hook: &mut dyn FnMut(&mut VM) -> Verdict,
    ) -> Step {
        let mut last = None;
        loop {
            let here = self.line_at_hand();
            let is_new = *stops == Stops::EveryOp || here != last;
            let is_seen = std::mem::take(&mut self.is_seen);
            let is_op = self.vm.ip < self.vm.running().ops.len();
            if is_op && is_new && !is_seen && stops.contains(self.vm) {
                let (ip, frames) = (self.vm.ip, self.vm.frames.len());
                let verdict = hook(self.vm);
                self.vm.ip = ip;
                if self.vm.frames.len() != frames {
                    self.frames_changed(frames)?;
                }
                if verdict == Verdict::Pause {
                    self.is_seen = true;
                    return self.pause();
                }
            }
            last = here;
            if !self.step()? {
                return Ok(());
            }
        }
    }

    /// What tells a line, within its call, from the one before.
    fn line_at_hand(&self) -> Option<(usize, usize, u32)> {
        let chunk = self.vm.running();
        let line = chunk.line(self.vm.ip).unwrap_or_default();
        Some((chunk.ops.as_ptr().addr(), self.vm.frames.len(), line))
    }
}
