//! Handlers that do the worst they can, in both interpreters and between stretches of native code: what
//! comes out is the same, or a trap that names the broken promise. Nothing panics but what a handler itself panics with.

use fusevm::chunk::{Effect, Import, ImportKind, Touches};
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::{EngineChoice, Limits};
use fusevm::{Chunk, ChunkBuilder, Frame, Op, VM, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The trap that the engine may give in the place of what the reference interpreter does.
const BROKE_EFFECT: &str = "WrongEffect";

/// What a handler does to the VM, besides its duty.
type Attack = fn(&mut VM);

fn swap_vm(vm: &mut VM) {
    let mut other = VM::new(Chunk::default());
    std::mem::swap(vm, &mut other);
}

fn replace_vm_by_its_like(vm: &mut VM) {
    let mut other = VM::new(vm.chunk.clone());
    other.set_engine(EngineChoice::Register);
    std::mem::swap(vm, &mut other);
}

fn swap_vm_there_and_back(vm: &mut VM) {
    let mut other = VM::new(Chunk::default());
    std::mem::swap(vm, &mut other);
    std::mem::swap(vm, &mut other);
}

fn push_frames(vm: &mut VM) {
    for return_ip in [usize::MAX, usize::MAX - 1, 0, 7] {
        vm.frames.push(Frame {
            return_ip,
            stack_base: usize::MAX,
            slots: vec![Value::Undef; 3],
        });
    }
}

fn change_every_slot(vm: &mut VM) {
    for frame in &mut vm.frames {
        for slot in &mut frame.slots {
            *slot = Value::str("changed");
        }
    }
}

fn grow_slots(vm: &mut VM) {
    if let Some(frame) = vm.frames.last_mut() {
        frame.slots.resize(300, Value::array(vec![Value::Int(1)]));
    }
}

fn change_the_stack(vm: &mut VM) {
    for value in &mut vm.stack {
        *value = Value::str("changed");
    }
}

fn change_globals(vm: &mut VM) {
    for global in &mut vm.globals {
        *global = Value::array(vec![Value::str("changed")]);
    }
}

fn call_a_sub(vm: &mut VM) {
    let result = vm.call_sub("leaf", [Value::Int(4)]);
    vm.globals[0] = Value::str(format!("{result:?}"));
}

fn run_again(vm: &mut VM) {
    if vm.globals.len() < 40 {
        vm.globals.push(Value::Int(1));
        let _ = vm.execute();
    }
}

fn run_another(vm: &mut VM) {
    let mut other = VM::new(vm.chunk.clone());
    other.set_engine(EngineChoice::Register);
    other.set_limits(Limits {
        fuel: Some(500),
        ..Limits::default()
    });
    let _ = other.execute();
}

fn edit_ops_in_place(vm: &mut VM) {
    for op in &mut vm.chunk.ops {
        if *op == Op::Add {
            *op = Op::Sub;
        }
    }
}

const ATTACKS: &[(&str, Attack)] = &[
    ("none", |_| {}),
    ("swap the vm", swap_vm),
    ("replace it by its like", replace_vm_by_its_like),
    ("swap it there and back", swap_vm_there_and_back),
    ("clear the stack", |vm| vm.stack.clear()),
    ("take the stack", |vm| drop(std::mem::take(&mut vm.stack))),
    ("clear the frames", |vm| vm.frames.clear()),
    ("take the frames", |vm| drop(std::mem::take(&mut vm.frames))),
    ("leave one frame", |vm| vm.frames.truncate(1)),
    ("pop a frame", |vm| drop(vm.frames.pop())),
    ("push frames", push_frames),
    ("copy a frame", |vm| {
        vm.frames.extend(vm.frames.last().cloned())
    }),
    ("move stack bases", |vm| {
        vm.frames.iter_mut().for_each(|frame| frame.stack_base = 1);
    }),
    ("move return addresses", |vm| {
        vm.frames.iter_mut().for_each(|frame| frame.return_ip = 3);
    }),
    ("change every slot", change_every_slot),
    ("drop every slot", |vm| {
        vm.frames.iter_mut().for_each(|frame| frame.slots.clear());
    }),
    ("grow the slots", grow_slots),
    ("change the stack", change_the_stack),
    ("deepen the stack", |vm| {
        vm.stack.extend((0..10_000).map(Value::Int))
    }),
    ("change the globals", change_globals),
    ("clear the globals", |vm| vm.globals.clear()),
    ("add globals", |vm| vm.globals.resize(100, Value::Int(3))),
    ("another chunk", |vm| vm.chunk = Chunk::default()),
    ("an equal chunk", |vm| vm.chunk = vm.chunk.clone()),
    ("fewer ops", |vm| vm.chunk.ops.truncate(9)),
    ("no subs", |vm| vm.chunk.sub_entries.clear()),
    ("no blocks", |vm| vm.chunk.block_ranges.clear()),
    ("no constants", |vm| vm.chunk.constants.clear()),
    ("other ops in place", edit_ops_in_place),
    ("to the beginning", |vm| vm.ip = 0),
    ("over an op", |vm| vm.ip += 1),
    ("back to itself", |vm| vm.ip -= 1),
    ("beyond the end", |vm| vm.ip = usize::MAX),
    ("call a sub", call_a_sub),
    ("run again", run_again),
    ("run another", run_another),
    ("panic", |_| panic!("on purpose")),
    ("other limits", |vm| {
        vm.set_limits(Limits {
            fuel: Some(40),
            max_depth: 3,
            ..Limits::default()
        });
    }),
    ("the other interpreter", |vm| {
        vm.set_engine(EngineChoice::Reference)
    }),
];

/// Calls, scopes, loops and blocks around handlers, with values of all kinds in slots and on the
/// stack.
fn chunk(declared: bool) -> Chunk {
    let mut b = ChunkBuilder::new();
    let [x, list, deep, leaf] = ["x", "list", "deep", "leaf"].map(|name| b.add_name(name));
    let text = b.add_constant(Value::str("text"));
    let emit = |b: &mut ChunkBuilder, ops: &[Op]| {
        for op in ops {
            let line = b.current_pos() as u32 + 1;
            b.emit(op.clone(), line);
        }
    };
    emit(
        &mut b,
        &[Op::DeclareArray(list), Op::LoadConst(text), Op::SetSlot(0)],
    );
    emit(&mut b, &[Op::LoadInt(0), Op::SetSlot(1)]);
    let head = b.current_pos();
    emit(&mut b, &[Op::GetSlot(1), Op::LoadInt(6), Op::NumLt]);
    let exit = b.emit(Op::JumpIfFalse(0), 1);
    emit(
        &mut b,
        &[
            Op::GetSlot(1),
            Op::ArrayPush(list),
            Op::GetSlot(0),
            Op::GetSlot(1),
            Op::CallBuiltin(5, 1),
            Op::Concat,
            Op::SetSlot(0),
            Op::GetSlot(0),
            Op::GetSlot(1),
            Op::Call(deep, 2),
            Op::SetVar(x),
            Op::GetVar(list),
            Op::MapBlock(0),
            Op::SetSlot(2),
            Op::GetSlot(2),
            Op::GrepBlock(1),
            Op::ForEachBlock(2),
            Op::PreIncSlotVoid(1),
            Op::Jump(head),
        ],
    );
    let after = b.current_pos();
    b.patch_jump(exit, after);
    emit(&mut b, &[Op::GetSlot(2), Op::GetSlot(0), Op::MakeArray(2)]);
    let end = b.emit(Op::Jump(0), 1);
    let blocks: [&[Op]; 3] = [
        &[Op::GetSlot(0), Op::Extended(1, 0), Op::Call(deep, 2)],
        &[
            Op::CallBuiltin(5, 1),
            Op::PreIncSlotVoid(3),
            Op::Pop,
            Op::LoadTrue,
        ],
        &[
            Op::PushFrame,
            Op::LoadInt(1),
            Op::SetSlot(0),
            Op::Extended(2, 0),
            Op::PopFrame,
            Op::SetVar(x),
        ],
    ];
    for block in blocks {
        let start = b.current_pos();
        emit(&mut b, block);
        let end = b.current_pos();
        b.add_block_range(start, end);
    }
    let entry = b.current_pos();
    b.add_sub_entry(deep, entry);
    b.declare_argc(deep, 2);
    emit(
        &mut b,
        &[
            Op::SetSlot(1),
            Op::SetSlot(0),
            Op::PushFrame,
            Op::LoadConst(text),
            Op::SetSlot(0),
            Op::Extended(3, 0),
            Op::GetSlot(0),
            Op::SetVar(x),
            Op::PopFrame,
            Op::GetSlot(0),
            Op::GetSlot(1),
            Op::Call(leaf, 1),
            Op::CallBuiltin(5, 1),
            Op::Add,
            Op::ReturnValue,
        ],
    );
    let entry = b.current_pos();
    b.add_sub_entry(leaf, entry);
    b.declare_argc(leaf, 1);
    emit(
        &mut b,
        &[Op::Dup, Op::CallBuiltin(5, 1), Op::Add, Op::ReturnValue],
    );
    let here = b.current_pos();
    b.patch_jump(end, here);
    let mut chunk = b.build();
    for id in 1..4 {
        chunk.imports.push(import(
            ImportKind::Extension,
            id,
            Effect::Fixed { pops: 0, pushes: 0 },
        ));
    }
    if declared {
        chunk.imports.push(import(
            ImportKind::Builtin,
            5,
            Effect::Arguments { pushes: 1 },
        ));
    }
    chunk
}

fn import(kind: ImportKind, id: u16, effect: Effect) -> Import {
    Import {
        kind,
        id,
        space: String::new(),
        name: format!("handler{id}"),
        effect,
        touches: Touches::ARGUMENTS,
    }
}

/// Calls of handlers so far, the one at which the attack happens, and which attack.
static CALLS: AtomicUsize = AtomicUsize::new(0);
static WHEN: AtomicUsize = AtomicUsize::new(0);
static ATTACK: AtomicUsize = AtomicUsize::new(0);

fn attack(vm: &mut VM) {
    if CALLS.fetch_add(1, Ordering::Relaxed) == WHEN.load(Ordering::Relaxed) {
        ATTACKS[ATTACK.load(Ordering::Relaxed)].1(vm);
    }
}

/// The list without Undefs at its end, which are as good as nothing.
fn used(list: &[Value]) -> &[Value] {
    let last = list.iter().rposition(|value| *value != Value::Undef);
    &list[..last.map_or(0, |last| last + 1)]
}

/// What runs programs, and whether it compiles them before they run.
type Tier = (EngineChoice, JitMode);

/// All that can be seen of a run, and of a second one after it.
fn seen(chunk: &Chunk, (choice, jit): Tier, which: usize, when: usize) -> Vec<String> {
    CALLS.store(0, Ordering::Relaxed);
    WHEN.store(when, Ordering::Relaxed);
    ATTACK.store(which, Ordering::Relaxed);
    let mut vm = VM::new(chunk.clone());
    vm.set_engine(choice);
    vm.set_jit(JitOptions {
        mode: jit,
        ..JitOptions::default()
    });
    vm.register_builtin(5, |vm, _| {
        let argument = vm.pop();
        attack(vm);
        argument
    });
    vm.set_extension_handler(Box::new(|vm, _, _| attack(vm)));
    vm.set_limits(Limits {
        fuel: Some(3_000),
        max_value: 1 << 20,
        ..Limits::default()
    });
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ended = catch_unwind(AssertUnwindSafe(|| vm.execute()));
        seen.push(match ended {
            Ok(ended) => format!("{ended:?}"),
            Err(_) => "panic".to_owned(),
        });
        seen.push(format!("{:?} {:?}", used(&vm.globals), vm.fuel_left()));
        let frames = vm.frames.iter().map(|frame| {
            let slots = used(&frame.slots);
            format!("{} {} {slots:?}", frame.return_ip, frame.stack_base)
        });
        seen.push(frames.collect::<Vec<_>>().join("; "));
        vm.frames.truncate(1);
        vm.ip = 0;
    }
    seen
}

#[test]
fn attacks_end_alike_in_all_tiers() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>();
        if text.is_none_or(|text| *text != "on purpose") {
            hook(info);
        }
    }));
    for declared in [false, true] {
        let chunk = chunk(declared);
        fusevm::verify::verify_chunk(&chunk).expect("strict");
        for (which, (name, _)) in ATTACKS.iter().enumerate() {
            for when in 0..25 {
                let reference = (EngineChoice::Reference, JitMode::Off);
                let expected = seen(&chunk, reference, which, when);
                // Compiling takes its time: each attack meets native code, but not at each call.
                let is_eager = (which + when) % 4 == 0;
                let eager = is_eager.then_some(JitMode::Eager);
                for jit in [JitMode::Off].into_iter().chain(eager) {
                    let found = seen(&chunk, (EngineChoice::Register, jit), which, when);
                    let named = found.iter().any(|part| part.contains(BROKE_EFFECT));
                    assert!(
                        expected == found || named,
                        "{name}, call {when}, declared {declared}, JIT {jit:?}:\n\
                         {expected:#?}\n{found:#?}"
                    );
                }
            }
        }
    }
}
