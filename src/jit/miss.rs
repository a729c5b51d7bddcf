//! Why the cache of native code had nothing: a miss is never an error, but it is counted, and can be
//! asked for.

/// Why a function wasn't taken from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Miss {
    /// Nobody compiled it yet, or it was pruned.
    Absent,
    /// Its bytes aren't those that were written.
    Damaged,
    /// Another version of fusevm wrote it, or the same for another processor.
    OtherMaker,
    /// The file isn't one that only this user could have written.
    Unsafe,
    /// The file can't be read.
    Unreadable,
    /// It was taken, but values came that are of other kinds than those it was compiled for.
    OtherKinds,
}

impl Miss {
    /// Every reason, in the order of their counters.
    pub const ALL: [Miss; 6] = [
        Miss::Absent,
        Miss::Damaged,
        Miss::OtherMaker,
        Miss::Unsafe,
        Miss::Unreadable,
        Miss::OtherKinds,
    ];

    /// The reason in one word, as `--stats=json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Miss::Absent => "absent",
            Miss::Damaged => "damaged",
            Miss::OtherMaker => "other_maker",
            Miss::Unsafe => "unsafe",
            Miss::Unreadable => "unreadable",
            Miss::OtherKinds => "other_kinds",
        }
    }
}

/// What became of the questions to a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Functions that were taken from it.
    pub hits: u64,
    /// Functions that weren't, by reason, in the order of [`Miss::ALL`].
    pub misses: [u64; Miss::ALL.len()],
    /// Functions that were written to it.
    pub stored: u64,
    /// Nanoseconds that it took to look for functions, to check them and to have them where they can run.
    pub ns: u64,
}

impl CacheStats {
    /// Counts a miss.
    #[cfg(feature = "jit")]
    pub(crate) fn miss(&mut self, why: Miss) {
        self.missed_many(why, 1);
    }

    /// Counts misses of one reason.
    #[cfg(feature = "jit")]
    pub(crate) fn missed_many(&mut self, why: Miss, count: usize) {
        self.misses[why as usize] += count as u64;
    }

    /// Adds what became of the questions of another.
    #[cfg(feature = "jit")]
    pub(crate) fn add(&mut self, other: &CacheStats) {
        self.hits += other.hits;
        self.stored += other.stored;
        self.ns += other.ns;
        for (sum, more) in self.misses.iter_mut().zip(other.misses) {
            *sum += more;
        }
    }

    /// How often the reason was this one.
    pub fn missed(&self, why: Miss) -> u64 {
        self.misses[why as usize]
    }
}
