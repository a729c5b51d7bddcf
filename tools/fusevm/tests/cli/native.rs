//! What can be seen of native code: its instructions, its decisions, where it is.

use super::Place;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

/// A loop that is worth compiling, and a sub that it calls.
const LOOP: &str = "\
head:
    get_slot 0
    call double 1
    set_slot 1
    slot_inc_lt_int_jump_back 0 20000 head
    get_slot 1
    return_value

.sub double args 1
    load_int 2
    mul
    return_value
.end
";

/// Without what earlier runs have left.
const FRESH: [&str; 5] = ["run", "--cache", "off", "--engine", "register"];

#[test]
fn dis_shows_the_instructions_of_each_op() {
    let place = Place::new().with("m.fvasm", LOOP);
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    let text = place.ok(&["dis", "--native", "m.fvbc"]);
    let text = String::from_utf8(text).expect("text");
    for part in [
        "; native code of main: ",
        "; native code of sub `double`",
        "get_slot",
        "mul",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // All that is added are comments.
    let place = place.with("again.fvasm", &text);
    place.ok(&["build", "again.fvasm", "-o", "again.fvbc"]);
    let plain = place.ok(&["dis", "m.fvbc"]);
    assert_eq!(place.ok(&["dis", "again.fvbc"]), plain);
}

#[test]
fn decisions_are_logged_when_asked_for() {
    let place = Place::new().with("m.fvasm", LOOP);
    let logged = |level: &str| {
        let mut command = place.command(&[&FRESH[..], &["--jit", "eager", "m.fvasm"]].concat());
        let output = command.env("FUSEVM_LOG", level).output();
        let output = output.expect("fusevm starts");
        (
            output.status.code(),
            String::from_utf8(output.stderr).expect("text"),
        )
    };
    let (status, info) = logged("info");
    assert_eq!(status, Some(0));
    assert!(info.contains("info: main"), "{info}");
    assert!(info.contains("compiled in"), "{info}");
    let (_, trace) = logged("trace");
    assert!(
        trace.contains("trace: ") && trace.contains("left, "),
        "{trace}"
    );
    assert_eq!(logged(""), (Some(0), String::new()));
    let (status, refused) = logged("loud");
    assert_eq!(status, Some(2));
    assert!(refused.contains("FUSEVM_LOG"), "{refused}");
}

#[test]
fn perf_is_told_where_code_is() {
    let place = Place::new().with("m.fvasm", LOOP);
    let arguments = [&FRESH[..], &["--jit", "eager", "--perf-map", "m.fvasm"]].concat();
    let mut child = place
        .command(&arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("fusevm starts");
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
    assert!(child.wait().expect("it ends").success());
    let text = std::fs::read_to_string(&map).expect("the map is there");
    let mode = std::fs::metadata(&map)
        .expect("as before")
        .permissions()
        .mode();
    std::fs::remove_file(&map).expect("it is ours");
    assert_eq!(mode & 0o777, 0o600);
    assert!(!text.is_empty());
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        for _ in 0..2 {
            let number = words.next().expect("a number");
            assert!(
                u64::from_str_radix(number, 16).is_ok_and(|n| n > 0),
                "{line}"
            );
        }
        assert!(
            words.next().is_some_and(|name| name.contains("main")),
            "{line}"
        );
    }
}

#[test]
fn native_instructions_are_counted_when_asked_for() {
    let place = Place::new().with("m.fvasm", LOOP);
    let count = |more: &[&str]| {
        let arguments = [&FRESH[..], &["--stats=json"], more, &["m.fvasm"]].concat();
        let outcome = place.run(&arguments);
        let stats: serde_json::Value = serde_json::from_str(&outcome.stderr).expect("JSON");
        let number = |name: &str| stats["jit"][name].as_u64().expect("a number");
        (number("executed"), number("executed_inline"))
    };
    assert_eq!(count(&["--jit", "eager"]), (0, 0));
    let (all, inline) = count(&["--jit", "eager", "--count"]);
    assert!(
        all > 50_000 && inline * 2 > all && inline <= all,
        "{inline} of {all}"
    );
}
