//! What has to hold for any bytes, text or seed: the bodies of the fuzz targets and of their smoke runs.
//!
//! Each function panics where the library is wrong, and returns for whatever it is given.

use crate::{mutate, program};
use fastrand::Rng;
use fusevm::{
    Chunk, VM,
    format::{CheckOptions, LoadError, Module, reseal},
    host::RecordingHost,
    vm::{Limits, Trap},
};

/// Limits under which any program ends within milliseconds.
pub fn tight_limits() -> Limits {
    Limits {
        fuel: Some(20_000),
        max_depth: 200,
        max_value: 1 << 16,
        max_memory: 1 << 26,
        max_output: Some(1 << 16),
        deadline: None,
    }
}

/// Takes bytes for a module, as they are and resealed: what is accepted loads and runs.
///
/// # Panics
/// If a module that was checked doesn't load.
pub fn module(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    for _ in 0..2 {
        if let Some(module) = accept(&bytes) {
            run_all(&module).expect("a checked module loads");
        }
        reseal(&mut bytes);
    }
}

/// Runs the program of a seed, and the module that holds it after some damage.
///
/// # Panics
/// If a program of the generator is no strict one.
pub fn program(seed: u64) {
    let chunk = program::program(seed);
    fusevm::verify::verify_chunk(&chunk).expect("generated programs are strict");
    let mut bytes = crate::module_of([("a", &chunk)]);
    let _ = run_within(chunk, tight_limits());
    mutate::mutate(&mut bytes, &mut Rng::with_seed(seed));
    module(&bytes);
}

/// The module, if the reader takes the bytes and a whole check finds nothing wrong. Chunks are asked
/// for before, whatever the check will say.
pub fn accept(bytes: &[u8]) -> Option<Module> {
    let module = Module::from_bytes(bytes).ok()?;
    for name in ["a", "nop", "add_0"] {
        drop(module.chunk(name));
    }
    module
        .check(&CheckOptions::new().all(true))
        .is_ok()
        .then_some(module)
}

/// Runs each chunk of a module within [`tight_limits`] and gives the number of runs and of traps.
///
/// # Errors
/// A chunk that doesn't load.
pub fn run_all(module: &Module) -> Result<(u64, u64), LoadError> {
    let (mut runs, mut traps) = (0, 0);
    for record in module.records()? {
        let record = record?;
        if let Some(chunk) = module.find(record.space(), record.name())? {
            runs += 1;
            traps += u64::from(run_within(chunk.into_chunk(), tight_limits()).is_err());
        }
    }
    Ok((runs, traps))
}

fn run_within(chunk: Chunk, limits: Limits) -> Result<(), Trap> {
    let mut vm = VM::new(chunk);
    vm.set_limits(limits);
    vm.set_host(Box::new(RecordingHost::new().with_limit(1 << 16)));
    vm.execute().map(drop)
}
