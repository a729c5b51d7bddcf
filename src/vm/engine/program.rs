//! The program that the engine runs: its own copy of a strict chunk, lowered as far as it was used.

#[cfg(feature = "jit")]
use super::native::Native;
use crate::chunk::Chunk;
use crate::lower::code::{Code, REGISTER_BYTES};
use crate::lower::{Declined, Lowering};
use crate::op::Op;
use crate::value::Value;
use crate::verify::{Shape, verify_chunk};

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
    chunk: Chunk,
    shape: Shape,
    /// What tells the VM's chunk from another one at a glance.
    origin: Identity,
    lowering: Lowering,
    /// The code of each region that was lowered, or that it can't be.
    codes: Vec<Option<Result<Box<Code>, Declined>>>,
    units: Vec<Unit>,
    /// The chunk's constants, as far as the code loads them.
    constants: Vec<Value>,
    globals: usize,
    /// Where the instructions of regions begin, ascending, and the region.
    places: Vec<(usize, usize)>,
    /// The native code of regions.
    #[cfg(feature = "jit")]
    pub(super) native: Native,
}

impl Program {
    /// The program of a chunk; `None` if that isn't strict.
    pub(super) fn of(chunk: &Chunk) -> Option<Box<Program>> {
        let shape = verify_chunk(chunk).ok()?;
        let lowering = Lowering::new(chunk);
        let regions = shape.regions().len();
        let copy = Chunk {
            ops: chunk.ops.clone(),
            constants: chunk.constants.clone(),
            sub_entries: chunk.sub_entries.clone(),
            block_ranges: chunk.block_ranges.clone(),
            imports: chunk.imports.clone(),
            signatures: chunk.signatures.clone(),
            ..Chunk::default()
        };
        let unit = || Unit {
            entry: std::ptr::null_mut(),
            frame_bytes: u32::MAX,
        };
        Some(Box::new(Program {
            globals: chunk.names.len(),
            constants: vec![Value::Undef; chunk.constants.len()],
            origin: identity(chunk),
            chunk: copy,
            shape,
            lowering,
            codes: (0..regions).map(|_| None).collect(),
            units: (0..regions).map(|_| unit()).collect(),
            places: Vec::new(),
            #[cfg(feature = "jit")]
            native: Native::new(regions),
        }))
    }

    /// Whether the chunk has the lists that were copied; they may have been changed in place.
    pub(super) fn has_lists_of(&self, chunk: &Chunk) -> bool {
        self.origin == identity(chunk)
    }

    /// Whether the chunk is still what was copied.
    pub(super) fn is_of(&self, chunk: &Chunk) -> bool {
        self.globals == chunk.names.len()
            && are_same(&self.chunk.ops, &chunk.ops, is_same_op)
            && self.chunk.sub_entries == chunk.sub_entries
            && self.chunk.block_ranges == chunk.block_ranges
            && self.chunk.imports == chunk.imports
            && self.chunk.signatures == chunk.signatures
            && are_same(&self.chunk.constants, &chunk.constants, Value::is_same)
    }

    /// Lowers a region, if it isn't yet; `false` if it can't be.
    pub(super) fn lower(&mut self, region: usize) -> bool {
        if let Some(lowered) = &self.codes[region] {
            return lowered.is_ok();
        }
        let mut code = match self.lowering.lower(&self.chunk, &self.shape, region) {
            Ok(code) => code,
            Err(declined) => {
                self.codes[region] = Some(Err(declined));
                return false;
            }
        };
        for index in &code.constants {
            let index = usize::from(*index);
            self.constants[index] = self.chunk.constants[index].clone();
        }
        self.units[region] = Unit {
            entry: code.words.as_mut_ptr(),
            frame_bytes: code.registers * REGISTER_BYTES as u32,
        };
        let start = code.words.as_ptr().addr();
        let place = self.places.partition_point(|(other, _)| *other < start);
        self.places.insert(place, (start, region));
        self.codes[region] = Some(Ok(Box::new(code)));
        true
    }

    /// The code of a region that was lowered.
    pub(super) fn code(&self, region: usize) -> Option<&Code> {
        match &self.codes[region] {
            Some(Ok(code)) => Some(code),
            Some(Err(_)) | None => None,
        }
    }

    /// The instruction at a position of a region that was lowered.
    pub(super) fn instruction(&self, region: usize, position: usize) -> *const u64 {
        let words = self
            .code(region)
            .map_or(std::ptr::null(), |code| code.words.as_ptr());
        words.wrapping_add(position)
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

    /// How many arguments a region takes.
    #[cfg(feature = "jit")]
    pub(super) fn argc(&self, region: usize) -> usize {
        self.shape.regions()[region].entry_height as usize
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    pub(super) fn units(&self) -> *const Unit {
        self.units.as_ptr()
    }

    pub(super) fn constants(&self) -> *const Value {
        self.constants.as_ptr()
    }

    /// How many globals the program names.
    pub(super) fn globals(&self) -> usize {
        self.globals
    }
}
