//! Is every vector's code free of relocations, for each machine that there is a compiler for?

use super::*;
use crate::format::Module as File;
use crate::jit::ir::Seams;
use crate::jit::kinds::Seen;
use crate::lower::Lowering;
use crate::lower::code::Code as Lowered;
use crate::value::{Array, Hash, Str};
use crate::verify::{RegionKind, verify_chunk};
use std::path::Path;
use std::rc::Rc;

/// A layout like the engine's; where things are doesn't matter here.
fn layout() -> Layout {
    Layout {
        fuel: 0,
        globals: 8,
        constants: 16,
        parts: 112,
        part_bytes: 24,
        part_constants: 0,
        max_items: 24,
        helpers: 32,
        rare_helpers: 72,
        answer: 80,
        executed: 96,
        helped: 104,
        entry: 88,
        records: 40,
        exit_place: 48,
        exit_base: 56,
        exit_depth: 64,
        array: Array::layout(),
        hash: Hash::layout(),
        str: Str::layout(),
    }
}

/// A chunk with all of its regions lowered.
struct Whole {
    codes: Vec<Option<Lowered>>,
    argc: Vec<usize>,
    seen: Seen,
}

impl Program for Whole {
    fn code(&self, region: usize) -> Option<&Lowered> {
        self.codes[region].as_ref()
    }

    fn seams(&self, region: usize) -> Option<Rc<Seams>> {
        Seams::of(self, region).map(Rc::new)
    }

    fn argc(&self, region: usize) -> usize {
        self.argc[region]
    }

    fn seen(&self, _region: usize, _at: usize) -> Seen {
        self.seen
    }
}

/// How many chunks of each vector are compiled, and with how many assumptions: without optimization the
/// compiler is too slow for all.
const CHUNKS: usize = if cfg!(debug_assertions) {
    1
} else {
    usize::MAX
};
const ASSUMPTIONS: usize = if cfg!(debug_assertions) { 1 } else { 4 };

/// Chunks of each vector.
fn vectors() -> Vec<crate::Chunk> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("format-spec/vectors/valid");
    let mut chunks = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the vectors are there") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "fvbc") {
            continue;
        }
        let module = File::open(&path).expect("a valid module");
        for record in module.records().expect("an index").take(CHUNKS) {
            let chunk = record.and_then(|record| record.load()).expect("a chunk");
            chunks.push(chunk.into_chunk());
        }
    }
    chunks
}

/// Compiles every region of every vector, entered in each way.
fn compile_all(compiler: &mut Compiler) -> usize {
    let mut compiled = 0;
    for (number, chunk) in vectors().into_iter().enumerate() {
        let Ok(shape) = verify_chunk(&chunk) else {
            continue;
        };
        let mut lowering = Lowering::new(&chunk, None);
        let regions = shape.regions();
        let whole = |seen, lowering: &mut Lowering| Whole {
            codes: (0..regions.len())
                .map(|region| lowering.lower(&chunk, &shape, region).ok())
                .collect(),
            argc: regions.iter().map(|r| r.entry_height as usize).collect(),
            seen,
        };
        let both = |kind| Seen::of_first(kind).and(Seen::of_second(kind));
        let seen = [
            Seen::default(),
            both(Kind::Int),
            both(Kind::Float),
            Seen::EVERYTHING,
        ];
        for seen in seen.into_iter().cycle().skip(number).take(ASSUMPTIONS) {
            let program = whole(seen, &mut lowering);
            for (region, shape) in regions.iter().enumerate() {
                let Some(code) = program.code(region) else {
                    continue;
                };
                let registers = code.registers as usize;
                let mut entries = vec![Entry::Frame(0, vec![Kind::Any; registers])];
                if matches!(shape.kind, RegionKind::Sub(_)) {
                    for kind in [Kind::Int, Kind::Float, Kind::Any] {
                        entries.push(Entry::Call(vec![kind; shape.entry_height as usize]));
                    }
                }
                for entry in entries {
                    let done = compiler.compile(&program, region, entry, usize::MAX);
                    assert!(done.is_ok(), "region {region} of {:?}", chunk.ops);
                    compiled += 1;
                }
            }
        }
    }
    compiled
}

#[test]
fn no_relocation_is_left() {
    let mut compiler = Compiler::new(layout()).expect("a compiler for this machine");
    assert!(compile_all(&mut compiler) > 100);
    assert!(compiler.trampoline().is_some());
}

#[cfg(feature = "jit-aarch64")]
#[test]
fn no_relocation_is_left_for_aarch64() {
    let builder = cranelift_codegen::isa::lookup_by_name("aarch64-unknown-linux-gnu");
    let isa = builder
        .expect("the backend is compiled in")
        .finish(flags(true).expect("known flags"))
        .expect("a target");
    let mut compiler = Compiler::with_isa(layout(), isa);
    assert!(compile_all(&mut compiler) > 100);
}
