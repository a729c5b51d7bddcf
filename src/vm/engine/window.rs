//! Registers: values in raw memory, some of them borrowed.
//!
//! A register has the layout of a [`Value`]. Its tag may also be a *borrowed* one: that of a counted
//! kind without its top bit. Such a register holds a pointer that it has no share in; its owner
//! outlives it. Dead registers may hold anything that is valid: whoever writes drops what was there.
//!
//! Values are moved as two 64-bit halves and written likewise: a 16-byte load right behind 8-byte
//! stores waits for them to reach the cache.

#![allow(unsafe_code)]

use crate::value::{Array, Hash, Str, Value};
use std::mem::{ManuallyDrop, MaybeUninit};

pub(super) use crate::value::tag;

const _: () = {
    assert!(size_of::<Value>() == 16 && align_of::<Value>() == 8);
    assert!(size_of::<Array>() == 8 && size_of::<Str>() == 8 && size_of::<Hash>() == 8);
};

type Half = MaybeUninit<u64>;

/// A register, or a value in memory that is read like one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Reg(pub(super) *mut u8);

/// The register of a field.
#[inline(always)]
pub(super) unsafe fn reg(base: *mut u8, field: u16) -> Reg {
    // SAFETY: fields name registers of the frame, which the window has room for.
    Reg(unsafe { base.add(usize::from(field)) })
}

// SAFETY of all that follows: the caller names a register within the window (lowering gives each
// field below the frame's count of registers, `call` checks that the window has as many), or a value
// that is alive; both hold a valid `Value` or its borrowed form. Payloads of Int, Float and the
// counted kinds lie in the second half, which `layout_is_as_assumed` below pins.
impl Reg {
    #[inline(always)]
    pub(super) unsafe fn tag(self) -> u8 {
        unsafe { self.0.read() }
    }

    #[inline(always)]
    pub(super) unsafe fn int(self) -> i64 {
        unsafe { self.0.add(8).cast::<i64>().read() }
    }

    #[inline(always)]
    pub(super) unsafe fn float(self) -> f64 {
        unsafe { self.0.add(8).cast::<f64>().read() }
    }

    /// An Int or a Float as a Float.
    #[inline(always)]
    pub(super) unsafe fn number(self) -> f64 {
        unsafe {
            if self.tag() == tag::INT {
                self.int() as f64
            } else {
                self.float()
            }
        }
    }

    /// The truth of a Bool.
    #[inline(always)]
    pub(super) unsafe fn bool(self) -> bool {
        unsafe { self.0.add(1).read() != 0 }
    }

    /// Writes over a value that is not counted.
    #[inline(always)]
    pub(super) unsafe fn set_int(self, n: i64) {
        unsafe {
            self.0.cast::<u64>().write(u64::from(tag::INT));
            self.0.add(8).cast::<i64>().write(n);
        }
    }

    /// Writes over a value that is not counted.
    #[inline(always)]
    pub(super) unsafe fn set_float(self, f: f64) {
        unsafe {
            self.0.cast::<u64>().write(u64::from(tag::FLOAT));
            self.0.add(8).cast::<f64>().write(f);
        }
    }

    /// Writes a scalar by its first half over a value that is not counted.
    #[inline(always)]
    pub(super) unsafe fn set_word(self, word: u32) {
        unsafe { self.0.cast::<u64>().write(u64::from(word)) }
    }

    /// Changes the tag alone.
    #[inline(always)]
    pub(super) unsafe fn set_tag(self, tag: u8) {
        unsafe { self.0.write(tag) }
    }

    /// Copies the halves over a value that is not counted.
    #[inline(always)]
    pub(super) unsafe fn set_halves(self, from: Reg) {
        unsafe {
            let low = from.0.cast::<Half>().read_volatile();
            let high = from.0.add(8).cast::<Half>().read_volatile();
            self.0.cast::<Half>().write_volatile(low);
            self.0.add(8).cast::<Half>().write_volatile(high);
        }
    }

    /// Borrows a counted value over one that is not counted.
    #[inline(always)]
    pub(super) unsafe fn set_borrowed(self, from: Reg) {
        unsafe {
            let word = from.tag() & !tag::COUNTED;
            self.0.cast::<u64>().write(u64::from(word));
            let pointer = from.0.add(8).cast::<Half>().read_volatile();
            self.0.add(8).cast::<Half>().write_volatile(pointer);
        }
    }

    /// Whether the value is counted here.
    #[inline(always)]
    pub(super) unsafe fn is_counted(self) -> bool {
        unsafe { self.tag() & tag::COUNTED != 0 }
    }

    /// Whether there is a pointer, counted here or not.
    #[inline(always)]
    pub(super) unsafe fn is_pointer(self) -> bool {
        unsafe { self.tag() & tag::POINTER != 0 }
    }

    /// The value to look at, whoever owns it.
    #[inline(always)]
    pub(super) unsafe fn peek(self) -> ManuallyDrop<Value> {
        unsafe {
            let mut value = MaybeUninit::<Value>::uninit();
            let copy = Reg(value.as_mut_ptr().cast());
            copy.set_halves(self);
            if self.is_pointer() {
                copy.0.write(self.tag() | tag::COUNTED);
            }
            ManuallyDrop::new(value.assume_init())
        }
    }

