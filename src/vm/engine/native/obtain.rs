//! Code for a unit: what another VM has compiled, or what is compiled now.

#![allow(unsafe_code)]

use super::super::program::Program;
use super::foreign::{Linked, Part};
use crate::jit::cache::UnitKey;
use crate::jit::compile::{Compiled, Compiler, Declined};
use crate::jit::ir::{self, Seams};
use crate::jit::kept::LinkedParts;
use crate::jit::kinds::group::Entry;
use crate::jit::kinds::{Kind, Seen};
use crate::jit::{JitOptions, PlainFunction};
use crate::lower::code::{Code, Word};
use std::rc::Rc;
use std::sync::Arc;

/// What code is asked for.
#[derive(Clone, Copy)]
pub(super) struct Want {
    /// Whether it may assume that operands are of the kinds that were seen.
    pub(super) assumes: bool,
    /// Whether it is the first of its unit: what another VM compiled will do.
    pub(super) is_first: bool,
    /// Whether it is to be made quickly rather than well.
    pub(super) is_quick: bool,
}

impl Want {
    /// Code for a program that hasn't run.
    const AHEAD: Want = Want {
        assumes: true,
        is_first: false,
        is_quick: false,
    };
}

/// What came of asking for code.
pub(super) type Outcome = Result<(Arc<Compiled>, Origin), Declined>;

/// Who compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This VM.
    Compiled,
    /// Another VM of the engine.
    Shared,
}

/// A program as the compiler sees it, with the parts of others; where nothing is assumed, everything was
/// seen everywhere.
struct View<'a> {
    program: &'a Program,
    linked: &'a Linked,
    assumes: bool,
}

impl View<'_> {
    /// The program and its region that the compiler knows by this number.
    fn place(&self, region: usize) -> (&Program, usize) {
        let Some(part) = self.part(region) else {
            return (self.program, region);
        };
        let (program, region) = part.place();
        // SAFETY: programs that code is linked to live as long as it does, and nothing changes them while
        // it is compiled.
        (unsafe { &*program }, region)
    }

    fn part(&self, region: usize) -> Option<&Part> {
        let place = ir::Program::foreign(self, region)?;
        self.linked.parts().get(place)
    }
}

impl ir::Program for View<'_> {
    fn code(&self, region: usize) -> Option<&Code> {
        let (program, region) = self.place(region);
        program.code(region)
    }

    fn callee(&self, region: usize, call: Word) -> Option<usize> {
        self.linked.callee(self.program, region, call)
    }

    fn foreign(&self, region: usize) -> Option<usize> {
        region.checked_sub(self.program.native.regions())
    }

    fn seams(&self, region: usize) -> Option<Rc<Seams>> {
        let (program, place) = self.place(region);
        program.native.seams.get(place, || Seams::of(self, region))
    }

    fn argc(&self, region: usize) -> usize {
        match self.part(region) {
            Some(part) => part.argc().into(),
            None => self.program.argc(region),
        }
    }

    fn fresh(&self, region: usize) -> Option<u16> {
        self.part(region)?.fresh()
    }

    fn plain_function(&self, region: usize, at: usize) -> Option<PlainFunction> {
        let (program, region) = self.place(region);
        let op = *program.code(region)?.ops.get(at)?;
        let op = program.chunk().ops.get(op as usize)?;
        program.source_unit()?.plain_function(op).cloned()
    }

    fn seen(&self, region: usize, at: usize) -> Seen {
        if !self.assumes {
            return Seen::EVERYTHING;
        }
        let (program, region) = self.place(region);
        program.native.seen_at(region, at)
    }
}

impl Program {
    /// Compiles a sub for the arguments that it was met with, with these parts of other chunks.
    pub(super) fn compile_sub(&mut self, region: usize, linked: Linked) -> Outcome {
        let want = self.native.want(region, None);
        let kinds = self.native.met(region, None).to_vec();
        let outcome = self.obtain(region, Entry::Call(kinds.clone()), want, &linked);
        self.add_kept(UnitKey::sub(region), &outcome, &kinds, want, &linked);
        self.native
            .keep_sub(region, code_of(&outcome), Rc::new(linked));
        outcome
    }

    /// Compiles a frame at a position, with registers as `observe` finds them.
    pub(super) fn compile_frame(
        &mut self,
        region: usize,
        position: usize,
        observe: &dyn Fn(usize) -> Kind,
        linked: Linked,
    ) -> Outcome {
        let want = self.native.want(region, Some(position));
        let kinds = self.frame_kinds(region, position, want, observe, &linked);
        let kinds = kinds.ok_or(Declined::TooLarge)?;
        let entry = Entry::Frame(position, kinds.clone());
        let outcome = self.obtain(region, entry, want, &linked);
        let key = UnitKey::frame(region, position);
        self.add_kept(key, &outcome, &kinds, want, &linked);
        self.native.set_met(region, position, kinds);
        self.native
            .keep_frame(region, position, code_of(&outcome), Rc::new(linked));
        outcome
    }

    /// Compiles a sub that nobody has called yet, for arguments of this kind, and puts it to what is kept;
    /// `false` if it is too large. What it refuses makes it be compiled for what it was called with.
    pub(super) fn compile_sub_ahead(&mut self, region: usize, guess: Kind) -> bool {
        let kinds = vec![guess; self.argc(region)];
        let compiled = self.compile_alone(region, Entry::Call(kinds));
        self.keep_guess(UnitKey::sub(region), compiled.as_ref())
    }

