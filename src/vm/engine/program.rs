//! The programs that the engine runs: strict chunks, its own copy or shared units, lowered as far as
//! they were used.

use super::super::VM;
use super::links::Link;
#[cfg(feature = "jit")]
use super::native::Native;
use crate::chunk::Chunk;
use crate::engine;
use crate::lower::code::{Code, REGISTER_BYTES};
use crate::lower::{Declined, Lowering, Plain, global_of};
use crate::op::Op;
use crate::value::Value;
#[cfg(feature = "jit")]
use crate::verify::Arity;
use crate::verify::{RegionKind, Shape, verify_chunk};
use std::sync::Arc;

/// The lists of a program that its instructions use most.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Tables {
    pub(super) units: *const Unit,
    pub(super) constants: *const Value,
}

/// What a call needs to know of a region.
pub(super) struct Unit {
    /// The first instruction; null if the region isn't lowered.
    pub(super) entry: *mut u64,
    /// What its frames take; more than any window has if it isn't lowered, so that a call needs no
    /// look at the entry.
    pub(super) frame_bytes: u32,
}

/// Where the lists of a chunk lie, and how long they are.
pub(super) type Identity = [(usize, usize); 7];

/// What tells a chunk from another one at a glance.
pub(super) fn identity(chunk: &Chunk) -> Identity {
    fn of<T>(list: &[T]) -> (usize, usize) {
        (list.as_ptr().addr(), list.len())
    }
    [
        of(&chunk.ops),
        of(&chunk.constants),
        of(&chunk.names),
        of(&chunk.sub_entries),
        of(&chunk.block_ranges),
        of(&chunk.imports),
        of(&chunk.signatures),
    ]
}

impl Source {
    fn chunk(&self) -> &Chunk {
        match self {
            Source::Copy(copied) => &copied.chunk,
            Source::Unit(unit) => unit.chunk(),
        }
    }

    fn shape(&self) -> &Shape {
        match self {
            Source::Copy(copied) => &copied.shape,
            Source::Unit(unit) => unit.shape().expect("only strict units have programs"),
        }
    }
}

/// The extension ops of a unit that are plain functions.
fn plain_functions(unit: &engine::Unit) -> Vec<Plain> {
    let functions = unit.plain_functions().iter();
    let plain = functions.map(|(key, function)| Plain {
        key: *key,
        pops: function.parameters().len(),
        gives: function.gives(),
    });
    plain.collect()
}

/// What of a chunk its running form needs, and its names' places.
fn copy_of(chunk: &Chunk) -> Chunk {
    Chunk {
        ops: chunk.ops.clone(),
        constants: chunk.constants.clone(),
        names: vec![String::new(); chunk.names.len()],
        sub_entries: chunk.sub_entries.clone(),
        block_ranges: chunk.block_ranges.clone(),
        imports: chunk.imports.clone(),
        signatures: chunk.signatures.clone(),
        ..Chunk::default()
    }
}

/// By name index, the global of each name that the ops of the running chunk use as one; nothing where names
/// are their globals. `None` if a global has an index that instructions can't name.
fn global_places(vm: &mut VM, chunk: &Chunk) -> Option<Option<Box<[u16]>>> {
    if vm.link.global(0).is_none() {
        return Some(None);
    }
    // A name that is no global counts as its own, so that two chunks' places differ only in what matters.
    let count = u16::try_from(chunk.names.len()).unwrap_or(u16::MAX);
    let mut places: Box<[u16]> = (0..count).collect();
    for name in chunk.ops.iter().filter_map(global_of) {
        let place = u16::try_from(vm.global_place(name)).ok()?;
        *places.get_mut(usize::from(name))? = place;
    }
    Some(Some(places))
}

