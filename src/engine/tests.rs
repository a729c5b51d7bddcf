//! Do VMs of an engine reach functions, handlers and globals as they should?

use super::*;
use crate::chunk::{ChunkBuilder, Effect, Import, ImportKind, Signature, Touches};
use crate::code::Code;
use crate::op::Op;
use Op::*;

/// A chunk of these ops and names, on line 1, 2, 3 and so on.
fn chunk(names: &[&str], ops: &[Op]) -> Chunk {
    with_sub(names, ops, None, &[])
}

/// The same with a sub behind its ops, which jump over it.
fn with_sub(names: &[&str], main: &[Op], sub: Option<u16>, ops: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for name in names {
        b.add_name(name);
    }
    let mut line = 0;
    let mut emit = |b: &mut ChunkBuilder, op: &Op| {
        line += 1;
        b.emit(op.clone(), line)
    };
    for op in main {
        emit(&mut b, op);
    }
    if let Some(name) = sub {
        let over = emit(&mut b, &Jump(0));
        b.add_sub_entry(name, b.current_pos());
        for op in ops {
            emit(&mut b, op);
        }
        b.patch_jump(over, b.current_pos());
    }
    b.build()
}

/// A function of one argument, as a chunk with a sub of its name.
fn function(name: &str, ops: &[Op]) -> Chunk {
    with_sub(&[name], &[], Some(0), ops)
}

fn run(engine: &Engine, main: Chunk) -> Value {
    let unit = engine.unit("main", main);
    let result = engine.vm(&unit).execute();
    result.expect("no trap").unwrap_or_default()
}

fn trap(engine: &Engine, main: Chunk) -> crate::vm::Trap {
    let unit = engine.unit("main", main);
    engine.vm(&unit).execute().expect_err("a trap")
}

#[test]
fn a_function_is_a_sub_of_its_name_or_the_whole_chunk() {
    let engine = Engine::new();
    engine.define(
        "",
        "double",
        function("double", &[LoadInt(2), Mul, ReturnValue]),
    );
    engine.define("", "third", chunk(&[], &[GetSlot(2)]));
    let main = chunk(
        &["double", "third"],
        &[
            LoadInt(4),
            Call(0, 1),
            LoadInt(5),
            LoadInt(6),
            LoadInt(7),
            Call(1, 3),
            Add,
        ],
    );
    assert_eq!(run(&engine, main), Value::Int(15));
}

#[test]
fn a_function_gives_what_its_caller_expects() {
    let engine = Engine::new();
    engine.define("", "nothing", function("nothing", &[Return]));
    engine.define(
        "",
        "something",
        function("something", &[LoadInt(9), ReturnValue]),
    );
    assert_eq!(
        run(&engine, chunk(&["nothing"], &[LoadInt(1), Call(0, 0)])),
        Value::Undef
    );
    let mut b = ChunkBuilder::new();
    let name = b.add_name("something");
    b.declare_import(Import {
        effect: Effect::Arguments { pushes: 0 },
        ..Import::undeclared(ImportKind::Function, 0, "something")
    });
    b.emit(LoadInt(1), 1);
    b.emit(Call(name, 0), 1);
    assert_eq!(run(&engine, b.build()), Value::Int(1));
}

#[test]
fn globals_are_shared_by_name() {
    let engine = Engine::new();
    engine.define(
        "",
        "count",
        chunk(&["unused", "n"], &[GetVar(1), LoadInt(1), Add, SetVar(1)]),
    );
    let main = chunk(
        &["n", "count"],
        &[
            LoadInt(40),
            SetVar(0),
            Call(1, 0),
            Pop,
            Call(1, 0),
            Pop,
            GetVar(0),
        ],
    );
    let unit = engine.unit("main", main);
    let mut vm = engine.vm(&unit);
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(42)));
    assert_eq!(vm.globals[0], Value::Int(42));
    assert_eq!(vm.global("n"), Some(&Value::Int(42)));
    assert_eq!(vm.global("no such"), None);
}