    /// Compiles the code of a region that isn't a sub, and puts it to what is kept; `false` if it is too
    /// large, or has no loop that it could be entered at.
    pub(super) fn compile_loops_ahead(&mut self, region: usize) -> bool {
        let nothing = Linked::default();
        let undef = |_| Kind::Undef;
        let Some(kinds) = self.frame_kinds(region, 0, Want::AHEAD, &undef, &nothing) else {
            return false;
        };
        let compiled = self.compile_alone(region, Entry::Frame(0, kinds));
        let compiled = compiled.filter(|compiled| compiled.entries.len() > 1);
        self.keep_guess(UnitKey::frame(region, 0), compiled.as_ref())
    }

    /// Compiles a region without anything of other chunks, before it was ever run.
    fn compile_alone(&mut self, region: usize, entry: Entry) -> Option<Compiled> {
        self.compile(region, entry, Want::AHEAD, &Linked::default())
            .ok()
    }

    /// Puts code that was made for guessed kinds to what is kept; whether there is any.
    fn keep_guess(&mut self, key: Option<UnitKey>, compiled: Option<&Compiled>) -> bool {
        if let (Some(kept), Some(key), Some(compiled)) = (self.native.kept(), key, compiled) {
            kept.add(key, compiled, &[], true, &LinkedParts::default());
        }
        compiled.is_some()
    }

    /// Adds what a unit was compiled to to what is kept.
    fn add_kept(
        &mut self,
        key: Option<UnitKey>,
        outcome: &Outcome,
        kinds: &[Kind],
        want: Want,
        linked: &Linked,
    ) {
        let (Some(kept), Some(key), Ok((compiled, Origin::Compiled))) =
            (self.native.kept(), key, outcome)
        else {
            return;
        };
        debug_assert!(!want.is_quick, "what is kept is made well");
        // SAFETY: programs that code is linked to live as long as it does.
        if let Some(linked) = unsafe { linked.to_be_kept() } {
            kept.add(key, compiled, kinds, want.assumes, &linked);
        }
    }

    /// The kinds of a frame's registers: as `observe` finds them, and as they were met before.
    fn frame_kinds(
        &self,
        region: usize,
        position: usize,
        want: Want,
        observe: &dyn Fn(usize) -> Kind,
        linked: &Linked,
    ) -> Option<Vec<Kind>> {
        let view = View {
            program: self,
            linked,
            assumes: want.assumes,
        };
        let budget = self.native.options().budget;
        let mut kinds = Compiler::frame_kinds(&view, region, position, budget, observe)?;
        let met = self.native.met(region, Some(position));
        for (kind, met) in kinds.iter_mut().zip(met) {
            *kind = match met.join(*kind) {
                Kind::Scalar if kind.is_boxed() => *kind,
                Kind::Scalar => Kind::Any,
                joined => joined,
            };
        }
        Some(kinds)
    }

    /// The code of a unit: what another VM of the engine compiled, or else compiled now and left for
    /// others.
    fn obtain(&mut self, region: usize, entry: Entry, want: Want, linked: &Linked) -> Outcome {
        let key = self.shared_key(region, &entry, want, linked);
        if want.is_first
            && let (Some(source), Some(key)) = (self.source_unit(), &key)
            && let Some(compiled) = source.native().get(key)
        {
            return Ok((compiled, Origin::Shared));
        }
        let compiled = Arc::new(self.compile(region, entry, want, linked)?);
        if let (Some(source), Some(key)) = (self.source_unit(), key) {
            source.native().put(key, &compiled);
        }
        Ok((compiled, Origin::Compiled))
    }

    /// All that decides what code is, beside its chunk: register code names globals by where they are in
    /// the VM. What was seen of operands isn't part of it: code leaves where it meets others. `None` if some
    /// of it has no identity.
    fn shared_key(
        &self,
        region: usize,
        entry: &Entry,
        want: Want,
        linked: &Linked,
    ) -> Option<Vec<u8>> {
        let JitOptions { budget, counts, .. } = self.native.options();
        let globals = self.global_places();
        let Want {
            assumes, is_quick, ..
        } = want;
        let parts = linked.identity()?;
        let key = format!(
            "{region} {entry:?} {assumes} {is_quick} {budget} {counts} {globals:?} {parts:?}"
        );
        Some(key.into_bytes())
    }

    fn compile(
        &mut self,
        region: usize,
        entry: Entry,
        want: Want,
        linked: &Linked,
    ) -> Result<Compiled, Declined> {
        let mut compiler = self.native.take_compiler().ok_or(Declined::Unfit)?;
        let JitOptions { budget, counts, .. } = *self.native.options();
        compiler.counts = counts;
        compiler.set_quick(want.is_quick).ok_or(Declined::Unfit)?;
        let view = View {
            program: self,
            linked,
            assumes: want.assumes,
        };
        let compiled = compiler.compile(&view, region, entry, budget);
        self.native.give_compiler(compiler);
        compiled
    }
}

fn code_of(outcome: &Outcome) -> Option<Arc<Compiled>> {
    let (compiled, _) = outcome.as_ref().ok()?;
    Some(Arc::clone(compiled))
}
