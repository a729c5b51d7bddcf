//! The cache as a whole: what is in it, whether it is intact, and how it stays small. Running code
//! out of it is not here.

use super::super::miss::Miss;
use super::directory::{self, Directory, TEMPORARY, Unfit};
use super::pack;
use super::store::{self, SUFFIX};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Unfinished files older than this were left behind by a process that died.
const ORPHANED_AFTER: Duration = Duration::from_secs(60 * 60);
/// A flush prunes when the last pruning is longer ago than this.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);
/// The file whose time says when the cache was last pruned.
const PRUNED: &str = "pruned";

/// How much the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes of all packs together.
    pub bytes: u64,
    /// The number of packs.
    pub packs: usize,
}

impl Default for CacheLimits {
    /// 256 MiB in 16,384 packs.
    fn default() -> Self {
        CacheLimits {
            bytes: 256 << 20,
            packs: 1 << 14,
        }
    }
}

/// A pack of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackStatus {
    /// The directory of those that made it.
    pub maker: String,
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// When it was made or, to a day, last used.
    pub used: SystemTime,
}

/// What a look at every byte of a pack found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Functions that are what was written.
    pub intact: usize,
    /// Functions that aren't. A run that wants one compiles it again.
    pub damaged: usize,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The number of packs.
    pub packs: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The directory of a cache, for those who look after it.
#[derive(Debug)]
pub struct CacheDirectory(Directory);

impl CacheDirectory {
    /// The cache at this path; `None` if there is none yet.
    ///
    /// # Errors
    /// When the directory isn't one that only this user can write to.
    pub fn open(path: &Path) -> Result<Option<CacheDirectory>, Unfit> {
        Ok(Directory::open(path)?.map(CacheDirectory))
    }

    /// The cache in this directory.
    pub(super) fn of(directory: Directory) -> CacheDirectory {
        CacheDirectory(directory)
    }

    /// All packs, by maker and name.
    ///
    /// # Errors
    /// When a directory can't be listed. Files that aren't packs of this user are passed over.
    pub fn packs(&self) -> io::Result<Vec<PackStatus>> {
        let now = SystemTime::now();
        let mut packs = Vec::new();
        for (maker, directory) in self.makers()? {
            for name in directory.names()? {
                if !name.ends_with(SUFFIX) {
                    continue;
                }
                if let Ok((_, status)) = directory.read(&name) {
                    packs.push(PackStatus {
                        maker: maker.clone(),
                        name,
                        bytes: u64::try_from(status.st_size).unwrap_or(0),
                        used: directory::last_used(&status, now),
                    });
                }
            }
        }
        Ok(packs)
    }

    /// Looks at every byte of a pack.
    ///
    /// # Errors
    /// Why the pack as a whole can't be used.
    pub fn verify(&self, pack: &PackStatus) -> Result<Verified, Miss> {
        let directory = self.maker(&pack.maker)?;
        let (file, status) = directory.read(&pack.name)?;
        let draft = store::read_pack(&file, status.st_size)?;
        let claims = pack::claims(draft.bytes()).ok_or(Miss::Damaged)?;
        let stem = claims.scope.stem();
        if claims.maker.directory() != pack.maker || !pack.name.starts_with(&stem) {
            return Err(Miss::Damaged);
        }
        let checked = pack::check(draft.bytes(), &claims.maker, &claims.scope)?;
        let intact = checked.rows(draft.bytes()).count();
        match checked.damaged() {
            // Something that is no function's, such as the space between two.
            (0, true) => Err(Miss::Damaged),
            (damaged, _) => Ok(Verified { intact, damaged }),
        }
    }

    /// Removes what was longest unused until the limits are kept, all packs of a chunk together; what
    /// processes that died left behind; and directories that are empty then.
    ///
    /// # Errors
    /// When a directory can't be listed.
    pub fn prune(&self, limits: CacheLimits) -> io::Result<Removed> {
        let mut chunks = by_chunk(self.packs()?);
        chunks.sort_by_key(|packs| std::cmp::Reverse(packs.iter().map(|pack| pack.used).max()));
        let (mut bytes, mut count) = (0, 0);
        let mut packs = Vec::new();
        for mut chunk in chunks {
            bytes += chunk.iter().map(|pack| pack.bytes).sum::<u64>();
            count += chunk.len();
            if bytes > limits.bytes || count > limits.packs {
                // The last one first, so that there is never a gap.
                chunk.reverse();
                packs.append(&mut chunk);
            }
        }
        let removed = self.remove(&packs);
        self.remove_orphans()?;
        Ok(removed)
    }

    /// Removes everything.
    ///
    /// # Errors
    /// When a directory can't be listed.
    pub fn clear(&self) -> io::Result<Removed> {
        self.prune(CacheLimits { bytes: 0, packs: 0 })
    }

    /// Prunes if that is due.
    pub(super) fn prune_when_due(&self, limits: CacheLimits) {
        let now = SystemTime::now();
        let due = match self.0.read(PRUNED) {
            Ok((_, status)) => now
                .duration_since(directory::last_used(&status, now))
                .is_ok_and(|since| since > PRUNE_EVERY),
            Err(_) => true,
        };
        // Marked first, so that of many processes one prunes.
        if due && self.0.publish(PRUNED, b"", true).is_ok() {
            // What can't be removed now is tried again in an hour.
            let _ = self.prune(limits);
        }
    }

    fn remove(&self, packs: &[PackStatus]) -> Removed {
        let mut removed = Removed::default();
        for pack in packs {
            let gone = self
                .maker(&pack.maker)
                .map(|maker| maker.remove(&pack.name));
            if matches!(gone, Ok(Ok(()))) {
                removed.packs += 1;
                removed.bytes += pack.bytes;
            }
        }
        removed
    }

    fn remove_orphans(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for (name, maker) in self.makers()? {
            let unfinished = |name: &String| name.starts_with(TEMPORARY);
            for name in maker.names()?.iter().filter(|name| unfinished(name)) {
                let age = maker.read(name).ok().and_then(|(_, status)| {
                    now.duration_since(directory::last_used(&status, now)).ok()
                });
                if age.is_some_and(|age| age > ORPHANED_AFTER) {
                    maker.remove(name)?;
                }
            }
            // It stays if it isn't empty.
            let _ = self.0.remove_directory(&name);
        }
        Ok(())
    }

    /// The directories of all makers.
    fn makers(&self) -> io::Result<Vec<(String, Directory)>> {
        let names = self.0.names()?.into_iter();
        let directory = |name: String| Some((self.0.open_in(&name).ok()??, name));
        Ok(names
            .filter_map(directory)
            .map(|(open, name)| (name, open))
            .collect())
    }

    fn maker(&self, name: &str) -> Result<Directory, Miss> {
        match self.0.open_in(name) {
            Ok(Some(directory)) => Ok(directory),
            Ok(None) => Err(Miss::Absent),
            Err(_) => Err(Miss::Unsafe),
        }
    }
}

/// The packs, those of each chunk together, by name.
fn by_chunk(packs: Vec<PackStatus>) -> Vec<Vec<PackStatus>> {
    let mut chunks: HashMap<(String, String), Vec<PackStatus>> = HashMap::new();
    for pack in packs {
        let stem = pack
            .name
            .rsplit_once('-')
            .map_or(&*pack.name, |(stem, _)| stem);
        let chunk = (pack.maker.clone(), stem.to_owned());
        chunks.entry(chunk).or_default().push(pack);
    }
    chunks.into_values().collect()
}
