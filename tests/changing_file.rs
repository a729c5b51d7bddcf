//! Does loading a file that another process rewrites and truncates give a right chunk or an ordinary
//! error, whatever the strategy?

#![cfg(unix)]

mod sample;

use fusevm::code::Code;
use fusevm::format::{
    CheckOptions, ChunkHash, Entry, Module, OpenOptions, Strategy, chunk_hash, guard_bus_errors,
};
use fusevm::{ChunkBuilder, Op};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long each strategy is tried.
const WHILE: Duration = Duration::from_millis(700);

/// A module of many pages, and the hash of its chunk `f`.
fn version(number: i64) -> (Vec<u8>, ChunkHash) {
    let mut b = ChunkBuilder::new();
    for i in 0..20_000 {
        b.emit(Op::LoadInt(number + i), 1);
        b.emit(Op::Pop, 1);
    }
    let chunk = b.build();
    let hash = chunk_hash(&chunk).unwrap();
    let chunks = [
        (Entry::named("first"), sample::rich_chunk()),
        (Entry::named("f"), chunk),
    ];
    (sample::module_of(&chunks), hash)
}

/// Writes the two versions into the same file, in turn, in pieces, with truncations between.
fn rewrite_until(path: &Path, versions: &[&[u8]; 2], stop: &AtomicBool) {
    let file = File::options().write(true).open(path).unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let bytes = versions[round % 2];
        file.set_len([0, 300, 5000, bytes.len() as u64 / 2][round % 4])
            .unwrap();
        for (index, piece) in bytes.chunks(10_000).enumerate() {
            file.write_all_at(piece, index as u64 * 10_000).unwrap();
        }
        std::thread::sleep(Duration::from_micros(300));
        round += 1;
    }
}

/// Loads and checks, again and again; counts what went well.
fn load_until(path: &Path, strategy: Strategy, hashes: [ChunkHash; 2], end: Instant) -> [usize; 2] {
    let options = OpenOptions::new().strategy(strategy);
    let mut counts = [0; 2];
    while Instant::now() < end {
        let outcome = Module::open_with(path, &options).and_then(|module| {
            let chunk = module.chunk("f")?;
            let report = module.check(&CheckOptions::new());
            Ok((chunk, report))
        });
        match outcome {
            Ok((chunk, _)) => {
                assert!(hashes.contains(&chunk.hash()), "a chunk that nobody wrote");
                counts[0] += 1;
            }
            Err(error) => {
                let expected = [
                    Code::NotFvbc,
                    Code::Truncated,
                    Code::DamagedHeader,
                    Code::DamagedRoot,
                    Code::DamagedIndex,
                    Code::DamagedSection,
                    Code::DamagedRecord,
                    Code::ChangedWhileRead,
                    Code::NoSuchChunk,
                ];
                assert!(expected.contains(&error.code()), "{error}");
                counts[1] += 1;
            }
        }
    }
    counts
}

#[test]
fn a_file_that_changes_gives_a_right_chunk_or_an_error() {
    guard_bus_errors();
    let (one, hash_one) = version(0);
    let (two, hash_two) = version(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    std::fs::write(&path, &one).unwrap();
    for strategy in [Strategy::Auto, Strategy::Read, Strategy::Map] {
        let stop = AtomicBool::new(false);
        let (good, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let end = Instant::now() + WHILE;
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| rewrite_until(&path, &[&one, &two], &stop));
            let loaders: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load_until(&path, strategy, [hash_one, hash_two], end)))
                .collect();
            for loader in loaders {
                let [ok, err] = loader.join().unwrap();
                good.fetch_add(ok, Ordering::Relaxed);
                refused.fetch_add(err, Ordering::Relaxed);
            }
            stop.store(true, Ordering::Relaxed);
            writer.join().unwrap();
        });
        assert!(good.into_inner() > 0, "{strategy:?}: nothing was loaded");
        assert!(
            refused.into_inner() > 0,
            "{strategy:?}: nothing was seen to change"
        );
    }
}

/// Without a race: the file is cut after it was opened.
#[test]
fn a_file_that_was_cut_after_opening_is_an_error() {
    guard_bus_errors();
    let (bytes, _) = version(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    for strategy in [Strategy::Auto, Strategy::Read, Strategy::Map] {
        std::fs::write(&path, &bytes).unwrap();
        let options = OpenOptions::new().strategy(strategy);
        let module = Module::open_with(&path, &options).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        for _ in 0..2 {
            let error = module.chunk("f").unwrap_err();
            assert_eq!(
                error.code(),
                Code::ChangedWhileRead,
                "{strategy:?}: {error}"
            );
        }
        let report = module.check(&CheckOptions::new());
        assert_eq!(report.errors[0].code(), Code::ChangedWhileRead);
    }
}

/// A bus error that is none of ours ends the process as ever.
#[test]
fn other_bus_errors_are_not_swallowed() {
    const CHILD: &str = "FUSEVM_TEST_RAISES_BUS_ERROR";
    if std::env::var_os(CHILD).is_some() {
        guard_bus_errors();
        let me = std::process::id().to_string();
        // The first goes to the handler of Rust's runtime, which was there before ours, and which
        // takes itself away.
        for _ in 0..3 {
            let mut kill = std::process::Command::new("kill");
            assert!(kill.args(["-BUS", &me]).status().unwrap().success());
        }
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_bus_errors_are_not_swallowed"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(7));
}
