//! The programs in Rust, as it is usually written, as the floor under everybody else.
//!
//! Nothing may fold: sizes are opaque to the optimizer, and a loop that it could replace by a formula
//! has an opaque value in its body. Recursive functions aren't inlined into themselves, though LLVM
//! still turns one of the two calls of `fib` into a loop.

use std::{collections::HashMap, hint::black_box};

/// The sun, Jupiter, Saturn, Uranus and Neptune: x, y, z, their velocities in units a day, and masses.
pub(super) const BODIES: [[f64; 5]; 7] = [
    [0.0, 4.84, 8.34, 12.89, 15.37],
    [0.0, -1.16, 4.12, -15.11, -25.91],
    [0.0, -0.10, -0.40, -0.22, 0.17],
    [0.0, 0.60, -1.01, 1.08, 0.97],
    [0.0, 2.81, 1.82, 0.86, 0.59],
    [0.0, -0.02, 0.008, -0.01, -0.03],
    [39.47, 0.037, 0.011, 0.0017, 0.002],
];

pub(super) fn fib(n: i64) -> f64 {
    #[inline(never)]
    fn fib(n: i64) -> i64 {
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }
    fib(black_box(n)) as f64
}

pub(super) fn ack(n: i64) -> f64 {
    #[inline(never)]
    fn ack(m: i64, n: i64) -> i64 {
        if m == 0 {
            n + 1
        } else if n == 0 {
            ack(m - 1, 1)
        } else {
            ack(m - 1, ack(m, n - 1))
        }
    }
    ack(black_box(3), black_box(n)) as f64
}

pub(super) fn sum(n: i64) -> f64 {
    let mut total = 0;
    for i in 0..n {
        total += black_box(i);
    }
    total as f64
}

pub(super) fn nested(n: i64) -> f64 {
    let mut total = 0;
    for i in 0..n {
        for j in 0..n {
            total += i * black_box(j);
        }
    }
    total as f64
}

pub(super) fn append(n: i64) -> f64 {
    let mut total = 0;
    for _ in 0..10 {
        let mut text = String::new();
        for _ in 0..n {
            text.push_str(black_box("x"));
        }
        total += text.len();
    }
    total as f64
}

pub(super) fn array(n: i64) -> f64 {
    let mut list = Vec::new();
    for i in 0..n {
        list.push(i);
    }
    let list = black_box(list);
    list.iter().sum::<i64>() as f64
}

pub(super) fn sieve(n: i64) -> f64 {
    let n = n as usize;
    let mut prime = vec![true; n];
    let mut count = 0;
    for i in 2..n {
        if prime[i] {
            count += 1;
            let mut j = i * i;
            while j < n {
                prime[j] = false;
                j += i;
            }
        }
    }
    f64::from(count)
}

pub(super) fn hash(n: i64) -> f64 {
    let mut table = HashMap::new();
    for i in 0..n {
        table.insert(format!("key{i}"), i);
    }
    let mut total = 0;
    for i in 0..n {
        total += table[&format!("key{i}")];
    }
    total as f64
}

pub(super) fn mandelbrot(n: i64) -> f64 {
    let n = black_box(n);
    let mut total = 0;
    for y in 0..n {
        let ci = 0.0125 * y as f64 - 1.0;
        for x in 0..n {
            let cr = 0.0125 * x as f64 - 1.5;
            let (mut zr, mut zi) = (0.0, 0.0);
            let mut k = 0;
            while k < 50 {
                let (zr2, zi2) = (zr * zr, zi * zi);
                if zr2 + zi2 > 4.0 {
                    break;
                }
                zi = 2.0 * zr * zi + ci;
                zr = zr2 - zi2 + cr;
                k += 1;
            }
            total += k;
        }
    }
    f64::from(total)
}

pub(super) fn nbody(n: i64) -> f64 {
    let [mut x, mut y, mut z, mut vx, mut vy, mut vz, mass] = black_box(BODIES);
    for _ in 0..n {
        for i in 0..5 {
            for j in i + 1..5 {
                let (dx, dy, dz) = (x[i] - x[j], y[i] - y[j], z[i] - z[j]);
                let square = dx * dx + dy * dy + dz * dz;
                let factor = 0.01 / (square * square.powf(0.5));
                vx[i] -= dx * mass[j] * factor;
                vx[j] += dx * mass[i] * factor;
                vy[i] -= dy * mass[j] * factor;
                vy[j] += dy * mass[i] * factor;
                vz[i] -= dz * mass[j] * factor;
                vz[j] += dz * mass[i] * factor;
            }
        }
        for i in 0..5 {
            x[i] += 0.01 * vx[i];
            y[i] += 0.01 * vy[i];
            z[i] += 0.01 * vz[i];
        }
    }
    let mut energy = 0.0;
    for i in 0..5 {
        energy += 0.5 * mass[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i]);
        for j in i + 1..5 {
            let (dx, dy, dz) = (x[i] - x[j], y[i] - y[j], z[i] - z[j]);
            let square = dx * dx + dy * dy + dz * dz;
            energy -= mass[i] * mass[j] / square.powf(0.5);
        }
    }
    energy
}

