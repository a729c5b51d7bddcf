//! Extension ops that are plain functions: the same in every tier, called by native code without leaving
//! it, or written down for it by their frontend.
#![cfg(feature = "jit")]
#![allow(
    unsafe_code,
    reason = "to write native code is a promise that the compiler can't check"
)]

use fusevm::chunk::{Effect, Import, ImportKind, Touches};
use fusevm::jit::cranelift::FunctionBuilder;
use fusevm::jit::cranelift::ir::{self, InstBuilder};
use fusevm::jit::{JitExtension, JitMode, JitOptions, NativeLowering, PlainFunction};
use fusevm::vm::EngineChoice;
use fusevm::{Chunk, ChunkBuilder, Engine, Op, VM, Value};
use fusevm_kit::tiers::TIERS;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls of `mixed` by address, in all tiers together.
static CALLS: AtomicU64 = AtomicU64::new(0);

extern "C" fn twice(n: i64) -> i64 {
    n.wrapping_mul(2)
}

extern "C" fn mixed(a: i64, b: f64, c: i64) -> f64 {
    CALLS.fetch_add(1, Ordering::Relaxed);
    a as f64 + b * c as f64
}

extern "C" fn seven() -> i64 {
    7
}

/// Says how `twice` is done without a call.
struct Shift;

// SAFETY: it emits one instruction, which is what `twice` does.
unsafe impl NativeLowering for Shift {
    fn lower(&self, b: &mut FunctionBuilder<'_>, arguments: &[ir::Value]) -> ir::Value {
        b.ins().ishl_imm_u(arguments[0], 1)
    }
}

struct Numbers;

impl JitExtension for Numbers {
    fn can_jit(&self, ext_id: u16) -> bool {
        ext_id < 4
    }

    fn op_count(&self) -> usize {
        4
    }

    fn name(&self) -> &str {
        "numbers"
    }

    fn function(&self, ext_id: u16) -> Option<PlainFunction> {
        let twice: extern "C" fn(i64) -> i64 = twice;
        let mixed: extern "C" fn(i64, f64, i64) -> f64 = mixed;
        let seven: extern "C" fn() -> i64 = seven;
        match ext_id {
            0 => Some(twice.into()),
            1 => Some(PlainFunction::from(twice).lowered_by(Shift)),
            2 => Some(mixed.into()),
            3 => Some(seven.into()),
            _ => None,
        }
    }
}

fn import(id: u16, pops: u8) -> Import {
    Import {
        kind: ImportKind::Extension,
        id,
        space: String::new(),
        name: format!("op{id}"),
        effect: Effect::Fixed { pops, pushes: 1 },
        touches: Touches::ARGUMENTS,
    }
}

/// A loop over values of all kinds that gathers what the ops make of them.
fn chunk() -> Chunk {
    let values = [
        Value::Int(5),
        Value::Int(i64::MAX),
        Value::Float(2.5),
        Value::Float(f64::NAN),
        Value::Bool(true),
        Value::Undef,
        Value::str("12"),
        Value::str("words"),
        Value::array(vec![Value::Int(1), Value::Int(2)]),
    ];
    let count = values.len() as i64;
    let mut b = ChunkBuilder::new();
    let (list, results) = (b.add_name("list"), b.add_name("results"));
    for (id, pops) in [(0, 1), (1, 1), (2, 3), (3, 0)] {
        b.declare_import(import(id, pops));
    }
    for value in &values {
        let constant = b.add_constant(value.clone());
        b.emit(Op::LoadConst(constant), 1);
    }
    let mut emit = |ops: &[Op]| {
        for op in ops {
            b.emit(op.clone(), 2);
        }
        b.current_pos()
    };
    let head = emit(&[
        Op::MakeArray(count as u16),
        Op::SetArray(list),
        Op::DeclareArray(results),
        Op::LoadInt(0),
        Op::SetSlot(0),
    ]);
    let index = [Op::GetSlot(0), Op::LoadInt(count), Op::Mod];
    emit(&index);
    emit(&[
        Op::ArrayGet(list),
        Op::Extended(0, 0),
        Op::ArrayPush(results),
    ]);
    emit(&index);
    emit(&[
        Op::ArrayGet(list),
        Op::Extended(1, 0),
        Op::ArrayPush(results),
    ]);
    for _ in 0..3 {
        emit(&index);
        emit(&[Op::ArrayGet(list)]);
    }
    emit(&[Op::Extended(2, 0), Op::Extended(3, 0), Op::Add]);
    emit(&[Op::ArrayPush(results)]);
    emit(&[Op::PreIncSlot(0), Op::LoadInt(count * 3), Op::NumLt]);
    emit(&[Op::JumpIfTrue(head), Op::GetArray(results)]);
    b.build()
}

fn run(engine: &Engine, chunk: Chunk, choose: fn(&mut VM)) -> (String, VM) {
    let mut vm = engine.vm(&engine.unit("main", chunk));
    choose(&mut vm);
    let result = vm.execute().expect("no trap");
    (format!("{result:?} {:?}", vm.stack), vm)
}

#[test]
fn all_tiers_do_the_same() {
    let engine = Engine::builder().jit_extension("", Numbers).build();
    let (expected, _) = run(&engine, chunk(), TIERS[0].choose);
    for tier in &TIERS[1..] {
        let (found, _) = run(&engine, chunk(), tier.choose);
        assert_eq!(found, expected, "{}", tier.name);
    }
    assert!(CALLS.load(Ordering::Relaxed) > 0);
}

/// Adds what an op makes of a counter.
fn hot_loop(id: u16) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.declare_import(import(id, 1));
    for op in [
        Op::LoadInt(0),
        Op::SetSlot(0),
        Op::GetSlot(0),
        Op::GetSlot(1),
        Op::Extended(id, 0),
        Op::Add,
        Op::SetSlot(0),
        Op::SlotIncLtIntJumpBack(1, 10_000, 2),
        Op::GetSlot(0),
    ] {
        b.emit(op, 1);
    }
    b.build()
}

#[test]
fn native_code_is_not_left() {
    let engine = Engine::builder()
        .jit_extension("", Numbers)
        .engine(EngineChoice::Register)
        .jit(JitOptions {
            mode: JitMode::Eager,
            ..JitOptions::default()
        })
        .build();
    for id in [0, 1] {
        let (result, vm) = run(&engine, hot_loop(id), |_| ());
        assert!(result.starts_with("Some(Int(99990000))"), "{result}");
        let stats = vm.jit_stats();
        assert!(stats.entries > 0 && stats.exits < 50, "op {id}: {stats:?}");
    }
}

#[test]
fn what_declares_another_effect_is_no_function() {
    let mut chunk = hot_loop(0);
    chunk.imports[0].effect = Effect::Fixed { pops: 2, pushes: 1 };
    let engine = Engine::builder().jit_extension("", Numbers).build();
    let mut vm = engine.vm(&engine.unit("main", chunk));
    assert!(vm.execute().is_err());
}

#[test]
fn other_name_spaces_have_their_own() {
    let engine = Engine::builder().jit_extension("other", Numbers).build();
    let mut vm = engine.vm(&engine.unit("main", hot_loop(0)));
    let trap = vm.execute().expect_err("nobody provides the op");
    assert_eq!(trap.code(), fusevm::code::Code::MissingImport);
    let mut chunk = hot_loop(0);
    chunk.imports[0].space = "other".to_owned();
    let mut vm = engine.vm(&engine.unit("main", chunk));
    assert_eq!(vm.execute().unwrap(), Some(Value::Int(99_990_000)));
}
