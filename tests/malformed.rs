//! Are files refused that are damaged, cut short, not modules, or that contradict themselves, each
//! with its code, and is nothing ever taken for what it is not?

mod sample;

use fusevm::Op;
use fusevm::chunk::{Import, ImportKind};
use fusevm::code::Code;
use fusevm::format::{CheckOptions, Entry, LoadError, Module, OpenOptions, Strategy, reseal};
use std::path::Path;

/// All that a module says: metadata, and each chunk's record.
fn contents(module: &Module) -> Result<Vec<Vec<u8>>, LoadError> {
    let mut all = vec![format!("{:?}", module.metadata()?).into_bytes()];
    for record in module.records()? {
        let record = record?;
        all.push(record.bytes().to_vec());
        record.load()?;
    }
    Ok(all)
}

/// What a module says that the check accepts. Its chunks are loaded in any case.
fn accept(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LoadError> {
    let module = Module::from_bytes(bytes)?;
    let contents = contents(&module);
    let report = module.check(&CheckOptions::new());
    if let Some(error) = report.errors.into_iter().next() {
        return Err(error);
    }
    let contents = contents.expect("what a check accepts is read");
    for record in module.records().expect("it was read above") {
        let record = record.expect("it was read above");
        let found = module.record(record.space(), record.name());
        let found = found.expect("it was read above").expect("it has the name");
        assert_eq!(found.bytes(), record.bytes());
    }
    Ok(contents)
}

fn code_of(bytes: &[u8]) -> Option<Code> {
    accept(bytes).err().map(|error| error.code())
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes")) as usize
}

/// Where the root record begins: the first slot says it.
fn root_of(bytes: &[u8]) -> usize {
    u64_at(bytes, 64 + 8)
}

/// Where the row of a section begins in the root's table.
fn section_row(bytes: &[u8], id: u32) -> usize {
    let rows = (root_of(bytes) + 128..).step_by(32);
    rows.take(2)
        .find(|row| bytes[*row..][..4] == id.to_le_bytes())
        .expect("the section")
}

/// Where the root node of the index, a leaf, begins.
fn leaf_of(bytes: &[u8]) -> usize {
    u64_at(bytes, section_row(bytes, 1) + 8)
}

#[test]
fn the_sample_is_a_good_module() {
    let bytes = sample::bytes();
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    let report = module.check(&CheckOptions::new().all(true));
    assert!(report.is_ok(), "{}", report.errors[0]);
    assert_eq!(
        (report.strict, report.loose.len(), report.chunks),
        (2, 1, 3)
    );
    assert_eq!(report.loose[0].name, "loose");
    let mut resealed = bytes.clone();
    reseal(&mut resealed);
    assert!(resealed == bytes);
}

#[test]
fn a_file_cut_short_is_refused_at_every_length() {
    let bytes = sample::bytes();
    for length in 0..bytes.len() {
        let error = accept(&bytes[..length]).expect_err("a short file is accepted");
        let expected = if length == 0 {
            Code::NotFvbc
        } else {
            Code::Truncated
        };
        assert_eq!(error.code(), expected, "{length} bytes");
    }
}

#[test]
fn bytes_behind_the_module_do_not_count() {
    let mut bytes = sample::bytes();
    let good = accept(&bytes).unwrap();
    bytes.extend(b"what a crash left");
    assert_eq!(accept(&bytes).unwrap(), good);
}

#[test]
fn a_flipped_bit_never_gives_another_module() {
    let bytes = sample::bytes();
    let good = accept(&bytes).unwrap();
    let mut accepted = Vec::new();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(contents) = accept(&bytes) {
            assert_eq!(contents, good, "bit {bit}");
            accepted.push(bit / 8);
        }
    }
    // The second slot is not intact, and wasn't before.
    accepted.dedup();
    assert_eq!(accepted, (144..224).collect::<Vec<_>>());
}

#[test]
fn a_flipped_bit_under_new_seals_is_answered() {
    let bytes = sample::bytes();
    let mut accepted = 0;
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        reseal(&mut changed);
        accepted += usize::from(accept(&changed).is_ok());
    }
    // Names, keys, numbers, lines: much of a module may be otherwise.
    assert!(accepted > bytes.len(), "{accepted}");
}

#[test]
fn what_is_no_module_is_told() {
    let mut other_major = sample::bytes();
    other_major[8] = 2;
    let mut as_text = sample::bytes();
    as_text.remove(5);
    for (bytes, code, found) in [
        (&b""[..], Code::NotFvbc, "an empty file"),
        (b"#!/bin/sh\necho hello\n", Code::NotFvbc, "a script"),
        (b"\x7fELF", Code::NotFvbc, "\"\\x7fELF\""),
        (b"\x89FV", Code::Truncated, ""),
        (&other_major, Code::WrongMajor, "version 2"),
        (&as_text, Code::NotFvbc, "transferred as text"),
    ] {
        let error = Module::from_bytes(bytes).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.found().unwrap().contains(found), "{error}");
    }
    let error = Module::from_bytes(other_major).unwrap_err();
    assert!(error.producer().unwrap().starts_with("fusevm "));
}

