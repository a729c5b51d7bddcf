//! Are standard streams and output files treated with care?

use super::Place;
use std::io::Read;
use std::process::Stdio;

const HELLO: &str = "load_const \"hello\"\nprint_ln 1\n";

#[test]
fn a_program_comes_from_standard_input() {
    let place = Place::new().with("m.fvasm", HELLO);
    let outcome = place.run_with(&["run", "-"], HELLO.as_bytes());
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(0), &b"hello\n"[..])
    );
    let module = place.ok(&["build", "m.fvasm", "-o", "-"]);
    let outcome = place.run_with(&["run", "-"], &module);
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(0), &b"hello\n"[..])
    );
}

#[test]
fn errors_name_standard_input() {
    let place = Place::new();
    let outcome = place.run_with(&["run", "-"], b"prnt 1");
    outcome.assert_refused(126, "E0305");
    assert!(
        outcome.stderr.contains("--> <standard input>:1:1"),
        "{outcome:?}"
    );
    let outcome = place.run_with(&["info", "-"], b"\x89FVBC");
    assert!(
        outcome.stderr.contains("--> <standard input>"),
        "{outcome:?}"
    );
}

#[test]
fn a_program_reads_its_own_input() {
    let place = Place::new().with("m.fvasm", "read_line\nprint_ln 1\nread_line\nprint_ln 1\n");
    let outcome = place.run_with(&["run", "m.fvasm"], b"one\ntwo\nthree\n");
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(0), &b"one\ntwo\n"[..])
    );
}

#[test]
fn bytes_pass_unchanged() {
    let place = Place::new().with("m.fvasm", "load_const \"\\xff\\0\\n\"\nprint 1\n");
    assert_eq!(place.ok(&["run", "m.fvasm"]), b"\xff\0\n");
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let place = Place::new().with("m.fvasm", HELLO);
    let first = place.ok(&["build", "m.fvasm", "-o", "-"]);
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    assert_eq!(place.read("m.fvbc"), first);
    let text = place.ok(&["dis", "m.fvbc"]);
    let place = place.with("again.fvasm", text);
    assert_eq!(place.ok(&["asm", "again.fvasm", "-o", "-"]), first);
}

#[test]
fn a_failed_command_leaves_no_file_and_no_rest() {
    let place = Place::new()
        .with("bad.fvasm", "prnt")
        .with("out.fvbc", "old");
    for name in ["out.fvbc", "new.fvbc"] {
        let outcome = place.run(&["build", "bad.fvasm", "-o", name]);
        outcome.assert_refused(1, "E0305");
    }
    assert_eq!(place.read("out.fvbc"), b"old");
    assert_eq!(place.names(), ["bad.fvasm", "out.fvbc"]);
}

#[cfg(unix)]
#[test]
fn devices_can_be_written_to() {
    let place = Place::new().with("m.fvasm", HELLO);
    place.ok(&["build", "m.fvasm", "-o", "/dev/null"]);
    let piped = place.ok(&["build", "m.fvasm", "-o", "/dev/stdout"]);
    assert_eq!(piped, place.ok(&["build", "m.fvasm", "-o", "-"]));
}

/// Runs with a standard output that nobody reads any more.
fn run_unread(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = place
        .command(args)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    (child.wait().unwrap().code(), stderr)
}

#[test]
fn a_reader_that_went_away_is_no_error_of_ours() {
    let place = Place::new().with("m.fvasm", HELLO);
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    let commands: [&[&str]; 10] = [
        &["spec"],
        &["explain"],
        &["--help"],
        &["man"],
        &["dis", "m.fvbc"],
        &["list", "m.fvbc"],
        &["info", "m.fvbc"],
        &["size", "m.fvbc"],
        &["hash", "m.fvbc"],
        &["check", "m.fvbc"],
    ];
    for args in commands {
        assert_eq!(
            run_unread(&place, args),
            (Some(0), String::new()),
            "{args:?}"
        );
    }
}

#[test]
fn a_program_that_nobody_reads_is_trapped() {
    let place = Place::new().with("m.fvasm", HELLO);
    let (status, stderr) = run_unread(&place, &["run", "m.fvasm"]);
    assert_eq!(status, Some(125));
    assert!(stderr.starts_with("trap[E0414]: "), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let place = Place::new().with("m.fvasm", HELLO);
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = place.command(&["spec"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error[E0602]: "));
}

#[test]
fn colours_are_for_terminals_or_who_asks() {
    let place = Place::new();
    let mut plain = place.command(&["run", "missing"]);
    assert!(!plain.output().unwrap().stderr.contains(&0x1b));
    let mut asked = place.command(&["run", "missing"]);
    let output = asked.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(output.stderr.contains(&0x1b));
    let mut declined = place.command(&["run", "missing"]);
    let output = declined.env("NO_COLOR", "1").output().unwrap();
    assert!(!output.stderr.contains(&0x1b));
}
