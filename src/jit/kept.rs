//! Compiled groups on their way to the cache and back: which facts address one, and what has to be
//! known of it beside its code. Files are the cache's business, compiling the compiler's.

use super::abi::Layout;
use super::cache::{Entry, Fingerprint, Found, Scope, ScopeKey, Unfit, UnitKey};
use super::compile::Compiled;
use super::features;
use super::kinds::{Kind, Kinds};
use super::miss::{CacheStats, Miss};
use crate::format::ChunkHash;
use crate::op;
use rustc_hash::FxHashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What the engine has to know of a group, as it stands behind its code. As many entries follow as it
/// says, then the kinds that it was compiled for, the parts of other chunks, and the calls that reach them.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Tables {
    entry: U32,
    frame_bytes: U32,
    window_bytes: U32,
    inlined: U32,
    instructions: U32,
    inline: U32,
    /// A set of [`CALLS`] and [`ASSUMES`].
    flags: U32,
    entries: U32,
    kinds: U32,
    parts: U32,
}

/// A function of another chunk that is part of the code.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct LinkedPart {
    /// What the chunk's own code is addressed by.
    pub(crate) scope: [u8; 32],
    pub(crate) region: U32,
    pub(crate) argc: U16,
    /// 0 of a sub; of a chunk's code one more than the registers behind its arguments that begin as Undef.
    pub(crate) fresh: U16,
}

/// A call between chunks, or within a part's, that the code takes for one of a certain function.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub(crate) struct LinkedCall {
    /// The instruction.
    pub(crate) word: U64,
    /// 0 for the chunk itself, or one more than the part whose chunk calls.
    pub(crate) caller: U32,
    /// The region that the compiler knows the callee by.
    pub(crate) callee: U32,
}

/// What of other chunks code is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkedParts {
    /// In the order of the compiler's numbers for them, which follow those of the chunk's own regions.
    pub(crate) parts: Vec<LinkedPart>,
    /// In an order in which each caller was reached by one before it.
    pub(crate) calls: Vec<LinkedCall>,
}

/// It calls others.
const CALLS: u32 = 1;
/// Something was assumed of operands.
const ASSUMES: u32 = 2;

/// A chunk as it was lowered: what its native code is addressed by.
pub(crate) struct Identity<'a> {
    pub(crate) chunk: ChunkHash,
    /// Whether it was lowered as one of an engine's.
    pub(crate) linked: bool,
    /// By name index, which global a name is; empty where that is the index itself.
    pub(crate) globals: &'a [u16],
}

/// A group that an earlier process compiled.
pub(crate) struct Restored {
    pub(crate) compiled: Compiled,
    /// The kinds of the arguments, or of the frame's registers, that it is for.
    pub(crate) kinds: Kinds,
    /// Whether something was assumed of operands.
    pub(crate) assumes: bool,
    pub(crate) linked: LinkedParts,
}

/// What is kept of a unit, for those who ask.
pub(crate) struct Content {
    pub(crate) key: UnitKey,
    /// The bytes of its code.
    pub(crate) bytes: usize,
    /// The kinds that it is for.
    pub(crate) kinds: Kinds,
}

/// The native code of one chunk, as earlier processes left it and as this one adds to it.
pub(crate) struct Kept {
    scope: Scope,
    /// What was taken, or added: it isn't looked for again.
    used: FxHashSet<UnitKey>,
    fresh: Vec<(UnitKey, Entry)>,
    /// Frames that nobody has taken yet, or more: one that two packs have counts twice.
    frames: usize,
    /// Nanoseconds of looking.
    ns: u64,
}

impl Kept {
    /// Opens what the cache at `root` has of a chunk; `maker` says who makes code here.
    ///
    /// # Errors
    /// When the directory isn't fit for code.
    pub(crate) fn open(
        root: Arc<Path>,
        chunk: &Identity<'_>,
        maker: fn() -> Fingerprint,
    ) -> Result<Kept, Unfit> {
        let began = Instant::now();
        let scope = Scope::open(root, maker, chunk.scope())?;
        let frames = scope.frames();
        Ok(Kept {
            scope,
            used: FxHashSet::default(),
            fresh: Vec::new(),
            frames,
            ns: elapsed(began),
        })
    }

    /// Whether earlier processes left any code.
    pub(crate) fn has_code(&self) -> bool {
        !self.scope.is_empty()
    }

    /// Whether there are frames that nobody has taken yet.
    pub(crate) fn has_frames(&self) -> bool {
        self.frames > 0
    }

    /// The code of a unit, if it was kept; each is given once.
    pub(crate) fn take(&mut self, key: UnitKey) -> Option<Restored> {
        let began = Instant::now();
        let restored = self.find(key);
        self.ns += elapsed(began);
        restored
    }

