//! What a VM knows of the chunks that it runs beside its own: units, links to functions, and symbols.
//!
//! Each unit that a VM has called has a place here, with the targets of its calls and the globals that
//! its names stand for. The running one is taken out of its place, so that a call between chunks moves
//! a pointer. All links are good as long as the engine's version stays what it was; finding that out
//! is one load.

use super::VM;
use super::commands::{CommandKind, CommandTable};
use crate::chunk::Chunk;
use crate::engine::{CompileRequest, Engine, Entry, Found, Function, LinkError, Registry, Unit};
use crate::value::{Str, Value};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A name that has no global yet.
const UNBOUND: u32 = u32::MAX;

/// The place of the unit that the VM was made for.
const FIRST: u32 = 0;

/// A VM's part in linking. Without an engine it has nothing to do.
#[derive(Default)]
pub(super) struct Linkage {
    engine: Option<Engine>,
    /// The unit that runs; `None` for the VM's own chunk.
    pub(super) running: Option<Box<LinkedUnit>>,
    /// The others, each at its place.
    places: Vec<Option<Box<LinkedUnit>>>,
    /// The place of each unit but the first, by its address.
    known: HashMap<usize, u32, RandomState>,
    /// Places without a unit.
    free: Vec<u32>,
    /// The calls between chunks that are active.
    pub(super) returns: Vec<LinkReturn>,
    /// The engine's version that the links are of.
    version: u64,
    /// The globals by name; made when a second unit needs one.
    symbols: HashMap<Box<str>, u32, RandomState>,
    /// The global behind all that have a symbol: the list may be shorter, as a handler may cut it.
    next_symbol: usize,
}

/// A unit as one VM runs it.
pub(super) struct LinkedUnit {
    pub(super) unit: Arc<Unit>,
    place: u32,
    /// By name index, the global; `None` in the first unit, whose names are its globals.
    globals: Option<Box<[u32]>>,
    /// By name index, what a call of the name reaches.
    links: Vec<Option<Link>>,
    /// What commands of the unit are.
    commands: CommandTable,
    /// Whether it was compiled for one run, and goes with it.
    is_temporary: bool,
}

/// A call between chunks that is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkReturn {
    /// The index of the call's frame.
    pub(super) frame: usize,
    /// The place of the caller's unit.
    caller: u32,
    pub(super) wants: Wants,
}

/// How many values a caller expects of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// What the function gives.
    Any,
    /// None: its value is dropped.
    Nothing,
    /// One: Undef if it gives none.
    Value,
}

/// What a call reaches.
#[derive(Clone)]
pub(super) struct Link {
    target: LinkTarget,
    pub(super) wants: Wants,
}

#[derive(Clone)]
enum LinkTarget {
    Code(CodeLink),
    /// The handler is taken out while it runs, as sharing it would have all threads count it.
    Host(Option<Arc<Function>>),
}

/// Code that a call reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeLink {
    pub(super) entry: Entry,
    /// The place of its unit.
    pub(super) place: u32,
}

/// What the interpreter does for a call.
pub(super) enum Callee {
    Code(CodeLink, Wants),
    Host(Arc<Function>, Wants),
}

impl Linkage {
    pub(super) fn of_unit(engine: Engine, unit: Arc<Unit>) -> Linkage {
        Linkage {
            version: engine.version(),
            engine: Some(engine),
            running: Some(Box::new(LinkedUnit {
                unit,
                place: FIRST,
                globals: None,
                links: Vec::new(),
                commands: CommandTable::default(),
                is_temporary: false,
            })),
            ..Linkage::default()
        }
    }

    pub(super) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// The engine's handlers, to be held while one of them runs.
    pub(super) fn registry(&self) -> Option<Arc<Registry>> {
        self.engine
            .as_ref()
            .map(|engine| Arc::clone(engine.registry()))
    }

    /// The unit that runs, if it isn't the VM's own chunk.
    #[inline(always)]
    pub(super) fn unit(&self) -> Option<&Arc<Unit>> {
        self.running.as_ref().map(|running| &running.unit)
    }

    /// What a call of this name from the running unit reaches, if that is known and still holds.
    #[inline]
    pub(super) fn callee(&mut self, name: u16) -> Option<Callee> {
        if self.engine.as_ref()?.version() != self.version {
            return None;
        }
        self.kept(name)
    }

