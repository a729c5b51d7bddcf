//! What a VM's runs did, counted where that is asked for. Where it is not, nothing is counted and
//! nothing looks whether it should be.

use super::VM;
use std::time::{Duration, Instant};

/// What runs of a VM did since counting was switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Ops that the reference interpreter ran.
    pub ops: u64,
    /// Instructions that the register engine ran.
    pub instructions: u64,
    /// Calls of subs and functions, in either.
    pub calls: u64,
    /// Times that the register engine was entered.
    pub entries: u64,
    /// Wall time of all but the register engine: the reference interpreter, handlers, the host, and
    /// native code that is entered from there.
    pub reference_time: Duration,
    /// Wall time of the register engine.
    pub engine_time: Duration,
}

/// When a run and the time before it began, if it is counted.
pub(super) struct Begun {
    at: Instant,
    engine_time: Duration,
}

impl VM {
    /// Begins to count what runs do, from nothing; or stops to. Counted runs are slower.
    pub fn set_counting(&mut self, counts: bool) {
        self.stats = counts.then(Box::default);
    }

    /// What was counted; `None` if nothing is.
    pub fn stats(&self) -> Option<&Stats> {
        self.stats.as_deref()
    }

    /// Notes the beginning of a run. One within another is part of that.
    pub(super) fn begin_counting(&self) -> Option<Begun> {
        let stats = self.stats.as_ref().filter(|_| !self.meter.is_running())?;
        Some(Begun {
            at: Instant::now(),
            engine_time: stats.engine_time,
        })
    }

    /// Counts the time of a run: what the engine hasn't taken of it is the interpreter's.
    pub(super) fn end_counting(&mut self, begun: Option<Begun>) {
        if let (Some(begun), Some(stats)) = (begun, &mut self.stats) {
            let engine = stats.engine_time.saturating_sub(begun.engine_time);
            stats.reference_time += begun.at.elapsed().saturating_sub(engine);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::chunk::ChunkBuilder;
    use crate::op::Op;
    use crate::vm::{EngineChoice, VM};

    /// Calls a sub ten times.
    fn counted(choice: EngineChoice) -> VM {
        let mut b = ChunkBuilder::new();
        let name = b.add_name("f");
        let head = b.current_pos();
        b.emit(Op::Call(name, 0), 1);
        b.emit(Op::SlotIncLtIntJumpBack(0, 10, head), 1);
        let end = b.emit(Op::Jump(0), 1);
        b.add_sub_entry(name, b.current_pos());
        b.emit(Op::Return, 1);
        b.patch_jump(end, b.current_pos());
        let mut vm = VM::new(b.build());
        vm.set_engine(choice);
        vm.set_counting(true);
        assert!(vm.execute().is_ok());
        vm
    }

    #[test]
    fn each_tier_counts_what_it_runs() {
        let reference = *counted(EngineChoice::Reference).stats().expect("counted");
        assert_eq!((reference.ops, reference.calls), (31, 10));
        assert_eq!((reference.instructions, reference.entries), (0, 0));
        let mut vm = counted(EngineChoice::Register);
        let register = *vm.stats().expect("counted");
        assert_eq!((register.calls, register.entries), (10, 1));
        assert!(register.instructions >= 30, "{register:?}");
        assert!(register.ops <= 1, "{register:?}");
        vm.set_counting(false);
        assert_eq!(vm.stats(), None);
    }
}
