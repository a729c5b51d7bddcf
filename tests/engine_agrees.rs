//! Do the register engine and the reference interpreter agree? Generated programs, everything that
//! can be seen compared: result and kind, globals, slots, stack, fuel, trap with op and calls.
//!
//! `AGREE_SEED=n` runs one seed, `AGREE_COUNT=n` sets how many are run.

use fusevm::vm::{EngineChoice, Limits, Trap};
use fusevm::{Chunk, ChunkBuilder, Op, VM, Value};

/// A small generator of pseudo-random numbers: xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const SLOTS: usize = 4;
const SUBS: usize = 3;

/// Writes a random program whose heights are static.
struct Writer {
    random: Random,
    out: ChunkBuilder,
    /// Ops that may still be emitted.
    left: usize,
    subs: Vec<(u16, u8, bool)>,
    /// Subs that may be called: those behind this one, so that nothing recurses for ever.
    first_callee: usize,
    scopes: usize,
    loops: usize,
}

impl Writer {
    fn emit(&mut self, op: Op) -> usize {
        self.left = self.left.saturating_sub(1);
        let line = self.out.current_pos() as u32 + 1;
        self.out.emit(op, line)
    }

    fn slot(&mut self) -> u16 {
        self.random.below(SLOTS) as u16
    }

    fn name(&mut self, names: &[&str]) -> u16 {
        let name = names[self.random.below(names.len())];
        self.out.add_name(name)
    }

    fn scalar(&mut self) -> u16 {
        self.name(&["x", "y", "z"])
    }

    fn array(&mut self) -> u16 {
        self.name(&["a", "b", "x"])
    }

    fn hash(&mut self) -> u16 {
        self.name(&["h", "y"])
    }

    /// Pushes one value.
    fn leaf(&mut self) {
        match self.random.below(14) {
            0..=3 => {
                let slot = self.slot();
                self.emit(Op::GetSlot(slot));
            }
            4 | 5 => {
                let n = [0, 1, -1, 2, 3, 7, i64::MAX, i64::MIN][self.random.below(8)];
                self.emit(Op::LoadInt(n));
            }
            6 => {
                let f = [0.0, -0.0, 1.5, -2.25, f64::NAN, 1e300, 2.0][self.random.below(7)];
                self.emit(Op::LoadFloat(f));
            }
            7 => {
                let text = ["", "a", "12", "3.5", "k", "long enough to be a string"];
                let text = text[self.random.below(6)];
                let index = self.out.add_constant(Value::str(text));
                self.emit(Op::LoadConst(index));
            }
            8 => {
                self.emit(Op::LoadTrue);
            }
            9 => {
                self.emit(Op::LoadUndef);
            }
            10 | 11 => {
                let name = self.scalar();
                self.emit(Op::GetVar(name));
            }
            12 => {
                let name = self.array();
                self.emit(Op::GetArray(name));
            }
            _ => {
                let name = self.array();
                self.emit(Op::ArrayLen(name));
            }
        }
    }

