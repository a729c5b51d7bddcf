//! Do functions of many chunks reach each other in every tier: a thousand that call one another, in
//! recursion over all of them, redefined or taken away while they run?

use fusevm::format::{Entry, Module, ModuleWriter};
use fusevm::vm::{CallSite, Limits, Trap};
use fusevm::{Chunk, ChunkBuilder, Engine, Op, VM, Value};
use fusevm_kit::tiers::TIERS;
use std::io::Cursor;
use std::time::Duration;

/// Functions of the module, each in a chunk of its own.
const FUNCTIONS: usize = 1000;

/// The function that function `n` calls. From each, all others are reached before it comes again.
fn next(n: usize) -> usize {
    (n * 21 + 1) % FUNCTIONS
}

/// Function `n`: `if depth <= 0 then n else f(next(n))(depth - 1) + 1`. Every second one is its chunk's
/// code from the first op on, the others are subs.
fn chained(n: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    let (own, next) = (
        b.add_name(&format!("f{n}")),
        b.add_name(&format!("f{}", next(n))),
    );
    let is_sub = n.is_multiple_of(2);
    let over = is_sub.then(|| b.emit(Op::Jump(0), 1));
    if is_sub {
        b.add_sub_entry(own, b.current_pos());
        b.declare_argc(own, 1);
        b.emit(Op::SetSlot(0), 2);
    }
    b.emit(Op::GetSlot(0), 2);
    b.emit(Op::LoadInt(0), 2);
    b.emit(Op::NumLe, 2);
    let deeper = b.emit(Op::JumpIfFalse(0), 2);
    b.emit(Op::LoadInt(n as i64), 3);
    b.emit(Op::ReturnValue, 3);
    b.patch_jump(deeper, b.current_pos());
    b.emit(Op::GetSlot(0), 4);
    b.emit(Op::Dec, 4);
    b.emit(Op::Call(next, 1), 4);
    b.emit(Op::Inc, 4);
    if let Some(over) = over {
        b.emit(Op::ReturnValue, 4);
        b.patch_jump(over, b.current_pos());
    }
    b.build()
}

/// What `f{n}(depth)` gives.
fn expected(mut n: usize, depth: usize) -> i64 {
    for _ in 0..depth {
        n = next(n);
    }
    (n + depth) as i64
}

/// A module of the functions, but for those of these numbers.
fn module_without(missing: &[usize]) -> Module {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes all");
    for n in (0..FUNCTIONS).filter(|n| !missing.contains(n)) {
        let entry = Entry::named(format!("f{n}"));
        writer.add(&entry, &chained(n)).expect("a good chunk");
    }
    let bytes = writer.finish().expect("a module").into_inner();
    Module::from_bytes(bytes).expect("the same module")
}

/// A chunk that calls `before` without arguments and then `f0` with each of these depths, and gives the
/// last result.
fn caller(before: &str, depths: &[usize]) -> Chunk {
    let mut b = ChunkBuilder::new();
    let [before, f, result] = [before, "f0", "result"].map(|name| b.add_name(name));
    for depth in depths {
        b.emit(Op::Call(before, 0), 1);
        b.emit(Op::Pop, 1);
        b.emit(Op::LoadInt(*depth as i64), 2);
        b.emit(Op::Call(f, 1), 2);
        b.emit(Op::SetVar(result), 2);
    }
    b.emit(Op::GetVar(result), 3);
    b.build()
}

/// A chunk that calls `each` with its round and then `f` with it, for so many rounds, and gives the sum.
fn looping(each: &str, f: &str, rounds: i32) -> Chunk {
    let mut b = ChunkBuilder::new();
    let (each, f) = (b.add_name(each), b.add_name(f));
    let body = [
        Op::GetSlot(1),
        Op::GetSlot(0),
        Op::Call(each, 1),
        Op::Pop,
        Op::GetSlot(0),
        Op::Call(f, 1),
        Op::Add,
        Op::SetSlot(1),
    ];
    in_rounds(b, rounds, &body)
}

