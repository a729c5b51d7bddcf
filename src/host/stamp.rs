//! What tells that a folder has the entries that it had: the reason to believe a listing of it.
//!
//! Whatever adds, removes, renames or replaces an entry stamps the folder with the time at which it does so. So a
//! folder with the same stamps has the same entries, unless it was changed once more within what its stamps can
//! tell apart. That can't be if its last change was long over when it was listed, [`SETTLED`] ago: all that
//! came later has later stamps. What may be wrong with that reason, and is looked at:
//!
//! * Stamps may be coarse: those of the kernel's clock have a tick of 10 ms at most, those of old ext file
//!   systems are whole seconds. `SETTLED` is longer. As the clock is read before the stamps, and is the one that
//!   they are taken from, it doesn't matter how long anything takes.
//! * The clock may be set back. It is compared with the one that can't be, [`Moment::is_in_line_with`].
//! * Times may be those of another computer, or of nobody: only file systems that are this kernel's own are
//!   believed ([`is_believable`]). An overlay is none, as it answers for layers that it doesn't name.
//! * Another file system with the same stamps may be mounted in its place, an image of a disk for instance. So the
//!   mount counts, by a number that is never given twice; a system that has none (Linux before 6.8) is not believed.
//! * The names in an encrypted folder change with the keys that are there. Such folders are not believed.

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, StatxTimestamp, fstatfs, statx};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::OwnedFd;

/// How long the last change of a folder must be over, in nanoseconds, when it is listed: a second, which is the
/// coarsest of all stamps, and what the clock may have gone astray by.
const SETTLED: i128 = 1_000_000_000 + 2 * ASTRAY;

/// How far the clock may go astray, in nanoseconds, beside the one that isn't set.
const ASTRAY: i128 = 50_000_000;

/// `STATX_MNT_ID_UNIQUE`: the number of a mount that no other has had before it or will have.
const MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// The file systems whose folders this kernel stamps whenever they change: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs.
const BELIEVED: [u32; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994];

/// Which folder it is, and when it was changed last. The same stamp is the same folder, unchanged; see above
/// for when that is so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    folder: Folder,
    /// In nanoseconds; nobody but the kernel can set the first.
    changed: i128,
    modified: i128,
}

/// Which folder it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Folder {
    mount: u64,
    device: (u32, u32),
    inode: u64,
}

impl Stamp {
    /// The stamp of an open folder; `None` if it would tell nothing.
    pub(super) fn of(folder: &OwnedFd) -> Option<Stamp> {
        let asked = StatxFlags::INO | StatxFlags::CTIME | StatxFlags::MTIME | MOUNT;
        let stat = statx(folder, c"", AtFlags::EMPTY_PATH, asked).ok()?;
        let tells = StatxFlags::from_bits_retain(stat.stx_mask).contains(asked);
        if !tells || stat.stx_attributes.contains(StatxAttributes::ENCRYPTED) {
            return None;
        }
        Some(Stamp {
            folder: Folder {
                mount: stat.stx_mnt_id,
                device: (stat.stx_dev_major, stat.stx_dev_minor),
                inode: stat.stx_ino,
            },
            changed: nanoseconds(stat.stx_ctime),
            modified: nanoseconds(stat.stx_mtime),
        })
    }

    /// The folder that the stamp is of, whenever it was changed.
    pub(super) fn folder(&self) -> Folder {
        self.folder
    }

    /// Whether the last change was over long before `now`, which was read before the stamp: then every change
    /// behind `now` gives another stamp. A change in the future never is.
    pub(super) fn was_settled(&self, now: Moment) -> bool {
        now.real - self.changed >= SETTLED
    }
}

fn nanoseconds(time: StatxTimestamp) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

/// Whether stamps of an open folder can be believed, by the file system that it is on.
pub(super) fn is_believable(folder: &OwnedFd) -> bool {
    // The number has 32 bits, in whatever type.
    fstatfs(folder).is_ok_and(|system| BELIEVED.contains(&(system.f_type as u32)))
}

/// A moment, in nanoseconds by two clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// By the clock that stamps are taken from: what is stamped later has no lesser stamp.
    real: i128,
    /// By the one that can't be set.
    steady: i128,
}

impl Moment {
    /// The present one.
    pub(super) fn now() -> Moment {
        let read = |clock| {
            let time = clock_gettime(clock);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Moment {
            real: read(ClockId::RealtimeCoarse),
            steady: read(ClockId::MonotonicCoarse),
        }
    }

    /// Whether the clock of stamps has gone on since `earlier` as the other one has, so that nobody has set it.
    pub(super) fn is_in_line_with(self, earlier: Moment) -> bool {
        let (real, steady) = (self.real - earlier.real, self.steady - earlier.steady);
        (real - steady).abs() <= ASTRAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::directory::open;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_change_is_settled_when_it_is_long_over() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp::of(&open(folder.path().as_os_str().as_bytes()).unwrap()).unwrap();
        let at = |behind| Moment {
            real: stamp.changed + behind,
            steady: 0,
        };
        assert!(!stamp.was_settled(Moment::now()));
        assert!(!stamp.was_settled(at(SETTLED - 1)));
        assert!(stamp.was_settled(at(SETTLED)));
        assert!(!stamp.was_settled(at(-10 * SETTLED)), "it is in the future");
    }

    #[test]
    fn a_clock_that_was_set_is_told() {
        let now = Moment::now();
        let later = |real, steady| Moment {
            real: now.real + real,
            steady: now.steady + steady,
        };
        let hour = 3600 * 1_000_000_000;
        assert!(later(hour, hour).is_in_line_with(now));
        assert!(later(hour + ASTRAY, hour).is_in_line_with(now));
        assert!(!later(hour + ASTRAY + 1, hour).is_in_line_with(now));
        assert!(!later(hour - ASTRAY - 1, hour).is_in_line_with(now));
        assert!(Moment::now().is_in_line_with(now));
    }

    #[test]
    fn only_file_systems_of_this_kernel_are_believed() {
        assert!(!is_believable(&open(b"/proc").unwrap()));
        assert!(!is_believable(&open(b"/sys").unwrap()));
        assert!(is_believable(&open(b"/dev/shm").unwrap()));
    }
}