    /// Pushes the value of an expression.
    fn expression(&mut self, depth: usize) {
        if depth == 0 || self.left == 0 {
            return self.leaf();
        }
        match self.random.below(30) {
            0..=11 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                let ops = [
                    Op::Add,
                    Op::Sub,
                    Op::Mul,
                    Op::Div,
                    Op::Mod,
                    Op::Pow,
                    Op::Concat,
                    Op::NumLt,
                    Op::NumGe,
                    Op::NumEq,
                    Op::NumNe,
                    Op::StrEq,
                    Op::StrLt,
                    Op::Spaceship,
                    Op::StrCmp,
                    Op::BitAnd,
                    Op::Shl,
                    Op::Shr,
                    Op::LogAnd,
                    Op::BitXor,
                    Op::NumGt,
                    Op::NumLe,
                    Op::Add,
                    Op::Sub,
                    Op::Mul,
                    Op::Concat,
                ];
                let op = ops[self.random.below(ops.len())].clone();
                self.emit(op);
            }
            12..=14 => {
                self.expression(depth - 1);
                let ops = [
                    Op::Negate,
                    Op::Inc,
                    Op::Dec,
                    Op::LogNot,
                    Op::BitNot,
                    Op::StringLen,
                ];
                let op = ops[self.random.below(ops.len())].clone();
                self.emit(op);
            }
            15 => {
                self.expression(depth - 1);
                let name = self.array();
                self.emit(Op::ArrayGet(name));
            }
            16 => {
                self.expression(depth - 1);
                let slot = self.slot();
                self.emit(Op::SlotArrayGet(slot));
            }
            17 => {
                self.expression(depth - 1);
                let name = self.hash();
                let op = [
                    Op::HashGet(name),
                    Op::HashExists(name),
                    Op::HashDelete(name),
                ];
                let op = op[self.random.below(3)].clone();
                self.emit(op);
            }
            18 => {
                let count = self.random.below(4);
                for _ in 0..count {
                    self.expression(depth - 1);
                }
                self.emit(Op::MakeArray(count as u16));
            }
            19 => {
                // A choice, as frontends write it.
                self.expression(depth - 1);
                let otherwise = self.emit(Op::JumpIfFalse(0));
                self.expression(depth - 1);
                let end = self.emit(Op::Jump(0));
                self.patch(otherwise);
                self.expression(depth - 1);
                self.patch(end);
            }
            20 => {
                self.expression(depth - 1);
                let keep = if self.random.one_in(2) {
                    self.emit(Op::JumpIfFalseKeep(0))
                } else {
                    self.emit(Op::JumpIfTrueKeep(0))
                };
                self.emit(Op::Pop);
                self.expression(depth - 1);
                self.patch(keep);
            }
            21 => {
                self.expression(depth - 1);
                self.emit(Op::Dup);
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
            }
            22 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.emit(Op::Swap);
                self.emit(Op::Concat);
            }
            23 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.emit(Op::Dup2);
                self.emit(Op::Add);
                self.emit(Op::Rot);
                self.emit(Op::Pop);
                self.emit(Op::Concat);
            }
            24 => {
                let slot = self.slot();
                self.emit(Op::PreIncSlot(slot));
            }
            25 | 26 => self.call(depth),
            27 => {
                let name = self.array();
                let op = [Op::ArrayPop(name), Op::ArrayShift(name)];
                let op = op[self.random.below(2)].clone();
                self.emit(op);
            }
            28 => {
                self.expression(depth - 1);
                self.emit(Op::Dup);
                self.expression(depth - 1);
                self.emit(Op::Swap);
                self.emit(Op::Concat);
                self.emit(Op::Swap);
                self.emit(Op::Pop);
            }
            _ => {
                self.expression(depth - 1);
                self.emit(Op::LoadInt(3));
                self.emit(Op::StringRepeat);
                self.emit(Op::StringLen);
            }
        }
    }

    /// Pushes the result of a call.
    fn call(&mut self, depth: usize) {
        let callees: Vec<_> = self.subs[self.first_callee..].to_vec();
        if callees.is_empty() {
            return self.leaf();
        }
        let (name, argc, returns) = callees[self.random.below(callees.len())];
        for _ in 0..argc {
            self.expression(depth - 1);
        }
        self.emit(Op::Call(name, argc));
        if !returns {
            self.leaf();
        }
    }

    fn patch(&mut self, jump: usize) {
        let here = self.out.current_pos();
        self.out.patch_jump(jump, here);
    }

    fn statement(&mut self, depth: usize) {
        match self.random.below(24) {
            0..=6 => {
                self.expression(3);
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
            }
            7 => {
                self.expression(3);
                let name = self.scalar();
                self.emit(Op::SetVar(name));
            }
            8 => {
                self.expression(2);
                self.expression(1);
                let name = self.array();
                self.emit(Op::ArraySet(name));
            }
            9 | 10 => {
                self.expression(2);
                let name = self.array();
                self.emit(Op::ArrayPush(name));
            }
            11 => {
                self.expression(2);
                self.expression(1);
                let name = self.hash();
                self.emit(Op::HashSet(name));
            }
            12 => {
                self.expression(2);
                self.expression(1);
                let slot = self.slot();
                self.emit(Op::SlotArraySet(slot));
            }
            13 => {
                let (a, b) = (self.slot(), self.slot());
                let op = [
                    Op::PreIncSlotVoid(a),
                    Op::AddAssignSlotVoid(a, b),
                    Op::AccumSumLoop(a, b, 20),
                ];
                let op = op[self.random.below(3)].clone();
                self.emit(op);
            }
            14 => {
                let name = self.array();
                self.emit(Op::DeclareArray(name));
            }
            15 => {
                let name = self.hash();
                self.emit(Op::DeclareHash(name));
            }
            16 if depth > 0 => {
                self.expression(2);
                let otherwise = if self.random.one_in(2) {
                    self.emit(Op::JumpIfFalse(0))
                } else {
                    self.emit(Op::JumpIfTrue(0))
                };
                self.statements(depth - 1);
                self.patch(otherwise);
            }
            17..=19 if depth > 0 && self.loops < 2 => self.repeat(depth),
            20 if depth > 0 && self.scopes < 2 => {
                self.scopes += 1;
                self.emit(Op::PushFrame);
                self.statements(depth - 1);
                if self.random.one_in(3) {
                    self.leaf();
                }
                self.emit(Op::PopFrame);
                self.scopes -= 1;
            }
            21 => {
                self.expression(2);
                self.emit(Op::Pop);
            }
            22 => {
                self.emit(Op::LoadInt(1));
                self.emit(Op::LoadInt(5));
                self.emit(Op::Range);
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
            }
            _ => {
                self.expression(1);
                let slot = self.slot();
                let s = self.slot();
                self.emit(Op::SetSlot(slot));
                self.emit(Op::GetSlot(s));
                self.expression(1);
                self.emit(Op::Concat);
                self.emit(Op::SetSlot(s));
            }
        }
    }

    /// A loop over a slot that its body leaves alone most of the time, in one of several shapes.
    fn repeat(&mut self, depth: usize) {
        self.loops += 1;
        let slot = self.slot();
        self.emit(Op::LoadInt(0));
        self.emit(Op::SetSlot(slot));
        let limit = 2 + self.random.below(5) as i32;
        let below = self.random.below(3);
        let head = self.out.current_pos();
        if self.random.one_in(2) {
            let exit = if below == 0 {
                self.emit(Op::SlotLtIntJumpIfFalse(slot, limit, 0))
            } else {
                self.emit(Op::GetSlot(slot));
                self.emit(Op::LoadInt(i64::from(limit)));
                self.emit(if below == 1 { Op::NumLt } else { Op::NumLe });
                self.emit(Op::JumpIfFalse(0))
            };
            self.statements(depth - 1);
            self.emit(Op::PreIncSlotVoid(slot));
            self.emit(Op::Jump(head));
            self.patch(exit);
        } else {
            self.statements(depth - 1);
            match below {
                0 => {
                    self.emit(Op::SlotIncLtIntJumpBack(slot, limit, head));
                }
                _ => {
                    self.emit(Op::GetSlot(slot));
                    self.emit(Op::LoadInt(1));
                    self.emit(Op::Add);
                    self.emit(Op::Dup);
                    self.emit(Op::SetSlot(slot));
                    self.emit(Op::LoadFloat(f64::from(limit)));
                    self.emit(Op::NumGe);
                    if self.random.one_in(2) {
                        self.emit(Op::LogNot);
                        self.emit(Op::JumpIfTrue(head));
                    } else {
                        self.emit(Op::JumpIfFalse(head));
                    }
                }
            }
        }
        self.loops -= 1;
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..1 + self.random.below(4) {
            if self.left == 0 {
                return;
            }
            self.statement(depth);
        }
    }
}

