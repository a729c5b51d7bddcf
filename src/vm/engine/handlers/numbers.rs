//! Arithmetic and bits. Ints and Floats here, other kinds out of line.

#![allow(unsafe_code, non_snake_case)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::dispatch::{Pc, go};
use super::super::window::{reg, tag};
use super::super::{Activation, slow};
use crate::lower::code::{Rop, Word};
use crate::value::number;

/// `d = b op c`: Ints by the first expression, Floats by the second, else out of line.
///
/// An instruction that meets Floats becomes the one that looks for Floats first, and back with Ints;
/// both do the same on anything.
macro_rules! arithmetic {
    ($($name:ident $floats:ident $slow:expr, $int:expr, $float:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
            if a.tag() | b.tag() | (to.tag() & tag::COUNTED) == 0 {
                let int: fn(i64, i64) -> i64 = $int;
                to.set_int(int(a.int(), b.int()));
                go!(pc, base, act, 1)
            }
            outline!(pc, base, act, word, {
                let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
                if (a.tag() | b.tag() == tag::FLOAT) & !to.is_counted() {
                    quicken(pc, Rop::$floats);
                    return $floats(pc, base, act, word);
                }
                slow::binary(base, word, $slow);
                go!(pc, base, act, 1)
            })
        }

        $floats(pc, base, act, word) {
            let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
            if (a.tag() & b.tag()) | (to.tag() & tag::COUNTED) == tag::FLOAT {
                let float: fn(f64, f64) -> f64 = $float;
                to.set_float(float(a.float(), b.float()));
                go!(pc, base, act, 1)
            }
            if a.tag() | b.tag() | (to.tag() & tag::COUNTED) == tag::FLOAT {
                let float: fn(f64, f64) -> f64 = $float;
                to.set_float(float(a.number(), b.number()));
                go!(pc, base, act, 1)
            }
            outline!(pc, base, act, word, {
                if reg(base, word.b()).tag() | reg(base, word.c()).tag() == tag::INT {
                    quicken(pc, Rop::$name);
                }
                slow::binary(base, word, $slow);
                go!(pc, base, act, 1)
            })
        })*
    } };
}

/// Puts another opcode into the instruction.
unsafe fn quicken(pc: Pc, rop: Rop) {
    let word = Word(*pc);
    pc.cast_mut()
        .write(Word::new(rop, word.flags(), word.a(), word.b(), word.c()).0);
}

arithmetic! {
    Add AddFloats number::add, i64::wrapping_add, |a, b| a + b;
    Sub SubFloats number::sub, i64::wrapping_sub, |a, b| a - b;
    Mul MulFloats number::mul, i64::wrapping_mul, |a, b| a * b;
}

/// `d = d op b * c`, as two instructions would do it: quickened as those of [`arithmetic`] are.
macro_rules! accumulation {
    ($($name:ident $floats:ident $slow:expr, $int:expr, $float:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (sum, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
            if a.tag() | b.tag() | sum.tag() == tag::INT {
                let int: fn(i64, i64) -> i64 = $int;
                sum.set_int(int(sum.int(), a.int().wrapping_mul(b.int())));
                go!(pc, base, act, 1)
            }
            outline!(pc, base, act, word, {
                let (sum, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
                if a.tag() & b.tag() & sum.tag() & 1 != 0 {
                    quicken(pc, Rop::$floats);
                    return $floats(pc, base, act, word);
                }
                slow::accumulate(base, word, $slow);
                go!(pc, base, act, 1)
            })
        }

        $floats(pc, base, act, word) {
            let (sum, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
            if a.tag() & b.tag() & sum.tag() & 1 != 0 {
                let float: fn(f64, f64) -> f64 = $float;
                sum.set_float(float(sum.float(), a.float() * b.float()));
                go!(pc, base, act, 1)
            }
            outline!(pc, base, act, word, {
                let (sum, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
                if a.tag() | b.tag() | sum.tag() == tag::INT {
                    quicken(pc, Rop::$name);
                }
                slow::accumulate(base, word, $slow);
                go!(pc, base, act, 1)
            })
        })*
    } };
}

accumulation! {
    MulAdd MulAddFloats number::add, i64::wrapping_add, |a, b| a + b;
    MulSub MulSubFloats number::sub, i64::wrapping_sub, |a, b| a - b;
}

/// `d = b op k` where `k` is an Int.
macro_rules! with_int {
    ($($name:ident $slow:expr, $int:expr, $float:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (to, a) = (reg(base, word.a()), reg(base, word.b()));
            let counted = to.tag() & tag::COUNTED;
            let k = *pc.add(1) as i64;
            if a.tag() | counted == 0 {
                let int: fn(i64, i64) -> i64 = $int;
                to.set_int(int(a.int(), k));
                go!(pc, base, act, 2)
            }
            if (a.tag() == tag::FLOAT) & (counted == 0) {
                let float: fn(f64, f64) -> f64 = $float;
                to.set_float(float(a.float(), k as f64));
                go!(pc, base, act, 2)
            }
            slowly!(pc, base, act, word, 2, slow::with_int(base, word, *pc.add(1) as i64, $slow))
        })*
    } };
}

with_int! {
    AddI number::add, i64::wrapping_add, |a, k| a + k;
    SubI number::sub, i64::wrapping_sub, |a, k| a - k;
    MulI number::mul, i64::wrapping_mul, |a, k| a * k;
    ModI number::modulo, number::mod_int, |a, k| a % k;
    ISub |a, k| number::sub(k, a), |a, k| k.wrapping_sub(a), |a, k| k - a;
}

