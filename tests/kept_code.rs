//! Is native code that an earlier run left used by a later one, with the same answers, and is damage to
//! it no more than a miss?
#![cfg(feature = "jit")]

use fusevm::jit::{JitMode, JitOptions, JitStats, Miss, cache};
use fusevm::vm::EngineChoice;
use fusevm::{Chunk, VM, Value, asm};
use std::fs;
use std::path::{Path, PathBuf};

const FIB: &str = "
    load_int 15
    call fib 1
    return_value
.sub fib args 1
    set_slot n
    get_slot n
    load_int 2
    num_lt
    jump_if_false recurse
    get_slot n
    return_value
recurse:
    get_slot n
    dec
    call fib 1
    get_slot n
    load_int 2
    sub
    call fib 1
    add
    return_value
.end
";

/// Two loops, the second over what the first has made.
const SUMS: &str = "
    load_int 0
    set_slot sum
    load_int 20000
    set_slot n
first:
    get_slot sum
    get_slot n
    add
    set_slot sum
    get_slot n
    dec
    set_slot n
    get_slot n
    jump_if_true first
    load_int 20000
    set_slot n
second:
    get_slot sum
    dec
    set_slot sum
    get_slot n
    dec
    set_slot n
    get_slot n
    jump_if_true second
    get_slot sum
    return_value
";

fn program(text: &str) -> Chunk {
    let assembly = asm::assemble(text, "program").expect("a program");
    assembly.chunks.into_iter().next().expect("a chunk").1
}

/// Runs a program in a VM of its own, as a process would.
fn run_as(text: &str, cache: &Path, engine: EngineChoice, mode: JitMode) -> (JitStats, Value) {
    let mut vm = VM::new(program(text));
    vm.set_engine(engine);
    vm.set_jit(JitOptions {
        mode,
        ..JitOptions::default()
    });
    vm.set_native_cache(Some(cache));
    let result = vm.execute().expect("no trap").expect("a result");
    (vm.jit_stats(), result)
}

fn run(cache: &Path) -> JitStats {
    let (stats, result) = run_as(FIB, cache, EngineChoice::Register, JitMode::Eager);
    assert_eq!(result, Value::Int(610));
    stats
}

/// The only pack of a cache.
fn pack(root: &Path) -> PathBuf {
    let cache = cache::CacheDirectory::open(root).unwrap().unwrap();
    let mut packs = cache.packs().unwrap();
    assert_eq!(packs.len(), 1);
    let pack = packs.remove(0);
    root.join(pack.maker).join(pack.name)
}

#[test]
fn a_second_run_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let first = run(&root);
    assert!(first.compiled > 0 && first.compilers > 0 && first.cache.hits == 0);
    assert!(first.cache.stored > 0);
    let second = run(&root);
    assert_eq!((second.compiled, second.compilers), (0, 0));
    assert_eq!(second.cache.stored, 0);
    assert!(second.cache.hits > 0 && second.entries > 0);
}

/// What was hot once is native from its first call and loop, without getting warm.
#[test]
fn a_second_run_is_native_before_it_is_warm() {
    for (text, expected) in [(FIB, 610), (SUMS, 200_010_000 - 20_000)] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cache");
        let auto = || {
            let mut vm = VM::new(program(text));
            vm.set_jit(JitOptions {
                threshold: 256,
                ..JitOptions::default()
            });
            vm.set_native_cache(Some(&root));
            vm.set_counting(true);
            assert_eq!(vm.execute().unwrap(), Some(Value::Int(expected)));
            let ops = vm.stats().expect("it counts").ops;
            (ops, vm.jit_stats())
        };
        let (ops, first) = auto();
        assert!(ops > 100 && first.compiled > 0, "{first:?}");
        let (ops, second) = auto();
        assert!(ops < 10, "{ops}");
        assert_eq!((second.compiled, second.compilers), (0, 0), "{second:?}");
        assert!(second.cache.hits > 0 && second.entries > 0, "{second:?}");
    }
}

/// Code that was made ahead of any run is left in the middle of a sub that the engine has never seen.
#[test]
fn kept_code_is_left_where_nothing_was_lowered() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let text = format!(
        "{}.sub outer args 1\n    call fib 1\n    inc\n    return_value\n.end\n",
        FIB.replacen(
            "load_int 15\n    call fib",
            "load_int 22\n    call outer",
            1
        )
    );
    let vm = || {
        let mut vm = VM::new(program(&text));
        vm.set_engine(EngineChoice::Register);
        vm.set_native_cache(Some(&root));
        vm
    };
    assert!(vm().compile_ahead().stored > 0);
    let mut second = vm();
    assert_eq!(second.execute().unwrap(), Some(Value::Int(17_712)));
    let stats = second.jit_stats();
    assert!(stats.cache.hits > 0 && stats.exits > 0, "{stats:?}");
}

/// A chunk that nobody left code of is asked for once, however often it runs.
#[test]
fn a_chunk_without_code_stays_cold() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let mut vm = VM::new(program("    load_int 7\n    return_value\n"));
    vm.set_native_cache(Some(&root));
    for _ in 0..3 {
        vm.reset();
        assert_eq!(vm.execute().unwrap(), Some(Value::Int(7)));
    }
    assert_eq!(vm.jit_stats(), JitStats::default());
    assert!(!root.exists());
}

/// What can become of a pack's bytes: a flipped bit; an end that is cut off; and an end of zeros, as a file
/// has that wasn't synchronized when the machine stopped.
fn damage(whole: &[u8], case: usize) -> Vec<u8> {
    let (bits, bytes) = (whole.len() * 8, whole.len());
    let mut damaged = whole.to_vec();
    match case {
        bit if bit < bits => damaged[bit / 8] ^= 1 << (bit % 8),
        cut if cut < bits + bytes => damaged.truncate(cut - bits),
        zeros => damaged[zeros - bits - bytes..].fill(0),
    }
    damaged
}

/// All of it with `CACHE_ROUNDS=all`, else some hundreds of cases.
#[test]
fn damage_is_a_counted_miss_or_harmless_and_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    run(&root);
    let pack_path = pack(&root);
    let whole = fs::read(&pack_path).unwrap();
    let cases = whole.len() * 10;
    let step = match std::env::var("CACHE_ROUNDS").as_deref() {
        Ok("all") => 1,
        _ => 127,
    };
    let (mut missed, mut harmless) = (0, 0);
    for case in (0..cases).step_by(step) {
        let damaged = damage(&whole, case);
        if damaged == whole {
            continue;
        }
        fs::write(&pack_path, damaged).unwrap();
        let stats = run(&root);
        if stats.compiled > 0 {
            let counted = stats.cache.missed(Miss::Damaged) + stats.cache.missed(Miss::OtherMaker);
            assert!(counted > 0, "case {case}");
            missed += 1;
        } else {
            harmless += 1;
        }
        let repaired = run(&root);
        assert_eq!(repaired.compiled, 0, "case {case} is not repaired");
        assert_eq!(repaired.cache.misses, [0; Miss::ALL.len()], "case {case}");
    }
    println!("{missed} cases cost a miss, {harmless} damaged nothing that was used");
    assert!(missed > 0);
}

#[test]
fn a_directory_open_to_others_only_costs_the_miss() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(run(&root).compiled > 0);
    assert!(run(&root).compiled > 0);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}
