//! The engine's side of native code: when it is entered, and how the engine goes on behind it.
//!
//! The engine tells hot places by fuel: it looks up every few hundred units ([`at_loop`],
//! [`note_call`]), and where that happens again and again something is hot. So counting costs nothing
//! in between. A sub that was compiled has its entry replaced by a [`Rop::Native`] instruction; a loop
//! is entered at its head when fuel is looked at next.
//!
//! No handler of the embedder's runs while native code is active: such ops leave it first.

#![allow(unsafe_code)]
// SAFETY of the whole module: who calls gives the activation of the run at hand, and a frame's base
// as handlers have it.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every line relies on the same promise"
)]

mod ahead;
mod foreign;
mod helpers;
mod kept;
mod observe;
mod obtain;
mod room;
mod roots;
mod state;
mod tell;

use super::dispatch::Pc;
use super::window::{Reg, reg, tag};
use super::{Activation, CallRecord, Exit, links};
use crate::jit::abi::{Helper, Layout, NOT_ENTERED, Place, Reason};
use crate::jit::{JitMode, JitStats};
use crate::lower::code::{Rop, Word};
use crate::value::{Array, Hash, Str};
use crate::vm::limits::LOOK_EVERY;
pub(in crate::vm) use ahead::{compile_ahead, kept_chunk};
use foreign::{Part, Reach};
pub(super) use kept::{Asked, add_stats, has_code, prepare};
pub(super) use observe::observe;
use roots::Root;
pub(super) use state::Native;
use state::{Enterable, Heat};
use std::any::Any;
use std::mem::offset_of;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

/// What native code knows of the run, and where it leaves what it says.
#[repr(C)]
pub(super) struct Links {
    helpers: *const [*const u8; Helper::COUNT],
    /// What the code that runs has of other chunks.
    parts: *const Part,
    rare_helpers: *const [*const u8; Helper::COUNT],
    answer: u64,
    executed: u64,
    helped: u64,
    entry: u64,
    records: *mut CallRecord,
    exit_place: u64,
    exit_base: *mut u8,
    exit_depth: u64,
    /// Fuel that native code gets at once.
    slice: u64,
    /// Calls inside of each other that native code gets room for, where there is any.
    frames: usize,
    /// When it last got some.
    last_look: Option<Instant>,
    /// What the embedder's host panicked with under native code.
    panic: Option<Box<dyn Any + Send>>,
    /// Whether anything was compiled since the engine was last left.
    asked_compiler: bool,
    /// The next look at fuel comes before its time, and tells nothing of what is hot.
    early: bool,
}

impl Links {
    pub(super) fn new() -> Links {
        Links {
            helpers: &raw const helpers::TABLE.0,
            parts: std::ptr::null(),
            rare_helpers: std::ptr::null(),
            answer: 0,
            executed: 0,
            helped: 0,
            entry: 0,
            records: std::ptr::null_mut(),
            exit_place: 0,
            exit_base: std::ptr::null_mut(),
            exit_depth: 0,
            slice: FIRST_SLICE,
            frames: room::FIRST_FRAMES,
            last_look: None,
            panic: None,
            asked_compiler: false,
            early: false,
        }
    }
}

/// Fuel that native code gets at once: first, at least and at most. In between it is what lasts about
/// as long as [`LOOK_TIME`].
const FIRST_SLICE: u64 = 1 << 13;
const MOST_SLICE: u64 = 1 << 20;

/// How long native code may run before the clock and the interrupt are looked at.
const LOOK_TIME: Duration = Duration::from_micros(200);

/// What native code knows of the activation.
pub(crate) fn layout() -> Layout {
    const LINKS: usize = offset_of!(Activation, links);
    Layout {
        fuel: offset_of!(Activation, fuel) as i32,
        globals: offset_of!(Activation, globals) as i32,
        constants: offset_of!(Activation, constants) as i32,
        parts: (LINKS + offset_of!(Links, parts)) as i32,
        part_bytes: size_of::<Part>() as i32,
        part_constants: offset_of!(Part, constants) as i32,
        max_items: offset_of!(Activation, max_items) as i32,
        helpers: (LINKS + offset_of!(Links, helpers)) as i32,
        rare_helpers: (LINKS + offset_of!(Links, rare_helpers)) as i32,
        answer: (LINKS + offset_of!(Links, answer)) as i32,
        executed: (LINKS + offset_of!(Links, executed)) as i32,
        helped: (LINKS + offset_of!(Links, helped)) as i32,
        entry: (LINKS + offset_of!(Links, entry)) as i32,
        records: (LINKS + offset_of!(Links, records)) as i32,
        exit_place: (LINKS + offset_of!(Links, exit_place)) as i32,
        exit_base: (LINKS + offset_of!(Links, exit_base)) as i32,
        exit_depth: (LINKS + offset_of!(Links, exit_depth)) as i32,
        array: Array::layout(),
        hash: Hash::layout(),
        str: Str::layout(),
    }
}

