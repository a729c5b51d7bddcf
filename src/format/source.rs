//! Where a module's bytes come from: memory, a file read at offsets, or a mapped file. Whatever it
//! is, bytes come out as copies in private memory that nothing can change any more.
//!
//! What [`Strategy::Auto`] does was measured: CPU time in microseconds to open a file, load one record,
//! or twenty, and close it again (2-core x86-64, Linux 6.18, file in the page cache, medians of 400).
//!
//! | Bytes of the file | whole: 1, 20 | at offsets: 1, 20 | mapped: 1, 20 |
//! |---|---|---|---|
//! | 6 287 | 4.6, 11 | 5.7, 21 | 11, 19 |
//! | 66 050 | 6.0, 13 | 6.4, 30 | 15, 23 |
//! | 173 766 | 8.7, 16 | 6.4, 31 | 17, 26 |
//! | 1 525 510 | 55, 65 | 6.8, 34 | 21, 33 |
//!
//! So a small file is read whole, and a larger one at offsets. A mapping costs its set-up and a page
//! fault for each page; it wins from about 25 loads on, by half a microsecond each, and a check of
//! the whole file takes the same time either way. That doesn't outweigh a bus error.

use super::error::LoadError;
use super::limits;
#[cfg(unix)]
use super::map::Map;
use super::storage::StoredFile;
use crate::code::Code;
#[cfg(unix)]
use crate::descriptors::out_of_the_way;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

/// A file of at most this many bytes is read whole when it is opened.
const READ_WHOLE: u64 = 64 << 10;

/// How the bytes of a file are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// A small file is read whole when it is opened, a larger one at offsets.
    #[default]
    Auto,
    /// From a mapping, which pays for a large file of which many chunks are loaded. If another process
    /// truncates the file meanwhile, the process dies of a bus error unless
    /// [`guard_bus_errors`](super::guard_bus_errors) was called.
    Map,
    /// By reading at offsets, which nothing can make fault.
    Read,
}

/// How a module is opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    pub(crate) strategy: Strategy,
    pub(crate) offset: u64,
}

impl OpenOptions {
    /// The defaults: [`Strategy::Auto`], and the module begins where the file does.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// How the bytes are fetched.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> OpenOptions {
        self.strategy = strategy;
        self
    }

    /// Where in the file the module's header begins.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> OpenOptions {
        self.offset = offset;
        self
    }
}

/// The bytes from a module's header to the end of what it lies in.
#[derive(Debug)]
pub(crate) struct Source {
    bytes: Bytes,
    /// Where the header begins in `bytes`.
    base: u64,
    len: u64,
}

#[derive(Debug)]
enum Bytes {
    Memory(Arc<[u8]>),
    /// A file that is about to be changed.
    Stored(Arc<dyn StoredFile>),
    #[cfg(unix)]
    File(File),
    #[cfg(unix)]
    Map(Map),
}

impl Source {
    /// The bytes from `offset` on.
    pub(crate) fn from_memory(bytes: Arc<[u8]>, offset: u64) -> Source {
        let base = offset.min(bytes.len() as u64);
        let len = bytes.len() as u64 - base;
        let bytes = Bytes::Memory(bytes);
        Source { bytes, base, len }
    }

    /// The bytes of a file that is about to be changed.
    pub(crate) fn stored(file: Arc<dyn StoredFile>) -> Result<Source, LoadError> {
        let len = file.len();
        let len = len.map_err(|error| LoadError::io(Code::Unreadable, error))?;
        let bytes = Bytes::Stored(file);
        Ok(Source {
            bytes,
            base: 0,
            len,
        })
    }