    /// As [`callee`](Self::callee), of code that the unit at `place` calls.
    pub(super) fn known_code(&self, place: u32, name: u16) -> Option<(CodeLink, Wants)> {
        if self.engine.as_ref()?.version() != self.version {
            return None;
        }
        let links = &self.linked_at(place)?.links;
        let link = links.get(usize::from(name))?.as_ref()?;
        match link.target {
            LinkTarget::Code(code) => Some((code, link.wants)),
            LinkTarget::Host(_) => None,
        }
    }

    /// What is kept for calls of this name.
    #[inline]
    fn kept(&mut self, name: u16) -> Option<Callee> {
        let link = self.running.as_mut()?.links.get_mut(usize::from(name))?;
        let link = link.as_mut()?;
        match &mut link.target {
            LinkTarget::Code(code) => Some(Callee::Code(*code, link.wants)),
            LinkTarget::Host(function) => Some(Callee::Host(function.take()?, link.wants)),
        }
    }

    /// Gives a host's function back behind its call.
    pub(super) fn give_back(&mut self, name: u16, function: Arc<Function>) {
        let links = self.running.as_mut().map(|running| &mut running.links);
        let link = links.and_then(|links| links.get_mut(usize::from(name))?.as_mut());
        if let Some(Link {
            target: LinkTarget::Host(place @ None),
            ..
        }) = link
        {
            *place = Some(function);
        }
    }

    /// Finds out what a call of this name from the running unit reaches, and keeps it; `None` without
    /// an engine.
    ///
    /// # Errors
    /// When there is no such function, or it can't be loaded.
    #[cold]
    pub(super) fn resolve(&mut self, name: u16) -> Result<Option<Callee>, LinkError> {
        self.follow_version();
        let (Some(engine), Some(running)) = (&self.engine, &self.running) else {
            return Ok(None);
        };
        let Some(text) = running.unit.chunk().names.get(usize::from(name)) else {
            return Ok(None);
        };
        let wants = Wants::of(&running.unit, text);
        let found = engine.find(&running.unit, text)?;
        let target = match found {
            Found::Host(function) => LinkTarget::Host(Some(function)),
            Found::Unit(unit) => LinkTarget::Code(self.code_link(unit)),
        };
        self.keep(name, Link { target, wants });
        // Should names mean something else meanwhile, then from the next call on.
        Ok(self.kept(name))
    }

