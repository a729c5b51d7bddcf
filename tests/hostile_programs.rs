//! Does every program that means harm end in a named trap, well before the machine suffers?
//!
//! Under the default limits, or under one limit that an embedder of unknown programs sets.

use fusevm::code::Code;
use fusevm::host::NullHost;
use fusevm::vm::Limits;
use fusevm::{ChunkBuilder, Op, VM, Value};
use std::time::{Duration, Instant};

use Op::*;

/// A VM on these ops, with the names `f`, `a` and `b`; `f` begins at op `f`.
fn vm_of(ops: &[Op], f: usize) -> VM {
    let mut b = ChunkBuilder::new();
    for name in ["f", "a", "b"] {
        b.add_name(name);
    }
    b.add_sub_entry(0, f);
    b.add_constant(Value::str("0123456789abcdef"));
    for op in ops {
        b.emit(op.clone(), 1);
    }
    let mut vm = VM::new(b.build());
    vm.set_host(Box::new(NullHost));
    vm
}

fn end_of(mut vm: VM, limits: Limits) -> Result<Option<Value>, Code> {
    vm.set_limits(limits);
    vm.execute().map_err(|trap| trap.code())
}

fn code_of(ops: &[Op]) -> Code {
    end_of(vm_of(ops, 0), Limits::default()).expect_err("a trap")
}

fn with_fuel(fuel: u64) -> Limits {
    Limits {
        fuel: Some(fuel),
        ..Limits::default()
    }
}

#[test]
fn endless_loops_use_up_their_fuel() {
    let loops: [&[Op]; 6] = [
        &[Jump(0)],
        &[LoadTrue, JumpIfTrueKeep(0)],
        &[SlotLtIntJumpIfFalse(0, 0, 0)],
        &[LoadInt(i64::MIN), SetSlot(1), AccumSumLoop(0, 1, i32::MAX)],
        &[LoadInt(0), SetSlot(0), SlotIncLtIntJumpBack(0, 2, 0)],
        &[PushFrame, Jump(0)],
    ];
    for ops in loops {
        assert_eq!(
            end_of(vm_of(ops, 0), with_fuel(100_000)),
            Err(Code::OutOfFuel),
            "{ops:?}"
        );
    }
}

#[test]
fn endless_recursion_is_too_deep() {
    assert_eq!(code_of(&[Call(0, 0)]), Code::TooDeep);
    // With slots and arguments, and out of a block.
    assert_eq!(
        code_of(&[LoadInt(1), Dup, SetSlot(3), Call(0, 1)]),
        Code::TooDeep
    );
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    b.add_sub_entry(f, 0);
    b.add_block_range(3, 4);
    for op in [LoadInt(1), MakeArray(1), ForEachBlock(0), Call(0, 1)] {
        b.emit(op, 1);
    }
    assert_eq!(
        VM::new(b.build()).execute().unwrap_err().code(),
        Code::TooDeep
    );
}

#[test]
fn slots_of_many_frames_are_memory() {
    let limits = Limits {
        max_memory: 1 << 26,
        ..Limits::default()
    };
    let ops = [LoadInt(1), SetSlot(u16::MAX), Call(0, 0)];
    assert_eq!(end_of(vm_of(&ops, 0), limits), Err(Code::OutOfMemory));
}

