//! Where the system tells too little of a folder to prove that it is unchanged: no listing is believed.

use std::convert::Infallible;
use std::os::fd::OwnedFd;

/// The stamp that no folder has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(Infallible);

impl Stamp {
    /// None.
    pub(super) fn of(_: &OwnedFd) -> Option<Stamp> {
        None
    }

    /// Of no folder.
    pub(super) fn folder(&self) -> Infallible {
        self.0
    }

    /// Never.
    pub(super) fn was_settled(&self, _: Moment) -> bool {
        match self.0 {}
    }
}

/// No.
pub(super) fn is_believable(_: &OwnedFd) -> bool {
    false
}

/// A moment that nobody asks for.
#[derive(Clone, Copy)]
pub(super) struct Moment;

impl Moment {
    /// The present one.
    pub(super) fn now() -> Moment {
        Moment
    }

    /// No.
    pub(super) fn is_in_line_with(self, _: Moment) -> bool {
        false
    }
}
