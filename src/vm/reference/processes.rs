//! Code that runs in copies of this process: subshells, stages of pipelines, substitutions, commands in
//! the background.
//!
//! A copy runs its stretch of code in an interpreter of its own and ends there; it never comes back into
//! the code of its parent. The parent goes on behind that stretch without having run it. Where a process
//! has other threads and can't be copied, a pipeline still runs if each of its stages is a single command,
//! as commands are started without a copy.

use super::super::trap::{Fault, Step, Trap};
use super::{Fence, FenceKind, Innermost, Machine, Region, running};
use crate::code::Code;
use crate::host::{Forked, Host, HostError, PipeEnd, Wiring};
use crate::op::{Op, Paired};
use crate::value::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many copies may lie between the first process and one: each takes its share of the system's.
const MAX_COPIES: u32 = 256;

/// The status of a copy that a trap has ended.
const STATUS_TRAPPED: i32 = 125;

/// A signal that no process survives.
const KILL: i32 = 9;

/// A pipeline whose stages are single commands, started by this process.
#[derive(Default)]
pub(super) struct Spawning {
    /// What the stage at hand reads and writes.
    wiring: Wiring,
    /// What the next stage reads.
    next_input: Option<PipeEnd>,
    /// How the stages so far have been started: as a process, or with what status they weren't.
    stages: Vec<Result<i32, i32>>,
}

