//! The cases of ops on arrays and hashes, and of ops that run a block for each element.

use super::{
    cases::applied,
    edges::{collections, few, values},
    script::Script,
};
use fusevm::{Chunk, Op, Value};

pub(super) fn slot_array_get() -> Vec<Chunk> {
    let indices = values();
    let owners = collections()
        .into_iter()
        .chain([Value::Undef, Value::str("abc")]);
    owners
        .map(|owner| {
            Script::chunk(|s| {
                s.slot(1, &owner);
                for index in &indices {
                    s.push(index);
                    s.op(Op::SlotArrayGet(1));
                }
                s.gather(indices.len());
            })
        })
        .collect()
}

pub(super) fn slot_array_set() -> Vec<Chunk> {
    each_store(|owner, index| {
        Script::chunk(|s| {
            s.slot(1, owner);
            s.push(&Value::str("new"));
            s.push(index);
            s.ops([Op::SlotArraySet(1), Op::GetSlot(1)]);
        })
    })
}

/// A chunk for each owner and each index of a store, as many trap.
fn each_store(chunk: impl Fn(&Value, &Value) -> Chunk) -> Vec<Chunk> {
    let indices = [
        Value::int(0),
        Value::int(4),
        Value::int(-1),
        Value::int(i64::MAX),
        Value::int(i64::MIN),
        Value::float(1.9),
        Value::float(-0.9),
        Value::float(f64::NAN),
        Value::float(f64::NEG_INFINITY),
        Value::str("1"),
        Value::str("-1"),
        Value::bytes(*b"\xff"),
        Value::bool(true),
        Value::status(2),
        Value::array(vec![Value::int(9)]),
        Value::Undef,
    ];
    let owners: Vec<Value> = few().into_iter().chain(collections()).collect();
    let pairs = indices
        .iter()
        .flat_map(|index| owners.iter().map(move |owner| (owner, index)));
    pairs.map(|(owner, index)| chunk(owner, index)).collect()
}

pub(super) fn array_set() -> Vec<Chunk> {
    each_store(|owner, index| {
        Script::chunk(|s| {
            let array = s.global("v", owner);
            s.push(&Value::str("new"));
            s.push(index);
            s.ops([Op::ArraySet(array), Op::GetVar(array)]);
        })
    })
}

/// A global of each kind, and the op with each key.
pub(super) fn keyed(keys: Vec<Value>, op: fn(u16) -> Op) -> Vec<Chunk> {
    let owners = collections()
        .into_iter()
        .chain([Value::Undef, Value::str("abc")]);
    owners
        .map(|owner| {
            Script::chunk(|s| {
                let name = s.global("v", &owner);
                for key in &keys {
                    s.push(key);
                    s.op(op(name));
                }
                s.gather(keys.len());
            })
        })
        .collect()
}

/// A global of each kind; a store of each of a few values, then the global.
pub(super) fn stored(store: impl Fn(&mut Script, u16, &Value)) -> Vec<Chunk> {
    let owners = few().into_iter().chain(collections());
    owners
        .map(|owner| {
            Script::chunk(|s| {
                let name = s.global("v", &owner);
                few().iter().for_each(|value| store(s, name, value));
                s.op(Op::GetVar(name));
            })
        })
        .collect()
}

/// Takes three times from a global of each kind.
pub(super) fn taken(op: fn(u16) -> Op) -> Vec<Chunk> {
    let owners = few().into_iter().chain(collections());
    owners
        .map(|owner| {
            Script::chunk(|s| {
                let name = s.global("v", &owner);
                s.ops([op(name), op(name), op(name), Op::GetVar(name)]);
                s.gather(4);
            })
        })
        .collect()
}

/// The op on an unset global and on a global of each value.
pub(super) fn each_global(op: fn(u16) -> Op) -> Chunk {
    let values = values();
    Script::chunk(|s| {
        let unset = s.builder.add_name("unset");
        s.op(op(unset));
        for value in &values {
            let name = s.global("v", value);
            s.op(op(name));
        }
        s.gather(values.len() + 1);
    })
}

pub(super) fn hash_set() -> Vec<Chunk> {
    let keys = values();
    let owners = few().into_iter().chain(collections());
    owners
        .map(|owner| {
            Script::chunk(|s| {
                let name = s.global("v", &owner);
                for (index, key) in keys.iter().enumerate() {
                    s.int(index as i64);
                    s.push(key);
                    s.op(Op::HashSet(name));
                }
                s.op(Op::GetVar(name));
            })
        })
        .collect()
}

pub(super) fn hash_delete() -> Vec<Chunk> {
    let keys = ["a", "b", "c", "d", "absent"].map(Value::str);
    let mut chunks: Vec<Chunk> = keys
        .iter()
        .map(|removed| {
            Script::chunk(|s| {
                for key in &keys[..4] {
                    s.push(key);
                    s.push(key);
                }
                s.op(Op::MakeHash(8));
                let name = s.builder.add_name("v");
                s.op(Op::SetHash(name));
                s.push(removed);
                s.ops([Op::HashDelete(name), Op::GetHash(name)]);
                s.gather(2);
            })
        })
        .collect();
    chunks.extend(keyed(values(), Op::HashDelete));
    chunks
}

