//! What is compiled as one function: the register code of a region, with small subs that it calls in
//! the place of their calls.
//!
//! The registers of a callee lie above its caller's in the window, so an inlined sub is its
//! instructions with the registers' numbers shifted. Each instruction remembers the frame that it
//! belongs to and where it stands in that region's code: there native code is left, with the frames
//! that the engine would have.

pub(crate) mod body;
pub(crate) mod graph;
pub(crate) mod inst;
pub(crate) mod pieces;

pub(crate) use body::Body;
pub(crate) use graph::{Graph, RegisterSet};
pub(crate) use pieces::{KnownSeams, Seams};

use super::PlainFunction;
use crate::lower::code::{Code, Rop, Word};
use std::rc::Rc;

/// What the compiler needs to know of the program.
///
/// What calls of functions of other chunks are known to reach counts as more regions of the program, with
/// numbers behind its own: [`callee`](Self::callee) names them.
pub(crate) trait Program {
    /// The code of a region, if it is lowered.
    fn code(&self, region: usize) -> Option<&Code>;

    /// The region that a [`Call`](Rop::Call) or [`CallLinked`](Rop::CallLinked) of a region is taken for a
    /// call of; `None` if the engine is to do it.
    fn callee(&self, region: usize, call: Word) -> Option<usize> {
        let _ = region;
        (call.op() == Rop::Call).then_some(call.wide() as usize)
    }

    /// Which of the regions of other chunks this one is; `None` if it is one of the program's own.
    fn foreign(&self, region: usize) -> Option<usize> {
        let _ = region;
        None
    }

    /// Where a region comes apart that is too large to be compiled together; `None` if it can't.
    fn seams(&self, region: usize) -> Option<Rc<Seams>>;

    /// How many arguments a region takes.
    fn argc(&self, region: usize) -> usize;

    /// Of a chunk's code that is called as a function, how many registers behind its arguments begin as
    /// Undef.
    fn fresh(&self, region: usize) -> Option<u16> {
        let _ = region;
        None
    }

    /// The plain function that the stack op is which the instruction at a place runs.
    fn plain_function(&self, region: usize, at: usize) -> Option<PlainFunction> {
        let _ = (region, at);
        None
    }

    /// What was seen of the operands of the instruction at a place.
    fn seen(&self, region: usize, at: usize) -> super::kinds::Seen;
}
