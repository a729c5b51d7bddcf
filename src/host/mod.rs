//! The one door to the outside: files, processes, environment and standard streams.
//!
//! An engine reaches the world only through [`Host`], whose methods take and give bytes. What stands
//! behind it is the embedder's choice: the real system (`UnixHost`, feature `host`), nothing at all
//! ([`NullHost`]), or a script of answers that records what was asked ([`RecordingHost`]). A
//! [`Policy`] in front of any of them ([`Guarded`]) refuses what a program may not do.
//!
//! This room knows neither values nor what an op does; which op asks for what stands with the engines.
//! The plain text rules of shells live here too, as they speak about bytes alone: [`pattern`] matches
//! names, [`words`] splits and expands words.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::code::Code;
use crate::op::file_test;

#[cfg(feature = "host")]
mod directory;
#[cfg(feature = "host")]
mod glob;
#[cfg(feature = "host")]
mod listings;
mod null;
pub mod params;
pub mod pattern;
mod policy;
mod process;
mod recording;
#[cfg(feature = "host")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "stamp_off.rs"
)]
mod stamp;
#[cfg(feature = "host")]
mod stream;
#[cfg(feature = "host")]
mod unix;
pub mod words;

pub use null::NullHost;
pub use policy::{Capability, Denied, Guarded, Needs, Policy, UnknownCapability};
pub use process::{Forked, PipeEnd, SignalAction, Waited, Wiring};
pub use recording::{Call, RecordingHost};
#[cfg(feature = "host")]
pub use unix::UnixHost;

/// The status of a command that was found but can't be executed.
pub const STATUS_CANT_EXECUTE: i32 = 126;

/// The status of a command that was not found.
pub const STATUS_NOT_FOUND: i32 = 127;

/// Why a host did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The host has nothing of the kind; the engine names the op that asked.
    #[error("this host provides nothing of the kind")]
    Missing,
    /// This process can't be copied, as it has other threads.
    #[error("a process with other threads can't be copied; only single commands can be run")]
    HasThreads,
    /// The policy forbids it.
    #[error("the policy denies `{0}`")]
    Denied(Capability),
    /// The system refused; the text says what and why.
    #[error("{0}")]
    Failed(String),
    /// The answer would exceed the limit given, or finding it would take more than the host allows.
    #[error("the answer exceeds its limit")]
    TooLarge,
}

impl HostError {
    /// The row of the error table that explains it.
    pub fn code(&self) -> Code {
        match self {
            HostError::Missing | HostError::HasThreads => Code::NeedsHost,
            HostError::Denied(_) => Code::Denied,
            HostError::Failed(_) => Code::HostFailed,
            HostError::TooLarge => Code::ValueTooLarge,
        }
    }
}

impl From<io::Error> for HostError {
    fn from(error: io::Error) -> Self {
        HostError::Failed(error.to_string())
    }
}

impl From<TooLarge> for HostError {
    fn from(_: TooLarge) -> Self {
        HostError::TooLarge
    }
}

/// An answer, or the work to find it, would exceed a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result exceeds its limit")]
pub struct TooLarge;

impl TooLarge {
    /// The row of the error table that explains it.
    pub fn code(self) -> Code {
        Code::ValueTooLarge
    }
}

/// What a file can be asked, by the codes of the op `TestFile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileTest {
    /// A regular file.
    File = file_test::IS_FILE,
    /// A directory.
    Directory = file_test::IS_DIR,
    /// Readable by this process.
    Readable = file_test::IS_READABLE,
    /// Writable by this process.
    Writable = file_test::IS_WRITABLE,
    /// Executable (or searchable) by this process.
    Executable = file_test::IS_EXECUTABLE,
    /// Of any kind.
    Exists = file_test::EXISTS,
    /// Larger than zero bytes.
    NotEmpty = file_test::IS_NONEMPTY,
    /// A symbolic link; the only test that does not follow links.
    Symlink = file_test::IS_SYMLINK,
    /// A socket.
    Socket = file_test::IS_SOCKET,
    /// A named pipe.
    Fifo = file_test::IS_FIFO,
    /// A block device.
    BlockDevice = file_test::IS_BLOCK_DEV,
    /// A character device.
    CharDevice = file_test::IS_CHAR_DEV,
}

impl FileTest {
    /// Every test; the one with code `n` stands at place `n`.
    pub const ALL: [FileTest; 12] = [
        FileTest::File,
        FileTest::Directory,
        FileTest::Readable,
        FileTest::Writable,
        FileTest::Executable,
        FileTest::Exists,
        FileTest::NotEmpty,
        FileTest::Symlink,
        FileTest::Socket,
        FileTest::Fifo,
        FileTest::BlockDevice,
        FileTest::CharDevice,
    ];

