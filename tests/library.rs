//! Can a module be changed in place: chunks put, replaced, removed, found again, and compacted to the
//! bytes that a writer gives, while handles on it stay what they were?

#![cfg(unix)]

mod sample;

use fusevm::code::Code;
use fusevm::format::{
    AppendOptions, CheckOptions, Entry, Folder, Module, ModuleAppender, ModuleWriter, OpenOptions,
    Storage, Strategy, compact, compact_in,
};
use fusevm::{Op, VM, VMResult};
use sample::number_chunk;
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder with the sample as `lib.fvbc`.
fn library() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    std::fs::write(&path, sample::bytes()).unwrap();
    (folder, path)
}

fn append(path: &Path, change: impl FnOnce(&mut ModuleAppender)) -> u64 {
    let mut appender = ModuleAppender::open(path, &AppendOptions::new()).unwrap();
    change(&mut appender);
    let appended = appender.finish().unwrap();
    assert_good(&Module::open(path).unwrap());
    appended.bytes
}

fn put(path: &Path, name: &str, number: i64) -> u64 {
    append(path, |appender| {
        appender
            .put(&Entry::named(name), &number_chunk(number))
            .unwrap();
    })
}

fn assert_good(module: &Module) {
    let report = module.check(&CheckOptions::new().all(true));
    assert!(report.is_ok(), "{}", report.errors[0]);
    assert_eq!(report.chunks, module.chunk_count());
}

fn number_of(module: &Module, name: &str) -> Option<Op> {
    let chunk = module.find("", name).unwrap()?;
    Some(chunk.ops()[0].clone())
}

fn names(module: &Module) -> Vec<String> {
    let records = module.records().unwrap();
    let full = records.map(|record| {
        let record = record.unwrap();
        format!("{}::{}", record.space(), record.name())
    });
    full.collect()
}

#[test]
fn chunks_are_put_replaced_and_removed() {
    let (_folder, path) = library();
    let before = std::fs::read(&path).unwrap();
    put(&path, "new", 1);
    append(&path, |appender| {
        appender
            .put(&Entry::named("new"), &number_chunk(2))
            .unwrap();
        appender
            .put(&Entry::named("rich"), &number_chunk(3))
            .unwrap();
        appender
            .put(&Entry::named("twice"), &number_chunk(4))
            .unwrap();
        appender
            .put(&Entry::named("twice"), &number_chunk(5))
            .unwrap();
        appender
            .put(&Entry::named("gone again"), &number_chunk(6))
            .unwrap();
        assert!(appender.remove("", "gone again").unwrap());
        assert!(appender.remove("", "loose").unwrap());
        assert!(!appender.remove("", "absent").unwrap());
        appender.metadata("title", None).unwrap();
        appender.metadata("added", Some(b"yes".to_vec())).unwrap();
        assert_eq!(number_of(appender.module(), "new"), Some(Op::LoadInt(1)));
    });
    let module = Module::open(&path).unwrap();
    assert_eq!(names(&module), ["zsh::rich", "::new", "::rich", "::twice"]);
    for (name, number) in [("new", 2), ("rich", 3), ("twice", 5)] {
        assert_eq!(number_of(&module, name), Some(Op::LoadInt(number)));
    }
    assert_eq!(number_of(&module, "loose"), None);
    let metadata = module.metadata().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["added", "any"]);
    assert_eq!((module.generation(), module.segment_count()), (3, 3));
    let now = std::fs::read(&path).unwrap();
    assert!(
        now[256..before.len()] == before[256..],
        "nothing was rewritten"
    );
}

