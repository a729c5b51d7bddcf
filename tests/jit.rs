//! Native code where it is easiest to get wrong: kinds that change, guards that fail, limits that are
//! hit, depth, interrupts. What it gives is held against the other tiers.
#![cfg(feature = "jit")]

use fusevm::Op::*;
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::{EngineChoice, Limits};
use fusevm::{Chunk, ChunkBuilder, Op, VM, Value};
use fusevm_kit::tiers::{Setup, compare};
use std::time::{Duration, Instant};

/// Values of every kind that constants can have, with the edges of numbers.
fn kinds() -> Vec<Value> {
    let mut kinds = vec![
        Value::Int(0),
        Value::Int(7),
        Value::Int(-1),
        Value::Int(i64::MAX),
        Value::Int(i64::MIN),
        Value::Float(0.0),
        Value::Float(-0.0),
        Value::Float(2.5),
        Value::Float(1e300),
        Value::Float(f64::NAN),
        Value::Float(f64::NEG_INFINITY),
        Value::Undef,
        Value::Bool(true),
        Value::Bool(false),
    ];
    kinds.extend(["", "0", "12", "-3.5", "words"].map(Value::str));
    kinds
}

fn emit(b: &mut ChunkBuilder, ops: &[Op]) {
    for op in ops {
        let line = b.current_pos() as u32 + 1;
        b.emit(op.clone(), line);
    }
}

/// Ops that put an array of these values into the global.
fn make_array(b: &mut ChunkBuilder, values: &[Value], global: u16) {
    for value in values {
        let constant = b.add_constant(value.clone());
        emit(b, &[LoadConst(constant)]);
    }
    emit(b, &[MakeArray(values.len() as u16), SetArray(global)]);
}

/// A loop over all pairs of kinds that pushes what `ops` make of slots 2 and 3.
fn over_pairs(ops: &[Op]) -> Chunk {
    over_pairs_of(&kinds(), ops)
}

/// The same over all pairs of these values.
fn over_pairs_of(values: &[Value], ops: &[Op]) -> Chunk {
    let count = values.len() as i64;
    let mut b = ChunkBuilder::new();
    let (list, results) = (b.add_name("list"), b.add_name("results"));
    make_array(&mut b, values, list);
    emit(&mut b, &[DeclareArray(results), LoadInt(0), SetSlot(0)]);
    let outer = b.current_pos();
    emit(&mut b, &[LoadInt(0), SetSlot(1)]);
    let inner = b.current_pos();
    emit(&mut b, &[GetSlot(0), ArrayGet(list), SetSlot(2)]);
    emit(&mut b, &[GetSlot(1), ArrayGet(list), SetSlot(3)]);
    emit(&mut b, ops);
    emit(&mut b, &[ArrayPush(results)]);
    emit(&mut b, &[PreIncSlot(1), LoadInt(count), NumLt]);
    emit(&mut b, &[JumpIfTrue(inner)]);
    emit(&mut b, &[PreIncSlot(0), LoadInt(count), NumLt]);
    emit(&mut b, &[JumpIfTrue(outer), GetArray(results)]);
    b.build()
}

/// The same within a sub that gets the pair as arguments.
fn over_pairs_in_a_sub(ops: &[Op]) -> Chunk {
    // The third name: the first two are the arrays'.
    const NAME: u16 = 2;
    let mut chunk = over_pairs(&[GetSlot(2), GetSlot(3), Call(NAME, 2)]);
    chunk.names.push("f".into());
    let entry = chunk.ops.len() + 1;
    chunk.sub_entries.push((NAME, entry));
    let end = entry + 2 + ops.len() + 1;
    let body = [SetSlot(3), SetSlot(2)].into_iter();
    let body = body.chain(ops.iter().cloned()).chain([ReturnValue]);
    chunk.ops.push(Jump(end));
    chunk.ops.extend(body);
    chunk.lines.resize(chunk.ops.len(), 1);
    chunk
}

