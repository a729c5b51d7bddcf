//! Does a process that takes all its code from the cache run anything of the compiler? As callgrind sees
//! it, which knows each function that ran; where valgrind isn't installed, nobody does.

use super::{Place, Ran, ran};
use std::fs;
use std::process::Command;

/// What the names of the compiler's functions begin with.
const COMPILER: [&str; 3] = ["cranelift_codegen", "cranelift_frontend", "regalloc2"];

/// What the program did while callgrind watched, and the functions of the compiler that ran.
fn watched(place: &Place) -> (Ran, Vec<String>) {
    let profile = place.path("profile");
    let command = place.command(place.cache());
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--log-file=/dev/null"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(command.get_program()).args(command.get_args());
    let run = ran(&mut valgrind);
    let profile = fs::read_to_string(profile).expect("a profile");
    let names = profile.lines().filter_map(|line| {
        let name = line.strip_prefix("fn=").or(line.strip_prefix("cfn="))?;
        // A name stands behind its number, once.
        Some(name.split_once(") ")?.1.to_owned())
    });
    let names: Vec<String> = names.collect();
    assert!(
        names.iter().any(|name| name.contains("fusevm")),
        "the profile names no functions"
    );
    let is_compiler = |name: &String| COMPILER.iter().any(|part| name.contains(part));
    (run, names.into_iter().filter(is_compiler).collect())
}

#[test]
fn a_hit_runs_nothing_of_the_compiler() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: valgrind isn't installed");
        return;
    }
    let place = Place::new();
    let (first, compiling) = watched(&place);
    assert!(first.number("compiled") > 0 && !compiling.is_empty());
    let (second, compiling) = watched(&place);
    assert!(second.is_hit(), "{}", second.stats);
    assert_eq!(compiling, [""; 0]);
}
