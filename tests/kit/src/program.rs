//! Random programs: well-formed, of every kind of op that needs no host, and ending within little fuel.
//!
//! A program is grown from statements and expressions, an expression leaving one value, so that every
//! program is strict. Loops count a slot of their own that nothing else writes; recursion is left to
//! the depth limit. The extension ops are those of [`EXTENSIONS`].

use fastrand::Rng;
use fusevm::{
    Chunk, ChunkBuilder, Op, VM, Value,
    chunk::{Effect, Import, ImportKind, Touches},
    value::number,
};
use std::collections::VecDeque;

/// Extension ops that generated programs call: number, values taken, values left.
///
/// 0 sets the global 0 to the Int of its argument byte. 1 leaves its operand plus the argument byte, as
/// `Add`. 2 sets the slot 0 of the current frame to its operand. 3 leaves global 1.
pub const EXTENSIONS: [(u16, u8, u8); 4] = [(0, 0, 0), (1, 1, 1), (2, 1, 0), (3, 0, 1)];

/// Gives `vm` the handlers of [`EXTENSIONS`].
pub fn install_extensions(vm: &mut VM) {
    vm.set_extension_handler(Box::new(|vm, id, argument| match id {
        0 => vm.globals[0] = Value::int(argument.into()),
        1 => {
            let sum = number::add(&vm.pop(), &Value::int(argument.into()));
            vm.push(sum);
        }
        2 => {
            let value = vm.pop();
            if let Some(frame) = vm.frames.last_mut() {
                if frame.slots.is_empty() {
                    frame.slots.push(Value::Undef);
                }
                frame.slots[0] = value;
            }
        }
        3 => {
            let value = vm.globals[1].clone();
            vm.push(value);
        }
        _ => {}
    }));
}

/// Globals: scalars first, then arrays, then hashes.
const SCALARS: u16 = 4;
const ARRAYS: std::ops::Range<u16> = 4..6;
const HASHES: std::ops::Range<u16> = 6..8;
/// Slots that statements write; loops count in the ones above.
const SLOTS: u16 = 4;

/// Grows the program of a seed.
pub fn program(seed: u64) -> Chunk {
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

    /// Leaves one value.
    fn expression(&mut self, depth: u32) {
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
    fn atom(&mut self) {
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

    fn literal(&mut self) {
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

    fn constant(&mut self) -> u16 {
        let value = match self.rng.u8(0..8) {
            0 => Value::status(self.rng.i32(-1..3)),
            1 => Value::NativeFn(self.rng.u16(0..4)),
            2 => Value::array(vec![Value::int(1), Value::str("two"), Value::Undef]),
            3 => Value::reference(Value::int(7)),
            _ => string(&mut self.rng),
        };
        self.builder.add_constant(value)
    }

    fn binary(&mut self) {
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

    fn unary(&mut self) {
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
    fn collection(&mut self, depth: u32) {
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

    fn block_op(&mut self, op: fn(u16) -> Op, block: PendingBlock) {
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

    fn slot(&mut self) -> u16 {
        self.rng.u16(0..SLOTS)
    }

    fn array(&mut self) -> u16 {
        self.rng.u16(ARRAYS)
    }

    fn hash(&mut self) -> u16 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use fusevm::verify::verify_chunk;

    #[test]
    fn generated_programs_are_strict() {
        for seed in 0..3000 {
            if let Err(error) = verify_chunk(&program(seed)) {
                panic!("seed {seed}: {error}");
            }
        }
    }
}