/// How a native call ended. Where to go on is in [`Activation::resume`]: a handler that was given it
/// by value would have a place for it on the stack, and its own last call would be none of a jump.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Called {
    /// With its result in the first register of the frame.
    Returned,
    /// The engine goes on.
    GoOn,
    /// The run has ended; the activation says how.
    Ended,
}

/// How native code ended.
enum Ran {
    Returned(*mut u8),
    /// Values weren't of the kinds that it is for.
    Refused(*mut u8),
    /// There is no room for its frames.
    NoRoom(*mut u8),
    /// Calls of other chunks reach something else than when it was made.
    Relinked(Reach, *mut u8),
    Left(Reason, Pc, *mut u8),
    Ended,
}

/// Runs the sub whose frame was entered at `base`.
#[inline(never)]
pub(super) unsafe fn call(act: *mut Activation, region: usize, base: *mut u8) -> Called {
    let root = Root::sub(act, region);
    let begin = (*root.program).instruction(region, 0);
    let Some(code) = root.code() else {
        (*act).resume = (begin, base);
        return Called::GoOn;
    };
    match run_root(act, root, code, base) {
        Ran::Returned(base) => {
            if (*root.program).gives_nothing(region) {
                reg(base, 0).set_word(u32::from(tag::UNDEF));
            }
            (*act).resume = (begin, base);
            Called::Returned
        }
        Ran::Refused(base) => {
            root.refused_call(act, base);
            (*act).resume = (begin, base);
            Called::GoOn
        }
        Ran::NoRoom(base) => {
            (*act).resume = (begin, base);
            Called::GoOn
        }
        Ran::Relinked(reach, base) => {
            root.was_relinked(act, reach);
            (*act).resume = (begin, base);
            Called::GoOn
        }
        Ran::Left(reason, pc, base) => {
            root.was_left(act, reason, pc, base);
            match pay_for_branch(act, reason, pc, base) {
                Some(place) => {
                    (*act).resume = place;
                    Called::GoOn
                }
                None => Called::Ended,
            }
        }
        Ran::Ended => Called::Ended,
    }
}

/// Why native code was left, in words.
fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Resume => "the engine does what comes next",
        Reason::Guard => "something isn't of the kind that was assumed",
        Reason::Fuel => "fuel is to be looked at",
        Reason::Fault => "it failed",
        Reason::Part => "the code that was compiled together ends",
    }
}

/// The engine stands at a loop's head, or behind the loop that it has paid for the last time
/// (`is_head` tells which), and fuel was looked at: goes on natively if that is possible and worthwhile.
/// Where the engine goes on is in [`Activation::resume`] then; `false` if the run has ended.
#[inline(never)]
pub(super) unsafe fn at_loop(act: *mut Activation, pc: Pc, base: *mut u8, is_head: bool) -> bool {
    (*act).resume = (pc, base);
    if mode(act) == JitMode::Off {
        return true;
    }
    (*act).stop_watching();
    if !is_head && !Root::frame(act, pc).has_frame() {
        look_at_next_head(act);
        return true;
    }
    let (region, position) = (*act).program().locate(pc);
    let early = std::mem::take(&mut (*act).links.early);
    let native = &mut (*act).program().native;
    let heat = match early {
        true => Heat::First,
        false => native.heat_frame(region, position),
    };
    let goes_on = match heat {
        _ if native.code(region, Some(position)).is_some() => true,
        Heat::Hot => true,
        Heat::Warm => false,
        Heat::Ripe => {
            (*act).watch();
            false
        }
        // What an earlier process compiled needn't become hot.
        Heat::First => native.take_frame(region, position),
    };
    if !goes_on {
        return true;
    }
    match go_on_natively(act, pc, base) {
        Some(place) => {
            (*act).resume = place;
            true
        }
        None => false,
    }
}

/// The engine is about to begin: with everything to be compiled, natively.
pub(super) unsafe fn begin(act: *mut Activation, pc: Pc, base: *mut u8) -> Option<(Pc, *mut u8)> {
    let options = (*act).machine_vm().engine.jit;
    let native = &mut (*act).program().native;
    native.set_options(options);
    if options.mode == JitMode::Auto && native.looks_early() {
        look_at_next(act);
    }
    if options.mode != JitMode::Eager {
        return Some((pc, base));
    }
    go_on_natively(act, pc, base)
}

/// Has the engine look at the next loop or call at once, as there may be code for it.
unsafe fn look_at_next(act: *mut Activation) {
    let fuel = std::mem::take(&mut (*act).fuel);
    (*act).machine_vm().meter.put_back(fuel);
    (*act).links.early = true;
}

