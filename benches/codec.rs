//! The steps from a module's bytes to a chunk that can run, for a function of middling and one of
//! great length.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fusevm::{
    Chunk, ChunkBuilder, Module, ModuleWriter, Op, Value, format::Entry, verify::verify_chunk,
};
use std::{hint::black_box, io::Cursor};

/// Statements of the functions; each is ten ops or so.
const SIZES: [usize; 2] = [10, 500];

/// A function such as shells compile: words, tests, assignments and calls of builtins.
fn function(statements: usize) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.set_source("function.sh");
    for statement in 0..statements {
        let line = statement as u32 + 1;
        let word = b.add_constant(Value::str(format!("argument number {statement}")));
        let variable = b.add_name(&format!("variable_{}", statement % 40));
        b.emit(Op::GetVar(variable), line);
        b.emit(Op::LoadConst(word), line);
        b.emit(Op::StrEq, line);
        let skip = b.emit(Op::JumpIfFalse(0), line);
        b.emit(Op::LoadConst(word), line);
        b.emit(Op::GetVar(variable), line);
        b.emit(Op::CallBuiltin(7, 2), line);
        b.emit(Op::SetStatus, line);
        b.patch_jump(skip, b.current_pos());
        b.emit(Op::LoadInt(statement as i64), line);
        b.emit(Op::SetVar(variable), line);
    }
    b.build()
}

/// The function as the only one of a module.
fn module(chunk: &Chunk) -> Vec<u8> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory can be written");
    let entry = Entry::named("function");
    writer.add(&entry, chunk).expect("the chunk can be written");
    writer.finish().expect("memory can be written").into_inner()
}

fn codec(c: &mut Criterion) {
    for statements in SIZES {
        let chunk = function(statements);
        let bytes = module(&chunk);
        let module = Module::from_bytes(bytes).expect("the module opens");
        let load = || module.chunk("function").expect("the chunk loads");
        assert!(load().is_strict());
        assert_eq!(load().to_chunk().ops, chunk.ops);

        let ops = chunk.ops.len();
        let mut group = c.benchmark_group("codec");
        group.throughput(Throughput::Elements(ops as u64));
        let mut step = |name: &str, work: &mut dyn FnMut()| {
            group.bench_function(BenchmarkId::new(name, ops), |b| b.iter(&mut *work));
        };
        step("write a module", &mut || {
            black_box(self::module(&chunk));
        });
        step("verify", &mut || {
            black_box(verify_chunk(&chunk).is_ok());
        });
        step("find, decode, verify", &mut || drop(black_box(load())));
        step("find, decode, verify, hash", &mut || {
            black_box(load().hash());
        });
        step("find, decode, verify, materialise", &mut || {
            drop(black_box(load().into_chunk()));
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
