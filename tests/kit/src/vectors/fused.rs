//! The cases of the fused ops, whose slots go to Int.

use super::{
    edges::{collections, few, values},
    script::Script,
};
use fusevm::{Chunk, Op, Value};

pub(super) fn slot_to_int(op: fn(u16) -> Op, pushes: bool) -> Chunk {
    let values = values();
    let each = 1 + usize::from(pushes);
    Script::chunk(|s| {
        for value in &values {
            s.slot(0, value);
            s.ops([op(0), Op::GetSlot(0)]);
        }
        s.gather(values.len() * each);
    })
}

pub(super) fn add_assign() -> Vec<Chunk> {
    let values = values();
    let others = [Value::int(i64::MAX)].into_iter().chain(few());
    let chunk = |other| {
        Script::chunk(|s| {
            for value in &values {
                s.slot(0, value);
                s.slot(1, &other);
                s.ops([Op::AddAssignSlotVoid(0, 1), Op::GetSlot(0), Op::GetSlot(1)]);
            }
            s.gather(values.len() * 2);
        })
    };
    others.map(chunk).collect()
}

pub(super) fn slot_less() -> Vec<Chunk> {
    let limits = [0, 1, -1, i32::MAX, i32::MIN];
    let values = values();
    limits
        .into_iter()
        .map(|limit| {
            Script::chunk(|s| {
                for value in &values {
                    s.slot(0, value);
                    let taken = s.jump(Op::SlotLtIntJumpIfFalse(0, limit, 0));
                    s.op(Op::LoadTrue);
                    let end = s.jump(Op::Jump(0));
                    s.land(taken);
                    s.op(Op::LoadFalse);
                    s.land(end);
                }
                s.gather(values.len());
            })
        })
        .collect()
}

pub(super) fn increment_loop() -> Vec<Chunk> {
    let starts = [
        Value::int(-3),
        Value::Undef,
        Value::str("2"),
        Value::float(1.9),
        Value::float(f64::NAN),
        Value::status(3),
        Value::int(9),
    ];
    starts
        .into_iter()
        .map(|start| {
            Script::chunk(|s| {
                s.slot(0, &start);
                let head = s.builder.current_pos();
                s.ops([
                    Op::GetSlot(0),
                    Op::Print(1),
                    Op::SlotIncLtIntJumpBack(0, 4, head),
                ]);
                s.op(Op::GetSlot(0));
            })
        })
        .collect()
}

/// A fused loop over slots 0 and 1 with values of each kind and limits on both sides of them.
pub(super) fn fused_loop(op: impl Fn(i32) -> Op) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for first in few() {
        let ranges = [
            (Value::int(0), 5),
            (Value::Undef, 0),
            (Value::str("2"), 4),
            (Value::float(-1.9), 1),
            (Value::float(f64::NAN), 2),
            (Value::int(i64::MAX), i32::MAX),
            (Value::bool(true), -1),
        ];
        for (from, limit) in ranges {
            chunks.push(Script::chunk(|s| {
                s.builder.add_constant(Value::str("ab"));
                s.slot(0, &first);
                s.slot(1, &from);
                s.ops([op(limit), Op::GetSlot(0), Op::GetSlot(1)]);
                s.gather(2);
            }));
        }
    }
    chunks
}

pub(super) fn push_range() -> Vec<Chunk> {
    let owners = few().into_iter().chain(collections());
    owners
        .map(|owner| {
            Script::chunk(|s| {
                let name = s.global("v", &owner);
                s.slot(0, &Value::str("2"));
                s.ops([
                    Op::PushIntRangeLoop(name, 0, 5),
                    Op::GetVar(name),
                    Op::GetSlot(0),
                ]);
                s.gather(2);
            })
        })
        .collect()
}