fn agree(chunk: &Chunk, fuel: u64) {
    if let Err(difference) = compare(chunk, &Setup::generated(fuel)) {
        panic!("{difference}");
    }
}

/// Every op with two operands that are numbers, strings or truths.
fn binary_ops() -> Vec<Op> {
    vec![
        Add, Sub, Mul, Div, Mod, Pow, NumEq, NumNe, NumLt, NumGt, NumLe, NumGe, Spaceship, LogAnd,
        LogOr, BitAnd, BitOr, BitXor, Shl, Shr, Concat, StrEq, StrLt, StrCmp,
    ]
}

#[test]
fn binary_ops_on_pairs_of_kinds() {
    for op in binary_ops() {
        agree(&over_pairs(&[GetSlot(2), GetSlot(3), op.clone()]), 5000);
        agree(
            &over_pairs_in_a_sub(&[GetSlot(2), GetSlot(3), op.clone()]),
            5000,
        );
        for k in [LoadInt(3), LoadInt(0), LoadInt(-1), LoadFloat(2.5)] {
            agree(&over_pairs(&[GetSlot(2), k.clone(), op.clone()]), 5000);
            agree(&over_pairs(&[k, GetSlot(3), op.clone()]), 5000);
        }
    }
}

#[test]
fn unary_ops_on_all_kinds() {
    for op in [Negate, LogNot, BitNot, Inc, Dec, StringLen] {
        agree(&over_pairs(&[GetSlot(3), op.clone()]), 5000);
        agree(&over_pairs_in_a_sub(&[GetSlot(2), op]), 5000);
    }
}

/// A sum over an array in which the kind changes again and again.
fn changing_sum() -> Chunk {
    let count = kinds().len() as i64;
    let mut b = ChunkBuilder::new();
    let list = b.add_name("list");
    make_array(&mut b, &kinds(), list);
    emit(&mut b, &[LoadInt(0), SetSlot(0), LoadInt(0), SetSlot(1)]);
    let head = b.current_pos();
    emit(&mut b, &[GetSlot(0), GetSlot(1), LoadInt(count), Mod]);
    emit(&mut b, &[ArrayGet(list), Add, SetSlot(0)]);
    emit(&mut b, &[PreIncSlot(1), LoadInt(200), NumLt]);
    emit(&mut b, &[JumpIfTrue(head), GetSlot(0)]);
    b.build()
}

#[test]
fn guards_fail_in_turn() {
    agree(&changing_sum(), 5000);
}

#[test]
fn fuel_runs_out_at_the_same_places() {
    let chunk = over_pairs_in_a_sub(&[GetSlot(2), GetSlot(3), Add]);
    for fuel in 0..300 {
        agree(&changing_sum(), fuel);
        agree(&chunk, fuel);
    }
}

/// `f(n)` is 0 for 0, else `f(n - 1) + 1`.
fn recursion(depth: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    emit(&mut b, &[LoadInt(depth), Call(f, 1)]);
    let end = b.emit(Jump(0), 1);
    let entry = b.current_pos();
    b.add_sub_entry(f, entry);
    emit(&mut b, &[SetSlot(0), GetSlot(0), JumpIfTrue(entry + 5)]);
    emit(&mut b, &[LoadInt(0), ReturnValue]);
    emit(&mut b, &[GetSlot(0), LoadInt(1), Sub, Call(f, 1)]);
    emit(&mut b, &[LoadInt(1), Add, ReturnValue]);
    let here = b.current_pos();
    b.patch_jump(end, here);
    b.build()
}

