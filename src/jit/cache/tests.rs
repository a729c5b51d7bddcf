//! A scope over its life: filled, damaged, repaired, refused, shared by processes, pruned.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn maker() -> Fingerprint {
    Fingerprint::of(&[("test", b"maker")])
}

fn another_maker() -> Fingerprint {
    Fingerprint::of(&[("test", b"another processor")])
}

fn scope_key(chunk: u8) -> ScopeKey {
    ScopeKey::of(&[chunk; 32], false, &[])
}

fn key(n: u32) -> UnitKey {
    UnitKey::frame(n as usize, 1).unwrap()
}

fn entry(n: u32) -> Entry {
    Entry::new(
        &n.to_le_bytes().repeat(5),
        format!("tables of {n}").as_bytes(),
    )
}

fn functions(numbers: impl IntoIterator<Item = u32>) -> Vec<(UnitKey, Entry)> {
    numbers.into_iter().map(|n| (key(n), entry(n))).collect()
}

fn open(root: &Path) -> Scope {
    open_as(root, maker, scope_key(1))
}

fn open_as(root: &Path, maker: fn() -> Fingerprint, key: ScopeKey) -> Scope {
    Scope::open(Arc::from(root), maker, key).unwrap()
}

/// The functions that a process would take, by number.
fn held(scope: &Scope) -> Vec<(UnitKey, Entry)> {
    let found = |key| {
        let found = scope.find(key).unwrap();
        (key, Entry::new(found.code.bytes(), found.tables))
    };
    scope.keys().into_iter().map(found).collect()
}

/// A cache that holds these functions.
fn filled(numbers: impl IntoIterator<Item = u32>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    open(&root).publish(functions(numbers));
    (folder, root)
}

/// The paths of all packs.
fn packs(root: &Path) -> Vec<PathBuf> {
    let cache = CacheDirectory::open(root).unwrap().unwrap();
    let path = |pack: PackStatus| root.join(pack.maker).join(pack.name);
    cache.packs().unwrap().into_iter().map(path).collect()
}

#[test]
fn a_later_process_finds_what_an_earlier_one_published() {
    let (_folder, root) = filled(0..100);
    assert_eq!(held(&open(&root)), functions(0..100));
}

#[test]
fn an_empty_cache_makes_nothing_until_something_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    assert_eq!(held(&open(&root)), []);
    assert!(!root.exists());
    open(&root).publish(functions([0]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&packs(&root)[0]), 0o600);
}

#[test]
fn scopes_and_makers_are_apart() {
    let (_folder, root) = filled([1]);
    assert_eq!(held(&open_as(&root, maker, scope_key(2))), []);
    assert_eq!(held(&open_as(&root, another_maker, scope_key(1))), []);
}

/// Has a pack of other content take the place of that of this maker and chunk.
fn misplaced(maker_of_it: fn() -> Fingerprint, chunk: u8) -> Scope {
    let (_folder, root) = filled([1]);
    let ours = root.join(maker().directory());
    open_as(&root, maker_of_it, scope_key(chunk)).publish(functions([2]));
    let other = root
        .join(maker_of_it().directory())
        .join(store::pack_name(&scope_key(chunk), 0));
    fs::copy(other, ours.join(store::pack_name(&scope_key(1), 0))).unwrap();
    let scope = open(&root);
    assert_eq!(held(&scope), []);
    scope
}

#[test]
fn packs_in_the_place_of_others_are_not_believed() {
    let scope = misplaced(another_maker, 1);
    assert_eq!(scope.stats().missed(Miss::OtherMaker), 1);
    let scope = misplaced(maker, 2);
    assert_eq!(scope.stats().missed(Miss::Damaged), 1);
}

#[test]
fn what_was_written_last_counts() {
    let (_folder, root) = filled(0..3);
    for round in 10..30 {
        open(&root).publish(vec![(key(1), entry(round))]);
        let expected = vec![
            (key(0), entry(0)),
            (key(1), entry(round)),
            (key(2), entry(2)),
        ];
        assert_eq!(held(&open(&root)), expected);
        let scope = open(&root);
        let all = (0..3).flat_map(|region| scope.all_of(region));
        let newest: Vec<Vec<u8>> = all.map(|found| found.code.bytes().to_vec()).collect();
        let code = |n: u32| n.to_le_bytes().repeat(5);
        assert_eq!(newest, [code(0), code(round), code(2)]);
    }
}

#[test]
fn many_flushes_stay_few_files() {
    let (_folder, root) = filled([0]);
    for n in 1..40 {
        open(&root).publish(functions([n]));
        assert!(packs(&root).len() <= 8);
    }
    assert_eq!(held(&open(&root)), functions(0..40));
}

#[test]
fn damage_is_a_counted_miss_and_is_repaired() {
    let (_folder, root) = filled(0..3);
    let pack = packs(&root).remove(0);
    let whole = fs::read(&pack).unwrap();
    let whole_set = functions(0..3);
    // Each bit of the header, and one of each byte behind it.
    let header = (0..128).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)));
    let rest = (128..whole.len()).map(|at| (at, 0x10));
    for (at, flip) in header.chain(rest) {
        let mut damaged = whole.clone();
        damaged[at] ^= flip;
        fs::write(&pack, &damaged).unwrap();
        let mut scope = open(&root);
        let left = held(&scope);
        assert!(
            left.iter().all(|entry| whole_set.contains(entry)),
            "byte {at}"
        );
        assert!(scope.is_damaged(), "byte {at}");
        let stats = scope.stats();
        let counted = stats.missed(Miss::Damaged) + stats.missed(Miss::OtherMaker);
        assert!(counted > 0 || left.len() == 3, "byte {at}");
        let missing = whole_set.iter().filter(|entry| !left.contains(entry));
        scope.publish(missing.cloned().collect());
        assert_eq!(held(&open(&root)), whole_set, "byte {at}");
        assert!(!open(&root).is_damaged(), "byte {at}");
        assert_eq!(packs(&root).len(), 1);
    }
}

