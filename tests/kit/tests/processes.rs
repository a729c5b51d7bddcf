//! Do libraries stay whole when processes change and read them at once, or are killed while they do?

#![cfg(unix)]

use fusevm_kit::processes::{Killed, append_together, worker};
use std::process::{Command, Stdio};

/// What a process of this program is to do, if it is a worker.
const WORK: &str = "FUSEVM_TEST_WORK";

/// Starts this program as a worker.
fn start(arguments: &[&str]) -> Command {
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new(program);
    command.args(["--exact", "works", "--nocapture", "--quiet"]);
    command.env(WORK, arguments.join("\n"));
    command.stdout(Stdio::null());
    command
}

/// The work of the other processes; nothing in the test run itself.
#[test]
fn works() {
    if let Ok(arguments) = std::env::var(WORK) {
        let arguments: Vec<String> = arguments.lines().map(str::to_owned).collect();
        worker(&arguments).unwrap();
    }
}

#[test]
fn writers_and_readers_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    append_together(&folder.path().join("lib.fvbc"), &start, 4, 4, 240).unwrap();
}

#[test]
fn a_killed_writer_leaves_what_was_or_what_was_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut library = Killed::new(folder.path().join("lib.fvbc")).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..20 {
        library.round(&start, &mut rng).unwrap();
    }
    library.tidy().unwrap();
}
