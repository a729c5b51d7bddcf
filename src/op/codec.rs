//! The bytes of an instruction in a file: the opcode, then the operands by their kinds.

use super::{
    Op, leb,
    short::{Form, Short},
    table,
};

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
        pub(super) static FORMS: [Form; 256] = {
            let mut forms = [Form::OTHER; 256];
            $(forms[$byte] = form!($($($kind),+)?);)*
            forms
        };
    };
}

impl Op {
    /// Reads `count` instructions from the start of `code` to the end of `ops` and gives how many bytes
    /// they take.
    ///
    /// # Errors
    /// At the first that is none: its index, the place of its bytes, and what is wrong. `ops` has those
    /// before it.
    pub fn decode_all(
        code: &[u8],
        count: usize,
        ops: &mut Vec<Op>,
    ) -> Result<usize, (usize, usize, DecodeError)> {
        // An instruction has a byte at least.
        if count > code.len() {
            return Err((code.len(), code.len(), DecodeError::Short));
        }
        ops.reserve(count);
        let mut at = 0;
        for index in 0..count {
            if let Some(short) = Short::first(&code[at..]) {
                at += short.length();
                ops.take(short);
            } else {
                let mut end = at;
                let op = Op::decode(code, &mut end).map_err(|error| (index, at, error))?;
                ops.push(op);
                at = end;
            }
        }
        Ok(at)
    }
}

/// What instructions are handed to as they are decoded.
pub(crate) trait TakeOps {
    /// Whether they are kept.
    const KEEPS: bool;

    /// Makes room for so many.
    fn expect(&mut self, count: usize);

    /// Takes the next one, which is of the short form.
    fn take(&mut self, short: Short);

    /// Takes the next one.
    fn take_long(&mut self, op: Op);
}

/// Nobody takes them.
impl TakeOps for () {
    const KEEPS: bool = false;

    fn expect(&mut self, _count: usize) {}

    #[inline(always)]
    fn take(&mut self, _short: Short) {}

    fn take_long(&mut self, _op: Op) {}
}

impl TakeOps for Vec<Op> {
    const KEEPS: bool = true;

    fn expect(&mut self, count: usize) {
        self.reserve(count);
    }

    #[inline(always)]
    fn take(&mut self, short: Short) {
        self.push(short.op());
    }

    fn take_long(&mut self, op: Op) {
        self.push(op);
    }
}

macro_rules! form {
    () => {
        Form::PLAIN
    };
    (Count8) => {
        Form::BYTE
    };
    (Argc) => {
        Form::BYTE
    };
    (Code) => {
        Form::BYTE
    };
    (Int) => {
        Form::SIGNED
    };
    (Float) => {
        Form::OTHER
    };
    ($kind:ident) => {
        Form::UNSIGNED
    };
    (Name, Argc) => {
        Form::CALL
    };
    (Id, Argc) => {
        Form::CALL
    };
    (Id, Code) => {
        Form::CALL
    };
    ($($kind:ident),+) => {
        Form::OTHER
    };
}

macro_rules! pattern {
    ($name:ident) => { Op::$name };
    ($name:ident ($($operand:ident),+)) => { Op::$name($($operand),+) };
}

table::for_each_op!(define_codec);

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
