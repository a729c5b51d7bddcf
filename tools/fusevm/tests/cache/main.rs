//! Can anything that happens to the cache's files do more than cost a miss? Each run is a process of its
//! own, as a user starts it. `CACHE_ROUNDS` says how often the long ones are done.

mod compiler;
mod directories;
mod rounds;

use fusevm_kit::kept::{FIB, damages, files};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A program whose functions are worth keeping, and what it gives.
fn program() -> String {
    format!("{MAIN}{FIB}{SUM}")
}

const MAIN: &str = "
    load_int 15
    call fib 1
    load_int 1000
    call sum 1
    add
    return_value
";

const SUM: &str = "
.sub sum args 1
    set_slot n
    load_int 0
    set_slot sum
again:
    get_slot sum
    get_slot n
    add
    set_slot sum
    get_slot n
    dec
    set_slot n
    get_slot n
    jump_if_true again
    get_slot sum
    return_value
.end
";
const RESULT: &str = "501110\n";

/// A folder with a program and a place for a cache.
struct Place {
    folder: TempDir,
}

/// What a run did.
struct Ran {
    stats: Value,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("program.fvasm"), program()).expect("a program");
        Place { folder }
    }

    /// One whose cache was filled.
    fn filled() -> Place {
        let place = Place::new();
        let first = place.run();
        assert!(first.number("compiled") > 0 && first.number("cache_stored") > 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cache(&self) -> PathBuf {
        self.path("code")
    }

    fn program(&self) -> PathBuf {
        self.path("program.fvasm")
    }

    /// The command that runs the program, with this cache.
    fn command(&self, cache: impl AsRef<OsStr>) -> Command {
        let mut command = fusevm();
        command.args(["run", "--jit", "eager", "--engine", "register"]);
        command.args(["--print-result", "--stats=json", "--cache"]);
        command.arg(cache.as_ref()).arg(self.program());
        command
    }

    /// Runs the program, which has to give its result.
    fn run(&self) -> Ran {
        ran(&mut self.command(self.cache()))
    }

    /// The packs of the cache.
    fn packs(&self) -> Vec<PathBuf> {
        files(&self.cache(), ".pack")
    }

    /// What `cache verify` says.
    fn verify(&self) -> Value {
        let output = fusevm()
            .args(["cache", "verify", "--json", "--cache"])
            .arg(self.cache())
            .output()
            .expect("it can be started");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

impl Ran {
    fn number(&self, name: &str) -> u64 {
        self.stats["jit"][name].as_u64().expect("a number")
    }

    /// The misses of a reason.
    fn misses(&self, reason: &str) -> u64 {
        let misses = &self.stats["jit"]["cache_misses"];
        misses[reason].as_u64().unwrap_or(0)
    }

    /// Nothing was compiled, and no compiler started.
    fn is_hit(&self) -> bool {
        self.number("compiled") == 0
            && self.number("compilers") == 0
            && self.number("cache_hits") > 0
    }
}

fn fusevm() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fusevm"))
}

/// What a command that runs the program did, if it gave the right result.
fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("it can be started");
    assert_right(&output);
    let text = String::from_utf8(output.stderr).expect("text");
    let line = text.lines().last().expect("the stats");
    Ran {
        stats: serde_json::from_str(line).expect("JSON"),
    }
}

fn assert_right(output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), RESULT, "{error}");
}

#[test]
fn a_second_process_starts_no_compiler() {
    let place = Place::filled();
    let second = place.run();
    assert!(second.is_hit(), "{}", second.stats);
    assert_eq!(second.number("cache_stored"), 0);
}

#[test]
fn what_is_hot_is_kept_and_native_from_its_first_call() {
    let place = Place::new();
    let auto = || {
        let mut command = fusevm();
        command.args([
            "run",
            "--print-result",
            "--stats=json",
            "--jit-threshold",
            "256",
        ]);
        command
            .arg("--cache")
            .arg(place.cache())
            .arg(place.program());
        ran(&mut command)
    };
    let first = auto();
    assert!(first.number("compiled") > 0);
    let second = auto();
    assert!(second.is_hit(), "{}", second.stats);
    assert!(second.stats["ops"].as_u64() < Some(10), "{}", second.stats);
}

