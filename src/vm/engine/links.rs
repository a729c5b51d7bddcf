//! Calls between chunks within the engine: what an instruction knows of the function that it names, and
//! how a call of it begins and ends.
//!
//! A name's link is made when it is first called that the VM's linkage already knows: the very first call
//! leaves the engine, as errors are the reference interpreter's. It holds as long as the version of the
//! VM's [`Engine`](crate::engine::Engine) is what it was, which each call looks at. While chunks call each
//! other here the VM's public state knows nothing of it: its running unit is that of the first window,
//! until [`publish`](super::publish) notes the calls one by one.
//!
//! A link that active calls have used stays what it is until they are published, so they need no record of
//! it: it is replaced only by one of the version that the VM's linkage is of, and that changes only while
//! nothing is in the engine.

#![allow(unsafe_code)]
// SAFETY of the whole module: the callers are handlers, which hand on what they were promised. Programs
// are dropped only while no frame is in the engine, so those that links and records point at live.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every line relies on the same promise"
)]

use super::dispatch::{Pc, go, go_to};
use super::native;
use super::program::{Program, Unit};
use super::window::{Reg, reg, tag};
use super::{Activation, CallRecord, Known, MOST_PROGRAMS, slow};
use crate::lower::code::{REGISTER_BYTES, Word, flag};
use crate::value::Value;
use crate::verify::RegionKind;
use crate::vm::link::{CodeLink, Wants};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The version where there is no engine: nothing is linked there.
pub(super) static NO_VERSION: AtomicU64 = AtomicU64::new(0);

/// What calls of a name from one program reach.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// The version that it is of; one that never comes if nothing is known, the other fields having no
    /// meaning.
    version: u64,
    pub(super) unit: *const Unit,
    pub(super) program: *mut Program,
    region: u32,
    /// The place of the function's unit in the VM's linkage.
    pub(super) place: u32,
    /// How many arguments it is for.
    argc: u16,
    /// Registers behind the arguments that begin as Undef: slots of code that is run from its first op.
    pub(super) fresh: u16,
    pub(super) wants: Wants,
    pub(super) fix: Fix,
}

impl Link {
    /// A link of which nothing is known.
    pub(super) const UNKNOWN: Link = Link {
        version: u64::MAX,
        unit: std::ptr::null(),
        program: std::ptr::null_mut(),
        region: 0,
        place: 0,
        argc: 0,
        fresh: 0,
        wants: Wants::Any,
        fix: Fix::Nothing,
    };
}

/// What is to be done so that the caller finds the values that it expects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fix {
    Nothing,
    /// The function gives none, and one is expected.
    Undef,
    /// It gives one, and none is expected.
    Drop,
}

/// Whether a link is what the call reaches now.
#[inline(always)]
pub(super) unsafe fn is_current(act: *mut Activation, link: *const Link, word: Word) -> bool {
    (*link).version == (*(*act).version).load(Ordering::Acquire) && (*link).argc == word.c()
}

/// Whether there is room for the call, and fuel.
#[inline(always)]
pub(super) unsafe fn has_room(act: *mut Activation, link: *const Link, callee: *mut u8) -> bool {
    let end = callee.wrapping_add((*(*link).unit).frame_bytes as usize);
    end <= (*act).window_end && (*act).calls_top != (*act).calls_end && (*act).fuel != 0
}

/// Pays for the call, which there is room for, records it, and goes over to the callee's program.
#[inline(always)]
pub(super) unsafe fn begin(pc: Pc, act: *mut Activation, link: *const Link, word: Word) {
    (*act).fuel -= 1;
    (*act).calls_top.write(CallRecord {
        pc,
        base_offset: usize::from(word.a()),
    });
    (*act).calls_top = (*act).calls_top.add(1);
    switch(act, (*link).program);
}

/// Goes on in another program.
#[inline(always)]
pub(super) unsafe fn switch(act: *mut Activation, program: *mut Program) {
    (*act).program = program;
    let tables = (*program).tables();
    (*act).units = tables.units;
    (*act).constants = tables.constants;
    (*act).links = tables.links;
}

/// As the handler, of a chunk's code, whose slots behind the arguments begin as Undef.
#[inline(never)]
pub(super) unsafe fn call_code(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    let link = (*act).links.add(usize::from(word.b()));
    if !has_room(act, link, callee) {
        return call(pc, callee, act, word);
    }
    let first = callee.add(usize::from((*link).argc) * REGISTER_BYTES);
    let mut place = 0;
    while place < usize::from((*link).fresh) {
        let slot = Reg(first.add(place * REGISTER_BYTES));
        if slot.is_counted() {
            return call(pc, callee, act, word);
        }
        slot.set_word(u32::from(tag::UNDEF));
        place += 1;
    }
    begin(pc, act, link, word);
    go_to!((*(*link).unit).entry, callee, act)
}

/// A call whose link isn't known, or with the end of something reached. `callee` is the base that the
/// called frame would have.
#[inline(never)]
pub(super) unsafe fn call(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    if !opens(pc, callee, act, word) {
        return false;
    }
    go_to!((*act).resume.0, (*act).resume.1, act)
}

