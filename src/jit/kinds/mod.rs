//! Kind inference: what each register holds at each place, over all subs that are compiled together.
//!
//! A register is either *unboxed*, its value in a machine register and its memory stale, or *boxed*,
//! in its place in the frame's window. Which, follows from what can be there: a forward analysis to
//! the fixpoint, over blocks, calls and returns. The same function ([`transfer`]) says what an
//! instruction does to the kinds here and while code is made, so the two can't disagree.
//!
//! Where inference ends (elements, globals, arguments from outside) values are *guarded*: taken for what
//! the engine has seen there ([`seen`]).
//!
//! The memory of an unboxed register never holds anything counted, and neither does that of a dead
//! one, so that it can be written over.

pub(crate) mod group;
pub(crate) mod seen;
pub(crate) mod transfer;
pub(crate) mod walk;

pub(crate) use seen::Seen;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Nothing yet: no path leads here.
    Nothing,
    /// An unboxed Int.
    Int,
    /// An unboxed Float.
    Float,
    /// An unboxed Bool.
    Bool,
    /// Undef, whose memory is stale.
    Undef,
    /// Something boxed that isn't counted here: a scalar, or borrowed.
    Scalar,
    /// Anything, boxed.
    Any,
}

impl Kind {
    /// What holds for both.
    pub(crate) fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (Kind::Nothing, kind) | (kind, Kind::Nothing) => kind,
            (Kind::Any, _) | (_, Kind::Any) => Kind::Any,
            _ => Kind::Scalar,
        }
    }

    /// Its name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nothing => "nothing",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Bool => "bool",
            Kind::Undef => "undef",
            Kind::Scalar => "scalar",
            Kind::Any => "any",
        }
    }

    /// Whether the value is in its register's memory.
    pub(crate) fn is_boxed(self) -> bool {
        matches!(self, Kind::Scalar | Kind::Any)
    }

    /// Whether a value of this kind travels in a machine register.
    pub(crate) fn is_unboxed_value(self) -> bool {
        matches!(self, Kind::Int | Kind::Float | Kind::Bool)
    }

    /// The kind in which a call hands it over.
    pub(crate) fn passed(self) -> Kind {
        match self {
            Kind::Undef | Kind::Scalar => Kind::Any,
            kind => kind,
        }
    }
}

/// The kinds of a frame's registers.
pub(crate) type Kinds = Vec<Kind>;
