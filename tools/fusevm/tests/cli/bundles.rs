//! Does a bundle give back what went in, byte for byte, and nothing where it doesn't belong?

use super::Place;
use fusevm::format::{Entry, Module, ModuleWriter};
use fusevm::{ChunkBuilder, Op};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The folder of the test programs.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs")
}

/// Builds all test programs in the place, and gives the names of the modules, sorted.
fn build_programs(place: &Place) -> Vec<String> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(programs()).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "fvasm")
        {
            let name = format!("{}.fvbc", path.file_stem().unwrap().to_str().unwrap());
            place.ok(&[
                "build".as_ref(),
                path.as_os_str(),
                "-o".as_ref(),
                name.as_ref(),
            ]);
            names.push(name);
        }
    }
    names.sort();
    assert!(names.len() >= 40);
    names
}

/// The command line that bundles the files as `all`.
fn bundle(files: &[String]) -> Vec<&str> {
    let files = files.iter().map(String::as_str);
    ["bundle", "-o", "all"].into_iter().chain(files).collect()
}

#[test]
fn every_program_comes_back_byte_for_byte() {
    let place = Place::new();
    let names = build_programs(&place);
    place.ok(&bundle(&names));
    place.ok(&["check", "all"]);
    place.ok(&["extract", "all", "--all", "-o", "out"]);
    for name in &names {
        let original = place.read(name);
        assert!(place.read(&format!("out/{name}")) == original, "{name}");
        let alone = place.ok(&["extract", "all", name, "-o", "-"]);
        assert!(alone == original, "{name}");
    }
    let count = std::fs::read_dir(place.path("out")).unwrap().count();
    assert_eq!(count, names.len());
}

#[test]
fn the_order_of_files_is_kept() {
    let place = Place::new();
    let mut names = build_programs(&place);
    names.reverse();
    place.ok(&bundle(&names));
    let first = place.read("all");
    place.ok(&["extract", "all", "--all", "-o", "out"]);
    for name in &names {
        assert!(
            place.read(&format!("out/{name}")) == place.read(name),
            "{name}"
        );
    }
    place.ok(&bundle(&names));
    assert!(
        place.read("all") == first,
        "the same files give the same bytes"
    );
}

#[test]
fn a_bundle_of_bundles_comes_back() {
    let place = Place::new();
    let names = build_programs(&place);
    let (some, rest) = names.split_at(7);
    for (files, name) in [(some, "some.fvbc"), (rest, "rest.fvbc")] {
        let mut command = bundle(files);
        command[2] = name;
        place.ok(&command);
    }
    place.ok(&[
        "bundle",
        "some.fvbc",
        "rest.fvbc",
        names[9].as_str(),
        "-o",
        "all",
        "--space",
        "top",
    ]);
    place.ok(&["extract", "all", "--all", "-o", "out"]);
    for name in ["some.fvbc", "rest.fvbc", &names[9]] {
        assert!(
            place.read(&format!("out/{name}")) == place.read(name),
            "{name}"
        );
    }
    place.ok(&["extract", "out/some.fvbc", &names[3], "-o", "again"]);
    assert!(place.read("again") == place.read(&names[3]));
}

