//! The bytes of an instruction in a file: the opcode, then the operands by their kinds.

use super::{Op, leb, table};

/// Why the bytes at a place are no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There is no opcode of this byte.
    Opcode(u8),
    /// The operand of this name is malformed or exceeds its type.
    Operand(&'static str),
    /// The code ends inside the instruction.
    Short,
}

macro_rules! define_codec {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        impl Op {
            /// Appends the instruction's bytes to `out`.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match *self {
                    $(pattern!($name $(($($operand),+))?) => {
                        out.push($byte);
                        $($(write::$kind(out, $operand);)+)?
                    })*
                }
            }

            /// Reads the instruction at `*at` and moves `*at` behind it.
            ///
            /// # Errors
            /// When the bytes there are none; `*at` is then somewhere inside.
            pub fn decode(code: &[u8], at: &mut usize) -> Result<Op, DecodeError> {
                let byte = *code.get(*at).ok_or(DecodeError::Short)?;
                *at += 1;
                Ok(match byte {
                    $($byte => {
                        $($(let $operand = read::$kind(code, at, stringify!($operand))?;)+)?
                        pattern!($name $(($($operand),+))?)
                    })*
                    _ => return Err(DecodeError::Opcode(byte)),
                })
            }
        }

        /// The form of each opcode's instructions.
        static FORMS: [short::Form; 256] = {
            let mut forms = [short::OTHER; 256];
            $(forms[$byte] = form!($($($kind),+)?);)*
            forms
        };
    };
}

impl Op {
    /// Reads `count` instructions from the start of `code` to the end of `ops`, hands each to
    /// `taker`, and gives how many bytes they take.
    ///
    /// # Errors
    /// At the first that is none: its index, the place of its bytes, and what is wrong. What `ops` has
    /// from there on has no meaning.
    #[inline]
    pub fn decode_all(
        code: &[u8],
        count: usize,
        ops: &mut Vec<Op>,
        taker: &mut impl TakeOps,
    ) -> Result<usize, (usize, usize, DecodeError)> {
        // An instruction has a byte at least.
        if count > code.len() {
            return Err((code.len(), code.len(), DecodeError::Short));
        }
        let first = ops.len();
        ops.resize(first + count, Op::Nop);
        let mut at = 0;
        for (index, op) in ops[first..].iter_mut().enumerate() {
            if let Some(short) = short::decode(&code[at..]) {
                taker.take_short(short.opcode, short.number);
                *op = short.op;
                at += short.length;
            } else {
                let mut end = at;
                *op = Op::decode(code, &mut end).map_err(|error| (index, at, error))?;
                taker.take(op);
                at = end;
            }
        }
        Ok(at)
    }
}

/// What instructions are handed to as they are decoded.
pub trait TakeOps {
    /// Takes the next instruction.
    fn take(&mut self, op: &Op);

    /// Takes the next instruction, of which this is the opcode, and this the operand if it has one,
    /// before its zigzag coding is undone. Without an operand the number has no meaning.
    fn take_short(&mut self, opcode: u8, number: u16);
}

/// Nobody takes them.
impl TakeOps for () {
    fn take(&mut self, _op: &Op) {}

    fn take_short(&mut self, _opcode: u8, _number: u16) {}
}

macro_rules! form {
    () => {
        short::PLAIN
    };
    (Count8) => {
        short::BYTE
    };
    (Argc) => {
        short::BYTE
    };
    (Code) => {
        short::BYTE
    };
    (Int) => {
        short::SIGNED
    };
    (Float) => {
        short::OTHER
    };
    ($kind:ident) => {
        short::UNSIGNED
    };
    ($($kind:ident),+) => {
        short::OTHER
    };
}

macro_rules! pattern {
    ($name:ident) => { Op::$name };
    ($name:ident ($($operand:ident),+)) => { Op::$name($($operand),+) };
}

table::for_each_op!(define_codec);

/// Decodes instructions of a short form, without a branch that depends on which it is: code is hard to
/// predict, and a wrong guess costs more than all of this.
///
/// An instruction has the short form if it has no operand, or one of at most two bytes. That is most.
mod short {
    use super::{FORMS, Op};

    /// How an instruction's operand is written: a set of the bits below.
    pub(super) type Form = u8;

    const OPERAND: Form = 0x01;
    const ZIGZAG: Form = 0x02;
    /// In the place of the bit by which an operand's first byte says that there is a second.
    const LEB: Form = 0x80;

    pub(super) const PLAIN: Form = 0;
    pub(super) const BYTE: Form = OPERAND;
    pub(super) const UNSIGNED: Form = OPERAND | LEB;
    pub(super) const SIGNED: Form = OPERAND | LEB | ZIGZAG;
    /// It has several operands, or one of a fixed length: never short.
    pub(super) const OTHER: Form = 0x04;

    /// An instruction, its parts, and the number of its bytes.
    pub(super) struct Short {
        pub(super) op: Op,
        pub(super) opcode: u8,
        pub(super) number: u16,
        pub(super) length: usize,
    }

