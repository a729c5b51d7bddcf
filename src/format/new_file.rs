//! A file that appears under its name only when it is complete.

use super::error::WriteError;
use crate::code::Code;
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A temporary file beside its target. Nothing is left of it unless it is published.
#[derive(Debug)]
pub struct NewFile {
    file: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl NewFile {
    /// A new file that is to replace `target`, which is a regular file, a link to one, or nothing yet.
    ///
    /// # Errors
    /// When the target is something else, or no file can be made in its directory.
    pub(crate) fn beside(target: &Path) -> Result<NewFile, WriteError> {
        // A link stays a link: what it points to is replaced.
        let target = match target.canonicalize() {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => target.to_owned(),
            Err(error) => return Err(error.into()),
        };
        if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(WriteError::new(Code::CantWrite, "it is not a regular file"));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = new_in(directory)?;
        Ok(NewFile {
            file: BufWriter::with_capacity(1 << 16, file),
            target,
        })
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_mut();
        file.as_file().sync_all()?;
        fs::rename(file.path(), &self.target)?;
        file.disable_cleanup(true);
        Ok(())
    }
}

/// A temporary file with the permissions of an ordinary new one.
fn new_in(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fvbc-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
