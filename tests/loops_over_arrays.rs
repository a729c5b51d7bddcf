//! Do loops that count through arrays do the same in every tier where the arrays are shorter than the loops, or
//! change in them? Native code takes such a loop's bound from the arrays' lengths.
#![cfg(feature = "jit")]

use fusevm::Op::*;
use fusevm::{Chunk, ChunkBuilder, Op};
use fusevm_kit::tiers::{Setup, compare};

/// Globals, in the order of their names.
const LIST: u16 = 0;
const OTHER: u16 = 1;
const RESULTS: u16 = 2;

/// Slots: rounds, the loop's counter, its bound, a sum, the list.
const ROUND: u16 = 0;
const I: u16 = 1;
const BOUND: u16 = 2;
const SUM: u16 = 3;
const HELD: u16 = 4;

fn emit(b: &mut ChunkBuilder, ops: &[Op]) {
    for op in ops {
        let line = b.current_pos() as u32 + 1;
        b.emit(op.clone(), line);
    }
}

/// Sixty rounds of a loop over `body`, from `least` to some bound, over arrays of eight and five elements. Each
/// round begins and ends elsewhere.
fn rounds(least: i64, body: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for name in ["list", "other", "results"] {
        b.add_name(name);
    }
    for n in 0..8 {
        emit(&mut b, &[LoadFloat(f64::from(n) + 0.5)]);
    }
    emit(&mut b, &[MakeArray(8), SetArray(LIST)]);
    for n in 0..5 {
        emit(&mut b, &[LoadInt(n)]);
    }
    emit(&mut b, &[MakeArray(5), SetArray(OTHER)]);
    emit(&mut b, &[DeclareArray(RESULTS), LoadInt(0), SetSlot(ROUND)]);
    let outer = b.current_pos();
    emit(&mut b, &[GetArray(LIST), SetSlot(HELD)]);
    emit(&mut b, &[GetSlot(ROUND), LoadInt(7), Mul, LoadInt(5), Mod]);
    emit(&mut b, &[LoadInt(least), Add, SetSlot(I)]);
    emit(&mut b, &[GetSlot(ROUND), LoadInt(13), Mod, SetSlot(BOUND)]);
    emit(&mut b, &[LoadInt(0), SetSlot(SUM)]);
    let inner = b.current_pos();
    emit(&mut b, body);
    emit(&mut b, &[PreIncSlot(I), GetSlot(BOUND), NumLt]);
    emit(&mut b, &[JumpIfTrue(inner)]);
    emit(&mut b, &[GetSlot(SUM), ArrayPush(RESULTS)]);
    emit(&mut b, &[PreIncSlot(ROUND), LoadInt(60), NumLt]);
    emit(&mut b, &[JumpIfTrue(outer), GetArray(RESULTS)]);
    b.build()
}

/// What a round of the loop does.
fn bodies() -> Vec<Vec<Op>> {
    let add = [GetSlot(SUM), Add, SetSlot(SUM)];
    let with = |ops: &[Op]| [ops, &add].concat();
    vec![
        with(&[GetSlot(I), ArrayGet(LIST)]),
        with(&[GetSlot(I), SlotArrayGet(HELD)]),
        with(&[GetSlot(I), ArrayGet(LIST), GetSlot(I), ArrayGet(OTHER), Mul]),
        // Written in place, and past the end.
        vec![
            GetSlot(I),
            ArrayGet(OTHER),
            LoadInt(1),
            Add,
            GetSlot(I),
            ArraySet(OTHER),
        ],
        vec![LoadFloat(1.5), GetSlot(I), ArraySet(LIST)],
        // The length changes while the loop counts.
        [
            with(&[GetSlot(I), ArrayGet(OTHER)]),
            vec![GetSlot(SUM), ArrayPush(OTHER)],
        ]
        .concat(),
        [
            with(&[GetSlot(I), ArrayGet(OTHER)]),
            vec![ArrayPop(OTHER), Pop],
        ]
        .concat(),
        // Another array comes into its place.
        [
            with(&[GetSlot(I), SlotArrayGet(HELD)]),
            vec![GetArray(OTHER), SetSlot(HELD)],
        ]
        .concat(),
        [
            with(&[GetSlot(I), ArrayGet(LIST)]),
            vec![GetArray(OTHER), SetArray(LIST)],
        ]
        .concat(),
    ]
}

fn agree(chunk: &Chunk, fuel: u64) {
    if let Err(difference) = compare(chunk, &Setup::generated(fuel)) {
        panic!("{difference}");
    }
}

#[test]
fn loops_end_where_arrays_do() {
    for body in bodies() {
        for least in [-3, 0, 6] {
            agree(&rounds(least, &body), 100_000);
        }
    }
}

#[test]
fn fuel_runs_out_in_them_at_the_same_places() {
    for body in bodies() {
        let chunk = rounds(0, &body);
        for fuel in (0..400).step_by(7) {
            agree(&chunk, fuel);
        }
    }
}
