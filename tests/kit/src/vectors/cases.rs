//! The cases, op by op. Every op of the table stands here: the match has no rest.

use super::{
    edges::{FLOATS, INTS, collections, few, values},
    script::Script,
};
use fusevm::{
    Chunk, Op, Value,
    op::{OpInfo, Operand, OperandKind},
};

/// The chunks that show what the op of this row does.
pub(super) fn of(info: &OpInfo) -> Vec<Chunk> {
    let zeros: Vec<Operand> = info
        .operands
        .iter()
        .map(|operand| zero(operand.kind))
        .collect();
    let op = Op::from_operands(info.byte, &zeros).expect("operands of the row's kinds");
    match op {
        Op::Nop => vec![Script::chunk(|s| {
            s.op(Op::Nop);
            s.int(1);
            s.op(Op::Nop);
        })],
        Op::LoadInt(_) => vec![gathered(INTS.map(Op::LoadInt))],
        Op::LoadFloat(_) => vec![gathered(FLOATS.map(Op::LoadFloat))],
        Op::LoadConst(_) => values()
            .iter()
            .map(|value| Script::chunk(|s| s.push(value)))
            .collect(),
        Op::LoadTrue | Op::LoadFalse | Op::LoadUndef => vec![Script::chunk(|s| s.op(op))],
        Op::Pop | Op::Dup | Op::Dup2 | Op::Swap | Op::Rot => vec![shuffle(op)],

        Op::GetVar(_) | Op::SetVar(_) | Op::DeclareVar(_) => variable(Op::GetVar, op_of_name(op)),
        Op::GetArray(_) | Op::SetArray(_) => variable(Op::GetArray, op_of_name(op)),
        Op::GetHash(_) | Op::SetHash(_) => variable(Op::GetHash, op_of_name(op)),
        Op::DeclareArray(_) => vec![declare(Op::DeclareArray, Op::GetArray)],
        Op::DeclareHash(_) => vec![declare(Op::DeclareHash, Op::GetHash)],
        Op::GetSlot(_) | Op::SetSlot(_) => slots(),
        Op::SlotArrayGet(_) => slot_array_get(),
        Op::SlotArraySet(_) => slot_array_set(),
        Op::ArrayGet(_) => keyed(values(), Op::ArrayGet),
        Op::ArraySet(_) => array_set(),
        Op::ArrayPush(_) => stored(|s, array, value| {
            s.push(value);
            s.op(Op::ArrayPush(array));
        }),
        Op::ArrayPop(_) => taken(Op::ArrayPop),
        Op::ArrayShift(_) => taken(Op::ArrayShift),
        Op::ArrayLen(_) => vec![each_global(Op::ArrayLen)],
        Op::MakeArray(_) => vec![gathered([]), Script::chunk(|s| gather_all(s, &values()))],
        Op::HashGet(_) => keyed(values(), Op::HashGet),
        Op::HashExists(_) => keyed(values(), Op::HashExists),
        Op::HashSet(_) => hash_set(),
        Op::HashDelete(_) => hash_delete(),
        Op::HashKeys(_) => vec![each_global(Op::HashKeys)],
        Op::HashValues(_) => vec![each_global(Op::HashValues)],
        Op::MakeHash(_) => make_hash(),

        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod | Op::Pow => binary(op),
        Op::NumEq | Op::NumNe | Op::NumLt | Op::NumGt | Op::NumLe | Op::NumGe | Op::Spaceship => {
            binary(op)
        }
        Op::StrEq | Op::StrNe | Op::StrLt | Op::StrGt | Op::StrLe | Op::StrGe | Op::StrCmp => {
            binary(op)
        }
        Op::LogAnd | Op::LogOr | Op::BitAnd | Op::BitOr | Op::BitXor | Op::Shl | Op::Shr => {
            binary(op)
        }
        Op::Concat => binary(op),
        Op::Negate | Op::Inc | Op::Dec | Op::StringLen | Op::LogNot | Op::BitNot => {
            vec![unary(op)]
        }
        Op::StringRepeat => string_repeat(),

        Op::Jump(_) => vec![Script::chunk(|s| {
            let over = s.jump(Op::Jump(0));
            s.int(1);
            s.land(over);
            s.int(2);
            let end = s.jump(Op::Jump(0));
            s.op(Op::Pop);
            s.land(end);
        })],
        Op::JumpIfTrue(_) => vec![branch(Op::JumpIfTrue)],
        Op::JumpIfFalse(_) => vec![branch(Op::JumpIfFalse)],
        Op::JumpIfTrueKeep(_) => vec![branch_keep(Op::JumpIfTrueKeep)],
        Op::JumpIfFalseKeep(_) => vec![branch_keep(Op::JumpIfFalseKeep)],

        Op::Call(..) => call(),
        Op::Return => vec![
            return_nothing(),
            Script::chunk(|s| s.ops([Op::Return, Op::LoadTrue])),
        ],
        Op::ReturnValue => vec![return_value(), top_level_return()],
        Op::PushFrame | Op::PopFrame => scopes(),

        Op::Print(_) => vec![printed(Op::Print)],
        Op::PrintLn(_) => vec![printed(Op::PrintLn)],
        Op::ReadLine => vec![gathered([
            Op::ReadLine,
            Op::ReadLine,
            Op::ReadLine,
            Op::ReadLine,
        ])],

        Op::Range => range(),
        Op::RangeStep => range_step(),
        Op::MapBlock(_) => block(Op::MapBlock, |s| s.ops([Op::Dup, Op::Concat])),
        Op::GrepBlock(_) => block(Op::GrepBlock, |_| ()),
        Op::ForEachBlock(_) => for_each(),
        Op::SortBlock(_) => sort_block(),
        Op::SortDefault => sort_default(),

        Op::PreIncSlot(_) => vec![slot_to_int(Op::PreIncSlot, true)],
        Op::PreIncSlotVoid(_) => vec![slot_to_int(Op::PreIncSlotVoid, false)],
        Op::AddAssignSlotVoid(..) => vec![add_assign()],
        Op::SlotLtIntJumpIfFalse(..) => slot_less(),
        Op::SlotIncLtIntJumpBack(..) => increment_loop(),
        Op::AccumSumLoop(..) => fused_loop(|limit| Op::AccumSumLoop(0, 1, limit)),
        Op::ConcatConstLoop(..) => fused_loop(|limit| Op::ConcatConstLoop(0, 0, 1, limit)),
        Op::PushIntRangeLoop(..) => push_range(),

        Op::CallBuiltin(..) => call_builtin(),
        Op::Extended(..) | Op::ExtendedWide(..) => extension(op),

        Op::Exec(_) | Op::ExecBg(_) => vec![Script::chunk(|s| {
            s.push(&Value::str("true"));
            s.op(with_one_word(op));
        })],
        Op::SetStatus | Op::GetStatus => status(),
        Op::BraceExpand => texts(op, &BRACES),
        Op::WordSplit => texts(op, &WORDS),
        Op::TildeExpand => texts(op, &[b"plain", b"a~b"]),
        Op::Glob | Op::GlobRecursive | Op::TestFile(_) => texts(op, &[b"/"]),
        Op::HereString | Op::Redirect(..) => texts(op, &[b"x"]),
        Op::TrapSet(_) => vec![with_block(op, |s| s.push(&Value::str("INT")))],
        Op::CmdSubst(_) | Op::ProcessSubIn(_) | Op::ProcessSubOut(_) => {
            vec![with_block(op, |_| ())]
        }
        Op::HereDoc(_) => vec![Script::chunk(|s| {
            s.builder.add_constant(Value::str("text"));
            s.op(op);
        })],
        Op::ExpandParam(_) => expand_param(),
        Op::PipelineBegin(_) | Op::PipelineStage | Op::PipelineEnd => {
            let ops = [Op::PipelineBegin(2), Op::PipelineStage, Op::PipelineEnd];
            vec![lone(op), just(ops)]
        }
        Op::SubshellBegin | Op::SubshellEnd => {
            vec![lone(op), just([Op::SubshellBegin, Op::SubshellEnd])]
        }
        Op::RedirectMark | Op::RedirectPop => {
            vec![lone(op), just([Op::RedirectMark, Op::RedirectPop])]
        }
        Op::TrapCheck => vec![lone(op)],
    }
}