/// Behind a loop, where no code is made that begins there: what there is can be entered at the next head.
unsafe fn look_at_next_head(act: *mut Activation) {
    if (*act).program().native.has_frames() {
        look_at_next(act);
    }
}

/// The engine is about to be left: writes what was compiled to the cache. A copy of the process leaves the
/// cache alone: it ends soon, and there may be many.
pub(super) unsafe fn end(act: *mut Activation) {
    let executed = std::mem::take(&mut (*act).links.executed);
    let helped = std::mem::take(&mut (*act).links.helped);
    let stats: &mut JitStats = &mut (*act).machine_vm().engine.jit_stats;
    stats.executed += executed;
    stats.executed_inline += executed - helped;
    let asked = std::mem::take(&mut (*act).links.asked_compiler);
    let is_damaged = (*(*act).first_program).native.is_damaged();
    if !(asked || is_damaged) || (*act).machine_vm().shell.copies > 0 {
        return;
    }
    renew_kept(act);
    for program in (*act).programs.values_mut().flatten() {
        program.native.flush();
    }
}

/// Compiles anew what was dropped of the present program in this run and not needed again: later processes
/// begin with what this one has learned, instead of learning it again at the price of a guard that fails.
unsafe fn renew_kept(act: *mut Activation) {
    let program = (*act).program;
    for (region, position) in (*program).native.outdated() {
        let root = Root {
            program,
            region,
            position,
        };
        root.renew(act);
    }
}

/// Runs a frame on from an instruction, as long as it can be.
unsafe fn go_on_natively(
    act: *mut Activation,
    mut pc: Pc,
    mut base: *mut u8,
) -> Option<(Pc, *mut u8)> {
    loop {
        let root = Root::frame(act, pc);
        if !root.ready_frame(act, base) {
            return Some((pc, base));
        }
        let Some(code) = root.code() else {
            return Some((pc, base));
        };
        match run_root(act, root, code, base) {
            Ran::Returned(base) | Ran::Refused(base) => {
                tell::refused(act, root);
                root.refuse_frame();
                return Some((pc, base));
            }
            Ran::NoRoom(base) => return Some((pc, base)),
            Ran::Relinked(reach, base) => {
                root.was_relinked(act, reach);
                return Some((pc, base));
            }
            Ran::Ended => return None,
            Ran::Left(reason, place, at) => {
                root.was_left(act, reason, place, at);
                let is_head = Word(*place).op() != Rop::Fuel;
                (pc, base) = pay_for_branch(act, reason, place, at)?;
                match reason {
                    Reason::Fuel => {}
                    // The next piece may be there, or is wanted before it becomes hot.
                    Reason::Part if mode(act) == JitMode::Eager => continue,
                    _ => return Some((pc, base)),
                }
                if !is_head && !Root::frame(act, pc).has_frame() {
                    look_at_next_head(act);
                    return Some((pc, base));
                }
            }
        }
    }
}

/// Where native code was left in a branch that it couldn't pay, pays and takes it.
unsafe fn pay_for_branch(
    act: *mut Activation,
    reason: Reason,
    pc: Pc,
    base: *mut u8,
) -> Option<(Pc, *mut u8)> {
    if reason != Reason::Fuel {
        return Some((pc, base));
    }
    if let Err(fault) = (*act).with_vm(|vm| vm.charge(1)) {
        (*act).exit = Exit::Fault(pc, base, fault);
        return None;
    }
    let word = Word(*pc);
    let step = match word.op() {
        Rop::Fuel => 1,
        Rop::Loop => word.wide() as i32 as isize,
        _ => word.c() as i16 as isize,
    };
    Some((pc.offset(step), base))
}

unsafe fn mode(act: *mut Activation) -> JitMode {
    (*act).program().native.options().mode
}

/// Fuel was looked at, or a sub was called the first time: compiles it if it is hot.
#[inline(never)]
pub(super) unsafe fn note_call(act: *mut Activation, region: usize, base: *mut u8) {
    if mode(act) == JitMode::Off {
        return;
    }
    (*act).stop_watching();
    if std::mem::take(&mut (*act).links.early) {
        return;
    }
    let heat = (*act).program().native.heat_sub(region);
    if heat == Heat::Ripe {
        (*act).watch();
    }
    if heat != Heat::Hot {
        return;
    }
    let root = Root::sub(act, region);
    root.meet_arguments(base);
    if root.ready_sub(act) {
        let stub = (*root.program).native.stub(region);
        (*root.program).set_entry(region, stub);
    }
}

