//! What instructions run on, noted for the compiler: which operands are looked at is what
//! [`Watch`] says.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::Activation;
use super::super::dispatch::Pc;
use super::super::handlers::global;
use super::super::window::{Reg, reg, tag};
use crate::jit::ir::inst::{Flow, Inst};
use crate::jit::kinds::seen::{Array, Watch};
use crate::jit::kinds::{Kind, Seen};
use crate::lower::code::Word;

/// The longest stretch that is looked at when a guard has failed in it.
const LONGEST_STRETCH: usize = 64;

/// The kind of what a register holds.
pub(super) unsafe fn kind_at(base: *mut u8, register: usize) -> Kind {
    kind_of(reg(base, (register * 16) as u16))
}

unsafe fn kind_of(at: Reg) -> Kind {
    match at.tag() {
        tag::INT => Kind::Int,
        tag::FLOAT => Kind::Float,
        tag::BOOL => Kind::Bool,
        tag::UNDEF => Kind::Undef,
        _ => Kind::Any,
    }
}

/// Notes what the instruction at `pc` is about to run on.
pub(in super::super) unsafe fn observe(act: *mut Activation, pc: Pc, base: *mut u8, word: Word) {
    let Some(seen) = seen_at(act, base, word) else {
        return;
    };
    let program = (*act).program();
    let (region, at) = program.locate(pc);
    let words = program.code(region).map_or(0, |code| code.words.len());
    program.native.see(region, at, words, seen);
}

/// Notes what the instructions from `pc` on run on, as far as they change nothing that others of them
/// look at: of the stretch that a guard has failed in only the first instruction's operands are sure
/// to be what the guard has seen, but the engine observes the rest when it does it again.
pub(super) unsafe fn observe_stretch(act: *mut Activation, pc: Pc, base: *mut u8) {
    let (region, start) = (*act).program().locate(pc);
    let mut written: Vec<usize> = Vec::new();
    let mut at = start;
    for _ in 0..LONGEST_STRETCH {
        let Some(code) = (*act).program().code(region) else {
            return;
        };
        let inst = Inst::at(code, at);
        let effects = crate::jit::ir::inst::effects(&inst);
        let reads = [
            effects.reads.first,
            effects.reads.second,
            effects.reads.extra,
        ];
        if !reads
            .into_iter()
            .flatten()
            .any(|read| written.contains(&read))
        {
            let pc = (*act).program().instruction(region, at);
            observe(act, pc, base, inst.word);
        }
        written.extend(effects.writes.0..effects.writes.0 + effects.writes.1);
        if inst.flow() != Flow::Next {
            return;
        }
        at += inst.op.words();
    }
}

unsafe fn seen_at(act: *mut Activation, base: *mut u8, word: Word) -> Option<Seen> {
    let first = |field: u16| Seen::of_first(kind_of(reg(base, field)));
    let second = |field: u16| Seen::of_second(kind_of(reg(base, field)));
    Some(match Watch::of(word) {
        Watch::Nothing => return None,
        Watch::Operands(a, None) => first(a),
        Watch::Operands(a, Some(b)) => first(a).and(second(b)),
        Watch::Division(a, b) => {
            let kinds = a.map_or(Seen::default(), first).and(second(b));
            match reg(base, b).peek().to_float() == 0.0 {
                true => kinds.and(Seen::IRREGULAR),
                false => kinds,
            }
        }
        Watch::Accumulation(a, b, sum) => {
            let sum = Seen::of_third(kind_of(reg(base, sum)));
            first(a).and(second(b)).and(sum)
        }
        Watch::Power(a, b) => {
            let kinds = first(a).and(second(b));
            match reg(base, a).peek().to_float() == f64::NEG_INFINITY {
                true => kinds.and(Seen::IRREGULAR),
                false => kinds,
            }
        }
        Watch::Global(index) => Seen::of_first(kind_of(global(act, index))),
        Watch::Element(array, index) => {
            let array = place(act, base, array);
            let index = reg(base, index);
            let found = match array.tag() | tag::COUNTED == tag::ARRAY && index.tag() == tag::INT {
                true => array.array().element(index.int() as usize),
                false => None,
            };
            match found {
                Some(item) => Seen::of_first(kind_of(Reg((&raw const *item).cast_mut().cast()))),
                None => Seen::IRREGULAR,
            }
        }
        Watch::Store(array, index, value) => {
            let array = place(act, base, array);
            let index = reg(base, index);
            let is_scalar = value.is_none_or(|value| !reg(base, value).is_pointer());
            let is_regular = is_scalar
                && array.tag() == tag::ARRAY
                && index.tag() == tag::INT
                && array
                    .array_mut()
                    .unshared_mut(index.int() as usize)
                    .is_some_and(|item| !Reg((&raw mut *item).cast()).is_counted());
            match is_regular {
                true => Seen::default(),
                false => Seen::IRREGULAR,
            }
        }
    })
}

unsafe fn place(act: *mut Activation, base: *mut u8, array: Array) -> Reg {
    match array {
        Array::Global(index) => global(act, index),
        Array::Register(field) => reg(base, field),
    }
}