#[test]
fn globals_of_other_chunks_stand_behind_the_first_ones() {
    let engine = Engine::new();
    engine.define("", "set", chunk(&["new"], &[LoadInt(5), SetVar(0)]));
    engine.define("", "get", chunk(&["a", "new"], &[GetVar(1)]));
    let main = chunk(&["set", "get"], &[Call(0, 0), Pop, Call(1, 0)]);
    assert_eq!(run(&engine, main), Value::Int(5));
}

#[test]
fn a_redefinition_counts_from_the_next_call_on() {
    let engine = Engine::builder()
        .function("", "redefine", |vm, _| {
            let engine = vm.engine().ok_or("no engine")?.clone();
            engine.define("", "f", chunk(&[], &[LoadInt(2)]));
            Ok(Value::Undef)
        })
        .build();
    // The one that runs goes on to its end.
    engine.define(
        "",
        "f",
        chunk(&["redefine"], &[Call(0, 0), Pop, LoadInt(1)]),
    );
    let main = chunk(&["f"], &[Call(0, 0), LoadInt(10), Mul, Call(0, 0), Add]);
    assert_eq!(run(&engine, main), Value::Int(12));
    assert!(engine.undefine("", "f"));
    assert!(!engine.undefine("", "f"));
}

#[test]
fn a_missing_function_is_named_with_its_caller() {
    let engine = Engine::new();
    let trap = trap(&engine, chunk(&["gone"], &[Call(0, 0)]));
    assert_eq!(trap.code(), Code::UnknownSub);
    assert!(
        trap.message().contains("gone") && trap.message().contains("`main`"),
        "{trap}"
    );
    let unit = engine.unit("main", chunk(&["gone"], &[Call(0, 0)]));
    let missing: Vec<String> = engine
        .missing(&unit)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(missing, ["function `gone`"]);
}

#[test]
fn a_wrong_count_of_arguments_names_both_sides() {
    let engine = Engine::new();
    let mut b = ChunkBuilder::new();
    let name = b.add_name("f");
    b.declare_argc(name, 2);
    let over = b.emit(Jump(0), 1);
    b.add_sub_entry(name, b.current_pos());
    b.emit(Add, 1);
    b.emit(ReturnValue, 1);
    b.patch_jump(over, b.current_pos());
    engine.define("lib", "f", b.build());
    let mut b = ChunkBuilder::new();
    let name = b.add_name("f");
    b.declare_import(Import {
        space: "lib".to_owned(),
        ..Import::undeclared(ImportKind::Function, 0, "f")
    });
    b.emit(LoadInt(1), 1);
    b.emit(Call(name, 1), 1);
    let trap = trap(&engine, b.build());
    assert_eq!(trap.code(), Code::ImportMismatch);
    assert_eq!(
        trap.message(),
        "`main` calls f with 1 arguments, and `lib::f` takes 2"
    );
}

#[test]
fn a_trap_lists_calls_over_chunks() {
    let engine = Engine::new();
    engine.define("", "outer", chunk(&["inner"], &[Nop, Call(0, 0)]));
    engine.define(
        "",
        "inner",
        with_sub(&["inner", "deep"], &[], Some(0), &[Call(1, 0)]),
    );
    let trap = trap(&engine, chunk(&["outer"], &[Nop, Nop, Call(0, 0)]));
    let site = |site: &crate::vm::CallSite| (site.source.clone(), site.line, site.sub.clone());
    assert_eq!(
        site(trap.site()),
        ("inner".into(), Some(2), Some("inner".into()))
    );
    let callers: Vec<_> = trap.callers().iter().map(site).collect();
    let expected = [
        ("outer".into(), Some(2), Some("outer".into())),
        ("main".into(), Some(3), None),
    ];
    assert_eq!(callers, expected);
}

