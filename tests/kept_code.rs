//! Is native code that an earlier run left used by a later one, with the same answers, and is damage to
//! it no more than a miss?
#![cfg(feature = "jit")]

use fusevm::jit::{JitMode, JitOptions, JitStats, Miss};
use fusevm::vm::EngineChoice;
use fusevm::{Chunk, VM, Value, asm};
use fusevm_kit::kept::{FIB, damages, files};
use std::fs;
use std::path::Path;

/// Calls the sub once.
fn fib() -> String {
    format!("    load_int 15\n    call fib 1\n    return_value\n{FIB}")
}

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

/// A loop that fills an array, and one that adds their squares up. What is compiled in the first can't know
/// of what kind they are.
const FLOATS: &str = "
    declare_array a
    load_int 20000
    set_slot n
fill:
    get_slot n
    load_float 0.5
    mul
    array_push a
    get_slot n
    dec
    set_slot n
    get_slot n
    jump_if_true fill
    load_float 0.0
    set_slot total
    load_int 0
    set_slot n
again:
    get_slot total
    get_slot n
    array_get a
    get_slot n
    array_get a
    mul
    add
    set_slot total
    get_slot n
    inc
    set_slot n
    get_slot n
    load_int 20000
    num_lt
    jump_if_true again
    get_slot total
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
    let (stats, result) = run_as(&fib(), cache, EngineChoice::Register, JitMode::Eager);
    assert_eq!(result, Value::Int(610));
    stats
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
    for (text, expected) in [(&*fib(), 610), (SUMS, 200_010_000 - 20_000)] {
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
        "    load_int 22\n    call outer 1\n    return_value\n\
         .sub outer args 1\n    call fib 1\n    inc\n    return_value\n.end\n{FIB}"
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

/// What a run learns when a guard fails, the next one knows from the start.
#[test]
fn what_is_learned_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let run = || {
        let (stats, result) = run_as(FLOATS, &root, EngineChoice::Auto, JitMode::Auto);
        assert_eq!(result, Value::Float(666_716_667_500.0));
        stats
    };
    let first = run();
    assert!(first.failed_guards > 0, "{first:?}");
    for _ in 0..3 {
        let later = run();
        assert_eq!((later.compiled, later.failed_guards), (0, 0), "{later:?}");
        assert!(later.cache.hits > 0 && later.entries > 0, "{later:?}");
    }
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

/// All of it with `CACHE_ROUNDS=all`, else some hundreds of cases.
#[test]
fn damage_is_a_counted_miss_or_harmless_and_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    run(&root);
    let packs = files(&root, ".pack");
    let [pack] = &*packs else {
        panic!("{packs:?}");
    };
    let whole = fs::read(pack).unwrap();
    let (mut missed, mut harmless) = (0, 0);
    for (case, damaged) in damages(&whole, 300) {
        fs::write(pack, damaged).unwrap();
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
