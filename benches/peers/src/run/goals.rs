//! What the project wants to reach: ratios of one of our engines to another engine, in the steady
//! state, beside what was measured.

use super::{
    engines::Engine,
    table::{Cell, Line, geometric_mean, number, print_rows},
};

/// One of our engines beside another: how much of the other's time it may take.
struct Goal {
    ours: &'static str,
    /// The other one; of several the fastest on each program.
    theirs: &'static [&'static str],
    /// Programs, and the most that the ratio may be on each.
    at_most: &'static [(f64, &'static [&'static str])],
    /// The most that the geometric mean over all programs may be.
    mean: Option<f64>,
}

const ALL: &[&str] = &[
    "fib",
    "ack",
    "sum",
    "nested",
    "append",
    "array",
    "sieve",
    "hash",
    "mandelbrot",
    "nbody",
    "spectral",
    "matrix",
    "sort",
    "wordcount",
    "arrayarg",
    "strlen",
];

const GOALS: [Goal; 7] = [
    Goal {
        ours: "fusevm-register",
        theirs: &["luajit-joff"],
        at_most: &[(1.0, ALL)],
        mean: None,
    },
    Goal {
        ours: "fusevm-register",
        theirs: &["lua5.4"],
        at_most: &[(0.9, ALL)],
        mean: Some(0.55),
    },
    Goal {
        ours: "fusevm-register",
        theirs: &["fusevm-0.9.7"],
        at_most: &[
            (0.1, &["fib", "ack", "sum"]),
            (0.125, &["nested", "mandelbrot"]),
            (0.25, &["array"]),
        ],
        mean: None,
    },
    Goal {
        ours: "fusevm-jit",
        theirs: &["luajit"],
        at_most: &[
            (
                1.0,
                &[
                    "fib",
                    "ack",
                    "sum",
                    "nested",
                    "nbody",
                    "spectral",
                    "matrix",
                    "append",
                    "hash",
                    "wordcount",
                ],
            ),
            (1.1, &["mandelbrot"]),
            (1.6, &["array", "sieve", "sort"]),
        ],
        mean: None,
    },
    Goal {
        ours: "fusevm-jit",
        theirs: &["native"],
        at_most: &[
            (1.5, &["sum", "nested", "mandelbrot", "nbody"]),
            (3.0, &["fib", "ack"]),
        ],
        mean: None,
    },
    Goal {
        ours: "fusevm-jit",
        theirs: &["fusevm-0.26.10", "fusevm-0.26.10-jit"],
        at_most: &[(1.0, ALL)],
        mean: None,
    },
    Goal {
        ours: "fusevm-jit",
        theirs: &["fusevm-register"],
        at_most: &[(1.0, ALL)],
        mean: None,
    },
];

impl Goal {
    /// The ratio on a program, if both have figures.
    fn ratio(&self, line: &Line, engines: &[&Engine]) -> Option<f64> {
        let steady = |name: &str| {
            let place = engines.iter().position(|engine| engine.name == name)?;
            match &line.cells[place] {
                Cell::Figures(figures) => Some(figures.steady),
                Cell::Wrong(_) | Cell::Failed(_) | Cell::Missing => None,
            }
        };
        let theirs = self.theirs.iter().filter_map(|name| steady(name));
        Some(steady(self.ours)? / theirs.min_by(f64::total_cmp)?)
    }

    /// The most that the ratio may be on a program.
    fn bound(&self, program: &str) -> Option<f64> {
        let mut bounds = self.at_most.iter();
        let found = bounds.find(|(_, programs)| programs.contains(&program));
        found.map(|(bound, _)| *bound)
    }

    fn title(&self) -> String {
        let short = |name: &str| name.trim_start_matches("fusevm-").to_owned();
        let theirs = self.theirs.last().map_or("", |name| *name);
        format!("{}/{}", short(self.ours), short(theirs))
    }
}

/// A row for each program and one for the means: ratio and bound of each goal, `!` before what is
/// missed, and how many there are of those.
fn rows(lines: &[Line], engines: &[&Engine]) -> (Vec<Vec<String>>, usize) {
    let mut missed = 0;
    let mut cell = |ratio: Option<f64>, bound: Option<f64>| match (ratio, bound) {
        (Some(ratio), Some(bound)) => {
            let fails = ratio > bound;
            missed += usize::from(fails);
            let mark = if fails { "!" } else { "" };
            format!("{mark}{} of {bound}", number(ratio))
        }
        (Some(ratio), None) => number(ratio),
        (None, _) => "-".to_owned(),
    };
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(GOALS.iter().map(Goal::title));
    for line in lines {
        let mut row = vec![line.program.name.to_owned()];
        row.extend(
            GOALS
                .iter()
                .map(|goal| cell(goal.ratio(line, engines), goal.bound(line.program.name))),
        );
        rows.push(row);
    }
    let mut means = vec!["geometric mean".to_owned()];
    means.extend(GOALS.iter().map(|goal| {
        let ratios: Vec<f64> = (lines.iter())
            .filter_map(|line| goal.ratio(line, engines))
            .collect();
        // A mean over some of the programs has no bound.
        let bound = goal.mean.filter(|_| ratios.len() == ALL.len());
        cell(geometric_mean(&ratios), bound)
    }));
    rows.push(means);
    (rows, missed)
}

/// Prints the goals with what was measured.
pub(super) fn print(lines: &[Line], engines: &[&Engine]) {
    let (rows, missed) = rows(lines, engines);
    println!("ours / theirs, steady state, of what it may be at most (! is missed: {missed})");
    print_rows(&rows);
}

#[cfg(test)]
mod tests {
    use super::super::{engines::ENGINES, programs::PROGRAMS};
    use super::*;

    #[test]
    fn goals_name_what_there_is() {
        let programs = PROGRAMS.each_ref().map(|program| program.name);
        assert_eq!(programs, ALL);
        for goal in &GOALS {
            let named = goal.at_most.iter().flat_map(|(_, programs)| *programs);
            named.for_each(|name| assert!(programs.contains(name), "{name}"));
            for name in goal.theirs {
                assert!(ENGINES.iter().any(|engine| engine.name == *name), "{name}");
            }
        }
    }
}
