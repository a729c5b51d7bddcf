//! Calls, returns and scopes.
//!
//! A call's frame has the place to return to, a scope's has [`SCOPE`] in its place. A return ends
//! the innermost call with all scopes and blocks in it; outside of any call it ends the program and
//! leaves stack and frames as they are, like the end of the code does.

use super::super::link::Wants;
use super::super::state::slots_bytes;
use super::super::trap::{Fault, Step};
use super::super::{Frame, SCOPE};
use super::commands::STATUS_NOT_REDIRECTED;
use super::shell::status_of;
use super::{Fence, FenceKind, Machine, blocks};
use crate::code::Code;
use crate::host::Host;
use crate::value::Value;

/// The place that a call from outside of the program returns to: past every op.
pub(super) const OUTSIDE: usize = SCOPE - 1;

/// How many lists of slots are kept for the next calls, and how long they may be.
const SPARE_LISTS: usize = 8;
const SPARE_SLOTS: usize = 64;

/// A call that has ended.
struct Ended {
    return_ip: usize,
    /// Whether a sub was run as a command.
    was_command: bool,
    /// What a caller in another chunk expects.
    wants: Wants,
}

impl Machine<'_> {
    /// `args -- r?` Where the sub begins.
    #[inline(never)]
    pub(super) fn call(&mut self, name: u16, argc: u8, return_ip: usize) -> Step<usize> {
        let entry = match self.vm.link.unit() {
            None => self.vm.index.sub(&self.vm.chunk, name),
            Some(unit) => unit.sub(name),
        };
        let Some(entry) = entry else {
            return self.call_import(name, argc, return_ip);
        };
        self.fence_call();
        let base = self.vm.stack.len().saturating_sub(usize::from(argc));
        self.enter_sub(base, return_ip)?;
        Ok(entry)
    }

    /// Marks a call out of code with borders, such as a block, whose callee has all of its own in reach.
    #[inline]
    pub(in super::super) fn fence_call(&mut self) {
        let has_borders = match self.fences.last().map(|fence| &fence.kind) {
            Some(FenceKind::Block(_) | FenceKind::Alone { .. }) => true,
            Some(FenceKind::Mark { region, .. }) => region.end != usize::MAX,
            Some(FenceKind::Call | FenceKind::Command { .. }) | None => false,
        };
        if has_borders {
            self.raise_fence(FenceKind::Call);
        }
    }

    /// Begins a call of the sub or function by this name from outside of the program, with the
    /// arguments from `base` up.
    pub(in super::super) fn begin_call(&mut self, name: &str, base: usize) -> Step {
        let entry = match self.vm.link.unit() {
            None => self.vm.index.sub_named(&self.vm.chunk, name.as_bytes()),
            Some(unit) => unit.sub_named(name).map(|entry| entry.op),
        };
        let Some(entry) = entry else {
            return self.begin_function(name, base);
        };
        self.enter_sub(base, OUTSIDE)?;
        self.vm.ip = entry;
        Ok(())
    }

    /// Opens the frame of a call.
    pub(super) fn enter_sub(&mut self, stack_base: usize, return_ip: usize) -> Step {
        self.vm.charge(1)?;
        self.vm.meter.enter_call()?;
        self.warm_up();
        let slots = self.take_spare_slots();
        self.vm.frames.push(Frame {
            return_ip,
            stack_base,
            slots,
        });
        Ok(())
    }

    /// Room for slots that an earlier call has left.
    fn take_spare_slots(&mut self) -> Vec<Value> {
        let slots = self.spare_slots.pop().unwrap_or_default();
        self.vm.meter.slots_grown(slots_bytes(&slots));
        slots
    }

    /// Drops the frames from `place` up; the room for slots of the last one is kept, if it is small.
    fn drop_frames(&mut self, place: usize) {
        self.vm.truncate_frames(place + 1);
        let Some(mut frame) = self.vm.frames.pop() else {
            return;
        };
        self.vm.meter.slots_dropped(slots_bytes(&frame.slots));
        if frame.slots.capacity() <= SPARE_SLOTS && self.spare_slots.len() < SPARE_LISTS {
            frame.slots.clear();
            self.spare_slots.push(frame.slots);
        }
    }

    /// Marks where something begins that doesn't end like the code around it.
    pub(super) fn raise_fence(&mut self, kind: FenceKind) {
        let frames = self.vm.frames.len();
        self.fences.push(Fence { frames, kind });
        self.region = self.innermost_region();
    }

    /// `--` Where the caller goes on; `None` if the program ends.
    #[inline(never)]
    pub(super) fn return_none(&mut self) -> Step<Option<usize>> {
        let Some(ended) = self.end_call() else {
            return Ok(None);
        };
        if ended.was_command {
            self.vm.push(Value::Status(self.vm.last_status));
        } else if ended.wants == Wants::Value {
            self.vm.push(Value::Undef);
        }
        Ok(Some(ended.return_ip))
    }

    /// `v -- v` Where the caller goes on; `None` if the program ends.
    #[inline(never)]
    pub(super) fn return_value(&mut self) -> Step<Option<usize>> {
        let value = self.vm.pop();
        let Some(ended) = self.end_call() else {
            if self.is_copy {
                self.vm.last_status = status_of(&value);
            }
            self.vm.push(value);
            return Ok(None);
        };
        if ended.was_command {
            self.vm.push(Value::Status(status_of(&value)));
        } else if ended.wants != Wants::Nothing {
            self.vm.push(value);
        }
        Ok(Some(ended.return_ip))
    }

    /// Ends the innermost call: drops its frames and values. `None`, and nothing is changed, outside of
    /// any call.
    fn end_call(&mut self) -> Option<Ended> {
        let floor = self.floor.min(self.vm.frames.len());
        let calls = &self.vm.frames[floor..];
        let place = floor + calls.iter().rposition(|frame| frame.return_ip != SCOPE)?;
        let Frame {
            return_ip,
            stack_base,
            ..
        } = self.vm.frames[place];
        self.drop_frames(place);
        self.vm.stack.truncate(stack_base);
        self.vm.meter.leave_call();
        let wants = match self.vm.link.returns.is_empty() {
            true => Wants::Any,
            false => self.vm.link.leave(place),
        };
        let was_command = !self.fences.is_empty() && self.lower_fences(place);
        Some(Ended {
            return_ip,
            was_command,
            wants,
        })
    }

    /// Takes away the fences within a call whose frame stood at `place`, and those of the call
    /// itself. Tells whether it was a command.
    pub(super) fn lower_fences(&mut self, place: usize) -> bool {
        let mut was_command = false;
        while let Some(fence) = self.fences.last() {
            match fence.kind {
                FenceKind::Block(_) | FenceKind::Alone { .. } | FenceKind::Mark { .. }
                    if fence.frames <= place =>
                {
                    break;
                }
                FenceKind::Call | FenceKind::Command { .. } if fence.frames < place => break,
                FenceKind::Command { .. } => was_command = fence.frames == place,
                FenceKind::Block(_)
                | FenceKind::Alone { .. }
                | FenceKind::Mark { .. }
                | FenceKind::Call => {}
            }
            self.drop_fence();
        }
        self.region = self.innermost_region();
        was_command
    }

    /// Takes the innermost fence away, as what is behind it ends before its own end.
    fn drop_fence(&mut self) {
        match self.fences.pop().map(|fence| fence.kind) {
            Some(FenceKind::Block(run)) => self.leave_block(&run),
            Some(FenceKind::Mark { outer, .. }) => {
                self.vm.shell.base = outer;
                self.vm.unflushed = false;
                if self.vm.door().undo_redirections(outer).is_err() {
                    self.vm.last_status = STATUS_NOT_REDIRECTED;
                }
            }
            Some(FenceKind::Command { outer }) => self.vm.shell.base = outer,
            Some(FenceKind::Alone { .. } | FenceKind::Call) | None => {}
        }
    }

    /// `--` Closes the innermost scope. In loose code it may be any frame.
    pub(super) fn pop_frame(&mut self) -> Step {
        let Some(frame) = self.vm.frames.last() else {
            return Ok(());
        };
        let (stack_base, is_call) = (frame.stack_base, frame.return_ip != SCOPE);
        let place = self.vm.frames.len() - 1;
        if self.fences.last().is_some_and(|fence| fence.frames > place) {
            return Err(blocks::leaves_block());
        }
        if self
            .vm
            .link
            .returns
            .last()
            .is_some_and(|call| call.frame >= place)
        {
            let message = "code closes the frame of the call that it was called by";
            return Err(Fault::new(Code::BlockFailed, message));
        }
        if is_call && place >= self.floor {
            self.vm.meter.leave_call();
        }
        self.floor = self.floor.min(place);
        self.vm.truncate_frames(place);
        self.vm.stack.truncate(stack_base);
        Ok(())
    }

    /// Follows what a handler did to the list of frames. Each that it added counts as a call, and it
    /// may have ended calls and blocks.
    pub(super) fn frames_changed(&mut self, before: usize) -> Step {
        let now = self.vm.frames.len();
        self.vm.charge(now.saturating_sub(before) as u64)?;
        self.vm.meter.frames_changed(before, now)?;
        self.floor = self.floor.min(now);
        self.vm.link.leave(now);
        while let Some(fence) = self.fences.last().filter(|fence| fence.frames > now) {
            if let FenceKind::Alone { .. } = fence.kind {
                return Err(blocks::leaves_block());
            }
            self.drop_fence();
        }
        self.region = self.innermost_region();
        Ok(())
    }
}
