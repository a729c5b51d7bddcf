//! Where operands are and results go: between the abstract stack and registers.

use super::Translator;
use super::code::{Rop, flag};
use super::emit::field;
use super::stack::{Entry, Owner};
use super::{FALSE_WORD, TRUE_WORD, UNDEF_WORD};
use crate::op::Op;
use crate::value::Value;

/// An operand in a register, and the flag if it dies with the instruction.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) field: u16,
    dies: bool,
}

impl Operand {
    /// The flag for the first operand that is read.
    pub(super) fn first(self) -> u8 {
        if self.dies { flag::FIRST_DIES } else { 0 }
    }

    /// The flag for the second operand that is read.
    pub(super) fn second(self) -> u8 {
        if self.dies { flag::SECOND_DIES } else { 0 }
    }
}

/// Where a result goes.
#[derive(Clone, Copy)]
pub(super) struct Dest {
    pub(super) field: u16,
    /// The op to go on with; behind a `SetSlot` that the result went into directly.
    pub(super) next: usize,
    in_slot: bool,
}

impl<'a> Translator<'a> {
    /// What a constant is on the abstract stack.
    pub(super) fn constant(&self, index: u16) -> Entry {
        match self.chunk.constants.get(usize::from(index)) {
            Some(Value::Int(n)) => Entry::Int(*n),
            Some(Value::Float(f)) => Entry::Float(*f),
            Some(Value::Bool(b)) => Entry::Word(if *b { TRUE_WORD } else { FALSE_WORD }),
            None | Some(Value::Undef) => Entry::Word(UNDEF_WORD),
            Some(_) => Entry::Const(index),
        }
    }

    pub(super) fn load(&mut self, at: usize, entry: Entry) -> usize {
        self.stack.push(entry);
        at + 1
    }

    /// The register of a slot of the present scope.
    pub(super) fn slot(&self, slot: u16) -> u16 {
        self.frame.slots[self.depth][usize::from(slot)]
    }

    pub(super) fn home_field(&self, position: usize) -> u16 {
        field(self.frame.home(position))
    }

    /// Says that the home of `position` can hold something counted.
    pub(super) fn note_counted(&mut self, position: usize) {
        self.counted = self.counted.max(self.frame.home(position) + 1);
    }

    /// Records where the values of the stack are, for the instruction that comes next.
    pub(super) fn map(&mut self) {
        let at = self.out.position();
        let (stack, frame) = (&self.stack, &self.frame);
        let places = stack.places(|position| frame.home(position));
        self.out.code.add_map(at, places);
    }

    /// Puts the value of `position` into its home, counted.
    pub(super) fn settle(&mut self, position: usize) {
        let home = self.home_field(position);
        let entry = match self.stack.get(position) {
            entry @ (Entry::Home | Entry::Scalar) => entry,
            Entry::Borrowed(_) => {
                self.out.emit(Rop::Own, 0, home, 0, 0);
                Entry::Home
            }
            Entry::Slot(register) => {
                self.out.emit(Rop::Copy, 0, home, field(register), 0);
                Entry::Home
            }
            Entry::SameAs(below) => {
                let below = self.home_field(below);
                self.out.emit(Rop::Copy, 0, home, below, 0);
                Entry::Home
            }
            constant => self.load_constant(home, constant),
        };
        if entry == Entry::Home {
            self.note_counted(position);
        }
        self.stack.set(position, entry);
    }

    /// Loads a constant into a register; what the register then is.
    pub(super) fn load_constant(&mut self, into: u16, entry: Entry) -> Entry {
        match entry {
            Entry::Int(n) => self.out.emit_with(Rop::LoadInt, 0, [into, 0, 0], n as u64),
            Entry::Float(f) => {
                self.out
                    .emit_with(Rop::LoadFloat, 0, [into, 0, 0], f.to_bits());
            }
            Entry::Const(index) => {
                self.out.emit(Rop::LoadConst, 0, into, index, 0);
            }
            Entry::Word(word) => {
                let (low, high) = (word as u16, (word >> 16) as u16);
                self.out.emit(Rop::LoadWord, 0, into, low, high);
            }
            _ => {}
        }
        Entry::Scalar
    }