/// Runs what a root was compiled to on the frame at `base`. If that was made quickly, and its trial is over
/// now, it has run for the last time.
unsafe fn run_root(act: *mut Activation, root: Root, code: Enterable, base: *mut u8) -> Ran {
    let ran = run(act, code, base);
    if (*code.compiled).is_tried() {
        root.improve(act);
    }
    ran
}

/// Runs compiled code on the frame at `base`.
unsafe fn run(act: *mut Activation, code: Enterable, base: *mut u8) -> Ran {
    let compiled = code.compiled;
    match (*code.linked).reach(act) {
        Reach::Same => {}
        reach => return Ran::Relinked(reach, base),
    }
    let Some(way) = (*act).program().native.way() else {
        return Ran::NoRoom(base);
    };
    let (base, depth) = match room::make(act, &*compiled, base) {
        (base, Some(depth)) if depth >= (*compiled).inlined => (base, depth),
        (base, _) => return Ran::NoRoom(base),
    };
    let slice = (*act).links.slice;
    let drawn = (*act).machine_vm().meter.draw(slice);
    let before = (*act).fuel;
    let fuel = before + drawn;
    let top = (*act).calls_top;
    (*act).links.records = top.wrapping_add(depth);
    (*act).machine_vm().engine.jit_stats.entries += 1;
    (*act).links.rare_helpers = &raw const way.rare_helpers;
    (*act).links.parts = (*code.linked).parts().as_ptr();
    (*act).links.entry = code.entry as u64;
    let address = (*compiled).code.at((*compiled).entry);
    let left = (way.enter)(act, base, fuel, depth as u64, address);
    if left >= 0 {
        (*act).fuel = left as u64;
    } else if left == NOT_ENTERED {
        (*act).fuel = fuel;
    }
    if let Some(panic) = (*act).links.panic.take() {
        resume_unwind(panic);
    }
    if let Some(trial) = &(*compiled).trial {
        trial.spend(fuel - (*act).fuel);
    }
    settle_fuel(act, before, fuel);
    match left {
        0.. => Ran::Returned(base),
        NOT_ENTERED => Ran::Refused(base),
        _ => leave(act, top, depth, (*compiled).inlined),
    }
}

/// Native code was left: makes records of its calls, and says where the innermost one stands.
unsafe fn leave(act: *mut Activation, top: *mut CallRecord, depth: usize, inlined: usize) -> Ran {
    (*act).machine_vm().engine.jit_stats.exits += 1;
    let left = (*act).links.exit_depth as usize;
    let frames = depth - left;
    if left <= inlined && depth > 0 {
        // It went as deep as it could.
        (*act).links.frames = ((*act).links.frames * 4).min(room::MOST_FRAMES);
    }
    for place in 0..frames {
        let record = top.add(place);
        // Native code has written a place where the instruction's address belongs.
        let at = Place((*record).pc.addr() as u64);
        let (program, region) = foreign::target(act, at.region());
        (*record).pc = (*program).ready_instruction(region, at.at());
    }
    (*act).calls_top = top.add(frames);
    let place = Place((*act).links.exit_place);
    let (program, region) = foreign::target(act, place.region());
    let pc = (*program).ready_instruction(region, place.at());
    links::switch(act, program);
    if place.reason() == Reason::Fuel {
        adapt_slice(act);
    }
    if !matches!((*act).exit, Exit::Running) {
        return Ran::Ended;
    }
    tell::left(act, place.reason(), pc);
    Ran::Left(place.reason(), pc, (*act).links.exit_base)
}

/// Makes the slices of fuel such that the clock is looked at often enough, and not more.
unsafe fn adapt_slice(act: *mut Activation) {
    let links = &mut (*act).links;
    let now = Instant::now();
    if let Some(last) = links.last_look {
        let passed = now.duration_since(last);
        if passed < LOOK_TIME / 2 {
            links.slice = (links.slice * 2).min(MOST_SLICE);
        } else if passed > LOOK_TIME {
            links.slice = (links.slice / 2).max(LOOK_EVERY);
        }
    }
    links.last_look = Some(now);
}

/// The engine looks again when it would have without native code: what that has spent of `given`
/// counts as spent by the engine, which had `before`.
unsafe fn settle_fuel(act: *mut Activation, before: u64, given: u64) {
    let left = (*act).fuel;
    let kept = match mode(act) {
        // With nothing to spend, the next loop or call is looked at at once.
        JitMode::Eager => 0,
        JitMode::Auto if (*act).program().native.looks_early() => {
            (*act).links.early = true;
            0
        }
        _ => before.saturating_sub(given - left),
    };
    (*act).machine_vm().meter.put_back(left - kept);
    (*act).fuel = kept;
}

/// A register's memory as native code has it.
unsafe fn register_at(place: *mut u8) -> Reg {
    Reg(place)
}
