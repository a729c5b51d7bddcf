//! What is compiled of a program, and what was learned of it.

#![allow(unsafe_code)]

use super::super::program::Program;
use super::super::{Activation, native};
use crate::jit::abi::{Helper, Layout};
use crate::jit::cache::UnitKey;
use crate::jit::compile::{Compiled, Compiler, Declined, Trampoline};
use crate::jit::ir;
use crate::jit::kept::{Kept, Restored};
use crate::jit::kinds::group::Entry;
use crate::jit::kinds::{Kind, Seen};
use crate::jit::{JitOptions, JitStats, PlainFunction};
use crate::lower::code::{Code, Rop, Word};
use crate::vm::limits::LOOK_EVERY;
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// How often a unit is compiled anew before nothing is assumed of it any more, and before it is left
/// to the engine.
const SOME_TRIES: u32 = 8;
const MOST_TRIES: u32 = 12;

/// How often guards of a unit may fail without anything new being learned before nothing is assumed of
/// it any more.
const MOST_FAILURES: u32 = 100;

/// The way into compiled code: the activation, base, fuel, depth and the code's address to the fuel
/// that is left.
type Enter = unsafe extern "C" fn(*mut Activation, *mut u8, u64, u64, *const u8) -> i64;

/// What is known of a sub, or of a frame at a position.
#[derive(Default)]
struct Unit {
    heat: u32,
    /// How often it was compiled.
    tries: u32,
    /// How often its guards have failed since then.
    failures: u32,
    /// What was known when it was compiled, see [`Native::learned`].
    learned: u64,
    /// Counted, as native code that runs keeps a pointer to it, and a frame may be entered at several
    /// places.
    compiled: Option<Arc<Compiled>>,
    /// Which of the entries of its code it is.
    entry: usize,
    /// The kinds of arguments that were met; of a frame those of its registers.
    met: Vec<Kind>,
}

/// How often a place was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heat {
    /// The first time.
    First,
    Warm,
    /// The next time it will be hot: what its instructions run on is to be noted.
    Ripe,
    Hot,
}

impl Unit {
    fn look(&mut self, threshold: u32) -> Heat {
        self.heat = self.heat.saturating_add(1);
        match self.heat {
            heat if heat >= threshold => Heat::Hot,
            heat if heat + 1 == threshold => Heat::Ripe,
            1 => Heat::First,
            _ => Heat::Warm,
        }
    }

    fn may_compile(&self) -> bool {
        self.compiled.is_none() && self.tries < MOST_TRIES
    }

    /// What the unit is to be when it is compiled once more.
    fn want(&mut self) -> Want {
        self.tries += 1;
        if self.failures >= MOST_FAILURES {
            self.tries = self.tries.max(SOME_TRIES);
        }
        Want {
            assumes: self.tries < SOME_TRIES,
            is_first: self.tries == 1,
        }
    }

    /// A guard has failed: whether the code would be another one now.
    fn fail(&mut self, learned: u64) -> bool {
        self.failures += 1;
        self.learned != learned || self.failures == MOST_FAILURES
    }

    /// Takes over what an earlier process knew when it compiled the unit.
    fn restore(&mut self, kinds: Vec<Kind>, assumed: bool) {
        self.met = kinds;
        if !assumed {
            self.tries = self.tries.max(SOME_TRIES);
        }
    }

    fn keep(&mut self, compiled: Option<Arc<Compiled>>, entry: usize, learned: u64) {
        match compiled {
            None => self.tries = MOST_TRIES,
            Some(_) => (self.failures, self.learned) = (0, learned),
        }
        (self.compiled, self.entry) = (compiled, entry);
    }
}

/// What code is asked for.
#[derive(Clone, Copy)]
struct Want {
    /// Whether it may assume that operands are of the kinds that were seen.
    assumes: bool,
    /// Whether it is the first of its unit: what another VM compiled will do.
    is_first: bool,
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

/// The native code of a program.
pub(in super::super) struct Native {
    options: JitOptions,
    compiler: Option<Compiler>,
    subs: Vec<Unit>,
    frames: FxHashMap<(usize, usize), Unit>,
    /// By region, what was seen of the operands of its instructions.
    seen: Vec<Box<[Seen]>>,
    /// How often something was seen that wasn't before.
    learned: u64,
    /// For each region the instruction that calls its native code, once there is one.
    stubs: Box<[u64]>,
    regions: usize,
    /// What is kept for later processes, if a directory for it is named.
    kept: Option<Kept>,
    /// Compilers that were started.
    compilers: u64,
    /// Looks at loops that are still due at once, as there is kept code that nobody has taken.
    early_looks: u32,
}

impl Native {
    pub(in super::super) fn new(regions: usize) -> Native {
        Native {
            options: JitOptions::default(),
            compiler: None,
            subs: Vec::new(),
            frames: FxHashMap::default(),
            seen: Vec::new(),
            learned: 0,
            stubs: Box::default(),
            regions,
            kept: None,
            compilers: 0,
            early_looks: 0,
        }
    }

