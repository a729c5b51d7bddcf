//! A chunk in the making, in the words that vectors need.

use fusevm::{Chunk, ChunkBuilder, Op, Value};

/// Builds the chunk of one case.
pub(super) struct Script {
    pub(super) builder: ChunkBuilder,
    line: u32,
}

impl Script {
    /// The chunk that `write` writes.
    pub(super) fn chunk(write: impl FnOnce(&mut Script)) -> Chunk {
        let mut script = Script {
            builder: ChunkBuilder::new(),
            line: 0,
        };
        write(&mut script);
        script.builder.build()
    }

    /// Appends an op, on a line of its own.
    pub(super) fn op(&mut self, op: Op) {
        self.jump(op);
    }

    pub(super) fn ops(&mut self, ops: impl IntoIterator<Item = Op>) {
        ops.into_iter().for_each(|op| self.op(op));
    }

    /// Pushes a value, from the constant pool.
    pub(super) fn push(&mut self, value: &Value) {
        let index = self.builder.add_constant(value.clone());
        self.op(Op::LoadConst(index));
    }

    pub(super) fn push_all<'a>(&mut self, values: impl IntoIterator<Item = &'a Value>) {
        values.into_iter().for_each(|value| self.push(value));
    }

    /// Pushes an Int.
    pub(super) fn int(&mut self, value: i64) {
        self.op(Op::LoadInt(value));
    }

    /// Sets the global of this name and gives its index.
    pub(super) fn global(&mut self, name: &str, value: &Value) -> u16 {
        let index = self.builder.add_name(name);
        self.push(value);
        self.op(Op::SetVar(index));
        index
    }

    /// Sets a slot.
    pub(super) fn slot(&mut self, slot: u16, value: &Value) {
        self.push(value);
        self.op(Op::SetSlot(slot));
    }

    /// Makes the `count` topmost values one array, the result of the case.
    pub(super) fn gather(&mut self, count: usize) {
        self.op(Op::MakeArray(count as u16));
    }

    /// Appends a jump whose target [`land`](Script::land) sets, and gives its index.
    pub(super) fn jump(&mut self, op: Op) -> usize {
        self.line += 1;
        self.builder.emit(op, self.line)
    }

    /// Lets the jump at `index` land here.
    pub(super) fn land(&mut self, index: usize) {
        self.builder.patch_jump(index, self.builder.current_pos());
    }

    /// Puts the body of the next block here, jumped around.
    pub(super) fn block(&mut self, write: impl FnOnce(&mut Script)) -> u16 {
        let around = self.jump(Op::Jump(0));
        let start = self.builder.current_pos();
        write(self);
        let index = self
            .builder
            .add_block_range(start, self.builder.current_pos());
        self.land(around);
        index
    }

    /// Puts a sub here, jumped around, and gives the index of its name.
    pub(super) fn sub(&mut self, name: &str, write: impl FnOnce(&mut Script)) -> u16 {
        let around = self.jump(Op::Jump(0));
        let name = self.builder.add_name(name);
        self.builder.add_sub_entry(name, self.builder.current_pos());
        write(self);
        self.land(around);
        name
    }
}
