//! Where modules are written to: a folder and its files, behind a trait, so that tests can put a disk
//! beneath that tears, reorders and loses what was not synced. What is written is not known here.
//!
//! [`Folder`] is the real one. Modules that are only read don't come this way.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the names of temporary files begin with.
pub(crate) const TEMPORARY_PREFIX: &str = ".fvbc-";
/// What they end with.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

/// What is said of a folder, a device and the like.
const NOT_REGULAR: &str = "it is not a regular file";

/// How long a writer sleeps before it tries the lock again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(5)];

/// A folder of files that modules are written to. Names are without folders.
///
/// What was done is certain to survive a crash of the machine only behind a sync: of the file for its
/// bytes, of the folder for names. Until then any part of it may have happened, in any order.
pub trait Storage: Debug + Send + Sync {
    /// Waits until no other writer of the file `name` holds its lock, at most so long.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`], or that there can be no lock.
    fn lock(&self, name: &OsStr, wait: Duration) -> io::Result<Lock>;

    /// Opens a regular file to read and write it.
    ///
    /// # Errors
    /// When it isn't there, is something else, or may not be written.
    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn StoredFile>>;

    /// Makes a new file that is to replace `target`, with the permissions that `target` has, if it is
    /// there.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one of that name, or why it can't be made.
    fn create(&self, name: &OsStr, target: &OsStr) -> io::Result<Arc<dyn StoredFile>>;

    /// Gives the file `from` the name `to`, in place of the file that had it, in one step.
    ///
    /// # Errors
    /// Why it can't.
    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Why it can't.
    fn remove(&self, name: &OsStr) -> io::Result<()>;

    /// Makes what was done to names durable.
    ///
    /// # Errors
    /// That it may not be.
    fn sync(&self) -> io::Result<()>;

    /// Removes temporary files whose writers are gone. What can't be removed stays.
    fn remove_orphans(&self) {}
}

/// An open file of a [`Storage`].
#[allow(
    clippy::len_without_is_empty,
    reason = "a length that is asked of a file system"
)]
pub trait StoredFile: Debug + Send + Sync {
    /// Bytes of the file.
    ///
    /// # Errors
    /// Why that can't be told.
    fn len(&self) -> io::Result<u64>;

    /// Fills `into` with the bytes from `at` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if there are fewer, or why they can't be read.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes bytes from `at` on.
    ///
    /// # Errors
    /// Why they can't be written; some may be.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// That it may not be.
    fn sync(&self) -> io::Result<()>;
}

/// The right to be a module's only writer, as long as it lives.
#[derive(Debug)]
pub struct Lock(Option<File>);

impl Lock {
    /// A lock on nothing, for a storage that has one writer.
    pub fn none() -> Lock {
        Lock(None)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a process that was forked meanwhile has the file open too. A failure
        // leaves nothing but that to be done.
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}

/// A folder of the file system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at this path.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    /// The folder of a file, and the file's name in it. A link stays a link: what it points to is
    /// meant.
    ///
    /// # Errors
    /// When the path has no name, leads through what is no folder, or to what is no regular file.
    pub(crate) fn of(path: &Path) -> io::Result<(Folder, OsString)> {
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other(NOT_REGULAR));
        }
        let path = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok((Folder::new(folder), name.to_owned()))
    }

    /// As [`of`](Self::of), of a file that has to be there.
    pub(crate) fn of_existing(path: &Path) -> io::Result<(Folder, OsString)> {
        fs::metadata(path)?;
        Folder::of(path)
    }

    fn open_lock(&self, path: &Path, name: &OsStr) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        special::never_wait(&mut options);
        special::writable_by_writers_of(&mut options, &self.path.join(name));
        let opened = options.open(path).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let mut options = OpenOptions::new();
                special::never_wait(options.read(true));
                options.open(path)
            }
            _ => Err(error),
        });
        regular(opened?)
    }
}

