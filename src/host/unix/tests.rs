//! Does the Unix host do what the system and its manuals say?

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::*;
use crate::op::redirect_op;

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[test]
fn commands_end_with_their_status() {
    let mut host = UnixHost::new();
    assert_eq!(host.exec(&words(&["true"])), Ok(0));
    assert_eq!(host.exec(&words(&["false"])), Ok(1));
    assert_eq!(host.exec(&words(&["sh", "-c", "exit 7"])), Ok(7));
    assert_eq!(host.exec(&words(&["sh", "-c", "kill -9 $$"])), Ok(128 + 9));
    assert_eq!(host.exec(&[]), Ok(0));
}

#[test]
fn commands_that_do_not_run_have_a_status_too() {
    let root = tempfile::tempdir().unwrap();
    let plain = root.path().join("plain");
    fs::write(&plain, "exit 3\n").unwrap();
    let status = |word: &[u8]| UnixHost::new().exec(&[word.to_vec()]).unwrap();
    assert_eq!(status(b""), 127);
    assert_eq!(status(b"no-such-command-anywhere"), 127);
    assert_eq!(status(b"/no/such/path"), 127);
    assert_eq!(status(&[bytes(&plain), b"/x"].concat()), 127);
    assert_eq!(status(bytes(root.path())), 126);
    assert_eq!(status(bytes(&plain)), 126);
    assert_eq!(status(b"a\0b"), 126);
    // Executable now, without `#!`: a script of the system's shell.
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(status(bytes(&plain)), 3);
}

#[test]
fn commands_get_their_words_as_bytes() {
    let root = tempfile::tempdir().unwrap();
    let target = [bytes(root.path()), b"/\xff\xfe"].concat();
    let argv = [b"mkdir".to_vec(), target.clone()];
    assert_eq!(UnixHost::new().exec(&argv), Ok(0));
    assert_eq!(UnixHost::new().test_file(1, &target), Ok(true));
}

#[test]
fn commands_are_found_in_path_as_long_as_it_stays() {
    let root = tempfile::tempdir().unwrap();
    let make = |directory: &str, mode: u32| {
        let directory = root.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        let tool = directory.join("tool");
        fs::write(&tool, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(mode)).unwrap();
        directory.into_os_string().into_vec()
    };
    let (first, second, plain) = (make("a", 0o755), make("b", 0o755), make("c", 0o644));
    let mut commands = Commands::new();
    let argv = words(&["tool"]);
    let mut found = |path: &[&[u8]]| {
        let path = path.join(&b':');
        let command = commands.find(&argv, &path);
        command.map(|command| command.path().to_owned())
    };
    let tool = |directory: &[u8]| Ok(CString::new([directory, b"/tool"].concat()).unwrap());
    assert_eq!(found(&[&first, &second]), tool(&first));
    assert_eq!(found(&[b"/nowhere", &second, &first]), tool(&second));
    assert_eq!(found(&[&plain, &second]), tool(&second));
    assert_eq!(found(&[&plain]).unwrap_err().status, 126);
    assert_eq!(found(&[b"/nowhere"]).unwrap_err().status, 127);
}

#[test]
fn a_process_with_threads_is_not_copied() {
    let (answered, answer) = std::sync::mpsc::channel();
    // Tests have a thread each, beside that of the harness.
    std::thread::spawn(move || {
        let mut host = UnixHost::new();
        let forked = host.fork(Wiring::default());
        answered.send((host.can_fork(), forked)).unwrap();
    });
    assert_eq!(answer.recv().unwrap(), (false, Err(HostError::HasThreads)));
}

#[test]
fn commands_connect_by_pipes_without_a_copy() {
    let mut host = UnixHost::new();
    let (read, write) = host.pipe().unwrap();
    let (result, output) = host.pipe().unwrap();
    let mut start = |argv: &[&str], input, output| {
        let wiring = Wiring {
            input,
            output,
            is_background: false,
        };
        host.spawn(&words(argv), wiring).unwrap().unwrap()
    };
    let first = start(&["echo", "through"], None, Some(write));
    let second = start(&["cat"], Some(read), Some(output));
    assert_eq!(host.read_all(result, 100), Ok(b"through\n".to_vec()));
    assert_eq!((host.wait(first), host.wait(second)), (Ok(0), Ok(0)));
}

/// In a process of its own: a number that is free for a moment may go to any thread.
#[test]
fn ends_of_pipes_make_room_for_programs() {
    let test = "host::unix::tests::an_end_of_a_pipe_moves_when_a_program_takes_its_number";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", test, "--ignored"]).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("1 passed"), "{report}");
}

