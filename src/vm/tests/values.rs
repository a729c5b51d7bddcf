//! Constants, variables, collections and what ops do to values.

use super::*;
use Op::*;

#[test]
fn floats_stay_floats() {
    assert!(matches!(result_of(&[LoadFloat(2.0)]), Value::Float(2.0)));
    let Value::Float(zero) = result_of(&[LoadFloat(-0.0)]) else {
        panic!("a float")
    };
    assert!(zero.is_sign_negative());
}

#[test]
fn the_stack_ops_move_as_pictured() {
    let stack_after = |op: Op| {
        let mut vm = quiet(chunk_of(&[LoadInt(1), LoadInt(2), LoadInt(3), op]));
        let top = vm.execute().expect("no trap").expect("a value");
        let rest = vm.stack.iter().chain([&top]);
        rest.map(Value::to_int).collect::<Vec<_>>()
    };
    assert_eq!(stack_after(Nop), [1, 2, 3]);
    assert_eq!(stack_after(Pop), [1, 2]);
    assert_eq!(stack_after(Dup), [1, 2, 3, 3]);
    assert_eq!(stack_after(Dup2), [1, 2, 3, 2, 3]);
    assert_eq!(stack_after(Swap), [1, 3, 2]);
    assert_eq!(stack_after(Rot), [2, 3, 1]);
}

#[test]
fn arithmetic_keeps_the_kind_that_it_should() {
    let both = |a: Op, b: Op, op: Op| result_of(&[a, b, op]);
    assert_eq!(
        both(LoadInt(i64::MAX), LoadInt(1), Add),
        Value::Int(i64::MIN)
    );
    assert_eq!(both(LoadInt(1), LoadFloat(1.0), Add), Value::Float(2.0));
    assert_eq!(both(LoadInt(7), LoadInt(2), Div), Value::Float(3.5));
    assert_eq!(both(LoadInt(7), LoadInt(0), Div), Value::Undef);
    assert_eq!(both(LoadInt(-7), LoadInt(2), Mod), Value::Int(-1));
    assert_eq!(both(LoadInt(i64::MIN), LoadInt(-1), Mod), Value::Int(0));
    assert_eq!(both(LoadInt(2), LoadInt(10), Pow), Value::Float(1024.0));
    assert_eq!(both(LoadInt(1), LoadInt(65), Shl), Value::Int(2));
    assert_eq!(both(LoadInt(-8), LoadInt(1), Shr), Value::Int(-4));
    assert_eq!(result_of(&[LoadFloat(1e300), Inc]), Value::Int(i64::MIN));
    assert_eq!(result_of(&[LoadTrue, Negate]), Value::Float(-1.0));
}

#[test]
fn comparisons_give_bools() {
    let both = |a: Op, b: Op, op: Op| result_of(&[a, b, op]);
    assert_eq!(both(LoadInt(1), LoadFloat(1.5), NumLt), Value::Bool(true));
    assert_eq!(
        both(LoadFloat(f64::NAN), LoadInt(1), Spaceship),
        Value::Int(0)
    );
    assert_eq!(both(LoadInt(10), LoadInt(9), StrLt), Value::Bool(true));
    assert_eq!(both(LoadInt(10), LoadInt(9), StrCmp), Value::Int(-1));
    assert_eq!(both(LoadInt(0), LoadInt(5), LogOr), Value::Bool(true));
    assert_eq!(both(LoadInt(0), LoadInt(5), LogAnd), Value::Bool(false));
    assert_eq!(result_of(&[LoadUndef, LogNot]), Value::Bool(true));
}

#[test]
fn slots_belong_to_their_frame() {
    let ops = [
        LoadInt(1),
        SetSlot(3),
        PushFrame,
        GetSlot(3),
        LogNot,
        PopFrame,
        GetSlot(3),
    ];
    assert_eq!(result_of(&ops), Value::Int(1));
}

#[test]
fn elements_of_an_array_in_a_slot_change_in_place() {
    let ops = [
        LoadInt(5),
        MakeArray(1),
        SetSlot(0),
        LoadInt(7),
        LoadInt(2),
        SlotArraySet(0),
        GetSlot(0),
    ];
    let expected = Value::array(vec![Value::Int(5), Value::Undef, Value::Int(7)]);
    assert_eq!(result_of(&ops), expected);
    let mut read = ops[..6].to_vec();
    read.extend([LoadInt(2), SlotArrayGet(0)]);
    assert_eq!(result_of(&read), Value::Int(7));
    // What is no array has no elements, and gets none.
    let ops = [LoadInt(7), LoadInt(2), SlotArraySet(9), GetSlot(9)];
    assert_eq!(result_of(&ops), Value::Undef);
}

/// Runs ops on the globals `a` (0) and `h` (1).
fn with_globals(ops: &[Op]) -> Value {
    let mut b = ChunkBuilder::new();
    b.add_name("a");
    b.add_name("h");
    emit_all(&mut b, ops);
    let mut vm = quiet(b.build());
    vm.execute().expect("no trap").unwrap_or_default()
}

