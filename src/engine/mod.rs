//! The [`Engine`]: what many VMs share, on many threads.
//!
//! Handlers, the host, policy and limits are said once, when it is built; modules and functions may be
//! added and redefined while VMs run. It knows nothing of how code is run: that is [`vm`](crate::vm)'s
//! business, the register engine (`vm::EngineChoice`) included.
//!
//! ```
//! use fusevm::engine::Engine;
//! use fusevm::{ChunkBuilder, Op, Value};
//!
//! let engine = Engine::builder()
//!     .function("", "now", |_, _| Ok(Value::Int(7)))
//!     .build();
//! let mut b = ChunkBuilder::new();
//! let now = b.add_name("now");
//! b.emit(Op::Call(now, 0), 1);
//! let unit = engine.unit("main", b.build());
//! assert_eq!(engine.vm(&unit).execute().unwrap(), Some(Value::Int(7)));
//! ```

mod builder;
mod failure;
mod functions;
mod registry;
mod unit;

pub use builder::EngineBuilder;
pub use failure::Failure;
pub use functions::Missing;
pub use registry::{Builtin, Extension, ExtensionWide, Function, Key};
pub use unit::Unit;

use crate::chunk::Chunk;
use crate::format::{LoadedChunk, Module};
use crate::host::{Host, Policy};
use crate::jit::JitOptions;
use crate::value::Value;
use crate::vm::{EngineChoice, Limits, VM};
use functions::Functions;
pub(crate) use functions::{Found, LinkError};
pub(crate) use registry::Registry;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use unit::Entry;

/// Makes the host of a VM, at the VM's first need of it.
type HostFactory = dyn Fn() -> Box<dyn Host> + Send + Sync;

/// What a compiler is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompileRequest<'a> {
    /// This text, which a program or a handler wants to be run.
    Text {
        /// How messages call it.
        source: &'a str,
        /// The text.
        text: &'a str,
    },
    /// A function that is called and that nobody has defined.
    Function {
        /// The name space in which it was looked up last.
        space: &'a str,
        /// Its name.
        name: &'a str,
    },
}

/// Compiles at run time; `None` if it has nothing for the request.
pub type Compiler = dyn Fn(CompileRequest<'_>) -> Result<Option<Chunk>, Failure> + Send + Sync;

/// Handlers, modules, host, policy and limits, shared by VMs. Clones are the same engine.
///
/// What is on the path of a call or a handler is read without a lock.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    host: Option<Box<HostFactory>>,
    compiler: Option<Box<Compiler>>,
    policy: Policy,
    limits: Limits,
    running: Running,
    functions: RwLock<Functions>,
    version: Version,
}

/// What runs the programs of VMs.
#[derive(Clone, Default)]
pub(crate) struct Running {
    pub(crate) choice: EngineChoice,
    pub(crate) jit: JitOptions,
    /// Where native code is kept for later processes.
    pub(crate) cache: Option<Arc<Path>>,
}

/// Grows whenever a name may mean another function than before. All threads look at it with each call
/// between chunks, so nothing that is written more often shares its cache line.
#[repr(align(128))]
#[derive(Default)]
struct Version(AtomicU64);

impl Engine {
    /// An engine without handlers, with the default host, policy and limits.
    pub fn new() -> Engine {
        Engine::builder().build()
    }

    /// What makes an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Makes the functions of a module known. Those of a module loaded later hide those of the same
    /// name.
    ///
    /// A function is a chunk: its sub of the same name, or else its code from the first op on.
    pub fn load(&self, module: Module) {
        self.change(|functions| functions.load(module));
    }

    /// Defines the function `name` in `space`, anew if there was one. Calls that are active go on in
    /// the old code; the next ones are of the new. In a VM on another thread they are that from its
    /// next look at fuel on, which is a matter of milliseconds.
    pub fn define(&self, space: &str, name: &str, chunk: Chunk) {
        let unit = Arc::new(Unit::new(space, name, chunk, &self.0.registry));
        self.change(|functions| functions.define(space, name, Found::Unit(unit)));
    }

    /// Defines a function of the host, anew if there was one.
    ///
    /// It gets its arguments on top of the VM's stack, as many as its second argument says; those
    /// that it leaves there are dropped.
    pub fn define_function(
        &self,
        space: &str,
        name: &str,
        function: impl Fn(&mut VM, u8) -> Result<Value, Failure> + Send + Sync + 'static,
    ) {
        let found = Found::Host(Arc::new(function));
        self.change(|functions| functions.define(space, name, found));
    }

