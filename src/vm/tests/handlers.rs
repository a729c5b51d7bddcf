//! Builtins and extension ops: well-behaved handlers, hostile ones, and none.

use super::*;
use crate::chunk::{Effect, Import, ImportKind, Touches};
use crate::{Frame, VMResult};
use Op::*;

fn with_builtin(ops: &[Op], handler: super::super::BuiltinHandler) -> VM {
    let mut vm = quiet(chunk_of(ops));
    vm.register_builtin(5, handler);
    vm
}

const CALL: [Op; 4] = [LoadInt(1), LoadInt(2), LoadInt(3), CallBuiltin(5, 2)];

#[test]
fn arguments_are_dropped_whether_popped_or_not() {
    let popped = |vm: &mut VM, argc: u8| {
        let args: Vec<_> = (0..argc).map(|_| vm.pop()).collect();
        Value::Int(args.iter().map(Value::to_int).sum())
    };
    let kept = |vm: &mut VM, _: u8| Value::Int(vm.peek().to_int() + 2);
    let pushed = |vm: &mut VM, _: u8| {
        vm.push(Value::Undef);
        Value::Int(5)
    };
    for handler in [popped as super::super::BuiltinHandler, kept, pushed] {
        let mut vm = with_builtin(&CALL, handler);
        assert_eq!(vm.execute(), Ok(Some(Value::Int(5))));
        assert_eq!(vm.stack, [Value::Int(1)]);
    }
}

#[test]
fn without_a_handler_a_builtin_gives_its_last_argument() {
    assert_eq!(result_of(&CALL), Value::Int(3));
    let mut vm = quiet(chunk_of(&[LoadInt(1), CallBuiltin(9, 0)]));
    assert_eq!(vm.execute(), Ok(Some(Value::Undef)));
    assert_eq!(vm.stack, [Value::Int(1)]);
}

#[test]
fn without_a_handler_an_extension_op_does_nothing() {
    let ops = [LoadInt(42), Extended(99, 1), ExtendedWide(7, 1 << 40)];
    assert_eq!(result_of(&ops), Value::Int(42));
}

#[test]
fn extension_handlers_get_number_and_operand() {
    let mut vm = quiet(chunk_of(&[Extended(3, 4), ExtendedWide(5, 600), Add]));
    vm.set_extension_handler(Box::new(|vm, id, arg| {
        vm.push(Value::Int(i64::from(id) * 10 + i64::from(arg)));
    }));
    vm.set_extension_wide_handler(Box::new(|vm, id, payload| {
        vm.push(Value::Int(i64::from(id) + payload as i64));
    }));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(34 + 605))));
}

/// The chunk of `ops`, which declares builtin 5, extension op 6 or wide extension op 7.
fn declaring(ops: &[Op], kind: ImportKind, id: u16, effect: Effect) -> Chunk {
    let mut b = ChunkBuilder::new();
    emit_all(&mut b, ops);
    b.declare_import(Import {
        kind,
        id,
        space: String::new(),
        name: "thing".into(),
        effect,
        touches: Touches::ARGUMENTS,
    });
    b.build()
}

#[test]
fn a_declared_effect_is_enforced() {
    let effect = |pops, pushes| Effect::Fixed { pops, pushes };
    let run = |effect: Effect, handler: super::super::BuiltinHandler| {
        let mut vm = quiet(declaring(&CALL, ImportKind::Builtin, 5, effect));
        vm.register_builtin(5, handler);
        let ended = vm.execute().map_err(|trap| trap.code());
        ended.map(|top| (vm.stack.iter().map(Value::to_int).collect::<Vec<_>>(), top))
    };
    let nine = |_: &mut VM, _: u8| Value::Int(9);
    assert_eq!(
        run(effect(1, 1), nine),
        Ok((vec![1, 2], Some(Value::Int(9))))
    );
    assert_eq!(run(effect(3, 0), nine), Ok((vec![], None)));
    let two = |vm: &mut VM, _: u8| {
        vm.stack.clear();
        vm.stack.extend([1, 2, 3, 8].map(Value::Int));
        Value::Int(9)
    };
    assert_eq!(
        run(effect(2, 2), two),
        Ok((vec![1, 8], Some(Value::Int(9))))
    );
    let greedy = |vm: &mut VM, _: u8| {
        vm.stack.clear();
        Value::Int(9)
    };
    assert_eq!(run(effect(1, 1), greedy), Err(Code::WrongEffect));

    assert_eq!(
        run(Effect::Unknown, nine),
        Ok((vec![1, 2, 3], Some(Value::Int(9))))
    );
    assert_eq!(
        run(Effect::Unknown, greedy),
        Ok((vec![], Some(Value::Int(9))))
    );

    let ops = [LoadInt(1), LoadInt(2), Extended(6, 1)];
    let chunk = declaring(&ops, ImportKind::Extension, 6, effect(1, 1));
    let mut vm = quiet(chunk.clone());
    vm.set_extension_handler(Box::new(|vm, _, _| {
        *vm.stack.last_mut().unwrap() = Value::Int(7)
    }));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(7))));
    let mut vm = quiet(chunk);
    vm.set_extension_handler(Box::new(|vm, _, _| vm.push(Value::Int(7))));
    assert_eq!(vm.execute().unwrap_err().code(), Code::WrongEffect);
}

