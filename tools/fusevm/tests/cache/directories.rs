//! Directories that can't be written, can't be trusted, or aren't there.

use super::{Place, RESULT, fusevm, ran};
use fusevm_kit::kept::files;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Nothing is taken from such a cache, and nothing is left there.
fn assert_unused(place: &Place, cache: &Path) {
    for _ in 0..2 {
        let run = ran(&mut place.command(cache));
        assert_eq!(run.number("cache_hits"), 0, "{}", run.stats);
        assert_eq!(run.number("cache_stored"), 0, "{}", run.stats);
    }
}

#[test]
fn directories_that_others_can_reach_are_not_used() {
    let place = Place::filled();
    for mode in [0o720, 0o702, 0o750, 0o777] {
        fs::set_permissions(place.cache(), Permissions::from_mode(mode)).unwrap();
        assert_unused(&place, &place.cache());
    }
    fs::set_permissions(place.cache(), Permissions::from_mode(0o700)).unwrap();
    let link = place.path("link");
    symlink(place.cache(), &link).unwrap();
    assert_unused(&place, &link);
    let file = place.path("file");
    fs::write(&file, "a file").unwrap();
    assert_unused(&place, &file);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file");
    assert!(place.run().is_hit());
}

#[test]
fn makers_that_others_can_reach_are_not_used() {
    let place = Place::filled();
    let pack = place.packs().remove(0);
    let maker = pack.parent().unwrap();
    fs::set_permissions(maker, Permissions::from_mode(0o770)).unwrap();
    assert_unused(&place, &place.cache());
    fs::set_permissions(maker, Permissions::from_mode(0o700)).unwrap();
    let aside = place.path("aside");
    fs::rename(maker, &aside).unwrap();
    symlink(&aside, maker).unwrap();
    assert_unused(&place, &place.cache());
    fs::remove_file(maker).unwrap();
    fs::write(maker, "a file").unwrap();
    assert_unused(&place, &place.cache());
}

#[test]
fn packs_that_others_can_reach_are_not_used_and_are_replaced() {
    let place = Place::filled();
    let pack = place.packs().remove(0);
    fs::set_permissions(&pack, Permissions::from_mode(0o604)).unwrap();
    let run = place.run();
    assert!(run.misses("unsafe") > 0 && run.number("compiled") > 0);
    assert!(place.run().is_hit());
    let aside = place.path("aside");
    fs::rename(&pack, &aside).unwrap();
    symlink(&aside, &pack).unwrap();
    let run = place.run();
    assert!(run.misses("unsafe") > 0 && run.number("compiled") > 0);
    assert!(place.run().is_hit());
}

#[test]
fn directories_of_other_users_are_not_used() {
    let place = Place::filled();
    if chown(place.cache(), Some(4321), None).is_err() {
        eprintln!("skipped: only root can give a directory away");
        return;
    }
    assert_unused(&place, &place.cache());
    chown(place.cache(), Some(0), None).unwrap();
    let pack = place.packs().remove(0);
    chown(&pack, Some(4321), None).unwrap();
    let run = place.run();
    assert!(run.misses("unsafe") > 0 && run.number("compiled") > 0);
}

#[test]
fn a_directory_that_can_only_be_read_hits() {
    let place = Place::filled();
    let pack = place.packs().remove(0);
    for folder in [pack.parent().unwrap(), &place.cache()] {
        fs::set_permissions(folder, Permissions::from_mode(0o500)).unwrap();
    }
    assert!(place.run().is_hit());
    for folder in [&*place.cache(), pack.parent().unwrap()] {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
    }
}

/// A small file system of memory, gone with this.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// `None` where that isn't allowed.
    fn new(at: &'a Path, options: &str) -> Option<Mounted<'a>> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at);
        let status = command.output().ok()?.status;
        status.success().then_some(Mounted(at))
    }

    fn remount(&self, options: &str) -> bool {
        let mut command = Command::new("mount");
        command
            .args(["-o", &format!("remount,{options}")])
            .arg(self.0);
        command.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_file_system_that_can_only_be_read_hits_and_a_full_one_costs_the_miss() {
    let place = Place::new();
    let at = place.path("mounted");
    let Some(mounted) = Mounted::new(&at, "size=64k,mode=700") else {
        eprintln!("skipped: nothing can be mounted here");
        return;
    };
    let cache = at.join("code");
    let run = || ran(&mut place.command(&cache));
    run();
    assert!(run().is_hit());
    if mounted.remount("ro") {
        assert!(run().is_hit());
        assert!(mounted.remount("rw"));
    }
    fs::remove_dir_all(&cache).unwrap();
    // All of it but one page, and then all.
    for left in [4096, 0] {
        fs::write(at.join("ballast"), vec![1; 1 << 20]).unwrap_err();
        let ballast = fs::OpenOptions::new().write(true).open(at.join("ballast"));
        let ballast = ballast.unwrap();
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length - left).unwrap();
        for _ in 0..2 {
            let run = run();
            // A page is room for a few functions.
            assert!(left > 0 || run.number("cache_stored") == 0);
        }
        assert_eq!(files(&cache, ".new-").len(), 0, "nothing half is left");
        let _ = fs::remove_dir_all(&cache);
        fs::remove_file(at.join("ballast")).unwrap();
    }
    run();
    assert!(run().is_hit());
}

#[test]
fn a_limit_of_file_sizes_costs_the_miss() {
    let place = Place::new();
    let limited = |blocks: &str| {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -f {blocks}; exec \"$@\""));
        command.arg("sh").arg(fusevm().get_program());
        let inner = place.command(place.cache());
        command.args(inner.get_args());
        ran(&mut command)
    };
    for _ in 0..2 {
        let run = limited("1");
        assert_eq!(run.number("cache_stored"), 0, "{}", run.stats);
    }
    assert_eq!(files(&place.cache(), "").len(), 0);
    place.run();
    // Who may write nothing may still read.
    assert!(limited("0").is_hit());
}

#[test]
fn without_a_home_there_is_no_cache() {
    let place = Place::new();
    let bare = |variables: &[(&str, &str)]| {
        let mut command = fusevm();
        command
            .args(["run", "--jit", "eager", "--print-result"])
            .arg(place.program());
        for name in ["HOME", "XDG_CACHE_HOME", "FUSEVM_CACHE_DIR"] {
            command.env_remove(name);
        }
        command
            .envs(variables.iter().copied())
            .current_dir(place.folder.path());
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), RESULT);
        assert!(output.stderr.is_empty());
    };
    bare(&[]);
    bare(&[("HOME", "relative")]);
    bare(&[("HOME", "/nonexistent/fusevm"), ("FUSEVM_CACHE_DIR", "off")]);
    let names: Vec<_> = fs::read_dir(place.folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(names.len(), 1, "nothing but the program: {names:?}");
    let home = place.path("home");
    bare(&[("HOME", home.to_str().unwrap())]);
    assert_eq!(files(&home.join(".cache/fusevm"), ".pack").len(), 1);
}

/// After the clock was set back, what was written is of a time to come.
#[test]
fn a_clock_that_is_set_back_removes_nothing() {
    let place = Place::filled();
    let to_come = SystemTime::now() + Duration::from_secs(400 * 86_400);
    let pruned = place.cache().join("pruned");
    for path in place.packs().iter().chain([&pruned]) {
        fs::File::open(path).unwrap().set_modified(to_come).unwrap();
    }
    assert!(place.run().is_hit());
    let mut prune = fusevm();
    prune.args(["cache", "prune", "--cache"]).arg(place.cache());
    assert!(prune.output().unwrap().status.success());
    assert!(place.run().is_hit());
}
