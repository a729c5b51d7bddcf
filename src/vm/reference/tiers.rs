//! The border to the register engine: when a run moves over, and what the engine asks of it.
//!
//! The engine holds calls in windows of its own and gives them back to the VM's public state whenever
//! an op needs that; the op is then run here, by [`Machine::step`]. Only the innermost call moves
//! over: its callers follow when it returns to them.

use super::super::engine::{self, EngineChoice, Left};
use super::super::link::running;
use super::super::trap::{Fault, Step};
use super::super::{Frame, SCOPE, VM};
use super::pausing::Pausing;
use super::{Fence, FenceKind, Machine, Region, count};
use crate::code::Code;
use crate::jit::JitMode;

/// The fuel that a visit to the engine must spend to be worth its coming and going.
const PRICE_OF_VISIT: u32 = 4;

/// What visits may have cost, beyond what they gained, before the run gives the engine up.
const MAX_DEBT: u32 = 256;

/// Calls and backward jumps after which a run that gave the engine up tries it again: its code may be
/// another by then.
const HEAT_OF_RESTLESS: u32 = 1 << 16;

/// The innermost call: what shares one window in the engine.
#[derive(Clone, Copy)]
pub(in super::super) struct Innermost {
    /// The index of its first frame; the scopes that it has opened follow.
    pub(in super::super) frame: usize,
    /// Where its values begin on the stack; `None` for the program itself, which doesn't say.
    pub(in super::super) stack_base: Option<usize>,
    /// Where its block begins, if it is the run of a block.
    pub(in super::super) block: Option<usize>,
}

/// Calls and backward jumps until a run that begins is warm.
pub(super) fn first_heat(vm: &mut VM) -> u32 {
    match vm.engine.choice {
        // Before its first op, or with the call that it begins with.
        EngineChoice::Register => 1,
        EngineChoice::Auto => match engine::has_kept_code(vm) {
            true => 1,
            false => engine::warm_after(vm.running()),
        },
        EngineChoice::Reference => u32::MAX,
    }
}

