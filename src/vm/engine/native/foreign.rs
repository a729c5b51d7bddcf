//! Functions of other chunks as parts of a unit's code: what a call reaches whose link is known is
//! compiled, or inlined, as if it were a sub of the caller's chunk.
//!
//! The compiler knows such a part by a number behind those of the program's own regions. While code that
//! has some runs, the activation's program stays that of its first function; where native code is left, and
//! while a helper does an instruction, it is the one that the instruction is of.
//!
//! What names mean may change: code is entered only while its calls reach what they did when it was made.
//! Nothing under native code changes that, but other threads may; it is seen at the next look at fuel. Code
//! that an earlier process left finds its parts as the calls that lead to them are made.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::Activation;
use super::super::links::{self, Callee};
use super::super::program::Program;
use super::roots::Root;
use crate::jit::cache::ScopeKey;
use crate::jit::kept::{Identity, LinkedCall, LinkedPart, LinkedParts};
use crate::lower::code::{Rop, Word};
use crate::value::Value;
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Parts of a unit's code at most, and words that they have: each unit that is hot has copies of its own.
const MOST_PARTS: usize = 16;
const MOST_WORDS: usize = 1024;

/// A function of another chunk, or the own chunk's code as one. Native code knows where the constants are.
#[repr(C)]
pub(super) struct Part {
    pub(super) constants: Cell<*const Value>,
    /// Null as long as no call has led there.
    program: Cell<*mut Program>,
    region: usize,
    argc: u16,
    fresh: Option<u16>,
    /// What its program is; `None` if it has no identity.
    scope: Option<ScopeKey>,
}

/// A call between chunks, or within a part's, that the code takes for one of a certain function.
#[derive(Clone, Copy)]
struct Call {
    /// The part whose program calls; `None` for the unit's own.
    caller: Option<usize>,
    word: Word,
    /// The number that the compiler knows the callee by.
    callee: usize,
}

/// What a unit's code takes from other chunks.
#[derive(Default)]
pub(super) struct Linked {
    /// In the order of their numbers.
    parts: Vec<Part>,
    /// Each caller is the unit's own program or the part of a call before.
    calls: Vec<Call>,
    /// Calls that the engine does, as it wasn't known what they reach.
    unknown: Vec<(*const Program, u16)>,
    /// The version that all links were last seen to be of; 0 as long as they weren't.
    version: Cell<u64>,
}

/// Whether calls reach what they did when code was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Same,
    /// It isn't known yet.
    Unknown,
    Other,
}

impl Part {
    unsafe fn of(callee: Callee) -> Part {
        Part {
            constants: Cell::new((*callee.program).tables().constants),
            program: Cell::new(callee.program),
            region: callee.region,
            argc: callee.argc,
            fresh: callee.fresh,
            scope: scope_of(&*callee.program),
        }
    }

    /// Whether it is what a call reaches; from now on, if nothing had led there yet. Where plain functions are
    /// part of register code, it isn't the code that earlier processes knew.
    unsafe fn is(&self, callee: &Callee) -> bool {
        if (self.region, self.argc, self.fresh) != (callee.region, callee.argc, callee.fresh) {
            return false;
        }
        let program = &*callee.program;
        if self.program.get().is_null()
            && has_no_plain_functions(program)
            && self
                .scope
                .is_some_and(|scope| scope_of(program) == Some(scope))
        {
            self.program.set(callee.program);
            self.constants.set(program.tables().constants);
        }
        self.program.get() == callee.program
    }

    /// The program and its region.
    pub(super) fn place(&self) -> (*mut Program, usize) {
        (self.program.get(), self.region)
    }

    pub(super) fn argc(&self) -> u16 {
        self.argc
    }

    pub(super) fn fresh(&self) -> Option<u16> {
        self.fresh
    }
}

/// What the code of a program is addressed by; `None` if it has no identity.
fn scope_of(program: &Program) -> Option<ScopeKey> {
    let identity = Identity {
        chunk: program.source_unit()?.hash()?,
        linked: true,
        globals: program.global_places(),
    };
    Some(identity.scope())
}

fn has_no_plain_functions(program: &Program) -> bool {
    let unit = program.source_unit();
    unit.is_some_and(|unit| unit.plain_functions().is_empty())
}

