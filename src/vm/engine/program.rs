//! The program that the engine runs: its own copy of a strict chunk, lowered as far as it was used.

use super::super::VM;
use crate::chunk::Chunk;
use crate::lower::Lowering;
use crate::lower::code::{Code, REGISTER_BYTES};
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

/// A strict chunk and its register code.
pub(super) struct Program {
    chunk: Chunk,
    shape: Shape,
    lowering: Lowering,
    /// The code of each region.
    codes: Vec<Option<Box<Code>>>,
    units: Vec<Unit>,
    /// The chunk's constants, as far as the code loads them.
    constants: Vec<Value>,
    globals: usize,
    /// Where the instructions of regions begin, ascending, and the region.
    places: Vec<(usize, usize)>,
}

impl Program {
    /// The program of the VM's chunk: the one at hand if it is of that very chunk, else a new one;
    /// `None` if the chunk isn't strict.
    pub(super) fn of(vm: &mut VM) -> Option<Box<Program>> {
        let program = vm.engine.program.take();
        let running = vm.running();
        if let Some(program) = program
            && program.is_of(running)
        {
            return Some(program);
        }
        let shape = verify_chunk(running).ok()?;
        let lowering = Lowering::new(running);
        let regions = shape.regions().len();
        let chunk = Chunk {
            ops: running.ops.clone(),
            constants: running.constants.clone(),
            sub_entries: running.sub_entries.clone(),
            block_ranges: running.block_ranges.clone(),
            imports: running.imports.clone(),
            signatures: running.signatures.clone(),
            ..Chunk::default()
        };
        let unit = || Unit {
            entry: std::ptr::null_mut(),
            frame_bytes: u32::MAX,
        };
        Some(Box::new(Program {
            globals: running.names.len(),
            constants: vec![Value::Undef; chunk.constants.len()],
            chunk,
            shape,
            lowering,
            codes: (0..regions).map(|_| None).collect(),
            units: (0..regions).map(|_| unit()).collect(),
            places: Vec::new(),
        }))
    }

    /// Whether the chunk is still the one that was copied.
    fn is_of(&self, chunk: &Chunk) -> bool {
        self.globals == chunk.names.len()
            && self.chunk.ops == chunk.ops
            && self.chunk.sub_entries == chunk.sub_entries
            && self.chunk.block_ranges == chunk.block_ranges
            && self.chunk.imports == chunk.imports
            && self.chunk.signatures == chunk.signatures
            && self.chunk.constants == chunk.constants
    }

    /// Lowers a region, if it isn't yet; `false` if it can't be.
    pub(super) fn lower(&mut self, region: usize) -> bool {
        if self.codes[region].is_some() {
            return true;
        }
        let Ok(mut code) = self.lowering.lower(&self.chunk, &self.shape, region) else {
            return false;
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
        self.codes[region] = Some(Box::new(code));
        true
    }

    /// The code of a region that was lowered.
    pub(super) fn code(&self, region: usize) -> Option<&Code> {
        self.codes[region].as_deref()
    }

    /// The instruction at a position of a region that was lowered.
    pub(super) fn instruction(&self, region: usize, position: usize) -> *const u64 {
        self.units[region].entry.wrapping_add(position)
    }

    /// The region of an instruction, and its position there.
    pub(super) fn locate(&self, pc: *const u64) -> (usize, usize) {
        let place = self
            .places
            .partition_point(|(start, _)| *start <= pc.addr());
        let (start, region) = self.places[place - 1];
        (region, (pc.addr() - start) / size_of::<u64>())
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
