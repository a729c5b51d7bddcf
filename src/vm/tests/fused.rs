//! Fused ops, against what they stand for.

use super::*;
use Op::*;

#[test]
fn a_sum_is_that_of_the_loop() {
    let sum = |from: i64, limit: i32| {
        let ops = [
            LoadInt(from),
            SetSlot(1),
            AccumSumLoop(0, 1, limit),
            GetSlot(0),
            GetSlot(1),
            MakeArray(2),
        ];
        result_of(&ops).to_str()
    };
    assert_eq!(sum(0, 10), "45 10");
    assert_eq!(sum(-3, 3), "-3 3");
    assert_eq!(sum(5, 5), "0 5");
    assert_eq!(sum(9, 5), "0 9");
    // The sum of the integers from a up to, not including, b.
    let series = |a: i128, b: i128| (a + b - 1) * (b - a) / 2;
    let expected = series(-1_000_000, i32::MAX.into());
    assert_eq!(
        sum(-1_000_000, i32::MAX),
        format!("{expected} {}", i32::MAX)
    );
    let wrapped = series(i64::MIN.into(), 0) as i64;
    assert_eq!(sum(i64::MIN, 0), format!("{wrapped} 0"));
}

#[test]
fn slots_change_their_kind_even_with_no_iteration() {
    let kinds = |op: Op| {
        let ops = [
            LoadFloat(1.5),
            SetSlot(0),
            LoadFloat(8.5),
            SetSlot(1),
            op,
            GetSlot(0),
        ];
        let mut vm = quiet(chunk_of(&ops));
        let first = vm.execute().expect("no trap").expect("a value");
        (first, vm.frames[0].slots[1].clone())
    };
    assert_eq!(kinds(AccumSumLoop(0, 1, 5)), (Value::Int(1), Value::Int(8)));
    assert_eq!(
        kinds(ConcatConstLoop(0, 0, 1, 5)),
        (Value::str("1.5"), Value::Int(8))
    );
    let pushed = kinds(PushIntRangeLoop(0, 1, 5));
    assert_eq!(pushed, (Value::Float(1.5), Value::Int(8)));
}

#[test]
fn appending_and_pushing_loops_do_each_iteration() {
    let mut b = ChunkBuilder::new();
    let piece = b.add_constant(Value::str("ab"));
    emit_all(&mut b, &[ConcatConstLoop(piece, 0, 1, 3000), GetSlot(0)]);
    let text = quiet(b.build())
        .execute()
        .expect("no trap")
        .expect("a value");
    assert_eq!(text.to_str(), "ab".repeat(3000));

    let ops = [
        LoadInt(-2),
        SetSlot(0),
        PushIntRangeLoop(0, 0, 2),
        GetArray(0),
    ];
    assert_eq!(result_of(&ops).to_str(), "-2 -1 0 1");
    let more = [
        LoadInt(7),
        SetVar(0),
        PushIntRangeLoop(0, 0, 2),
        GetArray(0),
    ];
    assert_eq!(result_of(&more).to_str(), "0 1");
}

#[test]
fn the_loop_branches_count_and_compare() {
    let ops = [PreIncSlotVoid(0), SlotIncLtIntJumpBack(0, 9, 0), GetSlot(0)];
    assert_eq!(result_of(&ops), Value::Int(10));
    let ops = [
        SlotLtIntJumpIfFalse(0, 1, 3),
        LoadInt(5),
        Jump(4),
        LoadInt(6),
    ];
    assert_eq!(result_of(&ops), Value::Int(5));
    let ops = [
        SlotLtIntJumpIfFalse(0, 0, 3),
        LoadInt(5),
        Jump(4),
        LoadInt(6),
    ];
    assert_eq!(result_of(&ops), Value::Int(6));
    let ops = [
        LoadFloat(2.9),
        SetSlot(1),
        AddAssignSlotVoid(0, 1),
        PreIncSlot(0),
    ];
    assert_eq!(result_of(&ops), Value::Int(3));
}

#[test]
fn each_iteration_costs_a_unit() {
    for limit in [0, 1, 255, 256, 257, 5000] {
        let units = limit as u64;
        assert_eq!(fuel_of(&chunk_of(&[AccumSumLoop(0, 1, limit)])), units);
        assert_eq!(fuel_of(&chunk_of(&[PushIntRangeLoop(0, 1, limit)])), units);
        assert_eq!(
            fuel_of(&chunk_of(&[ConcatConstLoop(0, 0, 1, limit)])),
            units
        );
    }
    let mut b = ChunkBuilder::new();
    let piece = b.add_constant(Value::str("x".repeat(130)));
    b.emit(ConcatConstLoop(piece, 0, 1, 10), 1);
    assert_eq!(fuel_of(&b.build()), 10 * (1 + 2));
}

#[test]
fn out_of_fuel_they_stop_after_the_iterations_that_were_paid_for() {
    for fuel in [0, 1, 7, 256, 300, 999] {
        let chunk = chunk_of(&[AccumSumLoop(0, 1, 1000)]);
        let mut vm = quiet(chunk);
        vm.set_limits(Limits {
            fuel: Some(fuel),
            ..Limits::default()
        });
        assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
        let n = fuel as i64;
        assert_eq!(
            vm.frames[0].slots,
            [Value::Int((0..n).sum()), Value::Int(n)]
        );

        let mut vm = quiet(chunk_of(&[PushIntRangeLoop(0, 1, 1000)]));
        vm.set_limits(Limits {
            fuel: Some(fuel),
            ..Limits::default()
        });
        assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
        assert_eq!(vm.globals[0].len(), fuel as usize);
    }
}

#[test]
fn an_appending_loop_stops_at_the_largest_value() {
    let mut b = ChunkBuilder::new();
    let piece = b.add_constant(Value::str("abc"));
    b.emit(ConcatConstLoop(piece, 0, 1, 1000), 1);
    let mut vm = quiet(b.build());
    vm.set_limits(Limits {
        max_value: 100,
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::ValueTooLarge);
    assert_eq!(vm.frames[0].slots[1], Value::Int(33));
    assert_eq!(vm.frames[0].slots[0].len(), 99);
}

#[test]
fn what_an_appending_loop_cannot_read_it_leaves_alone() {
    let mut b = ChunkBuilder::new();
    let long = Value::array(vec![Value::str("x".repeat(90)); 2]);
    let piece = b.add_constant(long);
    emit_all(
        &mut b,
        &[LoadConst(piece), SetSlot(0), LoadInt(5), SetSlot(1)],
    );
    emit_all(&mut b, &[ConcatConstLoop(piece, 0, 1, 9)]);
    let mut vm = quiet(b.build());
    vm.set_limits(Limits {
        max_value: 100,
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::ValueTooLarge);
    assert_eq!(vm.frames[0].slots[0].len(), 2);
    assert_eq!(vm.frames[0].slots[1], Value::Int(5));
}
