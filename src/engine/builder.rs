//! `EngineBuilder`: all that an engine is told before it is there.

use super::functions::{Found, Functions};
use super::registry::{Key, Registry};
use super::{CompileRequest, Compiler, Engine, Failure, HostFactory, Running, Shared, Version};
use crate::chunk::Chunk;
use crate::host::{Host, Policy};
use crate::jit::{JitExtension, JitOptions};
use crate::value::Value;
use crate::vm::{BuiltinHandler, EngineChoice, Limits, VM};
use std::path::Path;
use std::sync::{Arc, RwLock};

/// Makes an [`Engine`].
///
/// Handlers belong to a name space, the empty one being that of chunks that declare none, as those of
/// the 0.9 line. Within it, they have a name or a number: two frontends with name spaces of their own
/// can't get each other's.
///
/// ```
/// use fusevm::engine::Engine;
/// use fusevm::vm::Limits;
/// use fusevm::Value;
///
/// let engine = Engine::builder()
///     .builtin("calc", "pi", |_, _| Ok(Value::Float(3.14)))
///     .builtin("calc", 7u16, |vm, _| Ok(vm.pop()))
///     .extension("calc", "twice", |vm, _| {
///         let value = vm.pop();
///         vm.push(Value::Int(value.to_int() * 2));
///         Ok(())
///     })
///     .limits(Limits { fuel: Some(1_000_000), ..Limits::default() })
///     .build();
/// # let _ = engine;
/// ```
#[derive(Default)]
pub struct EngineBuilder {
    registry: Registry,
    functions: Functions,
    host: Option<Box<HostFactory>>,
    compiler: Option<Box<Compiler>>,
    policy: Option<Policy>,
    limits: Limits,
    running: Running,
}

impl EngineBuilder {
    /// Adds what runs a builtin.
    #[must_use]
    pub fn builtin<'a>(
        mut self,
        space: &str,
        key: impl Into<Key<'a>>,
        handler: impl Fn(&mut VM, u8) -> Result<Value, Failure> + Send + Sync + 'static,
    ) -> Self {
        let handlers = &mut self.registry.builtins;
        handlers.add(space, key.into(), Box::new(handler));
        self
    }

    /// Adds what runs a builtin of the default name space, as [`VM::register_builtin`] takes it.
    #[must_use]
    pub fn builtin_fn(self, id: u16, handler: BuiltinHandler) -> Self {
        self.builtin("", id, move |vm, argc| Ok(handler(vm, argc)))
    }

    /// Adds what runs an extension op.
    #[must_use]
    pub fn extension<'a>(
        mut self,
        space: &str,
        key: impl Into<Key<'a>>,
        handler: impl Fn(&mut VM, u8) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        let handlers = &mut self.registry.extensions;
        handlers.add(space, key.into(), Box::new(handler));
        self
    }

    /// Adds what runs a wide extension op.
    #[must_use]
    pub fn extension_wide<'a>(
        mut self,
        space: &str,
        key: impl Into<Key<'a>>,
        handler: impl Fn(&mut VM, usize) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        let handlers = &mut self.registry.wide;
        handlers.add(space, key.into(), Box::new(handler));
        self
    }

    /// Adds what a frontend says of its extension ops of a name space: those that are plain functions need
    /// no handler.
    #[must_use]
    pub fn jit_extension(mut self, space: &str, extension: impl JitExtension + 'static) -> Self {
        let row = (
            space.to_owned(),
            Box::new(extension) as Box<dyn JitExtension>,
        );
        self.registry.jit_extensions.insert(0, row);
        self
    }

    /// Defines a function of the host; see [`Engine::define_function`].
    #[must_use]
    pub fn function(
        mut self,
        space: &str,
        name: &str,
        function: impl Fn(&mut VM, u8) -> Result<Value, Failure> + Send + Sync + 'static,
    ) -> Self {
        let found = Found::Host(Arc::new(function));
        self.functions.define(space, name, found);
        self
    }

    /// Sets what makes the host of each VM, when the VM first needs it.
    #[must_use]
    pub fn host(mut self, make: impl Fn() -> Box<dyn Host> + Send + Sync + 'static) -> Self {
        self.host = Some(Box::new(make));
        self
    }

    /// Sets what compiles text at run time, and functions that nobody has defined.
    #[must_use]
    pub fn compiler(
        mut self,
        compile: impl Fn(CompileRequest<'_>) -> Result<Option<Chunk>, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.compiler = Some(Box::new(compile));
        self
    }

    /// Sets what programs may do through their hosts; by default everything.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets what each VM may use up.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets which interpreter runs programs.
    #[must_use]
    pub fn engine(mut self, choice: EngineChoice) -> Self {
        self.running.choice = choice;
        self
    }

    /// Sets when what the register engine runs is compiled to native code, as [`VM::set_jit`] does.
    #[must_use]
    pub fn jit(mut self, options: JitOptions) -> Self {
        self.running.jit = options;
        self
    }

    /// Sets the directory in which native code is kept for later processes, as [`VM::set_native_cache`]
    /// does.
    #[must_use]
    pub fn native_cache(mut self, directory: &Path) -> Self {
        self.running.cache = Some(Arc::from(directory));
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
        Engine(Arc::new(Shared {
            registry: Arc::new(self.registry),
            host: self.host,
            compiler: self.compiler,
            policy: self.policy.unwrap_or(Policy::ALLOW_ALL),
            limits: self.limits,
            running: self.running,
            functions: RwLock::new(self.functions),
            version: Version::default(),
        }))
    }
}
