//! The opcode table as data: what assembler, disassembler, verifier and specification read.

use super::{Op, param_mod, redirect_op, table};

/// What an operand means, and with that its range and its bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandKind {
    /// An integer; signed LEB128.
    Int,
    /// A float; eight bytes, IEEE 754 binary64, little endian.
    Float,
    /// An index of the constant pool; LEB128.
    Const,
    /// An index of the name table; LEB128.
    Name,
    /// A slot of the current frame; LEB128.
    Slot,
    /// An index of the block table; LEB128.
    Block,
    /// A number of values; LEB128.
    Count,
    /// A number of values; one byte.
    Count8,
    /// A number of arguments; one byte.
    Argc,
    /// A code that the op defines; one byte.
    Code,
    /// A number in the import table's builtins or extension ops; LEB128.
    Id,
    /// A 32-bit integer; signed LEB128.
    Imm,
    /// An op index to go to; LEB128.
    Target,
    /// A frontend's own number; LEB128.
    Payload,
}

/// An operand's name and kind, as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperandInfo {
    /// The name in texts.
    pub name: &'static str,
    /// What it means.
    pub kind: OperandKind,
}

/// An operand of one instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "OperandKind says it")]
pub enum Operand {
    Int(i64),
    Float(f64),
    Const(u16),
    Name(u16),
    Slot(u16),
    Block(u16),
    Count(u16),
    Count8(u8),
    Argc(u8),
    Code(u8),
    Id(u16),
    Imm(i32),
    Target(usize),
    Payload(usize),
}

impl Operand {
    /// The operand as 64 bits: integers widened, floats by their representation.
    pub fn bits(self) -> u64 {
        match self {
            Operand::Int(v) => v as u64,
            Operand::Float(v) => v.to_bits(),
            Operand::Imm(v) => i64::from(v) as u64,
            Operand::Target(v) | Operand::Payload(v) => v as u64,
            Operand::Const(v)
            | Operand::Name(v)
            | Operand::Slot(v)
            | Operand::Block(v)
            | Operand::Count(v)
            | Operand::Id(v) => u64::from(v),
            Operand::Count8(v) | Operand::Argc(v) | Operand::Code(v) => u64::from(v),
        }
    }
}

/// The operands of one instruction, at most four; reads as a slice.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    items: [Operand; 4],
    len: usize,
}

impl Operands {
    fn of<const N: usize>(given: [Operand; N]) -> Self {
        let mut items = [Operand::Int(0); 4];
        items[..N].copy_from_slice(&given);
        Operands { items, len: N }
    }
}

impl std::ops::Deref for Operands {
    type Target = [Operand];

    fn deref(&self) -> &[Operand] {
        &self.items[..self.len]
    }
}

/// What an instruction does to the height of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackEffect {
    /// Takes `pops` values and leaves `pushes`.
    Fixed {
        /// Values taken.
        pops: u32,
        /// Values left.
        pushes: u32,
    },
    /// The sub, or the import table, decides.
    Declared,
}

/// How control goes on after an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the next op.
    Next,
    /// To the target.
    Jump,
    /// To the target or to the next op.
    Branch,
    /// Out of the innermost call.
    Return,
    /// To the next op, having opened or closed a scope.
    Scope,
}

/// The families that the specification groups ops by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Family {
    Constants,
    Stack,
    Variables,
    Arrays,
    Hashes,
    Arithmetic,
    Strings,
    Comparison,
    Logic,
    Control,
    Functions,
    Io,
    Collections,
    Fused,
    Extensions,
    Shell,
}

/// The capability that an op needs of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// None beyond the standard streams.
    None,
    /// Starting processes.
    Exec,
    /// Reading files and directories.
    Read,
    /// Changing files.
    Write,
    /// Reading the environment.
    Env,
}

/// A row of the opcode table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The opcode.
    pub byte: u8,
    /// The variant's name.
    pub name: &'static str,
    /// The name in assembly text.
    pub mnemonic: &'static str,
    /// The operands in their order.
    pub operands: &'static [OperandInfo],
    /// The stack effect as the table writes it, such as `argc => 1`.
    pub effect: &'static str,
    /// How control goes on.
    pub flow: Flow,
    /// The family.
    pub family: Family,
    /// The stack before and after, bottom to top.
    pub picture: &'static str,
    /// What it does, in a sentence.
    pub meaning: &'static str,
}

impl OpInfo {
    /// The row of the op with this mnemonic.
    pub fn by_mnemonic(mnemonic: &str) -> Option<&'static OpInfo> {
        INFO.iter().find(|info| info.mnemonic == mnemonic)
    }

    /// The row of the op with this byte.
    pub fn by_byte(byte: u8) -> Option<&'static OpInfo> {
        INFO.iter().find(|info| info.byte == byte)
    }
}

