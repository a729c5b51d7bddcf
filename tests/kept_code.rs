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

fn program() -> Chunk {
    let assembly = asm::assemble(FIB, "fib").expect("a program");
    assembly.chunks.into_iter().next().expect("a chunk").1
}

/// Runs the program in a VM of its own, as a process would.
fn run(cache: &Path) -> JitStats {
    let mut vm = VM::new(program());
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Eager,
        ..JitOptions::default()
    });
    vm.set_native_cache(Some(cache));
    let result = vm.execute().expect("no trap").expect("a result");
    assert_eq!(result, Value::Int(610));
    vm.jit_stats()
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
    assert!(first.compiled > 0 && first.cache.hits == 0);
    assert!(first.cache.stored > 0);
    let second = run(&root);
    assert_eq!((second.compiled, second.cache.stored), (0, 0));
    assert!(second.cache.hits > 0 && second.entries > 0);
}

#[test]
fn every_flipped_byte_is_a_miss_or_harmless_and_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    run(&root);
    let pack_path = pack(&root);
    let whole = fs::read(&pack_path).unwrap();
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&pack_path, damaged).unwrap();
        let stats = run(&root);
        if stats.compiled > 0 {
            let counted = stats.cache.missed(Miss::Damaged) + stats.cache.missed(Miss::OtherMaker);
            assert!(counted > 0, "byte {at}");
            assert_eq!(run(&root).compiled, 0, "byte {at} is not repaired");
        }
    }
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
