//! Writes instructions, labels and the branches between them.

use super::Declined;
use super::code::{Code, MAX_REGISTERS, REGISTER_BYTES, Rop, Word};

/// The field of a register.
pub(super) fn field(register: u16) -> u16 {
    debug_assert!(usize::from(register) < MAX_REGISTERS);
    register * REGISTER_BYTES as u16
}

/// A branch whose target's position is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixup {
    at: u32,
    target: u32,
}

/// Appends to the code of one region.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    pub(super) code: Code,
    fixups: Vec<Fixup>,
    /// The op that instructions now come from.
    pub(super) op: u32,
    /// Where the last instruction begins, if nothing can jump behind it.
    last: Option<usize>,
}

impl Emitter {
    /// An emitter with room for the code of so many ops, about so many of them places where all of a frame
    /// must be found; and with memory for fixups.
    pub(super) fn with_capacity(ops: usize, places: usize, fixups: Vec<Fixup>) -> Emitter {
        let mut emitter = Emitter {
            fixups,
            ..Emitter::default()
        };
        let words = ops + ops / 2 + 4;
        emitter.code.words.reserve(words);
        emitter.code.ops.reserve(words);
        emitter.code.reserve_maps(places);
        emitter
    }

    /// The position of the next instruction.
    pub(super) fn position(&self) -> usize {
        self.code.words.len()
    }

    /// Appends an instruction of one word.
    pub(super) fn emit(&mut self, op: Rop, flags: u8, a: u16, b: u16, c: u16) {
        debug_assert_eq!(op.words(), 1, "{op:?}");
        self.last = Some(self.position());
        self.word(Word::new(op, flags, a, b, c).0);
    }

    /// Appends an instruction with an immediate.
    pub(super) fn emit_with(&mut self, op: Rop, flags: u8, fields: [u16; 3], immediate: u64) {
        debug_assert_eq!(op.words(), 2, "{op:?}");
        self.last = Some(self.position());
        let [a, b, c] = fields;
        self.word(Word::new(op, flags, a, b, c).0);
        self.word(immediate);
    }

    fn word(&mut self, word: u64) {
        self.code.words.push(word);
        self.code.ops.push(self.op);
    }

    /// Appends a branch to the op `target`, an instruction as `emit` and `emit_with` take it.
    pub(super) fn branch(
        &mut self,
        op: Rop,
        flags: u8,
        fields: [u16; 3],
        immediate: Option<u64>,
        target: usize,
    ) {
        self.fixups.push(Fixup {
            at: self.position() as u32,
            target: target as u32,
        });
        let [a, b, c] = fields;
        match immediate {
            Some(immediate) => self.emit_with(op, flags, [a, b, c], immediate),
            None => self.emit(op, flags, a, b, c),
        }
    }

    /// Says that the next instruction may be jumped to.
    pub(super) fn label(&mut self) {
        self.last = None;
    }

    /// The last instruction, if control can only come from it, and where it stands.
    pub(super) fn last(&self) -> Option<(usize, Word)> {
        self.last.map(|at| (at, Word(self.code.words[at])))
    }

    /// Takes back the last instruction, which begins at `at` and is no branch.
    pub(super) fn retract(&mut self, at: usize) {
        self.code.words.truncate(at);
        self.code.ops.truncate(at);
        self.last = None;
    }

    /// Points every branch at its target; `position_of` gives where an op's instructions begin. The code is
    /// an error when a branch is too far for its field. Also gives the memory for fixups back.
    pub(super) fn finish(
        mut self,
        position_of: impl Fn(usize) -> usize,
    ) -> (Result<Code, Declined>, Vec<Fixup>) {
        let mut fixups = std::mem::take(&mut self.fixups);
        let pointed = self.point(&fixups, position_of);
        fixups.clear();
        (pointed.map(|()| self.code), fixups)
    }

    fn point(
        &mut self,
        fixups: &[Fixup],
        position_of: impl Fn(usize) -> usize,
    ) -> Result<(), Declined> {
        for fixup in fixups {
            let at = fixup.at as usize;
            let distance = position_of(fixup.target as usize) as i64 - at as i64;
            let word = Word(self.code.words[at]);
            let (b, c) = if has_wide_distance(word.op()) {
                let wide = i32::try_from(distance).map_err(|_| Declined::TooLarge)? as u32;
                (wide as u16, (wide >> 16) as u16)
            } else {
                let near = i16::try_from(distance).map_err(|_| Declined::TooLarge)?;
                (word.b(), near as u16)
            };
            self.code.words[at] = Word::new(word.op(), word.flags(), word.a(), b, c).0;
        }
        Ok(())
    }
}

/// Whether a branch has both fields for its distance.
fn has_wide_distance(op: Rop) -> bool {
    matches!(op, Rop::Jump | Rop::Loop | Rop::IfTrue | Rop::IfFalse)
}
