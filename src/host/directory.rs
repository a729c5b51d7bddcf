//! Listing a directory: the names as the system has them, and of what kind each is, without looking at the
//! files and without memory for each.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of entries that are asked for at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUFFER: usize = 1 << 15;

/// An entry of a directory.
pub(super) struct Entry<'d> {
    pub(super) name: &'d [u8],
    kind: FileType,
    directory: BorrowedFd<'d>,
}

impl Entry<'_> {
    /// What it is; a link is one. Unknown if it is gone.
    pub(super) fn kind(&self) -> FileType {
        if self.kind != FileType::Unknown {
            return self.kind;
        }
        // Some file systems don't tell by themselves.
        let stat = statat(self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map_or(FileType::Unknown, |stat| {
            FileType::from_raw_mode(stat.st_mode)
        })
    }
}

/// Calls `take` with each entry of a directory, the working one if the path is empty; `.` and `..` are none.
/// Gives the first error of `take`, which ends it.
///
/// # Errors
/// The system's, if the directory can't be read.
pub(super) fn for_each_entry<E>(
    path: &[u8],
    mut take: impl FnMut(&Entry<'_>) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty())?;
    list(&directory, |name, kind| {
        if matches!(name, b"." | b"..") {
            return Ok(());
        }
        take(&Entry {
            name,
            kind,
            directory: directory.as_fd(),
        })
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn list<E>(
    directory: &OwnedFd,
    mut take: impl FnMut(&[u8], FileType) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    // The longest name fits many times.
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
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
fn list<E>(
    directory: &OwnedFd,
    mut take: impl FnMut(&[u8], FileType) -> Result<(), E>,
) -> Result<Result<(), E>, Errno> {
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let taken = take(entry.file_name().to_bytes(), entry.file_type());
        if taken.is_err() {
            return Ok(taken);
        }
    }
    Ok(Ok(()))
}
