//! Functions of other chunks as parts of a unit's code: what a call reaches whose link is known is
//! compiled, or inlined, as if it were a sub of the caller's chunk.
//!
//! The compiler knows such a region by a number behind those of the program's own. While code that has
//! some runs, the activation's program stays that of its first function; where native code is left, and
//! while a helper does an instruction, it is the one that the instruction is of.
//!
//! What names mean may change: code is entered only while its links are what they were when it was made.
//! Nothing under native code changes them, but other threads may; that is seen at the next look at fuel.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::Activation;
use super::super::links::{self, Callee};
use super::super::program::Program;
use super::roots::Root;
use crate::lower::code::{Rop, Word};
use crate::value::Value;
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Regions of other chunks that are part of one unit's code at most, and words that they have: each unit
/// that is hot has copies of its own.
const MOST_REGIONS: usize = 16;
const MOST_WORDS: usize = 1024;

/// A region of another program, or a chunk's code as a function. Native code knows where the constants are.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Foreign {
    pub(super) constants: *const Value,
    pub(super) callee: Callee,
}

/// A call between chunks that is part of the code.
struct Call {
    caller: *const Program,
    word: Word,
    callee: Callee,
}

/// What a unit's code takes from other chunks.
#[derive(Default)]
pub(super) struct Linked {
    /// In the order of their numbers.
    regions: Vec<Foreign>,
    calls: Vec<Call>,
    /// Calls that the engine does, as it wasn't known what they reach.
    unknown: Vec<(*const Program, u16)>,
    /// The version that all links were last seen to be of.
    version: Cell<u64>,
}

impl Linked {
    /// Finds what a root calls and what is called from there, and lowers it, as far as one group may take.
    pub(super) unsafe fn gather(act: *mut Activation, root: Root) -> Linked {
        let own = root.program;
        let may_link = (*own).native.may_link(root.region, root.position);
        let mut linked = Linked::default();
        linked
            .version
            .set((*(*act).version).load(Ordering::Acquire));
        let budget = (*own).native.options().budget;
        let (mut words, mut foreign_words) = (0, 0);
        let mut found = vec![sub(own, root.region)];
        let mut place = 0;
        while let Some(callee) = found.get(place).copied()
            && words <= budget
        {
            place += 1;
            let Callee {
                program, region, ..
            } = callee;
            if !(*program).lower(region) {
                continue;
            }
            let size = (*program).code(region).map_or(0, |code| code.words.len());
            if !is_own(own, &callee) {
                foreign_words += size;
                if linked.regions.len() == MOST_REGIONS || foreign_words > MOST_WORDS {
                    break;
                }
                linked.regions.push(Foreign {
                    constants: (*program).tables().constants,
                    callee,
                });
            }
            words += size;
            linked.note_calls(callee, may_link, &mut found);
        }
        let regions = &linked.regions;
        linked
            .calls
            .retain(|call| is_own(own, &call.callee) || number(regions, &call.callee).is_some());
        // Lists of the program have moved if more of it was lowered.
        links::switch(act, own);
        linked
    }

    /// Notes what a region calls.
    unsafe fn note_calls(&mut self, caller: Callee, may_link: bool, found: &mut Vec<Callee>) {
        let program = caller.program;
        let Some(code) = (*program).code(caller.region) else {
            return;
        };
        let mut at = 0;
        while let Some(word) = code.words.get(at).copied().map(Word) {
            at += word.op().words();
            let callee = match word.op() {
                Rop::Call => sub(program, word.wide() as usize),
                Rop::CallLinked if may_link => {
                    match links::callee_of(&*program, word, self.version.get()) {
                        Some(callee) => {
                            self.calls.push(Call {
                                caller: program,
                                word,
                                callee,
                            });
                            callee
                        }
                        None => {
                            self.unknown.push((program, word.b()));
                            continue;
                        }
                    }
                }
                _ => continue,
            };
            if !found.contains(&callee) {
                found.push(callee);
            }
        }
    }

    /// Whether anything of other chunks is part of the code.
    pub(super) fn is_empty(&self) -> bool {
        self.regions.is_empty() && self.calls.is_empty()
    }

    /// The regions, for native code.
    pub(super) fn regions(&self) -> &[Foreign] {
        &self.regions
    }

    /// Which region a call reaches, if it is part of the code.
    pub(super) fn callee(&self, own: &Program, caller: &Program, call: Word) -> Option<usize> {
        let is_it = |known: &&Call| std::ptr::eq(known.caller, caller) && known.word.0 == call.0;
        let callee = self.calls.iter().find(is_it)?.callee;
        match is_own(own, &callee) {
            true => Some(callee.region),
            false => Some(own.native.regions() + number(&self.regions, &callee)?),
        }
    }

    /// Whether all links are what they were.
    pub(super) unsafe fn holds(&self, act: *mut Activation) -> bool {
        let now = (*(*act).version).load(Ordering::Acquire);
        if self.version.get() == now || self.calls.is_empty() {
            return true;
        }
        let is_same =
            |call: &Call| links::callee_of(&*call.caller, call.word, now) == Some(call.callee);
        let holds = self.calls.iter().all(is_same);
        if holds {
            self.version.set(now);
        }
        holds
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
        let learned = |part: &Foreign| (*part.callee.program).native.learned();
        self.regions.iter().map(learned).sum()
    }

    /// What tells the same parts in another VM; `None` if something has no identity.
    pub(super) unsafe fn identity(&self) -> Option<Vec<impl std::fmt::Debug>> {
        let identity = |part: &Foreign| {
            let Callee {
                program,
                region,
                argc,
                fresh,
            } = part.callee;
            let hash = (*program).source_unit()?.hash()?;
            Some((hash, region, argc, fresh, (*program).global_places()))
        };
        self.regions.iter().map(identity).collect()
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

/// Whether the compiler knows it by the number that it has in the program.
fn is_own(own: *const Program, callee: &Callee) -> bool {
    std::ptr::eq(callee.program, own) && callee.fresh.is_none()
}

/// The number of a callee among these.
fn number(regions: &[Foreign], callee: &Callee) -> Option<usize> {
    regions.iter().position(|part| part.callee == *callee)
}

/// The program and the region that native code, which runs or was just left, calls by a number.
pub(super) unsafe fn target(act: *mut Activation, region: usize) -> (*mut Program, usize) {
    let own = (*act).program;
    match region.checked_sub((*own).native.regions()) {
        None => (own, region),
        Some(place) => {
            let callee = (*(*act).links.foreign.add(place)).callee;
            (callee.program, callee.region)
        }
    }
}
