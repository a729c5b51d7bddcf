//! The packs of a chunk in the cache's directory: found, looked into, added to. When a function is
//! worth keeping is the JIT's business.
//!
//! A flush merges what is still believed of a chunk's packs with what is new into one. Only where they
//! are large it publishes another beside them, of which there are up to [`PACKS`]. Writers don't wait for
//! each other: of two that merge at once one loses, which costs a later process a miss.

use super::super::memory::{Draft, Executable, Placed};
use super::super::miss::{CacheStats, Miss};
use super::directory::{self, Directory, Unfit};
use super::key::{Fingerprint, ScopeKey, UnitKey};
use super::pack::{self, Checked, Claims, Entry, Row};
use super::upkeep::{CacheDirectory, CacheLimits};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The most packs of a chunk.
pub(super) const PACKS: usize = 8;
/// Packs that are together no larger than this are merged with each flush, so that a hit reads one file.
const SMALL: u64 = 256 << 10;
/// What the names of packs end with.
pub(super) const SUFFIX: &str = ".pack";
/// A pack is marked as used when the last mark is older than this.
const MARK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The packs of one chunk.
#[derive(Debug)]
pub(crate) struct Scope {
    root: Arc<Path>,
    /// Who makes code here. It isn't asked where there is no cache.
    maker: fn() -> Fingerprint,
    key: ScopeKey,
    /// The newest first.
    packs: Vec<Pack>,
    /// A pack, or a function of one, isn't what was written.
    damaged: bool,
    /// The process that may write: a forked child never does.
    writer: rustix::process::Pid,
    stats: CacheStats,
}

/// A pack that is there, as its header says.
#[derive(Clone, Copy)]
struct Present {
    generation: u64,
    size: u64,
}

/// A function of a pack.
pub(crate) struct Found<'a> {
    pub(crate) key: UnitKey,
    pub(crate) code: Executable,
    pub(crate) tables: &'a [u8],
}

impl Scope {
    /// Opens what the directory at `root` has of this chunk; nothing is made.
    ///
    /// # Errors
    /// When the directory can't be trusted, or the process has raised privileges.
    pub(crate) fn open(
        root: Arc<Path>,
        maker: fn() -> Fingerprint,
        key: ScopeKey,
    ) -> Result<Scope, Unfit> {
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
        if let Some(top) = Directory::open(&scope.root)? {
            let maker = maker();
            if let Some(directory) = top.open_in(&maker.directory())? {
                scope.open_packs(&directory, &maker);
            }
        }
        Ok(scope)
    }

    /// Opens the packs, which are numbered without gaps.
    fn open_packs(&mut self, directory: &Directory, maker: &Fingerprint) {
        for n in 0..PACKS {
            match Pack::open(directory, &pack_name(&self.key, n), maker, &self.key) {
                Ok(pack) => {
                    let (functions, any) = pack.checked.damaged();
                    // Where the table itself is damaged, nobody knows what is missing.
                    let missed = functions.max(usize::from(any));
                    self.stats.missed_many(Miss::Damaged, missed);
                    self.damaged |= any;
                    self.packs.push(pack);
                }
                Err(Miss::Absent) => break,
                Err(why) => {
                    self.stats.miss(why);
                    self.damaged = true;
                }
            }
        }
        self.packs
            .sort_by_key(|pack| std::cmp::Reverse(pack.checked.generation));
    }

    /// What became of the questions so far.
    pub(crate) fn stats(&self) -> CacheStats {
        self.stats
    }

