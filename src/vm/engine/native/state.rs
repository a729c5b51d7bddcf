//! What is compiled of a program, and what was learned of it.

#![allow(unsafe_code)]

use super::super::{Activation, native};
use super::foreign::Linked;
use super::obtain::Want;
use crate::jit::abi::Helper;
use crate::jit::cache::UnitKey;
use crate::jit::compile::{Compiled, Compiler, Trampoline};
use crate::jit::ir::KnownSeams;
use crate::jit::kept::Kept;
use crate::jit::kinds::{Kind, Seen};
use crate::jit::{JitOptions, JitStats};
use crate::lower::code::{Rop, Word};
use crate::vm::limits::LOOK_EVERY;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// How often a unit is compiled anew before nothing is assumed of it any more, and before it is left
/// to the engine.
const SOME_TRIES: u32 = 8;
const MOST_TRIES: u32 = 12;

/// How often guards of a unit may fail without anything new being learned before nothing is assumed of
/// it any more.
const MOST_FAILURES: u32 = 100;

/// How often a unit is compiled anew as names have come to mean something before it does without what they
/// mean, and how often it isn't entered until then.
const MOST_RELINKS: u32 = 16;
const MOST_MISSED: u32 = 1024;

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
    /// What of other chunks is part of the code.
    linked: Rc<Linked>,
    /// How often it wasn't entered since it was compiled, as its links weren't what they were.
    missed: u32,
    /// How often it was compiled anew as names had come to mean something.
    relinks: u32,
    /// The kinds of arguments that were met; of a frame those of its registers.
    met: Vec<Kind>,
    /// Its code was dropped, as it would be another one for what was learned since; but it is what later
    /// processes would find.
    is_outdated: bool,
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

    /// What the unit is to be when it is compiled once more, and whether quickly.
    fn want(&mut self, is_quick: bool) -> Want {
        self.tries += 1;
        if self.failures >= MOST_FAILURES {
            self.tries = self.tries.max(SOME_TRIES);
        }
        Want {
            assumes: self.tries < SOME_TRIES,
            is_first: self.tries == 1,
            is_quick,
        }
    }

    /// What can be entered, if it is compiled.
    fn code(&self) -> Option<Enterable> {
        Some(Enterable {
            compiled: self.compiled.as_deref()?,
            entry: self.entry,
            linked: &raw const *self.linked,
        })
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

    fn keep(&mut self, compiled: Option<Arc<Compiled>>, entry: usize, known: Known) {
        match compiled {
            None => self.tries = MOST_TRIES,
            Some(_) => (self.failures, self.missed, self.learned) = (0, 0, known.learned),
        }
        (self.compiled, self.entry, self.linked) = (compiled, entry, known.linked);
        self.is_outdated = false;
    }
}

/// What was known when a unit was compiled.
#[derive(Clone, Default)]
struct Known {
    linked: Rc<Linked>,
    /// How often something was seen that wasn't before, in all programs that code is made of.
    learned: u64,
}

/// Code that can be entered.
#[derive(Clone, Copy)]
pub(super) struct Enterable {
    pub(super) compiled: *const Compiled,
    /// Which of its entries is meant.
    pub(super) entry: usize,
    /// What of other chunks is part of it.
    pub(super) linked: *const Linked,
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
    /// Regions whose code, made quickly, has run for so long that it is to be made well.
    proven: FxHashSet<usize>,
    /// For each region the instruction that calls its native code, once there is one.
    stubs: Box<[u64]>,
    regions: usize,
    /// Where regions come apart that are too large to be compiled together, as far as that was asked.
    pub(super) seams: KnownSeams,
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
            proven: FxHashSet::default(),
            stubs: Box::default(),
            regions,
            seams: KnownSeams::default(),
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
        let Some(linked) = Linked::restored(&restored.linked, self.regions) else {
            return false;
        };
        let unit = self.unit(region);
        unit.restore(restored.kinds, restored.assumes);
        self.keep_sub(region, Some(Arc::new(restored.compiled)), Rc::new(linked));
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
        let Some(linked) = Linked::restored(&restored.linked, self.regions) else {
            return false;
        };
        let unit = self.frames.entry((region, start)).or_default();
        unit.restore(restored.kinds, restored.assumes);
        let compiled = Arc::new(restored.compiled);
        self.keep_frame(region, start, Some(compiled), Rc::new(linked));
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