    /// Finds out what the running unit reaches by this name; `None` without an engine.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub(super) fn resolve_named(&mut self, name: &str) -> Result<Option<Callee>, LinkError> {
        self.follow_version();
        let (Some(engine), Some(running)) = (&self.engine, &self.running) else {
            return Ok(None);
        };
        Ok(Some(match engine.find(&running.unit, name)? {
            Found::Host(function) => Callee::Host(function, Wants::Any),
            Found::Unit(unit) => Callee::Code(self.code_link(unit), Wants::Any),
        }))
    }

    /// As [`resolve_named`](Self::resolve_named), of what is there without asking the compiler.
    pub(super) fn resolve_present(&mut self, name: &str) -> Result<Option<Callee>, LinkError> {
        self.follow_version();
        let (Some(engine), Some(running)) = (&self.engine, &self.running) else {
            return Ok(None);
        };
        let found = engine.find_present(&running.unit, name)?;
        Ok(found.map(|found| match found {
            Found::Host(function) => Callee::Host(function, Wants::Any),
            Found::Unit(unit) => Callee::Code(self.code_link(unit), Wants::Any),
        }))
    }

    /// What a command of this name in the running unit was found to be, if that still holds.
    #[inline]
    pub(super) fn known_command(&mut self, name: &Str) -> Option<CommandKind> {
        self.follow_version();
        self.running.as_mut()?.commands.get(name)
    }

    /// Remembers what a command of this name in the running unit is, as no function has the name.
    pub(super) fn note_command(&mut self, name: &Str, kind: CommandKind) {
        if let Some(running) = &mut self.running {
            running.commands.insert(name, kind);
        }
    }

    /// Whether the commands of the part of the running unit that begins at this op are still to be looked
    /// up; from now on they aren't.
    pub(super) fn begins_part(&mut self, start: usize) -> bool {
        self.follow_version();
        let running = self.running.as_mut();
        running.is_some_and(|running| running.commands.note_part(start))
    }

    /// Has the engine's compiler make a unit; `None` without one.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn compile(
        &mut self,
        request: CompileRequest<'_>,
    ) -> Result<Option<CodeLink>, LinkError> {
        self.follow_version();
        let Some(engine) = &self.engine else {
            return Ok(None);
        };
        let CompileRequest::Text { source, .. } = request else {
            return Ok(None);
        };
        let Some(chunk) = engine.compile(request)? else {
            return Ok(None);
        };
        let unit = engine.unit(source, chunk);
        let code = self.code_link(unit);
        if let Some(Some(linked)) = self.places.get_mut(code.place as usize) {
            linked.is_temporary = true;
        }
        let entry = Entry::OF_CODE;
        Ok(Some(CodeLink { entry, ..code }))
    }

    fn code_link(&mut self, unit: Arc<Unit>) -> CodeLink {
        CodeLink {
            entry: unit.entry(),
            place: self.place_of(unit),
        }
    }

    /// What messages call the running unit and the one that a link leads to.
    pub(super) fn titles(&self, code: CodeLink) -> Option<(String, String)> {
        let function = self.unit_at(code.place)?;
        Some((self.unit()?.title(), function.title()))
    }

    fn keep(&mut self, name: u16, link: Link) {
        if let Some(running) = &mut self.running {
            let place = usize::from(name);
            if place >= running.links.len() {
                let names = running.unit.chunk().names.len();
                running.links.resize(names.max(place + 1), None);
            }
            running.links[place] = Some(link);
        }
    }

    /// If names may mean other functions than before, forgets all links and the units that no active
    /// call is in.
    #[inline]
    fn follow_version(&mut self) {
        let version = self.engine.as_ref().map(Engine::version);
        if version.is_some_and(|version| version != self.version) {
            self.forget_links();
        }
    }

    #[cold]
    fn forget_links(&mut self) {
        let Some(engine) = &self.engine else { return };
        self.version = engine.version();
        let running = self.running.as_ref().map(|running| running.place);
        let returns = &self.returns;
        let is_active =
            |place: u32| running == Some(place) || returns.iter().any(|call| call.caller == place);
        let (places, free) = (&mut self.places, &mut self.free);
        self.known.retain(|_, place| {
            let stays = is_active(*place);
            if !stays {
                places[*place as usize] = None;
                free.push(*place);
            }
            stays
        });
        let others = self.places.iter_mut().flatten();
        for unit in others.chain(&mut self.running) {
            unit.links.clear();
            unit.commands.clear();
        }
    }

    /// The place of a unit, which gets one if it has none.
    fn place_of(&mut self, unit: Arc<Unit>) -> u32 {
        if self.first().is_some_and(|first| Arc::ptr_eq(first, &unit)) {
            return FIRST;
        }
        let address = Arc::as_ptr(&unit).addr();
        if let Some(place) = self.known.get(&address) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            let place = self.places.len().max(FIRST as usize + 1);
            self.places.resize_with(place + 1, || None);
            place as u32
        });
        let globals = vec![UNBOUND; unit.chunk().names.len()].into_boxed_slice();
        self.places[place as usize] = Some(Box::new(LinkedUnit {
            unit,
            place,
            globals: Some(globals),
            links: Vec::new(),
            commands: CommandTable::default(),
            is_temporary: false,
        }));
        self.known.insert(address, place);
        place
    }

    /// The engine's version that the links are of.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The place of the unit that runs.
    pub(super) fn running_place(&self) -> u32 {
        self.running.as_ref().map_or(FIRST, |running| running.place)
    }

    /// Makes the unit at a place the running one. Gives the place of the one before.
    #[inline]
    pub(super) fn switch_to(&mut self, place: u32) -> u32 {
        let Some(before) = self.running.as_ref().map(|running| running.place) else {
            return FIRST;
        };
        if before == place {
            return before;
        }
        let next = self.places.get_mut(place as usize).and_then(Option::take);
        if let Some(next) = next {
            self.places[before as usize] = self.running.replace(next);
        }
        before
    }

    /// Notes that the frame at `frame` is that of a call into the chunk at `place`, and goes there.
    #[inline]
    pub(super) fn enter(&mut self, place: u32, frame: usize, wants: Wants) {
        let caller = self.switch_to(place);
        self.returns.push(LinkReturn {
            frame,
            caller,
            wants,
        });
    }

    /// Goes back to the callers of all frames that are gone. Gives what the outermost of them expects.
    #[inline]
    pub(super) fn leave(&mut self, frames: usize) -> Wants {
        let mut wants = Wants::Any;
        while let Some(call) = self.returns.pop_if(|call| call.frame >= frames) {
            let is_temporary = self.running.as_ref().is_some_and(|unit| unit.is_temporary);
            let left = self.switch_to(call.caller);
            if is_temporary {
                self.forget(left);
            }
            wants = call.wants;
        }
        wants
    }

    /// Drops the unit at a place, which nothing leads to any more.
    #[cold]
    fn forget(&mut self, place: u32) {
        if let Some(unit) = self.places.get_mut(place as usize).and_then(Option::take) {
            self.known.remove(&Arc::as_ptr(&unit.unit).addr());
            self.free.push(place);
        }
    }

    /// Goes back to the unit that the VM was made for, whatever is active.
    pub(super) fn reset(&mut self) {
        self.returns.clear();
        self.switch_to(FIRST);
    }

    /// The global of a name of the running unit, if it has one of its own.
    #[inline(always)]
    pub(super) fn global(&self, name: u16) -> Option<usize> {
        let globals = self.running.as_ref()?.globals.as_deref()?;
        Some(
            globals
                .get(usize::from(name))
                .map_or(usize::MAX, |global| *global as usize),
        )
    }

    /// The unit that the VM was made for.
    fn first(&self) -> Option<&Arc<Unit>> {
        self.unit_at(FIRST)
    }

    /// The calls between units that are active, the innermost first: the index of the call's frame, and
    /// the unit of its caller.
    pub(super) fn callers(&self) -> impl Iterator<Item = (usize, &Arc<Unit>)> {
        let calls = self.returns.iter().rev();
        calls.filter_map(|call| Some((call.frame, self.unit_at(call.caller)?)))
    }

    /// The unit at a place.
    pub(super) fn unit_at(&self, place: u32) -> Option<&Arc<Unit>> {
        Some(&self.linked_at(place)?.unit)
    }

    fn linked_at(&self, place: u32) -> Option<&LinkedUnit> {
        match &self.running {
            Some(running) if running.place == place => Some(running),
            _ => self.places.get(place as usize)?.as_deref(),
        }
    }
}

