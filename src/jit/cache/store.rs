//! The packs of a scope in the cache's directory: found, looked into, added to. When a function is
//! worth keeping is the JIT's business.
//!
//! A scope has up to [`PACKS`] packs. A flush publishes a new one beside them; once all names are
//! taken, or damage was seen, it merges what is still believed into one. Writers don't wait for each
//! other: of two that merge at once one loses, which costs a later process a miss.

use super::super::miss::{CacheStats, Miss};
use super::directory::{self, Directory, Unfit};
use super::key::{EntryKey, Fingerprint, ScopeKey};
use super::pack::{self, Entry, Row};
use super::upkeep::{CacheDirectory, CacheLimits};
use crate::descriptors::out_of_the_way;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The most packs of a scope.
const PACKS: usize = 8;
/// What the names of packs end with.
pub(super) const SUFFIX: &str = ".pack";
/// A pack is marked as used when the last mark is older than this.
const MARK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// What is read at first: the header, and the table of a small pack.
const FIRST_READ: usize = 4096;

/// The packs of one scope.
#[derive(Debug)]
pub(crate) struct Scope {
    root: PathBuf,
    maker: Fingerprint,
    key: ScopeKey,
    packs: Vec<OpenPack>,
    /// A pack, or a function of one, isn't what was written.
    damaged: bool,
    /// The process that may write: a forked child never does.
    writer: rustix::process::Pid,
    stats: CacheStats,
}

impl Scope {
    /// Opens what the directory at `root` has of this scope; nothing is made.
    ///
    /// # Errors
    /// When the directory can't be trusted, or the process has raised privileges.
    pub(crate) fn open(root: PathBuf, maker: Fingerprint, key: ScopeKey) -> Result<Scope, Unfit> {
        if directory::has_raised_privileges() {
            return Err(Unfit::RaisedPrivileges);
        }
        let mut scope = Scope {
            root,
            maker,
            key,
            packs: Vec::new(),
            damaged: false,
            writer: rustix::process::getpid(),
            stats: CacheStats::default(),
        };
        if let Some(top) = Directory::open(&scope.root)?
            && let Some(directory) = top.open_in(&maker.directory())?
        {
            for why in scope.read_packs(&directory) {
                scope.stats.miss(why);
            }
        }
        Ok(scope)
    }

    /// What became of the questions so far.
    pub(crate) fn stats(&self) -> CacheStats {
        self.stats
    }

    /// The functions of all packs that are what was written, a later pack's behind those of earlier
    /// ones. What isn't intact is counted as a miss each.
    pub(crate) fn take_all(&mut self) -> Vec<(EntryKey, Entry)> {
        let mut all = Vec::new();
        for pack in &self.packs {
            let intact = pack.all(&self.maker);
            let damaged = pack.functions() - intact.len();
            self.stats.missed_many(Miss::Damaged, damaged);
            self.damaged |= damaged > 0;
            all.extend(intact);
        }
        all
    }

    /// Counts a question for a function.
    pub(crate) fn count(&mut self, found: bool) {
        match found {
            true => self.stats.hits += 1,
            false => self.stats.miss(Miss::Absent),
        }
    }

    /// Adds functions, for later processes. Whatever goes wrong with it costs those a miss. In a
    /// forked child nothing is written.
    pub(crate) fn publish(&mut self, entries: Vec<(EntryKey, Entry)>) {
        if entries.is_empty() || rustix::process::getpid() != self.writer {
            return;
        }
        let count = entries.len() as u64;
        if self.write(entries).is_some() {
            self.stats.stored += count;
        }
    }

