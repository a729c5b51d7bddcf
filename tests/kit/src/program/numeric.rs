//! Numeric programs: arithmetic on numbers in slots and arrays, in nested loops and calls.
//!
//! A slot keeps its kind, Int or Float, but for the few that don't; so what a program computes is
//! what a compiler that infers kinds takes without a look at them.

use fastrand::Rng;
use fusevm::{Chunk, ChunkBuilder, Op};

/// Slots: Ints, Floats, one that is either, one with an array of numbers, then loops' counters.
const INTS: std::ops::Range<u16> = 0..3;
const FLOATS: std::ops::Range<u16> = 3..6;
const EITHER: u16 = 6;
const ARRAY: u16 = 7;
const COUNTERS: u16 = 8;

/// Elements of the array.
const ELEMENTS: u16 = 8;

/// Loops within each other, and the most rounds of one.
const NESTING: u32 = 3;
const ROUNDS: i64 = 24;

/// What an expression gives.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Int,
    Float,
}

/// A sub of two arguments and a result of one kind.
#[derive(Clone, Copy)]
struct Sub {
    name: u16,
    kind: Kind,
}

/// Writes the program of a seed: the main part, then subs that call those behind them.
pub(super) fn program(seed: u64) -> Chunk {
    let mut out = ChunkBuilder::new();
    let subs: Vec<Sub> = [Kind::Int, Kind::Float, Kind::Int]
        .into_iter()
        .enumerate()
        .map(|(index, kind)| Sub {
            name: out.add_name(&format!("f{index}")),
            kind,
        })
        .collect();
    let mut writer = Writer {
        rng: Rng::with_seed(seed),
        out,
        callees: subs.clone(),
        loops: 0,
    };
    writer.set_all();
    for _ in 0..3 {
        writer.statement(3);
    }
    writer.expression(Kind::Int, 2);
    writer.expression(Kind::Float, 2);
    writer.emit(Op::Add);
    let to_end = writer.emit(Op::Jump(0));
    for (index, sub) in subs.iter().enumerate() {
        writer.callees = subs[index + 1..].to_vec();
        writer.sub(*sub);
    }
    writer.land(to_end);
    writer.out.build()
}

struct Writer {
    rng: Rng,
    out: ChunkBuilder,
    callees: Vec<Sub>,
    /// Loops that are open.
    loops: u32,
}

impl Writer {
    fn emit(&mut self, op: Op) -> usize {
        let line = self.out.current_pos() as u32 + 1;
        self.out.emit(op, line)
    }

    fn land(&mut self, jump: usize) {
        let here = self.out.current_pos();
        self.out.patch_jump(jump, here);
    }

    fn kind(&mut self) -> Kind {
        if self.rng.bool() {
            Kind::Int
        } else {
            Kind::Float
        }
    }

    fn slot(&mut self, kind: Kind) -> u16 {
        self.rng.u16(match kind {
            Kind::Int => INTS,
            Kind::Float => FLOATS,
        })
    }

    /// Gives every slot its first value.
    fn set_all(&mut self) {
        for slot in INTS.chain([EITHER]) {
            let value = self.rng.i64(-9..10);
            self.emit(Op::LoadInt(value));
            self.emit(Op::SetSlot(slot));
        }
        for slot in FLOATS {
            let value = f64::from(self.rng.i8(..)) / 8.0;
            self.emit(Op::LoadFloat(value));
            self.emit(Op::SetSlot(slot));
        }
        let kind = self.kind();
        (0..ELEMENTS).for_each(|_| self.literal(kind));
        self.emit(Op::MakeArray(ELEMENTS));
        self.emit(Op::SetSlot(ARRAY));
    }

    fn literal(&mut self, kind: Kind) {
        let op = match kind {
            Kind::Int => Op::LoadInt(match self.rng.u8(0..24) {
                0 => i64::MAX,
                1 => i64::MIN,
                _ => self.rng.i64(-20..40),
            }),
            Kind::Float => Op::LoadFloat(match self.rng.u8(0..24) {
                0 => f64::INFINITY,
                1 => -0.0,
                _ => f64::from(self.rng.i8(..)) / 16.0,
            }),
        };
        self.emit(op);
    }

    fn expression(&mut self, kind: Kind, depth: u32) {
        match self.rng.u8(0..16) {
            0..=2 => self.literal(kind),
            3..=9 if depth > 0 => self.binary(kind, depth - 1),
            10 if depth > 0 => self.call(kind, depth - 1),
            11 if depth > 0 => {
                self.index();
                self.emit(Op::SlotArrayGet(ARRAY));
                self.expression(kind, depth - 1);
                self.emit(Op::Add);
            }
            12 if self.loops > 0 => {
                let counter = COUNTERS + self.rng.u16(0..self.loops as u16);
                self.emit(Op::GetSlot(counter));
            }
            13 if self.rng.u8(0..4) == 0 => drop(self.emit(Op::GetSlot(EITHER))),
            _ => {
                let slot = self.slot(kind);
                self.emit(Op::GetSlot(slot));
            }
        }
    }

