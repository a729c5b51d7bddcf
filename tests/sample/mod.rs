//! A small module that has something of everything, for the tests of the file format.

#![allow(dead_code, reason = "each test program uses its part")]

use fusevm::chunk::{Effect, Import, ImportKind, Touches};
use fusevm::format::{Entry, ModuleWriter, SourceLink};
use fusevm::value::Map;
use fusevm::{Chunk, ChunkBuilder, Op, Value};
use std::io::Cursor;

/// A strict chunk with every kind of constant, a sub, a block, imports and lines.
pub(crate) fn rich_chunk() -> Chunk {
    let mut b = ChunkBuilder::new();
    let mut map = Map::new();
    map.insert("z", Value::int(-1));
    map.insert("a", Value::array(vec![]));
    for constant in [
        Value::str("text"),
        Value::bytes(*b"\xff\0\n"),
        Value::Undef,
        Value::bool(true),
        Value::bool(false),
        Value::int(i64::MIN),
        Value::float(-0.0),
        Value::status(-2),
        Value::NativeFn(7),
        Value::array(vec![Value::int(1), Value::array(vec![Value::str("deep")])]),
        Value::map(map),
        Value::reference(Value::str("target")),
        Value::str("text"),
    ] {
        b.add_constant(constant);
    }
    let sub = b.add_name("double");
    let global = b.add_name("total");
    let elsewhere = b.add_name("elsewhere");
    b.declare_argc(sub, 1);
    b.declare_import(Import {
        space: "host".to_owned(),
        effect: Effect::Fixed { pops: 2, pushes: 1 },
        touches: Touches::ARGUMENTS,
        ..Import::undeclared(ImportKind::Extension, 300, "plus")
    });
    b.declare_import(Import {
        effect: Effect::Arguments { pushes: 0 },
        ..Import::undeclared(ImportKind::Function, 0, "elsewhere")
    });
    b.emit(Op::LoadConst(9), 1);
    b.emit(Op::MapBlock(0), 1);
    b.emit(Op::SetVar(global), 2);
    b.emit(Op::LoadInt(20), 3);
    b.emit(Op::LoadFloat(2.5), 3);
    b.emit(Op::Extended(300, 9), 3);
    b.emit(Op::Call(sub, 1), 70);
    b.emit(Op::Call(elsewhere, 1), 70);
    b.emit(Op::CallBuiltin(12, 0), 0);
    let skip = b.emit(Op::Jump(0), 0);
    let block = b.current_pos();
    b.emit(Op::Inc, 5);
    b.add_block_range(block, b.current_pos());
    b.add_sub_entry(sub, b.current_pos());
    b.emit(Op::Dup, 100_000);
    b.emit(Op::Add, 100_000);
    b.emit(Op::ReturnValue, 100_001);
    b.patch_jump(skip, b.current_pos());
    b.set_source("rich.zsh");
    b.build()
}

/// A strict chunk that leaves this number.
pub(crate) fn number_chunk(number: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(number), 1);
    b.build()
}

/// A chunk whose stack can't be proved.
pub(crate) fn loose_chunk() -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::Add, 1);
    b.build()
}

/// The entries and chunks of [`bytes`].
pub(crate) fn chunks() -> Vec<(Entry, Chunk)> {
    let link = SourceLink {
        hash: [7; 32],
        mtime: -1,
        size: 1234,
    };
    vec![
        (
            Entry::named("rich").with_key(*b"\0key").with_link(link),
            rich_chunk(),
        ),
        (Entry::named("rich").in_space("zsh"), number_chunk(5)),
        (Entry::named("loose"), loose_chunk()),
    ]
}

/// A module of these chunks, with some metadata.
pub(crate) fn module_of(chunks: &[(Entry, Chunk)]) -> Vec<u8> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes everything");
    writer.metadata("title", "sample");
    writer.metadata("any", *b"\0\xff");
    for (entry, chunk) in chunks {
        writer.add(entry, chunk).expect("the chunk can be written");
    }
    let out = writer.finish().expect("memory takes everything");
    out.into_inner()
}

/// The module.
pub(crate) fn bytes() -> Vec<u8> {
    module_of(&chunks())
}
