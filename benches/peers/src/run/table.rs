//! The comparison as tables for people.

use super::{
    engines::{Engine, Group},
    goals,
    programs::Program,
};
use std::fmt;

/// One program on all engines.
pub(super) struct Line {
    pub(super) program: &'static Program,
    /// The right checksum.
    pub(super) expected: f64,
    /// In the order of the engines.
    pub(super) cells: Vec<Cell>,
}

pub(super) enum Cell {
    Figures(Figures),
    /// A wrong checksum.
    Wrong(f64),
    Failed(String),
    Missing,
}

/// CPU nanoseconds for each unit of the program.
pub(super) struct Figures {
    pub(super) first: f64,
    pub(super) steady: f64,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Figures(figures) => write!(f, "{:.2}", figures.steady),
            Cell::Wrong(checksum) => write!(f, "wrong answer {checksum}"),
            Cell::Failed(reason) => write!(f, "{reason}"),
            Cell::Missing => write!(f, "not installed"),
        }
    }
}

type Phase = fn(&Figures) -> f64;

const PHASES: [(&str, Phase); 2] = [
    ("steady state", |figures| figures.steady),
    ("first run", |figures| figures.first),
];

/// Prints the figures of each phase, the ratios of our best engine to all others, and the goals.
pub(super) fn print(lines: &[Line], engines: &[&Engine]) {
    for (title, phase) in PHASES {
        println!("CPU ns per unit, {title}");
        print_rows(&figures(lines, engines, phase));
        println!();
    }
    print_notes(lines, engines);
    if engines.iter().all(|engine| engine.group != Group::Ours) {
        return;
    }
    for (title, phase) in PHASES {
        println!("our best / theirs, {title} (below 1: ours takes less; means of what both ran)");
        print_rows(&ratios(lines, engines, phase));
        println!();
    }
    goals::print(lines, engines);
}

fn figures(lines: &[Line], engines: &[&Engine], phase: Phase) -> Vec<Vec<String>> {
    let mut rows = vec![heading(engines.iter())];
    for line in lines {
        let mut row = vec![format!("{} ({})", line.program.name, line.program.unit)];
        row.extend(line.cells.iter().map(|cell| match cell {
            Cell::Figures(figures) => number(phase(figures)),
            Cell::Wrong(_) => "wrong".into(),
            Cell::Failed(_) => "*".into(),
            Cell::Missing => "-".into(),
        }));
        rows.push(row);
    }
    rows
}

/// A row for each program, and the geometric means of the columns.
fn ratios(lines: &[Line], engines: &[&Engine], phase: Phase) -> Vec<Vec<String>> {
    let others: Vec<usize> = (0..engines.len())
        .filter(|&index| engines[index].group != Group::Ours)
        .collect();
    let mut rows = vec![heading(others.iter().map(|&index| &engines[index]))];
    let mut columns = vec![Vec::new(); others.len()];
    for line in lines {
        let figure = |index: usize| match &line.cells[index] {
            Cell::Figures(figures) => Some(phase(figures)),
            Cell::Wrong(_) | Cell::Failed(_) | Cell::Missing => None,
        };
        let best = (0..engines.len())
            .filter(|&index| engines[index].group == Group::Ours)
            .filter_map(figure)
            .min_by(f64::total_cmp);
        let mut row = vec![line.program.name.to_owned()];
        for (&index, column) in others.iter().zip(&mut columns) {
            let ratio = best.zip(figure(index)).map(|(best, other)| best / other);
            column.extend(ratio);
            row.push(ratio.map_or("-".into(), number));
        }
        rows.push(row);
    }
    let mut means = vec!["geometric mean".to_owned()];
    let mean = |column: &Vec<f64>| geometric_mean(column).map_or("-".into(), number);
    means.extend(columns.iter().map(mean));
    rows.push(means);
    rows
}

fn heading<'a>(engines: impl Iterator<Item = &'a &'a Engine>) -> Vec<String> {
    let mut row = vec![String::new()];
    row.extend(engines.map(|engine| engine.name.to_owned()));
    row
}

/// `None` of nothing.
pub(super) fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (logarithms / ratios.len() as f64).exp())
}

/// Three digits or so.
pub(super) fn number(value: f64) -> String {
    let decimals = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.decimals$}")
}

pub(super) fn print_rows(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        for (column, (text, &width)) in row.iter().zip(&widths).enumerate() {
            if column == 0 {
                print!("{text:width$}");
            } else {
                print!("  {text:>width$}");
            }
        }
        println!();
    }
}

/// Why there are no figures where there are none.
fn print_notes(lines: &[Line], engines: &[&Engine]) {
    for (index, engine) in engines.iter().enumerate() {
        let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
        for line in lines {
            let note = match &line.cells[index] {
                Cell::Figures(_) => continue,
                note => note.to_string(),
            };
            match notes.iter_mut().find(|(text, _)| *text == note) {
                Some((_, programs)) => programs.push(line.program.name),
                None => notes.push((note, vec![line.program.name])),
            }
        }
        for (note, programs) in notes {
            println!("{}: {note} ({})", engine.name, programs.join(" "));
        }
    }
    println!();
}
