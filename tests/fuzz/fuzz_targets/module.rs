//! Bytes as a module, as they are and resealed: `cargo fuzz run --fuzz-dir tests/fuzz module`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusevm_kit::smoke::module(bytes));