/// A chunk that does this for so many rounds, which slot 0 counts, and gives slot 1; both begin as 0.
fn in_rounds(mut b: ChunkBuilder, rounds: i32, body: &[Op]) -> Chunk {
    for slot in [0, 1] {
        b.emit(Op::LoadInt(0), 1);
        b.emit(Op::SetSlot(slot), 1);
    }
    let head = b.current_pos();
    for op in body {
        b.emit(op.clone(), 2);
    }
    b.emit(Op::SlotIncLtIntJumpBack(0, rounds, head), 2);
    b.emit(Op::GetSlot(1), 2);
    b.build()
}

/// Runs a chunk in each tier, each with an engine of its own, and gives what all of them give.
fn in_every_tier<R: PartialEq + std::fmt::Debug>(
    engine: impl Fn() -> Engine,
    chunk: &Chunk,
    look: impl Fn(VM) -> R,
) -> R {
    let mut results = TIERS.iter().map(|tier| {
        let engine = engine();
        let mut vm = engine.vm(&engine.unit("main", chunk.clone()));
        (tier.choose)(&mut vm);
        (tier.name, look(vm))
    });
    let (_, first) = results.next().expect("there are tiers");
    for (name, result) in results {
        assert_eq!(result, first, "{name}");
    }
    first
}

/// What can be seen of a trap.
fn seen(trap: &Trap) -> (String, CallSite, Vec<CallSite>) {
    let message = format!("{} {}", trap.code(), trap.message());
    (message, trap.site().clone(), trap.callers().to_vec())
}

/// Has the function mean something else: its argument and a million.
fn redefine(engine: &Engine, name: &str) {
    let mut b = ChunkBuilder::new();
    b.emit(Op::GetSlot(0), 1);
    b.emit(Op::LoadInt(1_000_000), 1);
    b.emit(Op::Add, 1);
    engine.define("", name, b.build());
}

#[test]
fn a_thousand_functions_call_each_other_in_recursion() {
    let module = module_without(&[]);
    let engine = || {
        let engine = Engine::builder().function("", "before", |_, _| Ok(Value::Undef));
        let engine = engine.build();
        engine.load(module.clone());
        engine
    };
    // Over all of them and around again; the second time everything is linked.
    let depths = [3 * FUNCTIONS, 10, 3 * FUNCTIONS + 7];
    let result = in_every_tier(engine, &caller("before", &depths), |mut vm| {
        let first = vm.execute().expect("no trap");
        vm.reset();
        (first, vm.execute().expect("no trap"))
    });
    let last = Some(Value::Int(expected(0, depths[2])));
    assert_eq!(result, (last.clone(), last));
}

#[test]
fn functions_are_redefined_while_they_run() {
    let module = module_without(&[]);
    let engine = || {
        let engine = Engine::builder().function("", "each", |vm, _| {
            if vm.pop() == Value::Int(300) {
                let engine = vm.engine().ok_or("no engine")?.clone();
                redefine(&engine, "f1");
            }
            Ok(Value::Undef)
        });
        let engine = engine.build();
        engine.load(module.clone());
        engine
    };
    let sum = in_every_tier(engine, &looping("each", "f0", 600), |mut vm| {
        vm.execute().expect("no trap")
    });
    let old = (0..300).map(|depth| expected(0, depth));
    // `f0` calls `f1`, which from then on gives its argument and a million.
    let new = (300..600).map(|depth: i64| depth - 1 + 1_000_000 + 1);
    assert_eq!(sum, Some(Value::Int(old.chain(new).sum())));
}

#[test]
fn active_calls_go_on_in_what_they_were_called_as() {
    let module = module_without(&[next(next(0))]);
    // The function in the middle redefines those above it, itself too.
    let engine = || {
        let engine = Engine::builder().function("", "before", |_, _| Ok(Value::Undef));
        let engine = engine.build();
        engine.load(module.clone());
        let middle = format!("f{}", next(next(0)));
        engine.define_function("", &middle, |vm, _| {
            let engine = vm.engine().ok_or("no engine")?.clone();
            for n in [0, next(0), next(next(0))] {
                redefine(&engine, &format!("f{n}"));
            }
            Ok(Value::Int(5))
        });
        engine
    };
    // The first call goes through the old ones, the second finds the new `f0`.
    let result = in_every_tier(engine, &caller("before", &[10, 20]), |mut vm| {
        let trap_or_value = vm.execute().map_err(|trap| seen(&trap));
        (trap_or_value, vm.global("result").cloned())
    });
    assert_eq!(result.0, Ok(Some(Value::Int(1_000_020))));
}

