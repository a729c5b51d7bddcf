//! The ways in which `fusevm run` runs a program, and running one.

use super::{fusevm, module};
use fusevm::Chunk;
use fusevm_kit::sh::compile;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What the folder of native code is called.
const FOLDER: &str = "code";

/// What is given to `fusevm run`.
pub(crate) struct Mode {
    pub(crate) arguments: Vec<String>,
    /// The folder in which there is one for native code, if that is kept.
    pub(crate) cache: Option<TempDir>,
}

impl Mode {
    /// One that keeps no native code.
    pub(crate) fn new(arguments: &[&str]) -> Mode {
        let arguments = arguments.iter().copied().chain(["--cache", "off"]);
        Mode {
            arguments: arguments.map(str::to_owned).collect(),
            cache: None,
        }
    }

    /// One that keeps native code in a folder of its own, which it makes as it wants it.
    pub(crate) fn with_cache(arguments: &[&str]) -> Mode {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let folder = cache.path().join(FOLDER);
        let folder = folder.to_str().expect("text");
        let arguments = arguments.iter().copied().chain(["--cache", folder]);
        Mode {
            arguments: arguments.map(str::to_owned).collect(),
            cache: Some(cache),
        }
    }

    /// How many files of native code were written.
    pub(crate) fn packs(&self) -> usize {
        let folder = self.cache.as_ref().map(|cache| cache.path().join(FOLDER));
        let makers = folder.and_then(|folder| std::fs::read_dir(folder).ok());
        let makers = makers.into_iter().flatten();
        let packs = makers.filter_map(|maker| std::fs::read_dir(maker.ok()?.path()).ok());
        packs.map(Iterator::count).sum()
    }
}

/// All of them, but the reference interpreter alone.
pub(crate) fn modes() -> Vec<Mode> {
    vec![
        Mode::new(&[]),
        Mode::new(&["--engine", "register", "--jit", "off"]),
        Mode::new(&["--engine", "register", "--jit", "eager"]),
        Mode::with_cache(&["--engine", "register", "--jit", "eager"]),
    ]
}

/// Runs a script with arguments of `run`. Gives its status, and what it printed on both streams.
pub(crate) fn run_script(arguments: &[&str], script: &str) -> (Option<i32>, String, String) {
    let place = tempfile::tempdir().expect("a temporary folder");
    run_chunk(place.path(), arguments, &compile(script))
}

/// Runs a chunk in a folder, likewise.
pub(crate) fn run_chunk(
    place: &Path,
    arguments: &[&str],
    chunk: &Chunk,
) -> (Option<i32>, String, String) {
    let module = module(place, chunk);
    let mut command = Command::new(fusevm());
    command.arg("run").args(arguments).arg(module);
    let output = command
        .current_dir(place)
        .output()
        .expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
