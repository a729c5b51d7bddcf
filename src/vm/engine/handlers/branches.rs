//! Comparisons with the branch on them.

#![allow(unsafe_code, non_snake_case)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::dispatch::{Pc, go};
use super::super::window::{reg, tag};
use super::super::{Activation, slow};
use crate::lower::code::Word;
use crate::value::compare;

/// Branches if the condition is `$when`, for a unit of fuel if it pays, else goes on.
macro_rules! branch {
    ($pc:ident $base:ident $act:ident $word:ident $holds:expr, $when:literal $pays:literal $words:literal) => {{
        if ($holds) == $when {
            if $pays {
                if (*$act).fuel == 0 {
                    return slow::fuel($pc, $base, $act, $word);
                }
                (*$act).fuel -= 1;
            }
            go!($pc, $base, $act, $word.c() as i16 as isize)
        }
        go!($pc, $base, $act, $words)
    }};
}

/// Branches on two registers; a pair of opcodes for each comparison, and another that pays fuel.
macro_rules! branches {
    ($($if_true:ident $if_false:ident $loop_true:ident $loop_false:ident $slow:ident $op:tt;)*) => { $(
        branches!(@one $if_true true false $slow $op);
        branches!(@one $if_false false false $slow $op);
        branches!(@one $loop_true true true $slow $op);
        branches!(@one $loop_false false true $slow $op);
    )* };
    (@one $name:ident $when:literal $pays:literal $slow:ident $op:tt) => { handlers! {
        $name(pc, base, act, word) {
            let (a, b) = (reg(base, word.a()), reg(base, word.b()));
            if a.tag() | b.tag() == 0 {
                branch!(pc base act word a.int() $op b.int(), $when $pays 1)
            }
            if a.tag() & b.tag() & 1 != 0 {
                branch!(pc base act word a.float() $op b.float(), $when $pays 1)
            }
            outline!(pc, base, act, word, {
                let holds = slow::compare(base, word, compare::$slow);
                branch!(pc base act word holds, $when $pays 1)
            })
        }
    } };
}

branches! {
    IfLt IfNotLt LoopLt LoopNotLt num_lt <;
    IfLe IfNotLe LoopLe LoopNotLe num_le <=;
    IfEq IfNotEq LoopEq LoopNotEq num_eq ==;
}

/// Branches on a register and a constant.
macro_rules! constant_branches {
    ($($int_true:ident $int_false:ident $loop_int_true:ident $loop_int_false:ident
       $float_true:ident $float_false:ident $loop_float_true:ident $loop_float_false:ident
       $slow:ident $op:tt;)*) => { $(
        constant_branches!(@int $int_true true false $slow $op);
        constant_branches!(@int $int_false false false $slow $op);
        constant_branches!(@int $loop_int_true true true $slow $op);
        constant_branches!(@int $loop_int_false false true $slow $op);
        constant_branches!(@float $float_true true false $slow $op);
        constant_branches!(@float $float_false false false $slow $op);
        constant_branches!(@float $loop_float_true true true $slow $op);
        constant_branches!(@float $loop_float_false false true $slow $op);
    )* };
    (@int $name:ident $when:literal $pays:literal $slow:ident $op:tt) => { handlers! {
        $name(pc, base, act, word) {
            let a = reg(base, word.a());
            if a.tag() == tag::INT {
                branch!(pc base act word a.int() $op *pc.add(1) as i64, $when $pays 2)
            }
            outline!(pc, base, act, word, {
                let k = *pc.add(1) as i64;
                let holds = slow::compare_int(base, word, k, compare::$slow);
                branch!(pc base act word holds, $when $pays 2)
            })
        }
    } };
    (@float $name:ident $when:literal $pays:literal $slow:ident $op:tt) => { handlers! {
        $name(pc, base, act, word) {
            let a = reg(base, word.a());
            if a.tag() == tag::FLOAT {
                branch!(pc base act word a.float() $op f64::from_bits(*pc.add(1)), $when $pays 2)
            }
            outline!(pc, base, act, word, {
                let k = f64::from_bits(*pc.add(1));
                let holds = slow::compare_float(base, word, k, compare::$slow);
                branch!(pc base act word holds, $when $pays 2)
            })
        }
    } };
}

constant_branches! {
    IfLtI IfNotLtI LoopLtI LoopNotLtI IfLtF IfNotLtF LoopLtF LoopNotLtF num_lt <;
    IfLeI IfNotLeI LoopLeI LoopNotLeI IfLeF IfNotLeF LoopLeF LoopNotLeF num_le <=;
    IfGtI IfNotGtI LoopGtI LoopNotGtI IfGtF IfNotGtF LoopGtF LoopNotGtF num_gt >;
    IfGeI IfNotGeI LoopGeI LoopNotGeI IfGeF IfNotGeF LoopGeF LoopNotGeF num_ge >=;
    IfEqI IfNotEqI LoopEqI LoopNotEqI IfEqF IfNotEqF LoopEqF LoopNotEqF num_eq ==;
}

handlers! {
    AddLoopLt(pc, base, act, word) {
        let (a, b) = (reg(base, word.a()), reg(base, word.b()));
        if a.tag() | b.tag() == 0 {
            let next = a.int().wrapping_add(i64::from(word.flags()));
            a.set_int(next);
            branch!(pc base act word next < b.int(), true true 1)
        }
        outline!(pc, base, act, word, {
            let step = i64::from(word.flags());
            slow::add_step(reg(base, word.a()), step);
            let plain = Word(word.0 & !0xff00);
            let holds = slow::compare(base, plain, compare::num_lt);
            branch!(pc base act word holds, true true 1)
        })
    }

    AddLoopLtI(pc, base, act, word) {
        let a = reg(base, word.a());
        if a.tag() == tag::INT {
            let next = a.int().wrapping_add(i64::from(word.b()));
            a.set_int(next);
            branch!(pc base act word next < *pc.add(1) as i64, true true 2)
        }
        outline!(pc, base, act, word, {
            slow::add_step(reg(base, word.a()), i64::from(word.b()));
            let holds = slow::compare_int(base, word, *pc.add(1) as i64, compare::num_lt);
            branch!(pc base act word holds, true true 2)
        })
    }

    IncLoopLt(pc, base, act, word) {
        let (a, b) = (reg(base, word.a()), reg(base, word.b()));
        if a.tag() | b.tag() == 0 {
            let next = a.int().wrapping_add(1);
            a.set_int(next);
            branch!(pc base act word next < b.int(), true true 1)
        }
        outline!(pc, base, act, word, {
            slow::increment(reg(base, word.a()));
            let holds = slow::compare(base, word, compare::num_lt);
            branch!(pc base act word holds, true true 1)
        })
    }

    IncLoopLtI(pc, base, act, word) {
        let a = reg(base, word.a());
        if a.tag() == tag::INT {
            let next = a.int().wrapping_add(1);
            a.set_int(next);
            branch!(pc base act word next < *pc.add(1) as i64, true true 2)
        }
        outline!(pc, base, act, word, {
            let a = reg(base, word.a());
            slow::increment(a);
            branch!(pc base act word a.int() < *pc.add(1) as i64, true true 2)
        })
    }
}