#[test]
fn what_a_module_imports_must_be_there() {
    let effect = Effect::Arguments { pushes: 1 };
    for (op, kind) in [
        (CallBuiltin(5, 0), ImportKind::Builtin),
        (Extended(5, 0), ImportKind::Extension),
        (ExtendedWide(5, 0), ImportKind::ExtensionWide),
    ] {
        let trap = quiet(declaring(&[op], kind, 5, effect))
            .execute()
            .unwrap_err();
        assert_eq!(trap.code(), Code::MissingImport);
        assert!(
            trap.message().ends_with("under the number 5, called thing"),
            "{trap}"
        );
    }
}

#[test]
fn handlers_see_globals_slots_and_status() {
    let ops = [
        LoadInt(4),
        SetSlot(1),
        CallBuiltin(5, 0),
        GetVar(0),
        GetSlot(1),
        Add,
        GetStatus,
    ];
    let mut vm = with_builtin(&ops, |vm, _| {
        vm.globals.resize(1, Value::Undef);
        vm.globals[0] = Value::Int(30);
        let slot = &mut vm.frames.last_mut().unwrap().slots[1];
        *slot = Value::Int(slot.to_int() * 3);
        vm.last_status = 6;
        Value::Undef
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Status(6))));
    assert_eq!(vm.pop(), Value::Int(42));
}

#[test]
fn a_handler_may_jump_and_call_as_the_0_9_line_let_it() {
    let ops = [
        Extended(0, 5),
        LoadInt(1),
        ReturnValue,
        Nop,
        Nop,
        LoadInt(20),
        ReturnValue,
    ];
    let mut vm = quiet(chunk_of(&ops));
    vm.set_extension_handler(Box::new(|vm, _, target| {
        let return_ip = vm.ip;
        let stack_base = vm.stack.len();
        vm.frames.push(Frame {
            return_ip,
            stack_base,
            slots: Vec::new(),
        });
        vm.ip = usize::from(target);
    }));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
    assert_eq!(vm.stack, [Value::Int(20)]);
    let mut vm = with_builtin(&[CallBuiltin(5, 0), LoadInt(2)], |vm, _| {
        vm.ip = usize::MAX;
        Value::Int(1)
    });
    assert_eq!(
        vm.execute(),
        Ok(Some(Value::Int(1))),
        "past the end is the end"
    );
}

#[test]
fn a_handler_may_run_another_vm_and_its_own() {
    let ops = [CallBuiltin(5, 0), LoadInt(1), Add];
    let mut vm = with_builtin(&ops, |vm, _| {
        let inner = quiet(chunk_of(&[LoadInt(20), LoadInt(20), Add])).run();
        let VMResult::Ok(inner) = inner else {
            panic!("{inner:?}")
        };
        // Its own code from op 1 on: one more than what is on the stack.
        vm.push(inner);
        let ip = std::mem::replace(&mut vm.ip, 1);
        let VMResult::Ok(own) = vm.run() else {
            panic!("no result")
        };
        vm.ip = ip;
        own
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Int(42))));
}

#[test]
fn handlers_that_run_each_other_without_end_are_stopped() {
    fn again(vm: &mut VM, _: u8) -> Value {
        let ip = std::mem::take(&mut vm.ip);
        let ended = vm.run();
        vm.ip = ip;
        match ended {
            VMResult::Error(error) => Value::str(error),
            VMResult::Ok(value) => value,
            VMResult::Halted => Value::Undef,
        }
    }
    let mut vm = with_builtin(&[CallBuiltin(5, 0)], again);
    let text = vm
        .execute()
        .expect("the outermost run goes on")
        .expect("a text");
    assert!(text.to_str().contains("E0402"), "{}", text.to_str());
}

#[test]
fn loops_that_handlers_make_cost_fuel() {
    let backwards = |vm: &mut VM, _: u8| {
        vm.ip = 0;
        Value::Undef
    };
    let returning = |vm: &mut VM, _: u8| {
        vm.frames.push(Frame {
            return_ip: 0,
            stack_base: 0,
            slots: Vec::new(),
        });
        Value::Undef
    };
    for handler in [backwards as super::super::BuiltinHandler, returning] {
        let mut vm = with_builtin(&[CallBuiltin(5, 0), Return], handler);
        vm.set_limits(Limits {
            fuel: Some(1000),
            ..Limits::default()
        });
        assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
    }
}

