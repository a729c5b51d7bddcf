//! A program taken apart: each of its subs a function of an engine in a chunk of its own, its main code
//! one that is called with arguments, and a program around it that calls it again and again. What was a
//! call within a chunk is one between chunks then.

use fusevm::{
    Chunk, ChunkBuilder, Engine, Op,
    chunk::{Effect, Import, ImportKind},
    engine::Unit,
    verify::{Arity, Shape, verify_chunk},
};
use std::{collections::HashSet, sync::Arc};

/// The function that is the program.
const PROGRAM: &str = "the program";

/// How often it is called: until all links are made, and once more.
const CALLS: i32 = 3;

/// An engine with the parts of `chunk`, and the program that calls them.
pub fn parts_of(chunk: &Chunk) -> (Engine, Arc<Unit>) {
    let engine = Engine::new();
    let shape = verify_chunk(chunk).ok();
    let mut seen = HashSet::new();
    for row in 0..chunk.sub_entries.len() {
        let name = usize::from(chunk.sub_entries[row].0);
        // Of several subs with one name the first counts.
        if let Some(name) = chunk.names.get(name)
            && seen.insert(name)
        {
            engine.define("", name, part(chunk, shape.as_ref(), Some(row)));
        }
    }
    engine.define("", PROGRAM, part(chunk, shape.as_ref(), None));
    let program = engine.unit("around", around());
    (engine, program)
}

/// The chunk with one of its subs and every second other one, or with these alone; the rest are functions
/// that it calls.
fn part(chunk: &Chunk, shape: Option<&Shape>, own: Option<usize>) -> Chunk {
    let mut part = chunk.clone();
    let parity = own.unwrap_or_default() % 2;
    let subs = chunk.sub_entries.iter().skip(parity).step_by(2);
    part.sub_entries = subs.copied().collect();
    let own: HashSet<u16> = part.sub_entries.iter().map(|(name, _)| *name).collect();
    part.signatures
        .retain(|declared| own.contains(&declared.name));
    let mut declared = HashSet::new();
    for (row, (name, _)) in chunk.sub_entries.iter().enumerate() {
        let Some(text) = chunk.names.get(usize::from(*name)) else {
            continue;
        };
        let gives = shape.is_none_or(|shape| shape.subs()[row].returns == Arity::Value);
        if !own.contains(name) && declared.insert(text) {
            part.imports.push(Import {
                effect: Effect::Arguments {
                    pushes: u8::from(gives),
                },
                ..Import::undeclared(ImportKind::Function, 0, text)
            });
        }
    }
    part
}

/// The program that calls [`PROGRAM`] with two arguments, [`CALLS`] times.
fn around() -> Chunk {
    let mut b = ChunkBuilder::new();
    let [program, result] = [PROGRAM, "the result"].map(|name| b.add_name(name));
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(0), 1);
    let head = b.current_pos();
    for op in [
        Op::GetSlot(0),
        Op::LoadInt(7),
        Op::Call(program, 2),
        Op::SetVar(result),
        Op::SlotIncLtIntJumpBack(0, CALLS, head),
        Op::GetVar(result),
    ] {
        b.emit(op, 2);
    }
    b.build()
}
