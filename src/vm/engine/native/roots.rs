//! What the engine enters: a sub, or a frame in its middle. When it is compiled, and what becomes of its
//! code when that was left, or not entered.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::Activation;
use super::super::dispatch::Pc;
use super::super::program::Program;
use super::foreign::{Linked, Reach};
use super::observe::{kind_at, observe_stretch};
use super::obtain::{Origin, Outcome};
use super::state::Enterable;
use super::{room, tell};
use crate::jit::JitStats;
use crate::jit::abi::Reason;
use crate::jit::kinds::Kind;
use crate::lower::code::Word;
use std::time::Instant;

/// What is entered from the engine.
#[derive(Clone, Copy)]
pub(super) struct Root {
    pub(super) program: *mut Program,
    pub(super) region: usize,
    /// Where a frame is entered; `None` for a sub.
    pub(super) position: Option<usize>,
}

impl Root {
    /// A sub of the present program.
    pub(super) unsafe fn sub(act: *mut Activation, region: usize) -> Root {
        Root {
            program: (*act).program,
            region,
            position: None,
        }
    }

    /// The frame of the present program that stands at an instruction.
    pub(super) unsafe fn frame(act: *mut Activation, pc: Pc) -> Root {
        let (region, position) = (*act).program().locate(pc);
        Root {
            program: (*act).program,
            region,
            position: Some(position),
        }
    }

    /// Its code, if there is any.
    pub(super) unsafe fn code(self) -> Option<Enterable> {
        (*self.program).native.code(self.region, self.position)
    }

    /// Whether native code of the frame is there, or was left by an earlier process.
    pub(super) unsafe fn has_frame(self) -> bool {
        let native = &mut (*self.program).native;
        let take = |position| native.take_frame(self.region, position);
        self.code().is_some() || self.position.is_some_and(take)
    }

    /// Native code of the frame is there; compiles it if need be.
    pub(super) unsafe fn ready_frame(self, act: *mut Activation, base: *mut u8) -> bool {
        self.has_frame()
            || self.compile_frame(act, &|register| {
                // SAFETY: the frame has that register.
                unsafe { kind_at(base, register) }
            })
    }

    /// Compiles the frame, with registers as `observe` finds them.
    unsafe fn compile_frame(self, act: *mut Activation, observe: &dyn Fn(usize) -> Kind) -> bool {
        let Some(position) = self.position else {
            return false;
        };
        let Some(linked) = self.may_compile(act) else {
            return false;
        };
        let began = Instant::now();
        let outcome = (*self.program).compile_frame(self.region, position, observe, linked);
        self.note_compiled(act, began, &outcome)
    }

    /// Compiles what was dropped once more, for the kinds that it has met and for what was seen of operands
    /// since.
    pub(super) unsafe fn renew(self, act: *mut Activation) {
        if self.position.is_none() {
            self.ready_sub(act);
            return;
        }
        let met = (*self.program).native.met(self.region, self.position);
        let met = met.to_vec();
        self.compile_frame(act, &|register| {
            met.get(register).copied().unwrap_or(Kind::Any)
        });
    }

    /// Native code of the sub is there; compiles it if need be.
    pub(super) unsafe fn ready_sub(self, act: *mut Activation) -> bool {
        if self.code().is_some() {
            return true;
        }
        let Some(linked) = self.may_compile(act) else {
            return false;
        };
        let began = Instant::now();
        let outcome = (*self.program).compile_sub(self.region, linked);
        self.note_compiled(act, began, &outcome)
    }

    /// If compiling is tried, what may become part of the code, lowered.
    unsafe fn may_compile(self, act: *mut Activation) -> Option<Linked> {
        let native = &mut (*self.program).native;
        let is_hopeful = native.may_compile(self.region, self.position);
        let why = match (is_hopeful, room::for_compiler()) {
            (true, true) => return Some(Linked::gather(act, self)),
            (false, _) => "it can't be, or was left too often",
            (true, false) => "the native stack has no room for the compiler",
        };
        tell::gave_up(act, self, why);
        None
    }

