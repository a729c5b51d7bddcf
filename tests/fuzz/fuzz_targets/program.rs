//! A seed as a program: `cargo fuzz run --fuzz-dir tests/fuzz program`.
#![no_main]

libfuzzer_sys::fuzz_target!(|seed: u64| fusevm_kit::smoke::program(seed));
