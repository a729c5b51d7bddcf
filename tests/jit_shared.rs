//! Do VMs of one engine share native code, and does its memory go when nobody can run it any more? A test
//! process of its own, as it looks at the memory of all of it.
#![cfg(all(feature = "jit", target_os = "linux"))]

use fusevm::engine::Engine;
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::EngineChoice;
use fusevm::{Chunk, ChunkBuilder, Op, VM, Value};

/// `f(n)` is the sum of 1 to `n`, by a loop in a sub of its own.
fn chunk() -> Chunk {
    let mut b = ChunkBuilder::new();
    let (f, n) = (b.add_name("f"), b.add_name("n"));
    for op in [Op::GetVar(n), Op::Call(f, 1)] {
        b.emit(op, 1);
    }
    let end = b.emit(Op::Jump(0), 1);
    let entry = b.current_pos();
    b.add_sub_entry(f, entry);
    let head = entry + 3;
    for op in [
        Op::SetSlot(0),
        Op::LoadInt(0),
        Op::SetSlot(1),
        Op::AddAssignSlotVoid(1, 0),
        Op::GetSlot(0),
        Op::Dec,
        Op::SetSlot(0),
        Op::GetSlot(0),
        Op::JumpIfTrue(head),
        Op::GetSlot(1),
        Op::ReturnValue,
    ] {
        b.emit(op, 2);
    }
    let here = b.current_pos();
    b.patch_jump(end, here);
    b.build()
}

fn engine(mode: JitMode) -> Engine {
    let jit = JitOptions {
        mode,
        ..JitOptions::default()
    };
    let builder = Engine::builder().engine(EngineChoice::Register);
    builder.jit(jit).build()
}

fn run(vm: &mut VM, n: Value, expected: Value) {
    vm.set_global("n", n);
    assert_eq!(vm.execute().expect("no trap"), Some(expected));
}

/// Mappings that can run and belong to no file: the ways in, and compiled code.
fn executable_mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the system tells");
    let is_code = |line: &&str| line.contains("r-xp 00000000 00:00 0") && !line.ends_with(']');
    maps.lines().filter(is_code).count()
}

#[test]
fn vms_share_code_which_goes_with_the_last_of_them() {
    let before = {
        // What every process has once it has compiled anything.
        let engine = engine(JitMode::Eager);
        let unit = engine.unit("main", chunk());
        run(&mut engine.vm(&unit), Value::Int(10), Value::Int(55));
        drop((engine, unit));
        executable_mappings()
    };
    let engine = engine(JitMode::Eager);
    let unit = engine.unit("main", chunk());
    let mut first = engine.vm(&unit);
    run(&mut first, Value::Int(10), Value::Int(55));
    let stats = first.jit_stats();
    assert!(stats.compiled > 0 && stats.shared == 0, "{stats:?}");
    let compiled = executable_mappings();
    assert!(compiled > before);

    // Others take what the first one compiled.
    for _ in 0..50 {
        let mut vm = engine.vm(&unit);
        run(&mut vm, Value::Int(10), Value::Int(55));
        let stats = vm.jit_stats();
        assert!(stats.compiled == 0 && stats.shared > 0, "{stats:?}");
        assert!(stats.entries > 0, "{stats:?}");
    }
    assert_eq!(executable_mappings(), compiled);

    // On threads, too.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut vm = engine.vm(&unit);
                run(&mut vm, Value::Int(100), Value::Int(5050));
                assert_eq!(vm.jit_stats().compiled, 0);
            });
        }
    });

    // Code that was made for other kinds is never taken for granted.
    run(&mut engine.vm(&unit), Value::Float(3.0), Value::Int(6));
    run(&mut engine.vm(&unit), Value::str("4"), Value::Int(10));

    // Nobody can run it any more.
    drop((first, unit, engine));
    assert_eq!(executable_mappings(), before);
}
