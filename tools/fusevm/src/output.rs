//! Where results go: standard output, or a file that appears whole or not at all.

use crate::failure::Failure;
use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::{fs, str::FromStr};

/// The argument of `-o`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `-`, standard output.
    Stdout,
    /// A file, replaced when the command has succeeded.
    File(PathBuf),
}

impl From<OsString> for Target {
    fn from(argument: OsString) -> Target {
        if argument == "-" {
            Target::Stdout
        } else {
            Target::File(argument.into())
        }
    }
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(argument: &str) -> Result<Target, Self::Err> {
        Ok(Target::from(OsString::from(argument)))
    }
}

/// Whether what is written is for programs or for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes, which a terminal is spared.
    Binary,
    /// Text.
    Text,
}

impl Target {
    /// Refuses a terminal for binary output, before any work is done for it.
    ///
    /// # Errors
    /// Wrong usage.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), Failure> {
        if *self == Target::Stdout && kind == Kind::Binary && io::stdout().is_terminal() {
            return Err(Failure::usage(
                "`-o -` would write a binary file to the terminal: name a file, or redirect standard output",
            ));
        }
        Ok(())
    }

    /// Writes the bytes. A file that was there is replaced at the very end and by a rename, so that
    /// readers see the old file or the new one.
    ///
    /// # Errors
    /// The output can't be written; an existing file is as it was.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Target::Stdout => print_bytes(bytes),
            Target::File(path) => replace(path, bytes)
                .map_err(|error| Failure::cant_write(&path.display(), &error)),
        }
    }
}

/// Writes a file by a temporary one in the same folder and a rename. Something that is there and no
/// regular file, such as `/dev/null` or a pipe, is written to instead.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A symbolic link stays one: what it points at is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let permissions = match fs::metadata(&path) {
        Ok(old) if old.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => return fs::write(&path, bytes),
        Ok(old) => Some(old.permissions()),
        Err(_) => None,
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = temporary_file(folder, permissions)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|failed| failed.error)?;
    Ok(())
}

/// A temporary file that takes over the permissions of the file that it will replace, or has those
/// that any new file has.
fn temporary_file(
    folder: &Path,
    permissions: Option<fs::Permissions>,
) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fusevm-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask is applied to it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
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

/// The bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lets `write` write to a buffered standard output and flushes it.
///
/// # Errors
/// As for [`print_bytes`].
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = write(&mut out).and_then(|()| out.flush());
    done.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::cant_write(&"standard output", &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.fvbc");
        let target = Target::File(path.clone());
        target.write(b"one").unwrap();
        target.write(b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::File(folder.path().to_owned());
        assert!(target.write(b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        Target::File(link.clone()).write(b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
