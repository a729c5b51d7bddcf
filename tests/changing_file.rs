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
use std::process::{Child, Command, Stdio};
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

/// Names the file for the process that rewrites it: this program, started once more.
const REWRITES: &str = "FUSEVM_TEST_REWRITES";

/// Writes the two versions into the same file, in turn, in pieces, with truncations between, until the
/// standard input ends, as it does with the process at its other end.
fn rewrite(path: &Path, versions: &[&[u8]; 2]) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        let file = File::options().write(true).open(path).unwrap();
        for round in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
            let bytes = versions[round % 2];
            file.set_len([0, 300, 5000, bytes.len() as u64 / 2][round % 4])
                .unwrap();
            for (index, piece) in bytes.chunks(10_000).enumerate() {
                file.write_all_at(piece, index as u64 * 10_000).unwrap();
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    });
}

/// Starts the process that rewrites the file.
fn start_rewriting(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_file_that_changes_gives_a_right_chunk_or_an_error",
        ])
        .env(REWRITES, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Loads and checks, again and again, and counts what went well and what was refused. It ends when the
/// time is over and both was seen, or a minute later.
fn load_until(
    path: &Path,
    strategy: Strategy,
    hashes: [ChunkHash; 2],
    end: Instant,
    counts: [&AtomicUsize; 2],
) {
    let options = OpenOptions::new().strategy(strategy);
    let is_over = || {
        let late = Instant::now().checked_duration_since(end);
        let both = counts.iter().all(|count| count.load(Ordering::Relaxed) > 0);
        late.is_some_and(|late| both || late > Duration::from_secs(60))
    };
    while !is_over() {
        let outcome = Module::open_with(path, &options).and_then(|module| {
            let chunk = module.chunk("f")?;
            let report = module.check(&CheckOptions::new());
            Ok((chunk, report))
        });
        let [good, refused] = counts;
        match outcome {
            Ok((chunk, _)) => {
                assert!(hashes.contains(&chunk.hash()), "a chunk that nobody wrote");
                good.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(EXPECTED.contains(&error.code()), "{error}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What is wrong with a file that is being rewritten.
const EXPECTED: [Code; 9] = [
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

/// Eight threads load what another process writes.
#[test]
fn a_file_that_changes_gives_a_right_chunk_or_an_error() {
    let (one, hash_one) = version(0);
    let (two, hash_two) = version(1_000_000);
    if let Some(path) = std::env::var_os(REWRITES) {
        return rewrite(Path::new(&path), &[&one, &two]);
    }
    guard_bus_errors();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    std::fs::write(&path, &one).unwrap();
    let mut rewriter = start_rewriting(&path);
    for strategy in [Strategy::Auto, Strategy::Read, Strategy::Map] {
        let end = Instant::now() + WHILE;
        let (good, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let hashes = [hash_one, hash_two];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| load_until(&path, strategy, hashes, end, [&good, &refused]));
            }
        });
        assert!(good.into_inner() > 0, "{strategy:?}: nothing was loaded");
        assert!(
            refused.into_inner() > 0,
            "{strategy:?}: nothing was seen to change"
        );
    }
    drop(rewriter.stdin.take());
    assert!(rewriter.wait().unwrap().success(), "the rewriter failed");
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
            let mut kill = Command::new("kill");
            assert!(kill.args(["-BUS", &me]).status().unwrap().success());
        }
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_bus_errors_are_not_swallowed"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(7));
}
