//! The programs as chunks. Written once against what all versions of the crate have in common, and
//! compiled once for each of them: every module that includes this file has a `vm` beside it, the
//! version that is meant.

use super::{
    super::{
        native::BODIES,
        programs::{FUNCTIONS, ROUNDS},
    },
    code::Code,
    vm::{
        Chunk,
        Op::{self, *},
    },
};

/// The chunk of a program, which leaves its checksum on the stack.
pub(super) fn build(program: &str, size: i64) -> Result<Chunk, String> {
    let body = match program {
        "empty" => |code: &mut Code| code.emit([GetSlot(N)]),
        "many" => many,
        "fib" => fib,
        "ack" => ack,
        "sum" => sum,
        "nested" => nested,
        "append" => append,
        "array" => array,
        "sieve" => sieve,
        "hash" => hash,
        "mandelbrot" => mandelbrot,
        "nbody" => nbody,
        "spectral" => spectral,
        "matrix" => matrix,
        "sort" => sort,
        "wordcount" => wordcount,
        "arrayarg" => arrayarg,
        "strlen" => strlen,
        _ => return Err(format!("no chunk for {program}")),
    };
    let mut code = Code::new();
    code.set_int(N, size);
    body(&mut code);
    Ok(code.build())
}

/// The slot that holds the program's size.
const N: u16 = 0;

const ZERO: [Op; 1] = [LoadInt(0)];

fn many(code: &mut Code) {
    let (sum, i) = (1, 1);
    code.set_int(sum, 0);
    for number in 0..FUNCTIONS {
        let function = code.name(&format!("f{number}"));
        code.sub(function, 1, |code| {
            let (n, sum) = (0, 2);
            code.set_int(sum, 0);
            code.for_(i, ZERO, n, |code| code.add_to(sum, i));
            code.emit([GetSlot(sum), ReturnValue]);
        });
        code.emit([LoadInt(ROUNDS), Call(function, 1)]);
        code.emit([GetSlot(sum), Add, SetSlot(sum)]);
    }
    code.emit([GetSlot(sum)]);
}

fn fib(code: &mut Code) {
    let fib = code.name("fib");
    code.sub(fib, 1, |code| {
        let n = 0;
        code.if_([GetSlot(n), LoadInt(2), NumLt], |code| {
            code.emit([GetSlot(n), ReturnValue]);
        });
        code.emit([GetSlot(n), LoadInt(1), Sub, Call(fib, 1)]);
        code.emit([GetSlot(n), LoadInt(2), Sub, Call(fib, 1)]);
        code.emit([Add, ReturnValue]);
    });
    code.emit([GetSlot(N), Call(fib, 1)]);
}

fn ack(code: &mut Code) {
    let ack = code.name("ack");
    code.sub(ack, 2, |code| {
        let (m, n) = (0, 1);
        code.if_([GetSlot(m), LoadInt(0), NumEq], |code| {
            code.emit([GetSlot(n), LoadInt(1), Add, ReturnValue]);
        });
        code.if_([GetSlot(n), LoadInt(0), NumEq], |code| {
            code.emit([GetSlot(m), LoadInt(1), Sub, LoadInt(1)]);
            code.emit([Call(ack, 2), ReturnValue]);
        });
        code.emit([GetSlot(m), LoadInt(1), Sub]);
        code.emit([GetSlot(m), GetSlot(n), LoadInt(1), Sub, Call(ack, 2)]);
        code.emit([Call(ack, 2), ReturnValue]);
    });
    code.emit([LoadInt(3), GetSlot(N), Call(ack, 2)]);
}

fn sum(code: &mut Code) {
    let (total, i) = (1, 2);
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| code.add_to(total, i));
    code.emit([GetSlot(total)]);
}

fn nested(code: &mut Code) {
    let (total, i, j) = (1, 2, 3);
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| {
        code.for_(j, ZERO, N, |code| {
            code.emit([GetSlot(total), GetSlot(i), GetSlot(j), Mul, Add]);
            code.emit([SetSlot(total)]);
        });
    });
    code.emit([GetSlot(total)]);
}