/// A program: the main part, then subs that call only those behind them.
fn program(seed: u64) -> Chunk {
    let mut random = Random::new(seed);
    let mut out = ChunkBuilder::new();
    for name in ["x", "y", "z", "a", "b", "h"] {
        out.add_name(name);
    }
    let mut subs = Vec::new();
    for index in 0..SUBS {
        let name = out.add_name(&format!("sub{index}"));
        subs.push((name, random.below(4) as u8, !random.one_in(4)));
    }
    let mut writer = Writer {
        random,
        out,
        left: 120,
        subs: subs.clone(),
        first_callee: 0,
        scopes: 0,
        loops: 0,
    };
    writer.statements(3);
    writer.statements(3);
    writer.expression(3);
    let end = writer.emit(Op::Jump(0));
    for (index, (name, argc, returns)) in subs.into_iter().enumerate() {
        writer.first_callee = index + 1;
        writer.left = 50;
        let entry = writer.out.current_pos();
        writer.out.add_sub_entry(name, entry);
        writer.out.declare_argc(name, argc);
        // Arguments go into slots, or some of them stay where they are.
        let stored = match writer.random.below(3) {
            0 => writer.random.below(usize::from(argc) + 1),
            _ => usize::from(argc),
        };
        for slot in (0..stored).rev() {
            writer.emit(Op::SetSlot(slot as u16));
        }
        writer.statements(2);
        if writer.random.one_in(3) {
            writer.expression(2);
            let on = writer.emit(Op::JumpIfFalse(0));
            if returns {
                writer.leaf();
                writer.emit(Op::ReturnValue);
            } else {
                writer.emit(Op::Return);
            }
            writer.patch(on);
        }
        if returns {
            writer.expression(3);
            writer.emit(Op::ReturnValue);
        } else {
            writer.emit(Op::Return);
        }
    }
    writer.patch(end);
    writer.out.build()
}

