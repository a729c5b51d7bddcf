//! Grown programs: every kind of op that needs no host, blocks, extension ops, builtins, recursion.
//!
//! Globals and slots keep to what they are for. Loops count a slot of their own that nothing else
//! writes; recursion is left to the depth limit.

mod expression;

use super::EXTENSIONS;
use fastrand::Rng;
use fusevm::{
    Chunk, ChunkBuilder, Op,
    chunk::{Effect, Import, ImportKind, Touches},
};
use std::collections::VecDeque;

/// Globals: scalars first, then arrays, then hashes.
const SCALARS: u16 = 4;
const ARRAYS: std::ops::Range<u16> = 4..6;
const HASHES: std::ops::Range<u16> = 6..8;
/// Slots that statements write; loops count in the ones above.
const SLOTS: u16 = 4;

/// Grows the program of a seed.
pub(super) fn program(seed: u64) -> Chunk {
    let mut grower = Grower::new(seed);
    grower.grow();
    grower.builder.build()
}

/// A sub to be grown: its name, arguments, and whether it leaves a value.
#[derive(Clone, Copy)]
struct Sub {
    name: u16,
    argc: u8,
    returns: bool,
}

/// A block whose body comes later, behind the code that uses it.
struct PendingBlock {
    /// What lies on the stack when it begins: one element, or two to compare.
    elements: u8,
    /// Whether it leaves a value.
    leaves: bool,
    depth: u32,
}

struct Grower {
    rng: Rng,
    builder: ChunkBuilder,
    /// Bodies are grown in the order in which ops name them, so a block's index is how many were
    /// named before it.
    pending: VecDeque<PendingBlock>,
    named_blocks: u16,
    subs: Vec<Sub>,
    /// The slot that the next loop counts in.
    next_counter: u16,
    line: u32,
}

impl Grower {
    fn new(seed: u64) -> Grower {
        let mut builder = ChunkBuilder::new();
        for index in 0..HASHES.end {
            builder.add_name(&format!("g{index}"));
        }
        for (id, pops, pushes) in EXTENSIONS {
            builder.declare_import(Import {
                effect: Effect::Fixed { pops, pushes },
                touches: Touches::GLOBALS | Touches::SLOTS,
                ..Import::undeclared(ImportKind::Extension, id, "")
            });
        }
        Grower {
            rng: Rng::with_seed(seed),
            builder,
            pending: VecDeque::new(),
            named_blocks: 0,
            subs: Vec::new(),
            next_counter: SLOTS,
            line: 1,
        }
    }

    fn grow(&mut self) {
        for index in 0..self.rng.u16(0..4) {
            let name = self.builder.add_name(&format!("f{index}"));
            let sub = Sub {
                name,
                argc: self.rng.u8(0..4),
                returns: self.rng.bool(),
            };
            self.builder.declare_argc(name, sub.argc);
            self.subs.push(sub);
        }
        self.prepare_globals();
        self.statements(6);
        self.expression(4);
        self.emit(Op::ReturnValue);
        self.pending_blocks();
        for sub in self.subs.clone() {
            self.sub(sub);
        }
    }

    fn emit(&mut self, op: Op) -> usize {
        if self.rng.u8(0..4) == 0 {
            self.line += self.rng.u32(0..3);
        }
        self.builder.emit(op, self.line)
    }

    fn with_scalar(&mut self, op: fn(u16) -> Op) {
        let name = self.rng.u16(0..SCALARS);
        self.emit(op(name));
    }

    fn with_slot(&mut self, op: fn(u16) -> Op) {
        let slot = self.slot();
        self.emit(op(slot));
    }

    fn with_array(&mut self, op: fn(u16) -> Op) {
        let name = self.array();
        self.emit(op(name));
    }

    fn with_hash(&mut self, op: fn(u16) -> Op) {
        let name = self.hash();
        self.emit(op(name));
    }

    fn patch_to_here(&mut self, jump: usize) {
        self.builder.patch_jump(jump, self.builder.current_pos());
    }

    fn prepare_globals(&mut self) {
        for array in ARRAYS {
            match self.rng.u8(0..4) {
                0 => drop(self.emit(Op::DeclareArray(array))),
                1 => {}
                _ => {
                    let count = self.rng.u16(0..5);
                    (0..count).for_each(|_| self.literal());
                    self.emit(Op::MakeArray(count));
                    self.emit(Op::SetArray(array));
                }
            }
        }
        for hash in HASHES {
            if self.rng.u8(0..4) > 0 {
                self.emit(Op::DeclareHash(hash));
            }
        }
    }

