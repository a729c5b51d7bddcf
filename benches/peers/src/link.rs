//! `link`: what an engine shared by many VMs costs: VMs, calls between chunks, threads.

use crate::{
    clock::{cpu_ns, median, time},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::engine::Unit;
use fusevm::format::{Entry, Module, ModuleWriter};
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::EngineChoice;
use fusevm::{Chunk, ChunkBuilder, Engine, Op, Value};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

/// Builtins that a shell registers.
const BUILTINS: u16 = 136;
/// Runs of each short measurement; their median is the figure.
const ROUNDS: usize = 25;
/// Functions of the large module.
const FUNCTIONS: usize = 1000;
/// Runs over all threads together.
const RUNS: usize = 100_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Runs of the shared program over all threads together.
    #[arg(long, default_value_t = RUNS)]
    runs: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let mut rows = vm_cost()?;
    for (name, choice, jit) in [
        ("reference", EngineChoice::Reference, JitMode::Off),
        ("register", EngineChoice::Register, JitMode::Off),
        (
            "register with the JIT",
            EngineChoice::Register,
            JitMode::Auto,
        ),
    ] {
        rows.extend(call_cost(name, choice, jit)?);
    }
    rows.extend(many_functions()?);
    rows.extend(threads(arguments.runs)?);
    Ok(rows)
}

/// An engine with as many builtins as a shell has.
fn shell_engine() -> Engine {
    let builder = (0..BUILTINS).fold(Engine::builder(), |builder, id| {
        builder.builtin("", id, move |_, _| Ok(Value::Int(i64::from(id))))
    });
    builder.build()
}

fn vm_cost() -> anyhow::Result<Vec<Row>> {
    let engine = shell_engine();
    let mut b = ChunkBuilder::new();
    b.emit(Op::CallBuiltin(135, 0), 1);
    let unit = engine.unit("main", b.build());
    let mut vm = engine.vm(&unit);
    ensure!(
        vm.execute()? == Some(Value::Int(135)),
        "the builtin's value"
    );
    let of_engine = || drop(engine.vm(&unit));
    let reset_and_run = || {
        vm.reset();
        vm.execute()
    };
    let made = samples(of_engine);
    let ran = samples(|| engine.vm(&unit).execute());
    let again = samples(reset_and_run);
    Ok(vec![
        Row::new(
            format!("a VM of an engine with {BUILTINS} builtins, made and dropped"),
            made,
            "ns",
        ),
        Row::new("the same, with a run that calls one of them", ran, "ns"),
        Row::new("a reset, with that run", again, "ns"),
    ])
}

fn samples<T>(mut work: impl FnMut() -> T) -> f64 {
    median((0..ROUNDS).map(|_| time(2000, &mut work)).collect())
}

/// Emits a loop that calls the function of this name so many times: `i = f(i)`.
fn emit_loop(b: &mut ChunkBuilder, function: u16, times: i32) {
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(0), 1);
    let head = b.current_pos();
    b.emit(Op::GetSlot(0), 2);
    b.emit(Op::Call(function, 1), 2);
    b.emit(Op::SetSlot(0), 2);
    b.emit(Op::SlotLtIntJumpIfFalse(0, times, head + 5), 3);
    b.emit(Op::Jump(head), 3);
    b.emit(Op::GetSlot(0), 4);
}

/// Emits a sub of this name, and a jump over it: `i + 1`.
fn emit_sub(b: &mut ChunkBuilder, name: u16) {
    let over = b.emit(Op::Jump(0), 5);
    b.add_sub_entry(name, b.current_pos());
    // Without it nothing says so in a chunk that doesn't call it, and its heights can't be proved.
    b.declare_argc(name, 1);
    b.emit(Op::Inc, 5);
    b.emit(Op::ReturnValue, 5);
    b.patch_jump(over, b.current_pos());
}

/// A call within a chunk beside one into another chunk.
fn call_cost(name: &str, choice: EngineChoice, jit: JitMode) -> anyhow::Result<Vec<Row>> {
    const CALLS: i32 = 200_000;
    let jit = JitOptions {
        mode: jit,
        ..JitOptions::default()
    };
    let engine = Engine::builder().engine(choice).jit(jit).build();
    let mut within = ChunkBuilder::new();
    let f = within.add_name("f");
    emit_loop(&mut within, f, CALLS);
    emit_sub(&mut within, f);
    let mut across = ChunkBuilder::new();
    let f = across.add_name("f");
    emit_loop(&mut across, f, CALLS);
    let mut function = ChunkBuilder::new();
    let f = function.add_name("f");
    emit_sub(&mut function, f);
    engine.define("", "f", function.build());
    let (within, across) = (
        engine.unit("within", within.build()),
        engine.unit("across", across.build()),
    );
    let (mut vm_within, mut vm_across) = (engine.vm(&within), engine.vm(&across));
    let (mut inner, mut outer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let per_call = |vm: &mut fusevm::VM| -> anyhow::Result<f64> {
            vm.reset();
            let began = cpu_ns();
            let result = vm.execute()?;
            let spent = cpu_ns() - began;
            ensure!(
                result == Some(Value::Int(i64::from(CALLS))),
                "the loop's result"
            );
            Ok(spent / f64::from(CALLS))
        };
        let a = per_call(&mut vm_within)?;
        let b = per_call(&mut vm_across)?;
        inner.push(a);
        outer.push(b);
        ratios.push(b / a);
    }
    Ok(vec![
        Row::new(
            format!("{name}: a loop with a call within the chunk"),
            median(inner),
            "ns",
        ),
        Row::new(
            format!("{name}: the same call into another chunk"),
            median(outer),
            "ns",
        ),
        Row::new(
            format!("{name}: another chunk / the same"),
            median(ratios),
            "x",
        ),
    ])
}