/// A search for what a root calls.
struct Search {
    own: *mut Program,
    may_link: bool,
    version: u64,
    /// What was reached, and the number that the compiler knows each by.
    reached: Vec<(Callee, usize)>,
    linked: Linked,
    /// Words of all that is reached, and of the parts of other chunks.
    words: usize,
    part_words: usize,
}

impl Linked {
    /// Finds what a root calls and what is called from there, and lowers it, as far as one group may take.
    pub(super) unsafe fn gather(act: *mut Activation, root: Root) -> Linked {
        let own = root.program;
        let native = &mut (*own).native;
        let budget = native.options().budget;
        let mut search = Search {
            own,
            may_link: native.may_link(root.region, root.position),
            version: (*(*act).version).load(Ordering::Acquire),
            reached: vec![(sub(own, root.region), root.region)],
            linked: Linked::default(),
            words: 0,
            part_words: 0,
        };
        let mut place = 0;
        while let Some((callee, number)) = search.reached.get(place).copied()
            && search.words <= budget
        {
            place += 1;
            search.visit(callee, number);
        }
        // Lists of the program have moved if more of it was lowered.
        links::switch(act, own);
        search.linked.version.set(search.version);
        search.linked
    }

    /// What an earlier process left, to be found again; `None` if it makes no sense for a program with so
    /// many regions.
    pub(super) fn restored(kept: &LinkedParts, regions: usize) -> Option<Linked> {
        let part = |part: &LinkedPart| Part {
            constants: Cell::new(std::ptr::null()),
            program: Cell::new(std::ptr::null_mut()),
            region: part.region.get() as usize,
            argc: part.argc.get(),
            fresh: part.fresh.get().checked_sub(1),
            scope: Some(ScopeKey(part.scope)),
        };
        let parts = kept.parts.len();
        let call = |call: &LinkedCall| {
            let caller = (call.caller.get() as usize).checked_sub(1);
            let callee = call.callee.get() as usize;
            let fits = caller.is_none_or(|caller| caller < parts) && callee < regions + parts;
            fits.then_some(Call {
                caller,
                word: Word(call.word.get()),
                callee,
            })
        };
        Some(Linked {
            parts: kept.parts.iter().map(part).collect(),
            calls: kept.calls.iter().map(call).collect::<Option<_>>()?,
            ..Linked::default()
        })
    }

    /// The same to be kept; `None` if it is only right in this process.
    pub(super) unsafe fn to_be_kept(&self) -> Option<LinkedParts> {
        let part = |part: &Part| {
            has_no_plain_functions(&*part.program.get()).then_some(LinkedPart {
                scope: part.scope.map(|scope| scope.0)?,
                region: (part.region as u32).into(),
                argc: part.argc.into(),
                fresh: part.fresh.map_or(0, |fresh| fresh + 1).into(),
            })
        };
        let call = |call: &Call| LinkedCall {
            word: call.word.0.into(),
            caller: call.caller.map_or(0, |caller| caller as u32 + 1).into(),
            callee: (call.callee as u32).into(),
        };
        Some(LinkedParts {
            parts: self.parts.iter().map(part).collect::<Option<_>>()?,
            calls: self.calls.iter().map(call).collect(),
        })
    }

    /// The parts, for native code.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The number of what a call in a region with this number reaches, if that is part of the code.
    pub(super) fn callee(&self, own: &Program, region: usize, call: Word) -> Option<usize> {
        let caller = region.checked_sub(own.native.regions());
        if caller.is_none() && call.op() == Rop::Call {
            return Some(call.wide() as usize);
        }
        let is_it = |known: &&Call| known.caller == caller && known.word.0 == call.0;
        Some(self.calls.iter().find(is_it)?.callee)
    }

    /// The program of a part, or the unit's own.
    fn program(&self, own: *const Program, part: Option<usize>) -> *mut Program {
        match part {
            Some(part) => self.parts[part].program.get(),
            None => own.cast_mut(),
        }
    }

    /// Whether all calls reach what they did.
    pub(super) unsafe fn reach(&self, act: *mut Activation) -> Reach {
        let now = (*(*act).version).load(Ordering::Acquire);
        if self.calls.is_empty() || self.version.get() == now {
            return Reach::Same;
        }
        let own = (*act).program;
        for call in &self.calls {
            let caller = self.program(own, call.caller);
            if caller.is_null() {
                return Reach::Unknown;
            }
            let region = call.word.wide() as usize;
            let found = match call.word.op() {
                Rop::Call if region >= (*caller).native.regions() => return Reach::Other,
                Rop::Call => sub(caller, region),
                _ => match links::callee_of(&*caller, call.word, now) {
                    Some(found) => found,
                    None => return Reach::Unknown,
                },
            };
            let is_same = match call.callee.checked_sub((*own).native.regions()) {
                Some(part) => self.parts[part].is(&found),
                None => found == sub(own, call.callee),
            };
            if !is_same {
                return Reach::Other;
            }
        }
        self.version.set(now);
        Reach::Same
    }