const BRACES: [&[u8]; 9] = [
    b"",
    b"plain",
    b"a{b,c}d",
    b"{1..4}",
    b"{08..11}",
    b"{a..e..2}",
    b"{a,{b,c}}x",
    b"{a}",
    b"x{,y}",
];

const WORDS: [&[u8]; 6] = [b"", b"  ", b"one", b" one  two ", b"a\tb\nc", b"a:b"];

fn zero(kind: OperandKind) -> Operand {
    match kind {
        OperandKind::Int => Operand::Int(0),
        OperandKind::Float => Operand::Float(0.0),
        OperandKind::Const => Operand::Const(0),
        OperandKind::Name => Operand::Name(0),
        OperandKind::Slot => Operand::Slot(0),
        OperandKind::Block => Operand::Block(0),
        OperandKind::Count => Operand::Count(0),
        OperandKind::Count8 => Operand::Count8(0),
        OperandKind::Argc => Operand::Argc(0),
        OperandKind::Code => Operand::Code(0),
        OperandKind::Id => Operand::Id(0),
        OperandKind::Imm => Operand::Imm(0),
        OperandKind::Target => Operand::Target(0),
        OperandKind::Payload => Operand::Payload(0),
    }
}

/// The ops, each of which leaves a value, and their values as one array.
fn gathered<const N: usize>(ops: [Op; N]) -> Chunk {
    Script::chunk(|s| {
        s.ops(ops);
        s.gather(N);
    })
}