    /// Counts what was compiled; whether it was.
    unsafe fn note_compiled(self, act: *mut Activation, began: Instant, outcome: &Outcome) -> bool {
        (*act).links.asked_compiler = true;
        let took = began.elapsed();
        let stats: &mut JitStats = &mut (*act).machine_vm().engine.jit_stats;
        stats.compile_ns += took.as_nanos() as u64;
        match outcome {
            Ok((_, Origin::Shared)) => stats.shared += 1,
            Ok((compiled, Origin::Compiled)) => {
                stats.compiled += 1;
                stats.code_bytes += compiled.code.bytes().len() as u64;
                stats.instructions += compiled.instructions;
                stats.inline += compiled.inline;
            }
            Err(_) => stats.declined += 1,
        }
        tell::compiled(act, self, took, outcome);
        outcome.is_ok()
    }

    /// Arguments were not of the kinds that a sub was compiled for: the next time it is for these, too.
    pub(super) unsafe fn refused_call(self, act: *mut Activation, base: *mut u8) {
        (*act).machine_vm().engine.jit_stats.failed_guards += 1;
        tell::refused(act, self);
        let was_guessed = (*self.program).native.is_guessed(self.region);
        if self.meet_arguments(base) {
            self.forget(act);
            if was_guessed {
                (*self.program).native.cool_sub(self.region);
            }
        }
    }

    /// The frame's registers were not of the kinds that it was compiled for.
    pub(super) unsafe fn refuse_frame(self) {
        if let Some(position) = self.position {
            (*self.program).native.refuse_frame(self.region, position);
        }
    }

    /// Notes the kinds of the arguments that a sub is called with; whether they are others than were met
    /// before.
    pub(super) unsafe fn meet_arguments(self, base: *mut u8) -> bool {
        let argc = (*self.program).argc(self.region);
        let seen: Vec<Kind> = (0..argc)
            .map(|place| kind_at(base, place).passed())
            .collect();
        (*self.program).native.meet(self.region, &seen)
    }

    /// The code was left: what that says of it.
    pub(super) unsafe fn was_left(
        self,
        act: *mut Activation,
        reason: Reason,
        pc: Pc,
        base: *mut u8,
    ) {
        match reason {
            Reason::Guard => self.guard_failed(act, pc, base),
            Reason::Resume => {
                let code = self.code();
                if code.is_some_and(|code| (*code.linked).has_learned(act, Word(*pc))) {
                    (*self.program)
                        .native
                        .note_relink(self.region, self.position);
                    self.forget(act);
                }
            }
            Reason::Fuel | Reason::Fault | Reason::Part => {}
        }
    }

    /// Something wasn't as assumed between the place where the engine goes on and the guard that noticed:
    /// notes what it is, and has the engine note more on its way.
    unsafe fn guard_failed(self, act: *mut Activation, pc: Pc, base: *mut u8) {
        (*act).machine_vm().engine.jit_stats.failed_guards += 1;
        observe_stretch(act, pc, base);
        (*act).watch();
        if (*self.program).native.fail(self.region, self.position) {
            (*self.program).native.outdate(self.region, self.position);
            self.forget(act);
        }
    }

    /// It wasn't entered, as calls of other chunks reach something else than when it was compiled. What they
    /// reach may only be unknown, until they are made once.
    pub(super) unsafe fn was_relinked(self, act: *mut Activation, reach: Reach) {
        let native = &mut (*self.program).native;
        if reach == Reach::Other || native.miss_links(self.region, self.position) {
            native.note_relink(self.region, self.position);
            self.forget(act);
        }
    }

    /// Drops code that was made quickly and whose trial is over.
    pub(super) unsafe fn improve(self, act: *mut Activation) {
        (*self.program).native.prove(self.region, self.position);
        self.forget(act);
    }

    /// Drops the code, to be compiled anew at the next look.
    pub(super) unsafe fn forget(self, act: *mut Activation) {
        tell::dropped(act, self);
        (*self.program).native.forget(self.region, self.position);
        if self.position.is_none() {
            let words = (*self.program).instruction(self.region, 0).cast_mut();
            (*self.program).set_entry(self.region, words);
            (*self.program).native.warm_sub(self.region);
        }
    }
}