    /// The code of a sub, or of a frame at a position.
    pub(super) fn code(&self, region: usize, position: Option<usize>) -> Option<Enterable> {
        match position {
            None => self.subs.get(region)?.code(),
            Some(position) => self.frames.get(&(region, position))?.code(),
        }
    }

    /// The same, to be changed.
    fn root(&mut self, region: usize, position: Option<usize>) -> &mut Unit {
        match position {
            None => self.unit(region),
            Some(position) => self.frames.entry((region, position)).or_default(),
        }
    }

    pub(super) fn may_compile(&mut self, region: usize, position: Option<usize>) -> bool {
        self.root(region, position).may_compile()
    }

    /// Whether code of other chunks may be part of a unit's: names haven't changed too often.
    pub(super) fn may_link(&mut self, region: usize, position: Option<usize>) -> bool {
        self.root(region, position).relinks < MOST_RELINKS
    }

    /// A unit is compiled anew as names have come to mean something: that is no failure of its own.
    pub(super) fn note_relink(&mut self, region: usize, position: Option<usize>) {
        let unit = self.root(region, position);
        unit.relinks += 1;
        unit.tries = unit.tries.saturating_sub(1);
    }

    /// Code wasn't entered, as its links aren't what they were; whether that was too often.
    pub(super) fn miss_links(&mut self, region: usize, position: Option<usize>) -> bool {
        let unit = self.root(region, position);
        unit.missed += 1;
        unit.missed == MOST_MISSED
    }

    /// How many regions the program has.
    pub(super) fn regions(&self) -> usize {
        self.regions
    }

    /// How often something was seen that wasn't before.
    pub(super) fn learned(&self) -> u64 {
        self.learned
    }

    fn known(&self, linked: Rc<Linked>) -> Known {
        Known {
            // SAFETY: programs that code is linked to live as long as it does.
            learned: self.learned + unsafe { linked.learned() },
            linked,
        }
    }

    /// Notes the kinds of a sub's arguments; whether they are others than were met before.
    pub(super) fn meet(&mut self, region: usize, kinds: &[Kind]) -> bool {
        join_all(&mut self.unit(region).met, kinds)
    }

    /// Code of a unit, made quickly, has run for long: the region's next is to be made well.
    pub(super) fn prove(&mut self, region: usize, position: Option<usize>) {
        self.proven.insert(region);
        let unit = self.root(region, position);
        unit.tries = unit.tries.saturating_sub(1);
    }

    /// Drops the code of a unit, wherever it is entered.
    pub(super) fn forget(&mut self, region: usize, position: Option<usize>) {
        let dropped = self.root(region, position).compiled.take();
        let (Some(dropped), Some(_)) = (dropped, position) else {
            return;
        };
        for unit in self.frames.values_mut() {
            unit.compiled.take_if(|code| Arc::ptr_eq(code, &dropped));
        }
    }

