//! The functions that an engine knows: defined one by one, or chunks of modules.

use super::registry::Function;
use super::{Failure, Unit};
use crate::chunk::{Import, ImportKind};
use crate::code::Code;
use crate::format::{LoadError, LoadedChunk, Module};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// How many modules a message lists.
const LISTED: usize = 4;

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Found {
    /// A chunk's code.
    Unit(Arc<Unit>),
    /// A function of the host.
    Host(Arc<Function>),
}

/// The name spaces in which a function is looked up, one after the other.
pub(crate) struct Spaces {
    first: Option<String>,
    last: String,
}

impl Spaces {
    pub(super) fn only(space: String) -> Spaces {
        Spaces {
            first: None,
            last: space,
        }
    }

    /// The space of the caller, then the default one.
    pub(super) fn own_and_default(own: &str) -> Spaces {
        Spaces {
            first: (!own.is_empty()).then(|| own.to_owned()),
            last: String::new(),
        }
    }

    pub(super) fn last(&self) -> &str {
        &self.last
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.first.as_deref().into_iter().chain([self.last()])
    }
}

/// Why a function can't be called.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// Nobody has it.
    Unknown(String),
    /// It is in a module, and can't be loaded.
    Load(LoadError),
    /// The compiler failed.
    Compile(Failure),
}

impl LinkError {
    /// The row of the error table.
    pub(crate) fn code(&self) -> Code {
        match self {
            LinkError::Unknown(_) => Code::UnknownSub,
            LinkError::Load(error) => error.code(),
            LinkError::Compile(_) => Code::HandlerFailed,
        }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Unknown(message) => f.write_str(message),
            LinkError::Load(error) => write!(f, "the function can't be loaded: {error}"),
            LinkError::Compile(failure) => write!(f, "compiling failed: {failure}"),
        }
    }
}

/// Something that code imports and nobody provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The row of the code's import table.
    pub import: Import,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Import {
            kind,
            id,
            space,
            name,
            ..
        } = &self.import;
        let kind = kind.title();
        let space = match space.as_str() {
            "" => String::new(),
            space => format!("{space}::"),
        };
        match (self.import.kind, name.as_str()) {
            (ImportKind::Function, name) | (_, name) if !name.is_empty() => {
                write!(f, "{kind} `{space}{name}`")
            }
            _ => write!(f, "{kind} {space}{id}"),
        }
    }
}

type Key = (String, String);

/// What is defined, and the modules, the newest last.
#[derive(Default)]
pub(super) struct Functions {
    defined: HashMap<Key, Found>,
    modules: Vec<Module>,
    /// Units of the modules' chunks, as far as they were called.
    loaded: HashMap<Key, Arc<Unit>>,
    /// Grows when other modules, or definitions, are there.
    changes: u64,
}

fn key(space: &str, name: &str) -> Key {
    (space.to_owned(), name.to_owned())
}

impl Functions {
    pub(super) fn load(&mut self, module: Module) {
        self.modules.push(module);
        self.loaded.clear();
        self.changes += 1;
    }

    pub(super) fn define(&mut self, space: &str, name: &str, found: Found) {
        self.defined.insert(key(space, name), found);
        self.changes += 1;
    }

    pub(super) fn undefine(&mut self, space: &str, name: &str) -> bool {
        self.changes += 1;
        self.defined.remove(&key(space, name)).is_some()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The function, if it is at hand.
    pub(super) fn at_hand(&self, space: &str, name: &str) -> Option<Found> {
        let key = key(space, name);
        let defined = self.defined.get(&key).cloned();
        defined.or_else(|| self.loaded.get(&key).cloned().map(Found::Unit))
    }

    /// The chunk of a module.
    pub(super) fn load_chunk(
        &self,
        space: &str,
        name: &str,
    ) -> Result<Option<LoadedChunk>, LoadError> {
        for module in self.modules.iter().rev() {
            if let Some(chunk) = module.find(space, name)? {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Keeps a unit that was loaded, unless one is at hand meanwhile. What was found in the state
    /// after `changes` changes is good for one call, but isn't kept if there were more.
    pub(super) fn keep(&mut self, changes: u64, unit: Arc<Unit>) -> Arc<Unit> {
        if self.changes != changes {
            return unit;
        }
        let key = key(unit.space(), unit.name());
        Arc::clone(self.loaded.entry(key).or_insert(unit))
    }

    /// The error of a call of a function that nobody has; it names both sides.
    pub(super) fn unknown(&self, caller: &Unit, name: &str) -> LinkError {
        let modules: Vec<String> = self
            .modules
            .iter()
            .rev()
            .take(LISTED)
            .map(|module| match module.path() {
                Some(path) => path.display().to_string(),
                None => "a module in memory".to_owned(),
            })
            .collect();
        let more = match self.modules.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let provider = match modules.is_empty() {
            true => "the host, which has no module loaded, doesn't define it".to_owned(),
            false => format!(
                "neither the host nor {}{more} defines it",
                modules.join(", ")
            ),
        };
        let caller = caller.title();
        LinkError::Unknown(format!(
            "undefined function: {name}: {caller} calls it, and {provider}"
        ))
    }

    /// What the code imports and nobody provides. Looks at the modules' indices, loads nothing.
    pub(super) fn missing(&self, unit: &Unit) -> Vec<Missing> {
        let is_there = |import: &Import| match import.kind {
            ImportKind::Function => {
                let spaces = unit.function_space(&import.name);
                spaces.iter().any(|space| {
                    let record =
                        |module: &Module| matches!(module.record(space, &import.name), Ok(Some(_)));
                    self.at_hand(space, &import.name).is_some() || self.modules.iter().any(record)
                })
            }
            kind => unit
                .handler(kind, import.id)
                .is_none_or(|handler| handler.place.is_some() || handler.declared.is_none()),
        };
        let table = unit.chunk().import_table();
        let missing = table.into_iter().filter(|import| !is_there(import));
        missing.map(|import| Missing { import }).collect()
    }
}
