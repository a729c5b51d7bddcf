//! A scope over its life: filled, damaged, repaired, refused, shared by processes, pruned.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn maker() -> Fingerprint {
    Fingerprint::of(&[("test", b"maker")])
}

fn key(n: u32) -> EntryKey {
    EntryKey::of(&[9; 32], &n.to_le_bytes())
}

fn entry(n: u32) -> Entry {
    Entry::new(
        &n.to_le_bytes().repeat(5),
        format!("tables of {n}").as_bytes(),
    )
}

fn functions(numbers: impl IntoIterator<Item = u32>) -> Vec<(EntryKey, Entry)> {
    numbers.into_iter().map(|n| (key(n), entry(n))).collect()
}

fn open(root: &Path) -> Scope {
    Scope::open(root.to_owned(), maker(), ScopeKey::of(b"program")).unwrap()
}

/// The functions that a process would take.
fn held(scope: &mut Scope) -> Vec<(EntryKey, Entry)> {
    let mut held = scope.take_all();
    held.sort_by_key(|(key, _)| key.0);
    held
}

/// These functions, in the order of [`held`].
fn sorted(numbers: impl IntoIterator<Item = u32>) -> Vec<(EntryKey, Entry)> {
    let mut sorted = functions(numbers);
    sorted.sort_by_key(|(key, _)| key.0);
    sorted
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
    assert_eq!(held(&mut open(&root)), sorted(0..100));
}

#[test]
fn an_empty_cache_makes_nothing_until_something_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    assert_eq!(held(&mut open(&root)), []);
    assert!(!root.exists());
    open(&root).publish(functions([0]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&packs(&root)[0]), 0o600);
}

#[test]
fn scopes_and_makers_are_apart() {
    let (_folder, root) = filled([1]);
    let other_scope = Scope::open(root.clone(), maker(), ScopeKey::of(b"other"));
    assert_eq!(held(&mut other_scope.unwrap()), []);
    let features = Fingerprint::of(&[("test", b"another processor")]);
    let other_maker = Scope::open(root, features, ScopeKey::of(b"program"));
    assert_eq!(held(&mut other_maker.unwrap()), []);
}

#[test]
fn a_pack_in_another_makers_directory_is_not_believed() {
    let (_folder, root) = filled([1]);
    let features = Fingerprint::of(&[("test", b"another processor")]);
    let key_of_scope = ScopeKey::of(b"program");
    Scope::open(root.clone(), features, key_of_scope)
        .unwrap()
        .publish(functions([2]));
    let ours = root.join(maker().directory());
    let theirs = root.join(features.directory());
    let name = packs(&ours.join(".."))
        .remove(0)
        .file_name()
        .unwrap()
        .to_owned();
    fs::copy(ours.join(&name), theirs.join(&name)).unwrap();
    let mut scope = Scope::open(root, features, key_of_scope).unwrap();
    assert_eq!(held(&mut scope), []);
    assert_eq!(scope.stats().missed(Miss::OtherMaker), 1);
}

#[test]
fn many_flushes_stay_few_files() {
    let (_folder, root) = filled([0]);
    for n in 1..40 {
        open(&root).publish(functions([n]));
        assert!(packs(&root).len() <= 8);
    }
    assert_eq!(held(&mut open(&root)), sorted(0..40));
}

#[test]
fn damage_is_a_counted_miss_and_is_repaired() {
    let (_folder, root) = filled(0..3);
    let pack = packs(&root).remove(0);
    let whole = fs::read(&pack).unwrap();
    let whole_set = sorted(0..3);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&pack, &damaged).unwrap();
        let mut scope = open(&root);
        let left = held(&mut scope);
        assert!(
            left.iter().all(|entry| whole_set.contains(entry)),
            "byte {at}"
        );
        if left.len() == 3 {
            continue;
        }
        let stats = scope.stats();
        let counted = stats.missed(Miss::Damaged) + stats.missed(Miss::OtherMaker);
        assert!(counted > 0, "byte {at}");
        scope.publish(functions(0..3));
        assert_eq!(held(&mut open(&root)), whole_set, "byte {at}");
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
        assert_eq!(held(&mut open(&root)), [], "{length}");
    }
}

#[test]
fn only_directories_of_this_user_alone_are_used() {
    let (folder, root) = filled([0]);
    let refused =
        |path: &Path| Scope::open(path.to_owned(), maker(), ScopeKey::of(b"program")).map(drop);
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
    let mut scope = open(&root);
    assert_eq!(held(&mut scope), []);
    assert_eq!(scope.stats().missed(Miss::Unsafe), 1);
    fs::remove_file(&pack).unwrap();
    symlink("/etc/passwd", &pack).unwrap();
    let mut linked = open(&root);
    assert_eq!(held(&mut linked), []);
    assert_eq!(linked.stats().missed(Miss::Unsafe), 1);
}

#[test]
fn the_longest_unused_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    for (name, age) in [("old", 30), ("older", 60), ("new", 0)] {
        let scope = ScopeKey::of(name.as_bytes());
        Scope::open(root.clone(), maker(), scope)
            .unwrap()
            .publish(functions([1]));
        let path = root
            .join(maker().directory())
            .join(format!("{}-0.pack", scope.stem()));
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
    let older = ScopeKey::of(b"older").stem();
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
                    let all = sorted(0..200);
                    assert!(held(&mut scope).iter().all(|entry| all.contains(entry)));
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