#[test]
fn a_replaced_chunk_is_what_runs_on() {
    let mut vm = with_builtin(&[CallBuiltin(5, 0), LoadInt(2)], |vm, _| {
        vm.chunk = chunk_of(&[Nop, LoadInt(3), LoadInt(4), Add]);
        Value::Undef
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Int(7))));
    let mut vm = with_builtin(&[CallBuiltin(5, 0), LoadInt(2)], |vm, _| {
        vm.chunk = Chunk::new();
        Value::Int(1)
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Int(1))));
}

#[test]
fn a_panic_passes_through_and_leaves_the_vm_usable() {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    emit_all(&mut b, &[Call(f, 0)]);
    b.add_sub_entry(f, 1);
    emit_all(&mut b, &[CallBuiltin(5, 0), ReturnValue]);
    let mut vm = quiet(b.build());
    vm.register_builtin(5, |_, _| panic!("on purpose"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| vm.run()));
    assert!(caught.is_err());
    vm.register_builtin(5, |_, _| Value::Int(3));
    vm.frames.truncate(1);
    vm.ip = 0;
    assert_eq!(vm.execute(), Ok(Some(Value::Int(3))));
}

#[test]
fn a_handler_may_replace_itself() {
    let mut vm = quiet(chunk_of(&[Extended(0, 0), Extended(0, 0), Add]));
    vm.set_extension_handler(Box::new(|vm, _, _| {
        vm.push(Value::Int(1));
        vm.set_extension_handler(Box::new(|vm, _, _| vm.push(Value::Int(10))));
    }));
    assert_eq!(vm.execute(), Ok(Some(Value::Int(11))));
}

#[test]
fn what_was_printed_comes_before_what_a_handler_prints() {
    let ops = [LoadInt(1), Print(1), CallBuiltin(5, 0)];
    let (mut vm, record) = recorded(chunk_of(&ops), RecordingHost::new());
    vm.register_builtin(5, |_, _| Value::Undef);
    vm.execute().expect("no trap");
    let calls = format!("{:?}", record.lock().unwrap().calls());
    assert_eq!(calls.matches("Flush").count(), 1, "{calls}");
}

/// Handlers that do the worst they can to the state, in the middle of calls, scopes and blocks.
#[test]
fn hostile_handlers_never_make_it_panic() {
    let attacks: [fn(&mut VM); 10] = [
        |vm| vm.stack.clear(),
        |vm| vm.frames.clear(),
        |vm| vm.globals.clear(),
        |vm| vm.chunk = Chunk::new(),
        |vm| vm.ip = usize::MAX,
        |vm| vm.ip = 0,
        |vm| vm.stack.extend((0..100_000).map(Value::Int)),
        |vm| vm.frames.truncate(1),
        |vm| {
            for return_ip in [usize::MAX, usize::MAX - 1, 0, 7] {
                vm.frames.push(Frame {
                    return_ip,
                    stack_base: usize::MAX,
                    slots: vec![Value::Undef; 3],
                });
            }
        },
        |vm| {
            vm.chunk.block_ranges.clear();
            vm.chunk.ops.truncate(3);
        },
    ];
    for attack in attacks {
        let mut b = ChunkBuilder::new();
        let f = b.add_name("f");
        emit_all(
            &mut b,
            &[LoadInt(1), LoadInt(9), Range, SortBlock(0), MapBlock(1)],
        );
        let over = b.emit(Jump(0), 0);
        let start = b.current_pos();
        emit_all(&mut b, &[PushFrame, Call(f, 2), PopFrame]);
        b.add_block_range(start, b.current_pos());
        let start = b.current_pos();
        emit_all(
            &mut b,
            &[Extended(0, 0), LoadInt(1), MakeArray(2), ForEachBlock(0)],
        );
        b.add_block_range(start, b.current_pos());
        b.add_sub_entry(f, b.current_pos());
        emit_all(
            &mut b,
            &[
                PushFrame,
                Extended(0, 0),
                SetSlot(2),
                GetSlot(2),
                ReturnValue,
            ],
        );
        b.patch_jump(over, b.current_pos());
        let chunk = b.build();
        for when in 0..12 {
            let mut vm = quiet(chunk.clone());
            let mut calls = 0;
            vm.set_extension_handler(Box::new(move |vm, _, _| {
                if calls == when {
                    attack(vm);
                }
                calls += 1;
            }));
            vm.set_limits(Limits {
                fuel: Some(10_000),
                ..Limits::default()
            });
            let _ = vm.execute();
            let _ = vm.execute();
        }
    }
}
