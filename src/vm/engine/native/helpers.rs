//! The functions that native code calls: what it doesn't do inline, with the engine's own meaning.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::window::{Reg, reg, tag};
use super::super::{Activation, dispatch::Pc, links, slow};
use super::{foreign, register_at};
use crate::jit::abi::{Helper, Place, for_each_helper};
use crate::lower::code::{Rop, Word, flag};
use crate::value::{Value, compare, number, string};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Addresses of the helpers.
pub(super) struct Table(pub(super) [*const u8; Helper::COUNT]);

// SAFETY: addresses of functions.
unsafe impl Sync for Table {}

macro_rules! define_table {
    ($($name:ident ($($in:ident)*) ($($out:ident)?) $does:literal;)*) => {
        /// The table of helpers, in the order of their numbers.
        pub(super) static TABLE: Table = {
            let mut table = [std::ptr::null(); Helper::COUNT];
            $(table[Helper::$name as usize] = define_table!(@address $name);)*
            Table(table)
        };
    };
    (@address Step) => { step as *const u8 };
    (@address Release) => { release as *const u8 };
    (@address Truth) => { truth as *const u8 };
    (@address Compare) => { compares as *const u8 };
    (@address ToFloat) => { to_float as *const u8 };
    (@address ToInt) => { to_int as *const u8 };
    (@address Pow) => { pow as *const u8 };
    (@address FloatRemainder) => { float_remainder as *const u8 };
    (@address StringLen) => { string_len as *const u8 };
    (@address JoinedEntry) => { joined_entry as *const u8 };
    (@address ReturnCounted) => { return_counted as *const u8 };
    (@address ClearCounted) => { clear_counted as *const u8 };
}
for_each_helper!(define_table);

unsafe extern "C" fn release(place: *mut u8) {
    register_at(place).release();
}

unsafe extern "C" fn truth(base: *mut u8, word: Word) -> u64 {
    u64::from(slow::truth(reg(base, word.a()), word))
}

unsafe extern "C" fn to_float(place: *mut u8) -> f64 {
    register_at(place).peek().to_float()
}

unsafe extern "C" fn to_int(place: *mut u8) -> i64 {
    register_at(place).peek().to_int()
}

extern "C" fn pow(a: f64, b: f64) -> f64 {
    number::pow_float(a, b)
}

extern "C" fn float_remainder(a: f64, b: f64) -> f64 {
    a % b
}

unsafe extern "C" fn string_len(place: *mut u8) -> i64 {
    string::string_len(&register_at(place).peek())
}

/// The value that a global's hash has for a key that is nowhere but here: no more than a look at a short string,
/// which costs no fuel. Null where it would cost some, where there is no hash, and where the value would have
/// to be counted.
unsafe extern "C" fn joined_entry(
    act: *mut Activation,
    text: *mut u8,
    n: i64,
    global: usize,
) -> *const Value {
    let text = register_at(text);
    let hash = Reg((*act).globals.add(global).cast());
    if text.tag() | tag::COUNTED != tag::STR || hash.tag() != tag::HASH {
        return std::ptr::null();
    }
    let Some(key) = string::ShortKey::joined(text.str(), n) else {
        return std::ptr::null();
    };
    if key.as_ref().len() / size_of::<Value>() >= (*act).max_items {
        return std::ptr::null();
    }
    let found = hash.hash().get(&key).unwrap_or(&Value::Undef);
    match Reg(std::ptr::from_ref(found).cast_mut().cast()).is_pointer() {
        true => std::ptr::null(),
        false => found,
    }
}

unsafe extern "C" fn return_counted(base: *mut u8, word: Word) {
    slow::return_counted(base, word);
}

unsafe extern "C" fn clear_counted(base: *mut u8, word: Word) {
    slow::clear(base, word.a());
}

/// The comparison of a branch whose operands may be anything.
unsafe extern "C" fn compares(base: *mut u8, word: Word, immediate: u64) -> u64 {
    use crate::jit::ir::inst::{Against, Branch, Comparison};
    let Some(branch) = Branch::of(word.op()) else {
        return 0;
    };
    let meaning: fn(&Value, &Value) -> bool = match branch.comparison {
        Comparison::Lt => compare::num_lt,
        Comparison::Le => compare::num_le,
        Comparison::Gt => compare::num_gt,
        Comparison::Ge => compare::num_ge,
        Comparison::Eq => compare::num_eq,
        Comparison::Ne => compare::num_ne,
    };
    u64::from(match branch.against {
        Against::Register => slow::compare(base, word, meaning),
        Against::Int => slow::compare_int(base, word, immediate as i64, meaning),
        Against::Float => slow::compare_float(base, word, f64::from_bits(immediate), meaning),
    })
}