/// A sub that adds its argument to itself, called with values of these kinds, in turn and many times.
fn called_with(kinds: &[Value], rounds: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let (list, f) = (b.add_name("list"), b.add_name("f"));
    let results = b.add_name("results");
    for value in kinds {
        let constant = b.add_constant(value.clone());
        emit(&mut b, &[LoadConst(constant)]);
    }
    let count = kinds.len() as i64;
    emit(&mut b, &[MakeArray(count as u16), SetArray(list)]);
    emit(&mut b, &[DeclareArray(results), LoadInt(0), SetSlot(0)]);
    let head = b.current_pos();
    // Many calls with each kind before the next one comes.
    emit(&mut b, &[GetSlot(0), LoadInt(rounds), Div, Inc, Dec]);
    emit(&mut b, &[ArrayGet(list), Call(f, 1), ArrayPush(results)]);
    emit(&mut b, &[PreIncSlot(0), LoadInt(count * rounds), NumLt]);
    emit(&mut b, &[JumpIfTrue(head), GetArray(results)]);
    let end = b.emit(Jump(0), 1);
    let entry = b.current_pos();
    b.add_sub_entry(f, entry);
    emit(&mut b, &[Dup, Add, ReturnValue]);
    let here = b.current_pos();
    b.patch_jump(end, here);
    b.build()
}

#[test]
fn a_sub_is_called_with_one_kind_after_the_other() {
    let three = [Value::Int(21), Value::Float(1.5), Value::str("7")];
    for rounds in [1, 2, 300] {
        agree(&called_with(&three, rounds), 50_000);
        agree(&called_with(&kinds(), rounds), 50_000);
    }
}

fn eager(chunk: Chunk) -> VM {
    let mut vm = VM::new(chunk);
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        ..JitOptions::default()
    });
    vm
}

#[test]
fn calls_go_a_million_deep() {
    let mut vm = eager(recursion(999_999));
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(999_999)));
    let stats = vm.jit_stats();
    assert!(stats.compiled > 0 && stats.entries > 0, "{stats:?}");
    let mut vm = eager(recursion(1_000_000));
    let trap = vm.execute().unwrap_err();
    assert_eq!(trap.code(), fusevm::code::Code::TooDeep);
}

#[test]
fn signs_of_squares_and_roots() {
    let floats = [0.0, -0.0, 2.5, -3.0, 1e300, f64::NAN, f64::NEG_INFINITY];
    let floats = floats.map(Value::Float);
    let square = [GetSlot(2), GetSlot(2), Mul];
    let sum = [&square[..], &[GetSlot(3), GetSlot(3), Mul, Add]].concat();
    let product = [GetSlot(2), GetSlot(3), Mul];
    let other_sum = [&square[..], &[GetSlot(3), Add]].concat();
    for number in [&square[..], &sum, &product, &other_sum] {
        let root = [number, &[LoadFloat(0.5), Pow]].concat();
        let inverse = [&[LoadFloat(1.0)], number, &[Div]].concat();
        let of_root = [&[LoadFloat(1.0)], &root[..], &[Div]].concat();
        let twice = [&root[..], &root, &[Mul, LoadFloat(0.5), Pow]].concat();
        for ops in [root, inverse, of_root, twice] {
            agree(&over_pairs_of(&floats, &ops), 5000);
        }
    }
}

