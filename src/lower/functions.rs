//! The translation of calls between chunks: of a function by its name, and the end of code that is one.
//!
//! What a call reaches is known when it runs, and may change: the instruction names the function, the
//! engine finds it. A function is a sub of its chunk, or the chunk's code from the first op on, whose
//! first slots are then the arguments.

use super::Translator;
use super::code::{Rop, flag};

impl Translator<'_> {
    /// Whether the region's end may be that of a function's call.
    pub(super) fn ends_function(&self) -> bool {
        self.frame.is_main && self.lowering.linked
    }

    /// Calls a function of another chunk. Behind it all values are at home, as the frame may also be
    /// taken up there.
    pub(super) fn call_function(&mut self, at: usize, name: u16, argc: usize) -> (usize, bool) {
        let Some(gives) = self.function_gives(at, argc) else {
            return self.leave(at);
        };
        let first = self.stack.height() - argc;
        for position in 0..first {
            self.settle(position);
        }
        self.pass(first);
        self.map();
        let window = self.home_field(first);
        let flags = if gives { flag::GIVES } else { 0 };
        self.out
            .emit(Rop::CallLinked, flags, window, name, argc as u16);
        let behind = self.out.position() as u32;
        self.out.code.relinks.push(behind);
        self.out.emit_with(Rop::Relink, 0, [0; 3], 0);
        self.out.label();
        self.stack.reset(first + usize::from(gives));
        self.note_counted(first);
        if !gives {
            // It may give one all the same.
            self.out.emit(Rop::Drop, 0, window, 0, 0);
            self.out.label();
        }
        (at + 1, true)
    }

    /// Whether a call of a function leaves a value; `None` where it isn't an ordinary call: the engine is
    /// left for it.
    fn function_gives(&self, at: usize, argc: usize) -> Option<bool> {
        if !self.lowering.linked || at + 1 == self.end {
            return None;
        }
        let below = self.stack.height() - argc;
        match (self.shape.height_at(at + 1)? as usize).checked_sub(below)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Ends the chunk's code at the op, or the region's end, at `at`, with the top of the stack as its
    /// value or without one.
    pub(super) fn end_function(&mut self, at: usize, gives: bool) -> (usize, bool) {
        let (value, flags) = match gives {
            true => (self.returned(), flag::GIVES),
            false => (0, 0),
        };
        self.map();
        self.returns.push(self.out.position());
        let scope = self.scope as u64;
        self.out.emit_with(Rop::End, flags, [value, 0, 0], scope);
        (at + 1, false)
    }
}