#[test]
fn what_is_no_regular_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for (path, found) in [
        (folder.path(), "a directory"),
        (&fifo, "a FIFO"),
        (Path::new("/dev/null"), "a device"),
        (&folder.path().join("missing"), "No such file"),
    ] {
        for strategy in [Strategy::Auto, Strategy::Map, Strategy::Read] {
            let options = OpenOptions::new().strategy(strategy);
            let error = Module::open_with(path, &options).unwrap_err();
            assert_eq!(error.code(), Code::Unreadable, "{path:?}");
            assert!(error.found().unwrap().contains(found), "{error}");
            assert_eq!(error.path(), Some(path));
        }
    }
}

/// Changes a module, seals it again, and says with which code it has to be refused.
type Lie = (&'static str, fn(&mut Vec<u8>), Code);

/// Contradictions in the file's structures. Offsets are those of the specification's tables.
const LIES: &[Lie] = &[
    ("header_length", |b| b[12] = 128, Code::BadStructure),
    ("the header's zeros", |b| b[255] = 1, Code::BadStructure),
    (
        "the producer's padding",
        |b| b[63] = b'!',
        Code::BadStructure,
    ),
    ("generation 0", |b| b[64] = 0, Code::DamagedHeader),
    ("a slot's zeros", |b| b[64 + 20] = 1, Code::DamagedHeader),
    (
        "a root behind the file",
        |b| b[64 + 13] = 1,
        Code::DamagedHeader,
    ),
    (
        "two slots of a generation",
        |b| b.copy_within(64..144, 144),
        Code::BadStructure,
    ),
    ("the root's magic", |b| in_root(b, 0, 1), Code::BadStructure),
    ("segment_number", |b| in_root(b, 8, 1), Code::BadStructure),
    ("section_count", |b| in_root(b, 12, 1), Code::BadStructure),
    ("segment_offset", |b| in_root(b, 16, 1), Code::BadStructure),
    (
        "previous_root_length",
        |b| in_root(b, 32, 1),
        Code::BadStructure,
    ),
    ("opset_level", |b| in_root(b, 36, 2), Code::BadStructure),
    (
        "the root's zeros",
        |b| in_root(b, 38, 1),
        Code::BadStructure,
    ),
    ("chunk_count", |b| in_root(b, 40, 9), Code::BadStructure),
    ("too many chunks", |b| in_root(b, 44, 9), Code::OverLimit),
    ("op_count", |b| in_root(b, 48, 1), Code::BadStructure),
    (
        "sections out of order",
        |b| in_section(b, 2, 0, 1),
        Code::BadStructure,
    ),
    (
        "an unknown section",
        |b| in_section(b, 2, 0, 9),
        Code::UnknownSection,
    ),
    (
        "an ancillary index",
        |b| in_section(b, 1, 4, 1),
        Code::BadStructure,
    ),
    (
        "unknown flags",
        |b| in_section(b, 2, 4, 2),
        Code::BadStructure,
    ),
    (
        "a section behind the root",
        |b| in_section(b, 1, 11, 1),
        Code::BadStructure,
    ),
    (
        "a section's zeros",
        |b| in_section(b, 1, 28, 1),
        Code::BadStructure,
    ),
    (
        "more metadata than there is",
        |b| in_meta(b, 0, 3),
        Code::BadStructure,
    ),
    (
        "metadata out of order",
        |b| in_meta(b, 2, b'u'),
        Code::BadStructure,
    ),
    (
        "a node of another kind",
        |b| in_leaf(b, 0, 2),
        Code::DamagedIndex,
    ),
    ("a node's zeros", |b| in_leaf(b, 1, 1), Code::DamagedIndex),
    ("a leaf's count", |b| in_leaf(b, 2, 2), Code::DamagedIndex),
    (
        "entries out of order",
        |b| in_leaf(b, 8 + 7, 0xff),
        Code::DamagedIndex,
    ),
    (
        "a record outside of the file",
        |b| in_leaf(b, 8 + 8 + 5, 1),
        Code::DamagedIndex,
    ),
    (
        "op_count of an entry",
        |b| in_leaf(b, 8 + 20, 99),
        Code::DamagedIndex,
    ),
    (
        "a newer opset level",
        |b| in_record(b, 4, 0xff),
        Code::NewerOpset,
    ),
    (
        "unknown flags of a record",
        |b| in_record(b, 6, 3),
        Code::BadStructure,
    ),
    (
        "a link that isn't there",
        |b| in_record(b, 6, 0),
        Code::BadStructure,
    ),
    (
        "a name that is too long",
        |b| in_record(b, 11, 1),
        Code::BadStructure,
    ),
    (
        "a name that is none",
        |b| in_record(b, 24, 0xff),
        Code::BadStructure,
    ),
    (
        "another name",
        |b| in_record(b, 24, b'R'),
        Code::DamagedIndex,
    ),
    ("a longer body", |b| in_record(b, 18, 1), Code::BadStructure),
    ("another height", |b| in_body(b, 0, 9), Code::WrongMaxStack),
    (
        "a strict chunk that says it is loose",
        |b| in_body(b, 0, 0),
        Code::NotCanonical,
    ),
    (
        "a height past the limit",
        |b| {
            in_body(b, 0, 0xff);
            in_body(b, 1, 0xff);
            in_body(b, 2, 0x7f);
        },
        Code::OverLimit,
    ),
    ("another op_count", |b| in_body(b, 1, 3), Code::BadStructure),
    (
        "another code_length",
        |b| in_body(b, 2, 3),
        Code::BadStructure,
    ),
    (
        "more constants than there are",
        |b| in_body(b, 3, 0x7f),
        Code::BadStructure,
    ),
    (
        "a constant of class 3",
        |b| in_body(b, 4, 3),
        Code::BadStructure,
    ),
    (
        "a constant that is itself",
        |b| in_body(b, 4, 1),
        Code::BadStructure,
    ),
];

fn in_root(bytes: &mut [u8], at: usize, value: u8) {
    let root = root_of(bytes);
    bytes[root + at] = value;
}

fn in_section(bytes: &mut [u8], id: u32, at: usize, value: u8) {
    let row = section_row(bytes, id);
    bytes[row + at] = value;
}

fn in_meta(bytes: &mut [u8], at: usize, value: u8) {
    let meta = u64_at(bytes, section_row(bytes, 2) + 8);
    bytes[meta + at] = value;
}

fn in_leaf(bytes: &mut [u8], at: usize, value: u8) {
    let leaf = leaf_of(bytes);
    bytes[leaf + at] = value;
}

/// In the first record, which the first segment begins with.
fn in_record(bytes: &mut [u8], at: usize, value: u8) {
    bytes[256 + at] = value;
}

/// In the body of the first record: behind its head, space "", name, key, source and link.
fn in_body(bytes: &mut [u8], at: usize, value: u8) {
    let start = 24 + "rich".len() + "\0key".len() + "rich.zsh".len() + 48;
    bytes[256 + start + at] = value;
}

#[test]
fn structures_that_contradict_each_other_are_refused_under_good_seals() {
    for (what, lie, code) in LIES {
        let mut bytes = sample::bytes();
        lie(&mut bytes);
        reseal(&mut bytes);
        assert_eq!(code_of(&bytes), Some(*code), "{what}");
    }
}

/// The vectors of the specification, with the codes that other readers go by.
#[test]
fn each_invalid_vector_is_refused_with_its_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("format-spec/vectors/invalid");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Map<_, _> = serde_json::from_str(&expected).unwrap();
    assert!(expected.len() > 90, "{}", expected.len());
    for (name, refusal) in &expected {
        let bytes = std::fs::read(folder.join(format!("{name}.fvbc"))).unwrap();
        let code = code_of(&bytes).map(|code| code.to_string());
        assert_eq!(code.as_deref(), refusal["code"].as_str(), "{name}");
    }
}

