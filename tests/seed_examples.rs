//! Do programs that were written for the 0.9 line's public surface build and mean the same?
//!
//! Only names at the crate's root and the public fields are used, as an embedder of that line does.

use fusevm::{Chunk, ChunkBuilder, Frame, JitCompiler, JitExtension, Op, VM, VMResult, Value};

/// A chunk from the ops and the places of its subs.
fn build(ops: &[Op], names: &[&str], subs: &[(u16, usize)]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for name in names {
        b.add_name(name);
    }
    for op in ops {
        b.emit(op.clone(), 1);
    }
    for (name, at) in subs {
        b.add_sub_entry(*name, *at);
    }
    b.build()
}

fn int(chunk: Chunk) -> i64 {
    match VM::new(chunk).run() {
        VMResult::Ok(Value::Int(n)) => n,
        other => panic!("an Int, not {other:?}"),
    }
}

#[test]
fn the_first_example_gives_42() {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(40), 1);
    b.emit(Op::LoadInt(2), 1);
    b.emit(Op::Add, 1);

    let mut vm = VM::new(b.build());
    match vm.run() {
        VMResult::Ok(val) => assert_eq!(val.to_str(), "42"),
        VMResult::Error(e) => panic!("{e}"),
        VMResult::Halted => panic!("a value was left"),
    }
}

#[test]
fn an_extension_handler_keeps_state_of_its_own() {
    let mut vm = VM::new(build(
        &[Op::Extended(0, 20), Op::Extended(0, 22), Op::Extended(1, 0)],
        &[],
        &[],
    ));
    let mut sum = 0;
    vm.set_extension_handler(Box::new(move |vm, id, arg| match id {
        0 => sum += i64::from(arg),
        1 => vm.push(Value::int(sum)),
        _ => {}
    }));
    assert!(matches!(vm.run(), VMResult::Ok(Value::Int(42))));
}

#[test]
fn whoever_asks_the_jit_first_gets_the_same_from_the_interpreter() {
    let chunk = build(&[Op::LoadInt(40), Op::LoadInt(2), Op::Add], &[], &[]);
    let jit = JitCompiler::new();
    assert!(jit.is_eligible(&chunk));
    let result = match jit.is_linear_eligible(&chunk) {
        true => jit.try_run_linear(&chunk, &[]).map(|value| value.to_int()),
        false => None,
    };
    assert_eq!(result.unwrap_or_else(|| int(chunk)), 42);
}

#[test]
fn an_extension_says_what_can_be_compiled() {
    struct Mine;
    impl JitExtension for Mine {
        fn can_jit(&self, ext_id: u16) -> bool {
            ext_id < 2
        }
        fn op_count(&self) -> usize {
            2
        }
        fn name(&self) -> &str {
            "mine"
        }
    }
    let mut jit = JitCompiler::default();
    jit.register_extension(Box::new(Mine));
    assert!(jit.is_eligible(&build(&[Op::Extended(1, 0)], &[], &[])));
    assert!(!jit.is_eligible(&build(&[Op::Extended(2, 0)], &[], &[])));
}

#[test]
fn fibonacci_by_a_loop() {
    // a in slot 0, b in 1, i in 2.
    let chunk = build(
        &[
            Op::PushFrame,
            Op::LoadInt(0),
            Op::SetSlot(0),
            Op::LoadInt(1),
            Op::SetSlot(1),
            Op::LoadInt(0),
            Op::SetSlot(2),
            Op::GetSlot(0),
            Op::GetSlot(1),
            Op::Dup,
            Op::SetSlot(0),
            Op::Add,
            Op::SetSlot(1),
            Op::SlotIncLtIntJumpBack(2, 35, 7),
            Op::GetSlot(0),
        ],
        &[],
        &[],
    );
    assert_eq!(int(chunk), 9_227_465);
}

#[test]
fn ackermann_by_recursion() {
    // m in slot 1, n in slot 0.
    let chunk = build(
        &[
            Op::LoadInt(2),
            Op::LoadInt(3),
            Op::Call(0, 2),
            Op::Jump(28),
            Op::SetSlot(0),
            Op::SetSlot(1),
            Op::GetSlot(1),
            Op::JumpIfTrue(11),
            Op::GetSlot(0),
            Op::Inc,
            Op::ReturnValue,
            Op::GetSlot(0),
            Op::JumpIfTrue(18),
            Op::GetSlot(1),
            Op::Dec,
            Op::LoadInt(1),
            Op::Call(0, 2),
            Op::ReturnValue,
            Op::GetSlot(1),
            Op::Dec,
            Op::GetSlot(1),
            Op::GetSlot(0),
            Op::Dec,
            Op::Call(0, 2),
            Op::Call(0, 2),
            Op::ReturnValue,
            Op::Nop,
            Op::Nop,
        ],
        &["ack"],
        &[(0, 4)],
    );
    assert_eq!(int(chunk), 9);
}

#[test]
fn fused_loops_fill_slots_and_globals() {
    let mut b = ChunkBuilder::new();
    let x = b.add_constant(Value::str("x"));
    let list = b.add_name("list");
    for op in [
        Op::PushFrame,
        Op::AccumSumLoop(0, 1, 1_000_001),
        Op::ConcatConstLoop(x, 2, 3, 10_000),
        Op::PushIntRangeLoop(list, 4, 100),
        Op::GetSlot(0),
    ] {
        b.emit(op, 1);
    }
    let mut vm = VM::new(b.build());
    assert!(matches!(
        vm.run(),
        VMResult::Ok(Value::Int(500_000_500_000))
    ));
    let Frame { slots, .. } = vm.frames.last().expect("the frame that the program pushed");
    assert_eq!(slots[2].len(), 10_000);
    assert_eq!(slots[4], Value::Int(100));
    match &vm.globals[usize::from(list)] {
        Value::Array(a) => assert_eq!((a.len(), a[99].to_int()), (100, 99)),
        other => panic!("an array, not {other:?}"),
    }
}

#[test]
fn embedders_seed_frames_and_globals() {
    let mut vm = VM::new(build(
        &[Op::GetSlot(0), Op::GetVar(0), Op::Mul, Op::ReturnValue],
        &["factor"],
        &[],
    ));
    vm.globals[0] = Value::Int(6);
    vm.frames.push(Frame {
        return_ip: 0,
        stack_base: 0,
        slots: vec![Value::Int(7)],
    });
    assert!(matches!(vm.run(), VMResult::Ok(Value::Int(42))));
}

#[test]
fn a_vm_moves_to_another_thread() {
    let mut vm = VM::new(build(&[Op::LoadInt(1), Op::Inc], &[], &[]));
    let result = std::thread::spawn(move || vm.run())
        .join()
        .expect("no panic");
    assert!(matches!(result, VMResult::Ok(Value::Int(2))));
}

#[test]
fn errors_name_what_is_missing() {
    let mut vm = VM::new(build(&[Op::Call(0, 0)], &["launch"], &[]));
    match vm.run() {
        VMResult::Error(e) => assert!(e.contains("undefined function: launch"), "{e}"),
        other => panic!("an error, not {other:?}"),
    }
    assert!(matches!(VM::new(Chunk::new()).run(), VMResult::Halted));
}
