//! What native code and the engine know of each other.
//!
//! Native code gets a pointer to the activation in the pinned register, and reaches everything through
//! it at fixed offsets: no address is ever part of it. It is called with the frame's base, the fuel
//! and the depth of calls that there is room for, and gives back the fuel that is left. A negative
//! one says that native code was left: the frames that it had are written back then, the innermost
//! one's place is in the activation, and a record for each call.

use zerocopy::{Immutable, IntoBytes};

/// Offsets of what native code uses, in bytes.
#[derive(Clone, Copy, Debug, Hash, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Layout {
    /// Of the activation: fuel that may be spent, while native code doesn't have it.
    pub(crate) fuel: i32,
    pub(crate) globals: i32,
    pub(crate) constants: i32,
    /// A pointer to the parts of other chunks, what each takes there, and where in it its constants are.
    pub(crate) parts: i32,
    pub(crate) part_bytes: i32,
    pub(crate) part_constants: i32,
    pub(crate) max_items: i32,
    /// The table of [`Helper`]s.
    pub(crate) helpers: i32,
    /// The table of the functions that call helpers and keep all registers as they are.
    pub(crate) rare_helpers: i32,
    /// Where those leave what the helper gave.
    pub(crate) answer: i32,
    /// Where code that counts does so: the instructions that it has come to, and those of them that a
    /// helper or the engine does.
    pub(crate) executed: i32,
    pub(crate) helped: i32,
    /// Which of its entries a frame is entered at.
    pub(crate) entry: i32,
    /// Where the record of a call goes, if a depth of 0 made it; 16 bytes lower for each more.
    pub(crate) records: i32,
    pub(crate) exit_place: i32,
    pub(crate) exit_base: i32,
    pub(crate) exit_depth: i32,
    pub(crate) array: ArrayLayout,
    pub(crate) hash: HashLayout,
    pub(crate) str: StrLayout,
}

/// Where a table, which a hash's value points to, keeps things.
#[derive(Clone, Copy, Debug, Hash, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct HashLayout {
    /// How many own it.
    pub(crate) count: i32,
    /// Where the entries begin.
    pub(crate) entries: i32,
    /// How many there are.
    pub(crate) len: i32,
    /// What an entry takes, and where its parts are in it.
    pub(crate) entry_bytes: i32,
    pub(crate) key: i32,
    pub(crate) value: i32,
}

/// Where a string's buffer, which its value points to, keeps things.
#[derive(Clone, Copy, Debug, Hash, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct StrLayout {
    /// How many own it.
    pub(crate) count: i32,
    /// The length of a string of no more than `most_inline` bytes; the capacity, which is more, of others.
    pub(crate) inline_len: i32,
    pub(crate) most_inline: i32,
    /// The length of the others.
    pub(crate) spilled_len: i32,
    /// The bytes, of which there is room for `most_inline`; the address of those of the others.
    pub(crate) items: i32,
    /// What is kept beside the bytes, and what says that there is none: the text to show, 8 bytes, 0; the
    /// hash, 4 bytes, 0; and the hint, `no_hint`.
    pub(crate) lossy: i32,
    pub(crate) hash: i32,
    pub(crate) no_hint: i32,
    /// The place, 4 bytes, at which a table has the string itself as a key; perhaps. Looking at it costs no
    /// fuel: no string has one for which looking it up would.
    pub(crate) hint: i32,
}

/// Where an array's buffer, which its value points to, keeps things.
#[derive(Clone, Copy, Debug, Hash, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct ArrayLayout {
    /// How many own it.
    pub(crate) count: i32,
    /// Where the elements begin, dead ones included.
    pub(crate) items: i32,
    /// How many there are, dead ones included.
    pub(crate) len: i32,
    pub(crate) capacity: i32,
    /// How many are dead.
    pub(crate) head: i32,
}

/// What native code returns for fuel when it was left.
pub(crate) const LEFT: i64 = -1;

/// What it returns when it wasn't entered: no fuel, no room, or arguments of other kinds.
pub(crate) const NOT_ENTERED: i64 = -2;

/// Why native code was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// The engine does the instruction.
    Resume,
    /// The same, as something isn't of the kind that was assumed.
    Guard,
    /// A taken branch can't be paid; what comes before the payment is done.
    Fuel,
    /// A helper has failed and noted why.
    Fault,
    /// The piece of a region that was compiled ends.
    Part,
}

/// A place in code and why it was left, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    /// Position `at` of a region.
    pub(crate) fn new(reason: Reason, region: usize, at: usize) -> Place {
        Place(at as u64 | (region as u64 & 0xfff_ffff) << 32 | (reason as u64) << 60)
    }

    pub(crate) fn region(self) -> usize {
        (self.0 >> 32) as usize & 0xfff_ffff
    }

    pub(crate) fn at(self) -> usize {
        self.0 as u32 as usize
    }

    pub(crate) fn reason(self) -> Reason {
        match self.0 >> 60 {
            0 => Reason::Resume,
            1 => Reason::Guard,
            2 => Reason::Fuel,
            3 => Reason::Fault,
            _ => Reason::Part,
        }
    }
}

/// Hands the table of helpers to the macro named: the name, what it gets, what it gives, and what it
/// does. `p` is a pointer or number, `f` a float.
macro_rules! for_each_helper {
    ($callback:ident) => {
        $callback! {
            Step (p p p p p) (p) "activation, base, word, immediate, place: does the instruction; not 0 if it failed";
            Release (p) () "register: drops what it holds";
            Truth (p p) (p) "base, word: whether register a is true; drops it if it dies";
            Compare (p p p) (p) "base, word, immediate: whether the branch's comparison holds";
            ToFloat (p) (f) "register: its value as a Float";
            ToInt (p) (p) "register: its value as an Int";
            Pow (f f) (f) "a to the power of b";
            FloatRemainder (f f) (f) "a % b";
            StringLen (p) (p) "register: the length of its value";
            JoinedEntry (p p p p) (p) "activation, register, Int, global: the value that the global's hash has for a string and an Int's digits behind it; 0 if that isn't to be found so";
            ReturnCounted (p p) () "base, word: moves the result down and drops the rest";
            ClearCounted (p p) () "base, word: drops what the frame's registers hold";
        }
    };
}
pub(crate) use for_each_helper;

macro_rules! define_helpers {
    ($($name:ident ($($in:ident)*) ($($out:ident)?) $does:literal;)*) => {
        /// Functions of the engine that native code calls, by their place in the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Helper { $(#[doc = $does] $name,)* }

        impl Helper {
            /// How many there are.
            pub(crate) const COUNT: usize = [$(Helper::$name),*].len();

            /// All of them, by number.
            pub(super) const ALL: [Helper; Helper::COUNT] = [$(Helper::$name),*];

            /// What it gets and gives: for each whether it is a float.
            pub(super) fn shape(self) -> (&'static [bool], &'static [bool]) {
                match self {
                    $(Helper::$name => (
                        &[$(define_helpers!(@float $in)),*],
                        &[$(define_helpers!(@float $out))?],
                    ),)*
                }
            }
        }
    };
    (@float p) => { false };
    (@float f) => { true };
}
for_each_helper!(define_helpers);
