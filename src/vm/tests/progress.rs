//! Do runs pause where they should, and go on as if nothing had been?

use super::*;
use crate::engine::Engine;
use crate::vm::{Breakpoint, Progress, Stops, Verdict};
use Op::*;

/// `f(n)`: n < 2 ? n : f(n - 1) + f(n - 2), called with `n`.
fn fib(n: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.add_name("f");
    b.add_sub_entry(0, 3);
    b.set_source("fib");
    let ops = [
        LoadInt(n),
        Call(0, 1),
        Jump(18),
        SetSlot(0),
        GetSlot(0),
        LoadInt(2),
        NumLt,
        JumpIfFalse(10),
        GetSlot(0),
        ReturnValue,
        GetSlot(0),
        Dec,
        Call(0, 1),
        GetSlot(0),
        Dec,
        Dec,
        Call(0, 1),
        Jump(19),
        Jump(21),
        Add,
        ReturnValue,
    ];
    emit_all(&mut b, &ops);
    b.build()
}

/// Runs in grants of so much fuel: the result, and how often it paused.
fn in_grants(vm: &mut VM, fuel: u64) -> (Option<Value>, u32) {
    for pauses in 0.. {
        match vm.advance(fuel).expect("no trap") {
            Progress::Ended(value) => return (value, pauses),
            Progress::Paused => {}
        }
    }
    unreachable!("it ends")
}

#[test]
fn a_run_in_grants_is_the_same_run() {
    for fuel in [1, 2, 7, 100, 1000] {
        let (value, pauses) = in_grants(&mut quiet(fib(12)), fuel);
        assert_eq!(value, Some(Value::Int(144)));
        // One unit for each of the calls; a grant that is used up to the last unit pauses.
        assert_eq!(u64::from(pauses), 465 / fuel, "grants of {fuel}");
    }
}

#[test]
fn blocks_and_bulk_work_overdraw_and_are_paid() {
    let mut b = ChunkBuilder::new();
    for op in [
        LoadInt(1),
        LoadInt(1000),
        Range,
        MapBlock(0),
        SetSlot(0),
        PreIncSlotVoid(1),
        SlotIncLtIntJumpBack(2, 500, 5),
        GetSlot(1),
        Jump(11),
        LoadInt(2),
        Mul,
    ] {
        b.emit(op, 1);
    }
    b.add_block_range(9, 11);
    let chunk = b.build();
    let used = fuel_of(&chunk);
    let (value, pauses) = in_grants(&mut quiet(chunk), 10);
    assert_eq!(value, Some(Value::Int(500)));
    assert!(
        u64::from(pauses).abs_diff(used / 10) <= 1,
        "{pauses} pauses, {used} units"
    );
}

#[test]
fn a_paused_run_goes_on_to_its_end() {
    let mut vm = quiet(fib(12));
    assert_eq!(vm.advance(50), Ok(Progress::Paused));
    assert!(!vm.callers().is_empty());
    assert_eq!(vm.call_sub("f", [Value::Int(10)]), Ok(Some(Value::Int(55))));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(144))));
}

#[test]
fn a_run_over_chunks_pauses_too() {
    let engine = Engine::new();
    engine.define("", "f", fib(0));
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    b.emit(LoadInt(12), 1);
    b.emit(Call(f, 1), 1);
    let mut vm = engine.vm(&engine.unit("main", b.build()));
    assert_eq!(in_grants(&mut vm, 10).0, Some(Value::Int(144)));
    vm.reset();
    assert_eq!(vm.advance(10), Ok(Progress::Paused));
    vm.reset();
    assert_eq!(vm.execute(), Ok(Some(Value::Int(144))));
}

#[test]
fn a_hook_sees_each_op_and_may_pause() {
    let mut vm = quiet(chunk_of(&[LoadInt(1), LoadInt(2), Add]));
    let mut seen = Vec::new();
    for _ in 0..3 {
        let paused = vm.step_through(&Stops::EveryOp, |vm| {
            seen.push(vm.ip);
            Verdict::Pause
        });
        assert_eq!(paused, Ok(Progress::Paused));
    }
    let ended = vm.step_through(&Stops::EveryOp, |_| Verdict::Pause);
    assert_eq!(ended, Ok(Progress::Ended(Some(Value::Int(3)))));
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn a_breakpoint_stops_at_its_line_in_each_call() {
    let line = 5;
    let stops = Stops::At(vec![Breakpoint {
        source: "fib".into(),
        line,
    }]);
    let mut vm = quiet(fib(5));
    let mut depths = Vec::new();
    let ended = vm.step_through(&stops, |vm| {
        assert_eq!(vm.site().line, Some(line));
        depths.push(vm.callers().len());
        Verdict::GoOn
    });
    assert_eq!(ended, Ok(Progress::Ended(Some(Value::Int(5)))));
    assert_eq!(depths.len(), 15);
    assert_eq!(depths.iter().max(), Some(&5));
}