/// Functions of one name: rows for the indices that are called, or one for the first.
#[test]
fn rows_of_functions_are_those_that_a_writer_gives() {
    let mut declared = sample::number_chunk(1);
    declared.names = vec!["twin".to_owned(); 2];
    declared
        .imports
        .push(Import::undeclared(ImportKind::Function, 0, "twin"));
    let mut called = declared.clone();
    called.imports.clear();
    called.ops.extend([Op::Call(0, 0), Op::Call(1, 0)]);
    let call = Op::Call(0, 0).opcode();
    for (chunk, from, to) in [
        (declared, [0x13, 0, 1, 0, 0], [0x13, 1, 1, 0, 0]),
        (called, [0, 0, call, 1, 0], [0, 0, call, 0, 0]),
    ] {
        let mut bytes = sample::module_of(&[(Entry::named("a"), chunk)]);
        assert_eq!(code_of(&bytes), None);
        let at = bytes.windows(5).position(|window| window == from);
        bytes[at.expect("the pattern")..][..5].copy_from_slice(&to);
        reseal(&mut bytes);
        assert_eq!(code_of(&bytes), Some(Code::NotCanonical));
    }
}

#[test]
fn a_chunk_whose_index_lies_about_its_place_is_not_given() {
    let mut bytes = sample::bytes();
    let leaf = leaf_of(&bytes);
    // The first two entries change their places, not their names.
    let (first, second) = (leaf + 16, leaf + 16 + 24);
    for at in 0..16 {
        bytes.swap(first + at, second + at);
    }
    reseal(&mut bytes);
    let module = Module::from_bytes(bytes).unwrap();
    assert!(!module.check(&CheckOptions::new()).is_ok());
    let mut missing = 0;
    for (entry, _) in sample::chunks() {
        match module.find(&entry.space, &entry.name).unwrap() {
            Some(chunk) => assert_eq!(chunk.entry(), entry),
            None => missing += 1,
        }
    }
    assert_eq!(missing, 2);
}

