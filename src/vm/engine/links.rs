//! Calls between chunks within the engine: what an instruction knows of the function that it names, and
//! how a call of it begins. It ends as any other: a value, or Undef, is in the first register, and the
//! instruction behind the call goes back to the caller's program.
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

use super::dispatch::{Pc, go_to};
use super::native;
use super::program::{Program, Unit};
use super::window::{Reg, reg, tag};
use super::{Activation, CallRecord, Known, MOST_PROGRAMS, slow};
use crate::engine::Entry;
#[cfg(feature = "jit")]
use crate::lower::code::{Code, Rop};
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
    /// How many arguments it is for, and above that how many registers behind them begin as Undef: slots of
    /// code that is run from its first op.
    arity: u32,
    pub(super) wants: Wants,
}

impl Link {
    /// A link of which nothing is known.
    pub(super) const UNKNOWN: Link = Link {
        version: u64::MAX,
        unit: std::ptr::null(),
        program: std::ptr::null_mut(),
        region: 0,
        place: 0,
        arity: 0,
        wants: Wants::Any,
    };
}

impl Link {
    fn argc(&self) -> u16 {
        self.arity as u16
    }

    fn fresh(&self) -> u16 {
        (self.arity >> 16) as u16
    }
}

/// What the call reaches, if that is known.
#[inline(always)]
pub(super) unsafe fn link_at(act: *mut Activation, word: Word) -> *const Link {
    (*(*act).program).links().add(usize::from(word.b()))
}

/// Whether a link is what the call reaches now, and nothing is to be cleared for it.
#[inline(always)]
pub(super) unsafe fn is_current(act: *mut Activation, link: *const Link, word: Word) -> bool {
    (*link).arity == u32::from(word.c()) && holds(act, link)
}

#[inline(always)]
unsafe fn holds(act: *mut Activation, link: *const Link) -> bool {
    (*link).version == (*(*act).version).load(Ordering::Acquire)
}

/// Whether a link is what the call reaches now.
pub(super) unsafe fn is_known(act: *mut Activation, word: Word) -> bool {
    let link = link_at(act, word);
    holds(act, link) && (*link).argc() == word.c()
}

/// What a call reaches whose code may be part of the caller's.
#[cfg(feature = "jit")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Callee {
    pub(super) program: *mut Program,
    pub(super) region: usize,
    /// How many arguments it takes.
    pub(super) argc: u16,
    /// Of a chunk's code, how many registers behind them begin as Undef; `None` of a sub.
    pub(super) fresh: Option<u16>,
}

/// What a call in `program` reaches, if that is known and of this version, and takes and gives what the call
/// says.
#[cfg(feature = "jit")]
pub(super) unsafe fn callee_of(program: &Program, call: Word, version: u64) -> Option<Callee> {
    let link = program.link(call.b());
    if link.version != version || link.argc() != call.c() {
        return None;
    }
    let (callee, region) = (&*link.program, link.region as usize);
    let wants = call.flags() & flag::GIVES != 0;
    let (fits, fresh) = match callee.is_sub(region) {
        true => (
            callee.argc(region) == usize::from(call.c())
                && !(wants && callee.gives_nothing(region)),
            None,
        ),
        false => {
            let gives = ends(callee.code(region)?)?;
            (gives || !wants, Some(link.fresh()))
        }
    };
    fits.then_some(Callee {
        program: link.program,
        region,
        argc: link.argc(),
        fresh,
    })
}

/// Whether a chunk's code gives a value when it ends; `None` if that depends on where it does.
#[cfg(feature = "jit")]
fn ends(code: &Code) -> Option<bool> {
    let mut found = None;
    let mut at = 0;
    while let Some(word) = code.words.get(at).copied().map(Word) {
        at += word.op().words();
        if word.op() == Rop::End {
            let gives = word.flags() & flag::GIVES != 0;
            if *found.get_or_insert(gives) != gives {
                return None;
            }
        }
    }
    Some(found.unwrap_or(true))
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
}

/// As the handler, of anything. Of a chunk's code the slots behind the arguments begin as Undef. `callee`
/// is the base that the called frame would have.
#[inline(never)]
pub(super) unsafe fn call(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    if !is_known(act, word) {
        return call_slowly(pc, callee, act, word);
    }
    let link = link_at(act, word);
    if !has_room(act, link, callee) {
        return call_slowly(pc, callee, act, word);
    }
    let mut place = usize::from((*link).argc());
    let end = place + usize::from((*link).fresh());
    while place < end {
        let slot = Reg(callee.add(place * REGISTER_BYTES));
        if slot.is_counted() {
            return call_slowly(pc, callee, act, word);
        }
        slot.set_word(u32::from(tag::UNDEF));
        place += 1;
    }
    begin(pc, act, link, word);
    go_to!((*(*link).unit).entry, callee, act)
}

/// A call whose link isn't known, or with the end of something reached.
#[inline(never)]
unsafe fn call_slowly(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    if !opens(pc, callee, act, word) {
        return false;
    }
    slow::resume(act)
}

/// Begins such a call; where it goes on is in [`Activation::resume`] then. `false` if the engine is to be
/// left.
#[inline(never)]
unsafe fn opens(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    let base = callee.sub(usize::from(word.a()));
    let name = usize::from(word.b());
    if !is_known(act, word) {
        let Some(link) = (*act).find_link(word) else {
            return slow::leave(pc, base, act);
        };
        (*act).program().set_link(name, link);
        // The present program's lists may have moved: it may be the callee, too.
        switch(act, (*act).program);
        (*act).counts.note_call();
    }
    let link = *link_at(act, word);
    let frame_bytes = (*link.unit).frame_bytes as usize;
    let Some(callee) = slow::open_window(pc, base, act, word.a(), frame_bytes) else {
        return false;
    };
    for place in link.argc()..link.argc() + link.fresh() {
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
        let (region, slots) = function_of(callee, code.entry)?;
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
            arity: u32::from(argc) | (fresh as u32) << 16,
            wants,
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
        let mut program = Program::of(vm);
        if let Some(program) = &mut program {
            native::prepare(program, vm);
        }
        vm.link.switch_to(running);
        program
    }

    /// Does something with the VM while the present program's unit is the running one.
    pub(super) fn as_running<R>(&mut self, act: impl FnOnce(&mut Activation) -> R) -> R {
        /// Goes back to the unit at the place, also when the host panics.
        struct Back<'a>(&'a mut Activation, u32);

        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.machine_vm().link.switch_to(self.1);
            }
        }

        let place = self.program().place;
        let before = self.machine_vm().link.switch_to(place);
        let back = Back(self, before);
        act(&mut *back.0)
    }
}

/// The region that a call of this code runs, lowered, and the number of its slots, if arguments are the
/// first of them.
fn function_of(program: &mut Program, entry: Entry) -> Option<(usize, Option<usize>)> {
    let index = program.shape().region_at(entry.op)?;
    let region = program.shape().regions()[index];
    if region.entry != entry.op || !program.lower(index) {
        return None;
    }
    match (region.kind, entry.args_in_slots) {
        (RegionKind::Sub(_), false) => Some((index, None)),
        (RegionKind::Main, true) => Some((index, Some(program.code(index)?.slots[0].len()))),
        _ => None,
    }
}
