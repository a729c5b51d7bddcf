//! The handlers of register instructions, one function each, named as the opcode is.
//!
//! Fast paths stand here; each ends in a jump to the next handler. What is rare is in `slow`.

#![allow(unsafe_code, non_snake_case)]
// SAFETY of the whole module: a handler is called as `dispatch::Handler` asks. Fields that name
// registers are below the frame's count of registers, which the window was checked to have when the
// frame was entered; global and constant indices were verified against their tables, and the lists
// that the activation points at have as many entries.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every line of a handler relies on the same promise"
)]

use super::Activation;
use super::dispatch::{Pc, go, go_to};
use super::links;
use super::native::{self, Called};
use super::slow;
use super::window::{Reg, reg, tag};
use crate::lower::code::{Word, flag};

/// Defines handlers. The names in parentheses are those of the four parameters.
macro_rules! handlers {
    ($($name:ident($pc:ident, $base:ident, $act:ident, $word:ident) $body:block)*) => {
        $(pub(in crate::vm::engine) unsafe fn $name(
            $pc: Pc,
            $base: *mut u8,
            $act: *mut Activation,
            $word: Word,
        ) -> bool $body)*
    };
}

/// Does the rest of a handler out of line. That is a function with the handler's own parameters,
/// reached by a jump, so that the fast path saves no registers.
macro_rules! outline {
    ($pc:ident, $base:ident, $act:ident, $word:ident, $rest:block) => {{
        #[cold]
        #[inline(never)]
        #[allow(unused_variables, reason = "not every rest needs all")]
        unsafe fn outlined(
            $pc: Pc,
            $base: *mut u8,
            $act: *mut Activation,
            $word: Word,
        ) -> bool $rest
        return outlined($pc, $base, $act, $word);
    }};
}

/// Does something out of line and goes on behind the instruction, of so many words.
macro_rules! slowly {
    ($pc:ident, $base:ident, $act:ident, $word:ident, $words:literal, $call:expr) => {
        outline!($pc, $base, $act, $word, {
            $call;
            go!($pc, $base, $act, $words)
        })
    };
}

/// Likewise for something that can fail: the engine is left then.
macro_rules! fallibly {
    ($pc:ident, $base:ident, $act:ident, $word:ident, $words:literal, $call:expr) => {
        outline!($pc, $base, $act, $word, {
            if !$call {
                return false;
            }
            go!($pc, $base, $act, $words)
        })
    };
}

/// Goes on behind the innermost call.
macro_rules! return_to_caller {
    ($base:ident, $act:ident) => {
        return_to_caller!($base, $act, (*$act).calls_top)
    };
    ($base:ident, $act:ident, $top:expr) => {{
        let top = $top.sub(1);
        (*$act).calls_top = top;
        go!((*top).pc, $base.sub((*top).base_offset), $act, 1)
    }};
}

mod branches;
mod collections;
mod numbers;

pub(super) use branches::*;
pub(super) use collections::*;
pub(super) use numbers::*;

