//! What the names of commands were found to stand for, so that each is looked up once.
//!
//! It knows names alone: what runs a builtin is asked for each time, as handlers come and go.

use crate::value::Str;
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};

/// How many names are remembered at a time.
const MAX_KNOWN: usize = 1024;

/// What a command's name stands for where no function of the engine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandKind {
    /// The sub of the running chunk that begins at this op.
    Sub(usize),
    /// What is registered under this number; a command of the host if nothing is.
    Builtin(u16),
    /// A command of the host.
    Outside,
}

/// The longest name that is remembered, in bytes.
const LONGEST_KNOWN: usize = 256;

/// How many of them are found by the very string that they were last asked for with.
const RECENT: usize = 8;

/// The names that were looked up in one chunk.
#[derive(Default)]
pub(super) struct CommandTable {
    known: HashMap<Str, CommandKind, RandomState>,
    /// Most names are constants: the same string again and again. Each is held, so that no other can
    /// come to lie in its place.
    recent: [Option<(Str, CommandKind)>; RECENT],
    /// Where parts of the code begin whose commands were looked up ahead.
    ahead: HashSet<usize, RandomState>,
}

impl CommandTable {
    #[inline]
    pub(super) fn get(&mut self, name: &Str) -> Option<CommandKind> {
        match &self.recent[place_of(name)] {
            Some((recent, kind)) if Str::ptr_eq(recent, name) => Some(*kind),
            _ => self.find(name),
        }
    }

    fn find(&mut self, name: &Str) -> Option<CommandKind> {
        let kind = *self.known.get(name.as_bytes())?;
        self.recent[place_of(name)] = Some((name.clone(), kind));
        Some(kind)
    }

    /// Notes that the commands of the part of the code that begins at this op are looked up; `false` if
    /// they were before.
    pub(super) fn note_part(&mut self, start: usize) -> bool {
        if self.ahead.len() >= MAX_KNOWN {
            self.ahead.clear();
        }
        self.ahead.insert(start)
    }

    pub(super) fn insert(&mut self, name: &Str, kind: CommandKind) {
        if name.len() > LONGEST_KNOWN {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.clear();
        }
        self.known.insert(name.clone(), kind);
        self.recent[place_of(name)] = Some((name.clone(), kind));
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.recent = Default::default();
        self.ahead.clear();
    }
}

/// Where the name is remembered as a recent one.
#[inline]
fn place_of(name: &Str) -> usize {
    // Strings lie 16 bytes apart at least, mostly more.
    (name.as_bytes().as_ptr().addr() >> 5) % RECENT
}
