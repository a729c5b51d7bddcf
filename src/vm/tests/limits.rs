//! What a run may use up: exact where it is said to be, and always an end.

use super::*;
use Op::*;
use std::time::Duration;

fn code_with(limits: Limits, ops: &[Op]) -> Code {
    let mut vm = quiet(chunk_of(ops));
    vm.set_limits(limits);
    vm.execute().expect_err("a trap").code()
}

const ENDLESS: [Op; 1] = [Jump(0)];

#[test]
fn a_backward_jump_costs_a_unit_and_a_forward_one_nothing() {
    assert_eq!(
        fuel_of(&chunk_of(&[LoadTrue, JumpIfTrue(2), Jump(3), LoadInt(1)])),
        0
    );
    let ten = [PreIncSlot(0), LoadInt(10), NumLt, JumpIfTrue(0)];
    assert_eq!(fuel_of(&chunk_of(&ten)), 9);
    assert_eq!(fuel_of(&chunk_of(&[SlotIncLtIntJumpBack(0, 1000, 0)])), 999);
    assert_eq!(
        with_fuel(&chunk_of(&ENDLESS), 12345),
        (Err(Code::OutOfFuel), 0)
    );
}

#[test]
fn a_call_costs_a_unit() {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    emit_all(&mut b, &[Call(f, 0), Call(f, 0), Return]);
    b.add_sub_entry(f, 3);
    b.emit(Return, 1);
    assert_eq!(fuel_of(&b.build()), 2);
}

#[test]
fn bulk_work_costs_a_unit_for_64() {
    let repeat = |n| fuel_of(&chunk_of(&[LoadInt(1), LoadInt(n), StringRepeat]));
    assert_eq!([63, 64, 127, 128, 64_000].map(repeat), [0, 1, 1, 2, 1000]);
    let range = |n| fuel_of(&chunk_of(&[LoadInt(1), LoadInt(n), Range]));
    assert_eq!([63, 64, 6400].map(range), [0, 1, 100]);
}

#[test]
fn fuel_is_spent_over_runs_and_can_be_filled_up() {
    let mut vm = quiet(chunk_of(&[SlotIncLtIntJumpBack(0, 11, 0)]));
    assert_eq!(vm.fuel_left(), None);
    vm.set_limits(Limits {
        fuel: Some(15),
        ..Limits::default()
    });
    assert_eq!(vm.execute(), Ok(None));
    assert_eq!(vm.fuel_left(), Some(5));
    vm.ip = 0;
    vm.frames[0].slots.clear();
    assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
    assert_eq!(vm.fuel_left(), Some(0));
    vm.set_limits(*vm.limits());
    assert_eq!(vm.fuel_left(), Some(15));
}

#[test]
fn depth_is_exact() {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    // Calls itself until the slot of the outermost frame, a global here, has counted down.
    let count = b.add_name("count");
    emit_all(&mut b, &[LoadInt(100), SetVar(count), Call(f, 0), Return]);
    b.add_sub_entry(f, 4);
    emit_all(
        &mut b,
        &[
            GetVar(count),
            Dec,
            SetVar(count),
            GetVar(count),
            JumpIfFalse(10),
        ],
    );
    emit_all(&mut b, &[Call(f, 0), Return]);
    let chunk = b.build();
    let with_depth = |max_depth| {
        let mut vm = quiet(chunk.clone());
        vm.set_limits(Limits {
            max_depth,
            ..Limits::default()
        });
        vm.execute().map_err(|trap| trap.code())
    };
    assert_eq!(with_depth(100), Ok(None));
    assert_eq!(with_depth(99), Err(Code::TooDeep));
}

#[test]
fn the_deadline_and_the_interrupt_end_an_endless_loop() {
    let deadline = Limits {
        deadline: Some(Duration::from_millis(5)),
        ..Limits::default()
    };
    assert_eq!(code_with(deadline, &ENDLESS), Code::Deadline);
    let mut vm = quiet(chunk_of(&ENDLESS));
    let handle = vm.interrupt_handle();
    let other = std::thread::spawn(move || handle.interrupt());
    assert_eq!(vm.execute().unwrap_err().code(), Code::Interrupted);
    other.join().expect("it only sets a flag");
}

#[test]
fn output_is_limited_before_it_is_written() {
    let ops = [LoadInt(1), PrintLn(1), Jump(0)];
    let (mut vm, record) = recorded(chunk_of(&ops), RecordingHost::new());
    vm.set_limits(Limits {
        max_output: Some(7),
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::OutputLimit);
    assert_eq!(record.lock().unwrap().output(), b"1\n1\n1\n");
}

#[test]
fn memory_is_limited_wherever_it_goes() {
    let small = Limits {
        max_memory: 1 << 20,
        ..Limits::default()
    };
    // Values, the stack, frames, slots.
    let values = [
        LoadInt(1),
        LoadInt(1000),
        StringRepeat,
        ArrayPush(0),
        Jump(0),
    ];
    let grown = [&[DeclareArray(0)][..], &values[..4], &[Jump(1)]].concat();
    assert_eq!(code_with(small, &grown), Code::OutOfMemory);
    assert_eq!(code_with(small, &[LoadInt(1), Jump(0)]), Code::OutOfMemory);
    assert_eq!(code_with(small, &[PushFrame, Jump(0)]), Code::OutOfMemory);
    let slots = [PushFrame, LoadInt(1), SetSlot(9000), Jump(0)];
    assert_eq!(code_with(small, &slots), Code::OutOfMemory);
}

#[test]
fn memory_that_was_given_back_does_not_count() {
    let ops = [
        LoadInt(7),
        LoadInt(100_000),
        StringRepeat,
        SetSlot(1),
        SlotIncLtIntJumpBack(0, 1000, 0),
    ];
    let mut vm = quiet(chunk_of(&ops));
    vm.set_limits(Limits {
        max_memory: 1 << 20,
        ..Limits::default()
    });
    for _ in 0..3 {
        vm.ip = 0;
        assert_eq!(vm.execute(), Ok(None));
    }
}

#[test]
fn slots_that_handlers_drop_are_no_leak() {
    let ops = [
        PushFrame,
        LoadInt(1),
        SetSlot(9000),
        Extended(0, 0),
        Jump(0),
    ];
    let mut vm = quiet(chunk_of(&ops));
    vm.set_extension_handler(Box::new(|vm, _, _| vm.frames.truncate(1)));
    vm.set_limits(Limits {
        fuel: Some(1000),
        max_memory: 1 << 20,
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
}