#[test]
fn huge_values_are_refused_before_they_are_made() {
    let huge = LoadInt(1 << 62);
    let refused: [&[Op]; 6] = [
        &[LoadConst(0), huge.clone(), StringRepeat],
        &[LoadInt(i64::MIN), LoadInt(i64::MAX), Range],
        &[LoadInt(i64::MAX), LoadInt(i64::MIN), LoadInt(-1), RangeStep],
        &[DeclareArray(1), LoadInt(1), huge.clone(), ArraySet(1)],
        &[
            MakeArray(0),
            SetSlot(0),
            LoadInt(1),
            huge.clone(),
            SlotArraySet(0),
        ],
        &[LoadInt(1), LoadInt(1 << 60), Range, SortDefault],
    ];
    for ops in refused {
        let begun = Instant::now();
        assert_eq!(code_of(ops), Code::ValueTooLarge, "{ops:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_value_that_grows_is_stopped_at_its_limit() {
    let limits = Limits {
        max_value: 1 << 20,
        ..Limits::default()
    };
    let growing: [&[Op]; 4] = [
        &[LoadConst(0), Dup, Concat, Jump(1)],
        &[DeclareArray(1), LoadInt(1), ArrayPush(1), Jump(1)],
        &[ConcatConstLoop(0, 0, 1, i32::MAX)],
        &[PushIntRangeLoop(1, 0, i32::MAX)],
    ];
    for ops in growing {
        let ended = end_of(vm_of(ops, 0), limits);
        assert_eq!(ended, Err(Code::ValueTooLarge), "{ops:?}");
    }
}

#[test]
fn a_store_at_a_negative_index_is_named() {
    assert_eq!(
        code_of(&[DeclareArray(1), LoadInt(1), LoadInt(-1), ArraySet(1)]),
        Code::NegativeIndex
    );
    let slot = [
        MakeArray(0),
        SetSlot(0),
        LoadInt(1),
        LoadInt(-1),
        SlotArraySet(0),
    ];
    assert_eq!(code_of(&slot), Code::NegativeIndex);
    assert_eq!(
        end_of(
            vm_of(&[LoadInt(1), LoadInt(-1), ArraySet(1)], 0),
            Limits::default()
        ),
        Ok(None)
    );
}

/// `a = [x]`, then so many rounds of `a = [a, a]`, then `tail` with `a` on the stack.
fn doubled(rounds: i64, tail: &[Op]) -> VM {
    let mut ops = vec![LoadInt(0), SetSlot(0), LoadConst(0), MakeArray(1)];
    ops.extend([Dup, MakeArray(2), SlotIncLtIntJumpBack(0, rounds as i32, 4)]);
    ops.extend_from_slice(tail);
    vm_of(&ops, 0)
}

#[test]
fn shared_nests_are_never_walked_path_by_path() {
    let limits = Limits {
        max_value: 1 << 20,
        ..Limits::default()
    };
    for tail in [
        &[PrintLn(1)][..],
        &[Dup, StrEq],
        &[LoadInt(1), Concat],
        &[DeclareHash(1), LoadInt(1), Swap, HashSet(1)],
        &[DeclareHash(1), HashGet(1)],
        &[Glob],
        &[WordSplit],
        &[LoadInt(2), StringRepeat],
        &[MakeArray(1), SortDefault],
    ] {
        assert_eq!(
            end_of(doubled(60, tail), limits),
            Err(Code::ValueTooLarge),
            "{tail:?}"
        );
    }
    // The words of a command: elements, not bytes, are what explodes.
    assert_eq!(
        end_of(doubled(60, &[Exec(1)]), limits),
        Err(Code::ValueTooLarge)
    );
    // What needs no walk works, and so does dropping it.
    let counted = end_of(doubled(60, &[Dup, NumEq]), limits);
    assert_eq!(counted, Ok(Some(Value::Bool(true))));
    let lengths = end_of(doubled(60, &[StringLen]), limits);
    assert_eq!(lengths, Ok(Some(Value::Int(2))));
    let kept = end_of(doubled(60, &[]), limits).expect("no trap");
    assert_eq!(kept, kept.clone());
    assert!(!format!("{kept:?}").is_empty());
}

#[test]
fn a_nest_of_a_million_levels_is_a_value_like_any_other() {
    let nest = |tail: &[Op]| {
        let mut ops = vec![
            LoadInt(7),
            MakeArray(1),
            SlotIncLtIntJumpBack(0, 1_000_000, 1),
        ];
        ops.extend_from_slice(tail);
        end_of(vm_of(&ops, 0), Limits::default())
    };
    assert_eq!(nest(&[PrintLn(1)]), Ok(None));
    assert_eq!(nest(&[LoadInt(7), StrEq]), Ok(Some(Value::Bool(true))));
    assert_eq!(nest(&[]), nest(&[]));
}

#[test]
fn bulk_work_is_paid_for() {
    // Each round is one backward jump, but handles a megabyte.
    let ops = [
        LoadConst(0),
        LoadInt(1 << 16),
        StringRepeat,
        SetSlot(0),
        GetSlot(0),
        GetSlot(0),
        StrEq,
        Pop,
        Jump(4),
    ];
    let begun = Instant::now();
    assert_eq!(
        end_of(vm_of(&ops, 0), with_fuel(1_000_000)),
        Err(Code::OutOfFuel)
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn memory_that_grows_step_by_step_is_bounded() {
    let limits = Limits {
        max_memory: 1 << 24,
        ..Limits::default()
    };
    let growing: [&[Op]; 6] = [
        &[LoadInt(1), Jump(0)],
        &[LoadConst(0), LoadInt(8), StringRepeat, Jump(0)],
        &[
            DeclareArray(1),
            LoadConst(0),
            LoadInt(1),
            Concat,
            ArrayPush(1),
            Jump(1),
        ],
        &[
            DeclareHash(1),
            LoadInt(1),
            PreIncSlot(0),
            HashSet(1),
            Jump(1),
        ],
        &[LoadInt(1), MakeArray(1), MakeArray(1), Jump(0)],
        &[PushFrame, LoadInt(1), SetSlot(900), Jump(0)],
    ];
    for ops in growing {
        assert_eq!(
            end_of(vm_of(ops, 0), limits),
            Err(Code::OutOfMemory),
            "{ops:?}"
        );
    }
}

#[test]
fn a_sort_whose_block_answers_at_random_ends() {
    let mut b = ChunkBuilder::new();
    b.add_block_range(5, 11);
    for op in [LoadInt(1), LoadInt(500), Range, SortBlock(0), Jump(11)] {
        b.emit(op, 1);
    }
    for op in [Mul, PreIncSlot(0), Mul, LoadInt(17), Mod, LoadInt(8)] {
        b.emit(op, 1);
    }
    b.emit(Nop, 1);
    let mut vm = VM::new(b.build());
    vm.set_limits(with_fuel(10_000));
    let sorted = vm.execute().expect("no trap").expect("an array");
    assert_eq!(sorted.len(), 500);
}

#[test]
fn output_without_end_is_cut() {
    let limits = Limits {
        max_output: Some(1 << 16),
        ..Limits::default()
    };
    assert_eq!(
        end_of(vm_of(&[LoadConst(0), PrintLn(1), Jump(0)], 0), limits),
        Err(Code::OutputLimit)
    );
}

#[test]
fn a_deadline_ends_what_nothing_else_ends() {
    let limits = Limits {
        deadline: Some(Duration::from_millis(20)),
        ..Limits::default()
    };
    let begun = Instant::now();
    assert_eq!(end_of(vm_of(&[Jump(0)], 0), limits), Err(Code::Deadline));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