impl Storage for Folder {
    fn lock(&self, name: &OsStr, wait: Duration) -> io::Result<Lock> {
        let mut lock_name = OsString::from(".");
        lock_name.push(name);
        lock_name.push(".lock");
        let path = self.path.join(lock_name);
        let deadline = Instant::now() + wait;
        let [mut pause, longest] = PAUSES;
        let mut file = self.open_lock(&path, name)?;
        loop {
            match file.try_lock() {
                // Somebody tidied up, and others lock another file of that name.
                Ok(()) if !special::is_named(&file, &path) => file = self.open_lock(&path, name)?,
                Ok(()) => return Ok(Lock(Some(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let message = "another writer has held the lock for too long";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn StoredFile>> {
        let mut options = OpenOptions::new();
        special::never_wait(options.read(true).write(true));
        let file = regular(options.open(self.path.join(name))?)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn create(&self, name: &OsStr, target: &OsStr) -> io::Result<Arc<dyn StoredFile>> {
        let replaced = fs::metadata(self.path.join(target)).ok();
        if replaced.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(io::Error::other(NOT_REGULAR));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        if replaced.is_some() {
            special::private(&mut options);
        }
        let path = self.path.join(name);
        let file = options.open(&path)?;
        // In between, somebody may have taken it for an orphan.
        if file.try_lock().is_err() || !special::is_named(&file, &path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Some(replaced) = replaced {
            let permissions = special::without_special_bits(&replaced.permissions());
            if let Err(error) = file.set_permissions(permissions) {
                let _ = fs::remove_file(&path);
                return Err(error);
            }
        }
        Ok(Arc::new(DiskFile(file)))
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        special::sync_folder(&self.path)
    }

    fn remove_orphans(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_temporary = name.to_str().is_some_and(|name| {
                name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
            });
            if is_temporary && is_orphan(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether a temporary file has no writer any more: a living one holds a lock on it.
fn is_orphan(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    special::never_wait(options.read(true));
    let opened = options.open(path).and_then(regular);
    opened.is_ok_and(|file| file.try_lock().is_ok())
}

/// The file, if it is a regular one.
fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(NOT_REGULAR))
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl StoredFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        special::read_at(&self.0, at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        special::write_at(&self.0, at, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// What Unix has its own means for.
#[cfg(unix)]
mod special {
    use super::*;
    use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};

    /// A pipe without a writer doesn't make it wait; a link, which may lead anywhere, isn't followed.
    pub(super) fn never_wait(options: &mut OpenOptions) {
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }

    /// A file that others can't open.
    pub(super) fn private(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    /// A file that those can open who may write `target`: who can open it can make them wait.
    pub(super) fn writable_by_writers_of(options: &mut OpenOptions, target: &Path) {
        let mode = fs::metadata(target).map_or(0, |metadata| metadata.mode());
        let writers = mode & 0o022;
        options.mode(0o600 | writers | writers << 1);
    }

    /// What may be read, written and executed by whom; not whose identity a program runs under.
    pub(super) fn without_special_bits(permissions: &Permissions) -> Permissions {
        Permissions::from_mode(permissions.mode() & 0o777)
    }

    /// Whether the path leads to this very file.
    pub(super) fn is_named(file: &File, path: &Path) -> bool {
        match (file.metadata(), fs::symlink_metadata(path)) {
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }

    pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    pub(super) fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<()> {
        file.read_exact_at(into, at)
    }

    pub(super) fn write_at(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }
}

/// Elsewhere the standard library has to do; a written file has one position and one user.
#[cfg(not(unix))]
mod special {
    use super::*;
    use std::io::{Read, Seek, SeekFrom, Write};

    pub(super) fn never_wait(_: &mut OpenOptions) {}

    pub(super) fn private(_: &mut OpenOptions) {}

    pub(super) fn writable_by_writers_of(_: &mut OpenOptions, _: &Path) {}

    pub(super) fn without_special_bits(permissions: &Permissions) -> Permissions {
        permissions.clone()
    }

    /// A file that is open keeps its name there.
    pub(super) fn is_named(_: &File, _: &Path) -> bool {
        true
    }

    /// Folders can't be synced there.
    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn read_at(mut file: &File, at: u64, into: &mut [u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(into)
    }

    pub(super) fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(20);

    #[test]
    fn one_writer_has_the_lock_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let name = OsStr::new("lib.fvbc");
        let lock = folder.lock(name, WAIT).unwrap();
        let error = folder.lock(name, WAIT).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        folder.lock(OsStr::new("other.fvbc"), WAIT).unwrap();
        drop(lock);
        folder.lock(name, WAIT).unwrap();
        assert!(place.path().join(".lib.fvbc.lock").exists());
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_taken_anew() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let name = OsStr::new("lib.fvbc");
        let path = place.path().join(".lib.fvbc.lock");
        let first = folder.lock(name, WAIT).unwrap();
        let waiter = std::thread::spawn({
            let folder = Folder::new(place.path());
            move || folder.lock(OsStr::new("lib.fvbc"), Duration::from_secs(10))
        });
        std::thread::sleep(WAIT);
        fs::remove_file(&path).unwrap();
        drop(first);
        let second = waiter.join().unwrap().unwrap();
        assert!(special::is_named(second.0.as_ref().unwrap(), &path));
        assert!(folder.lock(name, WAIT).is_err());
    }

    #[test]
    fn a_lock_is_no_link() {
        let place = tempfile::tempdir().unwrap();
        let kept = place.path().join("kept");
        std::os::unix::fs::symlink(&kept, place.path().join(".lib.fvbc.lock")).unwrap();
        let folder = Folder::new(place.path());
        assert!(folder.lock(OsStr::new("lib.fvbc"), WAIT).is_err());
        assert!(!kept.exists());
    }

    #[test]
    fn orphans_go_and_the_files_of_living_writers_stay() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let target = OsStr::new("lib.fvbc");
        let living = folder.create(OsStr::new(".fvbc-living.tmp"), target);
        fs::write(place.path().join(".fvbc-dead.tmp"), "half").unwrap();
        fs::write(place.path().join("fvbc-other.tmp"), "kept").unwrap();
        fs::create_dir(place.path().join(".fvbc-folder.tmp")).unwrap();
        folder.remove_orphans();
        let mut names: Vec<_> = fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let stay = [".fvbc-folder.tmp", ".fvbc-living.tmp", "fvbc-other.tmp"];
        assert_eq!(names, stay);
        drop(living);
        folder.remove_orphans();
        assert!(!place.path().join(".fvbc-living.tmp").exists());
    }
}