impl Wants {
    /// What a unit's import of a function says.
    fn of(unit: &Unit, name: &str) -> Wants {
        use crate::chunk::Effect;
        match unit.function_import(name).effect {
            Effect::Arguments { pushes: 0 } | Effect::Fixed { pushes: 0, .. } => Wants::Nothing,
            Effect::Arguments { .. } | Effect::Fixed { .. } => Wants::Value,
            Effect::Unknown => Wants::Any,
        }
    }
}

impl VM {
    /// The index of the global that a name of the running chunk stands for.
    #[inline(always)]
    pub(super) fn global_place(&mut self, name: u16) -> usize {
        match self.link.global(name) {
            None => usize::from(name),
            Some(global) if global < UNBOUND as usize => global,
            Some(_) => self.bind(name),
        }
    }

    /// Finds the global that a name of the running unit stands for. A name that isn't there has one by
    /// its index.
    #[cold]
    fn bind(&mut self, name: u16) -> usize {
        let text = self.running().names.get(usize::from(name)).cloned();
        let global = self.symbol(&text.unwrap_or_else(|| format!("\0{name}")));
        let globals = self
            .link
            .running
            .as_mut()
            .and_then(|unit| unit.globals.as_mut());
        if let Some(place) = globals.and_then(|globals| globals.get_mut(usize::from(name))) {
            *place = global as u32;
        }
        global
    }

    /// The index of the global of this name, which is made if there is none.
    pub(super) fn symbol(&mut self, name: &str) -> usize {
        if let Some(global) = self.known_symbol(name) {
            return global;
        }
        let taken = self.first_chunk().names.len().max(self.link.next_symbol);
        let global = self.globals.len().max(taken);
        self.link.next_symbol = global + 1;
        self.globals.resize(global + 1, Value::Undef);
        self.link.symbols.insert(name.into(), global as u32);
        global
    }

    /// The index of the global of this name.
    pub(super) fn known_symbol(&mut self, name: &str) -> Option<usize> {
        let Some(first) = self.link.first() else {
            return self.chunk.names.iter().position(|known| known == name);
        };
        if self.link.symbols.is_empty() {
            // Of a name that stands there twice, the first counts.
            let names = first.chunk().names.iter().enumerate().rev();
            let symbols = names.map(|(index, name)| (name.as_str().into(), index as u32));
            self.link.symbols = symbols.collect();
        }
        self.link.symbols.get(name).map(|global| *global as usize)
    }

    fn first_chunk(&self) -> &Chunk {
        self.link.first().map_or(&self.chunk, |first| first.chunk())
    }
}

/// The chunk that runs: a unit's, or the VM's own.
#[inline(always)]
pub(super) fn running<'a>(own: &'a Chunk, linkage: &'a Linkage) -> &'a Chunk {
    match &linkage.running {
        None => own,
        Some(running) => running.unit.chunk(),
    }
}
