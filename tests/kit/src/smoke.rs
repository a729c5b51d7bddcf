//! What has to hold for any bytes, text or seed: the bodies of the fuzz targets and of their smoke runs.
//!
//! Each function panics where the library is wrong, and returns for whatever it is given.

use crate::{mutate, program};
use fastrand::Rng;
use fusevm::{
    Chunk, VM, asm,
    format::{CheckOptions, LoadError, Module, ModuleWriter, reseal},
    host::RecordingHost,
    vm::{Limits, Trap},
};
use std::io::Cursor;

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

/// Takes bytes for a module, as they are and resealed: what is accepted loads and runs, and its text
/// gives it again.
///
/// # Panics
/// If a module that was checked doesn't load, or its text gives another one.
pub fn module(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    for _ in 0..2 {
        if let Some(module) = accept(&bytes) {
            run_all(&module).expect("a checked module loads");
            if let Err(error) = prints_itself(&module) {
                panic!("{error}");
            }
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

/// Assembles a text; what is accepted is written, read and run, each chunk within limits.
///
/// # Panics
/// If a module that was written doesn't load.
pub fn assembly(text: &[u8]) {
    let Ok(assembly) = asm::assemble(text, "text") else {
        return;
    };
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes everything");
    // What can't be written, as two chunks of one name, is refused with an error of its own.
    if assembly.write(&mut writer).is_err() {
        return;
    }
    let bytes = writer
        .finish()
        .expect("memory takes everything")
        .into_inner();
    let module = accept(&bytes).expect("what was written checks");
    run_all(&module).expect("what was written loads");
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

/// That the text of each chunk assembles to the chunk's record, byte for byte.
///
/// # Errors
/// What differs, or can't be read again. A chunk whose text would be too long is left out.
pub fn prints_itself(module: &Module) -> Result<(), String> {
    for record in module.records().map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        let loaded = record.clone().load().map_err(|error| error.to_string())?;
        let style = asm::Style::default();
        let Ok(text) = asm::print_chunk(&record.entry(), &loaded.to_chunk(), &style) else {
            continue;
        };
        let again = assembled(&text).ok_or_else(|| format!("can't be assembled:\n{text}"))?;
        let again = again.find(record.space(), record.name());
        let again = again.map_err(|error| error.to_string())?;
        if again.is_none_or(|again| again.record().bytes() != record.bytes()) {
            return Err(format!("the text gives another record:\n{text}"));
        }
    }
    Ok(())
}

/// The module of a text.
fn assembled(text: &str) -> Option<Module> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).ok()?;
    let assembly = asm::assemble(text, "text").ok()?;
    assembly.write(&mut writer).ok()?;
    Module::from_bytes(writer.finish().ok()?.into_inner()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fuzz targets do, on the stable toolchain and for a fixed seed.
    #[test]
    fn fuzz_targets_hold_for_a_while() {
        let mut rng = Rng::with_seed(7);
        for seed in 0..300 {
            program(seed);
            let bytes: Vec<u8> = (0..rng.usize(0..400)).map(|_| rng.u8(..)).collect();
            module(&bytes);
            assembly(&bytes);
        }
    }
}
