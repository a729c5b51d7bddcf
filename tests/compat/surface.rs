//! A program of the 0.9 line that uses all of its surface: one source, built against the published crate
//! and against this one.
//!
//! Each case gives a text that says what happened. Whatever may end the process stands in a case of its
//! own.

use fusevm::op::{file_test, param_mod, redirect_op};
use fusevm::shell_builtins::{self, builtin_id};
use fusevm::{
    Chunk, ChunkBuilder, Frame, JitCompiler, JitExtension, NativeCode, Op, VM, VMResult, Value,
};
use std::collections::HashMap;

/// What happens in a case.
pub type Case = fn() -> String;

/// All cases by name.
pub const CASES: &[(&str, Case)] = &[
    ("example", example),
    ("values", values),
    ("conversions", conversions),
    ("strings of values", strings_of_values),
    ("truth", truth),
    ("lengths", lengths),
    ("patterns", patterns),
    ("equality and hashes", equality),
    ("default and debug", debug_forms),
    ("arithmetic", arithmetic),
    ("division and powers", division),
    ("comparison", comparison),
    ("logic and bits", logic),
    ("text ops", text_ops),
    ("stack ops", stack_ops),
    ("control", control),
    ("calls", calls),
    ("scopes", scopes),
    ("slots", slots),
    ("globals", globals),
    ("arrays", arrays),
    ("hashes", hashes),
    ("ranges and blocks", blocks),
    ("sorting", sorting),
    ("fused loops", fused),
    ("end of a run", end_of_a_run),
    ("what a run leaves", leftovers),
    ("embedder's state", embedders_state),
    ("builtins", builtins),
    ("builtin that is missing", missing_builtin),
    ("extension ops", extensions),
    ("shell ops", shell_ops),
    ("file tests", file_tests),
    ("status", status),
    ("builder", builder),
    ("builder: no jump", builder_no_jump),
    ("chunk", chunk_fields),
    ("constants of modules", constants),
    ("builtin numbers", builtin_numbers),
    ("serialized", serialized),
    ("hash of what was serialized", serialized_hash),
    ("jit: eligible", jit_eligible),
    ("jit: linear", jit_linear),
    ("jit: linear bool", jit_linear_bool),
    ("jit: linear power", jit_linear_power),
    ("jit: block", jit_block),
    ("jit: block float", jit_block_float),
    ("jit: regions", jit_regions),
    ("jit: extension", jit_extension),
    ("jit: short slots", jit_short_slots),
    ("jit: division by zero", jit_division_by_zero),
    ("remainder by zero", remainder_by_zero),
    ("return within a scope", return_within_a_scope),
    ("recursion without end", endless_recursion),
    ("a text of 2^62", huge_text),
    ("a store at -1", store_at_minus_one),
    ("too many constants", too_many_constants),
    ("errors", errors),
    ("threads", threads),
];

/// A chunk of ops alone.
fn ops(ops: &[Op]) -> Chunk {
    named(&[], ops)
}

/// A chunk of names and ops, on line 1, 2, 3 and so on.
fn named(names: &[&str], ops: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for name in names {
        b.add_name(name);
    }
    for (index, op) in ops.iter().enumerate() {
        b.emit(op.clone(), index as u32 + 1);
    }
    b.build()
}