#[test]
fn names_and_numbers_of_spaces_dont_collide() {
    let engine = Engine::builder()
        .builtin("a", 1u16, |_, _| Ok(Value::str("a1")))
        .builtin("b", 1u16, |_, _| Ok(Value::str("b1")))
        .builtin("b", "x", |_, _| Ok(Value::str("bx")))
        .builtin_fn(1, |_, _| Value::str("1"))
        .extension("a", 1u16, |vm, arg| {
            vm.push(Value::Int(i64::from(arg)));
            Ok(())
        })
        .build();
    let call = |space: &str, name: &str| {
        let mut b = ChunkBuilder::new();
        b.declare_import(Import {
            space: space.to_owned(),
            name: name.to_owned(),
            ..Import::undeclared(ImportKind::Builtin, 1, "")
        });
        b.emit(CallBuiltin(1, 0), 1);
        run(&engine, b.build()).to_str()
    };
    assert_eq!(
        [call("a", ""), call("b", ""), call("b", "x"), call("", "")],
        ["a1", "b1", "bx", "1"]
    );
    let mut b = ChunkBuilder::new();
    b.declare_import(Import {
        kind: ImportKind::Extension,
        id: 1,
        space: "a".to_owned(),
        name: String::new(),
        effect: Effect::Fixed { pops: 0, pushes: 1 },
        touches: Touches::ARGUMENTS,
    });
    b.emit(Extended(1, 7), 1);
    assert_eq!(run(&engine, b.build()), Value::Int(7));
}

#[test]
fn a_failure_of_a_handler_is_a_trap() {
    let engine = Engine::builder()
        .builtin("", 0u16, |_, _| Err("out of paper".into()))
        .build();
    let trap = trap(&engine, chunk(&[], &[CallBuiltin(0, 0)]));
    assert_eq!(
        (trap.code(), trap.message()),
        (Code::HandlerFailed, "out of paper")
    );
}

#[test]
fn a_handler_calls_back_by_name() {
    let engine = Engine::builder()
        .function("", "twice", |vm, _| {
            let value = vm.pop();
            let once = vm.call_sub("f", [value]).map_err(Failure::new)?;
            let twice = vm.call_sub("f", once).map_err(Failure::new)?;
            twice.ok_or("f gives nothing".into())
        })
        .build();
    engine.define("", "f", function("f", &[LoadInt(3), Mul, ReturnValue]));
    let main = chunk(&["twice"], &[LoadInt(5), Call(0, 1)]);
    assert_eq!(run(&engine, main), Value::Int(45));
}

#[test]
fn text_is_compiled_at_run_time_and_shares_globals() {
    let engine = Engine::builder()
        .compiler(|request| match request {
            CompileRequest::Text { text, .. } => {
                let number = text.parse::<i64>().map_err(Failure::new)?;
                Ok(Some(chunk(&["n"], &[LoadInt(number), Dup, SetVar(0)])))
            }
            CompileRequest::Function { name: "auto", .. } => Ok(Some(chunk(&[], &[LoadInt(8)]))),
            CompileRequest::Function { .. } => Ok(None),
        })
        .build();
    let unit = engine.unit("main", chunk(&["n", "auto"], &[Call(1, 0)]));
    let mut vm = engine.vm(&unit);
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(8)));
    for n in 0..1000 {
        assert_eq!(
            vm.eval("text", &n.to_string()).unwrap(),
            Some(Value::Int(n))
        );
    }
    assert_eq!(vm.global("n"), Some(&Value::Int(999)));
    assert_eq!(
        vm.eval("text", "?").unwrap_err().code(),
        Code::HandlerFailed
    );
}

