//! Elements of arrays and entries of hashes, of globals and of slots.

#![allow(unsafe_code, non_snake_case)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::dispatch::{Pc, go};
use super::super::window::{Reg, reg, tag};
use super::super::{Activation, slow};
use super::global;
use crate::lower::code::Word;
use std::hint::cold_path;

/// Reads of elements, the array in the named place; borrowed unless counted copies are asked for.
macro_rules! elements {
    ($($name:ident $array:expr, $counts:literal;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
            let (to, array) = (reg(base, word.a()), place(base, act, word.b()));
            let index = reg(base, word.c());
            let array_tag = (array.tag() | tag::COUNTED) ^ tag::ARRAY;
            if array_tag | index.tag() | (to.tag() & tag::COUNTED) == 0 {
                let Some(item) = array.array().element(index.int() as usize) else {
                    cold_path();
                    to.set_word(u32::from(tag::UNDEF));
                    go!(pc, base, act, 1)
                };
                let item = Reg((&raw const *item).cast_mut().cast());
                if !item.is_counted() {
                    to.set_halves(item);
                    go!(pc, base, act, 1)
                }
                if !$counts {
                    cold_path();
                    to.set_borrowed(item);
                    go!(pc, base, act, 1)
                }
            }
            slowly!(pc, base, act, word, 1, {
                let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
                slow::element(base, word, place(base, act, word.b()), $counts)
            })
        })*
    } };
}

elements! {
    ElementCopy |_, act, index| global(act, index), true;
    ElementBorrow |_, act, index| global(act, index), false;
    SlotElementCopy |base, _, field| reg(base, field), true;
    SlotElementBorrow |base, _, field| reg(base, field), false;
}

/// Lengths of elements.
macro_rules! element_lengths {
    ($($name:ident $array:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
            let (to, array) = (reg(base, word.a()), place(base, act, word.b()));
            let index = reg(base, word.c());
            if (array.tag() | tag::COUNTED == tag::ARRAY)
                & (index.tag() | (to.tag() & tag::COUNTED) == 0)
                && let Some(item) = array.array().element(index.int() as usize)
            {
                let item = Reg((&raw const *item).cast_mut().cast());
                if item.tag() == tag::STR {
                    to.set_int(item.str().len() as i64);
                    go!(pc, base, act, 1)
                }
            }
            slowly!(pc, base, act, word, 1, {
                let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
                slow::element_len(base, word, place(base, act, word.b()))
            })
        })*
    } };
}

element_lengths! {
    ElementLen |_, act, index| global(act, index);
    SlotElementLen |base, _, field| reg(base, field);
}

/// Stores of elements.
macro_rules! element_stores {
    ($($name:ident $array:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
            let array = place(base, act, word.a());
            let (index, value) = (reg(base, word.b()), reg(base, word.c()));
            let array_tag = array.tag() ^ tag::ARRAY;
            if array_tag | index.tag() | (value.tag() & tag::POINTER) == 0 {
                if let Some(item) = array.array_mut().unshared_mut(index.int() as usize) {
                    let item = Reg((&raw mut *item).cast());
                    if !item.is_counted() {
                        item.set_halves(value);
                        go!(pc, base, act, 1)
                    }
                }
            }
            fallibly!(pc, base, act, word, 1, {
                let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
                slow::set_element(pc, base, act, word, place(base, act, word.a()))
            })
        })*
    } };
}

/// Stores of Ints as elements.
macro_rules! int_stores {
    ($($name:ident $array:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
            let array = place(base, act, word.a());
            let index = reg(base, word.b());
            if (array.tag() == tag::ARRAY) & (index.tag() == 0) {
                if let Some(item) = array.array_mut().unshared_mut(index.int() as usize) {
                    let item = Reg((&raw mut *item).cast());
                    if !item.is_counted() {
                        item.set_int(*pc.add(1) as i64);
                        go!(pc, base, act, 2)
                    }
                }
            }
            fallibly!(pc, base, act, word, 2, {
                let place: unsafe fn(*mut u8, *mut Activation, u16) -> Reg = $array;
                slow::set_element_int(pc, base, act, word, place(base, act, word.a()))
            })
        })*
    } };
}

int_stores! {
    ElementSetI |_, act, index| global(act, index);
    SlotElementSetI |base, _, field| reg(base, field);
}

element_stores! {
    ElementSet |_, act, index| global(act, index);
    SlotElementSet |base, _, field| reg(base, field);
}

handlers! {
    ElementSetW(pc, base, act, word) {
        let (array, index) = (global(act, word.a()), reg(base, word.b()));
        if (array.tag() == tag::ARRAY) & (index.tag() == 0)
            && let Some(item) = array.array_mut().unshared_mut(index.int() as usize)
        {
            let item = Reg((&raw mut *item).cast());
            if !item.is_counted() {
                item.set_word(u32::from(word.c()));
                go!(pc, base, act, 1)
            }
        }
        fallibly!(pc, base, act, word, 1, {
            slow::set_element_word(pc, base, act, word, global(act, word.a()))
        })
    }

    HashExists(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::hash_exists(pc, base, act, word))
    }

    ArrayPush(pc, base, act, word) {
        let (array, value) = (global(act, word.a()), reg(base, word.c()));
        if (array.tag() == tag::ARRAY) & !value.is_pointer()
            && let Some(items) = array.array_mut().unshared_with_room((*act).max_items)
        {
            let room = Reg(items.as_mut_ptr().add(items.len()).cast());
            room.set_halves(value);
            items.set_len(items.len() + 1);
            go!(pc, base, act, 1)
        }
        fallibly!(pc, base, act, word, 1, {
            slow::push(pc, base, act, word, global(act, word.a()))
        })
    }

    ArrayLen(pc, base, act, word) {
        let (to, array) = (reg(base, word.a()), global(act, word.b()));
        if to.is_counted() {
            outline!(pc, base, act, word, {
                reg(base, word.a()).release();
                go!(pc, base, act, 0)
            })
        }
        let len = if array.tag() == tag::ARRAY { array.array().len() as i64 } else { 0 };
        to.set_int(len);
        go!(pc, base, act, 1)
    }

    HashGetCopy(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::hash_get(pc, base, act, word, true))
    }

    HashGetBorrow(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::hash_get(pc, base, act, word, false))
    }

    HashSet(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::hash_set(pc, base, act, word))
    }
}