    /// Opens a regular file.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Source, LoadError> {
        let unreadable = |error| LoadError::io(Code::Unreadable, error);
        let file = open_without_waiting(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(LoadError::new(Code::Unreadable)
                .with_found(kind_of(metadata.file_type()))
                .with_expected("a regular file"));
        }
        let base = options.offset.min(metadata.len());
        let len = metadata.len() - base;
        if len > limits::FILE_BYTES {
            return Err(LoadError::over_limit("bytes", len, limits::FILE_BYTES));
        }
        Source::of_file(file, base, len, options.strategy)
    }

    #[cfg(unix)]
    fn of_file(file: File, base: u64, len: u64, strategy: Strategy) -> Result<Source, LoadError> {
        let bytes = match strategy {
            Strategy::Auto if len <= READ_WHOLE => {
                let whole = fresh(len as usize, |into| read_file(&file, base, into))?;
                return Ok(Source::from_memory(whole, 0));
            }
            Strategy::Map if len > 0 => match Map::new(&file, (base + len) as usize) {
                Ok(map) => Bytes::Map(map),
                Err(_) => Bytes::File(out_of_the_way(file)),
            },
            Strategy::Auto | Strategy::Map | Strategy::Read => Bytes::File(out_of_the_way(file)),
        };
        Ok(Source { bytes, base, len })
    }

    /// Without reads at offsets the file is read whole.
    #[cfg(not(unix))]
    fn of_file(
        mut file: File,
        base: u64,
        _len: u64,
        _strategy: Strategy,
    ) -> Result<Source, LoadError> {
        let mut whole = Vec::new();
        io::Read::read_to_end(&mut file, &mut whole)
            .map_err(|error| LoadError::io(Code::Unreadable, error))?;
        Ok(Source::from_memory(whole.into(), base))
    }

    /// How many bytes there are from the header on.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Forgets what lies behind the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: u64) {
        self.len = self.len.min(len);
    }

    /// The bytes of `range`, for keeps.
    pub(crate) fn fetch(&self, range: Range<u64>) -> Result<Piece, LoadError> {
        let len = self.check(&range)?;
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let start = (self.base + range.start) as usize;
                Ok(Piece {
                    bytes: Arc::clone(bytes),
                    range: start..start + len,
                })
            }
            _ => Ok(Piece {
                bytes: fresh(len, |into| self.copy(range.start, into))?,
                range: 0..len,
            }),
        }
    }

    /// The bytes of `range`, in `buffer` unless they are in private memory already.
    pub(crate) fn view<'a>(
        &'a self,
        range: Range<u64>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], LoadError> {
        let len = self.check(&range)?;
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(&bytes[(self.base + range.start) as usize..][..len]),
            _ => {
                if buffer.len() < len {
                    buffer.resize(len, 0);
                }
                self.copy(range.start, &mut buffer[..len])?;
                Ok(&buffer[..len])
            }
        }
    }

    /// The length of a range that must lie within the source.
    fn check(&self, range: &Range<u64>) -> Result<usize, LoadError> {
        if range.start > range.end || range.end > self.len {
            return Err(LoadError::new(Code::Truncated)
                .with_found(format_args!("{} bytes", self.len))
                .with_expected(format_args!("at least {}", range.end))
                .at(range.start));
        }
        usize::try_from(range.end - range.start)
            .map_err(|_| LoadError::over_limit("bytes", range.end - range.start, usize::MAX as u64))
    }

    fn copy(&self, offset: u64, into: &mut [u8]) -> Result<(), LoadError> {
        let at = self.base + offset;
        match &self.bytes {
            Bytes::Memory(bytes) => {
                into.copy_from_slice(&bytes[at as usize..][..into.len()]);
                Ok(())
            }
            Bytes::Stored(file) => file.read_at(at, into).map_err(unread),
            #[cfg(unix)]
            Bytes::File(file) => read_file(file, at, into),
            #[cfg(unix)]
            Bytes::Map(map) => map
                .copy(at as usize, into)
                .map_err(|_| LoadError::new(Code::ChangedWhileRead)),
        }
        .map_err(|error| error.at(offset))
    }
}

/// Bytes in private memory; reads as a slice.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// Fresh shared memory of this length, filled by `fill`.
fn fresh(
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), LoadError>,
) -> Result<Arc<[u8]>, LoadError> {
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, len).collect();
    fill(Arc::make_mut(&mut bytes))?;
    Ok(bytes)
}

#[cfg(unix)]
fn read_file(file: &File, at: u64, into: &mut [u8]) -> Result<(), LoadError> {
    use std::os::unix::fs::FileExt;
    file.read_exact_at(into, at).map_err(unread)
}

/// Why bytes that were there when the file was opened can't be read.
#[cold]
fn unread(error: io::Error) -> LoadError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        LoadError::new(Code::ChangedWhileRead).with_found("an end of file that moved")
    } else {
        LoadError::io(Code::Unreadable, error)
    }
}

/// Opens for reading; a FIFO without a writer doesn't make it wait, and a terminal doesn't become ours.
#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What a file that is not a regular one is, for messages.
fn kind_of(kind: std::fs::FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a FIFO";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    "a special file"
}
