//! The same programs in all tiers, everything that can be seen compared: generated programs, each under
//! several amounts of fuel, every vector, and every program of the tests.

use super::{Report, Sweep, Tally};
use anyhow::{Context, ensure};
use fusevm::{
    Chunk,
    asm::{self, Style},
    format::Entry,
    host::{FileTest, RecordingHost},
    op::INFO,
    verify::verify_chunk,
    vm::Limits,
};
use fusevm_kit::{
    minimize::minimize,
    outcome::{Outcome, World, vector_limits},
    program::Family,
    tiers::{Difference, Setup, TIERS, compare_each},
    vectors,
};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Fuel of generated programs: enough for most to end, and to be warm before that.
const FUEL: u64 = 3000;

/// Differences that are made small and shown; the others are counted.
const SHOWN: u64 = 5;

/// The tier in which programs are compiled in pieces.
const EAGER: &str = "JIT eager";

/// Fuel of the programs of the tests, some of which never end: all of it, some, and little.
const FILE_FUEL: [u64; 3] = [1_000_000, 5000, 100];

pub(super) fn run(sweep: &Sweep, root: &Path, tiers: &[String]) -> anyhow::Result<()> {
    let known = |name: &String| TIERS.iter().any(|tier| tier.name == name);
    ensure!(tiers.iter().all(known), "no tier has that name");
    let seen = Seen {
        tiers: tiers.to_vec(),
        ..Seen::default()
    };
    // What an item prints when it panics would drown the rest; its seed says enough.
    std::panic::set_hook(Box::new(|_| ()));
    let mut tally = sweep.each_number("differential", |number| {
        let seed = sweep.seed.wrapping_shl(32) ^ number;
        generated(seed, &seen)
    });
    if sweep.only.is_none() {
        tally.add(vectors(sweep, &seen));
        tally.add(files(sweep, root, &seen)?);
    }
    drop(std::panic::take_hook());
    let tiers = match tiers {
        [] => TIERS.each_ref().map(|tier| tier.name).join(", "),
        tiers => format!("{}, {}", TIERS[0].name, tiers.join(", ")),
    };
    let title = format!("the same programs in {tiers}, seed {}", sweep.seed);
    let mut report = Report::new(title);
    report.count("generated programs", sweep.count);
    seen.report(&mut report);
    tally.report(report, sweep.json)
}

/// Counts over all programs.
#[derive(Default)]
pub(super) struct Seen {
    /// The tiers that are held against the first; all if there are none.
    tiers: Vec<String>,
    runs: AtomicU64,
    traps: AtomicU64,
    differences: AtomicU64,
}

impl Seen {
    pub(super) fn report(&self, report: &mut Report) {
        report.count("runs in each tier", self.runs.load(Ordering::Relaxed));
        report.count("of them trapped", self.traps.load(Ordering::Relaxed));
        report.count("differences", self.differences.load(Ordering::Relaxed));
    }

    /// Compares one chunk under one setup and counts.
    pub(super) fn compare(&self, chunk: &Chunk, setup: &Setup) -> Result<Outcome, String> {
        let mut outcomes = self.compare_each(chunk, std::slice::from_ref(setup), &self.tiers)?;
        Ok(outcomes.pop().expect("one setup has one outcome"))
    }

    /// Compares one chunk under each of the setups in these tiers and counts.
    fn compare_each(
        &self,
        chunk: &Chunk,
        setups: &[Setup],
        tiers: &[String],
    ) -> Result<Vec<Outcome>, String> {
        self.runs.fetch_add(setups.len() as u64, Ordering::Relaxed);
        match compare_each(chunk, setups, tiers) {
            Ok(outcomes) => {
                let trapped = outcomes.iter().filter(|outcome| outcome.end.is_err());
                let count = trapped.count() as u64;
                self.traps.fetch_add(count, Ordering::Relaxed);
                Ok(outcomes)
            }
            Err(difference) => {
                let before = self.differences.fetch_add(1, Ordering::Relaxed);
                if before < SHOWN {
                    Err(shown(chunk, setups, &difference, tiers))
                } else {
                    Err(difference.what.to_owned())
                }
            }
        }
    }
}

