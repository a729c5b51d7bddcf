//! Every case of every op's vector as native code: what comes out is what the reference interpreter gives,
//! in a world with nothing in it.
#![cfg(feature = "jit")]

use fusevm::op::INFO;
use fusevm_kit::outcome::{World, vector_limits};
use fusevm_kit::tiers::{Setup, compare_in};
use fusevm_kit::vectors;

/// Of how many cases one is run: without optimization the compiler is too slow for all.
const STEP: usize = if cfg!(debug_assertions) { 5 } else { 1 };

#[test]
fn vectors_are_the_same_natively() {
    let setup = Setup {
        limits: vector_limits(),
        world: World::Bare,
        prepare: |_| (),
        in_parts: false,
    };
    let eager = ["JIT eager".to_owned()];
    // At least one of each op, another one than its first where there are several.
    for (number, info) in INFO.iter().enumerate() {
        let cases = vectors::cases(info);
        let first = number % STEP.min(cases.len().max(1));
        for case in cases.iter().skip(first).step_by(STEP) {
            if let Err(difference) = compare_in(&case.chunk, &setup, &eager) {
                panic!("{}: {difference}", case.name);
            }
        }
    }
}