    fn sub(&mut self, sub: Sub) {
        self.builder
            .add_sub_entry(sub.name, self.builder.current_pos());
        self.next_counter = SLOTS;
        for _ in 0..sub.argc {
            let slot = self.slot();
            self.emit(Op::SetSlot(slot));
        }
        self.statements(3);
        if sub.returns {
            self.expression(3);
            self.emit(Op::ReturnValue);
        } else {
            self.emit(Op::Return);
        }
        self.pending_blocks();
    }

    fn pending_blocks(&mut self) {
        while let Some(block) = self.pending.pop_front() {
            let start = self.builder.current_pos();
            let next_counter = self.next_counter;
            if block.elements == 2 {
                self.comparator(block.depth);
            } else if block.leaves {
                self.mapped(block.depth);
            } else {
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
                self.statement(block.depth);
            }
            self.next_counter = next_counter;
            let end = self.builder.current_pos();
            self.builder.add_block_range(start, end);
        }
    }

    /// From an element to a value.
    fn mapped(&mut self, depth: u32) {
        match self.rng.u8(0..3) {
            0 => self.unary(),
            1 => {
                self.expression(depth);
                self.binary();
            }
            _ => {
                let slot = self.slot();
                self.emit(Op::SetSlot(slot));
                self.expression(depth);
            }
        }
    }

    /// From two elements to a number: mostly an order, sometimes nonsense.
    fn comparator(&mut self, depth: u32) {
        match self.rng.u8(0..4) {
            0 => drop(self.emit(Op::StrCmp)),
            1 => {
                self.emit(Op::Swap);
                self.emit(Op::Spaceship);
            }
            2 => drop(self.emit(Op::Spaceship)),
            _ => {
                self.emit(Op::Pop);
                self.emit(Op::Pop);
                self.expression(depth);
            }
        }
    }

    fn statements(&mut self, most: usize) {
        for _ in 0..self.rng.usize(1..=most) {
            self.statement(3);
        }
    }

    fn statement(&mut self, depth: u32) {
        if depth == 0 {
            return self.assignment(0);
        }
        match self.rng.u8(0..14) {
            0..=3 => self.assignment(depth),
            4 => self.store(depth),
            5 => self.conditional(depth),
            6 => self.counted_loop(depth),
            7 => self.scope(depth),
            8 => self.for_each(depth),
            9 => self.fused(),
            10 => self.call_statement(depth),
            11 => self.print(depth),
            12 => self.extension_statement(depth),
            _ => {
                self.expression(depth - 1);
                self.emit(Op::Pop);
            }
        }
    }

    fn assignment(&mut self, depth: u32) {
        self.expression(depth);
        let op = match self.rng.u8(0..4) {
            0 => Op::SetVar(self.rng.u16(0..SCALARS)),
            1 => Op::DeclareVar(self.rng.u16(0..SCALARS)),
            _ => Op::SetSlot(self.slot()),
        };
        self.emit(op);
    }

    /// Into arrays and hashes, in globals and slots.
    fn store(&mut self, depth: u32) {
        self.expression(depth - 1);
        match self.rng.u8(0..8) {
            0 | 1 => self.with_array(Op::ArrayPush),
            2 => {
                self.index();
                self.with_array(Op::ArraySet);
            }
            3 => {
                self.index();
                self.with_slot(Op::SlotArraySet);
            }
            4 => {
                self.emit(Op::Pop);
                self.expression(depth - 1);
                self.with_hash(Op::HashDelete);
                self.emit(Op::Pop);
            }
            _ => {
                self.expression(depth - 1);
                self.with_hash(Op::HashSet);
            }
        }
    }

    /// An index that is mostly small, rarely none at all.
    fn index(&mut self) {
        match self.rng.u8(0..12) {
            0 => self.expression(1),
            1 => drop(self.emit(Op::LoadInt(-1))),
            _ => {
                let index = self.rng.i64(0..6);
                self.emit(Op::LoadInt(index));
            }
        }
    }