    pub(super) fn options(&self) -> &JitOptions {
        &self.options
    }

    pub(super) fn set_options(&mut self, options: JitOptions) {
        self.options = options;
    }

    /// Takes what earlier processes compiled of the program, and adds to it.
    pub(super) fn keep(&mut self, mut kept: Kept) {
        Way::take(&mut kept);
        if kept.has_frames() {
            self.early_looks = EARLY_LOOKS;
        }
        self.kept = Some(kept);
    }

    /// Whether something that is kept is to be mended.
    pub(super) fn is_damaged(&self) -> bool {
        self.kept.as_ref().is_some_and(Kept::is_damaged)
    }

    /// Writes what was compiled since the last time to the cache.
    pub(super) fn flush(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        if let Some(Some(way)) = WAY.get() {
            kept.complete(&way.trampoline.0);
        }
        kept.flush();
    }

    /// Adds what was asked of the cache and of compilers to the stats.
    pub(super) fn add_to(&self, stats: &mut JitStats) {
        stats.compilers += self.compilers;
        if let Some(kept) = &self.kept {
            stats.cache.add(&kept.stats());
        }
    }

    /// Whether a loop is to be looked at as soon as the engine gets to one, as code may be kept for it.
    pub(super) fn looks_early(&mut self) -> bool {
        let due = self.early_looks > 0 && self.kept.as_ref().is_some_and(Kept::has_frames);
        self.early_looks = self.early_looks.saturating_sub(1);
        due
    }

    /// Takes the code of a sub that an earlier process compiled; whether there is any.
    pub(in super::super) fn take_sub(&mut self, region: usize) -> bool {
        let (Some(kept), Some(key)) = (&mut self.kept, UnitKey::sub(region)) else {
            return false;
        };
        let Some(restored) = kept.take(key) else {
            return false;
        };
        let learned = self.learned;
        let unit = self.unit(region);
        unit.restore(restored.kinds, restored.assumes);
        unit.keep(Some(Arc::new(restored.compiled)), 0, learned);
        true
    }

    /// Takes the code that an earlier process compiled of frames of a region, if it can be entered at the
    /// position; whether there is any.
    pub(super) fn take_frame(&mut self, region: usize, position: usize) -> bool {
        let kept = self.kept.as_mut().filter(|kept| kept.has_frames());
        let Some((start, restored)) = kept.and_then(|kept| kept.take_frame(region, position))
        else {
            return false;
        };
        let Restored {
            compiled,
            kinds,
            assumes,
        } = restored;
        let unit = self.frames.entry((region, start)).or_default();
        unit.restore(kinds, assumes);
        self.keep_frame(region, start, Some(Arc::new(compiled)));
        true
    }

    fn unit(&mut self, region: usize) -> &mut Unit {
        if self.subs.is_empty() {
            self.subs.resize_with(self.regions, Unit::default);
        }
        &mut self.subs[region]
    }

    /// The looks after which something is hot.
    fn threshold(&self) -> u32 {
        match self.options.mode {
            crate::jit::JitMode::Eager => 1,
            _ => self.options.threshold.div_ceil(LOOK_EVERY as u32),
        }
    }

    /// Counts a look at a call of the region.
    pub(super) fn heat_sub(&mut self, region: usize) -> Heat {
        let threshold = self.threshold();
        self.unit(region).look(threshold)
    }

    /// Makes a sub hot at its next look.
    pub(super) fn warm_sub(&mut self, region: usize) {
        self.unit(region).heat = u32::MAX - 1;
    }

    /// Makes a sub as cold as one that was never called.
    pub(super) fn cool_sub(&mut self, region: usize) {
        self.unit(region).heat = 0;
    }

    /// Whether a sub has code for arguments that nobody has met: they were guessed.
    pub(super) fn is_guessed(&mut self, region: usize) -> bool {
        let unit = self.unit(region);
        unit.compiled.is_some() && unit.met.is_empty()
    }