    /// The test of a code; `Failed` when there is none.
    pub fn from_code(code: u8) -> Result<FileTest, HostError> {
        FileTest::ALL
            .get(usize::from(code))
            .copied()
            .ok_or_else(|| HostError::Failed(format!("there is no file test {code}, only 0 to 11")))
    }
}

/// What a program can ask of the world. Bytes in, bytes out.
///
/// Only standard output is a must; every other method answers [`HostError::Missing`] unless the host
/// has something better.
#[allow(unused_variables)]
pub trait Host: Send {
    /// Appends to standard output, which may be buffered until [`flush`](Host::flush), a command or
    /// a read. Fails when earlier or these bytes can't be written; they are lost then.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes out what standard output has buffered.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes to standard error, behind what standard output has buffered.
    fn write_error(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        Err(HostError::Missing)
    }

    /// Takes the next line of standard input, without its newline; `None` at the end of input.
    ///
    /// A line of more than `limit` bytes is `TooLarge`, and the input then stands somewhere behind
    /// its beginning.
    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::Missing)
    }

    /// Runs a command to its end and gives its status: its own, 128 and the signal's number if one
    /// killed it, 126 if it can't be executed, 127 if it is not found, 0 if there are no words.
    ///
    /// Standard output is flushed first. `Failed` is for what is not the command's fault.
    fn exec(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        Err(HostError::Missing)
    }

    /// Asks about a file, by the codes of [`FileTest`]. What can't be looked at is `false`; a code
    /// that is no test is `Failed`.
    fn test_file(&mut self, test: u8, path: &[u8]) -> Result<bool, HostError> {
        Err(HostError::Missing)
    }

    /// The paths that match a pattern, sorted bytewise, each once; none if nothing matches.
    ///
    /// Components are matched by the rules of [`pattern`]. A name that begins with a dot matches
    /// only a component that does. If `recursive`, a component `**` stands for any number of
    /// directories (links are not followed). More than `limit` paths are `TooLarge`.
    fn glob(
        &mut self,
        pattern: &[u8],
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        Err(HostError::Missing)
    }

    /// A variable of the environment; `None` if it is not set.
    fn env(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::Missing)
    }

    /// The home directory of a user, or with no name that of this process; `None` if unknown.
    fn home_dir(&mut self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::Missing)
    }

    /// Runs a command that the host itself has, such as a function of the embedder's, and gives its
    /// status; `None` if it has none of this name.
    fn own_command(&mut self, argv: &[Vec<u8>]) -> Result<Option<i32>, HostError> {
        Ok(None)
    }

    /// Starts a command without waiting for it, and gives its process; or its status, if it could not
    /// be started.
    fn spawn(&mut self, argv: &[Vec<u8>], wiring: Wiring) -> Result<Result<i32, i32>, HostError> {
        Err(HostError::Missing)
    }

    /// Becomes a command. Only if that isn't possible it comes back, with the command's status.
    fn replace(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        Err(HostError::Missing)
    }

    /// Whether [`fork`](Host::fork) can work: the host has it, and this process has one thread.
    fn can_fork(&mut self) -> bool {
        false
    }

    /// Copies this process. What is buffered is written before; in the copy, caught signals do what they
    /// do by default, and what is the host's own is closed.
    fn fork(&mut self, wiring: Wiring) -> Result<Forked, HostError> {
        Err(HostError::Missing)
    }

    /// Whether this process is a copy that [`fork`](Host::fork) has made, which must leave alone what it
    /// shares with its parent, such as a cache of code.
    fn is_forked(&self) -> bool {
        false
    }

    /// Ends this process, which is a copy, with a status; output is written first.
    fn exit(&mut self, status: i32) -> ! {
        let _ = self.flush();
        std::process::exit(status & 0xff)
    }

    /// Waits for a process that [`fork`](Host::fork) or [`spawn`](Host::spawn) made, not in the background,
    /// and gives its status.
    fn wait(&mut self, process: i32) -> Result<i32, HostError> {
        Err(HostError::Missing)
    }

    /// Waits for a process in the background, or for all of them.
    fn wait_for_job(&mut self, process: Option<i32>) -> Result<Waited, HostError> {
        Err(HostError::Missing)
    }

    /// The process that was last started in the background, `$!`.
    fn last_job(&mut self) -> Option<i32> {
        None
    }

    /// The id of the process that the program was started in, `$$`: copies don't change it.
    fn process_id(&mut self) -> Result<i32, HostError> {
        Err(HostError::Missing)
    }

    /// Sends a signal to a process.
    fn kill(&mut self, process: i32, signal: i32) -> Result<(), HostError> {
        Err(HostError::Missing)
    }

    /// Makes a pipe: the end to read from and the end to write to.
    fn pipe(&mut self) -> Result<(PipeEnd, PipeEnd), HostError> {
        Err(HostError::Missing)
    }

    /// Reads all that comes from a pipe, and closes this end; more than `limit` bytes are `TooLarge`.
    fn read_all(&mut self, end: PipeEnd, limit: u64) -> Result<Vec<u8>, HostError> {
        Err(HostError::Missing)
    }

    /// Closes an end of a pipe.
    fn close(&mut self, end: PipeEnd) {}

    /// The path by which commands can open an end of a pipe, until
    /// [`undo_redirections`](Host::undo_redirections).
    fn path_of(&mut self, end: PipeEnd) -> Result<Vec<u8>, HostError> {
        Err(HostError::Missing)
    }

    /// Redirects a descriptor by the codes of [`redirect_op`](crate::op::redirect_op), for commands and for
    /// this host's streams. `false` if the system refuses, which the user is told, or if the number is that of
    /// a descriptor which this process holds for itself.
    fn redirect(&mut self, fd: u8, code: u8, target: &[u8]) -> Result<bool, HostError> {
        Err(HostError::Missing)
    }

    /// Makes a text standard input. `false` if the system refuses, which the user is told.
    fn here_document(&mut self, text: &[u8]) -> Result<bool, HostError> {
        Err(HostError::Missing)
    }

    /// How many redirections and paths are in effect.
    fn redirections(&self) -> usize {
        0
    }

    /// Undoes the last redirections and paths, until `height` of them are left. It fails if what was
    /// buffered for the descriptor can't be written; they are undone all the same.
    fn undo_redirections(&mut self, height: usize) -> Result<(), HostError> {
        Ok(())
    }

    /// Has the last redirections stay for good, until `height` of them are left to undo.
    fn keep_redirections(&mut self, height: usize) {}

    /// The number of a signal, by name or number; 0 for the end of the program. `None` if there is none.
    fn signal_number(&mut self, name: &[u8]) -> Result<Option<i32>, HostError> {
        Err(HostError::Missing)
    }

    /// Sets what a signal does. `Failed` for one whose action can't be set.
    fn set_signal(&mut self, signal: i32, action: SignalAction) -> Result<(), HostError> {
        Err(HostError::Missing)
    }

    /// The signals that were caught since the last time, one bit each.
    fn take_signals(&mut self) -> u64 {
        0
    }

    /// Sets a variable of the environment of commands, or takes it away.
    fn set_env(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), HostError> {
        Err(HostError::Missing)
    }

    /// Changes the working directory.
    fn set_directory(&mut self, path: &[u8]) -> Result<(), HostError> {
        Err(HostError::Missing)
    }

    /// The working directory, without links.
    fn directory(&mut self) -> Result<Vec<u8>, HostError> {
        Err(HostError::Missing)
    }
}