fn are_same<T>(a: &[T], b: &[T], is_same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

/// Whether the ops are equal, a NaN being equal to itself.
fn is_same_op(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::LoadFloat(a), Op::LoadFloat(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// A strict chunk and its register code.
pub(super) struct Program {
    source: Source,
    lowering: Lowering,
    /// The code of each region that was lowered, or that it can't be.
    codes: Vec<Option<Result<Lowered, Declined>>>,
    units: Vec<Unit>,
    /// By name index, what calls of the name reach; empty as long as no such call is lowered.
    links: Vec<Link>,
    /// The place of the unit in the VM's linkage; of no meaning while none of its frames is in the engine.
    pub(super) place: u32,
    tables: Tables,
    globals: usize,
    /// Where the instructions of regions begin, ascending, and the region.
    places: Vec<(usize, usize)>,
    /// The native code of regions.
    #[cfg(feature = "jit")]
    pub(super) native: Native,
}

/// The code of a region, and its first instruction: instructions change while they run, so all pointers to
/// them are derived from this one.
struct Lowered {
    code: Box<Code>,
    begin: *mut u64,
}

/// Where a program's chunk is.
enum Source {
    /// A copy of the VM's own.
    Copy(Box<Copied>),
    /// A unit, which never changes.
    Unit(Arc<engine::Unit>),
}

/// A copy of a chunk that anybody may change.
struct Copied {
    chunk: Chunk,
    /// What tells the original at a glance.
    origin: Identity,
    shape: Shape,
}

impl Program {
    /// The program of the chunk that the VM runs; `None` if that isn't strict.
    pub(super) fn of(vm: &mut VM) -> Option<Box<Program>> {
        let source = match vm.link.unit() {
            Some(unit) if !unit.is_strict() => return None,
            Some(unit) => Source::Unit(Arc::clone(unit)),
            None => {
                let shape = verify_chunk(&vm.chunk).ok()?;
                Source::Copy(Box::new(Copied {
                    chunk: copy_of(&vm.chunk),
                    origin: identity(&vm.chunk),
                    shape,
                }))
            }
        };
        let regions = source.shape().regions().len();
        let chunk = source.chunk();
        let places = global_places(vm, chunk)?;
        let count = places.as_ref().map_or(chunk.names.len(), |places| {
            places.iter().max().map_or(0, |last| usize::from(*last) + 1)
        });
        let unit = || Unit {
            entry: std::ptr::null_mut(),
            frame_bytes: u32::MAX,
        };
        let lowering = Lowering::new(chunk, places);
        let lowering = match source {
            Source::Copy(..) => lowering,
            Source::Unit(ref unit) => lowering.linked().with_functions(plain_functions(unit)),
        };
        let units: Vec<Unit> = (0..regions).map(|_| unit()).collect();
        Some(Box::new(Program {
            tables: Tables {
                units: units.as_ptr(),
                constants: source.chunk().constants.as_ptr(),
            },
            globals: count,
            links: Vec::new(),
            place: vm.link.running_place(),
            lowering,
            source,
            codes: (0..regions).map(|_| None).collect(),
            units,
            places: Vec::new(),
            #[cfg(feature = "jit")]
            native: Native::new(regions),
        }))
    }

    /// Whether it is the program of this unit.
    pub(super) fn is_of(&self, unit: &Arc<engine::Unit>) -> bool {
        matches!(&self.source, Source::Unit(own) if Arc::ptr_eq(own, unit))
    }

    /// Whether the VM runs this chunk. Its own chunk is told by where its lists are, as they may have
    /// been changed in place; `compares` looks into them.
    pub(super) fn is_run_by(&self, vm: &VM, compares: bool) -> bool {
        match (&self.source, vm.link.unit()) {
            (Source::Unit(unit), Some(running)) => Arc::ptr_eq(unit, running),
            (Source::Copy(copied), None) => {
                copied.origin == identity(&vm.chunk) && (!compares || self.is_unchanged(&vm.chunk))
            }
            (Source::Unit(_), None) | (Source::Copy(..), Some(_)) => false,
        }
    }

    /// Whether the chunk is still what was copied.
    fn is_unchanged(&self, chunk: &Chunk) -> bool {
        let copy = self.chunk();
        are_same(&copy.ops, &chunk.ops, is_same_op)
            && copy.names.len() == chunk.names.len()
            && copy.sub_entries == chunk.sub_entries
            && copy.block_ranges == chunk.block_ranges
            && copy.imports == chunk.imports
            && copy.signatures == chunk.signatures
            && are_same(&copy.constants, &chunk.constants, Value::is_same)
    }

    /// Lowers a region, if it isn't yet; `false` if it can't be. The program stays where it is from then on:
    /// its code knows the address.
    pub(super) fn lower(&mut self, region: usize) -> bool {
        if let Some(lowered) = &self.codes[region] {
            return lowered.is_ok();
        }
        let lowered = self
            .lowering
            .lower(self.source.chunk(), self.source.shape(), region);
        let mut code = match lowered {
            Ok(code) => Box::new(code),
            Err(declined) => {
                self.codes[region] = Some(Err(declined));
                return false;
            }
        };
        if !code.relinks.is_empty() && self.links.is_empty() {
            let names = self.source.chunk().names.len();
            self.links.resize(names, Link::UNKNOWN);
        }
        for at in &code.relinks {
            code.words[*at as usize + 1] = std::ptr::from_mut(self).expose_provenance() as u64;
        }
        let begin = code.words.as_mut_ptr();
        self.units[region] = Unit {
            entry: begin,
            frame_bytes: code.registers * REGISTER_BYTES as u32,
        };
        let start = begin.addr();
        let place = self.places.partition_point(|(other, _)| *other < start);
        self.places.insert(place, (start, region));
        self.codes[region] = Some(Ok(Lowered { code, begin }));
        #[cfg(feature = "jit")]
        self.enter_kept(region);
        true
    }

    /// Has calls of a sub go to the native code that an earlier process left, if there is any.
    #[cfg(feature = "jit")]
    fn enter_kept(&mut self, region: usize) {
        if self.is_sub(region) && self.native.take_sub(region) {
            let stub = self.native.stub(region);
            self.set_entry(region, stub);
        }
    }

    /// Lowers all regions; `false` if some can't be.
    pub(super) fn lower_all(&mut self) -> bool {
        let declined = (0..self.codes.len()).filter(|region| !self.lower(*region));
        declined.count() == 0
    }

    /// The code of a region that was lowered.
    pub(super) fn code(&self, region: usize) -> Option<&Code> {
        Some(&self.lowered(region)?.code)
    }

    fn lowered(&self, region: usize) -> Option<&Lowered> {
        match &self.codes[region] {
            Some(Ok(lowered)) => Some(lowered),
            Some(Err(_)) | None => None,
        }
    }

    /// The instruction at a position of a region that was lowered.
    pub(super) fn instruction(&self, region: usize, position: usize) -> *const u64 {
        let lowered = self.lowered(region);
        let begin = lowered.map_or(std::ptr::null_mut(), |lowered| lowered.begin);
        begin.wrapping_add(position)
    }

    /// The same of any region that code was made of, maybe by an earlier process: it is lowered if it isn't.
    #[cfg(feature = "jit")]
    #[inline]
    pub(super) fn ready_instruction(&mut self, region: usize, position: usize) -> *const u64 {
        if let Some(lowered) = self.lowered(region) {
            return lowered.begin.wrapping_add(position);
        }
        self.lower(region);
        self.instruction(region, position)
    }

    /// The region of an instruction, and its position there.
    pub(super) fn locate(&self, pc: *const u64) -> (usize, usize) {
        let place = self
            .places
            .partition_point(|(start, _)| *start <= pc.addr());
        let (start, region) = self.places[place - 1];
        (region, (pc.addr() - start) / size_of::<u64>())
    }

    /// Sets where calls of a region that was lowered go.
    #[cfg(feature = "jit")]
    pub(super) fn set_entry(&mut self, region: usize, entry: *mut u64) {
        self.units[region].entry = entry;
    }

    /// Whether each name is the global of its own index.
    #[cfg(feature = "jit")]
    pub(super) fn names_are_globals(&self) -> bool {
        self.lowering.globals().is_empty()
    }

    /// By name index, which global a name is; empty where that is the index itself.
    #[cfg(feature = "jit")]
    pub(super) fn global_places(&self) -> &[u16] {
        self.lowering.globals()
    }

    /// The unit that the program is of; `None` of a VM's own chunk.
    #[cfg(feature = "jit")]
    pub(super) fn source_unit(&self) -> Option<&engine::Unit> {
        match &self.source {
            Source::Unit(unit) => Some(unit),
            Source::Copy(_) => None,
        }
    }

    /// How many arguments a region takes.
    #[cfg(feature = "jit")]
    pub(super) fn argc(&self, region: usize) -> usize {
        self.shape().regions()[region].entry_height as usize
    }

    pub(super) fn shape(&self) -> &Shape {
        self.source.shape()
    }

    pub(super) fn chunk(&self) -> &Chunk {
        self.source.chunk()
    }

    /// Whether a region is that of a sub.
    pub(super) fn is_sub(&self, region: usize) -> bool {
        matches!(self.shape().regions()[region].kind, RegionKind::Sub(_))
    }

    /// Whether a region is that of a sub that gives no value.
    #[cfg(feature = "jit")]
    pub(super) fn gives_nothing(&self, region: usize) -> bool {
        match self.shape().regions()[region].kind {
            RegionKind::Sub(row) => self.shape().subs()[row].returns != Arity::Value,
            RegionKind::Main | RegionKind::Block(_) => false,
        }
    }

    /// The lists that instructions use most.
    pub(super) fn tables(&self) -> Tables {
        self.tables
    }

    /// What calls of a region need to know of it.
    pub(super) fn unit(&self, region: usize) -> *const Unit {
        &raw const self.units[region]
    }

    /// What calls of each name reach.
    pub(super) fn links(&self) -> *const Link {
        self.links.as_ptr()
    }

    /// What calls of a name reach.
    pub(super) fn link(&self, name: u16) -> Link {
        let link = self.links.get(usize::from(name));
        link.copied().unwrap_or(Link::UNKNOWN)
    }

    /// Sets what calls of a name reach.
    pub(super) fn set_link(&mut self, name: usize, link: Link) {
        self.links[name] = link;
    }

    /// How many globals the program names.
    pub(super) fn globals(&self) -> usize {
        self.globals
    }
}
