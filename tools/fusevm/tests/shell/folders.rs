//! Do globs see what became of a folder that was listed before, whoever changed it?

use super::modes::{Mode, modes};
use super::{fusevm, module};
use fusevm_kit::sh::compile;
use std::process::Command;

/// Begins with a folder whose listing is remembered.
const REMEMBERED: &str = "mkdir d; : > d/a; : > d/b; sleep 1.2; x=$(echo d/*); for i in 1 2 3; do for x in d/*; do :; done; done";

/// What a script prints that begins so, run by a command in front of `fusevm`.
fn printed(mode: &Mode, before: &[&str], script: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary folder");
    let module = module(place.path(), &compile(&format!("{REMEMBERED}; {script}")));
    let mut words = before.iter().map(std::ffi::OsStr::new).collect::<Vec<_>>();
    words.push(fusevm().as_os_str());
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg("run")
        .args(&mode.arguments)
        .arg(module)
        .current_dir(place.path())
        .output()
        .expect("it can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn changes_of_a_remembered_folder_are_seen() {
    let script = "echo d/*; : > d/c; echo d/*; echo d/*
        touch d/e; echo d/*; mv d/a d/f; echo d/*; echo d/*; rm d/b d/e; echo d/*
        (: > d/g; echo d/*); echo d/*; x=$(rm d/g; echo d/*); echo $x; echo d/*
        echo x | { cat > d/h; echo d/*; }; echo d/*; touch d/i & wait; echo d/*
        mv d o; mkdir d; : > d/new; echo d/* o/*; rm d/new o/*; echo d/* o/*";
    let expected = "d/a d/b\nd/a d/b d/c\nd/a d/b d/c\n\
        d/a d/b d/c d/e\nd/b d/c d/e d/f\nd/b d/c d/e d/f\nd/c d/f\n\
        d/c d/f d/g\nd/c d/f d/g\nd/c d/f\nd/c d/f\n\
        d/c d/f d/h\nd/c d/f d/h\nd/c d/f d/h d/i\n\
        d/new o/c o/f o/h o/i\nd/* o/*\n";
    for mode in modes() {
        assert_eq!(printed(&mode, &[], script), expected);
    }
}

/// Where whoever runs the tests may mount.
#[test]
fn a_mount_on_a_remembered_folder_is_seen() {
    let own_mounts = ["unshare", "--mount", "--map-root-user"];
    let tried = Command::new(own_mounts[0])
        .args(&own_mounts[1..])
        .args(["sh", "-c", "mount -t tmpfs none /mnt"])
        .output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        return;
    }
    let script = "mkdir e; : > e/x; mount -t tmpfs none d; echo d/*; : > d/t; echo d/*
        sleep 1.2; echo d/*; echo d/*; umount d; echo d/*
        mount -t tmpfs none d; echo d/*; umount d; echo d/*
        mount --bind e d; echo d/*; umount d; echo d/*";
    let expected = "d/*\nd/t\nd/t\nd/t\nd/a d/b\nd/*\nd/a d/b\nd/x\nd/a d/b\n";
    for mode in modes() {
        assert_eq!(printed(&mode, &own_mounts, script), expected);
    }
}