handlers! {
    no_such_op(_pc, _base, _act, _word) {
        unreachable!("the table names every opcode");
    }

    Copy(pc, base, act, word) {
        let (to, from) = (reg(base, word.a()), reg(base, word.b()));
        if (from.tag() & tag::POINTER) | (to.tag() & tag::COUNTED) != 0 {
            slowly!(pc, base, act, word, 1, {
                slow::copy(reg(base, word.a()), reg(base, word.b()))
            })
        }
        to.set_halves(from);
        go!(pc, base, act, 1)
    }

    Take(pc, base, act, word) {
        let (to, from) = (reg(base, word.a()), reg(base, word.b()));
        if (from.tag() | to.tag()) & tag::COUNTED != 0 {
            slowly!(pc, base, act, word, 1, {
                slow::take(reg(base, word.a()), reg(base, word.b()))
            })
        }
        to.set_halves(from);
        go!(pc, base, act, 1)
    }

    Borrow(pc, base, act, word) {
        let (to, from) = (reg(base, word.a()), reg(base, word.b()));
        if to.is_counted() {
            slowly!(pc, base, act, word, 1, slow::borrow(reg(base, word.a()), reg(base, word.b())))
        }
        if from.is_counted() {
            to.set_borrowed(from);
        } else {
            to.set_halves(from);
        }
        go!(pc, base, act, 1)
    }

    Own(pc, base, act, word) {
        let at = reg(base, word.a());
        if at.tag() & (tag::POINTER | tag::COUNTED) == tag::POINTER {
            slowly!(pc, base, act, word, 1, {
                slow::copy(reg(base, word.a()), reg(base, word.a()))
            })
        }
        go!(pc, base, act, 1)
    }

    Exchange(pc, base, act, word) {
        slowly!(pc, base, act, word, 1, {
            slow::exchange(reg(base, word.a()), reg(base, word.b()))
        })
    }

    Drop(pc, base, act, word) {
        if reg(base, word.a()).is_counted() {
            slowly!(pc, base, act, word, 1, reg(base, word.a()).release())
        }
        go!(pc, base, act, 1)
    }

    Clear(pc, base, act, word) {
        let first = reg(base, word.a());
        for place in 0..usize::from(word.b()) {
            let at = Reg(first.0.add(place * 16));
            if at.is_counted() {
                slowly!(pc, base, act, word, 1, slow::clear_slots(base, word))
            }
            at.set_word(u32::from(tag::UNDEF));
        }
        go!(pc, base, act, 1)
    }

    LoadInt(pc, base, act, word) {
        let to = reg(base, word.a());
        if to.is_counted() {
            outline!(pc, base, act, word, {
                reg(base, word.a()).release();
                go!(pc, base, act, 0)
            })
        }
        to.set_int(*pc.add(1) as i64);
        go!(pc, base, act, 2)
    }

    LoadFloat(pc, base, act, word) {
        let to = reg(base, word.a());
        if to.is_counted() {
            outline!(pc, base, act, word, {
                reg(base, word.a()).release();
                go!(pc, base, act, 0)
            })
        }
        to.set_float(f64::from_bits(*pc.add(1)));
        go!(pc, base, act, 2)
    }

    LoadWord(pc, base, act, word) {
        let to = reg(base, word.a());
        if to.is_counted() {
            outline!(pc, base, act, word, {
                reg(base, word.a()).release();
                go!(pc, base, act, 0)
            })
        }
        to.set_word(word.wide());
        go!(pc, base, act, 1)
    }

    LoadConst(pc, base, act, word) {
        let to = reg(base, word.a());
        if to.is_counted() {
            outline!(pc, base, act, word, {
                reg(base, word.a()).release();
                go!(pc, base, act, 0)
            })
        }
        let from = constant(act, word.b());
        if from.is_counted() {
            to.set_borrowed(from);
        } else {
            to.set_halves(from);
        }
        go!(pc, base, act, 1)
    }

    GlobalCopy(pc, base, act, word) {
        let (to, from) = (reg(base, word.a()), global(act, word.b()));
        if (to.tag() | from.tag()) & tag::COUNTED != 0 {
            slowly!(pc, base, act, word, 1, {
                slow::copy(reg(base, word.a()), global(act, word.b()))
            })
        }
        to.set_halves(from);
        go!(pc, base, act, 1)
    }

    GlobalBorrow(pc, base, act, word) {
        let (to, from) = (reg(base, word.a()), global(act, word.b()));
        if to.is_counted() {
            slowly!(pc, base, act, word, 1, slow::borrow(reg(base, word.a()), global(act, word.b())))
        }
        if from.is_counted() {
            to.set_borrowed(from);
        } else {
            to.set_halves(from);
        }
        go!(pc, base, act, 1)
    }

    GlobalSet(pc, base, act, word) {
        let (from, to) = (reg(base, word.a()), global(act, word.b()));
        if (from.tag() & tag::POINTER) | (to.tag() & tag::COUNTED) != 0 {
            slowly!(pc, base, act, word, 1, {
                let dies = word.flags() & flag::FIRST_DIES != 0;
                slow::store(global(act, word.b()), reg(base, word.a()), dies)
            })
        }
        to.set_halves(from);
        go!(pc, base, act, 1)
    }

    Jump(pc, base, act, word) {
        go!(pc, base, act, word.wide() as i32 as isize)
    }

    Loop(pc, base, act, word) {
        if (*act).fuel == 0 {
            return slow::fuel(pc, base, act, word);
        }
        (*act).fuel -= 1;
        go!(pc, base, act, word.wide() as i32 as isize)
    }

    Fuel(pc, base, act, word) {
        if (*act).fuel == 0 {
            return slow::fuel(pc, base, act, word);
        }
        (*act).fuel -= 1;
        go!(pc, base, act, 1)
    }

    IfTrue(pc, base, act, word) {
        let at = reg(base, word.a());
        if at.tag() != tag::BOOL {
            outline!(pc, base, act, word, {
                if slow::truth(reg(base, word.a()), word) {
                    go!(pc, base, act, word.wide() as i32 as isize)
                }
                go!(pc, base, act, 1)
            })
        }
        if at.bool() {
            go!(pc, base, act, word.wide() as i32 as isize)
        }
        go!(pc, base, act, 1)
    }

    IfFalse(pc, base, act, word) {
        let at = reg(base, word.a());
        if at.tag() != tag::BOOL {
            outline!(pc, base, act, word, {
                if !slow::truth(reg(base, word.a()), word) {
                    go!(pc, base, act, word.wide() as i32 as isize)
                }
                go!(pc, base, act, 1)
            })
        }
        if !at.bool() {
            go!(pc, base, act, word.wide() as i32 as isize)
        }
        go!(pc, base, act, 1)
    }

    Call(pc, base, act, word) {
        let unit = (*act).units.add(word.wide() as usize);
        let base_of_callee = base.add(usize::from(word.a()));
        let top = (*act).calls_top;
        let end = base_of_callee.wrapping_add((*unit).frame_bytes as usize);
        if end > (*act).window_end || top == (*act).calls_end || (*act).fuel == 0 {
            return slow::call(pc, base_of_callee, act, word);
        }
        (*act).fuel -= 1;
        top.write(super::CallRecord { pc, base_offset: usize::from(word.a()) });
        (*act).calls_top = top.add(1);
        go_to!((*unit).entry, base_of_callee, act)
    }

    CallLinked(pc, base, act, word) {
        let link = links::link_at(act, word);
        let callee = base.add(usize::from(word.a()));
        if !links::is_current(act, link, word) || !links::has_room(act, link, callee) {
            return links::call(pc, callee, act, word);
        }
        links::begin(pc, act, link, word);
        go_to!((*(*link).unit).entry, callee, act)
    }

    Relink(pc, base, act, _word) {
        // The program that this code is of.
        links::switch(act, std::ptr::with_exposed_provenance_mut(*pc.add(1) as usize));
        go!(pc, base, act, 2)
    }

    End(pc, base, act, word) {
        let top = (*act).calls_top;
        if top == (*act).calls_bottom {
            return slow::leave(pc, base, act);
        }
        let gives = word.flags() & flag::GIVES != 0;
        let mut any = if gives { (reg(base, word.a()).tag() & tag::POINTER) << 3 } else { 0 };
        for place in 0..word.b() / 16 {
            any |= reg(base, place * 16).tag();
        }
        if any & tag::COUNTED != 0 {
            outline!(pc, base, act, word, {
                links::end_counted(base, word);
                return_to_caller!(base, act)
            })
        }
        if gives {
            reg(base, 0).set_halves(reg(base, word.a()));
        } else {
            reg(base, 0).set_word(u32::from(tag::UNDEF));
        }
        return_to_caller!(base, act, top)
    }

    Native(_pc, base, act, word) {
        let called = native::call(act, word.wide() as usize, base);
        let (pc, base) = (*act).resume;
        if called == Called::Returned {
            return_to_caller!(base, act)
        }
        if called == Called::GoOn {
            go_to!(pc, base, act)
        }
        false
    }

    Leave(pc, base, act, _word) {
        slow::leave(pc, base, act)
    }

    SlotLoop(pc, base, act, word) {
        fallibly!(pc, base, act, word, 2, slow::slot_loop(pc, base, act, word))
    }

    Outline(pc, base, act, word) {
        fallibly!(pc, base, act, word, 2, slow::outline(pc, base, act, word))
    }
}