impl Machine<'_> {
    /// Makes the run as cold as one that begins. Within one that may pause for want of fuel, nothing looks
    /// at that: what runs by itself can't pause.
    pub(super) fn begin_cold(&mut self) {
        self.heat = match self.pausing {
            Pausing::No => first_heat(self.vm),
            Pausing::OnFuel | Pausing::Paused => u32::MAX,
        };
        self.debt = 0;
        if self.heat == 1 {
            self.warm_up();
        }
    }

    /// Counts a call or a backward jump. When the run is warm, no op is in reach for a moment: what
    /// looks for the next one then tries the engine.
    #[inline(always)]
    pub(super) fn warm_up(&mut self) {
        self.heat = self.heat.wrapping_sub(1);
        if self.heat == 0 {
            self.region.end = 0;
        }
    }

    /// Goes on in the engine, if that is possible, and then with the op that it gives; `None` if the
    /// program ended there.
    #[cold]
    pub(super) fn move_to_engine(&mut self, at: usize) -> Step<Option<usize>> {
        self.region = self.innermost_region();
        if self.pausing == Pausing::OnFuel {
            return self.pause_or_go_on(at);
        }
        self.heat = u32::MAX;
        if self.vm.engine.choice == EngineChoice::Reference {
            return Ok(Some(at));
        }
        self.vm.ip = at;
        let left = engine::run(self)?;
        self.heat = match left {
            // What the caller calls next is as warm as what it has called.
            Left::Returned => 1,
            Left::Refused => engine::warm_after(self.vm.running()),
            Left::Restless => HEAT_OF_RESTLESS,
            Left::Ended => return Ok(None),
        };
        Ok(Some(self.vm.ip))
    }

    /// Notes that a visit to the engine, which began with so much fuel, ends in an op that is done
    /// here. `false` if visits have become so short that coming and going costs more than they gain.
    pub(in super::super) fn note_visit(&mut self, fuel_before: u64) -> bool {
        // Fuel that was filled up has been spent before.
        let spent = fuel_before.checked_sub(self.vm.meter.fuel());
        let gain = spent
            .unwrap_or(u64::from(MAX_DEBT))
            .min(u64::from(MAX_DEBT)) as u32;
        self.debt = (self.debt + PRICE_OF_VISIT).saturating_sub(gain);
        let state = &self.vm.engine;
        if self.debt < MAX_DEBT
            || state.choice != EngineChoice::Auto
            || state.jit.mode == JitMode::Eager
        {
            return true;
        }
        self.debt = 0;
        false
    }

    /// Runs the op at the VM's `ip`, whatever it is, on the public state. `false` if it ended the
    /// program.
    pub(in super::super) fn step(&mut self) -> Step<bool> {
        // Nothing warms up meanwhile.
        self.heat = u32::MAX;
        if cfg!(debug_assertions) && self.heights.is_some() {
            self.assert_height(self.vm.ip);
        }
        if let Some(op) = running(&self.vm.chunk, &self.vm.link).ops.get(self.vm.ip) {
            count(&mut self.vm.stats, op);
        }
        self.interpret::<true, false>()
    }

    /// Runs the op at `at` on what is on the stack: one that goes on to the next op, calls no
    /// handler and looks at no frame.
    pub(in super::super) fn run_alone(&mut self, at: usize) -> Step {
        self.vm.ip = at;
        // It may be in a sub that a block has called within the engine.
        let region = std::mem::replace(&mut self.region, Region::WHOLE);
        let ran = self.interpret::<true, false>();
        self.region = region;
        ran.map(|_| ())
    }

    /// The innermost call, if its frames are as the interpreter makes them.
    pub(in super::super) fn innermost(&self) -> Option<Innermost> {
        let frames = &self.vm.frames;
        let is_call = |frame: &Frame| frame.return_ip != SCOPE;
        // Marks are within the call around them.
        let is_mark = |fence: &&Fence| matches!(fence.kind, FenceKind::Mark { .. });
        match self.fences.iter().rev().find(|fence| !is_mark(fence)) {
            Some(Fence {
                frames: first,
                kind: FenceKind::Block(run),
            }) => {
                let calls = frames.get(*first..)?.iter().any(is_call);
                (!calls).then_some(Innermost {
                    frame: first.checked_sub(1)?,
                    stack_base: Some(run.height),
                    block: Some(run.region.start),
                })
            }
            fence => {
                let begin = self.floor.max(fence.map_or(0, |fence| fence.frames));
                let call = frames.get(begin..)?.iter().rposition(is_call);
                let Some(call) = call else {
                    if let Some(FenceKind::Alone { within, .. }) = fence.map(|fence| &fence.kind) {
                        return *within;
                    }
                    // Outside of any call it is the program, in the frame that was there before.
                    let frame = self.floor.checked_sub(1).filter(|_| fence.is_none())?;
                    return (frame < frames.len()).then_some(Innermost {
                        frame,
                        stack_base: None,
                        block: None,
                    });
                };
                let frame = begin + call;
                Some(Innermost {
                    frame,
                    stack_base: Some(frames[frame].stack_base),
                    block: None,
                })
            }
        }
    }

    /// Notes that the engine goes on behind a handler, which may have edited the ops in place.
    pub(in super::super) fn trust_handlers(&mut self) {
        self.trusts_handlers = true;
    }

    /// Whether the engine has compared its copy of the chunk in this run.
    pub(in super::super) fn has_compared(&mut self) -> bool {
        std::mem::replace(&mut self.compared, true)
    }

    /// Holds handlers to leaving the ops that run as they are.
    pub(super) fn check_code(&self) -> Step {
        if self.trusts_handlers && engine::was_edited(self.vm) {
            let message = "a handler edited the code while the register engine ran it";
            return Err(Fault::new(Code::WrongEffect, message));
        }
        Ok(())
    }

    /// The ops that jumps may go to now.
    pub(super) fn innermost_region(&self) -> Region {
        match self.fences.last() {
            Some(Fence {
                kind: FenceKind::Block(run),
                ..
            }) => run.region,
            Some(Fence {
                kind: FenceKind::Alone { region, .. } | FenceKind::Mark { region, .. },
                ..
            }) => *region,
            _ => Region::WHOLE,
        }
    }
}