/// Begins such a call; where it goes on is in [`Activation::resume`] then. `false` if the engine is to be
/// left.
#[inline(never)]
unsafe fn opens(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    let base = callee.sub(usize::from(word.a()));
    let name = usize::from(word.b());
    if !is_current(act, (*act).links.add(name), word) {
        let Some(link) = (*act).find_link(word) else {
            return slow::leave(pc, base, act);
        };
        (*act).program().set_link(name, link);
        // The present program's lists may have moved: it may be the callee, too.
        switch(act, (*act).program);
        (*act).counts.note_call();
    }
    let link = *(*act).links.add(name);
    let frame_bytes = (*link.unit).frame_bytes as usize;
    let Some(callee) = slow::open_window(pc, base, act, word.a(), frame_bytes) else {
        return false;
    };
    for place in link.argc..link.argc + link.fresh {
        reg(callee, place * REGISTER_BYTES as u16).put(Value::Undef);
    }
    switch(act, link.program);
    let region = link.region as usize;
    if (*act).program().is_sub(region) {
        native::note_call(act, region, callee);
    }
    (*act).resume = ((*link.unit).entry, callee);
    true
}

/// Does what is left to do behind a call, and goes on.
#[inline(never)]
pub(super) unsafe fn fix(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let result = reg(base, word.a());
    match (*act).program().link(word.b()).fix {
        Fix::Nothing => {}
        Fix::Undef => result.put(Value::Undef),
        Fix::Drop => result.clear(),
    }
    go!(pc, base, act, 2)
}

/// Ends the call of a chunk's code, with its value or Undef, dropping what the frame holds.
#[inline(never)]
pub(super) unsafe fn end_counted(base: *mut u8, word: Word) {
    let gives = word.flags() & flag::GIVES != 0;
    let value = if gives {
        reg(base, word.a()).take()
    } else {
        Value::Undef
    };
    slow::clear(base, word.b());
    reg(base, 0).put(value);
}

impl Activation {
    /// What the call reaches, made out and lowered; `None` if the reference interpreter has to run it.
    fn find_link(&mut self, word: Word) -> Option<Link> {
        let place = self.program().place;
        let (code, wants) = self.machine_vm().link.known_code(place, word.b())?;
        let argc = u8::try_from(word.c()).ok()?;
        let gives = word.flags() & flag::GIVES != 0;
        if code.entry.argc.is_some_and(|expected| expected != argc)
            || gives != (wants == Wants::Value)
            || wants == Wants::Any
        {
            return None;
        }
        let program = self.linked_program(code)?;
        // SAFETY: it lives as long as there are frames in the engine, and is used by nobody else now.
        let callee = unsafe { &mut *program };
        let (region, fix, slots) = function_of(callee, code, wants)?;
        let fresh = match slots {
            Some(slots) => slots.checked_sub(usize::from(argc))?,
            None => 0,
        };
        Some(Link {
            version: self.machine_vm().link.version(),
            unit: callee.unit(region),
            program,
            region: region as u32,
            place: code.place,
            argc: word.c(),
            fresh: fresh as u16,
            wants,
            fix,
        })
    }

    /// The program of code that a call reaches; `None` if it is loose, or there are too many.
    fn linked_program(&mut self, code: CodeLink) -> Option<*mut Program> {
        let vm = self.machine_vm();
        let address = vm.link.unit_at(code.place)?.chunk().ops.as_ptr().addr();
        if !self.programs.contains_key(&address) {
            if self.programs.len() >= MOST_PROGRAMS {
                return None;
            }
            let known = self.program_at(code.place);
            self.keep_program(address, known);
            self.reach_globals();
        }
        let vm = self.machine_vm();
        let unit = Arc::clone(vm.link.unit_at(code.place)?);
        let program = self.programs.get_mut(&address)?.as_deref_mut()?;
        program.place = code.place;
        program.is_of(&unit).then_some(&raw mut *program)
    }

    /// Makes the program of the unit at a place of the VM's linkage.
    fn program_at(&mut self, place: u32) -> Known {
        let vm = self.machine_vm();
        let running = vm.link.switch_to(place);
        let program = Program::of(vm).map(Box::new);
        vm.link.switch_to(running);
        let mut program = program?;
        let vm = self.machine_vm();
        native::prepare(&mut program, &vm.engine, vm.link.unit_at(place)?.chunk());
        Some(program)
    }

    /// Does something with the VM while the present program's unit is the running one.
    pub(super) fn as_running<R>(&mut self, act: impl FnOnce(&mut Activation) -> R) -> R {
        let place = self.program().place;
        let before = self.machine_vm().link.switch_to(place);
        let result = act(self);
        self.machine_vm().link.switch_to(before);
        result
    }
}

/// The region that a call of this code runs, lowered; what is to be done with what it gives; and the
/// number of its slots, if arguments are the first of them.
fn function_of(
    program: &mut Program,
    code: CodeLink,
    wants: Wants,
) -> Option<(usize, Fix, Option<usize>)> {
    let index = program.shape().region_at(code.entry.op)?;
    let region = program.shape().regions()[index];
    if region.entry != code.entry.op || !program.lower(index) {
        return None;
    }
    let gives = match (region.kind, code.entry.args_in_slots) {
        (RegionKind::Sub(row), false) => program.gives_value(row),
        // It gives a value always, Undef for want of one.
        (RegionKind::Main, true) => true,
        _ => return None,
    };
    let fix = match (gives, wants) {
        (false, Wants::Value) => Fix::Undef,
        (true, Wants::Nothing) => Fix::Drop,
        _ => Fix::Nothing,
    };
    let slots = code
        .entry
        .args_in_slots
        .then(|| program.code(index).map_or(0, |code| code.slots[0].len()));
    Some((index, fix, slots))
}