/// A leaf of the index holds 64 names; then it becomes a branch, and a leaf again when there are fewer.
#[test]
fn an_index_grows_and_shrinks_with_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    ModuleWriter::create(&path).unwrap().finish().unwrap();
    let name = |number: i64| format!("f{number}");
    let mut there: Vec<i64> = Vec::new();
    // What is put, and taken out, in one change each.
    for (puts, removes) in [
        (0..60, 0..0),
        (60..70, 0..0),
        (70..5_000, 0..0),
        (5_000..5_001, 7..8),
        (0..0, 8..4_900),
        (0..0, 4_900..4_950),
        (5_001..5_030, 4_950..5_000),
        (0..0, 0..5_030),
    ] {
        append(&path, |appender| {
            for number in puts.clone() {
                let entry = Entry::named(name(number));
                appender.put(&entry, &number_chunk(number)).unwrap();
            }
            for number in removes.clone() {
                let was_there = appender.remove("", &name(number)).unwrap();
                assert_eq!(was_there, there.contains(&number) || puts.contains(&number));
            }
        });
        there.extend(puts);
        there.retain(|number| !removes.contains(number));
        let module = Module::open(&path).unwrap();
        assert_eq!(module.chunk_count(), there.len() as u64);
        let absent = removes.chain([-1]);
        for number in absent.step_by(50) {
            assert_eq!(number_of(&module, &name(number)), None);
        }
        for number in there.iter().step_by(50) {
            assert_eq!(
                number_of(&module, &name(*number)),
                Some(Op::LoadInt(*number))
            );
        }
    }
}

#[test]
fn chunks_of_other_modules_are_put_as_they_stand() {
    let (folder, path) = library();
    let other = folder.path().join("other.fvbc");
    ModuleWriter::create(&other).unwrap().finish().unwrap();
    let module = Module::open(&path).unwrap();
    append(&other, |appender| {
        appender.put_loaded(&module.chunk("rich").unwrap()).unwrap();
        let record = module.record("", "loose").unwrap().unwrap();
        appender.put_record(&record).unwrap();
    });
    let copied = Module::open(&other).unwrap();
    assert_eq!(copied.chunk_count(), 2);
    for name in ["rich", "loose"] {
        let record = |module: &Module| module.record("", name).unwrap().unwrap();
        assert_eq!(record(&copied).bytes(), record(&module).bytes());
    }
}

#[test]
fn a_storage_of_the_caller_is_changed_as_a_folder_is() {
    let (folder, path) = library();
    let storage: std::sync::Arc<dyn Storage> = std::sync::Arc::new(Folder::new(folder.path()));
    let options = AppendOptions::new().sync(false);
    let mut appender = ModuleAppender::open_in(&storage, "lib.fvbc", &options).unwrap();
    appender
        .put(&Entry::named("new"), &number_chunk(7))
        .unwrap();
    appender.finish().unwrap();
    let module = Module::open(&path).unwrap();
    assert_eq!((module.segment_count(), module.chunk_count()), (2, 4));
    compact_in(&storage, "lib.fvbc", &options).unwrap();
    let module = Module::open(&path).unwrap();
    assert_good(&module);
    assert_eq!((module.segment_count(), module.chunk_count()), (1, 4));

    let missing = OsStr::new("absent.fvbc");
    let error = ModuleAppender::open_in(&storage, missing, &options).unwrap_err();
    assert!(error.to_string().contains("absent.fvbc"), "{error}");
    let error = compact_in(&storage, missing, &options).unwrap_err();
    assert!(error.to_string().contains("absent.fvbc"), "{error}");
}

/// The root says which level of the opset the module needs: the highest of its chunks.
#[test]
fn the_opset_level_follows_what_is_put_and_removed() {
    let (_folder, path) = library();
    let level = |path: &Path| Module::open(path).unwrap().opset_level();
    assert_eq!(level(&path), 1);
    let mut b = fusevm::ChunkBuilder::new();
    b.emit(Op::SubshellBegin, 1);
    b.emit(Op::RedirectMark, 1);
    b.emit(Op::RedirectPop, 1);
    b.emit(Op::SubshellEnd, 1);
    let newer = b.build();
    for name in ["newer", "newer too"] {
        append(&path, |appender| {
            appender.put(&Entry::named(name), &newer).unwrap();
        });
        assert_eq!(level(&path), 2);
    }
    for (name, left) in [("newer", 2), ("newer too", 1)] {
        append(&path, |appender| {
            assert!(appender.remove("", name).unwrap());
        });
        assert_eq!(level(&path), left, "without {name}");
    }
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let (_folder, path) = library();
    let bytes = append(&path, |appender| {
        appender.remove("", "absent").unwrap();
        appender
            .put(&Entry::named("new"), &number_chunk(2))
            .unwrap();
        appender.remove("", "new").unwrap();
        appender
            .metadata("title", Some(b"sample".to_vec()))
            .unwrap();
    });
    assert_eq!(bytes, 0);
    let module = Module::open(&path).unwrap();
    assert_eq!((module.generation(), module.segment_count()), (1, 1));
}