pub(super) fn spectral(n: i64) -> f64 {
    fn element(i: i64, j: i64) -> f64 {
        1.0 / (((i + j) * (i + j + 1)) as f64 / 2.0 + i as f64 + 1.0)
    }
    fn times(vector: &[f64], element: impl Fn(i64, i64) -> f64) -> Vec<f64> {
        (0..vector.len() as i64)
            .map(|i| {
                (0..)
                    .zip(vector)
                    .fold(0.0, |total, (j, v)| total + element(i, j) * v)
            })
            .collect()
    }
    fn both(vector: &[f64]) -> Vec<f64> {
        times(&times(vector, element), |i, j| element(j, i))
    }
    let mut u = vec![1.0; black_box(n) as usize];
    let mut v = Vec::new();
    for _ in 0..10 {
        v = both(&u);
        u = both(&v);
    }
    let (mut uv, mut vv) = (0.0, 0.0);
    for (u, v) in u.iter().zip(&v) {
        uv += u * v;
        vv += v * v;
    }
    f64::powf(uv / vv, 0.5)
}

pub(super) fn matrix(n: i64) -> f64 {
    let cells = n * n;
    let a: Vec<f64> = (0..cells).map(|i| (i % 7) as f64 * 0.5).collect();
    let b: Vec<f64> = (0..cells).map(|i| (i % 5) as f64 * 0.25).collect();
    let n = black_box(n) as usize;
    let mut c = Vec::new();
    for i in 0..n {
        for j in 0..n {
            let mut total = 0.0;
            for k in 0..n {
                total += a[i * n + k] * b[k * n + j];
            }
            c.push(total);
        }
    }
    c.iter().sum()
}

/// The next number of a small generator whose products are exact where numbers are doubles.
fn next_random(seed: i64) -> i64 {
    (seed * 3877 + 29573) % 139_968
}

pub(super) fn sort(n: i64) -> f64 {
    fn sort(list: &mut [i64], low: i64, high: i64) {
        let (mut i, mut j) = (low, high);
        let pivot = list[((low + high) >> 1) as usize];
        while i <= j {
            while list[i as usize] < pivot {
                i += 1;
            }
            while list[j as usize] > pivot {
                j -= 1;
            }
            if i <= j {
                list.swap(i as usize, j as usize);
                i += 1;
                j -= 1;
            }
        }
        if low < j {
            sort(list, low, j);
        }
        if i < high {
            sort(list, i, high);
        }
    }
    let mut seed = 42;
    let mut list = Vec::new();
    for _ in 0..n {
        seed = next_random(seed);
        list.push(seed);
    }
    sort(&mut list, 0, n - 1);
    let total: i64 = (0..).zip(&list).map(|(i, v)| v * (i % 10)).sum();
    total as f64
}

pub(super) fn wordcount(n: i64) -> f64 {
    let words: Vec<String> = (0..1000).map(|i| format!("word{i}")).collect();
    let mut counts: HashMap<&str, i64> = HashMap::new();
    let mut seed = 42;
    for _ in 0..n {
        seed = next_random(seed);
        *counts.entry(&words[(seed % 1000) as usize]).or_default() += 1;
    }
    let total: i64 = (0..).zip(&words).map(|(i, w)| i * counts[&**w]).sum();
    total as f64
}

pub(super) fn arrayarg(n: i64) -> f64 {
    #[inline(never)]
    fn pick(list: &[i64], text: &str, i: i64) -> i64 {
        list[i as usize] + text.len() as i64
    }
    let list: Vec<i64> = black_box((0..100).collect());
    let text = black_box("hello");
    let mut total = 0;
    for i in 0..n {
        total += pick(&list, text, i % 100);
    }
    total as f64
}

pub(super) fn strlen(n: i64) -> f64 {
    let list: Vec<String> = (0..1000).map(|i| "x".repeat(i % 50)).collect();
    let mut total = 0;
    for _ in 0..n {
        for text in black_box(&list) {
            total += text.len();
        }
    }
    total as f64
}