    /// Whether there are any functions.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows().next().is_none()
    }

    /// The function of this key, as it was written last.
    pub(crate) fn find(&self, key: UnitKey) -> Option<Found<'_>> {
        let mut packs = self.packs.iter();
        packs.find_map(|pack| pack.found(pack.checked.find(pack.placed.bytes(), key)?))
    }

    /// The functions of a region, each as it was written last.
    pub(crate) fn all_of(&self, region: usize) -> impl Iterator<Item = Found<'_>> {
        let rows = self.rows();
        let of_region = rows.filter(move |(_, row)| row.key().region() == Some(region));
        of_region.filter_map(|(number, row)| {
            let is_newest = self.packs[..number].iter().all(|newer| {
                newer
                    .checked
                    .find(newer.placed.bytes(), row.key())
                    .is_none()
            });
            self.packs[number].found(row).filter(|_| is_newest)
        })
    }

    /// All functions that can be believed, with the number of their pack.
    fn rows(&self) -> impl Iterator<Item = (usize, &Row)> {
        let packs = self.packs.iter().enumerate();
        packs.flat_map(|(number, pack)| {
            let rows = pack.checked.rows(pack.placed.bytes());
            rows.map(move |row| (number, row))
        })
    }

    /// The number of frames in all packs.
    pub(crate) fn frames(&self) -> usize {
        let frames = self
            .rows()
            .filter(|(_, row)| row.key().position().is_some());
        frames.count()
    }

    /// The keys of all functions, ascending.
    pub(crate) fn keys(&self) -> Vec<UnitKey> {
        let mut keys: Vec<UnitKey> = self.rows().map(|(_, row)| row.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether others than this maker have published packs of the chunk.
    pub(crate) fn is_known_to_others(&self) -> bool {
        let Ok(Some(cache)) = CacheDirectory::open(&self.root) else {
            return false;
        };
        let (ours, name) = ((self.maker)().directory(), pack_name(&self.key, 0));
        let packs = cache.packs().unwrap_or_default();
        packs
            .iter()
            .any(|pack| pack.name == name && pack.maker != ours)
    }

    /// Whether something isn't what was written.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Counts a function that was taken.
    pub(crate) fn count_hit(&mut self) {
        self.stats.hits += 1;
    }

    /// Counts one that had to be compiled.
    pub(crate) fn count_miss(&mut self, why: Miss) {
        self.stats.miss(why);
    }

    /// Adds functions, for later processes, and mends what is damaged. Whatever goes wrong with it costs
    /// those a miss. In a forked child nothing is written.
    pub(crate) fn publish(&mut self, entries: Vec<(UnitKey, Entry)>) {
        let has_reason = !entries.is_empty() || self.damaged;
        if !has_reason || rustix::process::getpid() != self.writer {
            return;
        }
        let count = entries.len() as u64;
        if self.write(entries).is_some() {
            self.stats.stored += count;
        }
        // What can't be mended now isn't tried again.
        self.damaged = false;
    }

    /// Writes a pack of the functions; `None` if it couldn't be.
    fn write(&mut self, mut entries: Vec<(UnitKey, Entry)>) -> Option<()> {
        let maker = (self.maker)();
        let top = Directory::make(&self.root).ok()?;
        let directory = top.make_in(&maker.directory()).ok()?;
        // What others published meanwhile counts.
        let present = self.present(&directory, &maker);
        let there = || present.iter().flatten();
        let newest = there().map(|pack| pack.generation).max().unwrap_or(0);
        let size: u64 = there().map(|pack| pack.size).sum();
        let has_room = present.iter().any(Option::is_none);
        let mut claims = Claims {
            maker,
            scope: self.key,
            generation: newest.saturating_add(1),
        };
        if !self.damaged && has_room && (size == 0 || size > SMALL) {
            let bytes = pack::encode(&claims, &entries);
            let free = (0..PACKS).filter(|n| present[*n].is_none());
            // A name that another process took meanwhile is passed over.
            free.into_iter().find(|n| {
                let name = pack_name(&self.key, *n);
                directory.publish(&name, &bytes, false).is_ok()
            })?;
        } else {
            let kept = self.believed(&directory, &maker);
            entries.splice(..0, kept);
            // Of the packs that are left for a moment, or by a crash, this is the newest.
            claims.generation = claims.generation.saturating_add(1);
            self.merge_into_one(&directory, &pack::encode(&claims, &entries))?;
        }
        CacheDirectory::of(top).prune_when_due(CacheLimits::default());
        Some(())
    }

    /// The packs that are there, by number.
    fn present(&mut self, directory: &Directory, maker: &Fingerprint) -> [Option<Present>; PACKS] {
        std::array::from_fn(|n| {
            let (start, size) = match directory.read(&pack_name(&self.key, n)) {
                Ok((file, status)) => (read_start(&file), status.st_size),
                Err(Miss::Absent) => return None,
                Err(_) => (None, 0),
            };
            let claims = start.and_then(|start| pack::claims(&start));
            let ours = claims.filter(|claims| claims.maker == *maker);
            self.damaged |= ours.is_none();
            Some(Present {
                generation: ours.map_or(0, |claims| claims.generation),
                size: u64::try_from(size).unwrap_or(0),
            })
        })
    }

    /// The functions of all packs that can be believed, the newest last.
    fn believed(&self, directory: &Directory, maker: &Fingerprint) -> Vec<(UnitKey, Entry)> {
        let names = (0..PACKS).map(|n| pack_name(&self.key, n));
        let open = |name: String| Pack::open(directory, &name, maker, &self.key).ok();
        let mut packs: Vec<Pack> = names.filter_map(open).collect();
        packs.sort_by_key(|pack| pack.checked.generation);
        let entries = packs
            .iter()
            .flat_map(|pack| pack.checked.entries(pack.placed.bytes()));
        entries.collect()
    }

    /// Publishes one pack in the place of all.
    fn merge_into_one(&self, directory: &Directory, bytes: &[u8]) -> Option<()> {
        directory
            .publish(&pack_name(&self.key, 0), bytes, true)
            .ok()?;
        for n in 1..PACKS {
            // Most of them aren't there.
            let _ = directory.remove(&pack_name(&self.key, n));
        }
        Some(())
    }
}

/// The name of a pack of a chunk.
pub(super) fn pack_name(key: &ScopeKey, n: usize) -> String {
    format!("{}-{n}{SUFFIX}", key.stem())
}

/// A pack whose bytes were checked, where they can run.
#[derive(Debug)]
struct Pack {
    placed: Placed,
    checked: Checked,
}

impl Pack {
    /// Reads a pack, checks it, and marks it as used.
    fn open(
        directory: &Directory,
        name: &str,
        maker: &Fingerprint,
        scope: &ScopeKey,
    ) -> Result<Pack, Miss> {
        let (file, status) = directory.read(name)?;
        let draft = read_pack(&file, status.st_size)?;
        let checked = pack::check(draft.bytes(), maker, scope)?;
        let now = SystemTime::now();
        let unused = now.duration_since(directory::last_used(&status, now));
        if unused.is_ok_and(|unused| unused > MARK_EVERY) {
            directory::mark_used(&file);
        }
        let placed = draft.finish().ok_or(Miss::Unreadable)?;
        Ok(Pack { placed, checked })
    }

    fn found(&self, row: &Row) -> Option<Found<'_>> {
        Some(Found {
            key: row.key(),
            code: self.placed.code(row.code())?,
            tables: self.placed.bytes().get(row.tables())?,
        })
    }
}

/// All bytes of a pack, whose file has this size: once, into memory that nobody else writes to.
pub(super) fn read_pack(file: &OwnedFd, size: i64) -> Result<Draft, Miss> {
    let length = usize::try_from(size).map_err(|_| Miss::Damaged)?;
    if !(pack::HEADER_LENGTH..=pack::MAX_PACK).contains(&length) {
        return Err(Miss::Damaged);
    }
    let mut draft = Draft::new(length).ok_or(Miss::Unreadable)?;
    match fill(file, draft.bytes_mut())? {
        filled if filled == length => Ok(draft),
        // It has become shorter since it was looked at.
        _ => Err(Miss::Damaged),
    }
}

/// The bytes of a header; `None` where there are fewer.
fn read_start(file: &OwnedFd) -> Option<[u8; pack::HEADER_LENGTH]> {
    let mut start = [0; pack::HEADER_LENGTH];
    let filled = fill(file, &mut start).ok()?;
    (filled == start.len()).then_some(start)
}

/// Fills the bytes with those at the file's beginning; how many there were.
fn fill(file: impl AsFd, bytes: &mut [u8]) -> Result<usize, Miss> {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::pread(&file, &mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(Miss::Unreadable),
        }
    }
    Ok(filled)
}