/// Returns: a general one, and one for each small number of registers to look through. A caller in
/// another chunk may expect a value where there is none: it finds Undef.
macro_rules! returns {
    ($($name:ident $with_value:ident $count:expr;)*) => { handlers! { $(
        $name(pc, base, act, word) {
            let top = (*act).calls_top;
            if top == (*act).calls_bottom {
                return slow::leave(pc, base, act);
            }
            let count: fn(Word) -> u16 = $count;
            let mut any = 0;
            for place in 0..count(word) {
                any |= reg(base, place * 16).tag();
            }
            if any & tag::COUNTED != 0 {
                outline!(pc, base, act, word, {
                    slow::clear(base, word.a());
                    reg(base, 0).set_word(u32::from(tag::UNDEF));
                    return_to_caller!(base, act)
                })
            }
            reg(base, 0).set_word(u32::from(tag::UNDEF));
            return_to_caller!(base, act, top)
        }

        $with_value(pc, base, act, word) {
            let top = (*act).calls_top;
            if top == (*act).calls_bottom {
                return slow::leave(pc, base, act);
            }
            let count: fn(Word) -> u16 = $count;
            // A borrowed result counts too.
            let mut any = (reg(base, word.b()).tag() & tag::POINTER) << 3;
            for place in 0..count(word) {
                any |= reg(base, place * 16).tag();
            }
            if any & tag::COUNTED != 0 {
                outline!(pc, base, act, word, {
                    slow::return_counted(base, word);
                    return_to_caller!(base, act)
                })
            }
            reg(base, 0).set_halves(reg(base, word.b()));
            return_to_caller!(base, act, top)
        }
    )* } };
}

returns! {
    Return ReturnValue |word| word.a() / 16;
    Return0 ReturnValue0 |_| 0;
    Return1 ReturnValue1 |_| 1;
    Return2 ReturnValue2 |_| 2;
    Return3 ReturnValue3 |_| 3;
    Return4 ReturnValue4 |_| 4;
    Return5 ReturnValue5 |_| 5;
    Return6 ReturnValue6 |_| 6;
}

/// A global of the VM.
#[inline(always)]
pub(super) unsafe fn global(act: *mut Activation, index: u16) -> Reg {
    Reg((*act).globals.add(usize::from(index)).cast())
}

/// A constant of the chunk.
#[inline(always)]
unsafe fn constant(act: *mut Activation, index: u16) -> Reg {
    Reg((*act).constants.add(usize::from(index)).cast_mut().cast())
}
