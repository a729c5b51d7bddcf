//! What happens to files that can't be what they are given as?

use super::Place;

const SOURCE: &str = ".chunk main\n.source \"s\"\n.line 1\nload_const \"text\"\nprint_ln 1\n";

/// A place with a good module `m.fvbc`, and its bytes.
fn good() -> (Place, Vec<u8>) {
    let place = Place::new().with("m.fvasm", SOURCE);
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    let bytes = place.read("m.fvbc");
    (place, bytes)
}

/// The commands that read a module.
const READERS: [&[&str]; 9] = [
    &["run"],
    &["dis"],
    &["info", "--all"],
    &["list"],
    &["size"],
    &["hash"],
    &["strip", "-o", "out"],
    &["extract", "--all", "-o", "out"],
    &["check"],
];

/// Gives `name` to each reader; each must refuse it.
fn assert_refused_by_all(place: &Place, name: &str, code: &str) {
    for reader in READERS {
        let args = [reader, &[name]].concat();
        let status = if reader == ["check"] { 1 } else { 126 };
        place.run(&args).assert_refused(status, code);
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_wherever_it_is_cut() {
    let (place, bytes) = good();
    for length in 1..bytes.len() {
        std::fs::write(place.path("m.fvbc"), &bytes[..length]).unwrap();
        let outcome = place.run(&["run", "m.fvbc"]);
        assert_eq!(outcome.status, Some(126), "{length}: {outcome:?}");
        assert!(outcome.stdout.is_empty(), "{length}");
    }
}

#[test]
fn a_short_file_says_that_it_is_cut() {
    let (place, bytes) = good();
    let place = place.with("m.fvbc", &bytes[..bytes.len() - 1]);
    assert_refused_by_all(&place, "m.fvbc", "E0104");
}

#[test]
fn a_changed_byte_is_found() {
    let (place, bytes) = good();
    let in_record = 256 + 30;
    let mut changed = bytes.clone();
    changed[in_record] ^= 1;
    let place = place.with("m.fvbc", &changed);
    place.run(&["run", "m.fvbc"]).assert_refused(126, "E0108");
    place.run(&["check", "m.fvbc"]).assert_refused(1, "E0108");
}

#[test]
fn another_major_version_is_refused_by_name() {
    let (place, mut bytes) = good();
    bytes[8] = 2;
    let place = place.with("m.fvbc", &bytes);
    assert_refused_by_all(&place, "m.fvbc", "E0103");
    let outcome = place.run(&["run", "m.fvbc"]);
    assert!(
        outcome.stderr.contains("fusevm 0."),
        "who wrote it: {outcome:?}"
    );
}

#[test]
fn an_empty_file_is_no_module() {
    let place = Place::new().with("m.fvbc", "");
    assert_refused_by_all(&place, "m.fvbc", "E0102");
}

#[test]
fn a_script_of_another_language_is_no_module() {
    let place = Place::new()
        .with("m.fvbc", "#!/bin/sh\necho hi\n")
        .with("m.sh", "#!/bin/sh\necho hi\n")
        .with("program", b"\x7fELF\x02\x01\x01");
    for name in ["m.fvbc", "m.sh", "program"] {
        assert_refused_by_all(&place, name, "E0102");
    }
}

#[test]
fn names_and_bytes_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.fvasm");
    let place = Place::new();
    std::fs::write(place.0.path().join(name), b"load_const \"\xe9\"").unwrap();
    let args = [std::ffi::OsStr::new("run"), name];
    place.run(&args).assert_refused(126, "E0301");
}

#[test]
fn a_folder_is_no_file() {
    let place = Place::new();
    for reader in READERS {
        let args = [reader, &["."]].concat();
        place.run(&args).assert_refused(126, "E0101");
    }
    place
        .run(&["import", ".", "-o", "m.fvbc"])
        .assert_refused(126, "E0101");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo")
        .arg(place.path("m.fvbc"))
        .status();
    assert!(made.unwrap().success());
    for reader in READERS {
        let args = [reader, &["m.fvbc"]].concat();
        place.run(&args).assert_refused(126, "E0101");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (place, _) = good();
    let path = place.path("m.fvbc");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        // Nothing is forbidden to root.
        return;
    }
    place.run(&["run", "m.fvbc"]).assert_refused(126, "E0101");
}

#[test]
fn what_is_missing_has_a_status_of_its_own() {
    let place = Place::new();
    for reader in READERS {
        let args = [reader, &["m.fvbc"]].concat();
        place.run(&args).assert_refused(127, "E0101");
    }
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let source = ".meta \"\\e\" \"\\e[31m\"\n.chunk \"\\e[31mred\\nline\"\nload_int 1\n";
    let place = Place::new().with("m.fvasm", source);
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    for reader in [
        &["list"][..],
        &["check"],
        &["info", "--all"],
        &["size"],
        &["hash"],
    ] {
        let args = [reader, &["m.fvbc"]].concat();
        assert!(!place.ok(&args).contains(&0x1b), "{reader:?}");
    }
}
