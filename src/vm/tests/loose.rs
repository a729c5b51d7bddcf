//! The one meaning of code that doesn't verify: too few operands, tables that are too short.

use super::*;
use Op::*;

/// The stack, top last, after ops on what is there.
fn stack_after(ops: &[Op]) -> Vec<Value> {
    let mut vm = quiet(chunk_of(ops));
    let top = vm.execute().expect("no trap");
    vm.stack.extend(top);
    vm.stack
}

#[test]
fn some_ops_have_no_effect_without_their_operands() {
    let one = [Value::Int(5)];
    for op in [
        Add, Sub, Mul, Mod, NumEq, NumNe, NumLt, NumGt, NumLe, NumGe, Spaceship, Swap, Dup2, Rot,
    ] {
        assert_eq!(stack_after(&[LoadInt(5), op.clone()]), one, "{op:?}");
        assert_eq!(stack_after(std::slice::from_ref(&op)), [], "{op:?}");
    }
    assert_eq!(stack_after(&[LoadInt(5), LoadInt(6), Rot]).len(), 2);
}

#[test]
fn others_take_undef_for_what_is_missing() {
    let one = |op: Op| stack_after(&[LoadInt(5), op]);
    assert_eq!(one(Div), [Value::Float(0.0)]);
    assert_eq!(one(Pow), [Value::Float(0.0)]);
    assert_eq!(one(Concat), [Value::str("5")]);
    assert_eq!(one(StrEq), [Value::Bool(false)]);
    assert_eq!(one(StrCmp), [Value::Int(-1)]);
    assert_eq!(one(BitOr), [Value::Int(5)]);
    assert_eq!(one(LogOr), [Value::Bool(true)]);
    assert_eq!(one(Range).last().map(Value::len), Some(6));
    assert_eq!(one(StringRepeat), [Value::str("")]);
    assert_eq!(stack_after(&[Dup]), [Value::Undef]);
    assert_eq!(stack_after(&[Inc]), [Value::Int(1)]);
    assert_eq!(stack_after(&[Pop]), []);
    assert_eq!(stack_after(&[StringLen]), [Value::Int(0)]);
    assert_eq!(
        stack_after(&[JumpIfTrue(0), JumpIfTrueKeep(0), LoadInt(1)]).len(),
        1
    );
}

#[test]
fn counts_take_what_is_there() {
    assert_eq!(stack_after(&[LoadInt(1), MakeArray(9)]).len(), 1);
    assert_eq!(stack_after(&[LoadInt(1), MakeHash(9)])[0].len(), 0);
    assert_eq!(
        stack_after(&[LoadInt(1), LoadInt(2), MakeHash(9)])[0].len(),
        1
    );
    assert_eq!(stack_after(&[LoadInt(1), Print(9)]), []);
}

#[test]
fn what_is_out_of_range_reads_as_undef_and_grows_when_stored() {
    assert_eq!(stack_after(&[LoadConst(7)]), [Value::Undef]);
    assert_eq!(stack_after(&[GetVar(7)]), [Value::Undef]);
    assert_eq!(stack_after(&[GetSlot(7)]), [Value::Undef]);
    let stored = [LoadInt(1), SetVar(65535), LoadInt(2), SetSlot(65535)];
    let read = [GetVar(65535), GetSlot(65535), Add];
    assert_eq!(
        stack_after(&[&stored[..], &read[..]].concat()),
        [Value::Int(3)]
    );
}

#[test]
fn a_jump_past_the_end_ends_the_run() {
    assert_eq!(
        stack_after(&[LoadInt(1), Jump(usize::MAX), LoadInt(2)]).len(),
        1
    );
}

#[test]
fn a_scope_that_was_never_opened_takes_the_frame_that_is_there() {
    let ops = [LoadInt(1), SetSlot(0), LoadInt(2), PopFrame, GetSlot(0)];
    assert_eq!(stack_after(&ops), [Value::Undef]);
    assert_eq!(
        stack_after(&[PopFrame, PopFrame, LoadInt(1), SetSlot(0), GetSlot(0)]).len(),
        1
    );
}

#[test]
fn a_block_that_takes_more_than_its_element_goes_on() {
    let chunk = blocks::with_blocks(
        &[LoadInt(1), LoadInt(1), LoadInt(3), Range, MapBlock(0)],
        &[&[Pop, Pop]],
    );
    let mut vm = quiet(chunk);
    let expected = Value::array(vec![Value::Undef; 3]);
    assert_eq!(vm.execute(), Ok(Some(expected)));
}

#[test]
fn a_block_that_runs_itself_is_stopped() {
    let chunk = blocks::with_blocks(
        &[LoadInt(1), MakeArray(1), MapBlock(0)],
        &[&[MakeArray(1), MapBlock(0)]],
    );
    let mut vm = quiet(chunk);
    vm.set_limits(Limits {
        max_depth: 1000,
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::TooDeep);
}