#[test]
fn each_cut_is_a_miss() {
    let (_folder, root) = filled([0]);
    let pack = packs(&root).remove(0);
    let whole = fs::read(&pack).unwrap();
    for length in 0..whole.len() {
        fs::write(&pack, &whole[..length]).unwrap();
        assert_eq!(held(&open(&root)), [], "{length}");
    }
}

#[test]
fn only_directories_of_this_user_alone_are_used() {
    let (folder, root) = filled([0]);
    let refused = |path: &Path| Scope::open(Arc::from(path), maker, scope_key(1)).map(drop);
    for mode in [0o770, 0o707, 0o750, 0o701] {
        fs::set_permissions(&root, Permissions::from_mode(mode)).unwrap();
        assert_eq!(refused(&root), Err(Unfit::OpenToOthers(mode)));
    }
    fs::set_permissions(&root, Permissions::from_mode(0o700)).unwrap();
    let link = folder.path().join("link");
    symlink(&root, &link).unwrap();
    assert_eq!(refused(&link), Err(Unfit::NotDirectory));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(refused(&file), Err(Unfit::NotDirectory));
}

#[test]
fn only_files_of_this_user_alone_are_read() {
    let (_folder, root) = filled([0]);
    let pack = packs(&root).remove(0);
    fs::set_permissions(&pack, Permissions::from_mode(0o644)).unwrap();
    let scope = open(&root);
    assert_eq!(held(&scope), []);
    assert_eq!(scope.stats().missed(Miss::Unsafe), 1);
    fs::remove_file(&pack).unwrap();
    symlink("/etc/passwd", &pack).unwrap();
    let linked = open(&root);
    assert_eq!(held(&linked), []);
    assert_eq!(linked.stats().missed(Miss::Unsafe), 1);
}

#[test]
fn the_longest_unused_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    for (chunk, age) in [(1, 30), (2, 60), (3, 0)] {
        let scope = scope_key(chunk);
        open_as(&root, maker, scope).publish(functions([1]));
        let path = root
            .join(maker().directory())
            .join(store::pack_name(&scope, 0));
        let file = fs::File::open(&path).unwrap();
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(age * 86_400);
        file.set_modified(past).unwrap();
    }
    let cache = CacheDirectory::open(&root).unwrap().unwrap();
    let limits = CacheLimits {
        packs: 2,
        ..CacheLimits::default()
    };
    assert_eq!(cache.prune(limits).unwrap().packs, 1);
    let names: Vec<String> = cache
        .packs()
        .unwrap()
        .into_iter()
        .map(|pack| pack.name)
        .collect();
    let older = scope_key(2).stem();
    assert!(names.len() == 2 && names.iter().all(|name| !name.starts_with(&older)));
    assert_eq!(cache.clear().unwrap().packs, 2);
    assert_eq!(cache.packs().unwrap(), []);
}

#[test]
fn verify_tells_which_packs_are_damaged() {
    let (_folder, root) = filled(0..2);
    let cache = CacheDirectory::open(&root).unwrap().unwrap();
    let pack = cache.packs().unwrap().remove(0);
    let whole = Verified {
        intact: 2,
        damaged: 0,
    };
    assert_eq!(cache.verify(&pack), Ok(whole));
    let path = packs(&root).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let half = Verified {
        intact: 1,
        damaged: 1,
    };
    assert_eq!(cache.verify(&pack), Ok(half));
    bytes.truncate(10);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(cache.verify(&pack), Err(Miss::Damaged));
}

#[test]
fn eight_writers_at_once_tear_nothing() {
    let (_folder, root) = filled([]);
    std::thread::scope(|threads| {
        for writer in 0..8 {
            let root = &root;
            threads.spawn(move || {
                for round in 0..20 {
                    let mut scope = open(root);
                    let all = functions(0..200);
                    assert!(held(&scope).iter().all(|entry| all.contains(entry)));
                    scope.publish(functions([writer * 20 + round]));
                }
            });
        }
    });
    let cache = CacheDirectory::open(&root).unwrap().unwrap();
    for pack in cache.packs().unwrap() {
        assert_eq!(cache.verify(&pack).map(|pack| pack.damaged), Ok(0));
    }
}

#[test]
fn pruning_leaves_no_gap_between_packs_of_a_chunk() {
    let (_folder, root) = filled([0]);
    for n in 1..4 {
        open(&root).publish(functions([n]));
    }
    open_as(&root, maker, scope_key(2)).publish(functions([9]));
    let cache = CacheDirectory::open(&root).unwrap().unwrap();
    let first = root
        .join(maker().directory())
        .join(store::pack_name(&scope_key(1), 0));
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(90 * 86_400);
    fs::File::open(&first).unwrap().set_modified(past).unwrap();
    let limits = CacheLimits {
        packs: 4,
        ..CacheLimits::default()
    };
    cache.prune(limits).unwrap();
    let left = held(&open(&root));
    assert!(left.is_empty() || left == functions(0..4), "{left:?}");
}
