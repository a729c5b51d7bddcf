//! `ci`: everything that has to hold before a change is taken, in the order in which it fails fastest.

use anyhow::{Context, bail};
use std::{env, path::Path, process::Command, time::Instant};

/// The library's feature sets; each is checked and tested.
const FEATURE_SETS: [&str; 4] = ["", "host", "jit", "host,jit"];

/// Runs all steps in `root`; stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    crate::r#gen::run(root, true)?;
    cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    for features in FEATURE_SETS {
        let library = [
            "-p",
            "fusevm",
            "--no-default-features",
            "--features",
            features,
        ];
        let clippy = [
            &["clippy"],
            &library[..],
            &["--all-targets", "--", "-D", "warnings"],
        ];
        cargo(root, &clippy.concat())?;
        cargo(root, &[&["test"], &library[..]].concat())?;
    }
    // Whether the last calls of the engine's handlers are jumps shows in optimized code alone.
    let optimized = ["test", "--profile", "checked", "-p", "fusevm", "--lib"];
    cargo(root, &[&optimized[..], &["vm::engine::tests"]].concat())?;
    cargo(root, &["test", "--workspace", "--exclude", "fusevm"])?;
    cargo(root, &["doc", "--workspace", "--no-deps"])?;
    python(root)?;
    deny(root)?;
    coverage(root)
}

/// Checks licences and sources of the dependencies, if `cargo deny` is there. Its list of advisories
/// would have to be fetched.
fn deny(root: &Path) -> anyhow::Result<()> {
    let version = Command::new(env!("CARGO"))
        .args(["deny", "--version"])
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("- skipped: the dependencies' licences (needs cargo-deny)");
        return Ok(());
    }
    cargo(root, &["deny", "check", "licenses", "bans", "sources"])
}

/// Prints the share of lines that the tests run, if `cargo tarpaulin` is there.
fn coverage(root: &Path) -> anyhow::Result<()> {
    if !crate::coverage::is_available() {
        println!("- skipped: coverage (needs cargo-tarpaulin)");
        return Ok(());
    }
    println!("+ coverage");
    crate::coverage::run(root, &crate::coverage::Arguments::default())
}

/// Runs the tests of the Python package, which reads the vectors from the specification alone, if
/// there is a Python that has what it needs.
fn python(root: &Path) -> anyhow::Result<()> {
    let has_blake3 = Command::new("python3")
        .args(["-c", "import blake3"])
        .output();
    if !has_blake3.is_ok_and(|output| output.status.success()) {
        println!("- skipped: the Python package (needs python3 with blake3)");
        return Ok(());
    }
    // The workspace's tests have built the program that the package is compared with.
    let program = Path::new("debug").join(format!("fusevm{}", env::consts::EXE_SUFFIX));
    run_step(
        Command::new("python3")
            .args(["-m", "unittest", "discover", "tools/python/tests"])
            .env("FUSEVM", crate::target_dir(root)?.join(program))
            .current_dir(root),
    )
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    run_step(
        Command::new(env!("CARGO"))
            .args(arguments)
            .env("RUSTDOCFLAGS", "-D warnings")
            // Native code of tests isn't kept in the home of whoever runs them.
            .env("FUSEVM_CACHE_DIR", "off")
            .current_dir(root),
    )
}

/// Runs a command, showing it and, at its end, the time that it took.
fn run_step(command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let name = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    let shown = format!("{} {}", name.to_string_lossy(), words.join(" "));
    println!("+ {shown}");
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("can't run {shown}"))?;
    if !status.success() {
        bail!("{shown} failed");
    }
    println!("  {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