/// The methods of [`Host`], each answered by the same method of another host.
macro_rules! forward {
    ($self:ident => $host:expr) => {
        fn write(&mut $self, bytes: &[u8]) -> io::Result<()> {
            $host.write(bytes)
        }
        fn flush(&mut $self) -> io::Result<()> {
            $host.flush()
        }
        fn write_error(&mut $self, bytes: &[u8]) -> Result<(), HostError> {
            $host.write_error(bytes)
        }
        fn read_line(&mut $self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
            $host.read_line(limit)
        }
        fn exec(&mut $self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
            $host.exec(argv)
        }
        fn test_file(&mut $self, test: u8, path: &[u8]) -> Result<bool, HostError> {
            $host.test_file(test, path)
        }
        fn glob(
            &mut $self,
            pattern: &[u8],
            recursive: bool,
            limit: usize,
        ) -> Result<Vec<Vec<u8>>, HostError> {
            $host.glob(pattern, recursive, limit)
        }
        fn env(&mut $self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
            $host.env(name)
        }
        fn home_dir(&mut $self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
            $host.home_dir(user)
        }
        fn own_command(&mut $self, argv: &[Vec<u8>]) -> Result<Option<i32>, HostError> {
            $host.own_command(argv)
        }
        fn spawn(&mut $self, argv: &[Vec<u8>], wiring: Wiring) -> Result<Result<i32, i32>, HostError> {
            $host.spawn(argv, wiring)
        }
        fn replace(&mut $self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
            $host.replace(argv)
        }
        fn can_fork(&mut $self) -> bool {
            $host.can_fork()
        }
        fn fork(&mut $self, wiring: Wiring) -> Result<Forked, HostError> {
            $host.fork(wiring)
        }
        fn is_forked(&$self) -> bool {
            $host.is_forked()
        }
        fn exit(&mut $self, status: i32) -> ! {
            $host.exit(status)
        }
        fn wait(&mut $self, process: i32) -> Result<i32, HostError> {
            $host.wait(process)
        }
        fn wait_for_job(&mut $self, process: Option<i32>) -> Result<Waited, HostError> {
            $host.wait_for_job(process)
        }
        fn last_job(&mut $self) -> Option<i32> {
            $host.last_job()
        }
        fn process_id(&mut $self) -> Result<i32, HostError> {
            $host.process_id()
        }
        fn kill(&mut $self, process: i32, signal: i32) -> Result<(), HostError> {
            $host.kill(process, signal)
        }
        fn pipe(&mut $self) -> Result<(PipeEnd, PipeEnd), HostError> {
            $host.pipe()
        }
        fn read_all(&mut $self, end: PipeEnd, limit: u64) -> Result<Vec<u8>, HostError> {
            $host.read_all(end, limit)
        }
        fn close(&mut $self, end: PipeEnd) {
            $host.close(end)
        }
        fn path_of(&mut $self, end: PipeEnd) -> Result<Vec<u8>, HostError> {
            $host.path_of(end)
        }
        fn redirect(&mut $self, fd: u8, code: u8, target: &[u8]) -> Result<bool, HostError> {
            $host.redirect(fd, code, target)
        }
        fn here_document(&mut $self, text: &[u8]) -> Result<bool, HostError> {
            $host.here_document(text)
        }
        fn redirections(&$self) -> usize {
            $host.redirections()
        }
        fn undo_redirections(&mut $self, height: usize) -> Result<(), HostError> {
            $host.undo_redirections(height)
        }
        fn keep_redirections(&mut $self, height: usize) {
            $host.keep_redirections(height)
        }
        fn signal_number(&mut $self, name: &[u8]) -> Result<Option<i32>, HostError> {
            $host.signal_number(name)
        }
        fn set_signal(&mut $self, signal: i32, action: SignalAction) -> Result<(), HostError> {
            $host.set_signal(signal, action)
        }
        fn take_signals(&mut $self) -> u64 {
            $host.take_signals()
        }
        fn set_env(&mut $self, name: &[u8], value: Option<&[u8]>) -> Result<(), HostError> {
            $host.set_env(name, value)
        }
        fn set_directory(&mut $self, path: &[u8]) -> Result<(), HostError> {
            $host.set_directory(path)
        }
        fn directory(&mut $self) -> Result<Vec<u8>, HostError> {
            $host.directory()
        }
    };
}

