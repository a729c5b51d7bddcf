//! Processes that nobody waits for at once: background commands and process substitutions.

use std::io;

use super::sys;

/// How many are remembered at a time, whether they run or have ended.
const MAX_JOBS: usize = 4096;

/// A process, and how it ended.
struct Job {
    pid: i32,
    status: Option<i32>,
}

/// The processes, the oldest first.
pub(super) struct Jobs {
    list: Vec<Job>,
    last: Option<i32>,
}

impl Jobs {
    pub(super) const fn new() -> Self {
        Jobs {
            list: Vec::new(),
            last: None,
        }
    }

    /// The one that was started last, `$!`.
    pub(super) fn last(&self) -> Option<i32> {
        self.last
    }

    /// Makes sure that one more can be remembered: takes the end of those that have ended, and forgets the
    /// oldest of them if there are too many.
    pub(super) fn make_room(&mut self) -> io::Result<()> {
        self.reap();
        if self.list.len() < MAX_JOBS {
            return Ok(());
        }
        match self.list.iter().position(|job| job.status.is_some()) {
            Some(oldest) => {
                self.list.remove(oldest);
                Ok(())
            }
            None => Err(io::Error::other(format!(
                "{MAX_JOBS} processes run in the background, more are not allowed"
            ))),
        }
    }

    /// Remembers a process.
    pub(super) fn add(&mut self, pid: i32) {
        self.list.push(Job { pid, status: None });
        self.last = Some(pid);
    }

    /// Takes the end of all that have ended, so that none stays a zombie.
    pub(super) fn reap(&mut self) {
        for job in self.list.iter_mut().filter(|job| job.status.is_none()) {
            match sys::wait(job.pid, false) {
                Ok(status) => job.status = status,
                // Somebody else has taken it.
                Err(_) => job.status = Some(super::super::STATUS_NOT_FOUND),
            }
        }
    }

    /// The status of a process, if it has ended: that is forgotten then. `None` if it runs, an error if it
    /// is unknown.
    pub(super) fn take(&mut self, pid: i32) -> Result<Option<i32>, ()> {
        self.reap();
        let place = self.list.iter().position(|job| job.pid == pid).ok_or(())?;
        let status = self.list[place].status;
        if status.is_some() {
            self.list.remove(place);
        }
        Ok(status)
    }

    /// Whether all have ended, which are forgotten then.
    pub(super) fn take_all(&mut self) -> bool {
        self.reap();
        let have_ended = self.list.iter().all(|job| job.status.is_some());
        if have_ended {
            self.list.clear();
        }
        have_ended
    }

    /// Forgets all, as they are not the children of this copy of the process.
    pub(super) fn leave_behind(&mut self) {
        self.list.clear();
    }
}
