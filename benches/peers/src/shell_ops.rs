//! Shell ops beside dash: the same scripts, compiled to ops and given to the shell, in one run.
//!
//! CPU time of a whole process and of all that it starts and waits for. What both need to start is measured by an
//! empty script and taken off. Of a glob over a folder that isn't remembered, most is the system's listing: what
//! that takes alone stands beside it.

use crate::clock::{median, time};
use crate::report::Row;
use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::fs::{Mode, OFlags, RawDir};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The shell to compare with.
const SHELL: &str = "dash";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each script is run; the median counts.
    #[arg(long, default_value_t = 5)]
    samples: usize,
    /// The `fusevm` to measure [default: the one beside this program]
    #[arg(long)]
    fusevm: Option<PathBuf>,
}

/// How often the globs list the folder.
const GLOBS: u32 = 20;

/// Bytes of a listing that are asked for at a time.
const LISTING: usize = 1 << 15;

/// A script, and whether processes are what it is about.
struct Task {
    name: &'static str,
    forks: bool,
    script: String,
}

fn tasks() -> Vec<Task> {
    let repeated = |times: u32, body: &str| {
        format!("i=0; while test $i -lt {times}; do {body}; i=$((i+1)); done")
    };
    let task = |name, forks, script| Task {
        name,
        forks,
        script,
    };
    vec![
        task("1,000 subshells", true, repeated(1000, "(:)")),
        task("1,000 substitutions", true, repeated(1000, "x=$(echo a)")),
        task(
            "500 pipelines of two stages",
            true,
            repeated(500, "echo a | :"),
        ),
        task("500 commands", true, repeated(500, "/bin/true")),
        task(
            "100,000 splits",
            false,
            format!(
                "w='a b  c d e'; {}",
                repeated(100_000, "for x in $w; do :; done")
            ),
        ),
        task(
            "20 globs over 10,000 files",
            false,
            repeated(GLOBS, "for x in *7*; do :; done"),
        ),
    ]
}

/// Runs all tasks and gives their figures.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let fusevm = match &arguments.fusevm {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let place = tempfile::tempdir()?;
    let files = place.path().join("files");
    std::fs::create_dir(&files)?;
    for number in 0..10_000 {
        std::fs::write(files.join(format!("file{number}")), "")?;
    }
    let measured = |script: &str| measure(&fusevm, place.path(), &files, script, arguments.samples);
    let (own_start, shell_start) = measured(":")?;
    let mut rows = vec![
        Row::new("fusevm: start", own_start / 1e3, "us"),
        Row::new(format!("{SHELL}: start"), shell_start / 1e3, "us"),
    ];
    for task in tasks() {
        let (own, shell) = measured(&task.script)?;
        let (own, shell) = (own - own_start, shell - shell_start);
        let target = match task.forks {
            true => "target: at most 1.1",
            false => "target: at most 0.5",
        };
        rows.push(Row::new(format!("fusevm: {}", task.name), own / 1e6, "ms"));
        rows.push(Row::new(
            format!("{SHELL}: {}", task.name),
            shell / 1e6,
            "ms",
        ));
        let figure = format!("fusevm by {SHELL}: {} ({target})", task.name);
        rows.push(Row::new(figure, own / shell, "x"));
    }
    let listings = (0..arguments.samples).map(|_| time(GLOBS, || list(&files)));
    let listing = f64::from(GLOBS) * median(listings.collect());
    let figure = format!("the system alone: {GLOBS} listings of 10,000 files");
    rows.push(Row::new(figure, listing / 1e6, "ms"));
    Ok(rows)
}

/// Lists a folder, and counts its entries.
fn list(folder: &Path) -> rustix::io::Result<usize> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(LISTING);
    let mut entries = RawDir::new(folder, buffer.spare_capacity_mut());
    let mut count = 0;
    while let Some(entry) = entries.next() {
        entry?;
        count += 1;
    }
    Ok(count)
}

/// The `fusevm` of the same build.
fn beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.with_file_name("fusevm");
    ensure!(
        path.exists(),
        "there is no {}: build it by `cargo build --release -p fusevm-cli`",
        path.display()
    );
    Ok(path)
}

/// CPU nanoseconds of the script compiled to ops, and in the shell, one after the other in turn.
fn measure(
    fusevm: &Path,
    place: &Path,
    files: &Path,
    script: &str,
    samples: usize,
) -> anyhow::Result<(f64, f64)> {
    let module = place.join("script.fvbc");
    let chunk = fusevm_kit::sh::compile(script);
    std::fs::write(&module, fusevm_kit::module_of([("main", &chunk)]))?;
    let (mut own, mut shell) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        own.push(cpu_of(
            Command::new(fusevm)
                .arg("run")
                .arg(&module)
                .current_dir(files),
        )?);
        shell.push(cpu_of(
            Command::new(SHELL).args(["-c", script]).current_dir(files),
        )?);
    }
    Ok((median(own), median(shell)))
}

/// CPU nanoseconds of a command and all that it waited for.
fn cpu_of(command: &mut Command) -> anyhow::Result<f64> {
    let before = children_ns()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{command:?} can't be started"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(children_ns()? - before)
}

/// CPU nanoseconds of all processes that were waited for, and of those that they waited for.
fn children_ns() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let spent = usage.user_time() + usage.system_time();
    Ok(spent.num_microseconds() as f64 * 1e3)
}
