//! Listing a folder: the names as the system has them, and of what kind each is, without looking at the
//! files and without memory for each.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of entries that are asked for at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUFFER: usize = 1 << 15;

/// An entry of a folder.
pub(super) struct Entry<'d> {
    pub(super) name: &'d [u8],
    kind: FileType,
    folder: BorrowedFd<'d>,
}

impl<'d> Entry<'d> {
    /// An entry of this kind in an open folder.
    pub(super) fn new(name: &'d [u8], kind: FileType, folder: &'d OwnedFd) -> Entry<'d> {
        let folder = folder.as_fd();
        Entry { name, kind, folder }
    }

    /// What it is; a link is one. Unknown if it is gone.
    pub(super) fn kind(&self) -> FileType {
        if self.kind != FileType::Unknown {
            return self.kind;
        }
        // Some file systems don't tell by themselves.
        let stat = statat(self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map_or(FileType::Unknown, |stat| {
            FileType::from_raw_mode(stat.st_mode)
        })
    }

    /// What it is, if the listing says so.
    pub(super) fn listed_kind(&self) -> FileType {
        self.kind
    }
}

/// Opens a folder to list it; the working one, if the path is empty.
///
/// # Errors
/// The system's.
pub(super) fn open(path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// Calls `take` with each entry of a folder; `.` and `..` are none. Gives the first error of `take`, which
/// ends it.
///
/// # Errors
/// The system's, if the folder can't be read.
pub(super) fn list<E>(
    folder: &OwnedFd,
    mut take: impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    each(folder, |name, kind| match name {
        b"." | b".." => Ok(()),
        name => take(&Entry::new(name, kind, folder)),
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn each<E>(
    folder: &OwnedFd,
    mut take: impl FnMut(&[u8], FileType) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    // The longest name fits many times.
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let taken = take(entry.file_name().to_bytes(), entry.file_type());
        if taken.is_err() {
            return Ok(taken);
        }
    }
    Ok(Ok(()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn each<E>(
    folder: &OwnedFd,
    mut take: impl FnMut(&[u8], FileType) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let taken = take(entry.file_name().to_bytes(), entry.file_type());
        if taken.is_err() {
            return Ok(taken);
        }
    }
    Ok(Ok(()))
}