#[test]
fn a_library_compiled_ahead_is_native_from_its_first_run() {
    let place = Place::new();
    let cache = |action: &str| {
        let output = fusevm()
            .args(["cache", action, "--json", "--cache"])
            .arg(place.cache())
            .arg(place.program())
            .output()
            .expect("it can be started");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let hits = |rows: &Value| {
        let rows = rows.as_array().expect("rows").iter();
        rows.filter(|row| row["part"] == "sub" && row["hit"] == true)
            .count()
    };
    let before = cache("explain");
    assert_eq!(hits(&before), 0);
    assert_eq!(before[0]["reason"], "absent");
    let warmed = cache("warm");
    assert_eq!(
        (&warmed["compiled"], &warmed["declined"]),
        (&2.into(), &0.into())
    );
    assert_eq!(cache("warm")["already_there"], 2);
    assert_eq!(hits(&cache("explain")), 2);
    let mut command = fusevm();
    command.args(["run", "--print-result", "--stats=json", "--cache"]);
    command.arg(place.cache()).arg(place.program());
    let run = ran(&mut command);
    assert!(run.is_hit(), "{}", run.stats);
}

#[test]
fn code_for_features_that_the_processor_lacks_is_not_loaded() {
    let place = Place::filled();
    let all = fs::read_dir(place.cache()).expect("a folder").count();
    let lesser = || {
        let without = "sse3,ssse3,sse4.1,sse41,sse42,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,lse";
        ran(place
            .command(place.cache())
            .env("FUSEVM_CPU_WITHOUT", without))
    };
    let first = lesser();
    assert_eq!(first.number("cache_hits"), 0, "{}", first.stats);
    assert!(first.number("compiled") > 0);
    assert!(fs::read_dir(place.cache()).expect("a folder").count() > all);
    assert!(lesser().is_hit());
    assert!(place.run().is_hit());
}

/// Each bit of a process's pack, and each cut: with `CACHE_ROUNDS`, else some of them.
#[test]
fn damaged_packs_cost_a_miss_and_are_mended() {
    let place = Place::filled();
    let pack = place.packs().remove(0);
    let whole = fs::read(&pack).expect("a pack");
    for (case, bytes) in damages(&whole, 60) {
        fs::write(&pack, &bytes).expect("a pack");
        let run = place.run();
        let missed = run.misses("damaged") + run.misses("other_maker");
        assert!(run.is_hit() || missed > 0, "{case}: {}", run.stats);
        let mended = place.run();
        assert!(mended.is_hit(), "{case}: {}", mended.stats);
        assert_eq!(mended.misses("damaged"), 0, "{case}");
        assert_eq!(place.verify()["refused"].as_array().map(Vec::len), Some(0));
    }
}

/// Packs that are intact but of others: of another version, another maker, another chunk.
#[test]
fn packs_of_others_cost_a_miss_and_are_mended() {
    let place = Place::filled();
    let pack = place.packs().remove(0);
    let whole = fs::read(&pack).expect("a pack");
    let other = Place::new();
    let text = program().replace("load_int 15", "load_int 14");
    fs::write(other.program(), text).expect("a program");
    let mut command = other.command(other.cache());
    command.output().expect("it can be started");
    let of_other_chunk = fs::read(other.packs().remove(0)).expect("a pack");
    let changed = |at: usize, to: u8| {
        let mut bytes = whole.clone();
        bytes[at] = to;
        bytes
    };
    let cases = [
        ("other_maker", changed(8, 2)),
        ("other_maker", changed(8, 4)),
        ("other_maker", changed(9, 1)),
        ("other_maker", changed(32, whole[32] ^ 1)),
        ("damaged", of_other_chunk),
    ];
    for (reason, bytes) in cases {
        fs::write(&pack, &bytes).expect("a pack");
        let run = place.run();
        assert!(run.misses(reason) > 0, "{reason}: {}", run.stats);
        assert!(run.number("compiled") > 0);
        assert!(place.run().is_hit(), "{reason}");
    }
}