#[test]
fn arrays_grow_shrink_and_answer() {
    let pushed = [
        DeclareArray(0),
        LoadInt(4),
        ArrayPush(0),
        LoadInt(5),
        ArrayPush(0),
    ];
    let and = |ops: &[Op]| with_globals(&[&pushed[..], ops].concat());
    assert_eq!(and(&[ArrayLen(0)]), Value::Int(2));
    assert_eq!(and(&[ArrayShift(0)]), Value::Int(4));
    assert_eq!(and(&[ArrayPop(0)]), Value::Int(5));
    assert_eq!(and(&[LoadInt(-1), ArrayGet(0)]), Value::Undef);
    assert_eq!(
        and(&[LoadInt(9), LoadInt(3), ArraySet(0), ArrayLen(0)]),
        Value::Int(4)
    );
    assert_eq!(and(&[LoadInt(1), ArrayPush(1), GetHash(1)]), Value::Undef);
    assert_eq!(
        with_globals(&[LoadInt(1), SetVar(0), ArrayLen(0)]),
        Value::Int(0)
    );
    assert_eq!(with_globals(&[ArrayPop(0)]), Value::Undef);
}

#[test]
fn hashes_keep_the_order_of_insertion() {
    let filled = [
        LoadInt(1),
        LoadInt(10),
        LoadInt(2),
        LoadInt(20),
        LoadInt(3),
        LoadInt(30),
        MakeHash(6),
        SetHash(1),
    ];
    let and = |ops: &[Op]| with_globals(&[&filled[..], ops].concat());
    assert_eq!(and(&[HashKeys(1)]).to_str(), "1 2 3");
    assert_eq!(and(&[LoadInt(2), HashGet(1)]), Value::Int(20));
    assert_eq!(and(&[LoadInt(4), HashExists(1)]), Value::Bool(false));
    let deleted = [LoadInt(1), HashDelete(1), Pop];
    let values = [&deleted[..], &[HashValues(1)]].concat();
    assert_eq!(and(&values).to_str(), "30 20");
    let set = [LoadInt(9), LoadInt(2), HashSet(1), HashValues(1)];
    assert_eq!(and(&set).to_str(), "10 9 30");
    assert_eq!(with_globals(&[HashKeys(0)]), Value::array(Vec::new()));
    assert_eq!(with_globals(&[DeclareHash(1), GetHash(1)]).len(), 0);
}

#[test]
fn ranges_include_their_end() {
    let range = |from, to| result_of(&[LoadInt(from), LoadInt(to), Range]).to_str();
    assert_eq!(range(1, 4), "1 2 3 4");
    assert_eq!(range(2, 1), "");
    let by = |from, to, step| {
        result_of(&[LoadInt(from), LoadInt(to), LoadInt(step), RangeStep]).to_str()
    };
    assert_eq!(by(1, 8, 3), "1 4 7");
    assert_eq!(by(3, 1, -1), "3 2 1");
    assert_eq!(by(1, 3, 0), "");
}

#[test]
fn strings_join_repeat_and_count_bytes() {
    let ops = [LoadInt(12), LoadFloat(1.5), Concat];
    assert_eq!(result_of(&ops), Value::str("121.5"));
    assert_eq!(
        result_of(&[LoadInt(12), LoadInt(3), StringRepeat]).to_str(),
        "121212"
    );
    assert_eq!(
        result_of(&[LoadInt(12), LoadInt(-3), StringRepeat]).to_str(),
        ""
    );
    assert_eq!(result_of(&[LoadInt(1234), StringLen]), Value::Int(4));
    let ops = [
        LoadInt(3),
        LoadInt(10),
        LoadInt(2),
        MakeArray(3),
        SortDefault,
    ];
    assert_eq!(result_of(&ops).to_str(), "10 2 3");
}

#[test]
fn appending_in_place_leaves_copies_alone() {
    let ops = [
        LoadInt(1),
        Dup,
        SetSlot(0),
        LoadInt(2),
        Concat,
        Pop,
        GetSlot(0),
    ];
    assert_eq!(result_of(&ops), Value::Int(1));
}

#[test]
fn conditions_follow_truth() {
    let taken = |condition: Op, jump: Op| {
        let ops = [condition, jump, LoadInt(1), Jump(5), LoadInt(2), Nop];
        result_of(&ops).to_int() == 2
    };
    assert!(taken(LoadTrue, JumpIfTrue(4)));
    assert!(!taken(LoadFloat(0.0), JumpIfTrue(4)));
    assert!(taken(LoadUndef, JumpIfFalse(4)));
    assert!(taken(LoadFloat(f64::NAN), JumpIfTrueKeep(4)));
    assert!(taken(LoadFalse, JumpIfFalseKeep(4)));
    let kept = [LoadInt(0), JumpIfFalseKeep(2)];
    assert_eq!(result_of(&kept), Value::Int(0));
}

#[test]
fn output_comes_in_order_and_whole() {
    let ops = [
        LoadInt(1),
        LoadTrue,
        LoadUndef,
        Print(3),
        LoadInt(1),
        LoadInt(2),
        MakeArray(2),
        PrintLn(1),
        PrintLn(0),
    ];
    let (mut vm, record) = recorded(chunk_of(&ops), RecordingHost::new());
    assert!(vm.execute().expect("no trap").is_none());
    assert_eq!(record.lock().unwrap().output(), b"111 2\n\n");
}

#[test]
fn the_end_of_input_is_no_empty_line() {
    let host = RecordingHost::new().with_input(b"one\n\n");
    let ops = [ReadLine, ReadLine, ReadLine, MakeArray(3)];
    let (mut vm, _) = recorded(chunk_of(&ops), host);
    let lines = [Value::str("one"), Value::str(""), Value::Undef];
    assert_eq!(vm.execute(), Ok(Some(Value::array(lines.to_vec()))));
}