/// Everything that can be seen of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Result<String, (String, String)>,
    globals: Vec<String>,
    slots: Vec<Vec<String>>,
    stack: Option<Vec<String>>,
    fuel: Option<u64>,
}

fn seen(chunk: &Chunk, choice: EngineChoice, fuel: u64, seeded: bool) -> Seen {
    let mut vm = VM::new(chunk.clone());
    vm.set_engine(choice);
    if seeded {
        // What an embedder may leave there before the run.
        vm.stack.push(Value::str("below"));
        vm.frames[0].slots = vec![Value::Int(5), Value::str("seeded")];
        vm.globals[0] = Value::array(vec![Value::Int(1), Value::str("two")]);
    }
    vm.set_limits(Limits {
        fuel: Some(fuel),
        max_value: 1 << 16,
        ..Limits::default()
    });
    let result = vm.execute();
    let show = |value: &Value| match value {
        Value::Str(s) if s.len() > 100 => format!("a string of {} bytes", s.len()),
        value => format!("{value:?}"),
    };
    let frames = vm.frames.iter().map(|frame| {
        let mut slots: Vec<String> = frame.slots.iter().map(show).collect();
        while slots.last().is_some_and(|last| last == "Undef") {
            slots.pop();
        }
        slots
    });
    let code = |trap: &Trap| (format!("{trap}"), trap.code().to_string());
    Seen {
        globals: vm.globals.iter().map(show).collect(),
        slots: frames.collect(),
        // In the middle of an op that trapped the stack may be either.
        stack: result.is_ok().then(|| vm.stack.iter().map(show).collect()),
        fuel: vm.fuel_left(),
        result: match &result {
            Ok(value) => Ok(format!("{value:?}")),
            Err(trap) => Err(code(trap)),
        },
    }
}

