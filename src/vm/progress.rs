//! Runs that don't go to their end at once: paused for want of fuel, or by a hook that looks at each
//! op, line or breakpoint.

use super::reference::Standstill;
use super::trap::Step;
use super::{CallSite, Machine, Trap, VM, trap};
use crate::value::Value;

/// How far a run got.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// To its end, with this value on top of the stack, if there was one.
    Ended(Option<Value>),
    /// It stands before the op at [`VM::ip`] and can go on.
    Paused,
}

/// What a hook wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The run goes on.
    GoOn,
    /// It pauses before the op that the hook was called for.
    Pause,
}

/// Where a hook is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stops {
    /// Before each op.
    EveryOp,
    /// Before the first op of each line, and of each call.
    EveryLine,
    /// As for each line, at these ones.
    At(Vec<Breakpoint>),
}

/// A line of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// The name of the chunk's source.
    pub source: String,
    /// The line.
    pub line: u32,
}

impl Stops {
    /// Whether to stop at a site, coming from another line.
    pub(super) fn contains(&self, vm: &VM) -> bool {
        let Stops::At(breakpoints) = self else {
            return true;
        };
        let chunk = vm.running();
        let line = chunk.line(vm.ip);
        breakpoints
            .iter()
            .any(|at| Some(at.line) == line && at.source == chunk.source)
    }
}

impl VM {
    /// Runs on with so much more fuel, on top of what is left, to the end or until the fuel is used up;
    /// then calling this again goes on. [`execute`](VM::execute) goes on to the end.
    ///
    /// A run pauses at a call or a backward jump. What ops between have used beyond their fuel is
    /// taken from the next grant, so that over all of them a program uses what it would use at once.
    /// A paused run is one of the reference interpreter.
    ///
    /// ```
    /// use fusevm::vm::Progress;
    /// use fusevm::{ChunkBuilder, Op, VM, Value};
    ///
    /// let mut b = ChunkBuilder::new();
    /// b.emit(Op::PreIncSlotVoid(0), 1);
    /// b.emit(Op::SlotIncLtIntJumpBack(1, 1000, 0), 1);
    /// b.emit(Op::GetSlot(0), 2);
    /// let mut vm = VM::new(b.build());
    /// let mut pauses = 0;
    /// while vm.advance(100)? == Progress::Paused {
    ///     pauses += 1;
    /// }
    /// assert_eq!(pauses, 9);
    /// # Ok::<(), fusevm::vm::Trap>(())
    /// ```
    ///
    /// # Errors
    /// A [`Trap`] when the program had to be stopped. A run that a handler begins within this one can't
    /// pause: without fuel it ends in a trap.
    ///
    /// # Panics
    /// Only if a handler does.
    pub fn advance(&mut self, fuel: u64) -> Result<Progress, Trap> {
        self.meter.grant(fuel);
        self.progress(|machine| machine.run_on_fuel())
    }

    /// Runs on, one op at a time, and calls a hook where `stops` says: it may look at all of the VM,
    /// change variables, and have the run pause. Going on behind a pause doesn't call it for the same
    /// op again.
    ///
    /// ```
    /// use fusevm::vm::{Progress, Stops, Verdict};
    /// use fusevm::{ChunkBuilder, Op, VM, Value};
    ///
    /// let mut b = ChunkBuilder::new();
    /// b.emit(Op::LoadInt(40), 1);
    /// b.emit(Op::LoadInt(2), 2);
    /// b.emit(Op::Add, 2);
    /// let mut vm = VM::new(b.build());
    /// let mut lines = Vec::new();
    /// let progress = vm.step_through(&Stops::EveryLine, |vm| {
    ///     lines.extend(vm.site().line);
    ///     Verdict::GoOn
    /// })?;
    /// assert_eq!(progress, Progress::Ended(Some(Value::Int(42))));
    /// assert_eq!(lines, [1, 2]);
    /// # Ok::<(), fusevm::vm::Trap>(())
    /// ```
    ///
    /// # Errors
    /// As [`execute`](VM::execute).
    ///
    /// # Panics
    /// Only if a handler or the hook does.
    pub fn step_through(
        &mut self,
        stops: &Stops,
        mut hook: impl FnMut(&mut VM) -> Verdict,
    ) -> Result<Progress, Trap> {
        self.progress(|machine| machine.run_watched(stops, &mut hook))
    }

    /// Where the run stands.
    pub fn site(&self) -> CallSite {
        trap::call_chain(self).0
    }

    /// The calls that are active, the innermost first; of a long chain both ends.
    pub fn callers(&self) -> Vec<CallSite> {
        trap::call_chain(self).1
    }

    /// Runs on until a pause, and remembers how to go on.
    fn progress(&mut self, run: impl FnOnce(&mut Machine<'_>) -> Step) -> Result<Progress, Trap> {
        let resumed = self.standstill.take();
        let mut paused: Option<Standstill> = None;
        let ended = self.with_machine(|machine| {
            machine.resume(resumed)?;
            let ended = run(machine);
            paused = machine.take_standstill();
            ended
        });
        if paused.is_some() {
            self.standstill = paused.map(Box::new);
            return Ok(Progress::Paused);
        }
        match ended {
            Ok(()) => Ok(Progress::Ended(self.stack.pop())),
            Err(fault) => Err(Trap::at(fault, self)),
        }
    }
}