impl Machine<'_> {
    /// The pair that the op at `at` belongs to.
    pub(super) fn pair(&mut self, at: usize) -> Step<Paired> {
        let chunk = running(&self.vm.chunk, &self.vm.link);
        let pairs = self.vm.index.pairs(chunk);
        pairs.at(at).copied().ok_or_else(|| {
            let message = "the op pairs with no other";
            Fault::new(Code::BlockFailed, message)
        })
    }

    /// `--` Where control goes on: behind the end of the subshell.
    pub(super) fn subshell(&mut self, at: usize) -> Step<usize> {
        let end = self.pair(at)?.end.unwrap_or(at);
        let is_background = std::mem::take(&mut self.vm.shell.is_background);
        let wiring = Wiring {
            is_background,
            ..Wiring::default()
        };
        let body = Region { start: at + 1, end };
        match self.fork("SubshellBegin", body, wiring)? {
            Forked::Child => self.run_copy(body),
            Forked::Parent(_) if is_background => self.vm.last_status = 0,
            Forked::Parent(process) => self.vm.last_status = self.wait("SubshellBegin", process)?,
        }
        Ok(end + 1)
    }

    /// `--` Where control goes on: behind the pipeline, which has left its status; or in its first stage,
    /// if this process runs them.
    pub(super) fn pipeline(&mut self, at: usize) -> Step<usize> {
        self.pair(at)?;
        if self.has_single_commands(at)? && !self.vm.door().can_fork() {
            self.spawning = Some(Spawning::default());
            self.wire_stage(at)?;
            return Ok(at + 1);
        }
        let mut processes = Vec::new();
        let started = self.start_stages(at, &mut processes);
        let end = match started {
            Ok(end) => end,
            Err(fault) => {
                self.abandon(&processes);
                return Err(fault);
            }
        };
        let mut statuses = Vec::with_capacity(processes.len());
        for process in processes {
            statuses.push(self.wait("PipelineEnd", process)?);
        }
        let status = self.status_of_stages(&statuses);
        self.vm.push(Value::Status(status));
        Ok(end + 1)
    }

    /// Starts a process for each stage, and gives the op that ends the pipeline.
    fn start_stages(&mut self, at: usize, processes: &mut Vec<i32>) -> Step<usize> {
        let (mut mark, mut input) = (at, None);
        while let Some(end) = self.pair(mark)?.end {
            let (read, output) = match self.pair(end)?.end {
                Some(_) => self.pipe("PipelineBegin")?,
                None => (None, None),
            };
            let wiring = Wiring {
                input,
                output,
                is_background: false,
            };
            let start = mark + 1;
            let stage = Region { start, end };
            match self.fork("PipelineBegin", stage, wiring)? {
                Forked::Child => self.run_copy(stage),
                Forked::Parent(process) => processes.push(process),
            }
            (mark, input) = (end, read);
        }
        Ok(mark)
    }

    fn pipe(&mut self, op: &str) -> Step<(Option<PipeEnd>, Option<PipeEnd>)> {
        let made = self.vm.door().pipe();
        let (read, write) = made.map_err(|error| self.vm.host_fault(op, &error))?;
        Ok((Some(read), Some(write)))
    }

    /// Ends processes that have lost their purpose.
    fn abandon(&mut self, processes: &[i32]) {
        for process in processes {
            // They are ours and not waited for, so they are there.
            let _ = self.vm.door().kill(*process, KILL);
            let _ = self.vm.door().wait(*process);
        }
    }

    /// The status of a pipeline of at least one stage.
    fn status_of_stages(&self, statuses: &[i32]) -> i32 {
        let failed = statuses.iter().rev().find(|status| **status != 0);
        match (self.vm.shell.options.pipefail, failed) {
            (true, Some(status)) => *status,
            (true, None) => 0,
            (false, _) => statuses.last().copied().unwrap_or(0),
        }
    }

    /// Whether each stage of the pipeline takes values, runs one command with them, and does nothing else.
    fn has_single_commands(&mut self, at: usize) -> Step<bool> {
        let mut mark = at;
        while let Some(end) = self.pair(mark)?.end {
            let chunk = running(&self.vm.chunk, &self.vm.link);
            let ops = chunk.ops.get(mark + 1..end).unwrap_or_default();
            let is_command = |op: &Op| matches!(op, Op::Exec(count) if *count > 0);
            let commands = ops.iter().filter(|op| is_command(op)).count();
            let is_plain = |op: &Op| is_command(op) || makes_values(op);
            if commands != 1 || !ops.iter().all(is_plain) {
                return Ok(false);
            }
            mark = end;
        }
        Ok(true)
    }

    /// Makes the pipes of the stage that begins at `mark`.
    fn wire_stage(&mut self, mark: usize) -> Step {
        let end = self.pair(mark)?.end.unwrap_or(mark);
        let (read, output) = match self.pair(end)?.end {
            Some(_) => self.pipe("PipelineBegin")?,
            None => (None, None),
        };
        if let Some(spawning) = &mut self.spawning {
            spawning.wiring = Wiring {
                input: spawning.next_input.take(),
                output,
                is_background: false,
            };
            spawning.next_input = read;
        }
        Ok(())
    }

    /// Starts the command of a stage that this process runs.
    pub(super) fn spawn_stage(&mut self, argv: &[Vec<u8>]) -> Step<i32> {
        let Some(spawning) = &mut self.spawning else {
            return Ok(0);
        };
        let wiring = std::mem::take(&mut spawning.wiring);
        let spawned = self.vm.door().spawn(argv, wiring);
        let started = spawned.map_err(|error| self.vm.host_fault("Exec", &error))?;
        if let Some(spawning) = &mut self.spawning {
            spawning.stages.push(started);
        }
        Ok(0)
    }

    /// Whether this process runs the stages of a pipeline.
    pub(super) fn is_spawning(&self) -> bool {
        self.spawning.is_some()
    }

    /// `--` The next stage of a pipeline whose stages this process runs.
    pub(super) fn next_stage(&mut self, at: usize) -> Step {
        self.pair(at)?;
        if self.spawning.is_none() {
            return Err(not_begun());
        }
        self.wire_stage(at)
    }

    /// `-- status` The end of such a pipeline.
    pub(super) fn end_pipeline(&mut self) -> Step {
        let spawning = self.spawning.take().ok_or_else(not_begun)?;
        let mut statuses = Vec::with_capacity(spawning.stages.len());
        for stage in spawning.stages {
            statuses.push(match stage {
                Ok(process) => self.wait("PipelineEnd", process)?,
                Err(status) => status,
            });
        }
        let status = self.status_of_stages(&statuses);
        self.vm.push(Value::Status(status));
        Ok(())
    }

    /// `-- s` The output of the block.
    pub(super) fn cmd_subst(&mut self, block: u16) -> Step {
        let region = self.block_region(block)?;
        let (read, output) = self.pipe("CmdSubst")?;
        let wiring = Wiring {
            output,
            ..Wiring::default()
        };
        let process = match self.fork("CmdSubst", region, wiring)? {
            Forked::Child => self.run_block_copy(region),
            Forked::Parent(process) => process,
        };
        let limit = self.vm.meter.limits().max_value.min(self.vm.memory_left());
        let output = match read {
            Some(read) => self.vm.door().read_all(read, limit),
            None => Ok(Vec::new()),
        };
        let mut text = match output {
            Ok(text) => text,
            Err(error) => {
                self.abandon(&[process]);
                return Err(self.vm.host_fault("CmdSubst", &error));
            }
        };
        self.vm.last_status = self.wait("CmdSubst", process)?;
        let len = text.len() as u64;
        self.vm.bulk(|_, work| work.charge(len))?;
        let kept = text.iter().rposition(|byte| *byte != b'\n');
        text.truncate(kept.map_or(0, |last| last + 1));
        self.vm.push(Value::bytes(text));
        Ok(())
    }

    /// `-- path` A path that reads from the block, or writes to it.
    pub(super) fn process_sub(&mut self, block: u16, reads: bool) -> Step {
        const OP: [&str; 2] = ["ProcessSubOut", "ProcessSubIn"];
        let op = OP[usize::from(reads)];
        let region = self.block_region(block)?;
        let (read, write) = self.pipe(op)?;
        let (own, input, output) = match reads {
            true => (read, None, write),
            false => (write, read, None),
        };
        let wiring = Wiring {
            input,
            output,
            is_background: true,
        };
        if self.fork(op, region, wiring)? == Forked::Child {
            self.run_block_copy(region);
        }
        self.vm.shell.is_active = true;
        let path = own.map_or(Err(HostError::Missing), |own| self.vm.door().path_of(own));
        let path = path.map_err(|error| self.vm.host_fault(op, &error))?;
        self.vm.push(Value::bytes(path));
        Ok(())
    }

    /// `argv -- status` Starts a command, or says that the next subshell is to run in the background.
    pub(super) fn exec_bg(&mut self, argc: u8, at: usize) -> Step {
        if argc == 0 {
            self.vm.shell.is_background = true;
            self.vm.push(Value::Status(0));
            return Ok(());
        }
        let wiring = Wiring {
            is_background: true,
            ..Wiring::default()
        };
        if self.vm.door().can_fork() {
            let command = Region {
                start: at,
                end: at + 1,
            };
            if self.fork("ExecBg", command, wiring)? == Forked::Child {
                self.run_command_copy(argc, command);
            }
            self.drop_values(usize::from(argc));
            self.vm.push(Value::Status(0));
            return Ok(());
        }
        let Some(argv) = self.command_words(argc)? else {
            self.vm.push(Value::Status(0));
            return Ok(());
        };
        self.vm.write_exports();
        let spawned = self.vm.door().spawn(&argv, wiring);
        let started = spawned.map_err(|error| self.vm.host_fault("ExecBg", &error))?;
        self.vm.push(Value::Status(started.err().unwrap_or(0)));
        Ok(())
    }

    fn drop_values(&mut self, count: usize) {
        let height = self.vm.stack.len().saturating_sub(count);
        self.vm.stack.truncate(height);
    }

    /// Copies this process for a part of the code.
    fn fork(&mut self, op: &str, part: Region, wiring: Wiring) -> Step<Forked> {
        if self.vm.shell.copies >= MAX_COPIES {
            let message = format!("copies of processes lie {MAX_COPIES} deep");
            return Err(Fault::new(Code::TooDeep, message));
        }
        self.vm.charge(1)?;
        self.look_up_ahead(part);
        // The copy's own first fence: memory that each copy would have to ask for.
        self.fences.reserve(1);
        self.vm.unflushed = false;
        let forked = self.vm.door().fork(wiring);
        if forked.is_err() {
            for end in [wiring.input, wiring.output].into_iter().flatten() {
                self.vm.door().close(end);
            }
        }
        forked.map_err(|error| self.vm.host_fault(op, &error))
    }

    /// Waits for a process of ours.
    fn wait(&mut self, op: &str, process: i32) -> Step<i32> {
        let ended = self.vm.door().wait(process);
        let status = ended.map_err(|error| self.vm.host_fault(op, &error))?;
        // That may have taken long.
        self.vm.meter.look()?;
        Ok(status)
    }

    /// Runs a part of the code at hand in this process, which is a copy, and ends it.
    fn run_copy(&mut self, region: Region) -> ! {
        let within = self.innermost();
        self.end_copy(|machine| {
            let ended = machine.run_region(region, within);
            machine.finish(ended, true)
        })
    }

    /// Runs a block in this process, which is a copy, and ends it.
    fn run_block_copy(&mut self, block: Region) -> ! {
        let within = self.within_block(block);
        self.end_copy(|machine| {
            let ended = machine.run_region(block, within);
            machine.finish(ended, true)
        })
    }

    /// Runs a command, whose words are on the stack, in this process, which is a copy.
    fn run_command_copy(&mut self, argc: u8, region: Region) -> ! {
        self.end_copy(|machine| {
            machine.begin_alone(region, None);
            let ended = machine.exec(argc, region.end).and_then(|next| {
                machine.vm.ip = next;
                machine.begin_cold();
                machine.interpret::<false, false>()?;
                machine.vm.last_status = super::shell::status_of(&machine.vm.pop());
                Ok(())
            });
            machine.finish(ended, true)
        })
    }

    /// Ends this process, which is a copy, with the status that `act` leaves, whatever happens within.
    fn end_copy(&mut self, act: impl FnOnce(&mut Self) -> Step) -> ! {
        let blocks = &running(&self.vm.chunk, &self.vm.link).block_ranges;
        self.vm.shell.enter_copy(|handler| {
            let block = blocks.get(usize::from(handler.block));
            block.is_some_and(|(start, end)| start == end)
        });
        self.is_copy = true;
        self.heights = None;
        self.spawning = None;
        let ended = catch_unwind(AssertUnwindSafe(|| act(self)));
        let status = match ended {
            Ok(Ok(())) => self.vm.last_status,
            Ok(Err(fault)) => {
                let report = format!("{}\n", Trap::at(fault, self.vm));
                // Where standard error is closed, nobody wants to know.
                let _ = self.vm.door().write_error(report.as_bytes());
                STATUS_TRAPPED
            }
            Err(_) => STATUS_TRAPPED,
        };
        self.vm.door().exit(status)
    }

    /// Begins to run a stretch of code by itself, within a call: its end, and a return from it, end the run.
    fn begin_alone(&mut self, region: Region, within: Option<Innermost>) {
        self.floor = self.vm.frames.len();
        self.link_floor = self.vm.link.returns.len();
        self.fences.clear();
        self.fences.push(Fence {
            frames: self.floor,
            kind: FenceKind::Alone { region, within },
        });
        self.region = region;
    }

    /// Runs a stretch of code by itself, within a call, in whatever interpreter its heat asks for.
    fn run_region(&mut self, region: Region, within: Option<Innermost>) -> Step {
        self.begin_alone(region, within);
        self.vm.ip = region.start;
        self.begin_cold();
        self.interpret::<false, false>().map(|_| ())
    }

    /// What a block that is run by itself is within.
    fn within_block(&self, block: Region) -> Option<Innermost> {
        Some(Innermost {
            frame: self.vm.frames.len().checked_sub(1)?,
            stack_base: Some(self.vm.stack.len()),
            block: Some(block.start),
        })
    }

    /// Does what is left to do when a run, or a copy of the process, is over: the trap for that, and
    /// the redirections that were not undone.
    pub(super) fn finish(&mut self, ended: Step, is_outermost: bool) -> Step {
        if !self.vm.shell.is_active && self.vm.shell.exit.is_none() {
            return ended;
        }
        let asked = self.vm.shell.exit;
        if !is_outermost {
            return if asked.is_some() { Ok(()) } else { ended };
        }
        let ended = match (asked, ended) {
            (Some(status), _) => {
                self.vm.last_status = status;
                self.leave_frames();
                let ran = self.run_exit_trap();
                let status = Value::Status(self.vm.last_status);
                self.vm.push(status);
                ran
            }
            (None, Ok(())) => self.run_exit_trap(),
            (None, Err(fault)) => Err(fault),
        };
        self.vm.shell.exit = None;
        self.vm.shell.base = 0;
        self.vm.shell.pending = 0;
        self.vm.shell.running = 0;
        let undone = self.vm.door().undo_redirections(0);
        ended.and(undone.map_err(|error| self.vm.host_fault("SetStatus", &error)))
    }

    /// Leaves the calls that an exit has cut short.
    fn leave_frames(&mut self) {
        let floor = self.floor.min(self.vm.frames.len());
        self.vm.truncate_frames(floor);
        self.vm.link.leave(floor);
        self.fences.clear();
        self.region = Region::WHOLE;
    }

    /// Runs the trap for the end of the program. The status stays what it was, unless the trap ends with
    /// one of its own.
    fn run_exit_trap(&mut self) -> Step {
        let Some(handler) = self.vm.shell.traps.remove(&0) else {
            return Ok(());
        };
        if !self.is_here(&handler) {
            return Ok(());
        }
        let region = self.block_region(handler.block)?;
        let (height, status) = (self.vm.stack.len(), self.vm.last_status);
        self.vm.shell.exit = None;
        self.heights = None;
        let within = self.within_block(region);
        let ran = self.run_region(region, within);
        self.vm.stack.truncate(height);
        self.vm.last_status = self.vm.shell.exit.unwrap_or(status);
        match self.vm.shell.exit {
            Some(_) => Ok(()),
            None => ran,
        }
    }

    /// Whether nothing but the end of this copy of the process comes behind the command at hand, so that
    /// the process may become the command.
    pub(super) fn is_last_command(&self, next: usize) -> bool {
        let Some(Fence {
            frames,
            kind: FenceKind::Alone { region, .. },
        }) = self.fences.last()
        else {
            return false;
        };
        let ops = &running(&self.vm.chunk, &self.vm.link).ops;
        let rest = ops.get(next..region.end).unwrap_or_default();
        let ends = |op: &Op| matches!(op, Op::SetStatus | Op::Pop | Op::Nop);
        self.is_copy
            && *frames == self.vm.frames.len()
            && self.fences.len() == 1
            && self.vm.shell.traps.is_empty()
            && rest.iter().all(ends)
    }
}

/// The fault of the end of something that hasn't begun, which only loose code comes to.
#[cold]
pub(super) fn not_begun() -> Fault {
    Fault::new(Code::BlockFailed, "nothing has begun that the op could end")
}

/// Whether the op does nothing but make values of values, so that a stage may run it anywhere.
fn makes_values(op: &Op) -> bool {
    matches!(
        op,
        Op::Nop
            | Op::LoadInt(_)
            | Op::LoadFloat(_)
            | Op::LoadConst(_)
            | Op::LoadTrue
            | Op::LoadFalse
            | Op::LoadUndef
            | Op::Pop
            | Op::GetVar(_)
            | Op::GetArray(_)
            | Op::GetSlot(_)
            | Op::ArrayGet(_)
            | Op::HashGet(_)
            | Op::MakeArray(_)
            | Op::Concat
            | Op::GetStatus
            | Op::SetStatus
            | Op::Redirect(..)
            | Op::HereDoc(_)
            | Op::HereString
            | Op::Glob
            | Op::GlobRecursive
            | Op::WordSplit
            | Op::BraceExpand
            | Op::TildeExpand
    )
}
