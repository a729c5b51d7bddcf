//! The constructs of a small language as plain, unfused stack ops: what a frontend that knows nothing
//! of superinstructions emits. Compiled once for each version of the crate; see [`super::chunks`].

use super::vm::{
    Chunk, ChunkBuilder,
    Op::{self, *},
    Value,
};

/// A chunk in the making.
pub(super) struct Code {
    builder: ChunkBuilder,
    /// For each open loop the jumps out of it.
    breaks: Vec<Vec<usize>>,
}

impl Code {
    pub(super) fn new() -> Code {
        Code {
            builder: ChunkBuilder::new(),
            breaks: Vec::new(),
        }
    }

    pub(super) fn build(self) -> Chunk {
        self.builder.build()
    }

    pub(super) fn emit<const N: usize>(&mut self, ops: [Op; N]) {
        for op in ops {
            self.builder.emit(op, 1);
        }
    }

    /// The index of a global or sub.
    pub(super) fn name(&mut self, name: &str) -> u16 {
        self.builder.add_name(name)
    }

    /// The index of a string constant.
    pub(super) fn string(&mut self, text: &str) -> u16 {
        self.builder.add_constant(Value::str(text))
    }

    /// `slot = n`
    pub(super) fn set_int(&mut self, slot: u16, n: i64) {
        self.emit([LoadInt(n), SetSlot(slot)]);
    }

    /// `slot = v`
    pub(super) fn set_float(&mut self, slot: u16, v: f64) {
        self.emit([LoadFloat(v), SetSlot(slot)]);
    }

    /// `slot += 1`
    pub(super) fn increment(&mut self, slot: u16) {
        self.emit([GetSlot(slot), LoadInt(1), Add, SetSlot(slot)]);
    }

    /// `to += from`, both slots
    pub(super) fn add_to(&mut self, to: u16, from: u16) {
        self.emit([GetSlot(to), GetSlot(from), Add, SetSlot(to)]);
    }

    /// `while (condition) { body }`, tested at the top
    pub(super) fn while_<const N: usize>(
        &mut self,
        condition: [Op; N],
        body: impl FnOnce(&mut Code),
    ) {
        let top = self.builder.current_pos();
        self.breaks.push(Vec::new());
        self.if_(condition, |code| {
            body(code);
            code.emit([Jump(top)]);
        });
        for jump in self.breaks.pop().unwrap_or_default() {
            self.patch(jump);
        }
    }

    /// `if (condition) break`
    pub(super) fn break_if<const N: usize>(&mut self, condition: [Op; N]) {
        self.emit(condition);
        let jump = self.builder.emit(JumpIfTrue(0), 1);
        if let Some(breaks) = self.breaks.last_mut() {
            breaks.push(jump);
        }
    }

    /// `if (condition) { body }`
    pub(super) fn if_<const N: usize>(&mut self, condition: [Op; N], body: impl FnOnce(&mut Code)) {
        self.emit(condition);
        let skip = self.builder.emit(JumpIfFalse(0), 1);
        body(self);
        self.patch(skip);
    }

    /// `if (condition) { yes } else { no }`
    pub(super) fn if_else<const N: usize>(
        &mut self,
        condition: [Op; N],
        yes: impl FnOnce(&mut Code),
        no: impl FnOnce(&mut Code),
    ) {
        self.emit(condition);
        let to_no = self.builder.emit(JumpIfFalse(0), 1);
        yes(self);
        let to_end = self.builder.emit(Jump(0), 1);
        self.patch(to_no);
        no(self);
        self.patch(to_end);
    }

    /// `for (i = start; i < end; i++) { body }`; `i` and `end` are slots
    pub(super) fn for_<const N: usize>(
        &mut self,
        i: u16,
        start: [Op; N],
        end: u16,
        body: impl FnOnce(&mut Code),
    ) {
        self.emit(start);
        self.emit([SetSlot(i)]);
        self.while_([GetSlot(i), GetSlot(end), NumLt], |code| {
            body(code);
            code.increment(i);
        });
    }

    /// `sub name(slot 0, slot 1, …) { body }`
    pub(super) fn sub(&mut self, name: u16, parameters: u16, body: impl FnOnce(&mut Code)) {
        let over = self.builder.emit(Jump(0), 1);
        let entry = self.builder.current_pos();
        self.builder.add_sub_entry(name, entry);
        for slot in (0..parameters).rev() {
            self.emit([SetSlot(slot)]);
        }
        body(self);
        self.patch(over);
    }

    fn patch(&mut self, jump: usize) {
        let here = self.builder.current_pos();
        self.builder.patch_jump(jump, here);
    }
}
