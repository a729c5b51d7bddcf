//! The cases, op by op. Every op of the table stands here: the match has no rest.

use super::{
    collections::{
        array_set, block, each_global, for_each, hash_delete, hash_set, keyed, make_hash, range,
        range_step, slot_array_get, slot_array_set, sort_block, sort_default, stored, taken,
    },
    edges::{FLOATS, INTS, TEXTS, few, values},
    fused::{add_assign, fused_loop, increment_loop, push_range, slot_less, slot_to_int},
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

        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod => binary(op),
        Op::Pow => [binary(op), vec![roots()]].concat(),
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
        Op::AddAssignSlotVoid(..) => add_assign(),
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
        Op::BraceExpand => [texts(op.clone(), &BRACES), vec![unary(op)]].concat(),
        Op::WordSplit => word_split(),
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

const WORDS: [&[u8]; 8] = [
    b"",
    b"  ",
    b"one",
    b" one  two ",
    b"a\tb\nc",
    b"a:b",
    b" : a :: b1c : ",
    b"\xff\xfea\xff",
];

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

pub(super) fn applied(op: &Op, a: &Value, right: &[Value]) -> Chunk {
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

/// Square roots by `Pow`. Of the last four the nearest number is another than what C libraries' `pow`
/// gives.
fn roots() -> Chunk {
    let missed = [
        2.818_481_115_860_522_3,
        1.751_236_398_641_011,
        3.169_696_939_750_849_7,
        3.809_959_610_630_503,
    ];
    let bases = FLOATS.into_iter().chain(missed);
    Script::chunk(|s| {
        for base in bases.clone() {
            s.ops([Op::LoadFloat(base), Op::LoadFloat(0.5), Op::Pow]);
        }
        s.gather(bases.count());
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

/// Counts of every kind, and those that are too large in a chunk each, as they trap.
fn string_repeat() -> Vec<Chunk> {
    let (small, huge): (Vec<Value>, Vec<Value>) =
        values().into_iter().partition(|count| count.to_int() < 100);
    let texts = few().into_iter().chain(TEXTS.map(Value::bytes));
    let mut chunks: Vec<Chunk> = texts
        .map(|text| applied(&Op::StringRepeat, &text, &small))
        .collect();
    for count in &huge {
        for text in ["x", ""] {
            let count = std::slice::from_ref(count);
            chunks.push(applied(&Op::StringRepeat, &Value::str(text), count));
        }
    }
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

/// Texts and values of all kinds, between separators of all kinds.
fn word_split() -> Vec<Chunk> {
    let mut chunks = texts(Op::WordSplit, &WORDS);
    let separators = [b":".as_slice(), b" :", b"", b"\xff", b"a\t"].map(Value::bytes);
    let separators = separators.into_iter().chain([Value::Undef, Value::int(1)]);
    chunks.extend(separators.map(|separator| {
        Script::chunk(|s| {
            s.global("IFS", &separator);
            for text in WORDS {
                s.push(&Value::bytes(text));
                s.op(Op::WordSplit);
            }
            s.gather(WORDS.len());
        })
    }));
    chunks.push(unary(Op::WordSplit));
    chunks
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
    let texts = [Value::Undef, Value::str(""), Value::str("aXbXc")];
    let words: [&[Value]; 4] = [
        &[],
        &[Value::str("*X")],
        &[Value::str("[X]"), Value::str("--")],
        &[Value::Int(-4), Value::Int(2)],
    ];
    let chunk = |modifier: u8, value: &Value, words: &[Value]| {
        Script::chunk(|s| {
            s.global("name", value);
            s.push(&Value::str("name"));
            s.push_all(words);
            s.op(Op::ExpandParam(modifier));
        })
    };
    let mut chunks = Vec::new();
    for modifier in 0..=17 {
        let words = match modifier {
            0..=3 | 5..=8 => words[1],
            9 | 10 => words[2],
            17 => words[3],
            _ => words[0],
        };
        let of = |value: &Value| chunk(modifier, value, words);
        chunks.extend(texts.iter().map(of));
    }
    let list = Value::array(vec![Value::Int(7), Value::str("b"), Value::Undef]);
    let collections = [
        (4, words[0]),
        (11, words[0]),
        (16, words[0]),
        (17, words[3]),
    ];
    chunks.extend(collections.map(|(modifier, words)| chunk(modifier, &list, words)));
    chunks.push(chunk(18, &list, &[]));
    chunks
}

#[cfg(test)]
mod tests {
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