    /// The registers of a frame weren't of the kinds that it was compiled for at this position.
    pub(super) fn refuse_frame(&mut self, region: usize, position: usize) {
        self.root(region, Some(position)).compiled = None;
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

    /// A guard of a unit has failed; whether its code would be another one now.
    pub(super) fn fail(&mut self, region: usize, position: Option<usize>) -> bool {
        let linked = Rc::clone(&self.root(region, position).linked);
        let learned = self.known(linked).learned;
        self.root(region, position).fail(learned)
    }

    /// Marks a unit whose code is about to be dropped, as what is kept of it is outdated.
    pub(super) fn outdate(&mut self, region: usize, position: Option<usize>) {
        let unit = self.root(region, position);
        let Some(dropped) = unit.compiled.clone() else {
            return;
        };
        if position.is_none() {
            unit.is_outdated = true;
            return;
        }
        for unit in self.frames.values_mut() {
            let is_it = unit.compiled.as_ref();
            let is_it = is_it.is_some_and(|code| Arc::ptr_eq(code, &dropped));
            // Other entries than the first are places where this unit's code can be entered.
            unit.is_outdated |= is_it && unit.entry == 0;
        }
    }

    /// The units whose kept code is outdated: their regions, and of frames the positions.
    pub(super) fn outdated(&self) -> Vec<(usize, Option<usize>)> {
        if self.kept.is_none() {
            return Vec::new();
        }
        let subs = self.subs.iter().enumerate();
        let subs = subs.filter(|(_, unit)| unit.is_outdated);
        let subs = subs.map(|(region, _)| (region, None));
        let frames = self.frames.iter().filter(|(_, unit)| unit.is_outdated);
        let frames = frames.map(|((region, position), _)| (*region, Some(*position)));
        subs.chain(frames).collect()
    }

    /// Whether there is code of any frame.
    pub(super) fn has_frames(&self) -> bool {
        self.frames.values().any(|unit| unit.compiled.is_some())
    }

    /// What was seen of the operands of an instruction.
    pub(super) fn seen_at(&self, region: usize, at: usize) -> Seen {
        let seen = self.seen.get(region).and_then(|seen| seen.get(at));
        seen.copied().unwrap_or_default()
    }

    /// What a unit is to be when it is compiled once more.
    pub(super) fn want(&mut self, region: usize, position: Option<usize>) -> Want {
        let is_quick =
            self.options.is_early() && self.kept.is_none() && !self.proven.contains(&region);
        self.root(region, position).want(is_quick)
    }

    /// The kinds of arguments that a sub was met with, or of a frame's registers.
    pub(super) fn met(&self, region: usize, position: Option<usize>) -> &[Kind] {
        let unit = match position {
            None => self.subs.get(region),
            Some(position) => self.frames.get(&(region, position)),
        };
        unit.map_or(&[], |unit| &unit.met)
    }

    /// Sets the kinds of registers that a frame was met with.
    pub(super) fn set_met(&mut self, region: usize, position: usize, kinds: Vec<Kind>) {
        self.root(region, Some(position)).met = kinds;
    }

    /// The compiler, started if need be; `None` if there is none for this machine.
    pub(super) fn take_compiler(&mut self) -> Option<Compiler> {
        match self.compiler.take() {
            None => {
                self.compilers += 1;
                Compiler::new(native::layout())
            }
            compiler => compiler,
        }
    }

    /// Keeps the compiler for the next time.
    pub(super) fn give_compiler(&mut self, compiler: Compiler) {
        self.compiler = Some(compiler);
    }

    /// What is kept for later processes, if a directory for it is named.
    pub(super) fn kept(&mut self) -> Option<&mut Kept> {
        self.kept.as_mut()
    }

    /// Keeps what a sub was compiled to.
    pub(super) fn keep_sub(
        &mut self,
        region: usize,
        compiled: Option<Arc<Compiled>>,
        linked: Rc<Linked>,
    ) {
        let known = self.known(linked);
        self.unit(region).keep(compiled, 0, known);
    }

    /// Keeps what a frame was compiled to, for all places that it can be entered at.
    pub(super) fn keep_frame(
        &mut self,
        region: usize,
        position: usize,
        compiled: Option<Arc<Compiled>>,
        linked: Rc<Linked>,
    ) {
        let known = self.known(linked);
        let unit = self.root(region, Some(position));
        unit.keep(compiled.clone(), 0, known.clone());
        let Some(compiled) = compiled else { return };
        for (entry, at) in compiled.entries.iter().enumerate().skip(1) {
            let unit = self.root(region, Some(*at as usize));
            if unit.compiled.is_none() || unit.learned < known.learned {
                unit.keep(Some(Arc::clone(&compiled)), entry, known.clone());
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
            let mut compiler = self.take_compiler()?;
            let trampoline = compiler.trampoline();
            self.give_compiler(compiler);
            Way::new(trampoline?)
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
