//! A directory that only this user can have written to, and the files in it. What the files hold is
//! not known here.
//!
//! All access goes through descriptors: what was looked at is what is read. Links are never followed
//! at the end of a path, and whatever another user could have written or replaced is refused.

use super::super::miss::Miss;
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// Why a directory isn't used as a cache.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// The environment asks for none.
    #[error("FUSEVM_CACHE_DIR is `off`")]
    Off,
    /// The environment names no directory for it.
    #[error("neither FUSEVM_CACHE_DIR, XDG_CACHE_HOME nor HOME names an absolute path")]
    NoHome,
    /// The process runs with more rights than its user has.
    #[error("the process runs with raised privileges")]
    RaisedPrivileges,
    /// Something else has the name: a file, a link.
    #[error("it is not a directory")]
    NotDirectory,
    /// The directory is another user's.
    #[error("it belongs to another user")]
    NotOurs,
    /// Others may write or read it.
    #[error("others have access to it (mode {0:03o}, not 700)")]
    OpenToOthers(u32),
    /// The system refused.
    #[error("{0}")]
    Refused(Errno),
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

/// Flags for whatever is opened: a FIFO in the place of a file doesn't block.
const SAFELY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Directory {
    /// The directory of this path; `None` if there is nothing of that name.
    pub(super) fn open(path: &Path) -> Result<Option<Directory>, Unfit> {
        opened(fs::open(path, SAFELY | OFlags::DIRECTORY, Mode::empty()))
    }

    /// The directory of this path, made with those above it if it isn't there.
    pub(super) fn make(path: &Path) -> Result<Directory, Unfit> {
        for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !ancestor.as_os_str().is_empty() {
                made(fs::mkdirat(CWD, ancestor, Mode::RWXU))?;
            }
        }
        Directory::open(path)?.ok_or(Unfit::Refused(Errno::NOENT))
    }

    /// A directory in this one; `None` if there is nothing of that name.
    pub(super) fn open_in(&self, name: &str) -> Result<Option<Directory>, Unfit> {
        opened(fs::openat(
            &self.0,
            name,
            SAFELY | OFlags::DIRECTORY,
            Mode::empty(),
        ))
    }

    /// A directory in this one, made if it isn't there.
    pub(super) fn make_in(&self, name: &str) -> Result<Directory, Unfit> {
        made(fs::mkdirat(&self.0, name, Mode::RWXU))?;
        self.open_in(name)?.ok_or(Unfit::Refused(Errno::NOENT))
    }

    /// A file of this directory for reading, and its status.
    pub(super) fn read(&self, name: &str) -> Result<(OwnedFd, Stat), Miss> {
        let file = match fs::openat(&self.0, name, SAFELY | OFlags::RDONLY, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Err(Miss::Absent),
            Err(Errno::LOOP) => return Err(Miss::Unsafe),
            Err(_) => return Err(Miss::Unreadable),
        };
        let status = fs::fstat(&file).map_err(|_| Miss::Unreadable)?;
        let is_file = fs::FileType::from_raw_mode(status.st_mode).is_file();
        if !is_file || !is_ours(&status) || permissions(&status) & 0o077 != 0 {
            return Err(Miss::Unsafe);
        }
        Ok((file, status))
    }

    /// Makes a file of these bytes appear under its name, whole or not at all. Without `replace` it
    /// is an error if there is one of the name. It isn't synchronized to the disk: what a crash tears
    /// is told by its hashes, and waiting for the disk would slow the program.
    pub(super) fn publish(&self, name: &str, bytes: &[u8], replace: bool) -> io::Result<()> {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
        if limit.is_some_and(|limit| limit < bytes.len() as u64) {
            // Going on would end the process by a signal.
            return Err(Errno::FBIG.into());
        }
        let (temporary, mut file) = self.temporary()?;
        let written = file.write_all(bytes).and_then(|()| {
            if replace {
                return Ok(fs::renameat(&self.0, &*temporary, &self.0, name)?);
            }
            Ok(fs::linkat(
                &self.0,
                &*temporary,
                &self.0,
                name,
                AtFlags::empty(),
            )?)
        });
        if written.is_err() || !replace {
            // Left behind, it would be removed by a later pruning.
            let _ = self.remove(&temporary);
        }
        written
    }

    /// A new file that nobody else has.
    fn temporary(&self) -> io::Result<(String, File)> {
        let flags = SAFELY | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let process = rustix::process::getpid().as_raw_nonzero();
        for attempt in 0..64 {
            let name = format!("{TEMPORARY}{process}-{attempt}");
            match fs::openat(&self.0, &*name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((name, File::from(file))),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Takes a file's name away.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Takes an empty directory's name away.
    pub(super) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// The names in this directory, sorted. Those that aren't UTF-8 are none of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            names.extend(
                name.into_string()
                    .ok()
                    .filter(|name| !matches!(&**name, "." | "..")),
            );
        }
        names.sort();
        Ok(names)
    }
}

/// What the names of unfinished files begin with.
pub(super) const TEMPORARY: &str = ".new-";

/// Whether the process has more rights than the user who started it: then the environment, which
/// names the directory, isn't to be trusted.
pub(super) fn has_raised_privileges() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    getuid() != geteuid() || getgid() != getegid()
}

/// When a file was last written or marked as used; a time to come counts as now.
pub(super) fn last_used(status: &Stat, now: SystemTime) -> SystemTime {
    let seconds = u64::try_from(status.st_mtime).unwrap_or(0);
    let used = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    used.unwrap_or(now).min(now)
}

/// Marks a file as used now, if that is possible.
pub(super) fn mark_used(file: impl AsFd) {
    let omit = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: fs::UTIME_NOW,
    };
    let times = Timestamps {
        last_access: omit,
        last_modification: now,
    };
    // A read-only directory only loses the order in which files are pruned.
    let _ = fs::futimens(file, &times);
}

fn opened(result: rustix::io::Result<OwnedFd>) -> Result<Option<Directory>, Unfit> {
    let directory = match result {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(Unfit::NotDirectory),
        Err(error) => return Err(Unfit::Refused(error)),
    };
    let status = fs::fstat(&directory).map_err(Unfit::Refused)?;
    if !is_ours(&status) {
        return Err(Unfit::NotOurs);
    }
    match permissions(&status) {
        mode if mode & 0o077 != 0 => Err(Unfit::OpenToOthers(mode)),
        _ => Ok(Some(Directory(directory))),
    }
}

fn made(result: rustix::io::Result<()>) -> Result<(), Unfit> {
    match result {
        // On a read-only file system, what is there can still be read.
        Ok(()) | Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        Err(error) => Err(Unfit::Refused(error)),
    }
}

fn is_ours(status: &Stat) -> bool {
    status.st_uid == rustix::process::geteuid().as_raw()
}

fn permissions(status: &Stat) -> u32 {
    Mode::from_raw_mode(status.st_mode).bits() & 0o777
}