    /// Writes a pack of the functions; `None` if it couldn't be.
    fn write(&mut self, mut entries: Vec<(EntryKey, Entry)>) -> Option<()> {
        let top = Directory::make(&self.root).ok()?;
        let directory = top.make_in(&self.maker.directory()).ok()?;
        // What others published meanwhile counts.
        self.read_packs(&directory);
        let merges = self.damaged || self.packs.len() == PACKS;
        if merges {
            let kept = self.packs.iter().flat_map(|pack| pack.all(&self.maker));
            entries.splice(..0, kept);
        }
        let bytes = pack::encode(&self.maker, &entries);
        if merges {
            self.merge_into_one(&directory, &bytes)?;
        } else {
            // A name that another process took meanwhile is passed over.
            (self.packs.len()..PACKS)
                .find(|&n| directory.publish(&self.name(n), &bytes, false).is_ok())?;
        }
        CacheDirectory::of(top).prune_when_due(CacheLimits::default());
        Some(())
    }

    /// Publishes one pack in the place of all.
    fn merge_into_one(&mut self, directory: &Directory, bytes: &[u8]) -> Option<()> {
        directory.publish(&self.name(0), bytes, true).ok()?;
        for n in 1..PACKS {
            // Most of them aren't there.
            let _ = directory.remove(&self.name(n));
        }
        self.damaged = false;
        Some(())
    }

    /// Opens the packs, which are numbered without gaps, and tells why some can't be used.
    fn read_packs(&mut self, directory: &Directory) -> Vec<Miss> {
        self.packs.clear();
        let mut refused = Vec::new();
        for n in 0..PACKS {
            match OpenPack::open(directory, &self.name(n), &self.maker) {
                Ok(pack) => self.packs.push(pack),
                Err(Miss::Absent) => break,
                Err(why) => refused.push(why),
            }
        }
        self.damaged |= !refused.is_empty();
        refused
    }

    fn name(&self, n: usize) -> String {
        format!("{}-{n}{SUFFIX}", self.key.stem())
    }
}

/// A pack whose table was read. The functions are read one by one, each once.
#[derive(Debug)]
pub(super) struct OpenPack {
    file: OwnedFd,
    rows: Vec<Row>,
}

impl OpenPack {
    /// Opens a pack, and marks it as used.
    pub(super) fn open(
        directory: &Directory,
        name: &str,
        maker: &Fingerprint,
    ) -> Result<OpenPack, Miss> {
        let (file, status) = directory.read(name)?;
        let length = u64::try_from(status.st_size).map_err(|_| Miss::Damaged)?;
        let mut start = read_at(&file, 0, FIRST_READ.min(length as usize))?;
        let end = pack::table_end(&start, length, maker)?;
        if end > start.len() {
            let at = start.len();
            start.extend(read_at(&file, at as u64, end - at)?);
        }
        let rows = pack::rows(&start[..end], length)?;
        let now = SystemTime::now();
        let unused = now.duration_since(directory::last_used(&status, now));
        if unused.is_ok_and(|unused| unused > MARK_EVERY) {
            directory::mark_used(&file);
        }
        let file = out_of_the_way(file);
        Ok(OpenPack { file, rows })
    }

    /// The number of functions.
    pub(super) fn functions(&self) -> usize {
        self.rows.len()
    }

    /// The functions that are what was written.
    pub(super) fn all(&self, maker: &Fingerprint) -> Vec<(EntryKey, Entry)> {
        let (Some(first), Some(last)) = (
            self.rows.iter().map(Row::offset).min(),
            self.rows.iter().map(Row::end).max(),
        ) else {
            return Vec::new();
        };
        // What the file has lost since it was opened is missed as damaged.
        let bytes = read_at(&self.file, first, (last - first) as usize).unwrap_or_default();
        let believed = |row: &Row| {
            let at = (row.offset() - first) as usize;
            let function = bytes.get(at..at + row.length())?;
            Some((row.key(), row.believe(maker, function.to_vec()).ok()?))
        };
        self.rows.iter().filter_map(believed).collect()
    }
}

/// The bytes at an offset. The length is one that was compared with the file's.
pub(super) fn read_at(file: &OwnedFd, offset: u64, length: usize) -> Result<Vec<u8>, Miss> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match rustix::io::pread(file, &mut bytes[filled..], offset + filled as u64) {
            Ok(0) => return Err(Miss::Damaged),
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(Miss::Unreadable),
        }
    }
    Ok(bytes)
}