    /// The value to keep: counted once more.
    #[inline]
    pub(super) unsafe fn counted(self) -> Value {
        unsafe { Value::clone(&self.peek()) }
    }

    /// Takes the value out; where it was borrowed, counts it.
    #[inline]
    pub(super) unsafe fn take(self) -> Value {
        unsafe {
            let value = self.peek();
            if self.is_counted() || !self.is_pointer() {
                self.set_word(u32::from(tag::UNDEF));
                ManuallyDrop::into_inner(value)
            } else {
                Value::clone(&value)
            }
        }
    }

    /// Writes a value over whatever was there.
    #[inline]
    pub(super) unsafe fn put(self, value: Value) {
        unsafe {
            if self.is_counted() {
                self.release();
            }
            let value = ManuallyDrop::new(value);
            self.set_halves(Reg((&raw const *value).cast_mut().cast()));
        }
    }

    /// Drops a counted value; what is left is Undef.
    #[inline(never)]
    pub(super) unsafe fn release(self) {
        unsafe {
            let value = self.peek();
            self.set_word(u32::from(tag::UNDEF));
            drop(ManuallyDrop::into_inner(value));
        }
    }

    /// Drops what is there if it is counted.
    #[inline(always)]
    pub(super) unsafe fn clear(self) {
        unsafe {
            if self.is_counted() {
                self.release();
            }
        }
    }

    /// The array behind the pointer, for a tag of `ARRAY` or its borrowed form.
    #[inline(always)]
    pub(super) unsafe fn array<'a>(self) -> &'a Array {
        unsafe { &*self.0.add(8).cast::<Array>() }
    }

    /// The same to be changed, for a tag of `ARRAY`.
    #[inline(always)]
    pub(super) unsafe fn array_mut<'a>(self) -> &'a mut Array {
        unsafe { &mut *self.0.add(8).cast::<Array>() }
    }

    /// The table behind the pointer, for a tag of `HASH`.
    #[inline(always)]
    pub(super) unsafe fn hash<'a>(self) -> &'a Hash {
        unsafe { &*self.0.add(8).cast::<Hash>() }
    }

    /// The same to be changed.
    #[inline(always)]
    pub(super) unsafe fn hash_mut<'a>(self) -> &'a mut Hash {
        unsafe { &mut *self.0.add(8).cast::<Hash>() }
    }

    /// Copies what is no pointer over whatever was there.
    #[inline(always)]
    pub(super) unsafe fn put_halves(self, from: Reg) {
        unsafe {
            self.clear();
            self.set_halves(from);
        }
    }

    /// The string behind the pointer, for a tag of `STR` or its borrowed form.
    #[inline(always)]
    pub(super) unsafe fn str<'a>(self) -> &'a Str {
        unsafe { &*self.0.add(8).cast::<Str>() }
    }

    /// The same to be changed, for a tag of `STR`.
    #[inline(always)]
    pub(super) unsafe fn str_mut<'a>(self) -> &'a mut Str {
        unsafe { &mut *self.0.add(8).cast::<Str>() }
    }
}

/// The registers of all frames, one behind the other.
pub(super) struct Window {
    registers: Vec<[Half; 2]>,
}

impl Window {
    /// A window of as many registers, all Int 0.
    pub(super) fn new(registers: usize) -> Window {
        Window {
            registers: vec![[Half::new(0); 2]; registers],
        }
    }

    pub(super) fn start(&mut self) -> *mut u8 {
        self.registers.as_mut_ptr().cast()
    }

    /// Where the registers end.
    pub(super) fn end(&mut self) -> *mut u8 {
        self.registers.as_mut_ptr_range().end.cast()
    }

    pub(super) fn len(&self) -> usize {
        self.registers.len()
    }

    /// Grows to at least `registers`; everything moves.
    pub(super) fn grow(&mut self, registers: usize) {
        let len = registers.max(self.registers.len() * 2);
        self.registers.resize(len, [Half::new(0); 2]);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let start = self.start();
        for place in 0..self.registers.len() {
            // SAFETY: every register holds something valid, and this is the last look at it.
            unsafe { Reg(start.add(place * size_of::<Value>())).clear() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_as_assumed() {
        let values = [
            (Value::Int(7), tag::INT),
            (Value::Float(0.5), tag::FLOAT),
            (Value::Undef, tag::UNDEF),
            (Value::Bool(true), tag::BOOL),
            (Value::str("x"), tag::STR),
            (Value::array(vec![]), tag::ARRAY),
            (Value::map(Default::default()), tag::HASH),
        ];
        for (mut value, expected) in values {
            let reg = Reg((&raw mut value).cast());
            // SAFETY: the register is a live value of the kind that is looked at.
            unsafe {
                assert_eq!(reg.tag(), expected);
                match &value {
                    Value::Int(n) => assert_eq!(reg.int(), *n),
                    Value::Float(f) => assert_eq!(reg.float(), *f),
                    Value::Bool(b) => assert_eq!(reg.bool(), *b),
                    Value::Str(s) => assert!(Str::ptr_eq(reg.str(), s)),
                    Value::Array(a) => assert!(Array::ptr_eq(reg.array(), a)),
                    _ => {}
                }
            }
        }
    }
}