    /// Whether earlier processes left code of frames of a region.
    pub(super) fn keeps_frames(&self, region: usize) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.keeps_frames(region))
    }

    /// Counts a look at a loop's head.
    pub(super) fn heat_frame(&mut self, region: usize, position: usize) -> Heat {
        let threshold = self.threshold();
        let unit = self.frames.entry((region, position)).or_default();
        unit.look(threshold)
    }

    /// The code of a sub.
    pub(super) fn sub(&self, region: usize) -> Option<*const Compiled> {
        let compiled = self.subs.get(region)?.compiled.as_deref()?;
        Some(compiled)
    }

    /// The code of a frame at a position, and which of its entries that is.
    pub(super) fn frame(&self, region: usize, position: usize) -> Option<(*const Compiled, usize)> {
        let unit = self.frames.get(&(region, position))?;
        Some((unit.compiled.as_deref()?, unit.entry))
    }

    pub(super) fn may_compile_sub(&mut self, region: usize) -> bool {
        self.unit(region).may_compile()
    }

    pub(super) fn may_compile_frame(&mut self, region: usize, position: usize) -> bool {
        let unit = self.frames.entry((region, position)).or_default();
        unit.may_compile()
    }

    /// Notes the kinds of a sub's arguments; whether they are others than were met before.
    pub(super) fn meet(&mut self, region: usize, kinds: &[Kind]) -> bool {
        join_all(&mut self.unit(region).met, kinds)
    }

    pub(super) fn forget_sub(&mut self, region: usize) {
        self.unit(region).compiled = None;
    }

    pub(super) fn forget_frame(&mut self, region: usize, position: usize) {
        if let Some(unit) = self.frames.get_mut(&(region, position)) {
            unit.compiled = None;
        }
    }

    /// The registers of a frame weren't of the kinds that it was compiled for.
    pub(super) fn refuse_frame(&mut self, region: usize, position: usize) {
        self.forget_frame(region, position);
    }

    /// Notes what was seen of the operands of an instruction of a region with so many words of code.
    pub(super) fn see(&mut self, region: usize, at: usize, words: usize, seen: Seen) {
        if self.seen.is_empty() {
            self.seen.resize_with(self.regions, Box::default);
        }
        let places = &mut self.seen[region];
        if places.is_empty() {
            *places = vec![Seen::default(); words].into_boxed_slice();
        }
        if let Some(known) = places.get_mut(at) {
            let both = known.and(seen);
            self.learned += u64::from(both != *known);
            *known = both;
        }
    }

    /// A guard of a sub has failed; whether its code is gone.
    pub(super) fn fail_sub(&mut self, region: usize) -> bool {
        let learned = self.learned;
        let unit = self.unit(region);
        let is_wrong = unit.fail(learned);
        if is_wrong {
            unit.compiled = None;
        }
        is_wrong
    }

    /// The same of a frame.
    pub(super) fn fail_frame(&mut self, region: usize, position: usize) {
        let learned = self.learned;
        let unit = self.frames.get_mut(&(region, position));
        let Some(wrong) = unit.and_then(|unit| match unit.fail(learned) {
            true => unit.compiled.take(),
            false => None,
        }) else {
            return;
        };
        for unit in self.frames.values_mut() {
            if unit
                .compiled
                .as_ref()
                .is_some_and(|code| Arc::ptr_eq(code, &wrong))
            {
                unit.compiled = None;
            }
        }
    }

    /// Keeps what a frame was compiled to, for all places that it can be entered at.
    fn keep_frame(&mut self, region: usize, position: usize, compiled: Option<Arc<Compiled>>) {
        let learned = self.learned;
        let unit = self.frames.entry((region, position)).or_default();
        unit.keep(compiled.clone(), 0, learned);
        let Some(compiled) = compiled else { return };
        for (entry, at) in compiled.entries.iter().enumerate().skip(1) {
            let unit = self.frames.entry((region, *at as usize)).or_default();
            if unit.compiled.is_none() || unit.learned < learned {
                unit.keep(Some(Arc::clone(&compiled)), entry, learned);
            }
        }
    }

    /// The instruction that calls a sub's native code.
    pub(in super::super) fn stub(&mut self, region: usize) -> *mut u64 {
        if self.stubs.is_empty() {
            let word = |region: usize| {
                let region = region as u32;
                Word::new(Rop::Native, 0, 0, region as u16, (region >> 16) as u16).0
            };
            self.stubs = (0..self.regions).map(word).collect();
        }
        &raw mut self.stubs[region]
    }

    /// The way into compiled code; `None` if there is none for this machine.
    pub(super) fn way(&mut self) -> Option<&'static Way> {
        let way = WAY.get_or_init(|| {
            self.compilers += 1;
            Way::new(Compiler::new(native::layout())?.trampoline()?)
        });
        way.as_ref()
    }
}