fn gather_all(s: &mut Script, values: &[Value]) {
    s.push_all(values);
    s.gather(values.len());
}

/// The op between four values that all show up in the result.
fn shuffle(op: Op) -> Chunk {
    let left = match op {
        Op::Pop => 3,
        Op::Dup => 5,
        Op::Dup2 => 6,
        _ => 4,
    };
    Script::chunk(|s| {
        s.push_all(&[
            Value::int(1),
            Value::str("2"),
            Value::float(3.0),
            Value::Undef,
        ]);
        s.op(op);
        s.gather(left);
    })
}

/// A chunk for each left operand: the op with each right operand, the results as one array.
fn binary(op: Op) -> Vec<Chunk> {
    let values = values();
    values.iter().map(|a| applied(&op, a, &values)).collect()
}

fn applied(op: &Op, a: &Value, right: &[Value]) -> Chunk {
    Script::chunk(|s| {
        let (left, first) = (s.builder.add_constant(a.clone()), 1);
        for b in right {
            s.builder.add_constant(b.clone());
        }
        for index in 0..right.len() {
            s.ops([
                Op::LoadConst(left),
                Op::LoadConst(first + index as u16),
                op.clone(),
            ]);
        }
        s.gather(right.len());
    })
}

fn unary(op: Op) -> Chunk {
    let values = values();
    Script::chunk(|s| {
        for value in &values {
            s.push(value);
            s.op(op.clone());
        }
        s.gather(values.len());
    })
}

fn string_repeat() -> Vec<Chunk> {
    let counts = [
        Value::int(0),
        Value::int(-1),
        Value::int(3),
        Value::float(2.9),
        Value::str("2"),
    ];
    let mut chunks: Vec<Chunk> = values()
        .iter()
        .map(|a| applied(&Op::StringRepeat, a, &counts))
        .collect();
    let huge = [Value::int(1 << 62)];
    chunks.push(applied(&Op::StringRepeat, &Value::str("x"), &huge));
    chunks.push(applied(&Op::StringRepeat, &Value::str(""), &huge));
    chunks
}

/// The op of a name, as a function of the name.
fn op_of_name(op: Op) -> fn(u16) -> Op {
    match op {
        Op::DeclareVar(_) => Op::DeclareVar,
        Op::SetArray(_) | Op::GetArray(_) => Op::SetArray,
        Op::SetHash(_) | Op::GetHash(_) => Op::SetHash,
        _ => Op::SetVar,
    }
}

/// Unset, then set to each value.
fn variable(get: fn(u16) -> Op, set: fn(u16) -> Op) -> Vec<Chunk> {
    let values = values();
    vec![Script::chunk(|s| {
        let name = s.builder.add_name("v");
        s.op(get(name));
        for value in &values {
            s.push(value);
            s.ops([set(name), get(name)]);
        }
        s.gather(values.len() + 1);
    })]
}

