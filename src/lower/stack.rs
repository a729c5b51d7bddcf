//! The abstract stack: where each value of the stack is while a basic block is lowered.
//!
//! A value that was only pushed isn't moved: it stays a slot, a constant or an element until an
//! instruction needs it in a register, or until its owner is about to change.

use super::code::Place;

/// Who owns what a register has borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The slot in this register.
    Register(u16),
    /// The global of this index.
    Global(u16),
}

/// Where a value of the stack is. The home of a position is a register of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entry {
    /// In its home, which owns it.
    Home,
    /// In its home, and nothing that is counted.
    Scalar,
    /// In its home, borrowed from the owner.
    Borrowed(Owner),
    /// The slot in this register.
    Slot(u16),
    /// The same as the value at this lower position, which is `Home` or `Scalar`.
    SameAs(usize),
    /// This integer.
    Int(i64),
    /// This float.
    Float(f64),
    /// The scalar with this first half: Undef or a Bool.
    Word(u32),
    /// This constant.
    Const(u16),
}

/// The abstract stack of a frame.
#[derive(Debug, Default)]
pub(super) struct AbstractStack {
    entries: Vec<Entry>,
}

impl AbstractStack {
    /// Makes it `height` values in their homes, as at every place that is jumped to.
    pub(super) fn reset(&mut self, height: usize) {
        self.entries.clear();
        self.entries.resize(height, Entry::Home);
    }

    pub(super) fn height(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Takes the top. A verified chunk never takes from an empty stack.
    pub(super) fn pop(&mut self) -> Entry {
        self.entries.pop().unwrap_or(Entry::Word(super::UNDEF_WORD))
    }

    pub(super) fn get(&self, position: usize) -> Entry {
        self.entries[position]
    }

    pub(super) fn set(&mut self, position: usize, entry: Entry) {
        self.entries[position] = entry;
    }

    pub(super) fn truncate(&mut self, height: usize) {
        self.entries.truncate(height);
    }

    /// The places of the values, for a stack map.
    pub(super) fn places(&self, home: impl Fn(usize) -> u16) -> impl Iterator<Item = Place> {
        self.entries
            .iter()
            .enumerate()
            .map(move |(position, entry)| match *entry {
                Entry::Home | Entry::Scalar | Entry::Borrowed(_) => Place::Register(home(position)),
                Entry::Slot(register) => Place::Register(register),
                Entry::SameAs(below) => Place::Register(home(below)),
                Entry::Int(n) => Place::Int(n),
                Entry::Float(f) => Place::Float(f),
                Entry::Word(word) => Place::Word(word),
                Entry::Const(index) => Place::Const(index),
            })
    }
}