/// Function `n` of the large module: `if depth <= 0 then n else f(n * 21 + 1, depth - 1) + 1`, each in
/// a chunk of its own. From each function, all others are reached before it comes again.
fn chained(n: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    let (own, next) = (
        b.add_name(&format!("f{n}")),
        b.add_name(&format!("f{}", (n * 21 + 1) % FUNCTIONS)),
    );
    let over = b.emit(Op::Jump(0), 1);
    b.add_sub_entry(own, b.current_pos());
    b.declare_argc(own, 1);
    b.emit(Op::SetSlot(0), 2);
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
    b.emit(Op::ReturnValue, 4);
    b.patch_jump(over, b.current_pos());
    b.build()
}

fn module_of_functions() -> anyhow::Result<Module> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    for n in 0..FUNCTIONS {
        writer.add(&Entry::named(format!("f{n}")), &chained(n))?;
    }
    Ok(Module::from_bytes(writer.finish()?.into_inner())?)
}

/// A function without a name: its argument and `n`.
fn plus(n: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::GetSlot(0), 1);
    b.emit(Op::LoadInt(n), 1);
    b.emit(Op::Add, 1);
    b.build()
}

/// What `f{n}(depth)` gives.
fn expected(mut n: usize, depth: usize) -> i64 {
    for _ in 0..depth {
        n = (n * 21 + 1) % FUNCTIONS;
    }
    (n + depth) as i64
}

/// A chunk that calls `f0` with this depth.
fn caller(depth: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f0");
    b.emit(Op::LoadInt(depth as i64), 1);
    b.emit(Op::Call(f, 1), 1);
    b.build()
}

fn many_functions() -> anyhow::Result<Vec<Row>> {
    let module = module_of_functions()?;
    let engine = Engine::new();
    engine.load(module.clone());
    let depth = FUNCTIONS;
    let unit = engine.unit("main", caller(depth));
    let mut vm = engine.vm(&unit);
    let began = cpu_ns();
    ensure!(
        vm.execute()? == Some(Value::Int(expected(0, depth))),
        "the first result"
    );
    let first = (cpu_ns() - began) / depth as f64;
    let warm = samples_of(ROUNDS, || {
        vm.reset();
        vm.execute()
    }) / depth as f64;
    // Redefined: the module once more, and one function of it with another meaning.
    engine.load(module);
    engine.define("", "f1", plus(1_000_000));
    vm.reset();
    ensure!(
        vm.execute()? == Some(Value::Int(depth as i64 + 1_000_000)),
        "the result of the redefined function"
    );
    engine.undefine("", "f1");
    vm.reset();
    ensure!(
        vm.execute()? == Some(Value::Int(expected(0, depth))),
        "the result after redefinitions"
    );
    Ok(vec![
        Row::new(
            format!("{FUNCTIONS} functions of a module call each other: first call"),
            first,
            "ns",
        ),
        Row::new("the same, linked", warm, "ns"),
    ])
}

fn samples_of<T>(rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    median((0..rounds).map(|_| time(1, &mut work)).collect())
}

/// The same runs on one thread and on several.
fn threads(runs: usize) -> anyhow::Result<Vec<Row>> {
    let engine = shell_engine();
    engine.load(module_of_functions()?);
    let depth = 50;
    let unit = engine.unit("main", caller(depth));
    let mut rows = Vec::new();
    let mut alone = 0.0;
    for threads in [1, 2, 8] {
        let (cpu, wall) = (cpu_ns(), Instant::now());
        run_on(&engine, &unit, threads, runs / threads, expected(0, depth))?;
        let cpu = (cpu_ns() - cpu) / runs as f64;
        if threads == 1 {
            alone = cpu;
        }
        let wall = wall.elapsed().as_secs_f64() * 1e9 / runs as f64;
        rows.push(Row::new(
            format!("{runs} runs of {depth} calls on {threads} threads: CPU time a run"),
            cpu,
            "ns",
        ));
        rows.push(Row::new(
            format!("{threads} threads: CPU time / that on one"),
            cpu / alone,
            "x",
        ));
        rows.push(Row::new(
            format!("{threads} threads: wall time a run"),
            wall,
            "ns",
        ));
    }
    Ok(rows)
}

fn run_on(
    engine: &Engine,
    unit: &Arc<Unit>,
    threads: usize,
    runs: usize,
    expected: i64,
) -> anyhow::Result<()> {
    let work = || -> anyhow::Result<()> {
        let mut vm = engine.vm(unit);
        for _ in 0..runs {
            vm.reset();
            ensure!(
                vm.execute()? == Some(Value::Int(expected)),
                "the result on a thread"
            );
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            handle.join().ok().context("a thread panicked")??;
        }
        Ok(())
    })
}