fn append(code: &mut Code) {
    let (total, round, rounds, i, text) = (1, 2, 3, 4, 5);
    let empty = code.string("");
    let piece = code.string("x");
    code.set_int(total, 0);
    code.set_int(rounds, 10);
    code.for_(round, ZERO, rounds, |code| {
        code.emit([LoadConst(empty), SetSlot(text)]);
        code.for_(i, ZERO, N, |code| {
            code.emit([GetSlot(text), LoadConst(piece), Concat, SetSlot(text)]);
        });
        code.emit([GetSlot(total), GetSlot(text), StringLen, Add]);
        code.emit([SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

fn array(code: &mut Code) {
    let (total, i) = (1, 2);
    let list = code.name("list");
    code.emit([DeclareArray(list)]);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(i), ArrayPush(list)]);
    });
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(total), GetSlot(i), ArrayGet(list), Add]);
        code.emit([SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

fn sieve(code: &mut Code) {
    let (count, i, j) = (1, 2, 3);
    let prime = code.name("prime");
    code.emit([DeclareArray(prime)]);
    code.for_(i, ZERO, N, |code| {
        code.emit([LoadTrue, ArrayPush(prime)]);
    });
    code.set_int(count, 0);
    code.for_(i, [LoadInt(2)], N, |code| {
        code.if_([GetSlot(i), ArrayGet(prime)], |code| {
            code.increment(count);
            code.emit([GetSlot(i), GetSlot(i), Mul, SetSlot(j)]);
            code.while_([GetSlot(j), GetSlot(N), NumLt], |code| {
                code.emit([LoadFalse, GetSlot(j), ArraySet(prime)]);
                code.add_to(j, i);
            });
        });
    });
    code.emit([GetSlot(count)]);
}

fn hash(code: &mut Code) {
    let (total, i) = (1, 2);
    let table = code.name("table");
    let prefix = code.string("key");
    let key = || [LoadConst(prefix), GetSlot(i), Concat];
    code.emit([DeclareHash(table)]);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(i)]);
        code.emit(key());
        code.emit([HashSet(table)]);
    });
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(total)]);
        code.emit(key());
        code.emit([HashGet(table), Add, SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

fn mandelbrot(code: &mut Code) {
    let (total, y, x, k) = (1, 2, 3, 4);
    let (cr, ci, zr, zi, zr2, zi2) = (5, 6, 7, 8, 9, 10);
    code.set_int(total, 0);
    code.for_(y, ZERO, N, |code| {
        code.emit([LoadFloat(0.0125), GetSlot(y), Mul]);
        code.emit([LoadFloat(1.0), Sub, SetSlot(ci)]);
        code.for_(x, ZERO, N, |code| {
            code.emit([LoadFloat(0.0125), GetSlot(x), Mul]);
            code.emit([LoadFloat(1.5), Sub, SetSlot(cr)]);
            code.set_float(zr, 0.0);
            code.set_float(zi, 0.0);
            code.set_int(k, 0);
            code.while_([GetSlot(k), LoadInt(50), NumLt], |code| {
                code.emit([GetSlot(zr), GetSlot(zr), Mul, SetSlot(zr2)]);
                code.emit([GetSlot(zi), GetSlot(zi), Mul, SetSlot(zi2)]);
                code.break_if([GetSlot(zr2), GetSlot(zi2), Add, LoadFloat(4.0), NumGt]);
                code.emit([LoadFloat(2.0), GetSlot(zr), Mul, GetSlot(zi), Mul]);
                code.emit([GetSlot(ci), Add, SetSlot(zi)]);
                code.emit([GetSlot(zr2), GetSlot(zi2), Sub, GetSlot(cr), Add]);
                code.emit([SetSlot(zr)]);
                code.increment(k);
            });
            code.add_to(total, k);
        });
    });
    code.emit([GetSlot(total)]);
}

/// Slots of the arrays of coordinates, velocities and masses, one element for each body.
const X: u16 = 1;
const V: u16 = 4;
const MASS: u16 = 7;
/// How many bodies there are, and the other locals of `nbody`.
const COUNT: u16 = 8;
const I: u16 = 9;
const J: u16 = 10;
/// Differences of the coordinates of two bodies.
const D: u16 = 11;
const SQUARE: u16 = 14;
const FACTOR: u16 = 15;
const ENERGY: u16 = 16;
const STEP: u16 = 17;

fn nbody(code: &mut Code) {
    for (array, elements) in (X..).zip(BODIES) {
        code.emit(elements.map(LoadFloat));
        code.emit([MakeArray(5), SetSlot(array)]);
    }
    code.set_int(COUNT, 5);
    code.for_(STEP, ZERO, N, |code| {
        code.for_(I, ZERO, COUNT, |code| {
            code.for_(J, [GetSlot(I), LoadInt(1), Add], COUNT, |code| {
                pair(code);
                code.emit([LoadFloat(0.01), GetSlot(SQUARE)]);
                code.emit([GetSlot(SQUARE), LoadFloat(0.5), Pow, Mul, Div]);
                code.emit([SetSlot(FACTOR)]);
                for axis in 0..3 {
                    accelerate(code, axis, I, J, Sub);
                    accelerate(code, axis, J, I, Add);
                }
            });
        });
        code.for_(I, ZERO, COUNT, |code| {
            for axis in 0..3 {
                code.emit([GetSlot(I), SlotArrayGet(X + axis), LoadFloat(0.01)]);
                code.emit([GetSlot(I), SlotArrayGet(V + axis), Mul, Add]);
                code.emit([GetSlot(I), SlotArraySet(X + axis)]);
            }
        });
    });
    energy(code);
}

/// Differences and squared distance of the bodies `I` and `J`.
fn pair(code: &mut Code) {
    for axis in 0..3 {
        code.emit([GetSlot(I), SlotArrayGet(X + axis)]);
        code.emit([GetSlot(J), SlotArrayGet(X + axis), Sub, SetSlot(D + axis)]);
    }
    code.emit([GetSlot(D), GetSlot(D), Mul]);
    code.emit([GetSlot(D + 1), GetSlot(D + 1), Mul, Add]);
    code.emit([GetSlot(D + 2), GetSlot(D + 2), Mul, Add]);
    code.emit([SetSlot(SQUARE)]);
}

/// `v[body] = v[body] ± d * mass[other] * factor`
fn accelerate(code: &mut Code, axis: u16, body: u16, other: u16, sign: Op) {
    code.emit([GetSlot(body), SlotArrayGet(V + axis)]);
    code.emit([GetSlot(D + axis), GetSlot(other), SlotArrayGet(MASS), Mul]);
    code.emit([GetSlot(FACTOR), Mul, sign]);
    code.emit([GetSlot(body), SlotArraySet(V + axis)]);
}

fn energy(code: &mut Code) {
    code.set_float(ENERGY, 0.0);
    code.for_(I, ZERO, COUNT, |code| {
        code.emit([GetSlot(ENERGY), LoadFloat(0.5)]);
        code.emit([GetSlot(I), SlotArrayGet(MASS), Mul]);
        for axis in 0..3 {
            code.emit([GetSlot(I), SlotArrayGet(V + axis), Dup, Mul]);
            if axis > 0 {
                code.emit([Add]);
            }
        }
        code.emit([Mul, Add, SetSlot(ENERGY)]);
        code.for_(J, [GetSlot(I), LoadInt(1), Add], COUNT, |code| {
            pair(code);
            code.emit([GetSlot(ENERGY), GetSlot(I), SlotArrayGet(MASS)]);
            code.emit([GetSlot(J), SlotArrayGet(MASS), Mul]);
            code.emit([GetSlot(SQUARE), LoadFloat(0.5), Pow, Div, Sub]);
            code.emit([SetSlot(ENERGY)]);
        });
    });
    code.emit([GetSlot(ENERGY)]);
}

fn spectral(code: &mut Code) {
    let element = code.name("element");
    let times = code.name("times");
    let times_transposed = code.name("times_transposed");
    code.sub(element, 2, |code| {
        let (i, j) = (0, 1);
        code.emit([LoadFloat(1.0), GetSlot(i), GetSlot(j), Add]);
        code.emit([GetSlot(i), GetSlot(j), Add, LoadInt(1), Add, Mul]);
        code.emit([LoadInt(2), Div, GetSlot(i), Add, LoadInt(1), Add]);
        code.emit([Div, ReturnValue]);
    });
    multiply(code, times, |i, j| {
        [GetSlot(i), GetSlot(j), Call(element, 2)]
    });
    multiply(code, times_transposed, |i, j| {
        [GetSlot(j), GetSlot(i), Call(element, 2)]
    });

    let (u, v, i, rounds) = (1, 2, 3, 4);
    let ones = code.name("ones");
    code.emit([DeclareArray(ones)]);
    code.for_(i, ZERO, N, |code| {
        code.emit([LoadFloat(1.0), ArrayPush(ones)]);
    });
    code.emit([GetArray(ones), SetSlot(u)]);
    code.set_int(rounds, 10);
    code.for_(i, ZERO, rounds, |code| {
        for (from, to) in [(u, v), (v, u)] {
            code.emit([GetSlot(from), GetSlot(N), Call(times, 2), GetSlot(N)]);
            code.emit([Call(times_transposed, 2), SetSlot(to)]);
        }
    });

    let (uv, vv) = (5, 6);
    code.set_float(uv, 0.0);
    code.set_float(vv, 0.0);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(uv), GetSlot(i), SlotArrayGet(u)]);
        code.emit([GetSlot(i), SlotArrayGet(v), Mul, Add, SetSlot(uv)]);
        code.emit([GetSlot(vv), GetSlot(i), SlotArrayGet(v)]);
        code.emit([GetSlot(i), SlotArrayGet(v), Mul, Add, SetSlot(vv)]);
    });
    code.emit([GetSlot(uv), GetSlot(vv), Div, LoadFloat(0.5), Pow]);
}