fn compare(seed: u64) -> bool {
    let chunk = program(seed);
    if fusevm::verify::verify_chunk(&chunk).is_err() {
        return false;
    }
    if number("AGREE_SEED").is_some() {
        for (at, op) in chunk.ops.iter().enumerate() {
            eprintln!("{at:4} {op:?}");
        }
    }
    let whole = seen(
        &chunk,
        EngineChoice::Reference,
        2_000,
        seed.is_multiple_of(2),
    );
    for fuel in [
        2_000,
        2_000 - whole.fuel.unwrap_or(0) / 2,
        seed % 50,
        seed % 400,
    ] {
        let expected = seen(
            &chunk,
            EngineChoice::Reference,
            fuel,
            seed.is_multiple_of(2),
        );
        let found = seen(&chunk, EngineChoice::Register, fuel, seed.is_multiple_of(2));
        if expected != found {
            for (at, op) in chunk.ops.iter().enumerate() {
                eprintln!("{at:4} {op:?}");
            }
            eprintln!(
                "subs {:?} constants {:?}",
                chunk.sub_entries, chunk.constants
            );
        }
        assert_eq!(expected, found, "seed {seed}, fuel {fuel}");
    }
    true
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn generated_programs() {
    if let Some(seed) = number("AGREE_SEED") {
        compare(seed);
        return;
    }
    let count = number("AGREE_COUNT").unwrap_or(2_000);
    let strict = (1..=count).filter(|seed| compare(*seed)).count() as u64;
    assert!(
        strict * 10 > count * 9,
        "only {strict} of {count} are strict"
    );
}

/// `f(n)` is 0 for 0, else `f(n - 1) + 1`.
fn recursion(depth: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("f");
    b.emit(Op::LoadInt(depth), 1);
    b.emit(Op::Call(name, 1), 1);
    let end = b.emit(Op::Jump(0), 1);
    let entry = b.current_pos();
    b.add_sub_entry(name, entry);
    b.emit(Op::SetSlot(0), 2);
    b.emit(Op::GetSlot(0), 2);
    let deeper = b.emit(Op::JumpIfTrue(0), 2);
    b.emit(Op::LoadInt(0), 2);
    b.emit(Op::ReturnValue, 2);
    let here = b.current_pos();
    b.patch_jump(deeper, here);
    b.emit(Op::GetSlot(0), 3);
    b.emit(Op::LoadInt(1), 3);
    b.emit(Op::Sub, 3);
    b.emit(Op::Call(name, 1), 3);
    b.emit(Op::LoadInt(1), 3);
    b.emit(Op::Add, 3);
    b.emit(Op::ReturnValue, 3);
    let here = b.current_pos();
    b.patch_jump(end, here);
    b.build()
}

#[test]
fn deep_calls_run_and_deeper_ones_trap() {
    let most = Limits::default().max_depth as i64;
    for (depth, result) in [
        (most - 1, Ok(Some(Value::Int(most - 1)))),
        (most, Err("E0402")),
    ] {
        for choice in [EngineChoice::Register, EngineChoice::Auto] {
            let mut vm = VM::new(recursion(depth));
            vm.set_engine(choice);
            let found = vm.execute().map_err(|trap| trap.code().to_string());
            assert_eq!(
                found,
                result.clone().map_err(str::to_owned),
                "{depth} {choice:?}"
            );
        }
    }
}

#[test]
fn deep_calls_are_held_to_the_memory_limit() {
    let mut vm = VM::new(recursion(900_000));
    vm.set_engine(EngineChoice::Register);
    vm.set_limits(Limits {
        max_memory: 1 << 20,
        ..Limits::default()
    });
    let trap = vm.execute().expect_err("a megabyte isn't enough");
    assert_eq!(trap.code().to_string(), "E0404");
}

/// A loop of so many rounds over values of every kind, on fast paths and slow ones.
fn mixed_loop(rounds: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let [array, hash, sub] = ["a", "h", "f"].map(|name| b.add_name(name));
    let text = b.add_constant(Value::str("7"));
    b.emit(Op::DeclareArray(array), 1);
    b.emit(Op::DeclareHash(hash), 1);
    b.emit(Op::LoadInt(1), 1);
    b.emit(Op::ArrayPush(array), 1);
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(0), 1);
    let head = b.current_pos();
    b.emit(Op::GetSlot(0), 2);
    b.emit(Op::LoadInt(rounds), 2);
    b.emit(Op::NumLt, 2);
    let exit = b.emit(Op::JumpIfFalse(0), 2);
    for op in [
        Op::LoadInt(0),
        Op::ArrayGet(array),
        Op::LoadConst(text),
        Op::Add,
        Op::LoadInt(0),
        Op::ArraySet(array),
        Op::GetSlot(0),
        Op::LoadConst(text),
        Op::HashSet(hash),
        Op::LoadConst(text),
        Op::HashGet(hash),
        Op::LoadFloat(0.5),
        Op::Mul,
        Op::Call(sub, 1),
        Op::LoadConst(text),
        Op::Concat,
        Op::StringLen,
        Op::SetSlot(1),
        Op::GetVar(array),
        Op::Pop,
        Op::GetSlot(1),
        Op::LogNot,
        Op::SetSlot(1),
        Op::PreIncSlotVoid(0),
    ] {
        b.emit(op, 3);
    }
    b.emit(Op::Jump(head), 3);
    let entry = b.current_pos();
    b.add_sub_entry(sub, entry);
    b.emit(Op::LoadConst(text), 4);
    b.emit(Op::Concat, 4);
    b.emit(Op::ReturnValue, 4);
    let here = b.current_pos();
    b.patch_jump(exit, here);
    b.build()
}

/// Each handler's last call must be a jump: otherwise this overflows the stack.
#[test]
fn a_long_run_needs_no_more_stack_than_a_short_one() {
    let run = || {
        let mut vm = VM::new(mixed_loop(100_000));
        vm.set_engine(EngineChoice::Register);
        assert!(vm.execute().is_ok());
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    thread
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no overflow");
}