/// The difference with the smallest part of the program that shows one of the kind, as text.
fn shown(chunk: &Chunk, setups: &[Setup], difference: &Difference, tiers: &[String]) -> String {
    let strict = verify_chunk(chunk).is_ok();
    let shows = |candidate: &Chunk| {
        verify_chunk(candidate).is_ok() == strict
            && compare_each(candidate, setups, tiers)
                .is_err_and(|other| other.what == difference.what && other.tier == difference.tier)
    };
    let small = minimize(chunk, shows);
    let text = asm::print_chunk(&Entry::named("smallest"), &small, &Style::default());
    let text = text.unwrap_or_else(|error| error.to_string());
    let again = compare_each(&small, setups, tiers).err();
    let difference = again.as_deref().unwrap_or(difference);
    let fuel: Vec<u64> = setups[..=difference.run]
        .iter()
        .filter_map(|setup| setup.limits.fuel)
        .collect();
    format!("fuel {fuel:?}, {difference}\n{text}")
}

/// The program of a seed: with all the fuel it may have, with some less than it needed, and with
/// little, so that traps come anywhere.
fn generated(seed: u64, seen: &Seen) -> Result<(), String> {
    let family = Family::ALL[(seed % Family::ALL.len() as u64) as usize];
    let chunk = family.program(seed);
    let setup = |fuel| {
        let setup = Setup::generated(fuel);
        if seed.is_multiple_of(2) {
            setup
        } else {
            setup.seeded()
        }
    };
    let in_family = |error| format!("{family:?}, {error}");
    let whole = seen.compare(&chunk, &setup(FUEL)).map_err(in_family)?;
    let used = FUEL - whole.fuel.unwrap_or(0);
    let setups = [used / 2, seed % 50, seed % 400].map(setup);
    seen.compare_each(&chunk, &setups, &seen.tiers)
        .map_err(in_family)?;
    let in_parts = |error| format!("{family:?} in parts, {error}");
    let setups = [FUEL, used * 2 + seed % 50].map(|fuel| setup(fuel).linked());
    seen.compare_each(&chunk, &setups, &seen.tiers)
        .map_err(in_parts)?;
    if seen.tiers.is_empty() || seen.tiers.iter().any(|tier| tier == EAGER) {
        let in_pieces = |error| format!("{family:?} in pieces, {error}");
        let setup = setup(FUEL).in_pieces();
        seen.compare_each(&chunk, &[setup], &[EAGER.to_owned()])
            .map_err(in_pieces)?;
    }
    Ok(())
}

/// Every case of every op's vector, in a world with nothing in it and in one that answers.
fn vectors(sweep: &Sweep, seen: &Seen) -> Tally {
    let cases: Vec<_> = INFO.iter().flat_map(vectors::cases).collect();
    let each = Sweep {
        count: cases.len() as u64,
        ..*sweep
    };
    each.each_number("vector", |number| {
        let case = &cases[number as usize];
        for world in [World::Bare, World::Scripted(scripted(b"first\n\nlast"))] {
            let setup = Setup {
                limits: vector_limits(),
                world,
                prepare: |_| (),
                in_parts: false,
            };
            let in_case = |error| format!("{}, {error}", case.name);
            seen.compare(&case.chunk, &setup).map_err(in_case)?;
        }
        Ok(())
    })
}

/// Every chunk of the assembly texts in `tests/programs`.
fn files(sweep: &Sweep, root: &Path, seen: &Seen) -> anyhow::Result<Tally> {
    let mut chunks = Vec::new();
    for entry in fs::read_dir(root.join("tests/programs"))? {
        let path = entry?.path();
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        let name = path.display().to_string();
        let assembly = asm::assemble(&text, &name)?;
        let entries = assembly.chunks.into_iter();
        chunks.extend(entries.map(|(entry, chunk)| (format!("{name} {}", entry.name), chunk)));
    }
    let each = Sweep {
        count: chunks.len() as u64,
        ..*sweep
    };
    Ok(each.each_number("program", |number| {
        let (name, chunk) = &chunks[number as usize];
        for fuel in FILE_FUEL {
            let setup = Setup {
                limits: Limits {
                    fuel: Some(fuel),
                    ..Limits::default()
                },
                world: World::Scripted(scripted(b"one\ntwo\nthree")),
                prepare: |_| (),
                in_parts: false,
            };
            let in_file = |error| format!("{name}, {error}");
            seen.compare(chunk, &setup).map_err(in_file)?;
        }
        Ok(())
    }))
}

/// A small world.
fn scripted(input: &[u8]) -> RecordingHost {
    RecordingHost::new()
        .with_input(input)
        .with_env(b"HOME", b"/home/me")
        .with_home(None, b"/home/me")
        .with_command(b"true", 0)
        .with_command(b"false", 1)
        .with_file(b"/", &[FileTest::Directory, FileTest::Exists])
        .with_glob(b"*", &[b"a", b"b"])
}
