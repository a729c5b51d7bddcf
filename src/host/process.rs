//! What is said about processes at the [`Host`](super::Host)'s door.

/// An end of a pipe that a host has made. It is the host's own: nobody else reads or writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PipeEnd(pub i32);

/// What a new process gets beside what this one has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    /// What becomes its standard input; it is closed here.
    pub input: Option<PipeEnd>,
    /// What becomes its standard output; it is closed here.
    pub output: Option<PipeEnd>,
    /// Whether nobody waits for it: it ignores the keyboard's signals and reads nothing, unless standard
    /// input is redirected, and it is what `$!` then names.
    pub is_background: bool,
}

/// Which of two processes this is, now that there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The one that there was; the other one has this id.
    Parent(i32),
    /// The copy. It has to end by [`Host::exit`](super::Host::exit).
    Child,
}

/// What a signal is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalAction {
    /// What it does in programs that say nothing.
    Default,
    /// Nothing, also in commands that are started.
    Ignore,
    /// It is noted for [`Host::take_signals`](super::Host::take_signals).
    Catch,
}

/// How waiting for a background process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The process ended with this status; of all processes, that is 0.
    Ended(i32),
    /// There is no such process, or its status was taken before.
    Unknown,
    /// This signal, which is caught, came first.
    Interrupted(i32),
}