/// `d = b op k` where `k` is a Float.
macro_rules! with_float {
    ($($name:ident $float:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (to, a) = (reg(base, word.a()), reg(base, word.b()));
            let counted = to.tag() & tag::COUNTED;
            let k = f64::from_bits(*pc.add(1));
            let float: fn(f64, f64) -> f64 = $float;
            if (a.tag() == tag::FLOAT) & (counted == 0) {
                to.set_float(float(a.float(), k));
                go!(pc, base, act, 2)
            }
            if a.tag() | counted == 0 {
                to.set_float(float(a.int() as f64, k));
                go!(pc, base, act, 2)
            }
            slowly!(pc, base, act, word, 2, {
                slow::with_float(base, word, f64::from_bits(*pc.add(1)), $float)
            })
        })*
    } };
}

with_float! {
    AddF |a, k| a + k;
    SubF |a, k| a - k;
    MulF |a, k| a * k;
    DivF |a, k| a / k;
    FSub |a, k| k - a;
}

/// `d = b to Int op`
macro_rules! on_int {
    ($($name:ident $slow:expr, $int:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (to, a) = (reg(base, word.a()), reg(base, word.b()));
            if a.tag() | (to.tag() & tag::COUNTED) == 0 {
                to.set_int($int(a.int()));
                go!(pc, base, act, 1)
            }
            slowly!(pc, base, act, word, 1, slow::unary(base, word, $slow))
        })*
    } };
}

on_int! {
    Inc number::inc, |n: i64| n.wrapping_add(1);
    Dec number::dec, |n: i64| n.wrapping_sub(1);
}

/// `d = b op c` on Ints alone.
macro_rules! bits {
    ($($name:ident $with_int:ident $slow:expr, $int:expr;)*) => { handlers! {
        $($name(pc, base, act, word) {
            let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
            if a.tag() | b.tag() | (to.tag() & tag::COUNTED) == 0 {
                let int: fn(i64, i64) -> i64 = $int;
                to.set_int(int(a.int(), b.int()));
                go!(pc, base, act, 1)
            }
            slowly!(pc, base, act, word, 1, slow::binary(base, word, $slow))
        }

        $with_int(pc, base, act, word) {
            let (to, a) = (reg(base, word.a()), reg(base, word.b()));
            if a.tag() | (to.tag() & tag::COUNTED) == 0 {
                let int: fn(i64, i64) -> i64 = $int;
                to.set_int(int(a.int(), *pc.add(1) as i64));
                go!(pc, base, act, 2)
            }
            slowly!(pc, base, act, word, 2, slow::with_int(base, word, *pc.add(1) as i64, $slow))
        })*
    } };
}

bits! {
    BitAnd BitAndI number::bit_and, |a, b| a & b;
    BitOr BitOrI number::bit_or, |a, b| a | b;
    BitXor BitXorI number::bit_xor, |a, b| a ^ b;
    Shl ShlI number::shl, |a, b| a.wrapping_shl(b as u32);
    Shr ShrI number::shr, |a, b| a.wrapping_shr(b as u32);
}

handlers! {
    AddInt(pc, base, act, word) {
        let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
        if a.tag() | b.tag() | (to.tag() & tag::COUNTED) == 0 {
            to.set_int(a.int().wrapping_add(b.int()));
            go!(pc, base, act, 1)
        }
        slowly!(pc, base, act, word, 1, {
            slow::binary(base, word, number::add_as_int)
        })
    }

    Mod(pc, base, act, word) {
        let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
        if a.tag() | b.tag() | (to.tag() & tag::COUNTED) == 0 {
            to.set_int(number::mod_int(a.int(), b.int()));
            go!(pc, base, act, 1)
        }
        slowly!(pc, base, act, word, 1, slow::binary(base, word, number::modulo))
    }

    Div(pc, base, act, word) {
        let (to, a, b) = (reg(base, word.a()), reg(base, word.b()), reg(base, word.c()));
        let floats = a.tag() & b.tag() & 1 != 0;
        if floats & !to.is_counted() && b.float() != 0.0 {
            to.set_float(a.float() / b.float());
            go!(pc, base, act, 1)
        }
        slowly!(pc, base, act, word, 1, slow::binary(base, word, number::div))
    }

    FDiv(pc, base, act, word) {
        let (to, b) = (reg(base, word.a()), reg(base, word.b()));
        let k = f64::from_bits(*pc.add(1));
        if (b.tag() == tag::FLOAT) & !to.is_counted() && b.float() != 0.0 {
            to.set_float(k / b.float());
            go!(pc, base, act, 2)
        }
        slowly!(pc, base, act, word, 2, slow::float_by(base, word, f64::from_bits(*pc.add(1))))
    }

    Pow(pc, base, act, word) {
        slowly!(pc, base, act, word, 1, slow::pow(base, word))
    }

    Binary(pc, base, act, word) {
        slowly!(pc, base, act, word, 1, slow::binary_kind(base, word))
    }

    Worked(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::worked(pc, base, act, word))
    }

    Unary(pc, base, act, word) {
        slowly!(pc, base, act, word, 1, slow::unary_kind(base, word))
    }

    StringLen(pc, base, act, word) {
        let (to, a) = (reg(base, word.a()), reg(base, word.b()));
        if a.tag() | tag::COUNTED == tag::STR && !to.is_counted() && !a.is_counted() {
            to.set_int(a.str().len() as i64);
            go!(pc, base, act, 1)
        }
        slowly!(pc, base, act, word, 1, slow::string_len(base, word))
    }

    Concat(pc, base, act, word) {
        fallibly!(pc, base, act, word, 1, slow::concat(pc, base, act, word))
    }
}
