//! Tangled programs: few slots and names, used for everything.
//!
//! The same names are scalars, arrays and hashes, any slot may be a loop's counter, arguments stay
//! on the stack or go into slots, and subs return in their middle. Subs call only those behind them,
//! so that nothing recurses.

use fastrand::Rng;
use fusevm::{Chunk, ChunkBuilder, Op, Value};

/// Slots that everything shares.
const SLOTS: u16 = 4;

/// Names of scalars, of arrays and of hashes.
const SCALARS: [&str; 3] = ["x", "y", "z"];
const ARRAYS: [&str; 3] = ["a", "b", "x"];
const HASHES: [&str; 2] = ["h", "y"];

/// Ops of the main part, and of a sub, after which only what has to come comes.
const MAIN_OPS: usize = 120;
const SUB_OPS: usize = 50;

const SUBS: usize = 3;

const INTS: [i64; 8] = [0, 1, -1, 2, 3, 7, i64::MAX, i64::MIN];
const FLOATS: [f64; 7] = [0.0, -0.0, 1.5, -2.25, f64::NAN, 1e300, 2.0];
const TEXTS: [&str; 6] = ["", "a", "12", "3.5", "k", "long enough to be a string"];

/// Ops from two values to one; what programs do more often stands here more often.
const BINARY: [Op; 30] = [
    Op::Add,
    Op::Add,
    Op::Add,
    Op::Sub,
    Op::Sub,
    Op::Mul,
    Op::Mul,
    Op::Div,
    Op::Mod,
    Op::Pow,
    Op::Concat,
    Op::Concat,
    Op::NumLt,
    Op::NumGt,
    Op::NumLe,
    Op::NumGe,
    Op::NumEq,
    Op::NumNe,
    Op::StrEq,
    Op::StrLt,
    Op::Spaceship,
    Op::StrCmp,
    Op::BitAnd,
    Op::BitOr,
    Op::BitXor,
    Op::Shl,
    Op::Shr,
    Op::LogAnd,
    Op::LogOr,
    Op::StrGe,
];

const UNARY: [Op; 6] = [
    Op::Negate,
    Op::Inc,
    Op::Dec,
    Op::LogNot,
    Op::BitNot,
    Op::StringLen,
];

/// A sub: its name, arguments, and whether it leaves a value.
#[derive(Clone, Copy)]
struct Sub {
    name: u16,
    argc: u8,
    returns: bool,
}

/// Writes the program of a seed: the main part, then subs that call only those behind them.
pub(super) fn program(seed: u64) -> Chunk {
    let mut rng = Rng::with_seed(seed);
    let mut out = ChunkBuilder::new();
    for name in ["x", "y", "z", "a", "b", "h"] {
        out.add_name(name);
    }
    let subs: Vec<Sub> = (0..SUBS)
        .map(|index| Sub {
            name: out.add_name(&format!("sub{index}")),
            argc: rng.u8(0..4),
            returns: rng.u8(0..4) > 0,
        })
        .collect();
    let mut writer = Writer {
        rng,
        out,
        left: MAIN_OPS,
        callees: subs.clone(),
        scopes: 0,
        loops: 0,
    };
    writer.statements(3);
    writer.statements(3);
    writer.expression(3);
    let to_end = writer.emit(Op::Jump(0));
    for (index, sub) in subs.iter().enumerate() {
        writer.callees = subs[index + 1..].to_vec();
        writer.left = SUB_OPS;
        writer.sub(*sub);
    }
    writer.land(to_end);
    writer.out.build()
}

struct Writer {
    rng: Rng,
    out: ChunkBuilder,
    /// Ops that may still be written before things are brought to their end.
    left: usize,
    callees: Vec<Sub>,
    scopes: u32,
    loops: u32,
}

impl Writer {
    fn emit(&mut self, op: Op) -> usize {
        self.left = self.left.saturating_sub(1);
        let line = self.out.current_pos() as u32 + 1;
        self.out.emit(op, line)
    }

    fn emit_all<const N: usize>(&mut self, ops: [Op; N]) {
        for op in ops {
            self.emit(op);
        }
    }

    fn emit_any(&mut self, ops: &[Op]) -> usize {
        let op = ops[self.rng.usize(0..ops.len())].clone();
        self.emit(op)
    }