#[test]
fn a_call_out_of_a_block_comes_back_into_it() {
    let engine = Engine::new();
    engine.define("", "square", function("square", &[Dup, Mul, ReturnValue]));
    let mut b = ChunkBuilder::new();
    let name = b.add_name("square");
    for op in [LoadInt(1), LoadInt(3), Range, MapBlock(0)] {
        b.emit(op, 1);
    }
    let over = b.emit(Jump(0), 1);
    let start = b.current_pos();
    b.emit(Call(name, 1), 2);
    b.emit(Inc, 2);
    b.add_block_range(start, b.current_pos());
    b.patch_jump(over, b.current_pos());
    assert_eq!(run(&engine, b.build()).to_str(), "2 5 10");
}

#[test]
fn a_vm_is_used_again() {
    let engine = Engine::new();
    engine.define("", "f", chunk(&["n"], &[GetVar(0), Inc, Dup, SetVar(0)]));
    let unit = engine.unit("main", chunk(&["f"], &[Call(0, 0), Pop, Call(0, 0)]));
    let mut vm = engine.vm(&unit);
    for _ in 0..3 {
        assert_eq!(vm.execute().unwrap(), Some(Value::Int(2)));
        vm.reset();
    }
    let broken = engine.unit("main", chunk(&["f", "gone"], &[Call(0, 0), Call(1, 0)]));
    let mut vm = engine.vm(&broken);
    for _ in 0..3 {
        assert!(vm.execute().is_err());
        vm.reset();
        assert!(vm.frames.len() == 1 && vm.stack.is_empty());
    }
}

#[test]
fn recursion_over_chunks_has_the_limits_of_any_other() {
    let limits = Limits {
        max_depth: 1000,
        ..Limits::default()
    };
    let engine = Engine::builder().limits(limits).build();
    engine.define("", "ping", function("ping", &[Call(1, 0), ReturnValue]));
    let ping = with_sub(&["ping", "pong"], &[], Some(0), &[Call(1, 0), ReturnValue]);
    engine.define("", "ping", ping.clone());
    engine.define(
        "",
        "pong",
        with_sub(&["pong", "ping"], &[], Some(0), &[Call(1, 0), ReturnValue]),
    );
    let trap = trap(&engine, chunk(&["ping"], &[Call(0, 0)]));
    assert_eq!(trap.code(), Code::TooDeep);
    assert_eq!(trap.callers().len() + trap.omitted_callers(), 1000);
}

#[test]
fn threads_share_an_engine() {
    let engine = Engine::builder()
        .builtin("", 3u16, |vm, _| Ok(Value::Int(vm.pop().to_int() + 1)))
        .build();
    engine.define("", "f", function("f", &[CallBuiltin(3, 1), ReturnValue]));
    let unit = engine.unit("main", chunk(&["f"], &[LoadInt(41), Call(0, 1)]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let result = engine.vm(&unit).execute();
                    assert_eq!(result.unwrap(), Some(Value::Int(42)));
                }
            });
        }
    });
}

/// A loop that calls `f` with 0 to 999, and what a run of it counts in the register engine.
fn counted(f: Chunk) -> crate::vm::Stats {
    let engine = Engine::builder()
        .engine(crate::vm::EngineChoice::Register)
        .build();
    engine.define("", "f", f);
    let main = chunk(
        &["f"],
        &[
            GetSlot(0),
            Call(0, 1),
            SetSlot(0),
            SlotLtIntJumpIfFalse(0, 1000, 5),
            Jump(0),
            GetSlot(0),
        ],
    );
    let unit = engine.unit("main", main);
    let mut vm = engine.vm(&unit);
    vm.set_counting(true);
    assert_eq!(vm.execute().expect("no trap"), Some(Value::Int(1000)));
    *vm.stats().expect("counted")
}

#[test]
fn calls_between_chunks_stay_in_the_engine() {
    let sub = function("f", &[SetSlot(0), GetSlot(0), Inc, ReturnValue]);
    let sub = Chunk {
        signatures: vec![Signature { name: 0, argc: 1 }],
        ..sub
    };
    for f in [sub, chunk(&[], &[GetSlot(0), Inc])] {
        let stats = counted(f);
        assert!(stats.ops < 20 && stats.calls == 1000, "{stats:?}");
    }
}