    /// Takes back a definition; `false` if there was none. What a module has under that name shows
    /// again.
    pub fn undefine(&self, space: &str, name: &str) -> bool {
        self.change(|functions| functions.undefine(space, name))
    }

    /// Code that VMs of this engine can run, from a chunk. Verifies it and looks up its handlers.
    pub fn unit(&self, name: &str, chunk: Chunk) -> Arc<Unit> {
        Arc::new(Unit::new("", name, chunk, &self.0.registry))
    }

    /// Code that VMs of this engine can run, from a chunk of a module.
    pub fn loaded(&self, chunk: LoadedChunk) -> Arc<Unit> {
        if self.0.running.cache.is_some() {
            // Its bytes are at hand: later they would have to be encoded anew.
            chunk.hash();
        }
        Arc::new(Unit::of_loaded(chunk, &self.0.registry))
    }

    /// A VM at the beginning of this code.
    pub fn vm(&self, unit: &Arc<Unit>) -> VM {
        VM::of_unit(self.clone(), Arc::clone(unit))
    }

    /// What the code imports and this engine doesn't provide: nothing if it can run to its end.
    /// Without asking, a program finds out when it gets there.
    pub fn missing(&self, unit: &Unit) -> Vec<Missing> {
        self.read().missing(unit)
    }

    /// The number of changes so far after which names may mean other functions.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version_word().load(Ordering::Acquire)
    }

    /// Where the version is, as long as the engine lives.
    #[inline]
    pub(crate) fn version_word(&self) -> &AtomicU64 {
        &self.0.version.0
    }

    /// The function that a chunk of `caller`'s space calls by this name.
    pub(crate) fn find(&self, caller: &Unit, name: &str) -> Result<Found, LinkError> {
        if let Some(found) = self.find_present(caller, name)? {
            return Ok(found);
        }
        let spaces = caller.function_space(name);
        let space = spaces.last();
        let Some(chunk) = self.compile(CompileRequest::Function { space, name })? else {
            return Err(self.read().unknown(caller, name));
        };
        let found = Found::Unit(Arc::new(Unit::new(space, name, chunk, &self.0.registry)));
        self.change(|functions| functions.define(space, name, found.clone()));
        Ok(found)
    }

    /// As [`find`](Self::find), without asking the compiler; `None` if there is none yet.
    pub(crate) fn find_present(
        &self,
        caller: &Unit,
        name: &str,
    ) -> Result<Option<Found>, LinkError> {
        for space in caller.function_space(name).iter() {
            let (changes, loaded) = {
                let functions = self.read();
                if let Some(found) = functions.at_hand(space, name) {
                    return Ok(Some(found));
                }
                let loaded = functions.load_chunk(space, name).map_err(LinkError::Load)?;
                (functions.changes(), loaded)
            };
            // Verified without the lock. Of two threads that do so, one's unit is kept.
            if let Some(chunk) = loaded {
                let unit = self.loaded(chunk);
                return Ok(Some(Found::Unit(self.write().keep(changes, unit))));
            }
        }
        Ok(None)
    }

    /// Asks the compiler; `None` if there is none, or it has nothing.
    pub(crate) fn compile(&self, request: CompileRequest<'_>) -> Result<Option<Chunk>, LinkError> {
        let Some(compiler) = &self.0.compiler else {
            return Ok(None);
        };
        compiler(request).map_err(LinkError::Compile)
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn host(&self) -> Option<Box<dyn Host>> {
        self.0.host.as_ref().map(|make| make())
    }

    pub(crate) fn policy(&self) -> Policy {
        self.0.policy
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn running(&self) -> &Running {
        &self.0.running
    }

    fn change<R>(&self, act: impl FnOnce(&mut Functions) -> R) -> R {
        let mut functions = self.write();
        let result = act(&mut functions);
        self.0.version.0.fetch_add(1, Ordering::Release);
        result
    }

    fn read(&self) -> RwLockReadGuard<'_, Functions> {
        let functions = self.0.functions.read();
        functions.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Functions> {
        let functions = self.0.functions.write();
        functions.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