    /// Puts all values into their homes, as places that are jumped to expect them.
    pub(super) fn flush_all(&mut self) {
        for position in 0..self.stack.height() {
            self.settle(position);
        }
    }

    /// Makes the stack independent of an owner that is about to change.
    pub(super) fn before_change(&mut self, owner: Owner) {
        for position in 0..self.stack.height() {
            let depends = match self.stack.get(position) {
                Entry::Slot(register) => owner == Owner::Register(register),
                Entry::Borrowed(from) => from == owner,
                _ => false,
            };
            if depends {
                self.settle(position);
            }
        }
        self.own_slots(|from| from == owner);
    }

    /// Makes slots own what they may have borrowed from these owners.
    pub(super) fn own_slots(&mut self, changes: impl Fn(Owner) -> bool) {
        for pair in 0..self.pairs.len() {
            let (owner, slot) = self.pairs[pair];
            if changes(owner) {
                self.out.emit(Rop::Own, 0, field(slot), 0, 0);
            }
        }
    }

    /// Whether the result may be borrowed from the owner: on the stack always, in a slot if it is
    /// one that borrows.
    pub(super) fn may_borrow(&self, dest: Dest, owner: Owner) -> bool {
        let borrows = |pair: &(Owner, u16)| pair.0 == owner && field(pair.1) == dest.field;
        !dest.in_slot || self.pairs.iter().any(borrows)
    }

    /// Makes stack and slots independent of all globals.
    pub(super) fn before_globals_change(&mut self) {
        self.own_slots(|from| matches!(from, Owner::Global(_)));
        for position in 0..self.stack.height() {
            if matches!(self.stack.get(position), Entry::Borrowed(Owner::Global(_))) {
                self.settle(position);
            }
        }
    }

    /// Takes the top and gives the register that it is in.
    pub(super) fn pop_operand(&mut self) -> Operand {
        let entry = self.stack.pop();
        self.operand(entry, self.stack.height())
    }

    /// The register of the entry that was at `position`.
    pub(super) fn operand(&mut self, entry: Entry, position: usize) -> Operand {
        let home = self.home_field(position);
        let (field, dies) = match entry {
            Entry::Home => (home, true),
            Entry::Scalar | Entry::Borrowed(_) => (home, false),
            Entry::Slot(register) => (field(register), false),
            Entry::SameAs(below) => (self.home_field(below), false),
            constant => {
                self.load_constant(home, constant);
                (home, false)
            }
        };
        Operand { field, dies }
    }

    /// Where the result of the op at `at` goes, its operands taken: the next position's home, or the
    /// slot that the next op would store it into.
    pub(super) fn dest(&mut self, at: usize) -> Dest {
        if let Some(Op::SetSlot(slot)) = self.op_at(at + 1)
            && !self.is_leader(at + 1)
        {
            let register = self.slot(*slot);
            self.before_change(Owner::Register(register));
            return Dest {
                field: field(register),
                next: at + 2,
                in_slot: true,
            };
        }
        Dest {
            field: self.home_field(self.stack.height()),
            next: at + 1,
            in_slot: false,
        }
    }

    /// Pushes the result, unless it is in its slot.
    pub(super) fn finish(&mut self, dest: Dest, entry: Entry) -> usize {
        if !dest.in_slot {
            if entry != Entry::Scalar {
                self.note_counted(self.stack.height());
            }
            self.stack.push(entry);
        }
        dest.next
    }

    /// The op at `at`, if the region goes on there.
    pub(super) fn op_at(&self, at: usize) -> Option<&'a Op> {
        self.chunk.ops.get(at).filter(|_| at != self.end)
    }

    pub(super) fn is_leader(&self, at: usize) -> bool {
        self.reached.is_leader(at)
    }
}