#[test]
fn an_appender_that_is_dropped_leaves_the_module_as_it_was() {
    let (_folder, path) = library();
    let mut appender = ModuleAppender::open(&path, &AppendOptions::new()).unwrap();
    let long = "x".repeat(60_000);
    appender
        .put(&Entry::named(&long), &number_chunk(1))
        .unwrap();
    appender
        .put(&Entry::named(&long[1..]), &number_chunk(1))
        .unwrap();
    drop(appender);
    assert!(std::fs::metadata(&path).unwrap().len() > 60_000);
    let module = Module::open(&path).unwrap();
    assert_good(&module);
    assert_eq!((module.generation(), module.chunk_count()), (1, 3));
    put(&path, "short", 1);
    assert_eq!(Module::open(&path).unwrap().chunk_count(), 4);
}

#[test]
fn compacting_gives_the_bytes_that_a_writer_gives() {
    let (folder, path) = library();
    put(&path, "new", 1);
    put(&path, "rich", 2);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let module = Module::open(&path).unwrap();
    let mut seen = Vec::new();
    let options = AppendOptions::new();
    let compacted = compact(&path, &options, |done, of| seen.push((done, of))).unwrap();
    assert_eq!(seen, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    assert_eq!(compacted.before, module.file_length());

    let mut writer = ModuleWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    for (key, value) in module.metadata().unwrap() {
        writer.metadata(key, value);
    }
    for record in module.records().unwrap() {
        let chunk = record.unwrap().load().unwrap();
        writer.add(&chunk.entry(), &chunk.to_chunk()).unwrap();
    }
    let expected = writer.finish().unwrap().into_inner();
    assert!(std::fs::read(&path).unwrap() == expected);
    assert_eq!(compacted.after, expected.len() as u64);
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".lib.fvbc.lock", "lib.fvbc"]);
    // The handle from before still has the old file.
    assert_eq!(number_of(&module, "new"), Some(Op::LoadInt(1)));
}

#[test]
fn compacting_keeps_who_wrote_the_module() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    let mut writer = ModuleWriter::create(&path).unwrap();
    writer.producer("zshrs 3.1").unwrap();
    writer.finish().unwrap();
    let empty = std::fs::read(&path).unwrap();
    put(&path, "new", 1);
    append(&path, |appender| {
        assert!(appender.remove("", "new").unwrap())
    });
    compact(&path, &AppendOptions::new(), |_, _| ()).unwrap();
    assert!(std::fs::read(&path).unwrap() == empty);
}

#[test]
fn a_handle_follows_its_file_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for (size, strategy) in [
        (0, Strategy::Auto),
        (100_000, Strategy::Auto),
        (100_000, Strategy::Map),
        (0, Strategy::Read),
    ] {
        let path = folder.path().join("lib.fvbc");
        let mut writer = ModuleWriter::create(&path).unwrap();
        writer.metadata("size", vec![b'x'; size]);
        writer.add(&Entry::named("f"), &number_chunk(1)).unwrap();
        writer.finish().unwrap();
        let options = OpenOptions::new().strategy(strategy);
        let mut module = Module::open_with(&path, &options).unwrap();
        let running = module.chunk("f").unwrap();
        let before = module.clone();
        assert!(!module.reload_if_changed().unwrap());
        put(&path, "f", 2);
        assert_eq!(number_of(&module, "f"), Some(Op::LoadInt(1)));
        assert!(module.reload_if_changed().unwrap());
        assert!(!module.reload_if_changed().unwrap());
        assert_eq!(number_of(&module, "f"), Some(Op::LoadInt(2)));
        compact(&path, &AppendOptions::new(), |_, _| ()).unwrap();
        assert!(module.reload_if_changed().unwrap());
        assert_eq!(module.segment_count(), 1);
        std::fs::remove_file(&path).unwrap();
        let error = module.reload_if_changed().unwrap_err();
        assert_eq!(error.code(), Code::Unreadable);

        assert_eq!(number_of(&before, "f"), Some(Op::LoadInt(1)));
        drop((before, module));
        match VM::new(running.into_chunk()).run() {
            VMResult::Ok(value) => assert_eq!(value.to_str(), "1"),
            other => panic!("{other:?}"),
        }
    }
    let mut module = Module::from_bytes(sample::bytes()).unwrap();
    assert!(!module.reload_if_changed().unwrap());
}

