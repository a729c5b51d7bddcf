//! Expressions of grown programs: each leaves one value.

use super::{ARRAYS, Grower, HASHES, PendingBlock, SCALARS, SLOTS};
use fastrand::Rng;
use fusevm::{Op, Value};

impl Grower {
    /// Leaves one value.
    pub(super) fn expression(&mut self, depth: u32) {
        if depth == 0 {
            return self.atom();
        }
        match self.rng.u8(0..16) {
            0..=2 => self.atom(),
            3..=6 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.binary();
            }
            7 | 8 => {
                self.expression(depth - 1);
                self.unary();
            }
            9 => self.shuffle(depth),
            10 => self.choice(depth),
            11 => self.element(depth),
            12 => self.collection(depth),
            13 => self.call_expression(depth),
            14 => {
                self.expression(depth - 1);
                let addend = self.rng.u8(..);
                self.emit(Op::Extended(1, addend));
            }
            _ => {
                self.expression(depth - 1);
                let argc = self.rng.u8(1..3);
                (1..argc).for_each(|_| self.atom());
                let builtin = self.rng.u16(0..3);
                self.emit(Op::CallBuiltin(builtin, argc));
            }
        }
    }

    /// A value without operands.
    pub(super) fn atom(&mut self) {
        let op = match self.rng.u8(0..10) {
            0 | 1 => Op::GetVar(self.rng.u16(0..SCALARS)),
            2..=4 => Op::GetSlot(self.slot()),
            5 => match self.rng.u8(0..6) {
                0 => Op::ArrayLen(self.array()),
                1 => Op::ArrayPop(self.array()),
                2 => Op::ArrayShift(self.array()),
                3 => Op::PreIncSlot(self.slot()),
                4 => Op::GetArray(self.array()),
                _ => Op::GetHash(self.hash()),
            },
            _ => return self.literal(),
        };
        self.emit(op);
    }

    pub(super) fn literal(&mut self) {
        let op = match self.rng.u8(0..10) {
            0..=3 => Op::LoadInt(int(&mut self.rng)),
            4 | 5 => Op::LoadFloat(float(&mut self.rng)),
            6 => Op::LoadTrue,
            7 => Op::LoadFalse,
            8 => Op::LoadUndef,
            _ => Op::LoadConst(self.constant()),
        };
        self.emit(op);
    }

    pub(super) fn constant(&mut self) -> u16 {
        let value = match self.rng.u8(0..8) {
            0 => Value::status(self.rng.i32(-1..3)),
            1 => Value::NativeFn(self.rng.u16(0..4)),
            2 => Value::array(vec![Value::int(1), Value::str("two"), Value::Undef]),
            3 => Value::reference(Value::int(7)),
            _ => string(&mut self.rng),
        };
        self.builder.add_constant(value)
    }

    pub(super) fn binary(&mut self) {
        const BINARY: [Op; 31] = [
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::Div,
            Op::Mod,
            Op::Pow,
            Op::Concat,
            Op::Concat,
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
            Op::LogAnd,
            Op::LogOr,
            Op::BitAnd,
            Op::BitOr,
            Op::BitXor,
            Op::Shl,
        ];
        let op = match self.rng.usize(0..=BINARY.len()) {
            index if index < BINARY.len() => BINARY[index].clone(),
            _ => Op::Shr,
        };
        self.emit(op);
    }

    pub(super) fn unary(&mut self) {
        const UNARY: [Op; 6] = [
            Op::Negate,
            Op::Inc,
            Op::Dec,
            Op::StringLen,
            Op::LogNot,
            Op::BitNot,
        ];
        let op = UNARY[self.rng.usize(0..UNARY.len())].clone();
        self.emit(op);
    }

    /// Stack ops whose sum leaves one value.
    fn shuffle(&mut self, depth: u32) {
        self.expression(depth - 1);
        match self.rng.u8(0..4) {
            0 => {
                self.emit(Op::Dup);
                self.binary();
            }
            1 => {
                self.expression(depth - 1);
                self.emit(Op::Swap);
                self.binary();
            }
            2 => {
                self.expression(depth - 1);
                self.emit(Op::Dup2);
                (0..3).for_each(|_| self.binary());
            }
            _ => {
                self.atom();
                self.atom();
                self.emit(Op::Rot);
                self.binary();
                self.binary();
            }
        }
    }

    /// Jumps that leave one value on either way.
    fn choice(&mut self, depth: u32) {
        self.expression(depth - 1);
        match self.rng.u8(0..3) {
            0 => {
                let to_else = self.emit(Op::JumpIfFalse(0));
                self.expression(depth - 1);
                let to_end = self.emit(Op::Jump(0));
                self.patch_to_here(to_else);
                self.expression(depth - 1);
                self.patch_to_here(to_end);
            }
            keep => {
                let jump = if keep == 1 {
                    Op::JumpIfTrueKeep(0)
                } else {
                    Op::JumpIfFalseKeep(0)
                };
                let to_end = self.emit(jump);
                self.emit(Op::Pop);
                self.expression(depth - 1);
                self.patch_to_here(to_end);
            }
        }
    }

    /// An element of a collection, or what is known of one.
    fn element(&mut self, depth: u32) {
        match self.rng.u8(0..7) {
            0 | 1 => {
                self.index();
                self.with_array(Op::ArrayGet);
            }
            2 => {
                self.index();
                self.with_slot(Op::SlotArrayGet);
            }
            3 => {
                self.expression(depth - 1);
                self.with_hash(Op::HashGet);
            }
            4 => {
                self.expression(depth - 1);
                self.with_hash(Op::HashExists);
            }
            5 => self.with_hash(Op::HashKeys),
            _ => self.with_hash(Op::HashValues),
        }
    }

    /// An array or a hash.
    pub(super) fn collection(&mut self, depth: u32) {
        match self.rng.u8(0..9) {
            0 => {
                let count = self.rng.u16(0..5);
                (0..count).for_each(|_| self.expression(depth.saturating_sub(1)));
                self.emit(Op::MakeArray(count));
            }
            1 => {
                let count = self.rng.u16(0..3) * 2;
                (0..count).for_each(|_| self.atom());
                self.emit(Op::MakeHash(count));
            }
            2 => self.range(),
            3 => {
                self.range();
                self.emit(Op::SortDefault);
            }
            4 | 5 => self.transformed(depth, 2, Op::SortBlock),
            6 => self.transformed(depth, 1, Op::GrepBlock),
            7 => self.transformed(depth, 1, Op::MapBlock),
            _ => self.with_array(Op::GetArray),
        }
    }

    fn range(&mut self) {
        let from = self.rng.i64(-5..5);
        self.emit(Op::LoadInt(from));
        let to = from + self.rng.i64(-2..12);
        self.emit(Op::LoadInt(to));
        if self.rng.bool() {
            self.emit(Op::Range);
        } else {
            let step = self.rng.i64(-3..4);
            self.emit(Op::LoadInt(step));
            self.emit(Op::RangeStep);
        }
    }

    fn transformed(&mut self, depth: u32, elements: u8, op: fn(u16) -> Op) {
        let depth = depth.saturating_sub(2);
        self.collection(depth);
        self.block_op(
            op,
            PendingBlock {
                elements,
                leaves: true,
                depth,
            },
        );
    }

    pub(super) fn block_op(&mut self, op: fn(u16) -> Op, block: PendingBlock) {
        self.emit(op(self.named_blocks));
        self.named_blocks += 1;
        self.pending.push_back(block);
    }

    fn call_expression(&mut self, depth: u32) {
        let returning = self.subs.iter().copied().filter(|sub| sub.returns);
        match self.rng.choice(returning.collect::<Vec<_>>()) {
            Some(sub) => self.call(sub, depth),
            None => self.atom(),
        }
    }

    pub(super) fn slot(&mut self) -> u16 {
        self.rng.u16(0..SLOTS)
    }

    pub(super) fn array(&mut self) -> u16 {
        self.rng.u16(ARRAYS)
    }

    pub(super) fn hash(&mut self) -> u16 {
        self.rng.u16(HASHES)
    }
}

fn int(rng: &mut Rng) -> i64 {
    const EDGES: [i64; 9] = [0, 1, -1, 63, 64, i32::MAX as i64, i64::MAX, i64::MIN, -7];
    if rng.u8(0..3) == 0 {
        EDGES[rng.usize(0..EDGES.len())]
    } else {
        rng.i64(-20..20)
    }
}

fn float(rng: &mut Rng) -> f64 {
    const EDGES: [f64; 9] = [
        0.0,
        -0.0,
        1.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e21,
        5e-324,
        2.0,
    ];
    EDGES[rng.usize(0..EDGES.len())]
}

fn string(rng: &mut Rng) -> Value {
    const TEXTS: [&[u8]; 11] = [
        b"",
        b"0",
        b"00",
        b"-12",
        b"3.5",
        b"1e3",
        b" 7",
        b"abc",
        b"b",
        b"\xff\x00",
        b"nan",
    ];
    Value::bytes(TEXTS[rng.usize(0..TEXTS.len())])
}
