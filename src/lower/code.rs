//! Register code: the private instruction set that the engine runs, and a lowered subroutine.
//!
//! An instruction is one 64-bit word, low byte first: the opcode, a byte of flags, and three 16-bit
//! fields `a`, `b`, `c`. A register field is the byte offset of the register from the frame's base
//! (16 for each). Some instructions have a second word, an immediate. Branches hold the distance in
//! words from their own first word. None of this is ever written to a file.

use std::fmt;

/// Bytes of a register, and the step of register fields.
pub(crate) const REGISTER_BYTES: usize = 16;

/// Registers that a field can name.
pub(crate) const MAX_REGISTERS: usize = 1 << 12;

/// Hands the table of register instructions to the macro named.
///
/// A row is the opcode's name, the number of words, and a picture. `d` is a destination register,
/// `r`, `s` are registers that are read, `g` a global's index, `k` the second word, `->` the branch.
macro_rules! for_each_rop {
    ($callback:ident) => {
        $callback! {
            // Registers.
            Copy 1 "a = b, counted";
            Take 1 "a = b, and b holds nothing any more";
            Borrow 1 "a = b, not counted";
            Own 1 "a becomes counted";
            Exchange 1 "a and b change places";
            Drop 1 "a holds nothing any more";
            Clear 1 "b registers from a on become Undef";
            LoadInt 2 "a = Int k";
            LoadFloat 2 "a = Float k";
            LoadWord 1 "a = the scalar whose first half is b, c";
            LoadConst 1 "a = constant b, not counted";
            // Globals.
            GlobalCopy 1 "a = global b, counted";
            GlobalBorrow 1 "a = global b, not counted";
            GlobalSet 1 "global b = a";
            // Arithmetic.
            Add 1 "a = b + c";
            Sub 1 "a = b - c";
            Mul 1 "a = b * c";
            AddFloats 1 "a = b + c, which were Floats the last time";
            SubFloats 1 "a = b - c, which were Floats the last time";
            MulFloats 1 "a = b * c, which were Floats the last time";
            Div 1 "a = b / c";
            Mod 1 "a = b % c";
            AddI 2 "a = b + Int k";
            SubI 2 "a = b - Int k";
            MulI 2 "a = b * Int k";
            ModI 2 "a = b % Int k";
            ISub 2 "a = Int k - b";
            AddF 2 "a = b + Float k";
            SubF 2 "a = b - Float k";
            MulF 2 "a = b * Float k";
            DivF 2 "a = b / Float k, which is not zero";
            FSub 2 "a = Float k - b";
            FDiv 2 "a = Float k / b";
            AddInt 1 "a = b to Int + c to Int";
            Inc 1 "a = b to Int, plus 1";
            Dec 1 "a = b to Int, minus 1";
            BitAnd 1 "a = b & c";
            BitAndI 2 "a = b & Int k";
            BitOr 1 "a = b | c";
            BitOrI 2 "a = b | Int k";
            BitXor 1 "a = b ^ c";
            BitXorI 2 "a = b ^ Int k";
            Shl 1 "a = b << c";
            ShlI 2 "a = b << Int k";
            Shr 1 "a = b >> c";
            ShrI 2 "a = b >> Int k";
            Binary 1 "a = b (kind) c, which can't fail";
            Worked 1 "a = b (kind) c, which costs work";
            Unary 1 "a = (kind) b";
            // Branches.
            Jump 1 "-> b, c";
            Loop 1 "one fuel, -> b, c";
            Fuel 1 "one fuel";
            IfTrue 1 "if a -> b, c";
            IfFalse 1 "unless a -> b, c";
            IfLt 1 "if a < b -> c";
            IfNotLt 1 "unless a < b -> c";
            IfLe 1 "if a <= b -> c";
            IfNotLe 1 "unless a <= b -> c";
            IfEq 1 "if a == b -> c";
            IfNotEq 1 "unless a == b -> c";
            IfLtI 2 "if a < Int k -> c";
            IfNotLtI 2 "unless a < Int k -> c";
            IfLeI 2 "if a <= Int k -> c";
            IfNotLeI 2 "unless a <= Int k -> c";
            IfGtI 2 "if a > Int k -> c";
            IfNotGtI 2 "unless a > Int k -> c";
            IfGeI 2 "if a >= Int k -> c";
            IfNotGeI 2 "unless a >= Int k -> c";
            IfEqI 2 "if a == Int k -> c";
            IfNotEqI 2 "unless a == Int k -> c";
            IfLtF 2 "if a < Float k -> c";
            IfNotLtF 2 "unless a < Float k -> c";
            IfLeF 2 "if a <= Float k -> c";
            IfNotLeF 2 "unless a <= Float k -> c";
            IfGtF 2 "if a > Float k -> c";
            IfNotGtF 2 "unless a > Float k -> c";
            IfGeF 2 "if a >= Float k -> c";
            IfNotGeF 2 "unless a >= Float k -> c";
            IfEqF 2 "if a == Float k -> c";
            IfNotEqF 2 "unless a == Float k -> c";
            // The same as back edges: one fuel if taken.
            LoopLt 1 "if a < b, one fuel -> c";
            LoopNotLt 1 "unless a < b, one fuel -> c";
            LoopLe 1 "if a <= b, one fuel -> c";
            LoopNotLe 1 "unless a <= b, one fuel -> c";
            LoopEq 1 "if a == b, one fuel -> c";
            LoopNotEq 1 "unless a == b, one fuel -> c";
            LoopLtI 2 "if a < Int k, one fuel -> c";
            LoopNotLtI 2 "unless a < Int k, one fuel -> c";
            LoopLeI 2 "if a <= Int k, one fuel -> c";
            LoopNotLeI 2 "unless a <= Int k, one fuel -> c";
            LoopGtI 2 "if a > Int k, one fuel -> c";
            LoopNotGtI 2 "unless a > Int k, one fuel -> c";
            LoopGeI 2 "if a >= Int k, one fuel -> c";
            LoopNotGeI 2 "unless a >= Int k, one fuel -> c";
            LoopEqI 2 "if a == Int k, one fuel -> c";
            LoopNotEqI 2 "unless a == Int k, one fuel -> c";
            LoopLtF 2 "if a < Float k, one fuel -> c";
            LoopNotLtF 2 "unless a < Float k, one fuel -> c";
            LoopLeF 2 "if a <= Float k, one fuel -> c";
            LoopNotLeF 2 "unless a <= Float k, one fuel -> c";
            LoopGtF 2 "if a > Float k, one fuel -> c";
            LoopNotGtF 2 "unless a > Float k, one fuel -> c";
            LoopGeF 2 "if a >= Float k, one fuel -> c";
            LoopNotGeF 2 "unless a >= Float k, one fuel -> c";
            LoopEqF 2 "if a == Float k, one fuel -> c";
            LoopNotEqF 2 "unless a == Float k, one fuel -> c";
            IncLoopLt 1 "a = a to Int, plus 1; if a < b, one fuel -> c";
            IncLoopLtI 2 "a = a to Int, plus 1; if a < Int k, one fuel -> c";
            // Calls.
            Call 1 "call sub b, c with the window moved up to a";
            Return 1 "end the call, dropping the registers below a";
            ReturnValue 1 "end the call with b, dropping the registers below a";
            Return0 1 "end the call, dropping nothing";
            ReturnValue0 1 "end the call with b, dropping nothing";
            Return1 1 "end the call, dropping 1 register";
            ReturnValue1 1 "end the call with b, dropping 1 register";
            Return2 1 "end the call, dropping 2 registers";
            ReturnValue2 1 "end the call with b, dropping 2 registers";
            Return3 1 "end the call, dropping 3 registers";
            ReturnValue3 1 "end the call with b, dropping 3 registers";
            Return4 1 "end the call, dropping 4 registers";
            ReturnValue4 1 "end the call with b, dropping 4 registers";
            Return5 1 "end the call, dropping 5 registers";
            ReturnValue5 1 "end the call with b, dropping 5 registers";
            Return6 1 "end the call, dropping 6 registers";
            ReturnValue6 1 "end the call with b, dropping 6 registers";
            // Collections.
            ElementCopy 1 "a = element c of global b, counted";
            ElementBorrow 1 "a = element c of global b, not counted";
            SlotElementCopy 1 "a = element c of register b, counted";
            SlotElementBorrow 1 "a = element c of register b, not counted";
            ElementSet 1 "element b of global a = c";
            SlotElementSet 1 "element b of register a = c";
            ElementSetI 2 "element b of global a = Int k";
            SlotElementSetI 2 "element b of register a = Int k";
            ArrayPush 1 "append c to global a";
            ArrayLen 1 "a = number of elements of global b";
            HashGetCopy 1 "a = entry c of global b, counted";
            HashGetBorrow 1 "a = entry c of global b, not counted";
            HashSet 1 "entry b of global a = c";
            // Strings.
            Concat 1 "a = b . c";
            StringLen 1 "a = length of b";
            // Anything else.
            Outline 2 "run the stack op k on the b values from register a on, giving c";
            SlotLoop 2 "run the fused loop of the stack op k on the slots a and b";
            Leave 1 "leave the frame before the stack op, with scope b, c open";
            // Functions of other chunks.
            CallLinked 1 "call function b with c values, the window moved up to a";
            Relink 2 "go on behind the call of a function";
            End 2 "end the function with a, dropping the registers below b, or leave with scope k open";
            // Combinations of others.
            AddLoopLt 1 "a = a + Int flags; if a < b, one fuel -> c";
            AddLoopLtI 2 "a = a + Int b; if a < Int k, one fuel -> c";
            Pow 1 "a = b ** c";
            ElementSetW 1 "element b of global a = the scalar whose first half is c";
            ElementLen 1 "a = length of element c of global b";
            SlotElementLen 1 "a = length of element c of register b";
            HashExists 1 "a = whether global b has an entry c";
            MulAdd 1 "a = a + b * c";
            MulSub 1 "a = a - b * c";
            MulAddFloats 1 "a = a + b * c, which were Floats the last time";
            MulSubFloats 1 "a = a - b * c, which were Floats the last time";
            Native 1 "run sub b, c natively, then return; stands at no place of its code";
        }
    };
}
pub(crate) use for_each_rop;