#[test]
fn chunks_are_found_by_the_beginning_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    let long = format!("b{}", "x".repeat(300));
    let mut writer = ModuleWriter::create(&path).unwrap();
    for (number, name) in ["a", "ba", "c", "bb", &long, ""].into_iter().enumerate() {
        let chunk = number_chunk(number as i64);
        writer.add(&Entry::named(name), &chunk).unwrap();
        writer
            .add(&Entry::named(name).in_space("s"), &chunk)
            .unwrap();
    }
    writer.finish().unwrap();
    let module = Module::open(&path).unwrap();
    let found = |space: &str, prefix: &str| -> Vec<String> {
        let records = module.records_with_prefix(space, prefix).unwrap();
        records
            .map(|record| record.unwrap().name().to_owned())
            .collect()
    };
    assert_eq!(found("", "b"), ["ba", "bb", &long]);
    assert_eq!(found("s", "bx"), [long.as_str()]);
    assert_eq!(found("", "").len(), 6);
    assert_eq!(found("other", ""), [""; 0]);
}

#[test]
fn an_append_goes_through_links_and_makes_what_is_not_there_if_asked() {
    let (folder, path) = library();
    let link = folder.path().join("link");
    symlink("lib.fvbc", &link).unwrap();
    put(&link, "new", 1);
    assert!(number_of(&Module::open(&path).unwrap(), "new").is_some());
    assert!(folder.path().join(".lib.fvbc.lock").exists());
    assert!(!folder.path().join(".link.lock").exists());

    let missing = folder.path().join("other.fvbc");
    let error = ModuleAppender::open(&missing, &AppendOptions::new()).unwrap_err();
    assert_eq!(error.code(), Code::CantWrite);
    assert_eq!(error.place(), missing.to_str());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    let options = AppendOptions::new().create(true);
    let mut appender = ModuleAppender::open(&missing, &options).unwrap();
    appender.put(&Entry::named("f"), &number_chunk(1)).unwrap();
    appender.finish().unwrap();
    assert_good(&Module::open(&missing).unwrap());
}

#[test]
fn a_writer_waits_for_another_only_so_long() {
    let (folder, path) = library();
    let storage = Folder::new(folder.path());
    let lock = storage
        .lock(OsStr::new("lib.fvbc"), Duration::ZERO)
        .unwrap();
    let options = AppendOptions::new().wait(Duration::from_millis(10));
    let error = ModuleAppender::open(&path, &options).unwrap_err();
    assert_eq!(error.code(), Code::CantWrite);
    assert!(error.message().contains("another writer"), "{error}");
    drop(lock);
    ModuleAppender::open(&path, &options).unwrap();
}

#[test]
fn what_is_no_module_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    let mut damaged = sample::bytes();
    let root = damaged.len() - 20;
    damaged[root] ^= 1;
    for (bytes, code) in [
        (&b"echo hello\n"[..], Code::NotFvbc),
        (&damaged, Code::DamagedRoot),
        (&damaged[..300], Code::Truncated),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let options = AppendOptions::new();
        let error = ModuleAppender::open(&path, &options).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.place(), path.to_str());
        let error = compact(&path, &options, |_, _| ()).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
    for path in [folder.path(), Path::new("/dev/null"), Path::new("/")] {
        let error = ModuleAppender::open(path, &AppendOptions::new()).unwrap_err();
        assert_eq!(error.code(), Code::CantWrite, "{error}");
    }
}

#[test]
fn modules_and_their_chunks_go_to_other_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Module>();
    shared::<fusevm::format::LoadedChunk>();
    shared::<fusevm::format::LoadError>();
    shared::<ModuleAppender>();
}
