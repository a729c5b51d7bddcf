//! `valgrind`: all vectors and programs in all tiers, in one process under valgrind.

use anyhow::{Context, ensure};
use fusevm::{Chunk, Module, asm, vm::Limits};
use fusevm_kit::{
    outcome::World,
    tiers::{Setup, TIERS, Tier},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders with modules and texts that are run.
const FOLDERS: [&str; 5] = [
    "format-spec/vectors/valid",
    "format-spec/vectors/text",
    "format-spec/vectors/invalid",
    "tests/golden/1.0",
    "tests/programs",
];

/// Fuel of each run: valgrind makes a program fifty times as slow.
const FUEL: u64 = 50_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only run in this tier; may be given several times.
    #[arg(long, value_name = "NAME")]
    tier: Vec<String>,
    /// Run the modules and texts in this process; without, valgrind is started to do it.
    #[arg(long)]
    inside: bool,
    /// What valgrind is given beside its other flags.
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

/// Runs all modules and texts under valgrind.
///
/// # Errors
/// There is no valgrind, or it found an error.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.inside {
        return run_all(root, &arguments.tier);
    }
    // Optimized, with the library's assertions: what is wrong shows itself one way or the other.
    let build = ["build", "--quiet", "--profile", "checked", "-p", "xtask"];
    let built = Command::new(env!("CARGO"))
        .args(build)
        .current_dir(root)
        .status()?;
    ensure!(built.success(), "the build failed");
    let status = Command::new("valgrind")
        .args(["--error-exitcode=1", "--leak-check=full"])
        .args([
            "--errors-for-leak-kinds=definite",
            "--smc-check=all-non-file",
        ])
        .args(&arguments.flags)
        .arg(crate::target_dir(root)?.join("checked/xtask"))
        .args(["valgrind", "--inside"])
        .args(arguments.tier.iter().flat_map(|name| ["--tier", name]))
        .env("CARGO_MANIFEST_DIR", root.join("tools/xtask"))
        .status()
        .context("can't run valgrind")?;
    ensure!(status.success(), "valgrind found errors");
    Ok(())
}

/// Runs each chunk of each module and text in the tiers of these names, or in all.
fn run_all(root: &Path, names: &[String]) -> anyhow::Result<()> {
    let is_wanted = |tier: &&Tier| names.is_empty() || names.iter().any(|name| name == tier.name);
    let tiers: Vec<&Tier> = TIERS.iter().filter(is_wanted).collect();
    ensure!(!tiers.is_empty(), "no tier has that name");
    let limits = Limits {
        fuel: Some(FUEL),
        ..fusevm_kit::outcome::vector_limits()
    };
    let setup = Setup {
        limits,
        world: World::Bare,
        prepare: |_| (),
        in_parts: false,
    };
    let (mut files, mut refused, mut runs, mut traps) = (0, 0, 0, 0);
    for path in paths(root)? {
        files += 1;
        let Some(chunks) = chunks(&path)? else {
            refused += 1;
            continue;
        };
        for chunk in &chunks {
            for setup in [setup.clone(), setup.clone().linked()] {
                for tier in &tiers {
                    runs += 1;
                    traps += u64::from(setup.run(chunk, tier).end.is_err());
                }
            }
        }
    }
    println!("{files} files, {refused} of them refused, {runs} runs, {traps} of them trapped");
    Ok(())
}

/// The files of the folders, in order.
fn paths(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).context(folder)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "fvbc" || extension == "fvasm")
    });
    paths.sort();
    Ok(paths)
}

/// The chunks of a module or a text; `None` if the file is refused.
fn chunks(path: &Path) -> anyhow::Result<Option<Vec<Chunk>>> {
    let bytes = fs::read(path)?;
    let is_text = path.extension().is_some_and(|ending| ending == "fvasm");
    let assembly = if is_text {
        asm::assemble(&bytes, &path.display().to_string()).ok()
    } else {
        let module = Module::from_bytes(bytes).ok();
        module.and_then(|module| asm::Assembly::of_module(&module).ok())
    };
    let chunks = assembly.map(|assembly| assembly.chunks.into_iter().map(|(_, chunk)| chunk));
    Ok(chunks.map(Iterator::collect))
}
