//! A file that appears under its name only when it is complete.

use super::error::WriteError;
use super::storage::{Folder, Storage, StoredFile, TEMPORARY_PREFIX, TEMPORARY_SUFFIX};
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 64 << 10;
/// How many names are tried for a temporary file.
const ATTEMPTS: usize = 100;

/// A temporary file beside its target. Nothing is left of it unless it is published.
#[derive(Debug)]
pub struct NewFile {
    out: Buffered,
    storage: Arc<dyn Storage>,
    /// Its own name, until it has the target's.
    name: Option<OsString>,
    target: OsString,
}

impl NewFile {
    /// A new file that is to replace the one at `target`, which is a regular file, a link to one, or
    /// nothing yet. It will have the permissions of what it replaces, or those that any new file has.
    ///
    /// # Errors
    /// When the target is something else, or no file can be made in its directory.
    pub(crate) fn beside(target: &Path) -> Result<NewFile, WriteError> {
        let (folder, name) = Folder::of(target)?;
        NewFile::in_storage(Arc::new(folder), &name)
    }

    /// A new file that is to replace the one called `target`. What dead writers have left is removed.
    ///
    /// # Errors
    /// When it can't be made.
    pub(crate) fn in_storage(
        storage: Arc<dyn Storage>,
        target: &OsStr,
    ) -> Result<NewFile, WriteError> {
        storage.remove_orphans();
        let mut attempt = 0;
        let (name, file) = loop {
            let name = OsString::from(temporary_name());
            match storage.create(&name, target) {
                Ok(file) => break (name, file),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                Err(error) if attempt == ATTEMPTS => return Err(error.into()),
                Err(_) => attempt += 1,
            }
        };
        Ok(NewFile {
            out: Buffered::new(file, 0),
            storage,
            name: Some(name),
            target: target.to_owned(),
        })
    }

    /// Makes the file durable and gives it its name, durably too.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.file.sync()?;
        if let Some(name) = &self.name {
            self.storage.rename(name, &self.target)?;
            self.name = None;
        }
        self.storage.sync()
    }
}

/// A name that no other file is likely to have.
fn temporary_name() -> String {
    // Each state is keyed anew.
    let number = RandomState::new().hash_one(std::process::id());
    format!("{TEMPORARY_PREFIX}{number:016x}{TEMPORARY_SUFFIX}")
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // One that can't be removed now is removed by the next writer.
        if let Some(name) = &self.name {
            let _ = self.storage.remove(name);
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

/// A stored file that is written mostly from front to back.
#[derive(Debug)]
pub(crate) struct Buffered {
    pub(crate) file: Arc<dyn StoredFile>,
    /// Where the gathered bytes go.
    at: u64,
    gathered: Vec<u8>,
}

impl Buffered {
    /// Writes the file from `at` on.
    pub(crate) fn new(file: Arc<dyn StoredFile>, at: u64) -> Buffered {
        Buffered {
            file,
            at,
            gathered: Vec::new(),
        }
    }

    fn write_through(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gathered.len() + bytes.len() > BUFFER {
            self.flush()?;
            if bytes.len() > BUFFER {
                self.write_through(bytes)?;
                return Ok(bytes.len());
            }
        }
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        let written = self.write_through(&gathered);
        gathered.clear();
        self.gathered = gathered;
        written
    }
}

impl Seek for Buffered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.flush()?;
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len()?.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::format::ModuleWriter;
    use std::fs::{self, File, Permissions};
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