#[test]
fn an_error_says_what_where_and_who() {
    let mut bytes = sample::bytes();
    bytes[300] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    std::fs::write(&path, &bytes).unwrap();
    let error = Module::open(&path).unwrap().chunk("rich").unwrap_err();
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "error[E0108]: a chunk's record is damaged");
    assert!(lines[1].starts_with("  --> "));
    assert!(
        lines[1].ends_with("lib.fvbc, chunk \"rich\", byte 256"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("  found seal 0x"), "{}", lines[2]);
    assert!(lines[3].starts_with("  written by fusevm "), "{}", lines[3]);
    assert_eq!(
        lines[4],
        "  help: the file is damaged: copy or build it again"
    );
    assert_eq!(error.code(), Code::DamagedRecord);
    assert_eq!((error.chunk(), error.space()), (Some("rich"), Some("")));
    assert_eq!(error.offset(), Some(256));
}

#[test]
fn a_chunk_that_does_not_verify_says_why_and_at_which_line() {
    let mut bytes = sample::bytes();
    let inc = fusevm::Op::Inc.opcode();
    let dup = bytes
        .windows(2)
        .position(|pair| pair == [inc, fusevm::Op::Dup.opcode()]);
    // `Inc`, the block's only op, becomes `Pop`.
    bytes[dup.unwrap()] = fusevm::Op::Pop.opcode();
    reseal(&mut bytes);
    let error = Module::from_bytes(bytes)
        .unwrap()
        .chunk("rich")
        .unwrap_err();
    assert_eq!(error.code(), Code::BlockResult, "{error}");
    assert!(error.verify_error().is_some());
    assert_eq!(error.op(), error.verify_error().unwrap().op());
    assert!(error.line().is_some(), "{error}");
}

#[test]
fn a_changed_record_of_a_deep_index_is_good_again_under_new_seals() {
    let chunks: Vec<_> = (0..300)
        .map(|number| (Entry::named(format!("f{number}")), sample::number_chunk(7)))
        .collect();
    let mut bytes = sample::module_of(&chunks);
    // `LoadInt` of 7, zigzag-coded, becomes that of 8.
    let load = [Op::LoadInt(0).opcode(), 14];
    let at = bytes.windows(2).position(|pair| pair == load);
    bytes[at.expect("a record loads 7") + 1] = 16;
    assert_eq!(code_of(&bytes), Some(Code::DamagedRecord));
    reseal(&mut bytes);
    assert_eq!(code_of(&bytes), None);
    let module = Module::from_bytes(bytes).unwrap();
    let changed = chunks.iter().filter(|(entry, _)| {
        let chunk = module.find("", &entry.name).unwrap();
        chunk.unwrap().ops()[0] == Op::LoadInt(8)
    });
    assert_eq!(changed.count(), 1);
}

#[test]
fn an_error_shows_what_it_knows_on_lines_of_its_own() {
    let mut bytes = sample::bytes();
    bytes.truncate(300);
    let error = Module::from_bytes(bytes).unwrap_err();
    let (found, expected) = (error.found().unwrap(), error.expected().unwrap());
    let text = error.to_string();
    assert!(text.contains("\n  --> <memory>"), "{text}");
    assert!(
        text.contains(&format!("\n  found {found}, expected {expected}\n")),
        "{text}"
    );
    assert!(error.path().is_none() && error.verify_error().is_none());
    assert!(std::error::Error::source(&error).is_none());

    let missing = std::path::Path::new("no/such\u{1b}file");
    let error = Module::open(missing).unwrap_err();
    assert_eq!(error.code(), Code::Unreadable);
    assert!(
        std::error::Error::source(&error).is_some(),
        "what the system said"
    );
    assert!(!error.to_string().contains('\u{1b}'), "fit for a terminal");
    assert_eq!(error.path(), Some(missing));
}