    fn find(&mut self, key: UnitKey) -> Option<Restored> {
        if self.used.contains(&key) {
            return None;
        }
        let restored = restore(self.scope.find(key)?)?;
        self.note(key);
        Some(restored)
    }

    /// The code of a frame that can be entered at a position of a region, and where it begins.
    pub(crate) fn take_frame(
        &mut self,
        region: usize,
        position: usize,
    ) -> Option<(usize, Restored)> {
        // What was compiled for this very place goes first: other entries of a frame are beside.
        if let Some(restored) = UnitKey::frame(region, position).and_then(|key| self.take(key)) {
            return Some((position, restored));
        }
        let found = self.scope.all_of(region).find_map(|found| {
            let (key, start) = (found.key, found.key.position()?);
            let restored = restore(found).filter(|_| !self.used.contains(&key))?;
            let enters = restored.compiled.entries.contains(&(position as u32));
            enters.then_some((key, start, restored))
        });
        let (key, start, restored) = found?;
        self.note(key);
        Some((start, restored))
    }

    fn note(&mut self, key: UnitKey) {
        self.scope.count_hit();
        self.used.insert(key);
        self.frames -= usize::from(key.position().is_some());
    }

    /// Adds a unit that was compiled now, for these kinds.
    pub(crate) fn add(
        &mut self,
        key: UnitKey,
        compiled: &Compiled,
        kinds: &[Kind],
        assumes: bool,
        linked: &LinkedParts,
    ) {
        let why = match self.used.insert(key) {
            true => Miss::Absent,
            false => Miss::OtherKinds,
        };
        self.scope.count_miss(why);
        if let Some(entry) = entry_of(compiled, kinds, assumes, linked) {
            self.fresh.push((key, entry));
        }
    }

    /// Adds the trampoline, which all other code is entered through, if there is other code, and it
    /// isn't there.
    pub(crate) fn complete(&mut self, trampoline: &Compiled) {
        let key = UnitKey::TRAMPOLINE;
        let is_wanted = self.has_code() || !self.fresh.is_empty();
        if is_wanted && self.scope.find(key).is_none() && !self.used.contains(&key) {
            self.add(key, trampoline, &[], false, &LinkedParts::default());
        }
    }

    /// Whether something that earlier processes left is damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.scope.is_damaged()
    }

    /// Writes what was added to the cache, and mends what is damaged there.
    pub(crate) fn flush(&mut self) {
        self.scope.publish(std::mem::take(&mut self.fresh));
    }

    /// What became of the questions.
    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats {
            ns: self.ns,
            ..self.scope.stats()
        }
    }
}

impl Kept {
    /// What there is.
    pub(crate) fn contents(&self) -> Vec<Content> {
        let units = self.scope.keys().into_iter().filter_map(|key| {
            let restored = restore(self.scope.find(key)?)?;
            Some(Content {
                key,
                bytes: restored.compiled.code.bytes().len(),
                kinds: restored.kinds,
            })
        });
        units.collect()
    }

    /// Why what isn't there isn't.
    pub(crate) fn why_absent(&self) -> Miss {
        let stats = self.scope.stats();
        let mut reasons = Miss::ALL.into_iter();
        let seen = reasons.find(|why| stats.missed(*why) > 0);
        seen.unwrap_or_else(|| match self.scope.is_known_to_others() {
            true => Miss::OtherMaker,
            false => Miss::Absent,
        })
    }

    /// Whether frames of a region are kept.
    pub(crate) fn keeps_frames(&self, region: usize) -> bool {
        let mut units = self.scope.all_of(region);
        units.any(|found| found.key.position().is_some())
    }
}

impl Identity<'_> {
    /// The key of what is kept of the chunk.
    pub(crate) fn scope(&self) -> ScopeKey {
        let is_own = |(name, global): (usize, &u16)| name == usize::from(*global);
        let globals = match self.globals.iter().enumerate().all(is_own) {
            true => &[],
            false => self.globals,
        };
        ScopeKey::of(&self.chunk.0, self.linked, globals.as_bytes())
    }
}