impl<H: Host + ?Sized> Host for Box<H> {
    forward!(self => (**self));
}

/// A host that several hold: a test keeps a handle on the recording host that it lends to a VM.
impl<H: Host> Host for Arc<Mutex<H>> {
    forward!(self => self.lock().unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OutputOnly;

    impl Host for OutputOnly {
        fn write(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_host_leaves_out_is_missing() {
        let mut host: Box<dyn Host> = Box::new(OutputOnly);
        assert!(host.write(b"x").is_ok() && host.flush().is_ok());
        assert_eq!(host.write_error(b"x"), Err(HostError::Missing));
        assert_eq!(host.read_line(1), Err(HostError::Missing));
        assert_eq!(host.exec(&[b"true".to_vec()]), Err(HostError::Missing));
        assert_eq!(host.test_file(0, b"/"), Err(HostError::Missing));
        assert_eq!(host.glob(b"*", false, 1), Err(HostError::Missing));
        assert_eq!(host.env(b"HOME"), Err(HostError::Missing));
        assert_eq!(host.home_dir(None), Err(HostError::Missing));
    }

    #[test]
    fn errors_point_at_rows_of_the_table() {
        assert_eq!(HostError::Missing.code().number(), 410);
        assert_eq!(HostError::Denied(Capability::Exec).code().number(), 501);
        assert_eq!(HostError::Failed(String::new()).code().number(), 414);
        assert_eq!(HostError::from(TooLarge).code(), TooLarge.code());
    }

    #[test]
    fn file_tests_stand_at_their_codes() {
        for (code, test) in FileTest::ALL.into_iter().enumerate() {
            assert_eq!(test as usize, code);
            assert_eq!(FileTest::from_code(code as u8), Ok(test));
        }
        assert!(FileTest::from_code(12).is_err());
    }

    #[test]
    fn a_shared_host_keeps_its_record() {
        let shared = Arc::new(Mutex::new(RecordingHost::new()));
        let mut lent: Box<dyn Host> = Box::new(Arc::clone(&shared));
        lent.write(b"seen").unwrap();
        assert_eq!(shared.lock().unwrap().output(), b"seen");
    }
}
