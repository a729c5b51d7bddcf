//! The programs that are compared, their sizes and the unit in which each one's cost is given.

use super::native;

/// One algorithm, written alike for every engine. It takes a size and gives a checksum.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Such that the slowest engine takes some tenths of a second.
    pub(super) size: i64,
    /// The size at which instructions are counted, which takes fifty times as long as running does.
    pub(super) counted_size: i64,
    pub(super) unit: &'static str,
    pub(super) native: fn(i64) -> f64,
    /// How many units a run has, from its size and its checksum.
    pub(super) units: fn(f64, f64) -> f64,
}

impl Program {
    /// The same at another size. The copy is never freed: a process needs but a few.
    pub(super) fn of_size(self, size: i64) -> &'static Program {
        Box::leak(Box::new(Program { size, ..self }))
    }

    /// The answer that every engine has to give, and the units of the work that led to it.
    pub(super) fn expected(&self) -> (f64, f64) {
        let checksum = (self.native)(self.size);
        (checksum, (self.units)(self.size as f64, checksum))
    }
}

/// What does nothing: the floor under every other program.
pub(super) const EMPTY: Program = Program {
    name: "empty",
    size: 0,
    counted_size: 0,
    unit: "run",
    native: |n| n as f64,
    units: |_, _| 1.0,
};

/// Functions of [`MANY`].
pub(super) const FUNCTIONS: i64 = 500;

/// Rounds of the loop in each of them.
pub(super) const ROUNDS: i64 = 40;

/// Many functions of which each runs once: what a compiler that waits for hot code must leave alone.
pub(super) const MANY: Program = Program {
    name: "many",
    size: 0,
    counted_size: 0,
    unit: "function",
    native: |_| (FUNCTIONS * ROUNDS * (ROUNDS - 1) / 2) as f64,
    units: |_, _| FUNCTIONS as f64,
};

/// All programs, in the order in which they are shown.
pub(super) const PROGRAMS: [Program; 16] = [
    Program {
        name: "fib",
        size: 30,
        counted_size: 20,
        unit: "call",
        native: native::fib,
        // fib(n) makes 2 fib(n + 1) - 1 calls, and fib(n + 1) is the golden ratio times fib(n), rounded.
        units: |_, fib| 2.0 * (fib * std::f64::consts::GOLDEN_RATIO).round() - 1.0,
    },
    Program {
        name: "ack",
        size: 7,
        counted_size: 4,
        unit: "call",
        native: native::ack,
        // Of ack(3, n).
        units: |n, _| (128.0 * 4f64.powf(n) - 120.0 * 2f64.powf(n) + 9.0 * n + 37.0) / 3.0,
    },
    Program {
        name: "sum",
        size: 1_000_000,
        counted_size: 100_000,
        unit: "iteration",
        native: native::sum,
        units: |n, _| n,
    },
    Program {
        name: "nested",
        size: 1000,
        counted_size: 300,
        unit: "iteration",
        native: native::nested,
        units: |n, _| n * n,
    },
    Program {
        name: "append",
        size: 10_000,
        counted_size: 2000,
        unit: "append",
        native: native::append,
        units: |n, _| 10.0 * n,
    },
    Program {
        name: "array",
        size: 500_000,
        counted_size: 20_000,
        unit: "element",
        native: native::array,
        units: |n, _| n,
    },
    Program {
        name: "sieve",
        size: 300_000,
        counted_size: 20_000,
        unit: "element",
        native: native::sieve,
        units: |n, _| n,
    },
    Program {
        name: "hash",
        size: 1_000_000,
        counted_size: 10_000,
        unit: "key",
        native: native::hash,
        units: |n, _| n,
    },
    Program {
        name: "mandelbrot",
        size: 160,
        counted_size: 24,
        unit: "iteration",
        native: native::mandelbrot,
        units: |_, iterations| iterations,
    },
    Program {
        name: "nbody",
        size: 5000,
        counted_size: 200,
        unit: "step",
        native: native::nbody,
        units: |n, _| n,
    },
    Program {
        name: "spectral",
        size: 100,
        counted_size: 16,
        unit: "element",
        native: native::spectral,
        units: |n, _| 40.0 * n * n,
    },
    Program {
        name: "matrix",
        size: 80,
        counted_size: 24,
        unit: "product",
        native: native::matrix,
        units: |n, _| n * n * n,
    },
    Program {
        name: "sort",
        size: 30_000,
        counted_size: 3000,
        unit: "element",
        native: native::sort,
        units: |n, _| n,
    },
    Program {
        name: "wordcount",
        size: 300_000,
        counted_size: 10_000,
        unit: "word",
        native: native::wordcount,
        units: |n, _| n,
    },
    Program {
        name: "arrayarg",
        size: 300_000,
        counted_size: 20_000,
        unit: "call",
        native: native::arrayarg,
        units: |n, _| n,
    },
    Program {
        name: "strlen",
        size: 500,
        counted_size: 20,
        unit: "element",
        native: native::strlen,
        units: |n, _| 1000.0 * n,
    },
];