/// `sub name(vector, n)`: the product of a matrix, whose elements `element` computes, and a vector.
fn multiply(code: &mut Code, name: u16, element: impl Fn(u16, u16) -> [Op; 3]) {
    let product = code.name("product");
    code.sub(name, 2, |code| {
        let (vector, n, i, j, total) = (0, 1, 2, 3, 4);
        code.emit([DeclareArray(product)]);
        code.for_(i, ZERO, n, |code| {
            code.set_float(total, 0.0);
            code.for_(j, ZERO, n, |code| {
                code.emit([GetSlot(total)]);
                code.emit(element(i, j));
                code.emit([GetSlot(j), SlotArrayGet(vector), Mul, Add]);
                code.emit([SetSlot(total)]);
            });
            code.emit([GetSlot(total), ArrayPush(product)]);
        });
        code.emit([GetArray(product), ReturnValue]);
    });
}

fn matrix(code: &mut Code) {
    let (i, j, k, total, cells) = (1, 2, 3, 4, 5);
    let [a, b, c] = ["a", "b", "c"].map(|name| code.name(name));
    code.emit([DeclareArray(a), DeclareArray(b), DeclareArray(c)]);
    code.emit([GetSlot(N), GetSlot(N), Mul, SetSlot(cells)]);
    code.for_(i, ZERO, cells, |code| {
        code.emit([GetSlot(i), LoadInt(7), Mod, LoadFloat(0.5), Mul]);
        code.emit([ArrayPush(a)]);
        code.emit([GetSlot(i), LoadInt(5), Mod, LoadFloat(0.25), Mul]);
        code.emit([ArrayPush(b)]);
    });
    code.for_(i, ZERO, N, |code| {
        code.for_(j, ZERO, N, |code| {
            code.set_float(total, 0.0);
            code.for_(k, ZERO, N, |code| {
                code.emit([GetSlot(total)]);
                code.emit([GetSlot(i), GetSlot(N), Mul, GetSlot(k), Add, ArrayGet(a)]);
                code.emit([GetSlot(k), GetSlot(N), Mul, GetSlot(j), Add, ArrayGet(b)]);
                code.emit([Mul, Add, SetSlot(total)]);
            });
            code.emit([GetSlot(total), ArrayPush(c)]);
        });
    });
    code.set_float(total, 0.0);
    code.for_(i, ZERO, cells, |code| {
        code.emit([GetSlot(total), GetSlot(i), ArrayGet(c), Add]);
        code.emit([SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

/// `seed = (seed * 3877 + 29573) % 139968`, small enough to be exact where numbers are doubles.
fn next_random(code: &mut Code, seed: u16) {
    code.emit([GetSlot(seed), LoadInt(3877), Mul, LoadInt(29573), Add]);
    code.emit([LoadInt(139_968), Mod, SetSlot(seed)]);
}

fn sort(code: &mut Code) {
    let list = code.name("list");
    let sort = code.name("sort");
    quicksort(code, sort, list);

    let (i, seed, total) = (1, 2, 3);
    code.emit([DeclareArray(list)]);
    code.set_int(seed, 42);
    code.for_(i, ZERO, N, |code| {
        next_random(code, seed);
        code.emit([GetSlot(seed), ArrayPush(list)]);
    });
    code.emit([LoadInt(0), GetSlot(N), LoadInt(1), Sub, Call(sort, 2)]);
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(total), GetSlot(i), ArrayGet(list)]);
        code.emit([GetSlot(i), LoadInt(10), Mod, Mul, Add, SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

/// `sub sort(low, high)`, in place, of the global array `list`.
fn quicksort(code: &mut Code, sort: u16, list: u16) {
    code.sub(sort, 2, |code| {
        let (low, high, i, j, pivot, other) = (0, 1, 2, 3, 4, 5);
        code.emit([GetSlot(low), SetSlot(i), GetSlot(high), SetSlot(j)]);
        code.emit([GetSlot(low), GetSlot(high), Add, LoadInt(1), Shr]);
        code.emit([ArrayGet(list), SetSlot(pivot)]);
        code.while_([GetSlot(i), GetSlot(j), NumLe], |code| {
            code.while_(
                [GetSlot(i), ArrayGet(list), GetSlot(pivot), NumLt],
                |code| code.increment(i),
            );
            code.while_(
                [GetSlot(j), ArrayGet(list), GetSlot(pivot), NumGt],
                |code| code.emit([GetSlot(j), LoadInt(1), Sub, SetSlot(j)]),
            );
            code.if_([GetSlot(i), GetSlot(j), NumLe], |code| {
                code.emit([GetSlot(i), ArrayGet(list), SetSlot(other)]);
                code.emit([GetSlot(j), ArrayGet(list), GetSlot(i), ArraySet(list)]);
                code.emit([GetSlot(other), GetSlot(j), ArraySet(list)]);
                code.increment(i);
                code.emit([GetSlot(j), LoadInt(1), Sub, SetSlot(j)]);
            });
        });
        code.if_([GetSlot(low), GetSlot(j), NumLt], |code| {
            code.emit([GetSlot(low), GetSlot(j), Call(sort, 2)]);
        });
        code.if_([GetSlot(i), GetSlot(high), NumLt], |code| {
            code.emit([GetSlot(i), GetSlot(high), Call(sort, 2)]);
        });
        code.emit([Return]);
    });
}

fn wordcount(code: &mut Code) {
    let (i, seed, word, total, distinct) = (1, 2, 3, 4, 5);
    let words = code.name("words");
    let counts = code.name("counts");
    let prefix = code.string("word");
    code.emit([DeclareArray(words), DeclareHash(counts)]);
    code.set_int(distinct, 1000);
    code.for_(i, ZERO, distinct, |code| {
        code.emit([LoadConst(prefix), GetSlot(i), Concat, ArrayPush(words)]);
    });
    code.set_int(seed, 42);
    code.for_(i, ZERO, N, |code| {
        next_random(code, seed);
        code.emit([GetSlot(seed), GetSlot(distinct), Mod, ArrayGet(words)]);
        code.emit([SetSlot(word)]);
        code.if_else(
            [GetSlot(word), HashExists(counts)],
            |code| {
                code.emit([GetSlot(word), HashGet(counts), LoadInt(1), Add]);
                code.emit([GetSlot(word), HashSet(counts)]);
            },
            |code| code.emit([LoadInt(1), GetSlot(word), HashSet(counts)]),
        );
    });
    code.set_int(total, 0);
    code.for_(i, ZERO, distinct, |code| {
        code.emit([GetSlot(total), GetSlot(i), GetSlot(i), ArrayGet(words)]);
        code.emit([HashGet(counts), Mul, Add, SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

fn arrayarg(code: &mut Code) {
    let pick = code.name("pick");
    code.sub(pick, 3, |code| {
        let (array, text, i) = (0, 1, 2);
        code.emit([GetSlot(i), SlotArrayGet(array)]);
        code.emit([GetSlot(text), StringLen, Add, ReturnValue]);
    });

    let (array, text, i, total, length) = (1, 2, 3, 4, 5);
    let list = code.name("list");
    let hello = code.string("hello");
    code.emit([DeclareArray(list)]);
    code.set_int(length, 100);
    code.for_(i, ZERO, length, |code| {
        code.emit([GetSlot(i), ArrayPush(list)]);
    });
    code.emit([GetArray(list), SetSlot(array)]);
    code.emit([LoadConst(hello), SetSlot(text)]);
    code.set_int(total, 0);
    code.for_(i, ZERO, N, |code| {
        code.emit([GetSlot(total), GetSlot(array), GetSlot(text)]);
        code.emit([GetSlot(i), GetSlot(length), Mod, Call(pick, 3)]);
        code.emit([Add, SetSlot(total)]);
    });
    code.emit([GetSlot(total)]);
}

fn strlen(code: &mut Code) {
    let (round, i, total, length) = (1, 2, 3, 4);
    let list = code.name("list");
    let letter = code.string("x");
    code.emit([DeclareArray(list)]);
    code.set_int(length, 1000);
    code.for_(i, ZERO, length, |code| {
        code.emit([LoadConst(letter), GetSlot(i), LoadInt(50), Mod]);
        code.emit([StringRepeat, ArrayPush(list)]);
    });
    code.set_int(total, 0);
    code.for_(round, ZERO, N, |code| {
        code.for_(i, ZERO, length, |code| {
            code.emit([GetSlot(total), GetSlot(i), ArrayGet(list), StringLen]);
            code.emit([Add, SetSlot(total)]);
        });
    });
    code.emit([GetSlot(total)]);
}