    fn conditional(&mut self, depth: u32) {
        self.expression(depth - 1);
        let jump = if self.rng.bool() {
            Op::JumpIfFalse(0)
        } else {
            Op::JumpIfTrue(0)
        };
        let to_else = self.emit(jump);
        self.statement(depth - 1);
        let to_end = self.emit(Op::Jump(0));
        self.patch_to_here(to_else);
        if self.rng.bool() {
            self.statement(depth - 1);
        }
        self.patch_to_here(to_end);
    }

    /// A loop of a few rounds, tested at the top, at the bottom, or by fused ops.
    fn counted_loop(&mut self, depth: u32) {
        let counter = self.next_counter;
        self.next_counter += 1;
        let rounds = self.rng.i32(0..9);
        self.emit(Op::LoadInt(0));
        self.emit(Op::SetSlot(counter));
        let head = self.builder.current_pos();
        match self.rng.u8(0..4) {
            0 => {
                let exit = self.emit(Op::SlotLtIntJumpIfFalse(counter, rounds, 0));
                self.statement(depth - 1);
                self.emit(Op::PreIncSlotVoid(counter));
                self.emit(Op::Jump(head));
                self.patch_to_here(exit);
            }
            1 => {
                self.statement(depth - 1);
                self.emit(Op::SlotIncLtIntJumpBack(counter, rounds, head));
            }
            2 => {
                self.statement(depth - 1);
                self.emit(Op::PreIncSlot(counter));
                self.emit(Op::LoadInt(i64::from(rounds)));
                self.emit(Op::NumLt);
                self.emit(Op::JumpIfTrue(head));
            }
            _ => {
                self.emit(Op::GetSlot(counter));
                self.emit(Op::LoadInt(i64::from(rounds)));
                self.emit(Op::NumLt);
                let exit = self.emit(Op::JumpIfFalse(0));
                self.statement(depth - 1);
                self.emit(Op::GetSlot(counter));
                self.emit(Op::Inc);
                self.emit(Op::SetSlot(counter));
                self.emit(Op::Jump(head));
                self.patch_to_here(exit);
            }
        }
    }

    fn scope(&mut self, depth: u32) {
        self.emit(Op::PushFrame);
        let next_counter = std::mem::replace(&mut self.next_counter, SLOTS);
        self.statement(depth - 1);
        if self.rng.bool() {
            self.expression(depth - 1);
        }
        self.next_counter = next_counter;
        self.emit(Op::PopFrame);
    }

    fn for_each(&mut self, depth: u32) {
        self.collection(depth - 1);
        self.block_op(
            Op::ForEachBlock,
            PendingBlock {
                elements: 1,
                leaves: false,
                depth: depth - 1,
            },
        );
    }

    fn fused(&mut self) {
        let (a, b) = (self.slot(), self.slot());
        let limit = self.rng.i32(-2..20);
        let op = match self.rng.u8(0..6) {
            0 => Op::AccumSumLoop(a, b, limit),
            1 => {
                let constant = self.constant();
                Op::ConcatConstLoop(constant, a, b, limit)
            }
            2 => Op::PushIntRangeLoop(self.array(), a, limit),
            3 => Op::AddAssignSlotVoid(a, b),
            _ => Op::PreIncSlotVoid(a),
        };
        self.emit(op);
    }

    fn call_statement(&mut self, depth: u32) {
        let Some(sub) = self.rng.choice(self.subs.clone()) else {
            return self.assignment(depth);
        };
        self.call(sub, depth);
        if sub.returns {
            self.emit(Op::Pop);
        }
    }

    fn call(&mut self, sub: Sub, depth: u32) {
        (0..sub.argc).for_each(|_| self.expression(depth.saturating_sub(2)));
        self.emit(Op::Call(sub.name, sub.argc));
    }

    fn print(&mut self, depth: u32) {
        let count = self.rng.u8(0..3);
        (0..count).for_each(|_| self.expression(depth - 1));
        let op = if self.rng.bool() {
            Op::Print(count)
        } else {
            Op::PrintLn(count)
        };
        self.emit(op);
    }

    fn extension_statement(&mut self, depth: u32) {
        match self.rng.u8(0..3) {
            0 => {
                let value = self.rng.u8(..);
                self.emit(Op::Extended(0, value));
            }
            1 => {
                self.expression(depth - 1);
                self.emit(Op::Extended(2, 0));
            }
            _ => {
                self.emit(Op::Extended(3, 0));
                self.with_scalar(Op::SetVar);
            }
        }
    }
}