#[test]
fn a_function_that_is_missing_is_named_with_its_caller() {
    // The one that the twentieth calls.
    let missing = (0..20).fold(0, |n, _| next(n));
    let before = (0..19).fold(0, |n, _| next(n));
    let module = module_without(&[missing]);
    let engine = || {
        let engine = Engine::builder().function("", "before", |_, _| Ok(Value::Undef));
        let engine = engine.build();
        engine.load(module.clone());
        engine
    };
    // Often enough to be warm before it is missed.
    let depths: Vec<usize> = (0..40).map(|round| round % 19).chain([25]).collect();
    let (message, site, callers) = in_every_tier(engine, &caller("before", &depths), |mut vm| {
        seen(&vm.execute().expect_err("a trap"))
    });
    for part in ["E0408", &format!("f{missing}"), &format!("`f{before}`")] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(
        (site.source.as_str(), site.line),
        (format!("f{before}").as_str(), Some(4))
    );
    assert_eq!(callers.len(), 20);
}

#[test]
fn a_function_that_is_taken_away_is_missed_at_its_next_call() {
    let engine = || {
        let engine = Engine::builder().function("", "each", |vm, _| {
            if vm.pop() == Value::Int(400) {
                let engine = vm.engine().ok_or("no engine")?.clone();
                engine.undefine("", "last");
            }
            Ok(Value::Undef)
        });
        let engine = engine.build();
        redefine(&engine, "last");
        engine
    };
    let (trap, round) = in_every_tier(engine, &looping("each", "last", 600), |mut vm| {
        let trap = seen(&vm.execute().expect_err("a trap"));
        (trap, vm.frames[0].slots[0].clone())
    });
    assert!(
        trap.0.contains("last") && trap.0.contains("`main`"),
        "{}",
        trap.0
    );
    assert_eq!(round, Value::Int(400));
}

#[test]
fn a_wrong_count_of_arguments_is_found_after_a_redefinition() {
    let engine = || {
        let engine = Engine::builder().function("", "each", |vm, _| {
            if vm.pop() == Value::Int(400) {
                let mut b = ChunkBuilder::new();
                let f = b.add_name("f");
                let over = b.emit(Op::Jump(0), 1);
                b.add_sub_entry(f, b.current_pos());
                b.declare_argc(f, 2);
                b.emit(Op::Add, 1);
                b.emit(Op::ReturnValue, 1);
                b.patch_jump(over, b.current_pos());
                let engine = vm.engine().ok_or("no engine")?.clone();
                engine.define("", "f", b.build());
            }
            Ok(Value::Undef)
        });
        let engine = engine.build();
        redefine(&engine, "f");
        engine
    };
    let (message, _, _) = in_every_tier(engine, &looping("each", "f", 600), |mut vm| {
        seen(&vm.execute().expect_err("a trap"))
    });
    assert!(
        message.ends_with("`main` calls f with 1 arguments, and `f` takes 2"),
        "{message}"
    );
}

#[test]
fn eight_threads_share_an_engine_and_its_module() {
    const THREADS: usize = 8;
    const RUNS: usize = 25;
    let module = module_without(&[]);
    for tier in &TIERS {
        let engine = Engine::builder().function("", "before", |_, _| Ok(Value::Undef));
        let engine = engine.build();
        engine.load(module.clone());
        let unit = engine.unit("main", caller("before", &[150]));
        let run = || {
            let mut vm = engine.vm(&unit);
            (tier.choose)(&mut vm);
            for _ in 0..RUNS {
                vm.reset();
                let result = vm.execute().expect("no trap");
                assert_eq!(result, Some(Value::Int(expected(0, 150))), "{}", tier.name);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(run);
            }
        });
    }
}