    fn land(&mut self, jump: usize) {
        let here = self.out.current_pos();
        self.out.patch_jump(jump, here);
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())]
    }

    fn slot(&mut self) -> u16 {
        self.rng.u16(0..SLOTS)
    }

    fn name(&mut self, of: &[&str]) -> u16 {
        let name = self.any(of);
        self.out.add_name(name)
    }

    fn text(&mut self) -> u16 {
        let text = self.any(&TEXTS);
        self.out.add_constant(Value::str(text))
    }

    fn leaf(&mut self) {
        let op = match self.rng.u8(0..14) {
            0..=3 => Op::GetSlot(self.slot()),
            4 | 5 => Op::LoadInt(self.any(&INTS)),
            6 => Op::LoadFloat(self.any(&FLOATS)),
            7 => Op::LoadConst(self.text()),
            8 => Op::LoadTrue,
            9 => Op::LoadUndef,
            10 | 11 => Op::GetVar(self.name(&SCALARS)),
            12 => Op::GetArray(self.name(&ARRAYS)),
            _ => Op::ArrayLen(self.name(&ARRAYS)),
        };
        self.emit(op);
    }

    fn expressions(&mut self, count: usize, depth: u32) {
        (0..count).for_each(|_| self.expression(depth));
    }

    /// Leaves one value.
    fn expression(&mut self, depth: u32) {
        if depth == 0 || self.left == 0 {
            return self.leaf();
        }
        match self.rng.u8(0..30) {
            0..=11 => {
                self.expressions(2, depth - 1);
                self.emit_any(&BINARY);
            }
            12..=14 => {
                self.expression(depth - 1);
                self.emit_any(&UNARY);
            }
            15..=18 => self.element(depth),
            19 => {
                let count = self.rng.u16(0..4);
                self.expressions(count.into(), depth - 1);
                self.emit(Op::MakeArray(count));
            }
            20 | 21 => self.choice(depth),
            22..=25 => self.shuffle(depth),
            26 => {
                let slot = self.slot();
                self.emit(Op::PreIncSlot(slot));
            }
            27 | 28 => self.call(depth),
            _ => {
                self.expression(depth - 1);
                self.emit_all([Op::LoadInt(3), Op::StringRepeat, Op::StringLen]);
            }
        }
    }

    /// An element of a collection.
    fn element(&mut self, depth: u32) {
        if self.rng.u8(0..4) == 0 {
            let array = self.name(&ARRAYS);
            self.emit_any(&[Op::ArrayPop(array), Op::ArrayShift(array)]);
            return;
        }
        self.expression(depth - 1);
        let (array, slot, hash) = (self.name(&ARRAYS), self.slot(), self.name(&HASHES));
        self.emit_any(&[
            Op::ArrayGet(array),
            Op::ArrayGet(array),
            Op::SlotArrayGet(slot),
            Op::SlotArrayGet(slot),
            Op::HashGet(hash),
            Op::HashExists(hash),
            Op::HashDelete(hash),
        ]);
    }

    /// Jumps that leave one value on either way.
    fn choice(&mut self, depth: u32) {
        self.expression(depth - 1);
        if self.rng.bool() {
            let to_else = self.emit(Op::JumpIfFalse(0));
            self.expression(depth - 1);
            let to_end = self.emit(Op::Jump(0));
            self.land(to_else);
            self.expression(depth - 1);
            self.land(to_end);
        } else {
            let kept = self.emit_any(&[Op::JumpIfFalseKeep(0), Op::JumpIfTrueKeep(0)]);
            self.emit(Op::Pop);
            self.expression(depth - 1);
            self.land(kept);
        }
    }

    /// Stack ops around a value that stays there while others are made.
    fn shuffle(&mut self, depth: u32) {
        self.expression(depth - 1);
        match self.rng.u8(0..4) {
            0 => {
                let slot = self.slot();
                self.emit_all([Op::Dup, Op::SetSlot(slot)]);
            }
            1 => {
                self.expression(depth - 1);
                self.emit_all([Op::Swap, Op::Concat]);
            }
            2 => {
                self.expression(depth - 1);
                self.emit_all([Op::Dup2, Op::Add, Op::Rot, Op::Pop, Op::Concat]);
            }
            _ => {
                self.emit(Op::Dup);
                self.expression(depth - 1);
                self.emit_all([Op::Swap, Op::Concat, Op::Swap, Op::Pop]);
            }
        }
    }

    fn call(&mut self, depth: u32) {
        let Some(sub) = self.rng.choice(self.callees.clone()) else {
            return self.leaf();
        };
        self.expressions(sub.argc.into(), depth - 1);
        self.emit(Op::Call(sub.name, sub.argc));
        if !sub.returns {
            self.leaf();
        }
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..self.rng.u8(1..5) {
            if self.left == 0 {
                return;
            }
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        match self.rng.u8(0..24) {
            0..=6 => {
                self.expression(3);
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
            }
            7 => {
                self.expression(3);
                let name = self.name(&SCALARS);
                self.emit(Op::SetVar(name));
            }
            8..=12 => self.store(),
            13 => {
                let (a, b) = (self.slot(), self.slot());
                self.emit_any(&[
                    Op::PreIncSlotVoid(a),
                    Op::AddAssignSlotVoid(a, b),
                    Op::AccumSumLoop(a, b, 20),
                ]);
            }
            14 => {
                let (array, hash) = (self.name(&ARRAYS), self.name(&HASHES));
                self.emit_any(&[Op::DeclareArray(array), Op::DeclareHash(hash)]);
            }
            15 | 16 if depth > 0 => {
                self.expression(2);
                let around = self.emit_any(&[Op::JumpIfFalse(0), Op::JumpIfTrue(0)]);
                self.statements(depth - 1);
                self.land(around);
            }
            17..=19 if depth > 0 && self.loops < 2 => self.repeat(depth),
            20 if depth > 0 && self.scopes < 2 => self.scope(depth),
            21 => {
                self.expression(2);
                self.emit(Op::Pop);
            }
            22 => {
                let slot = self.slot();
                self.emit_all([Op::LoadInt(1), Op::LoadInt(5), Op::Range, Op::SetSlot(slot)]);
            }
            _ => self.append(),
        }
    }

    /// Into a collection.
    fn store(&mut self) {
        self.expression(2);
        let array = self.name(&ARRAYS);
        if self.rng.u8(0..5) < 2 {
            self.emit(Op::ArrayPush(array));
            return;
        }
        self.expression(1);
        let (slot, hash) = (self.slot(), self.name(&HASHES));
        self.emit_any(&[
            Op::ArraySet(array),
            Op::HashSet(hash),
            Op::SlotArraySet(slot),
        ]);
    }

    fn scope(&mut self, depth: u32) {
        self.scopes += 1;
        self.emit(Op::PushFrame);
        self.statements(depth - 1);
        if self.rng.u8(0..3) == 0 {
            self.leaf();
        }
        self.emit(Op::PopFrame);
        self.scopes -= 1;
    }

    /// `s = s . x`, with another slot written before.
    fn append(&mut self) {
        self.expression(1);
        let (slot, text) = (self.slot(), self.slot());
        self.emit_all([Op::SetSlot(slot), Op::GetSlot(text)]);
        self.expression(1);
        self.emit_all([Op::Concat, Op::SetSlot(text)]);
    }

    /// A loop over a slot that its body leaves alone most of the time, in one of several shapes.
    fn repeat(&mut self, depth: u32) {
        self.loops += 1;
        let slot = self.slot();
        self.emit_all([Op::LoadInt(0), Op::SetSlot(slot)]);
        let limit = self.rng.i32(2..7);
        let shape = self.rng.u8(0..3);
        let head = self.out.current_pos();
        if self.rng.bool() {
            let exit = self.test_at_top(slot, limit, shape);
            self.statements(depth - 1);
            self.emit_all([Op::PreIncSlotVoid(slot), Op::Jump(head)]);
            self.land(exit);
        } else {
            self.statements(depth - 1);
            self.test_at_bottom(slot, limit, shape, head);
        }
        self.loops -= 1;
    }

    /// The jump out of the loop.
    fn test_at_top(&mut self, slot: u16, limit: i32, shape: u8) -> usize {
        if shape == 0 {
            return self.emit(Op::SlotLtIntJumpIfFalse(slot, limit, 0));
        }
        self.emit_all([Op::GetSlot(slot), Op::LoadInt(limit.into())]);
        self.emit(if shape == 1 { Op::NumLt } else { Op::NumLe });
        self.emit(Op::JumpIfFalse(0))
    }

    fn test_at_bottom(&mut self, slot: u16, limit: i32, shape: u8, head: usize) {
        if shape == 0 {
            self.emit(Op::SlotIncLtIntJumpBack(slot, limit, head));
            return;
        }
        self.emit_all([Op::GetSlot(slot), Op::LoadInt(1), Op::Add]);
        self.emit_all([
            Op::Dup,
            Op::SetSlot(slot),
            Op::LoadFloat(limit.into()),
            Op::NumGe,
        ]);
        if shape == 1 {
            self.emit_all([Op::LogNot, Op::JumpIfTrue(head)]);
        } else {
            self.emit(Op::JumpIfFalse(head));
        }
    }

    fn sub(&mut self, sub: Sub) {
        let entry = self.out.current_pos();
        self.out.add_sub_entry(sub.name, entry);
        self.out.declare_argc(sub.name, sub.argc);
        // Arguments go into slots, or some of them stay where they are.
        let stored = match self.rng.u8(0..3) {
            0 => self.rng.u8(0..=sub.argc),
            _ => sub.argc,
        };
        for slot in (0..stored.into()).rev() {
            self.emit(Op::SetSlot(slot));
        }
        self.statements(2);
        if self.rng.u8(0..3) == 0 {
            self.expression(2);
            let on = self.emit(Op::JumpIfFalse(0));
            self.end(sub, 0);
            self.land(on);
        }
        self.end(sub, 3);
    }

    fn end(&mut self, sub: Sub, depth: u32) {
        if sub.returns {
            self.expression(depth);
            self.emit(Op::ReturnValue);
        } else {
            self.emit(Op::Return);
        }
    }
}
