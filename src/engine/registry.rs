//! Handlers: by name space and number, or by name space and name.
//!
//! A registry doesn't change once its engine is built, so a place in it can be kept, and reading needs
//! no lock.

use super::Failure;
use crate::chunk::{Effect, Import, ImportKind};
use crate::jit::{JitExtension, PlainFunction};
use crate::value::Value;
use crate::vm::VM;
use std::collections::HashMap;

/// What runs [`Op::CallBuiltin`](crate::Op::CallBuiltin): it gets the number of arguments, which are on
/// top of the stack, and gives the result. Arguments that it leaves are dropped.
pub type Builtin = dyn Fn(&mut VM, u8) -> Result<Value, Failure> + Send + Sync;

/// What runs one [`Op::Extended`](crate::Op::Extended): it gets the op's argument.
pub type Extension = dyn Fn(&mut VM, u8) -> Result<(), Failure> + Send + Sync;

/// What runs one [`Op::ExtendedWide`](crate::Op::ExtendedWide): it gets the op's payload.
pub type ExtensionWide = dyn Fn(&mut VM, usize) -> Result<(), Failure> + Send + Sync;

/// A function of the host, which [`Op::Call`](crate::Op::Call) calls by name, as a [`Builtin`].
pub type Function = dyn Fn(&mut VM, u8) -> Result<Value, Failure> + Send + Sync;

/// What a handler is registered under, within its name space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The name that an import declares.
    Name(&'a str),
    /// The number that ops use, for imports without a name.
    Id(u16),
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Key<'a> {
        Key::Name(name)
    }
}

impl From<u16> for Key<'_> {
    fn from(id: u16) -> Self {
        Key::Id(id)
    }
}

/// The handlers of one kind, and the places where they stand.
pub(crate) struct Handlers<T: ?Sized> {
    list: Vec<Box<T>>,
    by_id: HashMap<(String, u16), u32>,
    by_name: HashMap<(String, String), u32>,
}

impl<T: ?Sized> Default for Handlers<T> {
    fn default() -> Self {
        Handlers {
            list: Vec::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<T: ?Sized> Handlers<T> {
    /// Adds a handler; one that was there under the same key is never found again.
    pub(super) fn add(&mut self, space: &str, key: Key<'_>, handler: Box<T>) {
        let place = self.list.len() as u32;
        self.list.push(handler);
        match key {
            Key::Name(name) => self
                .by_name
                .insert((space.to_owned(), name.to_owned()), place),
            Key::Id(id) => self.by_id.insert((space.to_owned(), id), place),
        };
    }

    /// The place of the handler with this name, or if there is none, with this number.
    fn find(&self, space: &str, name: &str, id: u16) -> Option<u32> {
        if !name.is_empty() {
            let key = (space.to_owned(), name.to_owned());
            if let Some(place) = self.by_name.get(&key) {
                return Some(*place);
            }
        }
        self.by_id.get(&(space.to_owned(), id)).copied()
    }

    /// The handler at a place that was found.
    #[inline]
    pub(crate) fn at(&self, place: u32) -> &T {
        &self.list[place as usize]
    }
}

/// All handlers of an engine.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) builtins: Handlers<Builtin>,
    pub(crate) extensions: Handlers<Extension>,
    pub(crate) wide: Handlers<ExtensionWide>,
    /// What frontends say of the extension ops of a name space, the last one first.
    pub(super) jit_extensions: Vec<(String, Box<dyn JitExtension>)>,
}

impl Registry {
    /// The plain function that an imported extension op is, if it takes and gives as many values as the
    /// import declares.
    pub(super) fn plain_function(&self, import: &Import) -> Option<PlainFunction> {
        if !matches!(
            import.kind,
            ImportKind::Extension | ImportKind::ExtensionWide
        ) {
            return None;
        }
        let of_space = self.jit_extensions.iter();
        let mut of_space = of_space.filter(|(space, _)| *space == import.space);
        let function = of_space.find_map(|(_, extension)| extension.function(import.id))?;
        let pops = function.parameters().len() as u32;
        let fits = match import.effect {
            Effect::Fixed {
                pops: declared,
                pushes,
            } => u32::from(declared) == pops && u32::from(pushes) == 1,
            Effect::Arguments { .. } => false,
            Effect::Unknown => true,
        };
        fits.then_some(function)
    }

    /// The place of an import's handler among those of its kind.
    pub(super) fn find(&self, kind: ImportKind, space: &str, name: &str, id: u16) -> Option<u32> {
        match kind {
            ImportKind::Builtin => self.builtins.find(space, name, id),
            ImportKind::Extension => self.extensions.find(space, name, id),
            ImportKind::ExtensionWide => self.wide.find(space, name, id),
            ImportKind::Function => None,
        }
    }
}
