//! Listings of folders that are remembered, as globs ask for the same ones again and again: to list a folder takes
//! the system longer than everything else that is done for a glob.
//!
//! A listing is believed as long as the folder's [`Stamp`] proves that it has the same entries; all else is asked of
//! the system each time. The folder is opened each time, so whoever may no longer read it gets the error
//! that he would get.
//!
//! Most folders are listed once. So of a folder that is listed the first time its stamp alone is kept, and its
//! entries the second time. How many and how much is bounded; what wasn't asked for longest is forgotten first.

use rustix::fs::FileType;
use rustix::io::Errno;
use std::os::fd::OwnedFd;

use super::directory::{Entry, list, open};
use super::stamp::{Moment, Stamp, is_believable};

/// How many folders are known.
const MAX_FOLDERS: usize = 64;

/// The largest listing that is kept, in bytes.
const MAX_LISTING: usize = 1 << 20;

/// How many bytes all of them have together.
const MAX_BYTES: usize = 2 << 20;

/// The folders that were listed.
pub(super) struct Listings {
    /// The one that was asked for last is the last.
    known: Vec<Known>,
    /// How often the system has listed a folder.
    #[cfg(test)]
    pub(super) listed: usize,
}

/// A folder as it was when it had this stamp.
struct Known {
    stamp: Stamp,
    memory: Memory,
}

enum Memory {
    /// It was listed once.
    Seen,
    /// What is in it.
    Kept(Listing),
    /// Nothing is kept of it: it is too large, or its stamps prove nothing.
    Not,
}

impl Listings {
    /// No folder is known.
    pub(super) const fn new() -> Listings {
        Listings {
            known: Vec::new(),
            #[cfg(test)]
            listed: 0,
        }
    }

    /// Calls `take` with each entry of a folder, the working one if the path is empty, in any order; `.` and
    /// `..` are none. Gives the first error of `take`, which ends it.
    ///
    /// # Errors
    /// The system's, if the folder can't be read.
    pub(super) fn for_each_entry<E>(
        &mut self,
        path: &[u8],
        mut take: impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Errno> {
        // Before the stamp is read, as its proof demands.
        let now = Moment::now();
        let folder = open(path)?;
        let stamp = Stamp::of(&folder);
        let known = stamp.and_then(|stamp| self.recall(stamp, now));
        let mut noted = match known.map(|known| (&known.memory, &known.stamp)) {
            Some((Memory::Kept(listing), _)) => {
                return Ok(listing.for_each_entry(&folder, take));
            }
            Some((Memory::Seen, stamp)) if stamp.was_settled(now) => {
                Some(is_believable(&folder).then(|| Listing::begin(now)))
            }
            _ => None,
        };
        #[cfg(test)]
        {
            self.listed += 1;
        }
        let taken = list(&folder, |entry| {
            if let Some(listing) = &mut noted {
                listing.take_if(|listing| !listing.add(entry));
            }
            take(entry)
        })?;
        if let (Some(listing), Ok(())) = (noted, &taken) {
            self.keep(listing);
        }
        Ok(taken)
    }

    /// What is known of a folder with this stamp, which is then the last; `None` if nothing was, but now is
    /// that it was seen.
    fn recall(&mut self, stamp: Stamp, now: Moment) -> Option<&Known> {
        let is_it = |known: &Known| known.stamp.folder() == stamp.folder();
        if let Some(at) = self.known.iter().position(is_it) {
            let known = self.known.remove(at);
            if known.is_believed(stamp, now) {
                self.known.push(known);
                return self.known.last();
            }
        }
        if self.known.len() == MAX_FOLDERS {
            self.known.remove(0);
        }
        let memory = Memory::Seen;
        self.known.push(Known { stamp, memory });
        None
    }

    /// Keeps a listing of the folder that was recalled last; or that none is to be kept.
    fn keep(&mut self, listing: Option<Listing>) {
        if let Some(known) = self.known.last_mut() {
            known.memory = match listing {
                Some(listing) => Memory::Kept(listing.sorted()),
                None => Memory::Not,
            };
        }
        // The last one fits.
        while self.known.iter().map(Known::bytes).sum::<usize>() > MAX_BYTES {
            self.known.remove(0);
        }
    }
}

impl Known {
    /// Whether what is known holds for a folder that has this stamp now.
    fn is_believed(&self, stamp: Stamp, now: Moment) -> bool {
        let is_in_line = match &self.memory {
            Memory::Kept(listing) => now.is_in_line_with(listing.begun),
            Memory::Seen | Memory::Not => true,
        };
        self.stamp == stamp && is_in_line
    }

    fn bytes(&self) -> usize {
        match &self.memory {
            Memory::Kept(listing) => listing.bytes(),
            Memory::Seen | Memory::Not => 0,
        }
    }
}

/// The entries of a folder.
struct Listing {
    /// One behind the other.
    names: Vec<u8>,
    rows: Vec<Row>,
    /// When it was begun.
    begun: Moment,
}

/// An entry: its name is so many bytes of `names`.
struct Row {
    start: u32,
    length: u8,
    kind: FileType,
}

impl Listing {
    fn begin(now: Moment) -> Listing {
        Listing {
            names: Vec::new(),
            rows: Vec::new(),
            begun: now,
        }
    }

    /// Adds an entry; `false` if it doesn't fit.
    fn add(&mut self, entry: &Entry<'_>) -> bool {
        let start = u32::try_from(self.names.len());
        let (Ok(start), Ok(length)) = (start, u8::try_from(entry.name.len())) else {
            return false;
        };
        self.names.extend_from_slice(entry.name);
        self.rows.push(Row {
            start,
            length,
            kind: entry.listed_kind(),
        });
        self.bytes() <= MAX_LISTING
    }

    fn bytes(&self) -> usize {
        self.names.len() + self.rows.len() * size_of::<Row>()
    }

    fn name(&self, row: &Row) -> &[u8] {
        &self.names[row.start as usize..][..usize::from(row.length)]
    }

    /// The same, sorted bytewise, so that what matches need not be, and in no more memory than it needs.
    fn sorted(mut self) -> Listing {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by(|a, b| self.name(a).cmp(self.name(b)));
        let mut names = Vec::with_capacity(self.names.len());
        for row in &mut rows {
            let start = names.len() as u32;
            names.extend_from_slice(self.name(row));
            row.start = start;
        }
        rows.shrink_to_fit();
        Listing {
            names,
            rows,
            begun: self.begun,
        }
    }

    fn for_each_entry<E>(
        &self,
        folder: &OwnedFd,
        mut take: impl FnMut(&Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let rows = self.rows.iter();
        rows.map(|row| Entry::new(self.name(row), row.kind, folder))
            .try_for_each(|entry| take(&entry))
    }
}

#[cfg(test)]
mod tests;