/// A module of a chunk for each name space and name.
fn module(producer: &str, chunks: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.producer(producer).unwrap();
    for (number, (space, name)) in chunks.iter().enumerate() {
        let mut builder = ChunkBuilder::new();
        builder.emit(Op::LoadInt(number as i64), 1);
        let entry = Entry::named(*name).in_space(*space);
        writer.add(&entry, &builder.build()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn other_writers_keep_their_name() {
    let chunks = [("", "a"), ("x", "b"), ("x", "c"), ("", "d"), ("one", "e")];
    let one = module("zshrs 3.1", &chunks);
    let two = module("", &[]);
    let place = Place::new().with("one.fvbc", &one).with("two.fvbc", &two);
    place.ok(&["bundle", "one.fvbc", "two.fvbc", "-o", "all"]);
    let list = String::from_utf8(place.ok(&["list", "all"])).unwrap();
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    assert_eq!(names, ["one::a", "x::b", "x::c", "one::d", "one::e"]);
    place.ok(&["extract", "all", "--all", "-o", "out"]);
    assert!(place.read("out/one.fvbc") == one);
    assert!(place.read("out/two.fvbc") == two);
}

#[test]
fn what_is_not_canonical_is_told_and_comes_back_canonical() {
    let mut odd = module("odd", &[("", "main")]);
    // Another minor version changes nothing but the header.
    let canonical = odd.clone();
    let second_slot = 64 + 80;
    let (first, second) = odd[64..second_slot + 80].split_at_mut(80);
    second.copy_from_slice(first);
    // The second slot has a later generation, and a seal that fits it.
    second[0] = 2;
    let sealed = odd[..64].to_vec();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&sealed);
    crc.update(&odd[second_slot..second_slot + 76]);
    let seal = crc.finalize().to_le_bytes();
    odd[second_slot + 76..second_slot + 80].copy_from_slice(&seal);
    assert_eq!(Module::from_bytes(odd.clone()).unwrap().generation(), 2);

    let place = Place::new().with("odd.fvbc", &odd);
    let outcome = place.run(&["bundle", "odd.fvbc", "-o", "all"]);
    assert_eq!(outcome.status, Some(0));
    let note = "note: odd.fvbc: `extract` will give it back in canonical form\n";
    assert_eq!(outcome.stderr, note);
    assert!(place.ok(&["extract", "all", "odd.fvbc", "-o", "-"]) == canonical);
}

#[test]
fn hostile_names_stay_in_the_folder() {
    let long = "x".repeat(60_000);
    let names = [
        "../up",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "a\0b",
        "-rf",
        "\u{1b}[31m",
        "A",
        "a",
        &long,
    ];
    let mut chunks: Vec<(&str, &str)> = names.iter().map(|name| ("", *name)).collect();
    chunks.extend(names.iter().skip(1).map(|space| (*space, "..")));
    chunks.retain(|(space, name)| !(space.is_empty() && *name == ".."));
    let place = Place::new().with("m.fvbc", module("", &chunks));
    place.ok(&["extract", "m.fvbc", "--all", "-o", "deep/out"]);
    assert_eq!(place.names(), ["deep", "m.fvbc"]);
    let folder = place.path("deep/out");
    assert_eq!(std::fs::read_dir(place.path("deep")).unwrap().count(), 1);
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        assert!(file.file_type().unwrap().is_file());
        let name = file.file_name().into_string().unwrap();
        assert!(
            !name.starts_with(['.', '-']) && !name.chars().any(char::is_control),
            "{name:?}"
        );
        count += 1;
    }
    assert_eq!(count, chunks.len());
}

#[test]
fn hostile_files_of_a_bundle_stay_in_the_folder() {
    let text = ".meta \"bundle/../chunks\" \"0 1\"\n.meta \"bundle/..\\\\x\\n/chunks\" \"1\"\n\
                .chunk main\n.space s\nload_int 1\n";
    let place = Place::new().with("m.fvasm", text);
    place.ok(&["extract", "m.fvasm", "--all", "-o", "out"]);
    assert_eq!(place.names(), ["m.fvasm", "out"]);
    let files = std::fs::read_dir(place.path("out")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["%2E.", "%2E.%5Cx%0A"]);
}

#[test]
fn links_in_the_folder_are_not_followed() {
    let place = Place::new()
        .with("m.fvbc", module("", &[("", "main")]))
        .with("kept", "old");
    std::fs::create_dir(place.path("out")).unwrap();
    std::os::unix::fs::symlink("../kept", place.path("out/main.fvbc")).unwrap();
    let outcome = place.run(&["extract", "m.fvbc", "--all", "-o", "out"]);
    outcome.assert_refused(125, "E0602");
    assert_eq!(place.read("kept"), b"old");
}

#[test]
fn bundles_that_contradict_themselves_are_refused() {
    for (chunks, root) in [
        ("0 2", 1),
        ("1 1", 1),
        ("0 18446744073709551615", 1),
        ("0 x", 1),
    ] {
        let text =
            format!(".meta \"bundle/m/chunks\" \"{chunks}\"\n.chunk main\nload_int {root}\n");
        let place = Place::new().with("m.fvasm", text);
        for args in [
            &["extract", "m.fvasm", "m", "-o", "out"][..],
            &["extract", "m.fvasm", "--all", "-o", "out"],
        ] {
            place.run(args).assert_refused(126, "E0114");
        }
        assert_eq!(place.names(), ["m.fvasm"]);
    }
}

#[test]
fn files_that_are_appended_come_back_byte_for_byte() {
    let place = Place::new();
    let names = build_programs(&place);
    for name in &names {
        let space = name.trim_end_matches(".fvbc");
        place.ok(&["bundle", "--append", "--space", space, name, "-o", "all"]);
    }
    // Again: each replaces what it put there.
    let (again, rest) = names.split_at(10);
    for name in again {
        let space = name.trim_end_matches(".fvbc");
        place.ok(&["bundle", "--append", "--space", space, name, "-o", "all"]);
    }
    for compacted in [false, true] {
        if compacted {
            place.ok(&["compact", "all"]);
        }
        place.ok(&["check", "all"]);
        place.ok(&["extract", "all", "--all", "-o", "out"]);
        for name in &names {
            let extracted = place.read(&format!("out/{name}"));
            assert!(extracted == place.read(name), "{name}");
        }
    }
    // What one command makes of the same files in the same order.
    let order: Vec<String> = rest.iter().chain(again).cloned().collect();
    let mut command = bundle(&order);
    command[2] = "at once";
    place.ok(&command);
    assert!(place.read("all") == place.read("at once"));
}