/// A value with its kind.
fn show(value: &Value) -> String {
    match value {
        Value::Undef => "Undef".to_owned(),
        Value::Bool(b) => format!("Bool {b}"),
        Value::Int(n) => format!("Int {n}"),
        Value::Float(f) => format!("Float {f:?}"),
        Value::Str(s) => format!("Str {:?}", s.as_str()),
        Value::Array(a) => {
            let items: Vec<String> = a.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Hash(h) => {
            let mut entries: Vec<String> = h
                .iter()
                .map(|(key, value)| format!("{key}: {}", show(value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Status(code) => format!("Status {code}"),
        Value::Ref(inner) => format!("Ref to {}", show(inner)),
        Value::NativeFn(id) => format!("NativeFn {id}"),
    }
}

fn ended(result: VMResult) -> String {
    match result {
        VMResult::Ok(value) => show(&value),
        VMResult::Halted => "halted".to_owned(),
        VMResult::Error(message) => format!("error: {}", first_line(&message)),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn run(chunk: Chunk) -> String {
    ended(VM::new(chunk).run())
}

/// What each list of ops leaves.
fn each(lists: &[&[Op]]) -> String {
    let results: Vec<String> = lists.iter().map(|list| run(ops(list))).collect();
    results.join("; ")
}

fn binary(a: Value, b: Value, op: Op) -> String {
    let mut builder = ChunkBuilder::new();
    for value in [a, b] {
        let constant = builder.add_constant(value);
        builder.emit(Op::LoadConst(constant), 1);
    }
    builder.emit(op, 1);
    run(builder.build())
}

/// The op on each pair of these values.
fn table(values: &[Value], op: &Op) -> String {
    let mut results = Vec::new();
    for a in values {
        for b in values {
            results.push(binary(a.clone(), b.clone(), op.clone()));
        }
    }
    format!("{op:?}: {}", results.join(", "))
}

fn numbers() -> Vec<Value> {
    vec![
        Value::Int(7),
        Value::Int(-2),
        Value::float(2.5),
        Value::str("3"),
        Value::str("x"),
        Value::Undef,
        Value::Bool(true),
    ]
}

fn example() -> String {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(40), 1);
    b.emit(Op::LoadInt(2), 1);
    b.emit(Op::Add, 1);
    let mut vm = VM::new(b.build());
    match vm.run() {
        VMResult::Ok(value) => format!("result: {}", value.to_str()),
        VMResult::Error(error) => format!("error: {error}"),
        VMResult::Halted => "halted".to_owned(),
    }
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()));
    Value::hash(entries.collect::<HashMap<String, Value>>())
}

fn all_kinds() -> Vec<Value> {
    vec![
        Value::Undef,
        Value::bool(true),
        Value::bool(false),
        Value::int(-3),
        Value::float(2.0),
        Value::float(-0.0),
        Value::float(1e21),
        Value::float(f64::NAN),
        Value::str(""),
        Value::str("0"),
        Value::str("12"),
        Value::str(" 12"),
        Value::str("1e3"),
        Value::array(vec![]),
        Value::array(vec![Value::int(1), Value::str("b")]),
        map(&[]),
        map(&[("k", Value::int(1))]),
        Value::status(0),
        Value::status(3),
        Value::NativeFn(9),
    ]
}

fn of_all(tell: impl Fn(&Value) -> String) -> String {
    let all: Vec<String> = all_kinds().iter().map(tell).collect();
    all.join("; ")
}

fn values() -> String {
    of_all(show)
}

fn conversions() -> String {
    of_all(|value| format!("{} {:?}", value.to_int(), value.to_float()))
}

fn strings_of_values() -> String {
    of_all(|value| format!("{:?} {:?}", value.to_str(), value.as_str_cow()))
}

fn truth() -> String {
    of_all(|value| value.is_truthy().to_string())
}

fn lengths() -> String {
    of_all(|value| format!("{} {}", value.len(), value.is_empty()))
}

fn patterns() -> String {
    let array = Value::array(vec![Value::int(4), Value::int(5)]);
    let first = match &array {
        Value::Array(items) => items[0].to_int() + items.len() as i64,
        _ => 0,
    };
    let hash = map(&[("x", Value::int(8))]);
    let found = match &hash {
        Value::Hash(entries) => entries.get("x").map(Value::to_int),
        _ => None,
    };
    let text = match &Value::str("héllo") {
        Value::Str(s) => (s.len(), s.is_empty(), s.as_str().to_owned()),
        _ => (0, true, String::new()),
    };
    format!("{first} {found:?} {text:?}")
}

fn equality() -> String {
    use std::collections::hash_map::DefaultHasher;
    use std::hash::{Hash, Hasher};
    let hash_of = |op: &Op| {
        let mut hasher = DefaultHasher::new();
        op.hash(&mut hasher);
        hasher.finish()
    };
    let same = Value::str("a") == Value::str("a");
    let kinds = Value::int(1) == Value::float(1.0);
    let arrays = Value::array(vec![Value::int(1)]) == Value::array(vec![Value::int(1)]);
    let ops = hash_of(&Op::LoadInt(1)) == hash_of(&Op::LoadInt(1));
    format!("{same} {kinds} {arrays} {ops} {}", Op::Add == Op::Sub)
}

fn debug_forms() -> String {
    let sizes = (size_of::<Op>() <= 24, size_of::<VMResult>() > 0);
    format!(
        "{:?} {:?} {:?} {:?} {sizes:?}",
        Value::default(),
        Op::Call(1, 2),
        Value::Int(4),
        Value::Bool(true)
    )
}

fn arithmetic() -> String {
    let values = numbers();
    let tables = [Op::Add, Op::Sub, Op::Mul].map(|op| table(&values, &op));
    let edges = each(&[
        &[Op::LoadInt(i64::MAX), Op::LoadInt(1), Op::Add],
        &[Op::LoadInt(i64::MIN), Op::Negate],
        &[Op::LoadInt(i64::MAX), Op::Inc],
        &[Op::LoadFloat(2.0), Op::Dec],
        &[Op::LoadFloat(-0.0), Op::Negate],
    ]);
    format!("{}; {edges}", tables.join("; "))
}

fn division() -> String {
    let values = [
        Value::Int(7),
        Value::Int(2),
        Value::float(0.5),
        Value::str("4"),
    ];
    let tables = [Op::Div, Op::Pow].map(|op| table(&values, &op));
    let edges = each(&[
        &[Op::LoadInt(1), Op::LoadInt(0), Op::Div],
        &[Op::LoadInt(7), Op::LoadInt(-2), Op::Mod],
        &[Op::LoadFloat(7.5), Op::LoadInt(2), Op::Mod],
    ]);
    format!("{}; {edges}", tables.join("; "))
}

fn comparison() -> String {
    let values = numbers();
    let ops = [
        Op::NumEq,
        Op::NumNe,
        Op::NumLt,
        Op::NumGt,
        Op::NumLe,
        Op::NumGe,
        Op::Spaceship,
        Op::StrEq,
        Op::StrNe,
        Op::StrLt,
        Op::StrGt,
        Op::StrLe,
        Op::StrGe,
        Op::StrCmp,
    ];
    ops.map(|op| table(&values, &op)).join("; ")
}

fn logic() -> String {
    let values = [Value::Int(6), Value::Int(3), Value::Undef, Value::str("")];
    let ops = [
        Op::LogAnd,
        Op::LogOr,
        Op::BitAnd,
        Op::BitOr,
        Op::BitXor,
        Op::Shl,
        Op::Shr,
    ];
    let tables = ops.map(|op| table(&values, &op)).join("; ");
    let others = each(&[
        &[Op::LoadInt(0), Op::LogNot],
        &[Op::LoadInt(5), Op::BitNot],
        &[Op::LoadTrue],
        &[Op::LoadFalse],
        &[Op::LoadUndef],
    ]);
    format!("{tables}; {others}")
}

fn text_ops() -> String {
    let values = [
        Value::str("ab"),
        Value::Int(3),
        Value::float(1.5),
        Value::Undef,
    ];
    let tables = [Op::Concat, Op::StringRepeat]
        .map(|op| table(&values, &op))
        .join("; ");
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::str("héllo"));
    b.emit(Op::LoadConst(text), 1);
    b.emit(Op::StringLen, 1);
    format!("{tables}; {}", run(b.build()))
}

fn stack_ops() -> String {
    let three = [Op::LoadInt(1), Op::LoadInt(2), Op::LoadInt(3)];
    let with = |more: &[Op]| {
        let mut vm = VM::new(ops(&[&three, more].concat()));
        let result = ended(vm.run());
        let below: Vec<String> = vm.stack.iter().map(show).collect();
        format!("{} / {result}", below.join(" "))
    };
    [
        with(&[Op::Pop]),
        with(&[Op::Dup]),
        with(&[Op::Dup2]),
        with(&[Op::Swap]),
        with(&[Op::Rot]),
        with(&[Op::Nop]),
    ]
    .join("; ")
}

fn control() -> String {
    each(&[
        &[Op::LoadInt(1), Op::Jump(3), Op::LoadInt(2), Op::Nop],
        &[
            Op::LoadTrue,
            Op::JumpIfTrue(3),
            Op::LoadInt(2),
            Op::LoadInt(3),
        ],
        &[
            Op::LoadInt(0),
            Op::JumpIfFalse(3),
            Op::LoadInt(2),
            Op::LoadInt(3),
        ],
        &[
            Op::LoadInt(4),
            Op::JumpIfTrueKeep(3),
            Op::LoadInt(2),
            Op::Nop,
        ],
        &[
            Op::LoadInt(0),
            Op::JumpIfFalseKeep(3),
            Op::LoadInt(2),
            Op::Nop,
        ],
        &[Op::LoadInt(1), Op::Jump(2)],
    ])
}

/// `fib(n)` with a sub.
fn fib(n: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("fib");
    b.emit(Op::LoadInt(n), 1);
    b.emit(Op::Call(name, 1), 1);
    let over = b.emit(Op::Jump(0), 1);
    b.add_sub_entry(name, b.current_pos());
    b.emit(Op::SetSlot(0), 2);
    b.emit(Op::GetSlot(0), 2);
    b.emit(Op::LoadInt(2), 2);
    b.emit(Op::NumLt, 2);
    let deeper = b.emit(Op::JumpIfFalse(0), 2);
    b.emit(Op::GetSlot(0), 3);
    b.emit(Op::ReturnValue, 3);
    b.patch_jump(deeper, b.current_pos());
    for back in [1, 2] {
        b.emit(Op::GetSlot(0), 4);
        b.emit(Op::LoadInt(back), 4);
        b.emit(Op::Sub, 4);
        b.emit(Op::Call(name, 1), 4);
    }
    b.emit(Op::Add, 4);
    b.emit(Op::ReturnValue, 4);
    b.patch_jump(over, b.current_pos());
    b.build()
}

fn calls() -> String {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("pair");
    b.emit(Op::LoadInt(9), 1);
    b.emit(Op::LoadInt(4), 1);
    b.emit(Op::LoadInt(5), 1);
    b.emit(Op::Call(name, 2), 1);
    let over = b.emit(Op::Jump(0), 1);
    b.add_sub_entry(name, b.current_pos());
    b.emit(Op::Sub, 2);
    b.emit(Op::ReturnValue, 2);
    b.patch_jump(over, b.current_pos());
    let mut vm = VM::new(b.build());
    let result = ended(vm.run());
    format!("{}; {result}; {} left", run(fib(15)), vm.stack.len())
}

fn scopes() -> String {
    each(&[
        &[
            Op::LoadInt(1),
            Op::SetSlot(0),
            Op::PushFrame,
            Op::GetSlot(0),
            Op::SetSlot(1),
            Op::LoadInt(2),
            Op::SetSlot(0),
            Op::PopFrame,
            Op::GetSlot(0),
        ],
        &[Op::LoadInt(1), Op::PushFrame, Op::LoadInt(2), Op::PopFrame],
    ])
}

fn slots() -> String {
    let mut vm = VM::new(ops(&[
        Op::LoadInt(3),
        Op::SetSlot(2),
        Op::PreIncSlot(2),
        Op::PreIncSlotVoid(2),
        Op::LoadInt(10),
        Op::SetSlot(0),
        Op::AddAssignSlotVoid(0, 2),
        Op::GetSlot(0),
    ]));
    let result = ended(vm.run());
    let slots: Vec<String> = vm.frames[0].slots.iter().map(show).collect();
    format!("{result}; {}", slots.join(" "))
}

fn globals() -> String {
    let mut vm = VM::new(named(
        &["a", "b"],
        &[
            Op::LoadInt(1),
            Op::SetVar(0),
            Op::GetVar(0),
            Op::DeclareVar(1),
            Op::GetVar(1),
        ],
    ));
    let result = ended(vm.run());
    let globals: Vec<String> = vm.globals.iter().map(show).collect();
    format!("{result}; {}", globals.join(" "))
}

fn arrays() -> String {
    let chunk = named(
        &["a"],
        &[
            Op::DeclareArray(0),
            Op::LoadInt(5),
            Op::ArrayPush(0),
            Op::LoadInt(6),
            Op::ArrayPush(0),
            Op::LoadInt(7),
            Op::LoadInt(4),
            Op::ArraySet(0),
            Op::ArrayShift(0),
            Op::ArrayLen(0),
            Op::LoadInt(0),
            Op::ArrayGet(0),
            Op::LoadInt(-1),
            Op::ArrayGet(0),
            Op::LoadInt(99),
            Op::ArrayGet(0),
            Op::ArrayPop(0),
            Op::GetArray(0),
            Op::MakeArray(7),
        ],
    );
    let slot = ops(&[
        Op::LoadInt(1),
        Op::LoadInt(2),
        Op::MakeArray(2),
        Op::SetSlot(0),
        Op::LoadInt(9),
        Op::LoadInt(0),
        Op::SlotArraySet(0),
        Op::LoadInt(0),
        Op::SlotArrayGet(0),
    ]);
    format!("{}; {}", run(chunk), run(slot))
}

fn hashes() -> String {
    let mut b = ChunkBuilder::new();
    let h = b.add_name("h");
    let key = b.add_constant(Value::str("k"));
    for op in [
        Op::DeclareHash(h),
        Op::LoadInt(5),
        Op::LoadConst(key),
        Op::HashSet(h),
        Op::LoadConst(key),
        Op::HashGet(h),
        Op::LoadConst(key),
        Op::HashExists(h),
        Op::HashKeys(h),
        Op::HashValues(h),
        Op::LoadConst(key),
        Op::HashDelete(h),
        Op::LoadConst(key),
        Op::HashExists(h),
        Op::LoadConst(key),
        Op::LoadInt(8),
        Op::MakeHash(2),
        Op::MakeArray(7),
    ] {
        b.emit(op, 1);
    }
    run(b.build())
}

/// A chunk of ops with one block behind them.
fn with_block(main: &[Op], block: &[Op]) -> String {
    let mut b = ChunkBuilder::new();
    for op in main {
        b.emit(op.clone(), 1);
    }
    let over = b.emit(Op::Jump(0), 1);
    let start = b.current_pos();
    for op in block {
        b.emit(op.clone(), 2);
    }
    b.add_block_range(start, b.current_pos());
    b.patch_jump(over, b.current_pos());
    run(b.build())
}

fn blocks() -> String {
    let range = [Op::LoadInt(1), Op::LoadInt(5), Op::Range];
    let with = |op: Op, block: &[Op]| with_block(&[&range[..], &[op]].concat(), block);
    let steps = each(&[
        &[
            Op::LoadInt(1),
            Op::LoadInt(9),
            Op::LoadInt(3),
            Op::RangeStep,
        ],
        &[
            Op::LoadInt(5),
            Op::LoadInt(1),
            Op::LoadInt(-2),
            Op::RangeStep,
        ],
        &[Op::LoadInt(3), Op::LoadInt(1), Op::Range],
    ]);
    [
        with(Op::MapBlock(0), &[Op::LoadInt(2), Op::Mul]),
        with(Op::GrepBlock(0), &[Op::LoadInt(2), Op::Mod]),
        with(Op::ForEachBlock(0), &[Op::Pop]),
        steps,
    ]
    .join("; ")
}

fn sorting() -> String {
    let items = [
        Op::LoadInt(3),
        Op::LoadInt(10),
        Op::LoadInt(2),
        Op::MakeArray(3),
    ];
    let by_default = run(ops(&[&items[..], &[Op::SortDefault]].concat()));
    let by_block = with_block(
        &[&items[..], &[Op::SortBlock(0)]].concat(),
        &[Op::Spaceship],
    );
    format!("{by_default}; {by_block}")
}

fn fused() -> String {
    let mut b = ChunkBuilder::new();
    let x = b.add_constant(Value::str("x"));
    let list = b.add_name("list");
    for op in [
        Op::AccumSumLoop(0, 1, 1001),
        Op::LoadConst(x),
        Op::SetSlot(2),
        Op::ConcatConstLoop(x, 2, 3, 5),
        Op::DeclareArray(list),
        Op::PushIntRangeLoop(list, 4, 4),
        Op::GetSlot(0),
        Op::GetSlot(2),
        Op::GetArray(list),
        Op::MakeArray(3),
    ] {
        b.emit(op, 1);
    }
    let loops = run(b.build());
    let branches = run(ops(&[
        Op::LoadInt(0),
        Op::SetSlot(0),
        Op::SlotLtIntJumpIfFalse(0, 3, 5),
        Op::SlotIncLtIntJumpBack(0, 3, 2),
        Op::Nop,
        Op::GetSlot(0),
    ]));
    format!("{loops}; {branches}")
}

fn end_of_a_run() -> String {
    each(&[
        &[],
        &[Op::LoadUndef],
        &[Op::LoadInt(1), Op::Pop],
        &[Op::LoadInt(1), Op::Return, Op::LoadInt(2)],
        &[Op::LoadInt(1), Op::ReturnValue, Op::LoadInt(2)],
    ])
}

fn leftovers() -> String {
    let mut vm = VM::new(ops(&[
        Op::LoadInt(1),
        Op::PushFrame,
        Op::LoadInt(7),
        Op::SetSlot(0),
        Op::LoadInt(2),
    ]));
    let result = ended(vm.run());
    let Some(Frame {
        slots, stack_base, ..
    }) = vm.frames.last()
    else {
        return "no frame".to_owned();
    };
    let slots: Vec<String> = slots.iter().map(show).collect();
    format!(
        "{result}; {} frames; base {stack_base}; {}",
        vm.frames.len(),
        slots.join(" ")
    )
}

fn embedders_state() -> String {
    let mut vm = VM::new(named(
        &["factor"],
        &[Op::GetSlot(0), Op::GetVar(0), Op::Mul],
    ));
    vm.globals[0] = Value::Int(6);
    vm.frames.push(Frame {
        return_ip: 0,
        stack_base: 0,
        slots: vec![Value::Int(7)],
    });
    let result = ended(vm.run());
    vm.push(Value::Int(1));
    let peeked = show(vm.peek());
    let popped = (show(&vm.pop()), show(&vm.pop()));
    vm.ip = 1;
    vm.chunk.ops[2] = Op::Nop;
    let again = ended(vm.run());
    format!(
        "{result}; {peeked}; {popped:?}; {again}; {}",
        vm.chunk.names[0]
    )
}

fn builtins() -> String {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(1), 1);
    b.emit(Op::LoadInt(2), 1);
    b.emit(Op::LoadInt(3), 1);
    b.emit(Op::CallBuiltin(5, 2), 1);
    b.emit(Op::CallBuiltin(6, 0), 1);
    b.emit(Op::MakeArray(3), 1);
    let mut vm = VM::new(b.build());
    vm.register_builtin(5, |vm, argc| {
        let (y, x) = (vm.pop(), vm.pop());
        Value::Int(x.to_int() * 10 + y.to_int() + i64::from(argc) * 100)
    });
    vm.register_builtin(6, |vm, _| {
        vm.globals.first().cloned().unwrap_or(Value::Undef)
    });
    ended(vm.run())
}

fn missing_builtin() -> String {
    let mut vm = VM::new(ops(&[
        Op::LoadInt(1),
        Op::LoadInt(2),
        Op::CallBuiltin(300, 1),
        Op::Dup,
        Op::Add,
    ]));
    let result = ended(vm.run());
    format!("{result}; {} left", vm.stack.len())
}

fn extensions() -> String {
    let mut vm = VM::new(ops(&[
        Op::Extended(0, 20),
        Op::Extended(0, 22),
        Op::ExtendedWide(3, 1000),
        Op::Extended(1, 0),
    ]));
    let mut sum = 0;
    vm.set_extension_handler(Box::new(move |vm, id, arg| match id {
        0 => sum += i64::from(arg),
        1 => {
            let wide = vm.pop().to_int();
            vm.push(Value::int(sum + wide));
        }
        _ => {}
    }));
    vm.set_extension_wide_handler(Box::new(|vm, id, payload| {
        vm.push(Value::int(payload as i64 + i64::from(id)));
    }));
    let unhandled = run(ops(&[
        Op::LoadInt(1),
        Op::Extended(7, 7),
        Op::ExtendedWide(7, 7),
    ]));
    format!("{}; {unhandled}", ended(vm.run()))
}

/// The value of an op on a text.
fn on_text(text: &str, op: Op) -> String {
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::str(text));
    b.emit(Op::LoadConst(text), 1);
    b.emit(op, 1);
    run(b.build())
}

fn shell_ops() -> String {
    [
        on_text("a{1,2}b", Op::BraceExpand),
        on_text(" a  b ", Op::WordSplit),
        on_text("plain", Op::TildeExpand),
        on_text("/no/such/*", Op::Glob),
    ]
    .join("; ")
}

fn file_tests() -> String {
    let tests = [
        ("/", file_test::IS_DIR),
        ("/", file_test::IS_FILE),
        ("/dev/null", file_test::EXISTS),
        ("/dev/null", file_test::IS_CHAR_DEV),
        ("/no/such", file_test::EXISTS),
    ];
    tests
        .map(|(path, test)| on_text(path, Op::TestFile(test)))
        .join("; ")
}

fn status() -> String {
    let mut b = ChunkBuilder::new();
    let command = b.add_constant(Value::str("false"));
    b.emit(Op::LoadInt(3), 1);
    b.emit(Op::SetStatus, 1);
    b.emit(Op::GetStatus, 1);
    b.emit(Op::LoadConst(command), 1);
    b.emit(Op::Exec(1), 1);
    b.emit(Op::MakeArray(2), 1);
    let mut vm = VM::new(b.build());
    let result = ended(vm.run());
    format!("{result}; {}", vm.last_status)
}

fn builder() -> String {
    let mut b = ChunkBuilder::default();
    let names = (b.add_name("a"), b.add_name("b"), b.add_name("a"));
    let constants = (b.add_constant(Value::Int(1)), b.add_constant(Value::Int(1)));
    let jump = b.emit(Op::Jump(0), 7);
    b.patch_jump(jump, 5);
    let block = b.add_block_range(0, 1);
    b.set_source("here");
    let chunk = b.build();
    format!(
        "{names:?} {constants:?} {jump} {block} {:?} {:?} {:?} {}",
        chunk.ops, chunk.lines, chunk.block_ranges, chunk.source
    )
}

fn builder_no_jump() -> String {
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = std::panic::catch_unwind(|| {
        let mut b = ChunkBuilder::new();
        b.emit(Op::Add, 1);
        b.patch_jump(0, 1);
    });
    let payload = panicked.err();
    let message = payload.and_then(|payload| payload.downcast::<String>().ok());
    message.map_or("no panic".to_owned(), |message| {
        (*message).chars().take(25).collect()
    })
}

fn chunk_fields() -> String {
    let chunk = fib(1);
    let default = Chunk::new();
    let mut other = named(&["x"], &[Op::Add]);
    let same = named(&["y"], &[Op::Add]);
    let equal = other.op_hash == same.op_hash && other.op_hash != default.op_hash;
    other.lines.clear();
    format!(
        "{:?} {:?} {:?} {} {equal} {}",
        chunk.find_sub(0),
        chunk.find_sub(1),
        chunk.sub_entries,
        default.op_hash,
        chunk.constants.len()
    )
}

fn constants() -> String {
    let tests = [
        file_test::IS_FILE,
        file_test::IS_DIR,
        file_test::IS_READABLE,
        file_test::IS_WRITABLE,
        file_test::IS_EXECUTABLE,
        file_test::EXISTS,
        file_test::IS_NONEMPTY,
        file_test::IS_SYMLINK,
        file_test::IS_SOCKET,
        file_test::IS_FIFO,
        file_test::IS_BLOCK_DEV,
        file_test::IS_CHAR_DEV,
    ];
    let redirects = [
        redirect_op::WRITE,
        redirect_op::APPEND,
        redirect_op::READ,
        redirect_op::READ_WRITE,
        redirect_op::CLOBBER,
        redirect_op::DUP_READ,
        redirect_op::DUP_WRITE,
        redirect_op::WRITE_BOTH,
        redirect_op::APPEND_BOTH,
    ];
    let modifiers = [
        param_mod::DEFAULT,
        param_mod::ASSIGN,
        param_mod::ERROR,
        param_mod::ALTERNATE,
        param_mod::LENGTH,
        param_mod::STRIP_SHORT,
        param_mod::STRIP_LONG,
        param_mod::RSTRIP_SHORT,
        param_mod::RSTRIP_LONG,
        param_mod::SUBST_FIRST,
        param_mod::SUBST_ALL,
        param_mod::UPPER,
        param_mod::LOWER,
        param_mod::UPPER_FIRST,
        param_mod::LOWER_FIRST,
        param_mod::INDIRECT,
        param_mod::KEYS,
        param_mod::SLICE,
    ];
    format!("{tests:?} {redirects:?} {modifiers:?}")
}

fn builtin_numbers() -> String {
    let names = [
        "cd",
        "pwd",
        "echo",
        "print",
        "printf",
        "export",
        "unset",
        "source",
        ".",
        "exit",
        "bye",
        "logout",
        "return",
        "true",
        "false",
        "test",
        "[",
        ":",
        "local",
        "declare",
        "typeset",
        "readonly",
        "integer",
        "float",
        "read",
        "mapfile",
        "readarray",
        "chdir",
        "bind",
        "jobs",
        "fg",
        "bg",
        "kill",
        "trap",
        "alias",
        "unalias",
        "set",
        "shift",
        "eval",
        "exec",
        "let",
        "history",
        "fc",
        "pushd",
        "popd",
        "dirs",
        "umask",
        "wait",
        "zle",
        "compdef",
        "no such",
    ];
    let numbers: Vec<String> = names.map(|name| format!("{:?}", builtin_id(name))).to_vec();
    format!(
        "{} {} {}",
        numbers.join(" "),
        shell_builtins::BUILTIN_CD,
        shell_builtins::BUILTIN_TYPESET
    )
}

/// A chunk with something of everything that is serialized.
fn full_chunk() -> Chunk {
    let mut b = ChunkBuilder::new();
    b.add_name("n");
    b.add_constant(Value::str("text"));
    b.add_constant(Value::float(0.5));
    b.add_constant(Value::array(vec![
        Value::int(1),
        Value::Undef,
        Value::bool(true),
    ]));
    b.add_constant(map(&[("k", Value::status(2))]));
    b.add_constant(Value::NativeFn(3));
    b.emit(Op::LoadConst(2), 3);
    b.emit(Op::Call(0, 1), 4);
    b.emit(Op::ExpandParam(param_mod::SLICE), 5);
    b.add_sub_entry(0, 2);
    b.add_block_range(0, 2);
    b.set_source("full.src");
    b.build()
}

/// The bytes of a chunk as frontends keep them.
pub fn blob() -> Vec<u8> {
    bincode::serialize(&full_chunk()).expect("a chunk is serialized")
}

/// What a blob of either crate holds, as text.
pub fn read_blob(bytes: &[u8]) -> String {
    match bincode::deserialize::<Chunk>(bytes) {
        Ok(chunk) => {
            let constants: Vec<String> = chunk.constants.iter().map(show).collect();
            format!(
                "{:?} {} {:?} {:?} {:?} {:?} {}",
                chunk.ops,
                constants.join(" "),
                chunk.names,
                chunk.lines,
                chunk.sub_entries,
                chunk.block_ranges,
                chunk.source
            )
        }
        Err(error) => format!("error: {error}"),
    }
}

/// Whether a blob that was read has the hash of the chunk that was written.
fn serialized_hash() -> String {
    let read = bincode::deserialize::<Chunk>(&blob());
    let is_same = read.is_ok_and(|chunk| chunk.op_hash == full_chunk().op_hash);
    is_same.to_string()
}

fn serialized() -> String {
    let bytes = blob();
    format!("{:?} {}", bytes, read_blob(&bytes))
}

fn jit_eligible() -> String {
    let jit = JitCompiler::new();
    let chunks = [
        ops(&[Op::LoadInt(1), Op::LoadInt(2), Op::Add]),
        ops(&[Op::LoadInt(1), Op::Exec(1)]),
        ops(&[Op::LoadInt(1), Op::Print(1)]),
        ops(&[Op::Extended(0, 0)]),
        ops(&[Op::LoadInt(1), Op::LoadInt(2), Op::Concat]),
        named(&["v"], &[Op::GetVar(0)]),
        ops(&[Op::AccumSumLoop(0, 1, 10), Op::GetSlot(0)]),
        fib(3),
    ];
    let tell = |chunk: &Chunk| {
        let (linear, block) = (jit.is_linear_eligible(chunk), jit.is_block_eligible(chunk));
        format!("{} {linear} {block}", jit.is_eligible(chunk))
    };
    let told: Vec<String> = chunks.iter().map(tell).collect();
    told.join("; ")
}

fn linear(list: &[Op], slots: &[i64]) -> String {
    let value = JitCompiler::new().try_run_linear(&ops(list), slots);
    value.as_ref().map_or("none".to_owned(), show)
}

fn jit_linear() -> String {
    [
        linear(&[Op::LoadInt(40), Op::LoadInt(2), Op::Add], &[]),
        linear(&[Op::GetSlot(0), Op::GetSlot(1), Op::Mul], &[6, 7]),
        linear(&[Op::LoadFloat(1.5), Op::LoadInt(2), Op::Add], &[]),
        linear(&[Op::LoadInt(1), Op::LoadInt(2), Op::Concat], &[]),
    ]
    .join("; ")
}

fn jit_linear_bool() -> String {
    linear(&[Op::LoadInt(1), Op::LoadInt(2), Op::NumLt], &[])
}

fn jit_linear_power() -> String {
    linear(&[Op::LoadInt(2), Op::LoadInt(10), Op::Pow], &[])
}

fn jit_block() -> String {
    let jit = JitCompiler::new();
    let sum = ops(&[Op::AccumSumLoop(0, 1, 101), Op::GetSlot(0)]);
    let mut slots = [0_i64; 4];
    let first = jit.try_run_block(&sum, &mut slots);
    let mut again = [0_i64; 4];
    let eager = jit.try_run_block_eager(&sum, &mut again);
    format!("{first:?} {slots:?} {eager:?} {again:?}")
}

fn jit_block_float() -> String {
    let chunk = ops(&[Op::LoadFloat(2.5), Op::SetSlot(0), Op::GetSlot(0)]);
    let mut slots = [0_i64; 2];
    let ran = JitCompiler::new().try_run_block_eager(&chunk, &mut slots);
    format!("{ran:?} {slots:?}")
}

fn jit_regions() -> String {
    let jit = JitCompiler::new();
    let chunk = ops(&[
        Op::LoadInt(1),
        Op::LoadInt(2),
        Op::Add,
        Op::Print(1),
        Op::LoadInt(4),
    ]);
    let region = jit.find_jit_region(&chunk);
    let extracted = region.map(|(start, end)| jit.extract_region(&chunk, start, end).ops);
    format!("{region:?} {extracted:?}")
}

/// A frontend that vouches for its first two extension ops.
struct Vouching;

impl JitExtension for Vouching {
    fn can_jit(&self, ext_id: u16) -> bool {
        ext_id < 2
    }

    fn op_count(&self) -> usize {
        2
    }

    fn name(&self) -> &str {
        "vouching"
    }
}

fn jit_extension() -> String {
    let mut jit = JitCompiler::default();
    jit.register_extension(Box::new(Vouching));
    let eligible = [1, 2].map(|id| jit.is_eligible(&ops(&[Op::Extended(id, 0)])));
    let handle = size_of::<Option<NativeCode>>() < usize::MAX;
    format!("{eligible:?} {handle}")
}

fn jit_short_slots() -> String {
    linear(&[Op::GetSlot(3)], &[1])
}

fn jit_division_by_zero() -> String {
    let chunk = ops(&[Op::LoadInt(1), Op::LoadInt(0), Op::Div]);
    format!(
        "{:?}",
        JitCompiler::new().try_run_block_eager(&chunk, &mut [0; 2])
    )
}

fn remainder_by_zero() -> String {
    each(&[
        &[Op::LoadInt(1), Op::LoadInt(0), Op::Mod],
        &[Op::LoadFloat(1.0), Op::LoadInt(0), Op::Mod],
    ])
}

fn return_within_a_scope() -> String {
    let mut vm = VM::new(named(
        &["n"],
        &[
            Op::GetVar(0),
            Op::Inc,
            Op::SetVar(0),
            Op::PushFrame,
            Op::GetVar(0),
            Op::ReturnValue,
        ],
    ));
    let result = ended(vm.run());
    format!("{result}; {}", show(&vm.globals[0]))
}

fn endless_recursion() -> String {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("f");
    b.emit(Op::Call(name, 0), 1);
    b.add_sub_entry(name, 0);
    let VMResult::Error(message) = VM::new(b.build()).run() else {
        return "it ended".to_owned();
    };
    format!("error: {}", first_line(&message))
}

fn huge_text() -> String {
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::str("x"));
    b.emit(Op::LoadConst(text), 1);
    b.emit(Op::LoadInt(1 << 62), 1);
    b.emit(Op::StringRepeat, 1);
    run(b.build())
}

fn store_at_minus_one() -> String {
    run(named(
        &["a"],
        &[
            Op::DeclareArray(0),
            Op::LoadInt(1),
            Op::LoadInt(-1),
            Op::ArraySet(0),
            Op::ArrayLen(0),
        ],
    ))
}

fn too_many_constants() -> String {
    std::panic::set_hook(Box::new(|_| {}));
    let added = std::panic::catch_unwind(|| {
        let mut b = ChunkBuilder::new();
        (0..=1 << 16).map(|n| b.add_constant(Value::Int(n))).last()
    });
    match added {
        Ok(last) => format!("the last is {last:?}"),
        Err(_) => "panic".to_owned(),
    }
}

fn errors() -> String {
    run(named(&["launch"], &[Op::Call(0, 0)]))
}

fn threads() -> String {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Value>();
    is_send_and_sync::<Chunk>();
    is_send_and_sync::<Op>();
    is_send_and_sync::<Frame>();
    is_send_and_sync::<VMResult>();
    is_send_and_sync::<JitCompiler>();
    let mut vm = VM::new(fib(10));
    let b = ChunkBuilder::new();
    let joined = std::thread::spawn(move || (ended(vm.run()), b.build().ops.len())).join();
    format!("{joined:?}")
}
