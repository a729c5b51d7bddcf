//! Do all engines mean the same programs? At small sizes, without regard to time.

use super::{
    TOLERANCE,
    child::{self, Outcome},
    engines::{ENGINES, Group, Means},
    programs::{PROGRAMS, Program},
};
use std::time::Duration;

/// The programs at sizes that a debug build runs at once.
fn small_programs() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.into_iter().map(|program| {
        let size = match program.name {
            "fib" => 12,
            "ack" => 3,
            "mandelbrot" | "nested" | "spectral" | "matrix" => 12,
            "nbody" => 20,
            "strlen" => 3,
            "wordcount" => 20_000,
            _ => 500,
        };
        program.of_size(size)
    })
}

fn assert_right(engine: &str, program: &Program, checksum: f64) {
    let (expected, _) = program.expected();
    assert!(
        (checksum - expected).abs() <= TOLERANCE * expected.abs(),
        "{engine} on {}: {checksum}, not {expected}",
        program.name
    );
}

#[test]
fn libraries_agree_with_native_code() {
    for program in small_programs() {
        for engine in &ENGINES {
            let Means::Library(prepare) = engine.means else {
                continue;
            };
            match prepare(program) {
                // What the old line's compilers make of a program is for `run` to show.
                _ if engine.name.ends_with("-jit") && engine.group == Group::Old => {}
                Ok(mut runs) => {
                    let checksum = runs()().expect(engine.name);
                    assert_right(engine.name, program, checksum);
                }
                Err(reason) => panic!("{} on {}: {reason}", engine.name, program.name),
            }
        }
    }
}

#[test]
fn installed_commands_agree_with_native_code() {
    for engine in &ENGINES {
        if let Means::Library(_) = engine.means {
            continue;
        }
        for program in small_programs() {
            let timeout = Duration::from_secs(60);
            match child::measure(engine, program, Duration::ZERO, timeout) {
                Ok(Outcome::Measured { checksum, .. }) => {
                    assert_right(engine.name, program, checksum);
                }
                Ok(Outcome::Missing) => break,
                Ok(Outcome::Failed(reason)) => {
                    panic!("{} on {}: {reason}", engine.name, program.name);
                }
                Err(error) => panic!("{} on {}: {error}", engine.name, program.name),
            }
        }
    }
}

#[test]
fn units_are_counted_right() {
    let units = |name: &str, size: i64| {
        let program = PROGRAMS.into_iter().find(|program| program.name == name);
        let program = program.expect(name);
        Program { size, ..program }.expected().1
    };
    // fib(5) calls fib(4) and fib(3): 1 + 9 + 5.
    assert_eq!(units("fib", 5), 15.0);
    assert_eq!(units("ack", 7), 693_964.0);
}
