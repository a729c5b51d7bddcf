//! Is what is remembered what the system would say?

use std::convert::Infallible;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::*;

/// After so long a change is settled.
const WHILE: Duration = Duration::from_millis(1150);

/// Folders on the disk, and in memory.
fn places() -> Vec<TempDir> {
    let places = [std::env::temp_dir(), PathBuf::from("/dev/shm")];
    let there = places.iter().filter(|place| place.is_dir());
    there
        .map(|place| tempfile::tempdir_in(place).unwrap())
        .collect()
}

/// A folder with a few entries.
fn fill(folder: &Path) {
    fs::create_dir_all(folder.join("folder")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    for name in ["b", "a", ".hidden", "c"] {
        fs::write(folder.join(name), "").unwrap();
    }
    symlink("a", folder.join("link")).unwrap();
}

type Entries = Vec<(Vec<u8>, FileType)>;

fn path(folder: &Path) -> &[u8] {
    folder.as_os_str().as_bytes()
}

/// What is said to be in a folder, sorted.
fn said(listings: &mut Listings, folder: &Path) -> Entries {
    let mut entries = Entries::new();
    let listed = listings.for_each_entry(path(folder), |entry| {
        entries.push((entry.name.to_vec(), entry.kind()));
        Ok::<_, Infallible>(())
    });
    let Ok(()) = listed.unwrap();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// What the system says is in it, without any memory.
fn true_of(folder: &Path) -> Entries {
    said(&mut Listings::new(), folder)
}

/// How often the system has listed a folder for a question about it, whose answer is right.
fn listings_for(listings: &mut Listings, folder: &Path) -> usize {
    let before = listings.listed;
    assert_eq!(said(listings, folder), true_of(folder), "{folder:?}");
    listings.listed - before
}

/// Has a folder that is settled be remembered.
fn remember(listings: &mut Listings, folder: &Path) {
    assert_eq!(listings_for(listings, folder), 1);
    assert_eq!(listings_for(listings, folder), 1);
    assert_eq!(listings_for(listings, folder), 0, "it is remembered");
}

/// Changes what is in a folder.
type Change = fn(&Path);

/// All that can happen to what is in a folder.
const CHANGES: [Change; 14] = [
    |folder| fs::write(folder.join("new"), "").unwrap(),
    |folder| fs::create_dir(folder.join("new")).unwrap(),
    |folder| symlink("a", folder.join("new")).unwrap(),
    |folder| fs::hard_link(folder.join("a"), folder.join("new")).unwrap(),
    |folder| fs::remove_file(folder.join("a")).unwrap(),
    |folder| fs::remove_file(folder.join("link")).unwrap(),
    |folder| fs::remove_dir(folder.join("empty")).unwrap(),
    |folder| fs::rename(folder.join("a"), folder.join("z")).unwrap(),
    |folder| fs::rename(folder.join("a"), folder.join("b")).unwrap(),
    |folder| fs::rename(folder.join("a"), folder.join("folder/a")).unwrap(),
    |folder| {
        let (from, to) = (folder.join("a"), folder.join("folder"));
        renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).unwrap();
    },
    |folder| {
        fs::write(folder.join("folder/a"), "").unwrap();
        fs::rename(folder.join("folder/a"), folder.join("z")).unwrap();
    },
    |folder| {
        fs::remove_file(folder.join("a")).unwrap();
        fs::create_dir(folder.join("a")).unwrap();
    },
    |folder| {
        fs::remove_dir(folder.join("empty")).unwrap();
        symlink("folder", folder.join("empty")).unwrap();
    },
];

/// A folder for each change that is made, `rounds` times.
fn folders(place: &Path, rounds: usize) -> Vec<(PathBuf, Change)> {
    let changes = CHANGES.iter().cycle().take(CHANGES.len() * rounds);
    let folders = changes.enumerate().map(|(number, change)| {
        let folder = place.join(number.to_string());
        fill(&folder);
        (folder, *change)
    });
    folders.collect()
}

#[test]
fn every_change_of_what_is_remembered_is_seen() {
    for place in places() {
        let folders = folders(place.path(), 100);
        std::thread::sleep(WHILE);
        let mut listings = Listings::new();
        for (folder, change) in folders {
            remember(&mut listings, &folder);
            let before = true_of(&folder);
            change(&folder);
            assert_eq!(listings_for(&mut listings, &folder), 1);
            assert_ne!(said(&mut listings, &folder), before, "it is a change");
        }
    }
}

/// Changes and questions one right after the other: many of them between two ticks of the clock.
#[test]
fn nothing_is_believed_of_a_folder_that_just_changed() {
    for place in places() {
        let mut listings = Listings::new();
        let begun = Instant::now();
        let mut rounds = 0;
        while rounds < 3000 || begun.elapsed() < WHILE {
            let folder = place.path().join("folder");
            fill(&folder);
            CHANGES[rounds % CHANGES.len()](&folder);
            for _ in 0..4 {
                assert_eq!(listings_for(&mut listings, &folder), 1);
            }
            fs::write(folder.join("more"), "").unwrap();
            assert_eq!(listings_for(&mut listings, &folder), 1);
            fs::remove_dir_all(&folder).unwrap();
            rounds += 1;
        }
    }
}

#[test]
fn another_folder_at_the_same_place_is_told() {
    for place in places() {
        let at = |name: &str| place.path().join(name);
        for name in ["here", "there", "gone"] {
            fill(&at(name));
        }
        fs::write(at("there/more"), "").unwrap();
        symlink("here", at("way")).unwrap();
        std::thread::sleep(WHILE);
        let mut listings = Listings::new();
        remember(&mut listings, &at("way"));
        // Another way to the same folder.
        assert_eq!(listings_for(&mut listings, &at("here/folder/..")), 0);
        fs::remove_file(at("way")).unwrap();
        symlink("there", at("way")).unwrap();
        remember(&mut listings, &at("way"));
        renameat_with(CWD, at("here"), CWD, at("there"), RenameFlags::EXCHANGE).unwrap();
        listings_for(&mut listings, &at("here"));
        listings_for(&mut listings, &at("there"));
        remember(&mut listings, &at("gone"));
        fs::remove_dir_all(at("gone")).unwrap();
        let answer = listings.for_each_entry(path(&at("gone")), |_| Ok::<_, Infallible>(()));
        assert_eq!(answer, Err(Errno::NOENT));
        fs::create_dir(at("gone")).unwrap();
        assert_eq!(listings_for(&mut listings, &at("gone")), 1);
    }
}

/// What is asked for is ended early, and nothing is believed of the rest that wasn't seen.
#[test]
fn half_a_listing_is_not_kept() {
    let place = tempfile::tempdir().unwrap();
    fill(place.path());
    std::thread::sleep(WHILE);
    let mut listings = Listings::new();
    for _ in 0..3 {
        let ended = listings.for_each_entry(path(place.path()), |_| Err(()));
        assert_eq!(ended, Ok(Err(())));
    }
    assert_eq!(listings.listed, 3);
    assert_eq!(listings_for(&mut listings, place.path()), 1);
    assert_eq!(listings_for(&mut listings, place.path()), 0);
    assert_eq!(
        listings.for_each_entry(path(place.path()), |_| Err(())),
        Ok(Err(()))
    );
}

#[test]
fn names_come_sorted_from_memory() {
    let place = tempfile::tempdir().unwrap();
    fill(place.path());
    std::thread::sleep(WHILE);
    let mut listings = Listings::new();
    remember(&mut listings, place.path());
    let mut names = Vec::new();
    let listed = listings.for_each_entry(path(place.path()), |entry| {
        names.push(entry.name.to_vec());
        Ok::<_, Infallible>(())
    });
    assert_eq!(listed, Ok(Ok(())));
    assert_eq!(names.len(), 7);
    assert!(names.is_sorted());
}

#[test]
fn what_no_stamp_proves_is_asked_each_time() {
    let mut listings = Listings::new();
    for _ in 0..5 {
        assert_eq!(
            listings_for(&mut listings, Path::new("/proc/self/fdinfo/..")),
            1
        );
        assert_eq!(listings_for(&mut listings, Path::new("/sys")), 1);
    }
}

fn bytes_of(listings: &Listings) -> usize {
    listings.known.iter().map(Known::bytes).sum()
}

/// Fills a folder with files whose names are as long as they can be.
fn crowd(folder: &Path, count: usize) {
    fs::create_dir(folder).unwrap();
    for number in 0..count {
        fs::write(folder.join(format!("{number:0255}")), "").unwrap();
    }
}

#[test]
fn memory_is_bounded() {
    let place = places().pop().unwrap();
    let at = |name: String| place.path().join(name);
    let many = 0..2 * MAX_FOLDERS;
    many.clone()
        .for_each(|number| fill(&at(number.to_string())));
    // Two of them fit, and one is too large.
    let row = 255 + size_of::<Row>();
    let large = MAX_LISTING / row;
    (0..3).for_each(|number| crowd(&at(format!("large{number}")), large));
    crowd(&at("too large".to_owned()), large + 1);
    std::thread::sleep(WHILE);
    let mut listings = Listings::new();
    for number in many.clone() {
        remember(&mut listings, &at(number.to_string()));
        assert!(listings.known.len() <= MAX_FOLDERS);
    }
    let held = bytes_of(&listings);
    assert_eq!(listings_for(&mut listings, &at(many.start.to_string())), 1);
    assert_eq!(
        listings_for(&mut listings, &at((many.end - 1).to_string())),
        0
    );
    for number in 0..3 {
        remember(&mut listings, &at(format!("large{number}")));
        assert!(bytes_of(&listings) <= MAX_BYTES);
    }
    assert_eq!(listings_for(&mut listings, &at("large1".to_owned())), 0);
    assert_eq!(listings_for(&mut listings, &at("large0".to_owned())), 1);
    for _ in 0..4 {
        assert_eq!(listings_for(&mut listings, &at("too large".to_owned())), 1);
        assert!(bytes_of(&listings) <= MAX_BYTES);
    }
    assert!(held < bytes_of(&listings));
}