macro_rules! define_rop {
    ($($name:ident $words:literal $picture:literal;)*) => {
        /// The opcodes of register code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Rop { $(#[doc = $picture] $name,)* }

        impl Rop {
            /// How many opcodes there are.
            pub(crate) const COUNT: usize = [$(Rop::$name),*].len();

            /// All of them, by number.
            pub(crate) const ALL: [Rop; Rop::COUNT] = [$(Rop::$name),*];

            /// What it does, with the letters of its fields.
            pub(crate) const fn picture(self) -> &'static str {
                match self { $(Rop::$name => $picture,)* }
            }

            /// Words that an instruction takes.
            pub(crate) const fn words(self) -> usize {
                match self { $(Rop::$name => $words,)* }
            }
        }
    };
}
for_each_rop!(define_rop);

/// The first word of an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    pub(crate) fn new(op: Rop, flags: u8, a: u16, b: u16, c: u16) -> Word {
        Word(
            u64::from(op as u8)
                | u64::from(flags) << 8
                | u64::from(a) << 16
                | u64::from(b) << 32
                | u64::from(c) << 48,
        )
    }

    /// The opcode.
    pub(crate) fn op(self) -> Rop {
        Rop::ALL[usize::from(self.op_index())]
    }

    #[inline(always)]
    pub(crate) fn op_index(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub(crate) fn flags(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    pub(crate) fn a(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub(crate) fn b(self) -> u16 {
        (self.0 >> 32) as u16
    }

    #[inline(always)]
    pub(crate) fn c(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// Fields `b` and `c` as one number.
    #[inline(always)]
    pub(crate) fn wide(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl Rop {
    /// The return that drops so many registers, in the place of a general one.
    pub(crate) fn return_of(self, registers: u16) -> Rop {
        const NONE: [Rop; 7] = [
            Rop::Return0,
            Rop::Return1,
            Rop::Return2,
            Rop::Return3,
            Rop::Return4,
            Rop::Return5,
            Rop::Return6,
        ];
        const VALUE: [Rop; 7] = [
            Rop::ReturnValue0,
            Rop::ReturnValue1,
            Rop::ReturnValue2,
            Rop::ReturnValue3,
            Rop::ReturnValue4,
            Rop::ReturnValue5,
            Rop::ReturnValue6,
        ];
        let table = if self == Rop::Return { NONE } else { VALUE };
        table.get(usize::from(registers)).copied().unwrap_or(self)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b, c) = (self.a(), self.b(), self.c());
        write!(f, "{:?}/{} {a} {b} {c}", self.op(), self.flags())
    }
}

/// Flags of an instruction: operands that are temporaries and die with it. Only slow paths look, as
/// a fast path has seen that the operand holds nothing to be dropped. The kind of a `Binary`,
/// `Worked` or `Unary` stands above them.
pub(crate) mod flag {
    /// The first operand that is read dies.
    pub(crate) const FIRST_DIES: u8 = 1;
    /// The second operand that is read dies.
    pub(crate) const SECOND_DIES: u8 = 2;
    /// There is a value: a function that is called is to give one, or one that ends does.
    pub(crate) const GIVES: u8 = 1;
    /// A stack op that is run is a plain function, which gives an Int or a Float.
    pub(crate) const GIVES_INT: u8 = 1;
    pub(crate) const GIVES_FLOAT: u8 = 2;
    /// The operand counts as an Int, whatever it is. Of a comparison with an Int.
    pub(crate) const AS_INT: u8 = 4;
    /// Where the kind begins.
    pub(crate) const KIND_SHIFT: u8 = 2;
}

/// Kinds of [`Rop::Binary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Binary {
    NumEq,
    NumNe,
    NumLt,
    NumGt,
    NumLe,
    NumGe,
    Spaceship,
    LogAnd,
    LogOr,
}

/// Kinds of [`Rop::Worked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Worked {
    StringRepeat,
    StrEq,
    StrNe,
    StrLt,
    StrGt,
    StrLe,
    StrGe,
    StrCmp,
    Range,
}

/// Kinds of [`Rop::Unary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Unary {
    Negate,
    LogNot,
    BitNot,
}

/// Where a value of the stack is, at a place where all of a frame must be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// In this register.
    Register(u16),
    /// It is this integer.
    Int(i64),
    /// It is this float.
    Float(f64),
    /// It is the scalar with this first half.
    Word(u32),
    /// It is this constant.
    Const(u16),
}

