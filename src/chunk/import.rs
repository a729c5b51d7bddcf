//! Imports: what a chunk calls that it doesn't define, and what those handlers may do.

use super::Chunk;
use crate::op::Op;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What kind of thing is imported. The numbers are those of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ImportKind {
    /// A handler that [`Op::CallBuiltin`] calls by number.
    Builtin = 0,
    /// A handler that [`Op::Extended`] calls by number.
    Extension = 1,
    /// A handler that [`Op::ExtendedWide`] calls by number.
    ExtensionWide = 2,
    /// A function that [`Op::Call`] calls by name, of another chunk or of the host.
    Function = 3,
}

impl ImportKind {
    /// What messages call it.
    pub fn title(self) -> &'static str {
        match self {
            ImportKind::Builtin => "builtin",
            ImportKind::Extension => "extension op",
            ImportKind::ExtensionWide => "wide extension op",
            ImportKind::Function => "function",
        }
    }
}

/// What a handler does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It takes as many values as the op's argument count (the second operand) and leaves `pushes`.
    Arguments {
        /// Values left.
        pushes: u8,
    },
    /// It takes `pops` values and leaves `pushes`, whatever the argument count.
    Fixed {
        /// Values taken.
        pops: u8,
        /// Values left.
        pushes: u8,
    },
    /// It does what it likes; a chunk that calls it is loose.
    Unknown,
}

/// What a handler may touch besides its arguments: a set of the constants here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Touches(u8);

impl Touches {
    /// Nothing but its arguments.
    pub const ARGUMENTS: Touches = Touches(0);
    /// Global variables.
    pub const GLOBALS: Touches = Touches(1);
    /// Slots of the frame that calls it.
    pub const SLOTS: Touches = Touches(2);
    /// Frames and the instruction pointer; a chunk that calls it is loose.
    pub const FRAMES: Touches = Touches(4);
    /// All of it.
    pub const EVERYTHING: Touches = Touches(7);

    /// The set as the file format writes it.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits; `None` if there is an unknown one.
    pub fn from_bits(bits: u8) -> Option<Touches> {
        (bits <= Touches::EVERYTHING.0).then_some(Touches(bits))
    }

    /// Whether all of `other` is in the set.
    pub fn contains(self, other: Touches) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Touches {
    type Output = Touches;

    fn bitor(self, other: Touches) -> Touches {
        Touches(self.0 | other.0)
    }
}

/// One row of a chunk's import table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Import {
    /// What it is.
    pub kind: ImportKind,
    /// The number that the op names it by; 0 for a function.
    pub id: u16,
    /// The name space in which the host looks it up; empty for the default one.
    pub space: String,
    /// Its name; for builtins and extension ops it may be empty, for functions it is what the
    /// [`Op::Call`] names.
    pub name: String,
    /// What it does to the stack.
    pub effect: Effect,
    /// What it may touch.
    pub touches: Touches,
}

impl Import {
    /// What holds for a builtin, extension op or function that a chunk calls and doesn't declare,
    /// as chunks of the 0.9 line do.
    ///
    /// Builtins and functions take their arguments and leave one value; an extension op's effect is
    /// unknown. Handlers may touch globals and slots, functions globals.
    pub fn undeclared(kind: ImportKind, id: u16, name: &str) -> Import {
        let (effect, touches) = match kind {
            ImportKind::Builtin => (
                Effect::Arguments { pushes: 1 },
                Touches::GLOBALS | Touches::SLOTS,
            ),
            ImportKind::Extension | ImportKind::ExtensionWide => {
                (Effect::Unknown, Touches::EVERYTHING)
            }
            ImportKind::Function => (Effect::Arguments { pushes: 1 }, Touches::GLOBALS),
        };
        Import {
            kind,
            id,
            space: String::new(),
            name: name.to_owned(),
            effect,
            touches,
        }
    }

    /// What an op names it by: handlers by number alone, functions by name.
    pub fn called_as(&self) -> (ImportKind, u16, &str) {
        match self.kind {
            ImportKind::Function => (self.kind, 0, &self.name),
            _ => (self.kind, self.id, ""),
        }
    }

    /// What the import table is sorted by, and no two rows share.
    pub fn key(&self) -> (ImportKind, u16, &str) {
        (self.kind, self.id, &self.name)
    }
}

impl Chunk {
    /// The chunk's import table in full: what it declares, and the defaults for what it calls without
    /// declaring, sorted by kind, number and name.
    ///
    /// Of two declarations of the same thing the first counts.
    pub fn import_table(&self) -> Vec<Import> {
        let mut table: BTreeMap<(ImportKind, u16, &str), Import> = BTreeMap::new();
        for import in &self.imports {
            table
                .entry(import.called_as())
                .or_insert_with(|| import.clone());
        }
        for (kind, id) in self.called_imports() {
            let (id, name) = match kind {
                ImportKind::Function => (0, self.names[usize::from(id)].as_str()),
                _ => (id, ""),
            };
            table
                .entry((kind, id, name))
                .or_insert_with(|| Import::undeclared(kind, id, name));
        }
        table.into_values().collect()
    }

    /// What the code calls from outside of the chunk, each once: the kind, and the number or the
    /// index of the function's name, which the name table has.
    pub fn called_imports(&self) -> BTreeSet<(ImportKind, u16)> {
        let subs = self.sub_entries.iter().map(|(name, _)| *name);
        called_imports(&self.ops, self.names.len(), subs)
    }

    /// What the op calls from outside of the chunk: the kind, and the number or the name.
    pub fn imported_by(&self, op: &Op) -> Option<(ImportKind, u16, &str)> {
        match *op {
            Op::CallBuiltin(id, _) => Some((ImportKind::Builtin, id, "")),
            Op::Extended(id, _) => Some((ImportKind::Extension, id, "")),
            Op::ExtendedWide(id, _) => Some((ImportKind::ExtensionWide, id, "")),
            Op::Call(name, _) if self.find_sub(name).is_none() => {
                let name = self.names.get(usize::from(name))?;
                Some((ImportKind::Function, 0, name))
            }
            _ => None,
        }
    }
}

/// What the ops call from outside of a chunk with this many names and subs of these ones, as
/// [`Chunk::called_imports`] gives it.
pub(crate) fn called_imports(
    ops: &[Op],
    names: usize,
    subs: impl Iterator<Item = u16>,
) -> BTreeSet<(ImportKind, u16)> {
    let subs: HashSet<u16> = subs.collect();
    let called = ops.iter().filter_map(|op| match *op {
        Op::CallBuiltin(id, _) => Some((ImportKind::Builtin, id)),
        Op::Extended(id, _) => Some((ImportKind::Extension, id)),
        Op::ExtendedWide(id, _) => Some((ImportKind::ExtensionWide, id)),
        Op::Call(name, _) if usize::from(name) < names && !subs.contains(&name) => {
            Some((ImportKind::Function, name))
        }
        _ => None,
    });
    called.collect()
}