#[test]
#[ignore = "another test runs it alone"]
fn an_end_of_a_pipe_moves_when_a_program_takes_its_number() {
    let mut host = UnixHost::new();
    let (read, write) = host.pipe().unwrap();
    for end in [read, write] {
        let number = u8::try_from(host.descriptors.fd_of(end).unwrap()).unwrap();
        assert!(host.redirect(number, redirect_op::DUP_WRITE, b"2").unwrap());
        assert_ne!(host.descriptors.fd_of(end), Some(i32::from(number)));
    }
    let wiring = Wiring {
        output: Some(write),
        ..Wiring::default()
    };
    let echo = host.spawn(&words(&["echo", "moved"]), wiring);
    let process = echo.unwrap().unwrap();
    assert_eq!(host.read_all(read, 100), Ok(b"moved\n".to_vec()));
    assert_eq!(host.wait(process), Ok(0));
    host.undo_redirections(0).unwrap();
    assert!(host.read_all(read, 100).is_err());
}

#[test]
fn what_others_in_the_process_hold_is_not_redirected() {
    let mut host = UnixHost::new();
    let file = tempfile::tempfile().unwrap();
    let number = u8::try_from(std::os::fd::AsRawFd::as_raw_fd(&file)).unwrap();
    assert_eq!(
        host.redirect(number, redirect_op::DUP_WRITE, b"2"),
        Ok(false)
    );
    assert_eq!(
        host.redirect(number, redirect_op::DUP_WRITE, b"-"),
        Ok(false)
    );
    assert_eq!(host.redirections(), 0);
    assert!(file.metadata().unwrap().is_file());
}

/// The codes of the tests that a path passes, those of permissions left out: who runs the tests
/// as root may do everything.
fn passed(path: &[u8]) -> Vec<u8> {
    let mut host = UnixHost::new();
    let kinds = (0..12).filter(|code| !(2..=4).contains(code));
    kinds
        .filter(|&code| host.test_file(code, path).unwrap())
        .collect()
}

#[test]
fn files_answer_tests() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::write(at("empty"), "").unwrap();
    fs::write(at("full"), "x").unwrap();
    symlink("full", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let fifo = at("fifo").into_os_string().into_vec();
    assert_eq!(UnixHost::new().exec(&[b"mkfifo".to_vec(), fifo]), Ok(0));
    assert_eq!(passed(bytes(&at("empty"))), [0, 5]);
    assert_eq!(passed(bytes(&at("full"))), [0, 5, 6]);
    assert_eq!(passed(bytes(&at("link"))), [0, 5, 6, 7]);
    assert_eq!(passed(bytes(&at("dangling"))), [7]);
    assert_eq!(passed(bytes(&at("socket"))), [5, 8]);
    assert_eq!(passed(bytes(&at("fifo"))), [5, 9]);
    assert_eq!(passed(b"/dev/null"), [5, 11]);
    assert!(passed(bytes(root.path())).starts_with(&[1, 5]));
    for nothing in [&b""[..], b"/no/such", b"a\0b", bytes(&at("full/x"))] {
        assert!(passed(nothing).is_empty());
    }
    assert!(UnixHost::new().test_file(12, b"/").is_err());
}

#[test]
fn permissions_are_those_of_the_process() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut host = UnixHost::new();
    let mut may = |code: u8| host.test_file(code, bytes(file.path())).unwrap();
    assert!(may(2) && may(3) && !may(4));
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(may(4));
}

#[test]
fn names_in_messages_are_short_and_plain() {
    assert_eq!(printable(b"a\x1b[31m\n\xff"), "a?[31m?\u{fffd}");
    assert_eq!(printable(&[b'x'; 300]).len(), 200 + 3);
}

#[test]
fn the_environment_is_the_processs() {
    let mut host = UnixHost::new();
    assert!(host.env(b"PATH").unwrap().is_some());
    for unset in [&b"NO_SUCH_VARIABLE_ANYWHERE"[..], b"", b"a=b", b"a\0b"] {
        assert_eq!(host.env(unset), Ok(None));
    }
}

#[test]
fn homes_come_from_the_user_database() {
    let mut host = UnixHost::new();
    let home = host.home_dir(Some(b"root")).unwrap().unwrap();
    assert!(home.starts_with(b"/"));
    for unknown in [&b"no such user"[..], b"", b"root:x", b"\n"] {
        assert_eq!(host.home_dir(Some(unknown)), Ok(None));
    }
    assert_eq!(home_in_passwd(|_, id| id == b"0"), Ok(Some(home)));
}
