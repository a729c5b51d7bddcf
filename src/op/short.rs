//! Instructions of a short form, decoded without a branch that depends on which it is: code is hard to
//! predict, and a wrong guess costs more than all of this.
//!
//! An instruction has the short form if it has no operand, one of at most two bytes, or such a one and a
//! byte behind it. That is most. What an instruction means isn't here.

use super::{Op, codec::FORMS};

/// How an opcode's operands are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// Bytes of the instruction if its operand has one, or it has none; 0 if it is never short.
    length: u8,
    /// The bit by which the operand's first byte says that there is another, if it can.
    more: u8,
    /// 1 if the operand is zigzag-coded.
    zigzag: u8,
}

impl Form {
    /// No operand.
    pub(super) const PLAIN: Form = Form::new(1, 0, 0);
    /// One byte.
    pub(super) const BYTE: Form = Form::new(2, 0, 0);
    pub(super) const UNSIGNED: Form = Form::new(2, 0x80, 0);
    pub(super) const SIGNED: Form = Form::new(2, 0x80, 1);
    /// What is called, and the number of its arguments in one byte.
    pub(super) const CALL: Form = Form::new(3, 0x80, 0);
    /// Other operands, or one of a fixed length.
    pub(crate) const OTHER: Form = Form::new(0, 0, 0);

    const fn new(length: u8, more: u8, zigzag: u8) -> Form {
        Form {
            length,
            more,
            zigzag,
        }
    }

    /// The form of the opcode's instructions.
    pub(crate) const fn of(opcode: u8) -> &'static Form {
        &FORMS[opcode as usize]
    }

    /// Whether no instruction of this form is short.
    pub(crate) const fn is_never_short(&self) -> bool {
        self.length == 0
    }
}

/// The bytes of a short instruction, by its opcode and, 256 further on, of one whose next byte has the
/// top bit set. From place to place this is all that a decoder waits for.
static LENGTHS: [u8; 512] = {
    let mut lengths = [0; 512];
    let mut opcode = 0;
    while opcode < 256 {
        let form = &FORMS[opcode];
        lengths[opcode] = form.length;
        lengths[opcode + 256] = form.length + form.more / 0x80;
        opcode += 1;
    }
    lengths
};

/// The longest short instruction, in bytes.
const LONGEST: usize = 4;

/// The bytes at a place of which a short instruction takes the first.
#[derive(Clone, Copy)]
pub(crate) struct Window(u32);

impl Window {
    /// The bytes of the code from a place on, zeros behind its end; `None` if the place is past the end.
    #[inline(always)]
    pub(crate) fn at(code: &[u8], place: usize) -> Option<Window> {
        match code.get(place..place + LONGEST) {
            Some(bytes) => Some(Window(u32::from_le_bytes(
                *bytes.first_chunk().expect("as many as asked for"),
            ))),
            None => Window::at_end(code, place),
        }
    }

    /// As [`at`](Self::at), where fewer bytes are left than a window has.
    #[cold]
    fn at_end(code: &[u8], place: usize) -> Option<Window> {
        let mut bytes = [0; LONGEST];
        for (byte, left) in bytes.iter_mut().zip(code.get(place..)?) {
            *byte = *left;
        }
        Some(Window(u32::from_le_bytes(bytes)))
    }

    /// The opcode.
    #[inline(always)]
    pub(crate) fn opcode(self) -> u8 {
        self.0 as u8
    }

    /// How many bytes the instruction has, if it is short.
    #[inline(always)]
    pub(crate) fn short_length(self) -> usize {
        usize::from(LENGTHS[(self.0 & 0xff | self.0 >> 7 & 0x100) as usize])
    }

    /// The instruction, if this is its opcode's form and it is short.
    #[inline(always)]
    pub(crate) fn short(self, form: &Form) -> Option<Short> {
        let more = self.0 >> 8 & u32::from(form.more);
        let low = (self.0 >> 8 & 0xff) ^ more;
        // The second byte at the place of the second seven bits, if it is part of the operand.
        let high = self.0 >> 9 & 0x7f80 & (more >> 7).wrapping_neg();
        // It is neither 0 nor followed by a third.
        if form.is_never_short() | (high.wrapping_sub(more) >= 0x3f80) {
            return None;
        }
        Some(Short {
            window: self,
            number: (low | high) as u16,
            length: self.short_length() as u8,
        })
    }
}

/// An instruction of the short form.
#[derive(Clone, Copy)]
pub(crate) struct Short {
    window: Window,
    /// The first operand before its zigzag coding is undone; without meaning where there is none.
    pub(crate) number: u16,
    length: u8,
}

impl Short {
    /// The first instruction of the code, if it is short and whole.
    #[inline(always)]
    pub(crate) fn first(code: &[u8]) -> Option<Short> {
        let window = Window::at(code, 0)?;
        let short = window.short(Form::of(window.opcode()))?;
        (short.length() <= code.len()).then_some(short)
    }

    /// How many bytes it has.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// The second operand, which is the last byte; without meaning where there is none.
    #[inline(always)]
    pub(crate) fn second(self) -> u8 {
        (self.window.0 >> (8 * (u32::from(self.length) - 1))) as u8
    }

    /// The instruction.
    #[cfg(all(target_pointer_width = "64", target_endian = "little"))]
    #[inline(always)]
    pub(crate) fn op(self) -> Op {
        let opcode = self.window.opcode();
        let zigzag = u64::from(Form::of(opcode).zigzag);
        let number = u64::from(self.number);
        let operand = number >> zigzag ^ (number & zigzag).wrapping_neg();
        // An `Op` in memory: the opcode, then an operand of one byte, of two, and of eight, each at its
        // own alignment, or one of one byte behind that of two. Those that the op doesn't have are
        // padding.
        let head = u64::from(opcode)
            | (operand & 0xff) << 8
            | (operand & 0xffff) << 16
            | u64::from(self.second()) << 32;
        zerocopy::try_transmute!([head, operand]).expect("an opcode with a form has an op")
    }

    /// The instruction. Here what an `Op` looks like in memory isn't known.
    #[cfg(not(all(target_pointer_width = "64", target_endian = "little")))]
    pub(crate) fn op(self) -> Op {
        Op::decode(&self.window.0.to_le_bytes(), &mut 0).expect("a short instruction is one")
    }
}