/// A loop that sums what a hash has for a text and the round's number behind it: entries for some of the
/// numbers, of which some are no scalars; for a while the global is no hash.
fn looked_up_by_joined_keys(text: &str) -> Chunk {
    const ROUNDS: i32 = 30;
    let mut b = ChunkBuilder::new();
    let (table, results) = (b.add_name("table"), b.add_name("results"));
    let text = b.add_constant(Value::str(text));
    let key = [LoadConst(text), GetSlot(0), Concat];
    let string = b.add_constant(Value::str("a string"));
    emit(&mut b, &[DeclareArray(results), LoadInt(0), SetSlot(1)]);
    let outer = b.current_pos();
    emit(&mut b, &[LoadInt(-3), SetSlot(0)]);
    let inner = b.current_pos();
    emit(&mut b, &key);
    emit(&mut b, &[HashGet(table), SetSlot(2)]);
    // The hash lets go of the value that the slot has.
    emit(&mut b, &[GetSlot(0)]);
    emit(&mut b, &key);
    emit(&mut b, &[HashSet(table)]);
    emit(&mut b, &[GetSlot(2), ArrayPush(results)]);
    emit(&mut b, &key);
    emit(&mut b, &[HashGet(table), LoadInt(1), Add, SetSlot(3)]);
    emit(&mut b, &[GetSlot(3), ArrayPush(results)]);
    emit(&mut b, &[SlotIncLtIntJumpBack(0, ROUNDS, inner)]);
    // What was found last is a string that the hash alone has made room for.
    emit(
        &mut b,
        &[DeclareHash(table), GetSlot(2), ArrayPush(results)],
    );
    // What the next rounds find.
    emit(&mut b, &[LoadInt(0), SetSlot(0)]);
    let fill = b.current_pos();
    let made = vec![LoadConst(string), GetSlot(0), Concat];
    for value in [vec![GetSlot(0)], made, vec![LoadTrue]] {
        emit(&mut b, &value);
        emit(&mut b, &key);
        emit(&mut b, &[HashSet(table), PreIncSlotVoid(0)]);
    }
    emit(&mut b, &[SlotIncLtIntJumpBack(0, ROUNDS, fill)]);
    emit(&mut b, &[SlotIncLtIntJumpBack(1, 3, outer)]);
    // What was found last is a string that the hash made room for alone.
    emit(
        &mut b,
        &[DeclareHash(table), GetSlot(2), ArrayPush(results)],
    );
    emit(&mut b, &[GetArray(results)]);
    b.build()
}

#[test]
fn keys_are_looked_up_before_they_are_made() {
    for len in [0, 3, 23, 24, 60, 61, 62, 63, 64, 200] {
        let chunk = looked_up_by_joined_keys(&"k".repeat(len));
        for fuel in [40, 100, 150, 200, 5000] {
            agree(&chunk, fuel);
        }
    }
}

/// A string that is no text keeps a text to show beside its bytes, which has to go when it gets longer.
#[test]
fn what_was_shown_of_a_string_is_forgotten_when_it_grows() {
    const ROUNDS: i64 = 10;
    const APPENDS: i64 = 300;
    let mut b = ChunkBuilder::new();
    let bytes = b.add_constant(Value::Str(fusevm::value::Str::from(vec![0xff; 30])));
    let piece = b.add_constant(Value::str("y"));
    emit(&mut b, &[LoadConst(bytes), SetSlot(0)]);
    emit(&mut b, &[LoadInt(0), SetSlot(1), LoadInt(0), SetSlot(2)]);
    let outer = b.current_pos();
    emit(&mut b, &[LoadInt(0), SetSlot(3)]);
    let inner = b.current_pos();
    emit(&mut b, &[GetSlot(0), LoadConst(piece), Concat, SetSlot(0)]);
    emit(&mut b, &[SlotIncLtIntJumpBack(3, APPENDS as i32, inner)]);
    emit(&mut b, &[GetSlot(0), CallBuiltin(5, 1)]);
    emit(&mut b, &[GetSlot(2), Add, SetSlot(2)]);
    emit(&mut b, &[SlotIncLtIntJumpBack(1, ROUNDS as i32, outer)]);
    emit(&mut b, &[GetSlot(2)]);
    let mut vm = eager(b.build());
    vm.register_builtin(5, |vm, _| match vm.pop() {
        Value::Str(text) => Value::Int(text.as_str().len() as i64),
        other => other,
    });
    // Each byte that can't be read is shown as three.
    let shown = (1..=ROUNDS).map(|round| 90 + round * APPENDS);
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(shown.sum())));
    let stats = vm.jit_stats();
    assert!(stats.compiled > 0 && stats.entries > 0, "{stats:?}");
}