    /// The instruction that the code begins with, if it is of the short form and there are three bytes
    /// at least.
    #[cfg(all(target_pointer_width = "64", target_endian = "little"))]
    #[inline(always)]
    pub(super) fn decode(code: &[u8]) -> Option<Short> {
        let &[opcode, first, second] = code.first_chunk::<3>()?;
        let form = FORMS[usize::from(opcode)];
        let more = (first & form & LEB) >> 7;
        let second_is_not_last = second.wrapping_sub(1) >= 0x7f;
        if form & OTHER | more & u8::from(second_is_not_last) != 0 {
            return None;
        }
        let low = u64::from(first & !(form & LEB));
        let number = low | u64::from(second & more.wrapping_neg()) << 7;
        let is_zigzag = u64::from(form & ZIGZAG) >> 1;
        let operand = number >> is_zigzag ^ (number & is_zigzag).wrapping_neg();
        // An `Op` in memory: the opcode, then an operand of one byte, of two, and of eight, each at its
        // own alignment. Those that the op doesn't have are padding.
        let head = u64::from(opcode) | (operand & 0xff) << 8 | (operand & 0xffff) << 16;
        Some(Short {
            op: zerocopy::try_transmute!([head, operand]).ok()?,
            opcode,
            number: number as u16,
            length: usize::from(1 + (form & OPERAND) + more),
        })
    }

    /// Elsewhere an `Op` in memory looks otherwise.
    #[cfg(not(all(target_pointer_width = "64", target_endian = "little")))]
    pub(super) fn decode(_code: &[u8]) -> Option<Short> {
        None
    }
}

/// Operands to bytes, a function for each kind, named as the kind is.
#[allow(non_snake_case)]
mod write {
    use super::leb;

    macro_rules! unsigned {
        ($($kind:ident $ty:ty),*) => {$(
            pub(super) fn $kind(out: &mut Vec<u8>, value: $ty) {
                leb::write_unsigned(out, value as u64);
            }
        )*};
    }

    macro_rules! byte {
        ($($kind:ident),*) => {$(
            pub(super) fn $kind(out: &mut Vec<u8>, value: u8) {
                out.push(value);
            }
        )*};
    }

    unsigned! {
        Const u16, Name u16, Slot u16, Block u16, Count u16, Id u16, Target usize, Payload usize
    }
    byte! { Count8, Argc, Code }

    pub(super) fn Int(out: &mut Vec<u8>, value: i64) {
        leb::write_signed(out, value);
    }

    pub(super) fn Imm(out: &mut Vec<u8>, value: i32) {
        leb::write_signed(out, i64::from(value));
    }

    pub(super) fn Float(out: &mut Vec<u8>, value: f64) {
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

/// Bytes to operands, the twin of [`write`].
#[allow(non_snake_case)]
mod read {
    use super::{DecodeError, leb};

    macro_rules! unsigned {
        ($($kind:ident $ty:ty),*) => {$(
            #[inline(always)]
            pub(super) fn $kind(
                code: &[u8],
                at: &mut usize,
                name: &'static str,
            ) -> Result<$ty, DecodeError> {
                let value = leb::read_unsigned(code, at).map_err(|error| refuse(error, name))?;
                <$ty>::try_from(value).map_err(|_| DecodeError::Operand(name))
            }
        )*};
    }

    macro_rules! byte {
        ($($kind:ident),*) => {$(
            #[inline(always)]
            pub(super) fn $kind(
                code: &[u8],
                at: &mut usize,
                _name: &'static str,
            ) -> Result<u8, DecodeError> {
                let byte = *code.get(*at).ok_or(DecodeError::Short)?;
                *at += 1;
                Ok(byte)
            }
        )*};
    }

    unsigned! {
        Const u16, Name u16, Slot u16, Block u16, Count u16, Id u16, Target usize, Payload usize
    }
    byte! { Count8, Argc, Code }

    pub(super) fn Int(code: &[u8], at: &mut usize, name: &'static str) -> Result<i64, DecodeError> {
        leb::read_signed(code, at).map_err(|error| refuse(error, name))
    }

    pub(super) fn Imm(code: &[u8], at: &mut usize, name: &'static str) -> Result<i32, DecodeError> {
        i32::try_from(Int(code, at, name)?).map_err(|_| DecodeError::Operand(name))
    }

    pub(super) fn Float(
        code: &[u8],
        at: &mut usize,
        _name: &'static str,
    ) -> Result<f64, DecodeError> {
        let bytes = code.get(*at..).and_then(|rest| rest.first_chunk::<8>());
        let bytes = bytes.ok_or(DecodeError::Short)?;
        *at += 8;
        Ok(f64::from_bits(u64::from_le_bytes(*bytes)))
    }

    #[cold]
    fn refuse(error: leb::LebError, name: &'static str) -> DecodeError {
        match error {
            leb::LebError::Short => DecodeError::Short,
            leb::LebError::Malformed => DecodeError::Operand(name),
        }
    }
}
