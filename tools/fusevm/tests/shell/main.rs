//! Do shell ops do what a shell does with the same script?
//!
//! `cases.txt` has a script on each line; a `⏎` in it is a newline. A line that begins with `#` names a topic, and
//! the shell to compare with, `dash` or `bash`. Each script runs in a folder of its own, once in that shell and
//! once compiled to ops, and both must agree on status, standard output, and the files that are there then. What
//! the shells did is recorded in `recorded.json`, which stands in for a shell that isn't installed; with `BLESS=1`
//! it is written anew.

mod folders;
mod hostile;
mod modes;
mod stress;
mod tiers;

use fusevm::Chunk;
use fusevm_kit::sh::compile;
use modes::{Mode, modes};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a script left.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Left {
    status: Option<i32>,
    output: String,
    files: BTreeMap<String, String>,
}

/// A script and the shell to compare with.
struct Case {
    shell: String,
    script: String,
}

fn cases() -> Vec<Case> {
    let mut shell = "dash".to_owned();
    let mut cases = Vec::new();
    for line in include_str!("cases.txt").lines() {
        if let Some(topic) = line.strip_prefix("# ") {
            shell = topic.split(' ').next().expect("a shell").to_owned();
        } else if !line.is_empty() {
            let script = line.replace('⏎', "\n");
            cases.push(Case {
                shell: shell.clone(),
                script,
            });
        }
    }
    cases
}

/// The command line that is under test.
fn fusevm() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fusevm"))
}

/// Writes the module of a chunk to a folder.
fn module(folder: &Path, chunk: &Chunk) -> PathBuf {
    let path = folder.join("script.fvbc");
    std::fs::write(&path, fusevm_kit::module_of([("main", chunk)])).expect("a file is written");
    path
}

/// A program that gets the standard streams alone, whatever else this process has inherited.
fn command(program: impl AsRef<OsStr>) -> Command {
    // Of the shells, bash alone can close descriptors of two digits.
    let close = "for fd in /proc/self/fd/*; do
        fd=${fd##*/}; [ \"$fd\" -gt 2 ] 2> /dev/null && eval \"exec $fd>&-\"
    done; exec \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", close]).arg(program);
    command
}

/// Runs a command in a folder of its own with a few files in it.
fn run(command: &mut Command) -> Left {
    let place = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(place.path().join("lines"), "one\ntwo\nthree\n").expect("a file is written");
    std::fs::create_dir(place.path().join("dir")).expect("a folder is made");
    std::fs::write(place.path().join("dir/inner.c"), "").expect("a file is written");
    let output = command
        .current_dir(place.path())
        .env("HOME", "/home/someone")
        .env("LC_ALL", "C")
        .env_remove("ENV")
        .stdin(Stdio::null())
        .output()
        .expect("it can be started");
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(place.path()).expect("the folder is there") {
        let entry = entry.expect("an entry");
        let contents = std::fs::read(entry.path()).unwrap_or_default();
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, String::from_utf8_lossy(&contents).into_owned());
    }
    let output = (output.status, output.stdout);
    Left {
        status: output.0.code(),
        output: String::from_utf8_lossy(&output.1).into_owned(),
        files,
    }
}

fn is_installed(shell: &str) -> bool {
    let version = Command::new(shell).args(["-c", ":"]).status();
    version.is_ok_and(|status| status.success())
}

fn recorded() -> BTreeMap<String, Left> {
    serde_json::from_str(include_str!("recorded.json")).expect("what was recorded")
}

/// Runs a script in a mode.
fn found(mode: &Mode, module: &Path) -> Left {
    run(command(fusevm())
        .arg("run")
        .args(&mode.arguments)
        .arg(module))
}

fn assert_none(wrong: &[String]) {
    let (count, wrong) = (wrong.len(), wrong.join("\n"));
    assert!(count == 0, "{count} differ:\n{wrong}");
}

#[test]
fn scripts_do_what_they_do_in_a_shell() {
    let recorded = recorded();
    let scripts = tempfile::tempdir().expect("a temporary folder");
    let mode = Mode::new(&["--engine", "reference"]);
    let mut wrong = Vec::new();
    for Case { shell, script } in cases() {
        let expected = match is_installed(&shell) {
            true => run(command(&shell).args(["-c", &script])),
            false => recorded[&script].clone(),
        };
        let found = found(&mode, &module(scripts.path(), &compile(&script)));
        if found != expected {
            wrong.push(format!("{shell}: {script}\n  {expected:?}\n  {found:?}"));
        }
    }
    assert_none(&wrong);
}

/// Whatever runs a script, it does what was recorded of the shell. Native code is made of every script, and
/// each is run again with what was kept of it. With `SHELL_STRESS` each script is run in each mode, without in
/// one of them.
#[test]
fn scripts_do_the_same_whatever_runs_them() {
    let recorded = recorded();
    let scripts = tempfile::tempdir().expect("a temporary folder");
    let mut wrong = Vec::new();
    let modes = modes();
    for (turn, mode) in modes.iter().enumerate() {
        let step = if stress::is_asked_for() {
            1
        } else {
            modes.len()
        };
        for Case { script, .. } in cases().into_iter().skip(turn % step).step_by(step) {
            let module = module(scripts.path(), &compile(&script));
            let times = if mode.cache.is_some() { 2 } else { 1 };
            for _ in 0..times {
                let found = found(mode, &module);
                let expected = &recorded[&script];
                if found != *expected {
                    let how = mode.arguments.join(" ");
                    wrong.push(format!("{how}: {script}\n  {expected:?}\n  {found:?}"));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn cases_are_many_and_recorded() {
    let cases = cases();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    if std::env::var_os("BLESS").is_some() {
        let left = cases.iter().map(|case| {
            let left = run(command(&case.shell).args(["-c", &case.script]));
            (case.script.clone(), left)
        });
        let left: BTreeMap<String, Left> = left.collect();
        let text = serde_json::to_string_pretty(&left).expect("it is JSON");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell/recorded.json");
        std::fs::write(path, text + "\n").expect("a file is written");
        return;
    }
    let recorded = recorded();
    let missing: Vec<_> = cases
        .iter()
        .filter(|case| !recorded.contains_key(&case.script))
        .collect();
    assert!(
        missing.is_empty(),
        "{} are not recorded: BLESS=1",
        missing.len()
    );
    assert_eq!(
        recorded.len(),
        cases.len(),
        "no more is recorded than there is"
    );
}

/// The ops of all cases together.
#[test]
fn cases_use_every_shell_op() {
    let mut used = std::collections::BTreeSet::new();
    for case in cases() {
        let chunk = compile(&case.script);
        fusevm::verify::verify_chunk(&chunk)
            .unwrap_or_else(|error| panic!("{}: {error}", case.script));
        used.extend(chunk.ops.iter().map(|op| op.info().name));
    }
    let all = fusevm::op::INFO
        .iter()
        .filter(|info| info.family == fusevm::op::Family::Shell);
    let unused: Vec<_> = all
        .map(|info| info.name)
        .filter(|name| !used.contains(name))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}
