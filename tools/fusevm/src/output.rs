//! Where results go: text to standard output, modules to a file that appears whole or not at all.

use crate::failure::{Failure, status};
use fusevm::Chunk;
use fusevm::asm::Assembly;
use fusevm::code::Code;
use fusevm::format::{Entry, LoadedChunk, ModuleWriter, NewFile, WriteError};
use std::convert::Infallible;
use std::fs;
use std::io::{self, BufWriter, Cursor, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The argument of `-o`, a module to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `-`, standard output.
    Stdout,
    /// A file, replaced when the command has succeeded.
    File(PathBuf),
}

impl From<std::ffi::OsString> for Target {
    fn from(argument: std::ffi::OsString) -> Target {
        if argument == "-" {
            Target::Stdout
        } else {
            Target::File(argument.into())
        }
    }
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(argument: &str) -> Result<Target, Infallible> {
        Ok(Target::from(std::ffi::OsString::from(argument)))
    }
}

/// A module on its way to its target.
pub(crate) struct Output {
    writer: Writer,
    target: Target,
    /// The exit status when the module is at fault, not the file system.
    status: u8,
}

enum Writer {
    /// A regular file, which the module replaces at the very end.
    File(ModuleWriter<NewFile>),
    /// Standard output, or something else that can only be written from front to back.
    Memory(ModuleWriter<Cursor<Vec<u8>>>),
}

impl Output {
    /// Begins a module. `status` is what the command ends with if chunks can't be written to one.
    ///
    /// # Errors
    /// The target is a terminal, or can't be written.
    pub(crate) fn begin(target: Target, status: u8) -> Result<Output, Failure> {
        if target == Target::Stdout && io::stdout().is_terminal() {
            return Err(Failure::usage(
                "`-o -` would write a binary file to the terminal: name a file, or redirect the output",
            ));
        }
        let writer = match &target {
            Target::File(path) if !is_special(path) => ModuleWriter::create(path).map(Writer::File),
            Target::File(_) | Target::Stdout => {
                ModuleWriter::new(Cursor::new(Vec::new())).map(Writer::Memory)
            }
        };
        let writer = writer.map_err(|error| Failure::of(status::FAILED, error.code(), &error))?;
        Ok(Output {
            writer,
            target,
            status,
        })
    }

    /// Adds a chunk.
    ///
    /// # Errors
    /// The format has no place for it, or the module has one of the name already.
    pub(crate) fn add(&mut self, entry: &Entry, chunk: &Chunk) -> Result<(), Failure> {
        let added = match &mut self.writer {
            Writer::File(writer) => writer.add(entry, chunk),
            Writer::Memory(writer) => writer.add(entry, chunk),
        };
        added.map(drop).map_err(|error| self.failure(&error))
    }

    /// Adds a chunk of another module, byte for byte as it stands there.
    ///
    /// # Errors
    /// The module has one of the name already.
    pub(crate) fn add_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), Failure> {
        let added = match &mut self.writer {
            Writer::File(writer) => writer.add_loaded(chunk),
            Writer::Memory(writer) => writer.add_loaded(chunk),
        };
        added.map_err(|error| self.failure(&error))
    }

    /// Names who wrote the module, in place of this program.
    ///
    /// # Errors
    /// The header has no place for it.
    pub(crate) fn producer(&mut self, producer: &str) -> Result<(), Failure> {
        let named = match &mut self.writer {
            Writer::File(writer) => writer.producer(producer),
            Writer::Memory(writer) => writer.producer(producer),
        };
        named.map_err(|error| self.failure(&error))
    }

    /// Adds the metadata and all chunks of a text.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub(crate) fn add_all(&mut self, assembly: &Assembly) -> Result<(), Failure> {
        let written = match &mut self.writer {
            Writer::File(writer) => assembly.write(writer),
            Writer::Memory(writer) => assembly.write(writer),
        };
        written.map_err(|error| self.failure(&error))
    }

    /// Sets a key of the module's metadata.
    pub(crate) fn metadata(&mut self, key: &str, value: &[u8]) {
        match &mut self.writer {
            Writer::File(writer) => writer.metadata(key, value),
            Writer::Memory(writer) => writer.metadata(key, value),
        }
    }

    /// Completes the module and publishes it.
    ///
    /// # Errors
    /// The target can't be written; a file that was there is as it was.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let status = self.status;
        let failure = |error: WriteError| write_failure(&error, status);
        let memory = match self.writer {
            Writer::File(writer) => return writer.finish().map(drop).map_err(failure),
            Writer::Memory(writer) => writer.finish().map_err(failure)?,
        };
        let bytes = memory.into_inner();
        match self.target {
            Target::Stdout => print_bytes(&bytes),
            Target::File(path) => fs::write(&path, bytes)
                .map_err(|error| Failure::cant_write(&path.display(), &error)),
        }
    }

    fn failure(&self, error: &WriteError) -> Failure {
        write_failure(error, self.status)
    }
}

/// The failure to write a module; `status` is for what is not the file system's fault.
pub(crate) fn write_failure(error: &WriteError, status: u8) -> Failure {
    match error.code() {
        Code::CantWrite => Failure::of(status::FAILED, error.code(), error),
        code => Failure::of(status, code, error),
    }
}

/// Whether there is something that no file can replace, such as `/dev/null` or a pipe.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Writes bytes to standard output.
///
/// # Errors
/// [`Failure::ReaderGone`] if the reader closed it, else that it can't be written.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    print(|out| out.write_all(bytes))
}

/// Writes text to standard output.
///
/// # Errors
/// As for [`print_bytes`].
pub(crate) fn print_text(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes a value as JSON with a newline behind it to standard output.
///
/// # Errors
/// As for [`print_bytes`].
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Lets `write` write to a buffered standard output and flushes it.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = write(&mut out).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::cant_write(&"standard output", &error),
    })
}

/// The bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Text from a file as it may stand on a terminal and in a line: control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A number and what it counts, such as `1 chunk` and `2 chunks`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A chunk's name, behind that of its name space if it has one.
pub(crate) fn full_name(space: &str, name: &str) -> String {
    if space.is_empty() {
        name.to_owned()
    } else {
        format!("{space}::{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_replaces_a_file_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.fvbc");
        fs::write(&path, "old").unwrap();
        let output = Output::begin(Target::File(path.clone()), 1).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let output = Output::begin(Target::File(path.clone()), 1).unwrap();
        output.finish().unwrap();
        assert!(fs::read(&path).unwrap().starts_with(b"\x89FVBC"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        let output = Output::begin(Target::File("/dev/null".into()), 1).unwrap();
        assert!(matches!(output.writer, Writer::Memory(_)));
        output.finish().unwrap();
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(shown("a\u{1b}[31m\nü"), "a\\u{1b}[31m\\nü");
    }
}