pub(super) fn make_hash() -> Vec<Chunk> {
    let keys = values();
    vec![
        Script::chunk(|s| s.op(Op::MakeHash(0))),
        Script::chunk(|s| {
            for (index, key) in keys.iter().enumerate() {
                s.push(key);
                s.int(index as i64);
            }
            s.op(Op::MakeHash(keys.len() as u16 * 2));
        }),
        Script::chunk(|s| {
            s.push_all(&[Value::str("k"), Value::int(1), Value::str("odd")]);
            s.op(Op::MakeHash(3));
        }),
    ]
}

pub(super) fn range() -> Vec<Chunk> {
    let near = [
        Value::int(-2),
        Value::int(3),
        Value::str("1"),
        Value::bytes(*b"\xff"),
        Value::float(2.9),
        Value::float(-0.9),
        Value::float(f64::NAN),
        Value::bool(true),
        Value::status(2),
        Value::array(vec![Value::Undef]),
        Value::Undef,
    ];
    let mut chunks: Vec<Chunk> = near
        .iter()
        .map(|from| applied(&Op::Range, from, &near))
        .collect();
    let far = [
        (Value::int(i64::MAX), Value::int(i64::MAX)),
        (Value::float(f64::INFINITY), Value::float(9.3e18)),
        (Value::float(f64::NEG_INFINITY), Value::int(i64::MIN)),
        (Value::int(i64::MAX), Value::int(i64::MIN)),
        (Value::int(i64::MIN), Value::int(i64::MAX)),
        (Value::int(0), Value::float(f64::INFINITY)),
    ];
    chunks.extend(far.map(|(from, to)| applied(&Op::Range, &from, &[to])));
    chunks
}

pub(super) fn range_step() -> Vec<Chunk> {
    let ints = [
        (0, 10, 3),
        (10, 0, -3),
        (0, 10, -1),
        (0, 10, 0),
        (i64::MAX - 1, i64::MAX, 2),
        (i64::MIN + 1, i64::MIN, -2),
        (i64::MIN, i64::MAX, i64::MAX),
        (i64::MAX, i64::MIN, i64::MIN),
        (i64::MIN, i64::MAX, 1),
    ];
    let ints = ints.map(|(from, to, step)| [from, to, step].map(Value::int));
    let few = few();
    let steps = few
        .iter()
        .map(|step| [Value::int(-3), Value::int(9), step.clone()]);
    let ends = few
        .iter()
        .map(|end| [end.clone(), Value::int(5), Value::int(2)]);
    let cases = ints.into_iter().chain(steps).chain(ends);
    let chunk = |operands: [Value; 3]| {
        Script::chunk(|s| {
            s.push_all(&operands);
            s.op(Op::RangeStep);
        })
    };
    cases.map(chunk).collect()
}

/// The block op over an array of all values, and over what is no array.
pub(super) fn block(op: fn(u16) -> Op, body: impl Fn(&mut Script)) -> Vec<Chunk> {
    let operands = few().into_iter().chain([Value::array(values())]);
    operands
        .map(|operand| {
            Script::chunk(|s| {
                let block = s.block(&body);
                s.push(&operand);
                s.op(op(block));
            })
        })
        .collect()
}

pub(super) fn for_each() -> Vec<Chunk> {
    let mut chunks = block(Op::ForEachBlock, |s| s.op(Op::PrintLn(1)));
    // Each run sees the slots of the frame, and what it leaves is dropped.
    chunks.push(Script::chunk(|s| {
        let block = s.block(|s| s.ops([Op::GetSlot(0), Op::Add, Op::SetSlot(0), Op::LoadTrue]));
        s.ops([
            Op::LoadInt(1),
            Op::LoadInt(10),
            Op::Range,
            Op::ForEachBlock(block),
        ]);
        s.op(Op::GetSlot(0));
    }));
    chunks
}

pub(super) fn sort_block() -> Vec<Chunk> {
    let numbers = [5, 3, 9, 3, -1, 7, 0, 5, 2].map(Value::int).to_vec();
    let comparators: [&[Op]; 5] = [
        &[Op::Spaceship],
        &[Op::Swap, Op::Spaceship],
        &[Op::StrCmp],
        &[Op::Pop, Op::Pop, Op::LoadInt(1)],
        &[Op::Pop, Op::Pop, Op::LoadInt(0)],
    ];
    let mut chunks = Vec::new();
    for comparator in comparators {
        for operand in [
            Value::array(numbers.clone()),
            Value::array(values()),
            Value::int(1),
        ] {
            chunks.push(Script::chunk(|s| {
                let block = s.block(|s| s.ops(comparator.iter().cloned()));
                s.push(&operand);
                s.op(Op::SortBlock(block));
            }));
        }
    }
    chunks
}

pub(super) fn sort_default() -> Vec<Chunk> {
    let operands = few()
        .into_iter()
        .chain(collections())
        .chain([Value::array(values())]);
    let chunk = |operand| {
        Script::chunk(|s| {
            s.push(&operand);
            s.op(Op::SortDefault);
        })
    };
    operands.map(chunk).collect()
}