/// A chunk with the sub `f`: its argument and `n`.
fn sub_that_adds(n: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    let over = b.emit(Op::Jump(0), 1);
    b.add_sub_entry(f, b.current_pos());
    b.declare_argc(f, 1);
    b.emit(Op::LoadInt(n), 1);
    b.emit(Op::Add, 1);
    b.emit(Op::ReturnValue, 1);
    b.patch_jump(over, b.current_pos());
    b.build()
}

/// A chunk that goes on calling `f` with 0 while that gives 0, and gives what it has given then.
fn until_not_zero() -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    let head = b.emit(Op::LoadInt(0), 1);
    b.emit(Op::Call(f, 1), 1);
    b.emit(Op::Dup, 1);
    let out = b.emit(Op::JumpIfTrue(0), 1);
    b.emit(Op::Pop, 1);
    b.emit(Op::Jump(head), 1);
    b.patch_jump(out, b.current_pos());
    b.build()
}

#[test]
fn other_threads_redefine_what_a_loop_calls() {
    for tier in &TIERS {
        let engine = Engine::new();
        engine.define("", "f", sub_that_adds(0));
        let unit = engine.unit("main", until_not_zero());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                engine.define("", "f", sub_that_adds(7));
            });
            let mut vm = engine.vm(&unit);
            (tier.choose)(&mut vm);
            vm.set_limits(Limits {
                deadline: Some(Duration::from_secs(60)),
                ..Limits::default()
            });
            let result = vm.execute().expect("the new function is met");
            assert_eq!(result, Some(Value::Int(7)), "{}", tier.name);
        });
    }
}

/// A chunk whose code is the function: its argument and `n`, which it adds to a slot that begins as Undef.
fn code_that_adds(n: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    for op in [
        Op::GetSlot(1),
        Op::LoadInt(n),
        Op::Add,
        Op::SetSlot(1),
        Op::GetSlot(0),
        Op::GetSlot(1),
        Op::Add,
    ] {
        b.emit(op, 1);
    }
    b.build()
}

/// A chunk that calls `f` with what that gave last, for so many rounds, and gives the last.
fn rounds_of(rounds: i32) -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    in_rounds(b, rounds, &[Op::GetSlot(1), Op::Call(f, 1), Op::SetSlot(1)])
}

/// A loop over a call into another chunk is entered natively a few times, not once a call.
#[test]
fn functions_of_other_chunks_are_part_of_native_code() {
    const ROUNDS: i32 = 200_000;
    for function in [sub_that_adds(3), code_that_adds(3)] {
        let engine = Engine::new();
        engine.define("", "f", function);
        let unit = engine.unit("main", rounds_of(ROUNDS));
        let mut vm = engine.vm(&unit);
        let result = vm.execute().expect("no trap").expect("a result");
        assert_eq!(result.to_int(), 3 * i64::from(ROUNDS));
        let stats = vm.jit_stats();
        assert_eq!(stats.compiled > 0, cfg!(feature = "jit"), "{stats:?}");
        assert!(stats.entries < 1000, "{stats:?}");
    }
}

/// Code with parts of other chunks outlives the process, and is used beside the same ones only.
#[test]
#[cfg(feature = "jit")]
fn kept_code_finds_its_parts_again() {
    const ROUNDS: i32 = 50_000;
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let run = |function: Chunk| {
        let engine = Engine::builder().native_cache(&cache).build();
        engine.define("", "f", function);
        let unit = engine.unit("main", rounds_of(ROUNDS));
        let mut vm = engine.vm(&unit);
        let result = vm.execute().expect("no trap").expect("a result");
        (result.to_int() / i64::from(ROUNDS), vm.jit_stats())
    };
    for function in [sub_that_adds, code_that_adds] {
        let (result, first) = run(function(3));
        assert_eq!(result, 3);
        assert!(first.compiled > 0 && first.cache.stored > 0, "{first:?}");
        let (result, second) = run(function(3));
        assert_eq!((result, second.compiled), (3, 0), "{second:?}");
        assert!(second.entries > 0 && second.entries < 1000, "{second:?}");
        let (result, other) = run(function(4));
        assert_eq!(result, 4, "{other:?}");
    }
}