/// The values that `ExpandParam` takes, its result being one.
fn param_pops(modifier: u8) -> u32 {
    match modifier {
        param_mod::DEFAULT..=param_mod::ALTERNATE => 2,
        param_mod::STRIP_SHORT..=param_mod::RSTRIP_LONG => 2,
        param_mod::SUBST_FIRST | param_mod::SUBST_ALL | param_mod::SLICE => 3,
        _ => 1,
    }
}

/// What a redirection of this code needs.
fn redirect_needs(code: u8) -> Needs {
    match code {
        redirect_op::READ => Needs::Read,
        redirect_op::DUP_READ | redirect_op::DUP_WRITE => Needs::None,
        _ => Needs::Write,
    }
}

macro_rules! effect {
    ([declared]) => {
        StackEffect::Declared
    };
    ([$pops:expr => $pushes:expr]) => {
        StackEffect::Fixed {
            pops: ($pops) as u32,
            pushes: ($pushes) as u32,
        }
    };
}

macro_rules! effect_text {
    ([declared]) => { "declared" };
    ([$($text:tt)*]) => { stringify!($($text)*) };
}

macro_rules! needs {
    (NONE $op:expr) => {
        Needs::None
    };
    (EXEC $op:expr) => {
        Needs::Exec
    };
    (READ $op:expr) => {
        Needs::Read
    };
    (ENV $op:expr) => {
        Needs::Env
    };
    (REDIRECT $op:expr) => {
        match $op {
            Op::Redirect(_, code) => redirect_needs(*code),
            _ => Needs::Write,
        }
    };
}

macro_rules! define_info {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        /// The opcode table, in the order of [`Op`]'s variants.
        pub static INFO: [OpInfo; [$($byte),*].len()] = [$(OpInfo {
            byte: $byte,
            name: stringify!($name),
            mnemonic: $mnemonic,
            operands: &[$($(OperandInfo {
                name: stringify!($operand),
                kind: OperandKind::$kind,
            }),+)?],
            effect: effect_text!([$($effect)+]),
            flow: Flow::$flow,
            family: Family::$family,
            picture: $picture,
            meaning: $meaning,
        }),*];

        impl Op {
            /// The opcode byte.
            #[inline]
            pub fn opcode(&self) -> u8 {
                match self { $(op!($name $(($($operand),+))? ignored) => $byte,)* }
            }

            /// The op's row of the table.
            pub fn info(&self) -> &'static OpInfo {
                // The rows stand in the order of the variants.
                #[repr(usize)]
                #[allow(clippy::enum_variant_names)]
                enum Row { $($name),* }
                match self {
                    $(op!($name $(($($operand),+))? ignored) => &INFO[Row::$name as usize],)*
                }
            }

            /// What the op does to the height of the stack.
            #[inline]
            #[allow(unused_variables, reason = "not every effect depends on the operands")]
            pub fn effect(&self) -> StackEffect {
                match *self { $(op!($name $(($($operand),+))? bound) => effect!([$($effect)+]),)* }
            }

            /// How control goes on after the op.
            #[inline]
            pub fn flow(&self) -> Flow {
                // By a table, as inlined matches would become jumps that no processor can foresee.
                const FLOWS: [Flow; 256] = {
                    let mut flows = [Flow::Next; 256];
                    $(flows[$byte] = Flow::$flow;)*
                    flows
                };
                FLOWS[usize::from(self.opcode())]
            }

            /// The capability that the op needs of the host.
            #[inline]
            pub fn needs(&self) -> Needs {
                match self { $(op!($name $(($($operand),+))? ignored) => needs!($needs self),)* }
            }

            /// Feeds opcode and operands to `state`, floats by their bits.
            fn hash_into<H: std::hash::Hasher>(&self, state: &mut H) {
                match *self {
                    $(op!($name $(($($operand),+))? bound) => {
                        state.write_u8($byte);
                        $($(state.write_u64(Operand::$kind($operand).bits());)+)?
                    })*
                }
            }

            /// The operands in their order.
            pub fn operands(&self) -> Operands {
                match *self {
                    $(op!($name $(($($operand),+))? bound) =>
                        Operands::of([$($(Operand::$kind($operand)),+)?]),)*
                }
            }

            /// The instruction of this opcode with these operands; `None` if there is no such
            /// opcode or the operands are not of its kinds.
            pub fn from_operands(byte: u8, operands: &[Operand]) -> Option<Op> {
                match (byte, operands) {
                    $(($byte, [$($(Operand::$kind($operand)),+)?]) =>
                        Some(build!($name $(($($operand),+))?)),)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! op {
    ($name:ident $how:ident) => { Op::$name };
    ($name:ident ($($operand:ident),+) ignored) => { Op::$name(..) };
    ($name:ident ($($operand:ident),+) bound) => { Op::$name($($operand),+) };
}

macro_rules! build {
    ($name:ident) => { Op::$name };
    ($name:ident ($($operand:ident),+)) => { Op::$name($(*$operand),+) };
}

table::for_each_op!(define_info);

/// Floats count by their bits, so that a chunk's hash tells `0.0` from `-0.0`.
impl std::hash::Hash for Op {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.hash_into(state);
    }
}
