//! `coverage`: which lines of the rooms that read untrusted bytes, and of those that give them meaning,
//! the tests run.
//!
//! It counts with `cargo tarpaulin`, which needs no other tool: `cargo install cargo-tarpaulin`.

use anyhow::{Context, bail, ensure};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The rooms, each with all files below it but tests.
const ROOMS: [&str; 4] = ["src/op", "src/format", "src/verify", "src/value"];

/// The share of its lines, in percent, that the tests of a room run at the least.
const LEAST: f64 = 95.0;

/// What runs: the library's own tests and those that are about these rooms. The others need minutes
/// under instrumentation and reach nothing more.
const TESTS: [&str; 10] = [
    "--package=fusevm",
    "--lib",
    "--test=any_chunk",
    "--test=changing_file",
    "--test=golden",
    "--test=hostile_programs",
    "--test=library",
    "--test=malformed",
    "--test=modules",
    "--test=programs",
];

/// How long building and running the tests may take.
const SECONDS: u64 = 1800;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also show the lines of each file that no test runs.
    #[arg(long)]
    missing: bool,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = SECONDS)]
    limit: u64,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            missing: false,
            limit: SECONDS,
        }
    }
}

/// The lines of a file that can run, each with whether it did.
type Lines = Vec<(u64, bool)>;

/// Whether `cargo tarpaulin` is installed.
pub(crate) fn is_available() -> bool {
    let version = Command::new(env!("CARGO"))
        .args(["tarpaulin", "--version"])
        .output();
    version.is_ok_and(|output| output.status.success())
}

/// Runs the tests and prints the share of each room.
///
/// # Errors
/// The tool is missing or takes too long, a test fails, or a room has less than its share.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        is_available(),
        "there is no `cargo tarpaulin`: cargo install cargo-tarpaulin"
    );
    let folder = tempfile::tempdir()?;
    measure(root, folder.path(), Duration::from_secs(arguments.limit))?;
    let report = fs::read(folder.path().join("tarpaulin-report.json"))?;
    let files = files_of(&serde_json::from_slice(&report)?, root)?;
    if arguments.missing {
        for (file, lines) in &files {
            let missing: Vec<String> = (lines.iter())
                .filter(|(_, ran)| !ran)
                .map(|(line, _)| line.to_string())
                .collect();
            println!("{file}: {}", missing.join(" "));
        }
    }
    let mut poor = Vec::new();
    for room in ROOMS {
        let of_room = files
            .iter()
            .filter(|(file, _)| Path::new(file).starts_with(room));
        let lines: Vec<bool> = of_room
            .flat_map(|(_, lines)| lines.iter().map(|(_, ran)| *ran))
            .collect();
        let ran = lines.iter().filter(|ran| **ran).count();
        let share = ran as f64 * 100.0 / lines.len().max(1) as f64;
        println!(
            "{room:12} {ran:5} of {:5} lines  {share:5.1} %",
            lines.len()
        );
        if share < LEAST {
            poor.push(room);
        }
    }
    ensure!(
        poor.is_empty(),
        "below {LEAST} %: {} (--missing shows where)",
        poor.join(", ")
    );
    Ok(())
}

/// Runs the tests with counters and leaves the report in `folder`.
fn measure(root: &Path, folder: &Path, limit: Duration) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tarpaulin", "--engine", "llvm", "--skip-clean"])
        .args(["--out", "Json", "--timeout", &limit.as_secs().to_string()])
        .arg("--output-dir")
        .arg(folder)
        // Code with counters is kept apart from what other commands build.
        .args(["--target-dir", "target/coverage"])
        .args(TESTS)
        .arg("--include-files")
        .args(ROOMS.map(|room| format!("{room}/*")))
        .args(["--exclude-files", "*/tests/*", "*/tests.rs"])
        // It asks a debug build with counters to be quick.
        .args(["--", "--skip", "large_texts_of_one_thing_end_quickly"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log"))?)
        .current_dir(root);
    let mut child = command.spawn().context("can't run cargo")?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("the tests took longer than {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    // The build script has counters too, and leaves them where it runs.
    let _ = fs::remove_file(root.join("build_rs_cov.profraw"));
    if !status.success() {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        bail!("cargo tarpaulin failed:\n{log}");
    }
    Ok(())
}

/// The files of a report by their path below `root`.
fn files_of(report: &Json, root: &Path) -> anyhow::Result<BTreeMap<String, Lines>> {
    let mut files = BTreeMap::new();
    for file in report["files"].as_array().context("a report of files")? {
        let path: std::path::PathBuf = (file["path"].as_array())
            .context("a file's path")?
            .iter()
            .filter_map(Json::as_str)
            .collect();
        let path = path.strip_prefix(root).unwrap_or(&path);
        let traces = file["traces"].as_array().context("a file's lines")?;
        let lines = traces
            .iter()
            .map(|trace| {
                let line = trace["line"].as_u64().unwrap_or(0);
                (line, trace["stats"]["Line"].as_u64().unwrap_or(0) > 0)
            })
            .collect();
        files.insert(path.display().to_string(), lines);
    }
    Ok(files)
}
