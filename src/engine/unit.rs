//! `Unit`: a chunk as VMs run it, shared between them: verified, its tables searched once.

use super::functions::Spaces;
use super::registry::Registry;
use crate::chunk::{Chunk, Effect, Import, ImportKind};
use crate::format::{ChunkHash, LoadedChunk, chunk_hash};
use crate::jit::PlainFunction;
use crate::op::Op;
use crate::verify::{Shape, verify_chunk};
use crate::vm::ifs_of;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Stands for a name that no sub has.
const NO_SUB: u32 = u32::MAX;

/// A chunk that is ready to be run by VMs of its [`Engine`](super::Engine), on any thread.
pub struct Unit {
    space: String,
    name: String,
    /// How messages call the module that it is from.
    module: Option<Arc<str>>,
    chunk: Chunk,
    shape: Option<Shape>,
    /// By name index, the row of the first sub of that name.
    subs: Vec<u32>,
    /// What it calls of handlers, sorted by kind and number.
    handlers: Vec<HandlerImport>,
    /// The extension ops that are plain functions, sorted by kind and number.
    functions: Vec<((ImportKind, u16), PlainFunction)>,
    /// The name index of the global with the separators of words.
    ifs: Option<u16>,
    /// What VMs have compiled of it.
    #[cfg(feature = "jit")]
    native: crate::jit::SharedCode,
    /// The chunk's identity, once it was asked for; `None` within if it has none.
    hash: OnceLock<Option<ChunkHash>>,
}

/// A handler that a unit imports.
#[derive(Clone, Copy)]
pub(crate) struct HandlerImport {
    key: (ImportKind, u16),
    /// What the chunk declares of it.
    pub(crate) declared: Option<Effect>,
    /// Where it stands in the registry.
    pub(crate) place: Option<u32>,
}

/// A place where a unit can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The op.
    pub(crate) op: usize,
    /// Whether arguments go to the slots of the frame and not on its stack.
    pub(crate) args_in_slots: bool,
    /// How many arguments it takes, if that is known.
    pub(crate) argc: Option<u8>,
}

impl Entry {
    /// The code from the first op on.
    pub(crate) const OF_CODE: Entry = Entry {
        op: 0,
        args_in_slots: true,
        argc: None,
    };
}

impl Unit {
    pub(super) fn new(space: &str, name: &str, chunk: Chunk, registry: &Registry) -> Unit {
        let shape = verify_chunk(&chunk).ok();
        Unit::of_parts(
            space.to_owned(),
            name.to_owned(),
            None,
            chunk,
            shape,
            registry,
        )
    }

    pub(super) fn of_loaded(loaded: LoadedChunk, registry: &Registry) -> Unit {
        let hash = loaded
            .known_hash()
            .map_or_else(OnceLock::new, |hash| OnceLock::from(Some(hash)));
        let shape = loaded.shape().cloned();
        let (space, name) = (loaded.space().to_owned(), loaded.name().to_owned());
        let module = loaded.record().path().map(display_path);
        let chunk = loaded.into_chunk();
        Unit {
            hash,
            ..Unit::of_parts(space, name, module, chunk, shape, registry)
        }
    }

    fn of_parts(
        space: String,
        name: String,
        module: Option<Arc<str>>,
        chunk: Chunk,
        shape: Option<Shape>,
        registry: &Registry,
    ) -> Unit {
        let mut subs = Vec::new();
        if !chunk.sub_entries.is_empty() {
            subs.resize(chunk.names.len(), NO_SUB);
        }
        for (row, (name, _)) in chunk.sub_entries.iter().enumerate().rev() {
            if let Some(place) = subs.get_mut(usize::from(*name)) {
                *place = row as u32;
            }
        }
        let handlers = handler_imports(&chunk, registry);
        let functions = plain_functions(&chunk, registry);
        Unit {
            ifs: ifs_of(&chunk),
            hash: OnceLock::new(),
            space,
            name,
            module,
            chunk,
            shape,
            subs,
            handlers,
            functions,
            #[cfg(feature = "jit")]
            native: crate::jit::SharedCode::default(),
        }
    }

    /// What VMs have compiled of it.
    #[cfg(feature = "jit")]
    pub(crate) fn native(&self) -> &crate::jit::SharedCode {
        &self.native
    }

    /// The name space of the chunk; empty for the default one.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// The chunk's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file of the module that it is from, if it is from one.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The chunk.
    pub fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// What verification found out; `None` if the chunk is loose.
    pub fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// The identity of what the chunk means; `None` if it has none, as no file can hold it.
    pub fn hash(&self) -> Option<ChunkHash> {
        *self.hash.get_or_init(|| chunk_hash(&self.chunk).ok())
    }