fn declare(declare: fn(u16) -> Op, get: fn(u16) -> Op) -> Chunk {
    Script::chunk(|s| {
        let name = s.global("v", &Value::int(1));
        s.ops([get(name), declare(name), get(name)]);
        s.gather(2);
    })
}

fn slots() -> Vec<Chunk> {
    vec![Script::chunk(|s| {
        s.op(Op::GetSlot(3));
        s.slot(3, &Value::str("set"));
        s.ops([Op::GetSlot(3), Op::GetSlot(2), Op::GetSlot(u16::MAX)]);
        s.gather(4);
    })]
}

fn slot_array_get() -> Vec<Chunk> {
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

fn slot_array_set() -> Vec<Chunk> {
    store_indices()
        .into_iter()
        .flat_map(|index| {
            few()
                .into_iter()
                .chain(collections())
                .map(move |o| (index.clone(), o))
        })
        .map(|(index, owner)| {
            Script::chunk(|s| {
                s.slot(1, &owner);
                s.push(&Value::str("new"));
                s.push(&index);
                s.ops([Op::SlotArraySet(1), Op::GetSlot(1)]);
            })
        })
        .collect()
}

fn store_indices() -> Vec<Value> {
    vec![
        Value::int(0),
        Value::int(4),
        Value::int(-1),
        Value::int(i64::MAX),
        Value::str("1"),
        Value::Undef,
    ]
}

fn array_set() -> Vec<Chunk> {
    store_indices()
        .into_iter()
        .flat_map(|index| {
            few()
                .into_iter()
                .chain(collections())
                .map(move |o| (index.clone(), o))
        })
        .map(|(index, owner)| {
            Script::chunk(|s| {
                let array = s.global("v", &owner);
                s.push(&Value::str("new"));
                s.push(&index);
                s.ops([Op::ArraySet(array), Op::GetVar(array)]);
            })
        })
        .collect()
}

/// A global of each kind, and the op with each key.
fn keyed(keys: Vec<Value>, op: fn(u16) -> Op) -> Vec<Chunk> {
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
fn stored(store: impl Fn(&mut Script, u16, &Value)) -> Vec<Chunk> {
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
fn taken(op: fn(u16) -> Op) -> Vec<Chunk> {
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
fn each_global(op: fn(u16) -> Op) -> Chunk {
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

fn hash_set() -> Vec<Chunk> {
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

fn hash_delete() -> Vec<Chunk> {
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
    chunks.extend(keyed(few(), Op::HashDelete));
    chunks
}

fn make_hash() -> Vec<Chunk> {
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

/// For each value whether the jump was taken: 1 if not, 2 if so.
fn branch(jump: fn(usize) -> Op) -> Chunk {
    let values = values();
    Script::chunk(|s| {
        for value in &values {
            s.push(value);
            let taken = s.jump(jump(0));
            s.int(1);
            let end = s.jump(Op::Jump(0));
            s.land(taken);
            s.int(2);
            s.land(end);
        }
        s.gather(values.len());
    })
}

fn branch_keep(jump: fn(usize) -> Op) -> Chunk {
    let values = values();
    Script::chunk(|s| {
        for value in &values {
            s.push(value);
            let taken = s.jump(jump(0));
            s.op(Op::Pop);
            s.push(&Value::str("not taken"));
            s.land(taken);
        }
        s.gather(values.len());
    })
}

fn call() -> Vec<Chunk> {
    vec![
        Script::chunk(|s| {
            // The sub sees its arguments on the stack, and slots of its own.
            let sub = s.sub("f", |s| {
                s.ops([Op::GetSlot(0), Op::MakeArray(3), Op::ReturnValue]);
            });
            s.slot(0, &Value::str("the caller's"));
            s.int(1);
            s.int(2);
            s.ops([Op::Call(sub, 2), Op::GetSlot(0)]);
            s.gather(2);
        }),
        Script::chunk(|s| {
            let sub = s.builder.add_name("f");
            let around = s.jump(Op::Jump(0));
            s.builder.add_sub_entry(sub, s.builder.current_pos());
            s.ops([Op::Dup, Op::LoadInt(1), Op::NumGt]);
            let base = s.jump(Op::JumpIfFalse(0));
            s.ops([Op::Dup, Op::Dec, Op::Call(sub, 1), Op::Mul]);
            s.land(base);
            s.op(Op::ReturnValue);
            s.land(around);
            s.int(10);
            s.op(Op::Call(sub, 1));
        }),
        Script::chunk(|s| {
            let missing = s.builder.add_name("missing");
            s.int(1);
            s.op(Op::Call(missing, 1));
        }),
        Script::chunk(|s| {
            let forever = s.builder.add_name("f");
            s.op(Op::Call(forever, 0));
            let end = s.jump(Op::Jump(0));
            s.builder.add_sub_entry(forever, s.builder.current_pos());
            s.ops([Op::Call(forever, 0), Op::Return]);
            s.land(end);
        }),
    ]
}

fn return_nothing() -> Chunk {
    Script::chunk(|s| {
        let sub = s.sub("f", |s| {
            s.ops([Op::PushFrame, Op::LoadInt(1), Op::LoadInt(2), Op::Return]);
        });
        s.int(0);
        s.ops([Op::Call(sub, 0), Op::Call(sub, 0)]);
    })
}

fn return_value() -> Chunk {
    Script::chunk(|s| {
        let sub = s.sub("f", |s| {
            s.ops([
                Op::LoadInt(1),
                Op::PushFrame,
                Op::LoadInt(2),
                Op::ReturnValue,
            ]);
        });
        s.int(0);
        s.ops([Op::Call(sub, 0), Op::Call(sub, 0)]);
        s.gather(3);
    })
}

fn top_level_return() -> Chunk {
    Script::chunk(|s| {
        s.int(1);
        s.op(Op::PushFrame);
        s.int(2);
        s.ops([Op::ReturnValue, Op::LoadTrue]);
    })
}

fn scopes() -> Vec<Chunk> {
    vec![Script::chunk(|s| {
        s.slot(0, &Value::str("outer"));
        s.int(1);
        s.op(Op::PushFrame);
        s.op(Op::GetSlot(0));
        s.op(Op::SetVar(0));
        s.builder.add_name("inner");
        s.slot(0, &Value::str("changed"));
        s.int(2);
        s.int(3);
        s.ops([Op::PopFrame, Op::GetSlot(0), Op::GetVar(0)]);
        s.gather(3);
    })]
}

fn printed(print: fn(u8) -> Op) -> Chunk {
    let values = values();
    Script::chunk(|s| {
        s.op(print(0));
        for value in &values {
            s.push(value);
            s.op(print(1));
        }
        s.push_all(&values);
        s.op(print(values.len() as u8));
    })
}

fn range() -> Vec<Chunk> {
    let ends = [
        Value::int(-2),
        Value::int(3),
        Value::str("1"),
        Value::float(2.9),
        Value::Undef,
    ];
    let mut chunks: Vec<Chunk> = ends
        .iter()
        .map(|from| applied(&Op::Range, from, &ends))
        .collect();
    chunks.push(applied(
        &Op::Range,
        &Value::int(i64::MAX),
        &[Value::int(i64::MAX)],
    ));
    chunks.push(applied(
        &Op::Range,
        &Value::int(i64::MIN),
        &[Value::int(i64::MAX)],
    ));
    chunks
}

fn range_step() -> Vec<Chunk> {
    let cases = [
        (0, 10, 3),
        (10, 0, -3),
        (0, 10, -1),
        (0, 10, 0),
        (i64::MAX - 1, i64::MAX, 2),
        (i64::MIN + 1, i64::MIN, -2),
        (i64::MIN, i64::MAX, i64::MAX),
        (i64::MIN, i64::MAX, 1),
    ];
    let chunk = |(from, to, step)| {
        Script::chunk(|s| {
            s.ops([
                Op::LoadInt(from),
                Op::LoadInt(to),
                Op::LoadInt(step),
                Op::RangeStep,
            ]);
        })
    };
    cases.into_iter().map(chunk).collect()
}

/// The block op over an array of all values, and over what is no array.
fn block(op: fn(u16) -> Op, body: impl Fn(&mut Script)) -> Vec<Chunk> {
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

fn for_each() -> Vec<Chunk> {
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

fn sort_block() -> Vec<Chunk> {
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

fn sort_default() -> Vec<Chunk> {
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

fn slot_to_int(op: fn(u16) -> Op, pushes: bool) -> Chunk {
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

fn add_assign() -> Chunk {
    let values = values();
    Script::chunk(|s| {
        for value in &values {
            s.slot(0, value);
            s.slot(1, &Value::int(i64::MAX));
            s.ops([Op::AddAssignSlotVoid(0, 1), Op::GetSlot(0), Op::GetSlot(1)]);
        }
        s.gather(values.len() * 2);
    })
}

fn slot_less() -> Vec<Chunk> {
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

fn increment_loop() -> Vec<Chunk> {
    let starts = [
        Value::int(-3),
        Value::Undef,
        Value::str("2"),
        Value::float(1.9),
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
fn fused_loop(op: impl Fn(i32) -> Op) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for first in few() {
        for (from, limit) in [(Value::int(0), 5), (Value::Undef, 0), (Value::str("2"), 4)] {
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

fn push_range() -> Vec<Chunk> {
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

/// Builtins that nobody registered: the last argument is the result.
fn call_builtin() -> Vec<Chunk> {
    let chunk = |argc: u8| {
        Script::chunk(|s| {
            s.int(-1);
            (0..argc).for_each(|value| s.int(i64::from(value)));
            s.op(Op::CallBuiltin(300, argc));
            s.gather(2);
        })
    };
    vec![chunk(0), chunk(1), chunk(3)]
}

/// Extension ops without a handler do nothing; without a declared effect the chunk is loose.
fn extension(op: Op) -> Vec<Chunk> {
    vec![Script::chunk(|s| {
        s.int(1);
        s.op(op);
        s.int(2);
        s.gather(2);
    })]
}

fn with_one_word(op: Op) -> Op {
    match op {
        Op::ExecBg(_) => Op::ExecBg(1),
        _ => Op::Exec(1),
    }
}

fn status() -> Vec<Chunk> {
    let values = values();
    vec![Script::chunk(|s| {
        s.op(Op::GetStatus);
        for value in &values {
            s.push(value);
            s.ops([Op::SetStatus, Op::GetStatus]);
        }
        s.gather(values.len() + 1);
    })]
}

/// The op on each text, a chunk each.
fn texts(op: Op, texts: &[&[u8]]) -> Vec<Chunk> {
    let chunk = |text: &&[u8]| {
        Script::chunk(|s| {
            s.push(&Value::bytes(*text));
            s.op(op.clone());
        })
    };
    texts.iter().map(chunk).collect()
}

fn with_block(op: Op, operands: impl FnOnce(&mut Script)) -> Chunk {
    Script::chunk(|s| {
        s.block(|s| s.op(Op::Nop));
        operands(s);
        s.op(op);
    })
}

fn just<const N: usize>(ops: [Op; N]) -> Chunk {
    Script::chunk(|s| s.ops(ops))
}

fn lone(op: Op) -> Chunk {
    Script::chunk(|s| s.op(op))
}

fn expand_param() -> Vec<Chunk> {
    let chunk = |modifier: u8| {
        Script::chunk(|s| {
            s.push_all(&[Value::str("name"), Value::str("a"), Value::str("b")]);
            s.op(Op::ExpandParam(modifier));
        })
    };
    (0..=17).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::super::edges::TEXTS;
    use super::*;
    use fusevm::op::INFO;

    #[test]
    fn every_op_has_cases_that_use_it() {
        for info in &INFO {
            let chunks = of(info);
            assert!(!chunks.is_empty(), "{} has none", info.name);
            for (index, chunk) in chunks.iter().enumerate() {
                let uses = chunk.ops.iter().any(|op| op.opcode() == info.byte);
                assert!(uses, "case {index} of {} doesn't use it", info.name);
            }
        }
    }

    #[test]
    fn texts_are_told_apart() {
        let distinct: std::collections::HashSet<_> = TEXTS.iter().collect();
        assert_eq!(distinct.len(), TEXTS.len());
    }
}