/// The way into compiled code, and from there to helpers that are rarely called.
pub(super) struct Way {
    pub(super) enter: Enter,
    pub(super) rare_helpers: [*const u8; Helper::COUNT],
    trampoline: Trampoline,
}

// SAFETY: the pointers are to code, which stays as long as the trampoline does and is never written.
unsafe impl Send for Way {}
// SAFETY: as above.
unsafe impl Sync for Way {}

/// It is the same for all of the process.
static WAY: OnceLock<Option<Way>> = OnceLock::new();

/// Looks at loops that are due at once in a program with kept code: enough for the first loops of a run,
/// few enough to cost nothing where that code is never reached.
const EARLY_LOOKS: u32 = 64;

impl Way {
    /// `None` if that isn't the trampoline of this build.
    fn new(trampoline: Trampoline) -> Option<Way> {
        let Compiled {
            code,
            entry,
            entries,
            ..
        } = &trampoline.0;
        let helpers: &[u32; Helper::COUNT] = entries.as_slice().try_into().ok()?;
        let bytes = code.bytes().len();
        if helpers.iter().any(|at| *at as usize >= bytes) {
            return None;
        }
        // SAFETY: the code is that of a function of this type.
        let enter = unsafe { std::mem::transmute::<*const u8, Enter>(code.at(*entry)) };
        Some(Way {
            enter,
            rare_helpers: helpers.map(|at| code.at(at as usize)),
            trampoline,
        })
    }

    /// Takes the trampoline from what is kept, so that no compiler is needed for it.
    fn take(kept: &mut Kept) {
        if WAY.get().is_some() {
            return;
        }
        let restored = kept.take(UnitKey::TRAMPOLINE);
        if let Some(way) = restored.and_then(|restored| Way::new(Trampoline(restored.compiled))) {
            // Of two threads one's is used.
            let _ = WAY.set(Some(way));
        }
    }
}

/// Joins kinds with those that are known; whether that changed any.
fn join_all(known: &mut Vec<Kind>, kinds: &[Kind]) -> bool {
    if known.len() != kinds.len() {
        *known = kinds.to_vec();
        return true;
    }
    let mut changed = false;
    for (known, kind) in known.iter_mut().zip(kinds) {
        let joined = known.join(*kind).passed();
        changed |= joined != *known;
        *known = joined;
    }
    changed
}

/// A program as the compiler sees it; where nothing is assumed, everything was seen everywhere.
struct View<'a> {
    program: &'a Program,
    assumes: bool,
}

impl ir::Program for View<'_> {
    fn code(&self, region: usize) -> Option<&Code> {
        self.program.code(region)
    }

    fn argc(&self, region: usize) -> usize {
        self.program.argc(region)
    }

    fn plain_function(&self, region: usize, at: usize) -> Option<PlainFunction> {
        let op = *self.program.code(region)?.ops.get(at)?;
        let op = self.program.chunk().ops.get(op as usize)?;
        self.program.source_unit()?.plain_function(op).cloned()
    }

    fn seen(&self, region: usize, at: usize) -> Seen {
        if !self.assumes {
            return Seen::EVERYTHING;
        }
        let seen = self.program.native.seen.get(region);
        seen.and_then(|seen| seen.get(at))
            .copied()
            .unwrap_or_default()
    }
}

impl Program {
    /// Compiles a sub for the arguments that it was met with.
    pub(super) fn compile_sub(&mut self, region: usize) -> Outcome {
        let unit = self.native.unit(region);
        let want = unit.want();
        let kinds = unit.met.clone();
        let outcome = self.obtain(region, Entry::Call(kinds.clone()), want);
        self.add_kept(UnitKey::sub(region), &outcome, &kinds, want.assumes);
        let learned = self.native.learned;
        let unit = self.native.unit(region);
        unit.keep(code_of(&outcome), 0, learned);
        outcome
    }

    /// Compiles a sub that nobody has called yet, for arguments of this kind, and puts it to what is kept;
    /// `false` if it is too large. What it refuses makes it be compiled for what it was called with.
    pub(super) fn compile_sub_ahead(&mut self, region: usize, guess: Kind) -> bool {
        let kinds = vec![guess; self.argc(region)];
        let compiled = self.compile(region, Entry::Call(kinds), true).ok();
        self.keep_guess(UnitKey::sub(region), compiled.as_ref())
    }

    /// Compiles the code of a region that isn't a sub, and puts it to what is kept; `false` if it is too
    /// large, or has no loop that it could be entered at.
    pub(super) fn compile_loops_ahead(&mut self, region: usize) -> bool {
        let Some(kinds) = self.frame_kinds(region, 0, true, &|_| Kind::Undef) else {
            return false;
        };
        let compiled = self.compile(region, Entry::Frame(0, kinds), true).ok();
        let compiled = compiled.filter(|compiled| compiled.entries.len() > 1);
        self.keep_guess(UnitKey::frame(region, 0), compiled.as_ref())
    }