    fn binary(&mut self, kind: Kind, depth: u32) {
        const ON_INTS: [Op; 10] = [
            Op::Add,
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::Mod,
            Op::BitAnd,
            Op::BitOr,
            Op::BitXor,
            Op::Shl,
            Op::Shr,
        ];
        const ON_FLOATS: [Op; 6] = [Op::Add, Op::Add, Op::Sub, Op::Mul, Op::Mul, Op::Div];
        self.expression(kind, depth);
        self.expression(kind, depth);
        let op = match kind {
            Kind::Int => ON_INTS[self.rng.usize(0..ON_INTS.len())].clone(),
            Kind::Float => ON_FLOATS[self.rng.usize(0..ON_FLOATS.len())].clone(),
        };
        self.emit(op);
    }

    fn call(&mut self, kind: Kind, depth: u32) {
        let fitting = self.callees.iter().copied().filter(|sub| sub.kind == kind);
        let Some(sub) = self.rng.choice(fitting.collect::<Vec<_>>()) else {
            return self.literal(kind);
        };
        self.expression(kind, depth);
        self.expression(kind, depth);
        self.emit(Op::Call(sub.name, 2));
    }

    /// An index that the array has.
    fn index(&mut self) {
        self.expression(Kind::Int, 1);
        self.emit(Op::LoadInt(i64::from(ELEMENTS) - 1));
        self.emit(Op::BitAnd);
    }

    fn condition(&mut self) {
        const COMPARISONS: [Op; 6] = [
            Op::NumLt,
            Op::NumLe,
            Op::NumGt,
            Op::NumGe,
            Op::NumEq,
            Op::NumNe,
        ];
        let kind = self.kind();
        self.expression(kind, 1);
        self.expression(kind, 1);
        let op = COMPARISONS[self.rng.usize(0..COMPARISONS.len())].clone();
        self.emit(op);
    }

    fn statement(&mut self, depth: u32) {
        match self.rng.u8(0..12) {
            0..=2 if depth > 0 && self.loops < NESTING => self.counted_loop(depth - 1),
            3 | 4 if depth > 0 => {
                self.condition();
                let around = self.emit(Op::JumpIfFalse(0));
                self.statement(depth - 1);
                self.land(around);
            }
            5 => {
                let kind = self.kind();
                self.expression(kind, 1);
                self.index();
                self.emit(Op::SlotArraySet(ARRAY));
            }
            6 if self.rng.u8(0..3) == 0 => {
                let kind = self.kind();
                self.expression(kind, 1);
                self.emit(Op::SetSlot(EITHER));
            }
            _ => {
                let kind = self.kind();
                self.expression(kind, 3);
                let slot = self.slot(kind);
                self.emit(Op::SetSlot(slot));
            }
        }
    }

    /// A loop with a counter of its own, tested at its top.
    fn counted_loop(&mut self, depth: u32) {
        let counter = COUNTERS + self.loops as u16;
        self.emit(Op::LoadInt(0));
        self.emit(Op::SetSlot(counter));
        let head = self.out.current_pos();
        let rounds = self.rng.i64(1..ROUNDS);
        self.emit(Op::GetSlot(counter));
        self.emit(Op::LoadInt(rounds));
        self.emit(Op::NumLt);
        let exit = self.emit(Op::JumpIfFalse(0));
        self.loops += 1;
        for _ in 0..self.rng.u8(1..4) {
            self.statement(depth);
        }
        self.loops -= 1;
        self.emit(Op::GetSlot(counter));
        self.emit(Op::LoadInt(1));
        self.emit(Op::Add);
        self.emit(Op::SetSlot(counter));
        self.emit(Op::Jump(head));
        self.land(exit);
    }

    /// A sub, whose arguments come in the first slots of its kind.
    fn sub(&mut self, sub: Sub) {
        self.out.add_sub_entry(sub.name, self.out.current_pos());
        self.out.declare_argc(sub.name, 2);
        let first = match sub.kind {
            Kind::Int => INTS.start,
            Kind::Float => FLOATS.start,
        };
        self.emit(Op::SetSlot(first + 1));
        self.emit(Op::SetSlot(first));
        self.condition();
        let on = self.emit(Op::JumpIfFalse(0));
        self.expression(sub.kind, 1);
        self.emit(Op::ReturnValue);
        self.land(on);
        self.expression(sub.kind, 3);
        self.emit(Op::ReturnValue);
    }
}