/// A unit as the cache keeps it; `None` if it is beyond all bounds.
fn entry_of(
    compiled: &Compiled,
    kinds: &[Kind],
    assumes: bool,
    linked: &LinkedParts,
) -> Option<Entry> {
    let number = |number: usize| u32::try_from(number).ok().map(U32::new);
    let count = |count: u64| u32::try_from(count).ok().map(U32::new);
    let flags = (u32::from(compiled.calls) * CALLS) | (u32::from(assumes) * ASSUMES);
    let tables = Tables {
        entry: number(compiled.entry)?,
        frame_bytes: number(compiled.frame_bytes)?,
        window_bytes: number(compiled.window_bytes)?,
        inlined: number(compiled.inlined)?,
        instructions: count(compiled.instructions)?,
        inline: count(compiled.inline)?,
        flags: U32::new(flags),
        entries: number(compiled.entries.len())?,
        kinds: number(kinds.len())?,
        parts: number(linked.parts.len())?,
    };
    let entries: Vec<U32> = compiled.entries.iter().map(|at| U32::new(*at)).collect();
    let kinds: Vec<u8> = kinds.iter().map(|kind| code_of(*kind)).collect();
    let tables = [
        tables.as_bytes(),
        entries.as_bytes(),
        &kinds,
        linked.parts.as_bytes(),
        linked.calls.as_bytes(),
    ]
    .concat();
    Some(Entry::new(compiled.code.bytes(), &tables))
}

/// A unit as the engine has it; `None` if it makes no sense.
fn restore(found: Found<'_>) -> Option<Restored> {
    let (tables, rest) = Tables::ref_from_prefix(found.tables).ok()?;
    let number = |field: U32| field.get() as usize;
    let (entries, rest) = <[U32]>::ref_from_prefix_with_elems(rest, number(tables.entries)).ok()?;
    let (kinds, rest) = rest.split_at_checked(number(tables.kinds))?;
    let (parts, calls) =
        <[LinkedPart]>::ref_from_prefix_with_elems(rest, number(tables.parts)).ok()?;
    let calls = <[LinkedCall]>::ref_from_bytes(calls).ok()?;
    let compiled = Compiled {
        entry: Some(number(tables.entry)).filter(|at| *at < found.code.bytes().len())?,
        entries: entries.iter().map(|at| at.get()).collect(),
        frame_bytes: number(tables.frame_bytes),
        window_bytes: number(tables.window_bytes),
        calls: tables.flags.get() & CALLS != 0,
        inlined: number(tables.inlined),
        instructions: tables.instructions.get().into(),
        inline: tables.inline.get().into(),
        trial: None,
        code: found.code,
    };
    Some(Restored {
        compiled,
        kinds: kinds
            .iter()
            .map(|code| kind_of(*code))
            .collect::<Option<_>>()?,
        assumes: tables.flags.get() & ASSUMES != 0,
        linked: LinkedParts {
            parts: parts.to_vec(),
            calls: calls.to_vec(),
        },
    })
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a kind is kept as.
const KINDS: [(Kind, u8); 7] = [
    (Kind::Nothing, 0),
    (Kind::Int, 1),
    (Kind::Float, 2),
    (Kind::Bool, 3),
    (Kind::Undef, 4),
    (Kind::Scalar, 5),
    (Kind::Any, 6),
];

fn code_of(kind: Kind) -> u8 {
    let found = KINDS.iter().find(|(known, _)| *known == kind);
    found.map_or(u8::MAX, |(_, code)| *code)
}

fn kind_of(code: u8) -> Option<Kind> {
    let found = KINDS.iter().find(|(_, known)| *known == code);
    found.map(|(kind, _)| *kind)
}

/// Who makes code in this process: the build, the code generator, the processor's features as the
/// compiler is told them, and where the engine keeps things. It is asked for once.
pub(crate) fn fingerprint(layout: &Layout) -> Fingerprint {
    static FINGERPRINT: OnceLock<Fingerprint> = OnceLock::new();
    *FINGERPRINT.get_or_init(|| {
        let features = features::usable();
        let usable = features.iter().filter(|(_, usable)| *usable);
        let features: Vec<&str> = usable.map(|(name, _)| *name).collect();
        Fingerprint::of(&[
            ("build", env!("FUSEVM_BUILD").as_bytes()),
            ("code generator", cranelift_codegen::VERSION.as_bytes()),
            ("features", features.join(" ").as_bytes()),
            ("layout", layout.as_bytes()),
            ("opset", &op::OPSET_LEVEL.to_le_bytes()),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_back() {
        for (kind, code) in KINDS {
            assert_eq!((code_of(kind), kind_of(code)), (code, Some(kind)));
        }
        assert_eq!(kind_of(u8::MAX), None);
    }

    #[test]
    fn names_that_are_their_globals_are_no_fact() {
        let scope = |globals: &[u16]| {
            let identity = Identity {
                chunk: ChunkHash([1; 32]),
                linked: true,
                globals,
            };
            identity.scope()
        };
        assert_eq!(scope(&[]), scope(&[0, 1, 2]));
        assert_ne!(scope(&[]), scope(&[0, 2, 1]));
    }
}