/// What is on the stack of a frame while an instruction runs, bottom to top.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackMap {
    /// The instruction's position.
    pub(crate) at: u32,
    start: u32,
    len: u32,
}

/// A lowered subroutine.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// The instructions and their immediates.
    pub(crate) words: Vec<u64>,
    /// The op that each word came from.
    pub(crate) ops: Vec<u32>,
    /// Registers of a frame, those of its callees' arguments included.
    pub(crate) registers: u32,
    /// One above the highest register that can hold something counted.
    pub(crate) counted: u16,
    /// The home of position 0.
    pub(crate) homes: u16,
    /// The register of each slot, for each depth of scopes.
    pub(crate) slots: Vec<Vec<u16>>,
    /// Ops that can be gone on with, all values in their homes, and where their instructions begin;
    /// ascending.
    pub(crate) entries: Vec<(u32, u32)>,
    /// Where the instructions behind calls of functions are. Their second words are the engine's.
    pub(crate) relinks: Vec<u32>,
    maps: Vec<StackMap>,
    places: Vec<Place>,
}

impl Code {
    /// Makes room for about so many maps and entries.
    pub(crate) fn reserve_maps(&mut self, maps: usize) {
        /// Values on the stack at such a place, as a rule.
        const VALUES: usize = 2;
        self.entries.reserve(maps);
        self.maps.reserve(maps);
        self.places.reserve(maps * VALUES);
    }

    /// Records the stack at the instruction that begins at `at`. Calls come in ascending order.
    pub(crate) fn add_map(&mut self, at: usize, places: impl Iterator<Item = Place>) {
        let start = self.places.len();
        self.places.extend(places);
        self.maps.push(StackMap {
            at: at as u32,
            start: start as u32,
            len: (self.places.len() - start) as u32,
        });
    }

    /// The stack at the instruction that begins at `at`, if it is a place where one is recorded.
    pub(crate) fn map_at(&self, at: usize) -> Option<&[Place]> {
        let found = self
            .maps
            .binary_search_by_key(&(at as u32), |m| m.at)
            .ok()?;
        let map = self.maps[found];
        Some(&self.places[map.start as usize..][..map.len as usize])
    }
}
