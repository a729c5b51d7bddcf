//! `calls`: what a call between chunks costs beside one within a chunk.
//!
//! The same sub is called in both ways: as a sub of the chunk that calls it, and as a function of the
//! engine, which the call finds by its name. Rounds alternate, so that what disturbs one way disturbs
//! the other.

use crate::{
    clock::{median, time},
    report::Row,
};
use anyhow::{Context, ensure};
use fusevm::{
    Chunk, ChunkBuilder, Op, Value,
    chunk::{Effect, Import, ImportKind},
    engine::Engine,
    vm::EngineChoice,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Runs of each way; the figures are the medians.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Calls of a loop, and the argument of `fib`.
const CALLS: i64 = 200_000;
const FIB: i64 = 22;

/// What is called: its code, what calls it, the answer, and how many calls are made.
struct Callee {
    name: &'static str,
    body: fn(&mut ChunkBuilder, u16),
    driver: fn(&mut ChunkBuilder, u16),
    answer: i64,
    calls: f64,
}

const CALLEES: [Callee; 2] = [
    Callee {
        name: "next",
        body: next,
        driver: call_in_loop,
        answer: CALLS,
        calls: CALLS as f64,
    },
    Callee {
        name: "fib",
        body: fib,
        driver: |b, fib| emit(b, [Op::LoadInt(FIB), Op::Call(fib, 1)]),
        answer: 17_711,
        calls: 57_313.0,
    },
];

fn emit<const N: usize>(b: &mut ChunkBuilder, ops: [Op; N]) {
    for op in ops {
        b.emit(op, 1);
    }
}

/// `next(n) = n + 1`
fn next(b: &mut ChunkBuilder, _: u16) {
    emit(
        b,
        [
            Op::SetSlot(0),
            Op::GetSlot(0),
            Op::LoadInt(1),
            Op::Add,
            Op::ReturnValue,
        ],
    );
}

/// `fib(n) = if n < 2 { n } else { fib(n - 1) + fib(n - 2) }`
fn fib(b: &mut ChunkBuilder, fib: u16) {
    emit(
        b,
        [Op::SetSlot(0), Op::GetSlot(0), Op::LoadInt(2), Op::NumLt],
    );
    let deeper = b.emit(Op::JumpIfFalse(0), 1);
    emit(b, [Op::GetSlot(0), Op::ReturnValue]);
    b.patch_jump(deeper, b.current_pos());
    for less in [1, 2] {
        let call = [Op::GetSlot(0), Op::LoadInt(less), Op::Sub, Op::Call(fib, 1)];
        emit(b, call);
    }
    emit(b, [Op::Add, Op::ReturnValue]);
}

/// `i = 0; while i < CALLS { i = next(i) }; i`
fn call_in_loop(b: &mut ChunkBuilder, next: u16) {
    emit(b, [Op::LoadInt(0), Op::SetSlot(0)]);
    let head = b.current_pos();
    emit(b, [Op::GetSlot(0), Op::LoadInt(CALLS), Op::NumLt]);
    let exit = b.emit(Op::JumpIfFalse(0), 1);
    let round = [Op::GetSlot(0), Op::Call(next, 1), Op::SetSlot(0)];
    emit(b, round);
    emit(b, [Op::Jump(head)]);
    b.patch_jump(exit, b.current_pos());
    emit(b, [Op::GetSlot(0)]);
}

impl Callee {
    /// The driver with the callee as a sub.
    fn within(&self) -> Chunk {
        let mut b = ChunkBuilder::new();
        let name = b.add_name(self.name);
        (self.driver)(&mut b, name);
        let end = b.emit(Op::Jump(0), 1);
        b.add_sub_entry(name, b.current_pos());
        b.declare_argc(name, 1);
        (self.body)(&mut b, name);
        b.patch_jump(end, b.current_pos());
        b.build()
    }

    /// A chunk of this code that imports the callee.
    fn importing(&self, write: fn(&mut ChunkBuilder, u16)) -> Chunk {
        let mut b = ChunkBuilder::new();
        let name = b.add_name(self.name);
        b.declare_import(Import {
            effect: Effect::Fixed { pops: 1, pushes: 1 },
            ..Import::undeclared(ImportKind::Function, 0, self.name)
        });
        write(&mut b, name);
        b.build()
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for choice in [EngineChoice::Reference, EngineChoice::Register] {
        let tier = format!("{choice:?}").to_lowercase();
        for callee in &CALLEES {
            let engine = Engine::builder().engine(choice).build();
            let within = engine.unit("within", callee.within());
            let across = engine.unit("across", callee.importing(callee.driver));
            engine.define("", callee.name, callee.importing(callee.body));
            ensure!(within.is_strict() && across.is_strict(), "it is strict");
            let mut samples = [Vec::new(), Vec::new()];
            for _ in 0..arguments.rounds {
                for (unit, samples) in [&within, &across].into_iter().zip(&mut samples) {
                    let mut vm = engine.vm(unit);
                    let mut result = None;
                    samples.push(time(1, || result = Some(vm.execute())));
                    let value = result.context("it ran")??;
                    let right = value == Some(Value::int(callee.answer));
                    ensure!(right, "{} {tier}: {value:?}", callee.name);
                }
            }
            let [within, across] = samples.map(|samples| median(samples) / callee.calls);
            let row = |how: &str, value, unit| {
                Row::new(format!("{}, {tier}: {how}", callee.name), value, unit)
            };
            rows.push(row("a call within the chunk", within, "ns"));
            rows.push(row("a call of another chunk", across, "ns"));
            rows.push(row("their ratio", across / within, "x"));
        }
    }
    Ok(rows)
}
