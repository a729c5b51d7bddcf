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
mod glob;
mod null;
pub mod pattern;
mod policy;
mod recording;
#[cfg(feature = "host")]
mod stream;
#[cfg(feature = "host")]
mod unix;
pub mod words;

pub use null::NullHost;
pub use policy::{Capability, Denied, Guarded, Needs, Policy, UnknownCapability};
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
            HostError::Missing => Code::NeedsHost,
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
