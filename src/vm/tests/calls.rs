//! Calls, returns, scopes and the end of a run.

use super::*;
use Op::*;

/// A chunk whose ops begin at a jump over the subs, which stand in `subs` by name.
fn with_subs(main: &[Op], subs: &[(&str, &[Op])]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for (name, _) in subs {
        b.add_name(name);
    }
    emit_all(&mut b, main);
    let over = b.emit(Jump(0), 0);
    for (index, (_, ops)) in subs.iter().enumerate() {
        b.add_sub_entry(index as u16, b.current_pos());
        emit_all(&mut b, ops);
    }
    b.patch_jump(over, b.current_pos());
    b.build()
}

fn run(chunk: Chunk) -> Value {
    quiet(chunk).execute().expect("no trap").unwrap_or_default()
}

#[test]
fn a_call_takes_its_arguments_and_leaves_its_result() {
    let double: &[Op] = &[LoadInt(2), Mul, ReturnValue];
    let chunk = with_subs(
        &[LoadInt(1), LoadInt(21), Call(0, 1), Add],
        &[("f", double)],
    );
    assert_eq!(run(chunk), Value::Int(43));
}

#[test]
fn a_return_drops_leftovers_and_closes_scopes() {
    let messy: &[Op] = &[
        LoadInt(8),
        PushFrame,
        LoadInt(9),
        PushFrame,
        LoadInt(5),
        Return,
    ];
    let chunk = with_subs(&[LoadInt(1), LoadInt(2), Call(0, 1)], &[("f", messy)]);
    let mut vm = quiet(chunk);
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
    assert!(vm.stack.is_empty());
    assert_eq!(vm.frames.len(), 1);
}

#[test]
fn slots_of_a_call_are_fresh_each_time() {
    let count: &[Op] = &[PreIncSlot(2), ReturnValue];
    let chunk = with_subs(&[Call(0, 0), Call(0, 0), Add], &[("f", count)]);
    assert_eq!(run(chunk), Value::Int(2));
}

#[test]
fn recursion_unwinds_to_its_caller() {
    let factorial: &[Op] = &[
        SetSlot(0),
        GetSlot(0),
        LoadInt(2),
        NumLt,
        JumpIfFalse(10),
        LoadInt(1),
        ReturnValue,
        GetSlot(0),
        GetSlot(0),
        Dec,
        Call(0, 1),
        Mul,
        ReturnValue,
    ];
    let chunk = with_subs(&[LoadInt(20), Call(0, 1)], &[("f", factorial)]);
    assert_eq!(run(chunk), Value::Int((1..=20).product()));
}

#[test]
fn a_return_outside_of_any_call_ends_the_run() {
    assert_eq!(result_of(&[LoadInt(1), Return, LoadInt(2)]), Value::Int(1));
    let ops = [
        PushFrame,
        LoadInt(7),
        SetSlot(0),
        LoadInt(3),
        ReturnValue,
        LoadInt(4),
    ];
    let mut vm = quiet(chunk_of(&ops));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(3))));
    assert_eq!(vm.frames.len(), 2);
    assert_eq!(vm.frames[1].slots, [Value::Int(7)]);
    assert_eq!(vm.execute(), Ok(None), "it has ended");
}

#[test]
fn frames_of_the_embedder_are_not_returned_from() {
    let mut vm = quiet(chunk_of(&[GetSlot(0), Inc, ReturnValue, LoadInt(9)]));
    vm.frames.push(crate::Frame {
        return_ip: 0,
        stack_base: 0,
        slots: vec![Value::Int(41)],
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Int(42))));
    assert_eq!(vm.frames.len(), 2);
}

#[test]
fn the_end_of_the_code_ends_the_run_within_a_call_too() {
    let chunk = with_subs(
        &[LoadInt(1), Call(0, 0), LoadInt(2)],
        &[("f", &[LoadInt(3)])],
    );
    assert_eq!(run(chunk), Value::Int(3));
}

#[test]
fn what_is_below_the_result_stays() {
    let mut vm = quiet(chunk_of(&[LoadInt(1), LoadInt(2), LoadUndef]));
    assert_eq!(vm.execute(), Ok(Some(Value::Undef)));
    assert_eq!(vm.stack, [Value::Int(1), Value::Int(2)]);
    assert_eq!(vm.ip, 3);
}

#[test]
fn a_run_can_be_begun_again() {
    let mut vm = quiet(chunk_of(&[LoadInt(1)]));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
    vm.ip = 0;
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
}

#[test]
fn of_many_subs_the_first_of_a_name_counts() {
    let mut subs: Vec<(String, [Op; 2])> = Vec::new();
    for n in 0..40 {
        subs.push((format!("f{n}"), [LoadInt(n), ReturnValue]));
    }
    let borrowed: Vec<_> = subs
        .iter()
        .map(|(name, ops)| (&name[..], &ops[..]))
        .collect();
    let mut chunk = with_subs(&[Call(0, 0), Call(39, 0), Add], &borrowed);
    chunk.sub_entries.push((39, 0));
    assert_eq!(run(chunk), Value::Int(39));
}

#[test]
fn the_embedder_calls_subs() {
    let add: &[Op] = &[Add, ReturnValue];
    let leaves: &[Op] = &[Return];
    let chunk = with_subs(&[LoadInt(1)], &[("add", add), ("none", leaves)]);
    let mut vm = quiet(chunk);
    let args = || [Value::Int(2), Value::Int(3)];
    assert_eq!(vm.call_sub("add", args()), Ok(Some(Value::Int(5))));
    assert_eq!(vm.call_sub("none", args()), Ok(None));
    assert!(vm.stack.is_empty() && vm.frames.len() == 1);
    assert_eq!(
        vm.call_sub("nope", []).unwrap_err().code(),
        Code::UnknownSub
    );
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
}
