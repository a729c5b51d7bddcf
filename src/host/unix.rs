//! The real host: this process's streams, commands, files and environment on a Unix system.
//!
//! It follows links, permissions and `PATH` exactly as the system does. What needs a copy of this
//! process (pipelines, subshells) is not here.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::fs::{Access, AtFlags, CWD, FileType, Stat};
use rustix::io::Errno;
use rustix::stdio;

use super::stream::{Input, Output, write_all};
use super::{FileTest, Host, HostError, STATUS_CANT_EXECUTE, STATUS_NOT_FOUND, glob};

/// How much of the user database is read.
const MAX_PASSWD: u64 = 1 << 24;

/// The shell that runs a script without a `#!` line, as POSIX asks.
const SCRIPT_SHELL: &str = "/bin/sh";

/// The host of the process that we are.
///
/// Making one allocates nothing and asks nothing of the system. Dropping it writes out what is
/// buffered, without a word if that fails: call [`flush`](Host::flush) before.
pub struct UnixHost {
    output: Output<BorrowedFd<'static>>,
    input: Input<BorrowedFd<'static>>,
}

impl UnixHost {
    /// A host over the standard streams.
    pub const fn new() -> Self {
        UnixHost {
            output: Output::new(stdio::stdout()),
            input: Input::new(stdio::stdin()),
        }
    }

    /// Says whether commands may read standard input too; a new host assumes it.
    ///
    /// Shared input is not read beyond the line asked for, as the rest is for others. In a pipe that
    /// takes one system call a byte, so a program that can start nothing (its
    /// [`Needs`](super::Needs) lack `exec`) reads much faster with `false`.
    pub fn set_input_shared(&mut self, is_shared: bool) {
        self.input.set_shared(is_shared);
    }
}

impl Default for UnixHost {
    fn default() -> Self {
        UnixHost::new()
    }
}

impl Drop for UnixHost {
    fn drop(&mut self) {
        self.input.put_back();
        // The last chance; who wants to know of a failure has flushed before.
        let _ = self.output.flush();
    }
}

impl Host for UnixHost {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn write_error(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        // The message is written even if the output before it can't be.
        let flushed = self.output.flush();
        write_all(stdio::stderr(), bytes)?;
        Ok(flushed?)
    }

    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.input.read_line(limit, || self.output.flush())
    }

    fn exec(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        let Some(name) = argv.first() else {
            return Ok(0);
        };
        self.output.flush()?;
        self.input.put_back();
        match run(argv)? {
            Outcome::Ended(status) => Ok(status),
            Outcome::NotRun { status, reason } => {
                let message = format!("{}: {reason}\n", printable(name));
                self.write_error(message.as_bytes())?;
                Ok(status)
            }
        }
    }

    fn test_file(&mut self, test: u8, path: &[u8]) -> Result<bool, HostError> {
        Ok(passes(FileTest::from_code(test)?, path))
    }

    fn glob(
        &mut self,
        pattern: &[u8],
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        glob::glob(pattern, recursive, limit)
    }

    fn env(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        Ok(variable(name))
    }

    /// With no name, `HOME` if it is set; else as the user database `/etc/passwd` has it. Users that
    /// only a directory service knows are not found.
    fn home_dir(&mut self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
        match user {
            Some(user) => home_in_passwd(|name, _| name == user),
            None => match variable(b"HOME") {
                Some(home) => Ok(Some(home)),
                None => {
                    let id = rustix::process::getuid().as_raw().to_string();
                    home_in_passwd(|_, user_id| user_id == id.as_bytes())
                }
            },
        }
    }
}

/// A name for an error message: readable, without control characters, cut where it gets long.
pub(super) fn printable(name: &[u8]) -> String {
    const SHOWN: usize = 200;
    let (shown, mark) = match name.get(..SHOWN) {
        Some(shown) if name.len() > SHOWN => (shown, "..."),
        _ => (name, ""),
    };
    let mut text = String::from_utf8_lossy(shown).replace(char::is_control, "?");
    text.push_str(mark);
    text
}

fn variable(name: &[u8]) -> Option<Vec<u8>> {
    std::env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}

/// The home directory of the first user whose name and id satisfy `is_wanted`.
fn home_in_passwd(is_wanted: impl Fn(&[u8], &[u8]) -> bool) -> Result<Option<Vec<u8>>, HostError> {
    let mut database = Vec::new();
    let opened = File::open("/etc/passwd");
    let read = opened.and_then(|file| file.take(MAX_PASSWD).read_to_end(&mut database));
    read.map_err(|error| HostError::Failed(format!("can't read /etc/passwd: {error}")))?;
    let home = database.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        // name:password:id:group:comment:home:shell
        let (name, id) = (fields.next()?, fields.nth(1)?);
        let home = fields.nth(2)?;
        is_wanted(name, id).then(|| home.to_vec())
    });
    Ok(home)
}

/// What became of a command.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It ran, and ended with this status.
    Ended(i32),
    /// It did not run, which has a status too; the reason is for the user.
    NotRun { status: i32, reason: String },
}

