//! What surrounds commands: redirections and their ends, statuses, traps.
//!
//! Redirections are made one by one and belong to the command that comes next; `SetStatus`, its end, undoes
//! them. A mark takes those that were made so far for all commands up to its end.

use super::super::shell::Handler;
use super::super::trap::{Fault, Step};
use super::blocks::BlockRun;
use super::shell::status_of;
use super::{Fence, FenceKind, Machine, Region, running};
use crate::code::Code;
use crate::host::{Host, HostError, SignalAction};
use crate::value::Value;
use std::sync::Arc;

/// The status of a command whose redirection failed.
pub(super) const STATUS_NOT_REDIRECTED: i32 = 1;

impl Machine<'_> {
    /// `target --`
    pub(super) fn redirect(&mut self, fd: u8, code: u8) -> Step {
        let mut work = self.vm.meter.work();
        let target = self.pop_text(&mut work)?;
        self.vm.settle(&work)?;
        if self.vm.shell.has_failed {
            return Ok(());
        }
        self.vm.unflushed = false;
        let done = self.vm.door().redirect(fd, code, target.as_bytes());
        self.redirected("Redirect", done)
    }

    /// `--` A constant becomes standard input.
    pub(super) fn here_doc(&mut self, index: u16) -> Step {
        let chunk = running(&self.vm.chunk, &self.vm.link);
        let text = chunk.constants.get(usize::from(index)).cloned();
        let mut work = self.vm.meter.work();
        let text = self.text_of(text.unwrap_or_default(), &mut work)?;
        self.vm.settle(&work)?;
        self.read_from("HereDoc", text.as_bytes())
    }

    /// `word --` A word and a newline become standard input.
    pub(super) fn here_string(&mut self) -> Step {
        let mut work = self.vm.meter.work();
        let word = self.pop_text(&mut work)?;
        let len = word.as_bytes().len() as u64;
        let paid = work.fits(len + 1).and_then(|()| work.charge(len));
        paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
        self.vm.settle(&work)?;
        self.read_from("HereString", &[word.as_bytes(), b"\n"].concat())
    }

    fn read_from(&mut self, op: &str, text: &[u8]) -> Step {
        if self.vm.shell.has_failed {
            return Ok(());
        }
        let done = self.vm.door().here_document(text);
        self.redirected(op, done)
    }

    fn redirected(&mut self, op: &str, done: Result<bool, HostError>) -> Step {
        let is_done = done.map_err(|error| self.vm.host_fault(op, &error))?;
        self.vm.shell.is_active = true;
        self.vm.shell.has_failed = !is_done;
        Ok(())
    }

    /// Whether a redirection of the command at hand has failed, so that it doesn't run.
    pub(super) fn takes_failure(&mut self) -> bool {
        std::mem::take(&mut self.vm.shell.has_failed)
    }

    /// `--` Where control goes on: within the mark, or behind its end if a redirection has failed.
    pub(super) fn redirect_mark(&mut self, at: usize) -> Step<usize> {
        let end = self.pair(at)?.end.unwrap_or(at);
        self.vm.shell.is_active = true;
        if self.takes_failure() {
            self.undo_to(self.vm.shell.base)?;
            self.vm.last_status = STATUS_NOT_REDIRECTED;
            return Ok(end + 1);
        }
        let outer = self.vm.shell.base;
        self.vm.shell.base = self.vm.door().redirections();
        let region = self.region;
        let frames = self.vm.frames.len();
        self.fences.push(Fence {
            frames,
            kind: FenceKind::Mark { outer, region },
        });
        Ok(at + 1)
    }

    /// `--`
    pub(super) fn redirect_pop(&mut self) -> Step {
        let is_mark = |fence: &mut Fence| matches!(fence.kind, FenceKind::Mark { .. });
        let Some(Fence {
            kind: FenceKind::Mark { outer, .. },
            ..
        }) = self.fences.pop_if(is_mark)
        else {
            let message = "no redirections were marked here";
            return Err(Fault::new(Code::BlockFailed, message));
        };
        self.vm.shell.base = outer;
        self.undo_to(outer)
    }

    /// Undoes redirections. A failure to write what was printed is the failure of the command.
    pub(super) fn undo_to(&mut self, height: usize) -> Step {
        self.vm.unflushed = false;
        match self.vm.door().undo_redirections(height) {
            Ok(()) => Ok(()),
            Err(HostError::Failed(_)) => {
                self.vm.last_status = STATUS_NOT_REDIRECTED;
                Ok(())
            }
            Err(error) => Err(self.vm.host_fault("SetStatus", &error)),
        }
    }

    /// `s --` The end of a command. Where control goes on: behind it, or in a trap.
    #[inline(always)]
    pub(super) fn set_status(&mut self, next: usize) -> Step<usize> {
        self.vm.last_status = status_of(&self.vm.pop());
        match self.vm.shell.is_active {
            false => Ok(next),
            true => self.end_command(next),
        }
    }

    /// Ends a command that has set its status: undoes its redirections, and ends the program if it has failed and
    /// shouldn't. Where control goes on: behind it, or in a trap.
    #[inline(never)]
    fn end_command(&mut self, next: usize) -> Step<usize> {
        self.vm.shell.has_failed = false;
        self.undo_to(self.vm.shell.base)?;
        if self.vm.shell.options.errexit && self.vm.last_status != 0 {
            self.vm.exit(self.vm.last_status);
            return Err(ended());
        }
        self.run_traps(next)
    }

    /// `signal --`
    pub(super) fn trap_set(&mut self, block: u16) -> Step {
        let mut work = self.vm.meter.work();
        let name = self.pop_text(&mut work)?;
        self.vm.settle(&work)?;
        let region = self.block_region(block)?;
        let (name, resets) = match name.as_bytes().strip_prefix(b"-") {
            Some(name) => (name, true),
            None => (name.as_bytes(), false),
        };
        let found = self.vm.door().signal_number(name);
        let signal = match found.map_err(|error| self.vm.host_fault("TrapSet", &error))? {
            Some(signal) => signal,
            None => {
                let name = String::from_utf8_lossy(name);
                let message = format!("TrapSet: there is no signal {name}");
                return Err(Fault::new(Code::HostFailed, message));
            }
        };
        let action = match (resets, region.start == region.end) {
            (true, _) => SignalAction::Default,
            (false, true) => SignalAction::Ignore,
            (false, false) => SignalAction::Catch,
        };
        if signal != 0 {
            let set = self.vm.door().set_signal(signal, action);
            set.map_err(|error| self.vm.host_fault("TrapSet", &error))?;
        }
        self.vm.shell.is_active = true;
        if resets {
            self.vm.shell.traps.remove(&signal);
        } else {
            let unit = self.vm.link.unit().cloned();
            self.vm.shell.traps.insert(signal, Handler { block, unit });
        }
        Ok(())
    }

    /// Where control goes on: in the handler of a signal that has come, or at `next`.
    pub(super) fn run_traps(&mut self, next: usize) -> Step<usize> {
        if self.vm.shell.traps.is_empty() {
            return Ok(next);
        }
        let came = self.vm.door().take_signals();
        self.vm.shell.pending |= came;
        if self.vm.shell.pending & !self.vm.shell.running == 0 {
            return Ok(next);
        }
        let traps = self.vm.shell.traps.iter();
        let due = traps.filter(|(signal, _)| {
            let ready = self.vm.shell.pending & !self.vm.shell.running;
            **signal > 0 && ready & 1 << **signal != 0
        });
        let mut due = due.filter(|(_, handler)| self.is_here(handler));
        let Some((&signal, handler)) = due.next() else {
            return Ok(next);
        };
        let block = handler.block;
        self.vm.shell.pending &= !(1 << signal);
        let region = self.block_region(block)?;
        if region.start == region.end {
            return Ok(next);
        }
        self.vm.charge(1)?;
        self.vm.meter.enter_call()?;
        self.vm.shell.running |= 1 << signal;
        let run = BlockRun::of_trap(
            region,
            next,
            self.vm.stack.len(),
            signal,
            self.vm.last_status,
        );
        self.raise_fence(FenceKind::Block(run));
        Ok(region.start)
    }

    /// Whether the handler's block is one of the running chunk.
    pub(super) fn is_here(&self, handler: &Handler) -> bool {
        match (self.vm.link.unit(), &handler.unit) {
            (None, None) => true,
            (Some(here), Some(there)) => Arc::ptr_eq(here, there),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// The ops of a block.
    pub(super) fn block_region(&self, block: u16) -> Step<Region> {
        let chunk = running(&self.vm.chunk, &self.vm.link);
        let (ranges, len) = (&chunk.block_ranges, chunk.ops.len());
        match ranges.get(usize::from(block)) {
            Some(&(start, end)) if start <= end && end <= len => Ok(Region { start, end }),
            Some(_) | None => {
                let message = format!("there is no block {block} within the code");
                Err(Fault::new(Code::BlockFailed, message))
            }
        }
    }

    /// Whether the program has asked to end.
    pub(super) fn check_exit(&self) -> Step {
        match self.vm.shell.exit {
            Some(_) => Err(ended()),
            None => Ok(()),
        }
    }
}

/// What ends a run that the program has asked to end: no fault, which the status to end with tells.
#[cold]
fn ended() -> Fault {
    Fault::of(Code::Interrupted)
}

/// The Status of a command that didn't run as its redirection failed.
pub(super) fn not_redirected() -> Value {
    Value::Status(STATUS_NOT_REDIRECTED)
}