    /// Puts code that was made for guessed kinds to what is kept; whether there is any.
    fn keep_guess(&mut self, key: Option<UnitKey>, compiled: Option<&Compiled>) -> bool {
        if let (Some(kept), Some(key), Some(compiled)) = (&mut self.native.kept, key, compiled) {
            kept.add(key, compiled, &[], true);
        }
        compiled.is_some()
    }

    /// Adds what a unit was compiled to to what is kept.
    fn add_kept(&mut self, key: Option<UnitKey>, outcome: &Outcome, kinds: &[Kind], assumes: bool) {
        if let (Some(kept), Some(key), Ok((compiled, Origin::Compiled))) =
            (&mut self.native.kept, key, outcome)
        {
            kept.add(key, compiled, kinds, assumes);
        }
    }

    /// The kinds of a frame's registers: as `observe` finds them, and as they were met before.
    fn frame_kinds(
        &mut self,
        region: usize,
        position: usize,
        assumes: bool,
        observe: &dyn Fn(usize) -> Kind,
    ) -> Option<Vec<Kind>> {
        let unit = self.native.frames.entry((region, position)).or_default();
        let met = unit.met.clone();
        let view = View {
            program: self,
            assumes,
        };
        let mut kinds = Compiler::frame_kinds(&view, region, position, observe)?;
        for (kind, met) in kinds.iter_mut().zip(&met) {
            *kind = match met.join(*kind) {
                Kind::Scalar if kind.is_boxed() => *kind,
                Kind::Scalar => Kind::Any,
                joined => joined,
            };
        }
        Some(kinds)
    }

    /// Compiles a frame at a position, with registers as `observe` finds them.
    pub(super) fn compile_frame(
        &mut self,
        region: usize,
        position: usize,
        observe: &dyn Fn(usize) -> Kind,
    ) -> Outcome {
        let unit = self.native.frames.entry((region, position)).or_default();
        let want = unit.want();
        let kinds = self.frame_kinds(region, position, want.assumes, observe);
        let kinds = kinds.ok_or(Declined::TooLarge)?;
        let outcome = self.obtain(region, Entry::Frame(position, kinds.clone()), want);
        let key = UnitKey::frame(region, position);
        self.add_kept(key, &outcome, &kinds, want.assumes);
        let unit = self.native.frames.entry((region, position)).or_default();
        unit.met = kinds;
        self.native.keep_frame(region, position, code_of(&outcome));
        outcome
    }

    /// The code of a unit: what another VM of the engine compiled, or else compiled now and left for
    /// others.
    fn obtain(&mut self, region: usize, entry: Entry, want: Want) -> Outcome {
        let key = self.shared_key(region, &entry, want.assumes);
        if want.is_first
            && let Some(source) = self.source_unit()
            && let Some(compiled) = source.native().get(&key)
        {
            return Ok((compiled, Origin::Shared));
        }
        let compiled = Arc::new(self.compile(region, entry, want.assumes)?);
        if let Some(source) = self.source_unit() {
            source.native().put(key, &compiled);
        }
        Ok((compiled, Origin::Compiled))
    }

    /// All that decides what code is, beside its chunk: register code names globals by where they are in
    /// the VM. What was seen of operands isn't part of it: code leaves where it meets others.
    fn shared_key(&self, region: usize, entry: &Entry, assumes: bool) -> Vec<u8> {
        let JitOptions { budget, counts, .. } = self.native.options;
        let globals = self.global_places();
        format!("{region} {entry:?} {assumes} {budget} {counts} {globals:?}").into_bytes()
    }

    fn compile(
        &mut self,
        region: usize,
        entry: Entry,
        assumes: bool,
    ) -> Result<Compiled, Declined> {
        let layout: Layout = native::layout();
        let mut compiler = match self.native.compiler.take() {
            Some(compiler) => compiler,
            None => {
                self.native.compilers += 1;
                Compiler::new(layout).ok_or(Declined::Unfit)?
            }
        };
        let JitOptions { budget, counts, .. } = self.native.options;
        compiler.counts = counts;
        let view = View {
            program: self,
            assumes,
        };
        let compiled = compiler.compile(&view, region, entry, budget);
        self.native.compiler = Some(compiler);
        compiled
    }
}

fn code_of(outcome: &Outcome) -> Option<Arc<Compiled>> {
    let (compiled, _) = outcome.as_ref().ok()?;
    Some(Arc::clone(compiled))
}
