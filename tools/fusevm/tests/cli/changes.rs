//! Does `diff` name what changed and nothing else, and does `strip` change nothing that counts?

use super::Place;
use std::path::Path;

/// A library of functions, of which those in `changed` differ from the others' in one constant.
fn library(changed: &[usize]) -> String {
    (0..50)
        .map(|number| {
            let value = 10 * number + usize::from(changed.contains(&number));
            format!(".chunk f{number}\n.source \"lib.sh\"\n.line {number}\nload_int {value}\nprint_ln 1\n\n")
        })
        .collect()
}

fn text(outcome: &super::Outcome) -> &str {
    std::str::from_utf8(&outcome.stdout).unwrap()
}

#[test]
fn diff_names_the_changed_functions_only() {
    let place = Place::new()
        .with("a.fvasm", library(&[]))
        .with("b.fvasm", library(&[3, 17, 49]));
    for name in ["a", "b"] {
        place.ok(&[
            "build",
            &format!("{name}.fvasm"),
            "-o",
            &format!("{name}.fvbc"),
        ]);
    }
    let outcome = place.run(&["diff", "--stat", "a.fvbc", "b.fvbc"]);
    assert_eq!(outcome.status, Some(1));
    let changed = "changed f3, 2 -> 2 ops\nchanged f17, 2 -> 2 ops\nchanged f49, 2 -> 2 ops\n";
    assert_eq!(text(&outcome), changed);
    let outcome = place.run(&["diff", "a.fvbc", "b.fvbc"]);
    for line in [
        "-    load_int 30\n",
        "+    load_int 31\n",
        "--- a/f17\n",
        "+++ b/f17\n",
    ] {
        assert!(text(&outcome).contains(line), "{outcome:?}");
    }
    assert!(!text(&outcome).contains(".line"), "{outcome:?}");
    assert_eq!(place.ok(&["diff", "b.fvbc", "b.fvasm"]), b"");
}

#[test]
fn the_order_of_chunks_is_no_difference() {
    let place = Place::new()
        .with("a.fvasm", ".chunk a\nload_int 1\n.chunk b\nload_int 2\n")
        .with("b.fvasm", ".chunk b\nload_int 2\n.chunk a\nload_int 1\n");
    assert_eq!(place.ok(&["diff", "a.fvasm", "b.fvasm"]), b"");
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let chunk = |value: u32| {
        format!(".meta \"\\e\" \"\\e{value}\"\n.chunk \"\\e[31mred\\nline\"\nload_int {value}\n")
    };
    let place = Place::new()
        .with("a.fvasm", chunk(1))
        .with("b.fvasm", chunk(2));
    let outcome = place.run(&["diff", "a.fvasm", "b.fvasm"]);
    assert_eq!(outcome.status, Some(1));
    assert!(!outcome.stdout.contains(&0x1b), "{outcome:?}");
}

#[test]
fn strip_keeps_hashes_and_results() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs");
    let place = Place::new();
    for file in std::fs::read_dir(programs).unwrap() {
        let path = file.unwrap().path();
        let Some(path) = path.to_str().filter(|path| path.ends_with(".fvasm")) else {
            continue;
        };
        place.ok(&["build", path, "-o", "m.fvbc"]);
        place.ok(&["build", "--strip", path, "-o", "built.fvbc"]);
        place.ok(&["strip", "m.fvbc", "-o", "some.fvbc"]);
        place.ok(&["strip", "--all", "m.fvbc", "-o", "all.fvbc"]);
        assert!(place.read("all.fvbc") == place.read("built.fvbc"), "{path}");
        let hashes = |name: &str| {
            let hashes = String::from_utf8(place.ok(&["hash", name])).unwrap();
            hashes
                .lines()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(hashes("m.fvbc"), hashes("some.fvbc"), "{path}");
        assert_eq!(hashes("m.fvbc"), hashes("all.fvbc"), "{path}");
        place.ok(&["check", "some.fvbc", "all.fvbc"]);
        let run = |name: &str| {
            let outcome = place.run(&[
                "run",
                "--fuel",
                "10M",
                "--max-depth",
                "1k",
                "--deny",
                "exec",
                name,
            ]);
            (outcome.status, outcome.stdout)
        };
        assert_eq!(run("m.fvbc"), run("all.fvbc"), "{path}");
    }
}

#[test]
fn a_module_is_stripped_in_place() {
    let place = Place::new().with("m.fvasm", ".source \"s\"\n.line 3\nload_int 1\n");
    place.ok(&["build", "m.fvasm", "-o", "m.fvbc"]);
    place.ok(&["strip", "--all", "m.fvbc", "-o", "m.fvbc"]);
    assert_eq!(
        place.ok(&["dis", "m.fvbc"]),
        b".chunk main\n\n    load_int 1\n"
    );
    assert_eq!(place.names(), ["m.fvasm", "m.fvbc"]);
}