/// Runs a command of at least one word and waits for it.
fn run(argv: &[Vec<u8>]) -> Result<Outcome, HostError> {
    let not_run = |status, reason: &str| {
        let reason = reason.to_owned();
        Ok(Outcome::NotRun { status, reason })
    };
    if argv[0].is_empty() {
        return not_run(STATUS_NOT_FOUND, "command not found");
    }
    if argv.iter().any(|word| word.contains(&0)) {
        return not_run(STATUS_CANT_EXECUTE, "a NUL byte in a command's words");
    }
    let error = match spawn(argv) {
        Ok(status) => return Ok(Outcome::Ended(status_of(status))),
        Err(error) => error,
    };
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR) => not_run(STATUS_NOT_FOUND, "command not found"),
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
            let name = printable(&argv[0]);
            Err(HostError::Failed(format!("can't start {name}: {error}")))
        }
        _ => not_run(STATUS_CANT_EXECUTE, &error.to_string()),
    }
}

/// Starts a command and waits for it; a script without a `#!` line by the system's shell.
fn spawn(argv: &[Vec<u8>]) -> io::Result<ExitStatus> {
    let words = || argv.iter().map(|word| OsStr::from_bytes(word));
    let name = OsStr::from_bytes(&argv[0]);
    let result = Command::new(name).args(words().skip(1)).status();
    let is_script = |error: &io::Error| Errno::from_io_error(error) == Some(Errno::NOEXEC);
    match result {
        Err(error) if is_script(&error) => {
            let Some(path) = find_command(&argv[0]) else {
                return Err(error);
            };
            Command::new(SCRIPT_SHELL)
                .arg(OsStr::from_bytes(&path))
                .args(words().skip(1))
                .status()
        }
        result => result,
    }
}

/// The path of the first executable file of a name, searched as the system does: in `PATH`, unless
/// the name has a slash.
fn find_command(name: &[u8]) -> Option<Vec<u8>> {
    if name.contains(&b'/') {
        return Some(name.to_vec());
    }
    let path = variable(b"PATH")?;
    let mut candidates = path.split(|&byte| byte == b':').map(|directory| {
        // An empty entry is the working directory.
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        [directory, b"/", name].concat()
    });
    candidates.find(|file| passes(FileTest::File, file) && passes(FileTest::Executable, file))
}

/// A shell's status for how a command ended.
fn status_of(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        // `wait` reports nothing else for a process that has ended.
        (None, None) => STATUS_CANT_EXECUTE,
    }
}

/// Whether a file passes a test; what can't be looked at passes none.
fn passes(test: FileTest, path: &[u8]) -> bool {
    let is = |kind: FileType| {
        let stat = rustix::fs::stat(path);
        stat.is_ok_and(|stat| type_of(&stat) == kind)
    };
    // With the effective ids, which are those that opening the file goes by.
    let may = |access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    match test {
        FileTest::File => is(FileType::RegularFile),
        FileTest::Directory => is(FileType::Directory),
        FileTest::Readable => may(Access::READ_OK),
        FileTest::Writable => may(Access::WRITE_OK),
        FileTest::Executable => may(Access::EXEC_OK),
        FileTest::Exists => rustix::fs::stat(path).is_ok(),
        FileTest::NotEmpty => rustix::fs::stat(path).is_ok_and(|stat| stat.st_size > 0),
        FileTest::Symlink => {
            let stat = rustix::fs::lstat(path);
            stat.is_ok_and(|stat| type_of(&stat) == FileType::Symlink)
        }
        FileTest::Socket => is(FileType::Socket),
        FileTest::Fifo => is(FileType::Fifo),
        FileTest::BlockDevice => is(FileType::BlockDevice),
        FileTest::CharDevice => is(FileType::CharacterDevice),
    }
}

fn type_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

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
        let status = |word: &[u8]| match run(&[word.to_vec()]).unwrap() {
            Outcome::NotRun { status, .. } => status,
            ended => panic!("{ended:?}"),
        };
        assert_eq!(status(b""), 127);
        assert_eq!(status(b"no-such-command-anywhere"), 127);
        assert_eq!(status(b"/no/such/path"), 127);
        assert_eq!(status(&[bytes(&plain), b"/x"].concat()), 127);
        assert_eq!(status(bytes(root.path())), 126);
        assert_eq!(status(bytes(&plain)), 126);
        assert_eq!(status(b"a\0b"), 126);
        // Executable now, without `#!`: a script of the system's shell.
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o755)).unwrap();
        let script = run(&[bytes(&plain).to_vec()]);
        assert_eq!(script, Ok(Outcome::Ended(3)));
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
    fn commands_are_found_in_path() {
        let found = find_command(b"sh").unwrap();
        assert!(found.ends_with(b"/sh") && passes(FileTest::Executable, &found));
        assert_eq!(find_command(b"no-such-command-anywhere"), None);
        assert_eq!(find_command(b"a/b"), Some(b"a/b".to_vec()));
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
}
