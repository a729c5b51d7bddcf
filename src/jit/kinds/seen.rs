//! What the engine has seen of the operands of instructions, and what is assumed by it.
//!
//! Shortly before something is compiled, the engine notes at each instruction that it runs which
//! kinds its operands have ([`Watch`] says which operands those are). Native code is made for these
//! kinds and leaves where it meets others; then the engine notes those, too, and what is compiled
//! anew is made for both.

use super::Kind;
use crate::jit::ir::inst::{Against, Branch};
use crate::lower::code::{Rop, Word};

/// The kinds that the operands of an instruction had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen(u16);

/// What is assumed of an operand that is boxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assumed {
    /// Nothing was seen yet.
    Unknown,
    Int,
    Float,
    /// Different kinds were seen, or one that can't be unboxed.
    Any,
}

impl Seen {
    const INT: u16 = 1;
    const FLOAT: u16 = 2;
    const OTHER: u16 = 4;
    const KINDS: u16 = 7;
    /// How far the bits of the second and third operand are above the first's.
    const SECOND: u16 = 3;
    const THIRD: u16 = 7;

    /// The instruction was not of the usual sort: an index out of range, a division by zero, an
    /// array that had to be copied.
    pub(crate) const IRREGULAR: Seen = Seen(64);

    /// All of it: nothing can be assumed.
    pub(crate) const EVERYTHING: Seen = Seen(u16::MAX);

    /// A first operand of a kind.
    pub(crate) fn of_first(kind: Kind) -> Seen {
        Seen(match kind {
            Kind::Int => Seen::INT,
            Kind::Float => Seen::FLOAT,
            _ => Seen::OTHER,
        })
    }

    /// A second operand of a kind.
    pub(crate) fn of_second(kind: Kind) -> Seen {
        Seen(Seen::of_first(kind).0 << Seen::SECOND)
    }

    /// A third operand of a kind.
    pub(crate) fn of_third(kind: Kind) -> Seen {
        Seen(Seen::of_first(kind).0 << Seen::THIRD)
    }

    /// Both together.
    pub(crate) fn and(self, other: Seen) -> Seen {
        Seen(self.0 | other.0)
    }

    fn assumed(kinds: u16) -> Assumed {
        match kinds & Seen::KINDS {
            0 => Assumed::Unknown,
            Seen::INT => Assumed::Int,
            Seen::FLOAT => Assumed::Float,
            _ => Assumed::Any,
        }
    }

    /// What is assumed of the first operand; of what is loaded, for an instruction that loads.
    pub(crate) fn first(self) -> Assumed {
        Seen::assumed(self.0)
    }

    /// What is assumed of the second operand.
    pub(crate) fn second(self) -> Assumed {
        Seen::assumed(self.0 >> Seen::SECOND)
    }

    /// What was seen of the third operand, as of a first one.
    pub(crate) fn third(self) -> Seen {
        Seen(self.0 >> Seen::THIRD & Seen::KINDS)
    }

    /// Whether something unusual was seen.
    pub(crate) fn is_irregular(self) -> bool {
        self.0 & Seen::IRREGULAR.0 != 0
    }

    /// The kind to which what is loaded is unboxed at once.
    pub(crate) fn loaded(self) -> Option<Kind> {
        match self.first() {
            Assumed::Int if !self.is_irregular() => Some(Kind::Int),
            Assumed::Float if !self.is_irregular() => Some(Kind::Float),
            _ => None,
        }
    }
}

/// What is to be looked at before an instruction runs. Registers are fields of the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Nothing,
    /// Operands of arithmetic.
    Operands(u16, Option<u16>),
    /// The same, of which the last may be zero.
    Division(Option<u16>, u16),
    /// A base and an exponent.
    Power(u16, u16),
    /// Factors, and what their product is added to.
    Accumulation(u16, u16, u16),
    /// A global that is loaded.
    Global(u16),
    /// An element that is loaded: the array and the index.
    Element(Array, u16),
    /// An element that is stored: the array, the index, and the value if that is in a register.
    Store(Array, u16, Option<u16>),
}

/// Where an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Array {
    Global(u16),
    Register(u16),
}

impl Watch {
    /// What is to be looked at before this instruction.
    pub(crate) fn of(word: Word) -> Watch {
        let (a, b, c) = (word.a(), word.b(), word.c());
        let op = word.op();
        if let Some(branch) = Branch::of(op) {
            return match branch.against {
                Against::Register => Watch::Operands(a, Some(b)),
                Against::Int | Against::Float => Watch::Operands(a, None),
            };
        }
        match op {
            Rop::Div => Watch::Division(Some(b), c),
            Rop::Pow => Watch::Power(b, c),
            Rop::MulAdd | Rop::MulSub | Rop::MulAddFloats | Rop::MulSubFloats => {
                Watch::Accumulation(b, c, a)
            }
            Rop::FDiv => Watch::Division(None, b),
            Rop::GlobalCopy | Rop::GlobalBorrow => Watch::Global(b),
            Rop::ElementCopy | Rop::ElementBorrow => Watch::Element(Array::Global(b), c),
            Rop::SlotElementCopy | Rop::SlotElementBorrow => Watch::Element(Array::Register(b), c),
            Rop::ElementSet => Watch::Store(Array::Global(a), b, Some(c)),
            Rop::SlotElementSet => Watch::Store(Array::Register(a), b, Some(c)),
            Rop::ElementSetI | Rop::ElementSetW => Watch::Store(Array::Global(a), b, None),
            Rop::SlotElementSetI => Watch::Store(Array::Register(a), b, None),
            Rop::Add
            | Rop::Sub
            | Rop::Mul
            | Rop::AddFloats
            | Rop::SubFloats
            | Rop::MulFloats
            | Rop::Mod
            | Rop::Binary
            | Rop::AddInt
            | Rop::BitAnd
            | Rop::BitOr
            | Rop::BitXor
            | Rop::Shl
            | Rop::Shr => Watch::Operands(b, Some(c)),
            Rop::AddI
            | Rop::SubI
            | Rop::MulI
            | Rop::ModI
            | Rop::ISub
            | Rop::AddF
            | Rop::SubF
            | Rop::MulF
            | Rop::DivF
            | Rop::FSub
            | Rop::Inc
            | Rop::Dec
            | Rop::BitAndI
            | Rop::BitOrI
            | Rop::BitXorI
            | Rop::ShlI
            | Rop::ShrI
            | Rop::Unary => Watch::Operands(b, None),
            _ => Watch::Nothing,
        }
    }
}
