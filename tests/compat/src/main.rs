//! Does a program of the 0.9 line do the same with this crate as with the published one?
//!
//! `cargo run --release -p compat` runs each case of `surface.rs` twice, each in a process of its own,
//! and prints what differs. That must be what is expected, no more and no less; chunks that one crate
//! has serialized must be what the other one reads.

mod expected;

use anyhow::{Context, bail, ensure};
use expected::expected;
use std::process::{Command, ExitCode, Stdio};

/// The two builds, by the name that a child process gets.
const BUILDS: [(&str, &[(&str, fn() -> String)]); 2] = [
    ("published", compat_published::CASES),
    ("ours", compat_ours::CASES),
];

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => compare(),
        [build, case] => {
            println!("{}", run_case(build, case)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("there are no arguments"),
    }
}

/// Runs a case in this process.
fn run_case(build: &str, case: &str) -> anyhow::Result<String> {
    let (_, cases) = BUILDS
        .iter()
        .find(|(name, _)| *name == build)
        .context("no such build")?;
    let (_, run) = cases
        .iter()
        .find(|(name, _)| *name == case)
        .context("no such case")?;
    Ok(run())
}

/// Bytes that a case may take, in KiB: the published crate recurses until all memory is used.
const MEMORY_KIB: u32 = 2_000_000;

/// What a case says in a process of its own, or how that ended.
fn outcome(build: &str, case: &str) -> anyhow::Result<String> {
    let limited = format!("ulimit -c 0; ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe()?)
        .args([build, case])
        .stderr(Stdio::null())
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()),
        false => Ok(format!("the process died: {}", output.status)),
    }
}

fn compare() -> anyhow::Result<ExitCode> {
    let (mut same, mut different, mut wrong) = (0, Vec::new(), 0);
    for (case, _) in compat_published::CASES {
        let (published, ours) = (outcome("published", case)?, outcome("ours", case)?);
        if published == ours {
            same += 1;
        } else {
            different.push((*case, published, ours));
        }
    }
    println!(
        "{same} of {} cases are the same with both",
        compat_published::CASES.len()
    );
    for (case, published, ours) in &different {
        let (published, ours) = distinct(published, ours);
        println!("\n{case}\n  published: {published}\n  ours:      {ours}");
        match expected().find(|(name, _)| name == case) {
            Some((_, reason)) => println!("  expected:  {reason}"),
            None => {
                println!("  NOT EXPECTED");
                wrong += 1;
            }
        }
    }
    for (case, reason) in expected() {
        if !different.iter().any(|(name, ..)| *name == case) {
            println!("\n{case}\n  NO DIFFERENCE, where one is expected: {reason}");
            wrong += 1;
        }
    }
    blobs()?;
    println!("\nchunks that either crate has serialized are the same to the other one");
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The parts of two lists that differ, and all of texts that are no such lists.
fn distinct(a: &str, b: &str) -> (String, String) {
    let (parts_a, parts_b): (Vec<_>, Vec<_>) = (a.split("; ").collect(), b.split("; ").collect());
    if parts_a.len() != parts_b.len() {
        return (a.to_owned(), b.to_owned());
    }
    let pairs = parts_a.into_iter().zip(parts_b).filter(|(a, b)| a != b);
    let (a, b): (Vec<_>, Vec<_>) = pairs.unzip();
    (a.join("; "), b.join("; "))
}

/// Reads the blobs of each crate with the other.
fn blobs() -> anyhow::Result<()> {
    let (theirs, ours) = (compat_published::blob(), compat_ours::blob());
    ensure!(theirs == ours, "the serialized forms differ");
    let read = [
        compat_published::read_blob(&ours),
        compat_ours::read_blob(&theirs),
        compat_ours::read_blob(&ours),
    ];
    ensure!(
        read.iter().all(|text| *text == read[0]),
        "a blob is read differently: {read:#?}"
    );
    ensure!(
        !read[0].starts_with("error"),
        "a blob can't be read: {}",
        read[0]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn blobs_of_one_crate_are_read_by_the_other() {
        super::blobs().unwrap();
    }

    #[test]
    fn both_builds_have_the_same_cases() {
        let names = |cases: &[(&'static str, fn() -> String)]| -> Vec<&'static str> {
            cases.iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names(compat_published::CASES), names(compat_ours::CASES));
    }
}