    /// Whether it is known by now what a call reaches that the engine does.
    pub(super) unsafe fn has_learned(&self, act: *mut Activation, call: Word) -> bool {
        let program: *const Program = (*act).program;
        let now = (*(*act).version).load(Ordering::Acquire);
        call.op() == Rop::CallLinked
            && self.unknown.contains(&(program, call.b()))
            && links::callee_of(&*program, call, now).is_some()
    }

    /// How often something was seen in the other programs that wasn't before.
    pub(super) unsafe fn learned(&self) -> u64 {
        let programs = self.parts.iter().map(|part| part.program.get());
        let known = programs.filter(|program| !program.is_null());
        known.map(|program| (*program).native.learned()).sum()
    }

    /// What tells the same parts in another VM; `None` if something has no identity.
    pub(super) fn identity(&self) -> Option<Vec<impl std::fmt::Debug>> {
        let identity = |part: &Part| Some((part.scope?, part.region, part.argc, part.fresh));
        self.parts.iter().map(identity).collect()
    }
}

impl Search {
    /// Takes a region to what is reached, with what it calls; one of another chunk becomes a part.
    unsafe fn visit(&mut self, callee: Callee, number: usize) {
        if !(*callee.program).lower(callee.region) {
            return;
        }
        let Some(code) = (*callee.program).code(callee.region) else {
            return;
        };
        self.words += code.words.len();
        let caller = number.checked_sub((*self.own).native.regions());
        let mut at = 0;
        while let Some(word) = code.words.get(at).copied().map(Word) {
            at += word.op().words();
            match word.op() {
                Rop::Call => {
                    let reached = sub(callee.program, word.wide() as usize);
                    self.note(caller, word, reached);
                }
                Rop::CallLinked if self.may_link => {
                    match links::callee_of(&*callee.program, word, self.version) {
                        Some(reached) => self.note(caller, word, reached),
                        None => self.linked.unknown.push((callee.program, word.b())),
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes what a call reaches; within the unit's own chunk that needs no record.
    unsafe fn note(&mut self, caller: Option<usize>, word: Word, reached: Callee) {
        if let Some(callee) = self.number(reached)
            && (caller.is_some() || word.op() == Rop::CallLinked)
        {
            self.linked.calls.push(Call {
                caller,
                word,
                callee,
            });
        }
    }

    /// The number of what is reached; `None` if it can't be part of the code.
    unsafe fn number(&mut self, callee: Callee) -> Option<usize> {
        if let Some((_, number)) = self.reached.iter().find(|(known, _)| *known == callee) {
            return Some(*number);
        }
        let number = match callee.program == self.own && callee.fresh.is_none() {
            true => callee.region,
            false => self.add_part(callee)?,
        };
        self.reached.push((callee, number));
        Some(number)
    }

    unsafe fn add_part(&mut self, callee: Callee) -> Option<usize> {
        if !(*callee.program).lower(callee.region) {
            return None;
        }
        let size = (*callee.program).code(callee.region)?.words.len();
        if self.linked.parts.len() == MOST_PARTS || self.part_words + size > MOST_WORDS {
            return None;
        }
        self.part_words += size;
        self.linked.parts.push(Part::of(callee));
        Some((*self.own).native.regions() + self.linked.parts.len() - 1)
    }
}

/// A sub of a program.
unsafe fn sub(program: *mut Program, region: usize) -> Callee {
    Callee {
        program,
        region,
        argc: (*program).argc(region) as u16,
        fresh: None,
    }
}

/// The program and the region that native code, which runs or was just left, calls by a number.
#[inline]
pub(super) unsafe fn target(act: *mut Activation, region: usize) -> (*mut Program, usize) {
    let own = (*act).program;
    match region.checked_sub((*own).native.regions()) {
        None => (own, region),
        Some(part) => (*(*act).links.parts.add(part)).place(),
    }
}
