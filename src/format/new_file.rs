//! A file that appears under its name only when it is complete.

use super::error::WriteError;
use crate::code::Code;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// A temporary file beside its target. Nothing is left of it unless it is published.
#[derive(Debug)]
pub struct NewFile {
    file: BufWriter<File>,
    path: TempPath,
    target: PathBuf,
    /// The permissions of the file that is replaced, if there is one.
    replaced: Option<Permissions>,
}

impl NewFile {
    /// A new file that is to replace `target`, which is a regular file, a link to one, or nothing yet.
    /// It will have the permissions of what it replaces, or those that any new file has.
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
        let metadata = target.metadata().ok();
        if metadata.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(WriteError::new(Code::CantWrite, "it is not a regular file"));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let replaced = metadata.map(|metadata| metadata.permissions());
        let (file, path) = new_in(directory, replaced.is_some())?;
        Ok(NewFile {
            file: BufWriter::with_capacity(1 << 16, file),
            path,
            target,
            replaced,
        })
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_ref();
        if let Some(permissions) = &self.replaced {
            file.set_permissions(without_special_bits(permissions))?;
        }
        file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.path.disable_cleanup(true);
        Ok(())
    }
}

/// A temporary file. A `private` one can't be opened by others until its permissions are set.
fn new_in(directory: &Path, private: bool) -> io::Result<(File, TempPath)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    // tempfile's own error would name the temporary file, which nobody knows.
    let mut cause = None;
    let made = tempfile::Builder::new()
        .prefix(".fvbc-")
        .suffix(".tmp")
        .make_in(directory, |path| {
            let opened = options.open(path);
            opened.inspect_err(|error| cause = error.raw_os_error())
        });
    match made {
        Ok(file) => Ok(file.into_parts()),
        Err(error) => Err(cause.map_or(error, io::Error::from_raw_os_error)),
    }
}

/// What may be read, written and executed by whom; not whose identity a program runs under.
#[cfg(unix)]
fn without_special_bits(permissions: &Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(permissions.mode() & 0o777)
}

#[cfg(not(unix))]
fn without_special_bits(permissions: &Permissions) -> Permissions {
    permissions.clone()
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::format::ModuleWriter;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn write(path: &Path) {
        ModuleWriter::create(path).unwrap().finish().unwrap();
    }

    #[test]
    fn a_new_module_has_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (ordinary, module) = (folder.path().join("a"), folder.path().join("b"));
        File::create(&ordinary).unwrap();
        write(&module);
        assert_eq!(mode(&module), mode(&ordinary));
    }

    #[test]
    fn a_module_keeps_the_permissions_of_what_it_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.fvbc");
        for (before, after) in [
            (0o640, 0o640),
            (0o755, 0o755),
            (0o400, 0o400),
            (0o4711, 0o711),
        ] {
            let _ = fs::remove_file(&path);
            File::create(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            write(&path);
            assert_eq!(mode(&path), after, "{before:o}");
        }
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("m.fvbc"), folder.path().join("link"));
        std::os::unix::fs::symlink("m.fvbc", &link).unwrap();
        write(&path);
        write(&link);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn errors_name_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere/m.fvbc");
        let error = ModuleWriter::create(&path).unwrap_err();
        assert_eq!(error.place(), path.to_str());
        assert_eq!(error.message(), "No such file or directory (os error 2)");
    }

    #[test]
    fn late_errors_name_the_target_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.fvbc");
        let writer = ModuleWriter::create(&path).unwrap();
        // A folder appears where the file was to be.
        fs::create_dir(&path).unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(error.place(), path.to_str());
        assert!(!error.message().contains(".fvbc-"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
