//! Limits that are hit while native code runs: the trap, its op, its line and what is left of the fuel are
//! those of the reference interpreter. And how soon an interrupt is heeded.
#![cfg(feature = "jit")]

use fusevm::Op::*;
use fusevm::code::Code;
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::{EngineChoice, Limits};
use fusevm::{Chunk, ChunkBuilder, Op, VM, Value};
use fusevm_kit::outcome::{World, program_limits};
use fusevm_kit::tiers::{Setup, compare};
use std::time::{Duration, Instant};

/// Fuel that ends loops which nothing else ends.
const FUEL: u64 = 100_000;

fn emit(b: &mut ChunkBuilder, ops: &[Op]) {
    for op in ops {
        let line = b.current_pos() as u32 + 1;
        b.emit(op.clone(), line);
    }
}

fn of_ops(names: &[&str], constants: &[Value], ops: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for name in names {
        b.add_name(name);
    }
    for constant in constants {
        b.add_constant(constant.clone());
    }
    emit(&mut b, ops);
    b.build()
}

/// A sub that calls itself without end, adding behind the call.
fn endless_recursion() -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    emit(&mut b, &[LoadInt(1), Call(f, 1), Jump(8)]);
    b.add_sub_entry(f, 3);
    emit(
        &mut b,
        &[LoadInt(1), Add, Call(f, 1), LoadInt(1), ReturnValue],
    );
    b.build()
}

/// Runs the chunk in all tiers with these limits and holds its end to the trap.
#[track_caller]
fn traps(chunk: &Chunk, limits: Limits, code: Code) {
    let setup = Setup {
        limits: Limits {
            fuel: limits.fuel.or(Some(FUEL)),
            ..limits
        },
        world: World::Bare,
        prepare: |_| (),
        in_parts: false,
    };
    let outcome = compare(chunk, &setup).unwrap_or_else(|difference| panic!("{difference}"));
    assert_eq!(outcome.end.expect_err("a trap").code(), code);
}

#[test]
fn fuel_ends_loops_and_recursion() {
    let spin = of_ops(&[], &[], &[PreIncSlotVoid(0), Jump(0)]);
    for fuel in [0, 1, 2, 255, 256, 257, 5_000, 20_000] {
        let limits = Limits {
            fuel: Some(fuel),
            max_depth: 1 << 20,
            ..program_limits()
        };
        traps(&spin, limits, Code::OutOfFuel);
        traps(&endless_recursion(), limits, Code::OutOfFuel);
    }
}

#[test]
fn depth_ends_recursion() {
    for max_depth in [0, 1, 2, 3, 50, 1000] {
        let limits = Limits {
            max_depth,
            ..program_limits()
        };
        traps(&endless_recursion(), limits, Code::TooDeep);
    }
}

#[test]
fn size_ends_what_grows() {
    let text = of_ops(
        &["s"],
        &[Value::str("words and more")],
        &[GetVar(0), LoadConst(0), Concat, SetVar(0), Jump(0)],
    );
    let list = of_ops(
        &["list"],
        &[],
        &[DeclareArray(0), PreIncSlot(0), ArrayPush(0), Jump(1)],
    );
    let store = of_ops(
        &["list"],
        &[],
        &[
            DeclareArray(0),
            LoadInt(1),
            PreIncSlot(0),
            ArraySet(0),
            Jump(1),
        ],
    );
    for chunk in [text, list, store] {
        for max_value in [64, 1000, 4096] {
            let limits = Limits {
                max_value,
                ..program_limits()
            };
            traps(&chunk, limits, Code::ValueTooLarge);
        }
    }
}

#[test]
fn output_ends_at_its_limit() {
    let chunk = of_ops(&[], &[], &[PreIncSlot(0), PrintLn(1), Jump(0)]);
    for most in [0, 1, 10, 1000] {
        let limits = Limits {
            max_output: Some(most),
            ..program_limits()
        };
        traps(&chunk, limits, Code::OutputLimit);
    }
}

fn eager(chunk: Chunk) -> VM {
    let mut vm = VM::new(chunk);
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        ..JitOptions::default()
    });
    vm
}

/// Loops that are native for as long as they run: of numbers, of calls, over an array.
fn native_loops() -> Vec<Chunk> {
    let count = of_ops(&[], &[], &[PreIncSlotVoid(0), Jump(0)]);
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    emit(&mut b, &[LoadInt(1), Call(f, 1), Pop, Jump(0)]);
    b.add_sub_entry(f, 4);
    emit(&mut b, &[LoadInt(1), Add, ReturnValue]);
    let calls = b.build();
    let list = of_ops(
        &["list"],
        &[],
        &[
            LoadInt(7),
            MakeArray(1),
            SetArray(0),
            LoadInt(0),
            ArrayGet(0),
            SetSlot(0),
            Jump(3),
        ],
    );
    vec![count, calls, list]
}

#[test]
fn deadlines_end_native_loops() {
    for chunk in native_loops() {
        let mut vm = eager(chunk);
        vm.set_limits(Limits {
            deadline: Some(Duration::from_millis(20)),
            ..Limits::default()
        });
        let trap = vm.execute().expect_err("a deadline");
        assert_eq!(trap.code(), Code::Deadline);
        assert!(vm.jit_stats().entries > 0);
    }
}

/// Of many interrupts the soonest heeded one tells: on a busy machine any of them may have to wait for a
/// processor.
#[test]
fn interrupts_end_native_loops_within_a_millisecond() {
    for (number, chunk) in native_loops().into_iter().enumerate() {
        let soonest = (0..40).map(|_| {
            let mut vm = eager(chunk.clone());
            let handle = vm.interrupt_handle();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                let asked = Instant::now();
                handle.interrupt();
                asked
            });
            let trap = vm.execute().expect_err("an interrupt");
            let ended = Instant::now();
            assert_eq!(trap.code(), Code::Interrupted);
            ended.duration_since(thread.join().expect("no panic"))
        });
        let soonest = soonest.min().expect("some");
        assert!(
            soonest < Duration::from_millis(1),
            "loop {number}: {soonest:?}"
        );
    }
}
