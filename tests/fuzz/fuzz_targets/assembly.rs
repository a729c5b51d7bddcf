//! Bytes as assembly text: `cargo fuzz run --fuzz-dir tests/fuzz assembly`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| fusevm_kit::smoke::assembly(text));