#[test]
fn an_interrupt_ends_a_native_loop() {
    let mut b = ChunkBuilder::new();
    emit(&mut b, &[PreIncSlotVoid(0), Jump(0)]);
    let mut vm = eager(b.build());
    let handle = vm.interrupt_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.interrupt();
    });
    let began = Instant::now();
    let trap = vm.execute().unwrap_err();
    assert_eq!(trap.code(), fusevm::code::Code::Interrupted);
    assert!(began.elapsed() < Duration::from_secs(20));
    thread.join().unwrap();
}

#[test]
fn deadlines_hold_in_native_loops() {
    let mut b = ChunkBuilder::new();
    emit(&mut b, &[PreIncSlotVoid(0), Jump(0)]);
    let mut vm = eager(b.build());
    vm.set_limits(Limits {
        deadline: Some(Duration::from_millis(30)),
        ..Limits::default()
    });
    let trap = vm.execute().unwrap_err();
    assert_eq!(trap.code(), fusevm::code::Code::Deadline);
}

#[test]
fn what_is_off_or_too_large_is_not_compiled() {
    for options in [
        JitOptions {
            mode: JitMode::Off,
            ..JitOptions::default()
        },
        JitOptions {
            mode: JitMode::Eager,
            budget: 1,
            ..JitOptions::default()
        },
    ] {
        let mut vm = eager(recursion(10));
        vm.set_jit(options);
        assert_eq!(vm.execute().unwrap(), Some(Value::Int(10)));
        assert_eq!(vm.jit_stats().compiled, 0);
    }
}

/// Loops of `rounds` rounds, so many behind each other, each adding 1 to slot 1.
fn loops(count: usize, rounds: i32) -> Chunk {
    let mut b = ChunkBuilder::new();
    emit(&mut b, &[LoadInt(0), SetSlot(1)]);
    for _ in 0..count {
        emit(&mut b, &[LoadInt(0), SetSlot(0)]);
        let head = b.current_pos();
        emit(&mut b, &[GetSlot(1), LoadInt(1), Add, SetSlot(1)]);
        emit(&mut b, &[SlotIncLtIntJumpBack(0, rounds, head)]);
    }
    emit(&mut b, &[GetSlot(1)]);
    b.build()
}

#[test]
fn what_is_larger_than_the_budget_is_compiled_in_pieces() {
    let mut vm = eager(loops(100, 3));
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        budget: 100,
        ..JitOptions::default()
    });
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(300)));
    let stats = vm.jit_stats();
    assert!(stats.compiled > 2 && stats.declined == 0, "{stats:?}");
    assert!(stats.instructions > 100, "{stats:?}");
}

#[test]
fn a_hot_loop_of_a_large_program_is_compiled_without_the_rest() {
    let mut b = ChunkBuilder::new();
    emit(&mut b, &[PreIncSlotVoid(0)]);
    let head = b.current_pos();
    emit(&mut b, &[SlotIncLtIntJumpBack(1, 100_000, head)]);
    for _ in 0..20_000 {
        emit(&mut b, &[PreIncSlotVoid(0)]);
    }
    emit(&mut b, &[GetSlot(0)]);
    let mut vm = VM::new(b.build());
    vm.set_engine(EngineChoice::Register);
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(20_001)));
    let stats = vm.jit_stats();
    assert!(stats.compiled == 1 && stats.declined == 0, "{stats:?}");
    assert!(stats.instructions < 5000, "{stats:?}");
}

#[test]
fn what_is_made_quickly_is_made_well_when_it_has_run_for_a_while() {
    let compiled_in = |rounds| {
        let mut vm = VM::new(loops(1, rounds));
        vm.set_engine(EngineChoice::Register);
        vm.set_jit(JitOptions {
            threshold: 1,
            ..JitOptions::default()
        });
        assert_eq!(vm.execute().unwrap(), Some(Value::Int(rounds.into())));
        vm.jit_stats().compiled
    };
    assert_eq!(compiled_in(10_000), 1);
    assert_eq!(compiled_in(3_000_000), 2);
}