/// Does an instruction that goes on to the next one; not 0 if it failed.
unsafe extern "C" fn step(
    act: *mut Activation,
    base: *mut u8,
    word: Word,
    immediate: u64,
    place: Place,
) -> u64 {
    let own = (*act).program;
    let (program, region) = foreign::target(act, place.region());
    let pc: Pc = (*program).ready_instruction(region, place.at());
    let is_foreign = program != own;
    if is_foreign {
        links::switch(act, program);
    }
    let done = does(act, base, word, immediate, pc);
    if is_foreign {
        links::switch(act, own);
    }
    u64::from(!done)
}

unsafe fn does(act: *mut Activation, base: *mut u8, word: Word, k: u64, pc: Pc) -> bool {
    let (a, b) = (reg(base, word.a()), reg(base, word.b()));
    let global = |index: u16| Reg((*act).globals.add(usize::from(index)).cast());
    let counts = matches!(
        word.op(),
        Rop::ElementCopy | Rop::SlotElementCopy | Rop::HashGetCopy
    );
    match word.op() {
        Rop::Copy => slow::copy(a, b),
        Rop::Take => slow::take(a, b),
        Rop::Borrow => slow::borrow(a, b),
        Rop::Own => {
            if a.tag() & (tag::POINTER | tag::COUNTED) == tag::POINTER {
                slow::copy(a, a);
            }
        }
        Rop::Exchange => slow::exchange(a, b),
        Rop::GlobalCopy => slow::copy(a, global(word.b())),
        Rop::GlobalSet => {
            let dies = word.flags() & flag::FIRST_DIES != 0;
            slow::store(global(word.b()), a, dies);
        }
        Rop::Concat => return slow::concat(pc, base, act, word),
        Rop::Worked => return slow::worked(pc, base, act, word),
        Rop::ElementCopy | Rop::ElementBorrow => {
            slow::element(base, word, global(word.b()), counts);
        }
        Rop::SlotElementCopy | Rop::SlotElementBorrow => slow::element(base, word, b, counts),
        Rop::ElementSet => return slow::set_element(pc, base, act, word, global(word.a())),
        Rop::SlotElementSet => return slow::set_element(pc, base, act, word, a),
        Rop::ElementSetI => {
            return slow::set_element_int(pc, base, act, word, global(word.a()));
        }
        Rop::SlotElementSetI => return slow::set_element_int(pc, base, act, word, a),
        Rop::ElementSetW => {
            return slow::set_element_word(pc, base, act, word, global(word.a()));
        }
        Rop::ElementLen => slow::element_len(base, word, global(word.b())),
        Rop::SlotElementLen => slow::element_len(base, word, b),
        Rop::HashExists => return slow::hash_exists(pc, base, act, word),
        Rop::Outline => return outline(pc, base, act, word),
        Rop::ArrayPush => return slow::push(pc, base, act, word, global(word.a())),
        Rop::HashGetCopy | Rop::HashGetBorrow => {
            return slow::hash_get(pc, base, act, word, counts);
        }
        Rop::HashSet => return slow::hash_set(pc, base, act, word),
        Rop::SlotLoop => return slow::slot_loop(pc, base, act, word),
        _ => computes(base, word, k),
    }
    true
}

/// Runs a stack op, which may reach the embedder's host: a panic there is carried over native code.
unsafe fn outline(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let ran = catch_unwind(AssertUnwindSafe(|| slow::outline(pc, base, act, word)));
    ran.unwrap_or_else(|panic| {
        (*act).links.panic = Some(panic);
        false
    })
}

/// An instruction that computes a scalar of anything.
unsafe fn computes(base: *mut u8, word: Word, k: u64) {
    let int = k as i64;
    match word.op() {
        Rop::Add | Rop::AddFloats => slow::binary(base, word, number::add),
        Rop::Sub | Rop::SubFloats => slow::binary(base, word, number::sub),
        Rop::Mul | Rop::MulFloats => slow::binary(base, word, number::mul),
        Rop::Mod => slow::binary(base, word, number::modulo),
        Rop::MulAdd | Rop::MulAddFloats => slow::accumulate(base, word, number::add),
        Rop::MulSub | Rop::MulSubFloats => slow::accumulate(base, word, number::sub),
        Rop::Div => slow::binary(base, word, number::div),
        Rop::AddI => slow::with_int(base, word, int, number::add),
        Rop::SubI => slow::with_int(base, word, int, number::sub),
        Rop::MulI => slow::with_int(base, word, int, number::mul),
        Rop::ModI => slow::with_int(base, word, int, number::modulo),
        Rop::ISub => slow::with_int(base, word, int, |a, k| number::sub(k, a)),
        Rop::FDiv => slow::float_by(base, word, f64::from_bits(k)),
        Rop::Binary => slow::binary_kind(base, word),
        Rop::Unary => slow::unary_kind(base, word),
        op => unreachable!("{op:?} is done inline, or leaves native code"),
    }
}