    /// Whether stack heights are proved.
    pub fn is_strict(&self) -> bool {
        self.shape.is_some()
    }

    /// The op that the sub with this name index begins with.
    #[inline]
    pub(crate) fn sub(&self, name: u16) -> Option<usize> {
        let row = *self.subs.get(usize::from(name))?;
        let (_, op) = self.chunk.sub_entries.get(row as usize)?;
        Some(*op)
    }

    /// The handler that an op names.
    #[inline]
    pub(crate) fn handler(&self, kind: ImportKind, id: u16) -> Option<HandlerImport> {
        let found = self.handlers.binary_search_by_key(&(kind, id), |h| h.key);
        found.ok().map(|place| self.handlers[place])
    }

    /// The extension ops that are plain functions, sorted by kind and number.
    pub(crate) fn plain_functions(&self) -> &[((ImportKind, u16), PlainFunction)] {
        &self.functions
    }

    /// The plain function that an extension op is, if it is one.
    #[inline]
    pub(crate) fn plain_function(&self, op: &Op) -> Option<&PlainFunction> {
        let key = match op {
            Op::Extended(id, _) => (ImportKind::Extension, *id),
            Op::ExtendedWide(id, _) => (ImportKind::ExtensionWide, *id),
            _ => return None,
        };
        let functions = &self.functions;
        let found = functions.binary_search_by_key(&key, |(key, _)| *key);
        found.ok().map(|place| &functions[place].1)
    }

    pub(crate) fn ifs(&self) -> Option<u16> {
        self.ifs
    }

    /// The sub of this name.
    pub(crate) fn sub_named(&self, name: &str) -> Option<Entry> {
        let row = self.chunk.sub_entries.iter().position(|(index, _)| {
            let found = self.chunk.names.get(usize::from(*index));
            found.is_some_and(|found| found == name)
        })?;
        Some(Entry {
            op: self.chunk.sub_entries[row].1,
            args_in_slots: false,
            argc: self.shape.as_ref().map(|shape| shape.subs()[row].argc),
        })
    }

    /// Where the unit is called as the function of its name.
    pub(crate) fn entry(&self) -> Entry {
        self.sub_named(&self.name).unwrap_or(Entry::OF_CODE)
    }

    /// What the chunk declares of a function, or what holds without that.
    pub(crate) fn function_import(&self, name: &str) -> Import {
        let declared = self.chunk.imports.iter();
        let mut functions = declared.filter(|import| import.kind == ImportKind::Function);
        functions
            .find(|import| import.name == name)
            .cloned()
            .unwrap_or_else(|| Import::undeclared(ImportKind::Function, 0, name))
    }

    /// Where a function that this unit calls is looked up.
    pub(crate) fn function_space(&self, name: &str) -> Spaces {
        let declared = self.function_import(name).space;
        match declared.as_str() {
            "" => Spaces::own_and_default(&self.space),
            _ => Spaces::only(declared),
        }
    }

    /// How messages call it: its name, and the module that it is from.
    pub(crate) fn title(&self) -> String {
        let space = match self.space.as_str() {
            "" => String::new(),
            space => format!("{space}::"),
        };
        match &self.module {
            Some(module) => format!("`{space}{}` of {module}", self.name),
            None => format!("`{space}{}`", self.name),
        }
    }
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit")
            .field("space", &self.space)
            .field("name", &self.name)
            .field("ops", &self.chunk.ops.len())
            .finish_non_exhaustive()
    }
}

fn display_path(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

/// The extension ops of a chunk that are plain functions, sorted by kind and number.
fn plain_functions(chunk: &Chunk, registry: &Registry) -> Vec<((ImportKind, u16), PlainFunction)> {
    if registry.jit_extensions.is_empty() {
        return Vec::new();
    }
    let imports = chunk.import_table().into_iter();
    let functions = imports.filter_map(|import| {
        let function = registry.plain_function(&import)?;
        Some(((import.kind, import.id), function))
    });
    let mut functions: Vec<_> = functions.collect();
    functions.sort_by_key(|(key, _)| *key);
    functions
}

/// The handlers that a chunk imports, each with its place in the registry.
fn handler_imports(chunk: &Chunk, registry: &Registry) -> Vec<HandlerImport> {
    let declared: HashSet<_> = chunk.imports.iter().map(|i| (i.kind, i.id)).collect();
    let table = chunk.import_table();
    let handlers = table
        .iter()
        .filter(|import| import.kind != ImportKind::Function);
    handlers
        .map(|import| HandlerImport {
            key: (import.kind, import.id),
            declared: declared
                .contains(&(import.kind, import.id))
                .then_some(import.effect),
            place: registry.find(import.kind, &import.space, &import.name, import.id),
        })
        .collect()
}
