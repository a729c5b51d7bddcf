//! The ops: the table and what derives from it. What an op does when it runs is not here.
//!
//! [`Op`] is the authoring form of an instruction. [`Op::encode`] and [`Op::decode`] are its bytes in
//! a file, [`Op::info`] is its row of the table as data, [`Op::effect`] what it does to the stack.

mod codec;
mod info;
pub mod leb;
mod pairs;
mod short;
mod table;

pub use codec::DecodeError;
pub(crate) use codec::TakeOps;
pub use info::{
    Family, Flow, INFO, Needs, OpInfo, Operand, OperandInfo, OperandKind, Operands, StackEffect,
};
pub(crate) use pairs::MARK_BYTES;
pub use pairs::{Mark, PairKind, Paired, Pairs};
pub(crate) use short::{Form, Window};
pub(crate) use table::for_each_op;

use serde::{Deserialize, Serialize};
use zerocopy::TryFromBytes;

/// How many rows of the table each level of the op set has, level 1 first. Ops are only appended, so
/// a level's ops are a prefix of the table.
const OPS_OF_LEVEL: [usize; 2] = [129, 131];

/// The highest level of the op set that this crate knows.
pub const OPSET_LEVEL: u16 = OPS_OF_LEVEL.len() as u16;

/// How many ops the level has, its own and those of the levels below; `None` for a level that this crate
/// doesn't know.
pub fn ops_of_level(level: u16) -> Option<usize> {
    let place = usize::from(level).checked_sub(1)?;
    OPS_OF_LEVEL.get(place).copied()
}

/// A digest of all that a file depends on in the ops of `level`: bytes, operand kinds, effects and
/// flow, not names or prose. `None` for a level that this crate doesn't know.
pub fn opset_hash(level: u16) -> Option<[u8; 32]> {
    let count = ops_of_level(level)?;
    let mut hasher = blake3::Hasher::new();
    for info in &INFO[..count] {
        // The spaces of a stringified expression are the compiler's choice.
        let effect: String = info.effect.split_whitespace().collect();
        hasher.update(format!("{:02x} [{effect}] {:?}", info.byte, info.flow).as_bytes());
        for operand in info.operands {
            hasher.update(format!(" {}:{:?}", operand.name, operand.kind).as_bytes());
        }
        hasher.update(b"\n");
    }
    Some(hasher.finalize().into())
}

/// The level of each opcode byte; 1 where there is no such opcode.
static LEVEL_OF_BYTE: [u16; 256] = {
    let mut levels = [1; 256];
    let mut row = 0;
    let mut level = 0;
    while row < INFO.len() {
        while row >= OPS_OF_LEVEL[level] {
            level += 1;
        }
        levels[INFO[row].byte as usize] = level as u16 + 1;
        row += 1;
    }
    levels
};

/// The lowest level of the op set that has this op.
pub fn level_of(op: &Op) -> u16 {
    level_of_byte(op.opcode())
}

/// The lowest level of the op set that has the op of this opcode.
pub const fn level_of_byte(opcode: u8) -> u16 {
    LEVEL_OF_BYTE[opcode as usize]
}

macro_rules! define_op {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        /// An instruction. Operands stand in the order of the opcode table; jump targets are op
        /// indices, and a block operand is an index of the chunk's block ranges.
        ///
        /// In memory it begins with its opcode, which the decoder makes use of.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TryFromBytes)]
        #[repr(u8)]
        pub enum Op {
            $(
                #[doc = concat!("`", $picture, "` ", $meaning)]
                $name $(($($ty),+))? = $byte,
            )*
        }
    };
}

table::for_each_op!(define_op);

const _: () = assert!(size_of::<Op>() <= 16);

/// Codes of [`Op::TestFile`]'s operand.
#[allow(missing_docs, reason = "the names say it")]
pub mod file_test {
    pub const IS_FILE: u8 = 0;
    pub const IS_DIR: u8 = 1;
    pub const IS_READABLE: u8 = 2;
    pub const IS_WRITABLE: u8 = 3;
    pub const IS_EXECUTABLE: u8 = 4;
    pub const EXISTS: u8 = 5;
    pub const IS_NONEMPTY: u8 = 6;
    pub const IS_SYMLINK: u8 = 7;
    pub const IS_SOCKET: u8 = 8;
    pub const IS_FIFO: u8 = 9;
    pub const IS_BLOCK_DEV: u8 = 10;
    pub const IS_CHAR_DEV: u8 = 11;
}

/// Codes of [`Op::Redirect`]'s second operand.
#[allow(missing_docs, reason = "the names say it")]
pub mod redirect_op {
    pub const WRITE: u8 = 0;
    pub const APPEND: u8 = 1;
    pub const READ: u8 = 2;
    pub const READ_WRITE: u8 = 3;
    pub const CLOBBER: u8 = 4;
    pub const DUP_READ: u8 = 5;
    pub const DUP_WRITE: u8 = 6;
    pub const WRITE_BOTH: u8 = 7;
    pub const APPEND_BOTH: u8 = 8;
}

/// Codes of [`Op::ExpandParam`]'s operand.
#[allow(missing_docs, reason = "the names say it")]
pub mod param_mod {
    pub const DEFAULT: u8 = 0;
    pub const ASSIGN: u8 = 1;
    pub const ERROR: u8 = 2;
    pub const ALTERNATE: u8 = 3;
    pub const LENGTH: u8 = 4;
    pub const STRIP_SHORT: u8 = 5;
    pub const STRIP_LONG: u8 = 6;
    pub const RSTRIP_SHORT: u8 = 7;
    pub const RSTRIP_LONG: u8 = 8;
    pub const SUBST_FIRST: u8 = 9;
    pub const SUBST_ALL: u8 = 10;
    pub const UPPER: u8 = 11;
    pub const LOWER: u8 = 12;
    pub const UPPER_FIRST: u8 = 13;
    pub const LOWER_FIRST: u8 = 14;
    pub const INDIRECT: u8 = 15;
    pub const KEYS: u8 = 16;
    pub const SLICE: u8 = 17;
}

#[cfg(test)]
mod tests;
