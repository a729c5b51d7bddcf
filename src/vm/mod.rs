//! The virtual machine: its public face, its limits, and the reference interpreter.
//!
//! A [`VM`] runs one [`Chunk`], and the functions of others that an [`Engine`] knows. Its state is
//! public: an embedder may seed and read the stack, frames and globals before and after a run, and
//! handlers may while it runs. What an op means on values is not here but in
//! [`value`](crate::value), what reaches the outside goes through a [`Host`].

mod commands;
mod door;
mod engine;
mod fused;
mod globals;
mod index;
pub mod limits;
mod link;
mod progress;
mod reference;
mod shell;
mod state;
mod stats;
pub mod trap;

pub use engine::EngineChoice;
#[cfg(feature = "jit")]
pub(crate) use engine::native_layout;
pub(crate) use index::ifs_of;
pub use limits::{InterruptHandle, Limits};
pub use progress::{Breakpoint, Progress, Stops, Verdict};
pub use shell::ShellOptions;
pub use stats::Stats;
pub use trap::{CallSite, Trap};

use crate::chunk::Chunk;
use crate::engine::{CompileRequest, Engine, Unit};
use crate::host::{Guarded, Host, Policy};
#[cfg(feature = "jit")]
use crate::jit::cache::{Ahead, KeptChunk, Unfit};
use crate::jit::{CodeListener, JitOptions, JitStats};
use crate::value::Value;
use engine::EngineState;
use index::Index;
use limits::Meter;
use link::Linkage;
use reference::{Machine, Standstill};
use shell::ShellState;
use std::path::Path;
use std::sync::Arc;
use trap::Step;

/// The return address of a frame that is no call's but a scope's.
pub(crate) const SCOPE: usize = usize::MAX;

/// Room that a new VM has on its stack, so that small programs don't grow it step by step.
const FIRST_STACK: usize = 32;

/// Locals and the place to return to: of a call, a scope, or the program itself.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The op to go on with when the call ends; `usize::MAX` in the frame of a scope.
    pub return_ip: usize,
    /// The height of the stack below the frame's values: what a return or the end of the scope cuts
    /// it down to.
    pub stack_base: usize,
    /// The slots, at least up to the last that isn't Undef: those above are Undef. The interpreters
    /// differ in how many Undefs they keep.
    pub slots: Vec<Value>,
}

impl Frame {
    /// The frame of a program.
    fn base() -> Frame {
        Frame {
            return_ip: 0,
            stack_base: 0,
            slots: Vec::new(),
        }
    }
}

/// What runs [`Op::Extended`](crate::Op::Extended): it gets the op's number and its argument.
pub type ExtensionHandler = Box<dyn FnMut(&mut VM, u16, u8) + Send>;

/// What runs [`Op::ExtendedWide`](crate::Op::ExtendedWide): it gets the op's number and its payload.
pub type ExtensionWideHandler = Box<dyn FnMut(&mut VM, u16, usize) + Send>;

/// What runs [`Op::CallBuiltin`](crate::Op::CallBuiltin): it gets the number of arguments, which
/// are on top of the stack, and gives the result. Arguments that it leaves are dropped.
pub type BuiltinHandler = fn(&mut VM, u8) -> Value;

/// How a run ended.
#[derive(Debug)]
pub enum VMResult {
    /// With this value on top of the stack.
    Ok(Value),
    /// With an empty stack.
    Halted,
    /// In a trap; the text is that of [`Trap`].
    Error(String),
}

/// A virtual machine: a chunk and the state of its run.
///
/// ```
/// use fusevm::{ChunkBuilder, Op, VM, VMResult, Value};
///
/// let mut b = ChunkBuilder::new();
/// b.emit(Op::LoadInt(20), 1);
/// b.emit(Op::Dup, 1);
/// b.emit(Op::Add, 1);
/// let mut vm = VM::new(b.build());
/// assert!(matches!(vm.run(), VMResult::Ok(Value::Int(40))));
/// ```
pub struct VM {
    /// The value stack, bottom first.
    pub stack: Vec<Value>,
    /// The frames, the program's own first.
    pub frames: Vec<Frame>,
    /// The global variables, by the index of their name in the chunk that the VM was made for; those
    /// that other chunks brought along stand behind.
    pub globals: Vec<Value>,
    /// The op to go on with; after a trap, the op that trapped.
    pub ip: usize,
    /// The chunk that is run. Empty in a VM of an [`Engine`], whose chunks are shared:
    /// [`running`](VM::running) tells what runs there.
    pub chunk: Chunk,
    /// The status of the last command, `$?`.
    pub last_status: i32,
    extension: Option<ExtensionHandler>,
    extension_wide: Option<ExtensionWideHandler>,
    builtins: Vec<Option<BuiltinHandler>>,
    host: Option<Guarded<Box<dyn Host>>>,
    policy: Policy,
    /// Whether output may wait in the host's buffer.
    unflushed: bool,
    meter: Meter,
    index: Index,
    engine: EngineState,
    link: Linkage,
    /// `None` while nothing is counted.
    stats: Option<Box<Stats>>,
    shell: ShellState,
    /// How to go on with a run that was paused.
    standstill: Option<Box<Standstill>>,
}

impl VM {
    /// A VM at the beginning of `chunk`, with the default limits and the default host: the real
    /// one with feature `host`, else one that has nothing.
    pub fn new(chunk: Chunk) -> Self {
        VM {
            globals: vec![Value::Undef; chunk.names.len()],
            chunk,
            ..VM::empty()
        }
    }

    /// A VM of an engine at the beginning of a unit.
    pub(crate) fn of_unit(engine: Engine, unit: Arc<Unit>) -> Self {
        VM {
            globals: vec![Value::Undef; unit.chunk().names.len()],
            policy: engine.policy(),
            meter: Meter::new(engine.limits()),
            engine: EngineState::of(engine.running()),
            link: Linkage::of_unit(engine, unit),
            ..VM::empty()
        }
    }

    /// A VM without code.
    fn empty() -> Self {
        VM {
            stack: Vec::with_capacity(FIRST_STACK),
            frames: vec![Frame::base()],
            globals: Vec::new(),
            ip: 0,
            chunk: Chunk::default(),
            last_status: 0,
            extension: None,
            extension_wide: None,
            builtins: Vec::new(),
            host: None,
            policy: Policy::ALLOW_ALL,
            unflushed: false,
            meter: Meter::new(Limits::default()),
            index: Index::default(),
            engine: EngineState::default(),
            link: Linkage::default(),
            stats: None,
            shell: ShellState::default(),
            standstill: None,
        }
    }

    /// Makes the VM as it was when it was new, but for its handlers, its host and its limits: at the
    /// beginning of its code, with nothing on the stack, all globals Undef. Keeps its memory and its
    /// links, so that it starts faster than a new one.
    pub fn reset(&mut self) {
        self.link.reset();
        self.standstill = None;
        self.stack.clear();
        self.frames.clear();
        self.frames.push(Frame::base());
        self.globals.fill(Value::Undef);
        self.ip = 0;
        self.last_status = 0;
        self.shell = ShellState::default();
        self.meter.set_limits(*self.meter.limits());
    }

    /// The engine that this VM belongs to; `None` for one that was made by [`new`](VM::new).
    pub fn engine(&self) -> Option<&Engine> {
        self.link.engine()
    }

    /// The chunk whose code runs at present: within a function of another chunk, that one.
    pub fn running(&self) -> &Chunk {
        link::running(&self.chunk, &self.link)
    }

    /// Sets what runs the chunk's [`Op::Extended`](crate::Op::Extended) ops.
    pub fn set_extension_handler(&mut self, handler: ExtensionHandler) {
        self.extension = Some(handler);
    }

    /// Sets what runs the chunk's [`Op::ExtendedWide`](crate::Op::ExtendedWide) ops.
    pub fn set_extension_wide_handler(&mut self, handler: ExtensionWideHandler) {
        self.extension_wide = Some(handler);
    }

    /// Sets what runs [`Op::CallBuiltin`](crate::Op::CallBuiltin) with this number.
    pub fn register_builtin(&mut self, id: u16, handler: BuiltinHandler) {
        let place = usize::from(id);
        if place >= self.builtins.len() {
            self.builtins.resize(place + 1, None);
        }
        self.builtins[place] = Some(handler);
    }

    /// Sets what the program reaches the outside through. The policy stays in front of it.
    pub fn set_host(&mut self, host: Box<dyn Host>) {
        self.unflushed = false;
        self.host = Some(Guarded::new(host, self.policy));
    }

    /// Sets what the program may do through its host.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.host = self
            .host
            .take()
            .map(|host| Guarded::new(host.into_inner(), policy));
    }

    /// Sets what the program may use up, and fills its fuel up to that.
    pub fn set_limits(&mut self, limits: Limits) {
        self.meter.set_limits(limits);
    }

    /// Sets which interpreter runs the program.
    pub fn set_engine(&mut self, choice: EngineChoice) {
        self.engine.choice = choice;
    }

    /// Has the register engine lower all of the running chunk's code now, which it otherwise does part by
    /// part when that is first run: for a host that would rather wait before a run than in it. `false` if
    /// the chunk is loose, or some of its code is too large.
    pub fn lower(&mut self) -> bool {
        engine::lower(self)
    }

    /// Sets when the engine compiles what it runs.
    pub fn set_jit(&mut self, options: JitOptions) {
        self.engine.jit = options;
    }

    /// Sets the directory in which native code is kept for later processes, see
    /// `jit::cache`; without one, or where it isn't fit, code goes with the
    /// process. Nothing about it can fail a run. It has an effect with feature `jit`, on chunks that
    /// this VM hasn't run yet.
    pub fn set_native_cache(&mut self, directory: Option<&Path>) {
        self.engine.cache = directory.map(Arc::from);
    }

    /// Compiles all of the chunk's subs now, and its own code if that has loops, and writes that to the
    /// cache of native code, as far as it isn't there. The kinds of arguments are guessed: where they are
    /// others, a sub is compiled anew once it is hot. Nothing is compiled where [`set_jit`](VM::set_jit)
    /// says so.
    #[cfg(feature = "jit")]
    pub fn compile_ahead(&mut self) -> Ahead {
        engine::compile_ahead(self)
    }

    /// What the cache of native code has of the chunk, and why it hasn't the rest: for those who wonder.
    /// Of a chunk that is loose, or of a VM without a cache, it has nothing.
    ///
    /// # Errors
    /// When the cache's directory isn't fit for code.
    #[cfg(feature = "jit")]
    pub fn kept_code(&mut self) -> Result<KeptChunk, Unfit> {
        engine::kept_chunk(self)
    }

    /// Sets who is told of each piece of native code before it runs, as a profiler wants to know; without
    /// one, nobody is. It has an effect with feature `jit`.
    pub fn set_code_listener(&mut self, listener: Option<Arc<CodeListener>>) {
        self.engine.listener = listener;
    }

    /// What the JIT has done so far.
    pub fn jit_stats(&self) -> JitStats {
        engine::jit_stats(self)
    }

    /// What the program may use up.
    pub fn limits(&self) -> &Limits {
        self.meter.limits()
    }

    /// The fuel that is left; `None` if it isn't limited.
    pub fn fuel_left(&self) -> Option<u64> {
        self.meter.fuel_left()
    }

    /// What stops a run of this VM from another thread.
    pub fn interrupt_handle(&mut self) -> InterruptHandle {
        self.meter.interrupt_handle()
    }

    /// Puts a value on the stack.
    #[inline(always)]
    pub fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Takes the top of the stack; Undef if it is empty.
    #[inline(always)]
    pub fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    /// The top of the stack; Undef if it is empty.
    #[inline(always)]
    pub fn peek(&self) -> &Value {
        static UNDEF: Value = Value::Undef;
        self.stack.last().unwrap_or(&UNDEF)
    }

    /// Runs the chunk from [`ip`](VM::ip) to its end and takes the top of the stack, as
    /// [`execute`](VM::execute) does, with a trap as text.
    ///
    /// # Panics
    /// Only if a handler does.
    pub fn run(&mut self) -> VMResult {
        match self.execute() {
            Ok(Some(value)) => VMResult::Ok(value),
            Ok(None) => VMResult::Halted,
            Err(trap) => VMResult::Error(trap.to_string()),
        }
    }

    /// Runs the chunk from [`ip`](VM::ip) to its end and takes the top of the stack; `None` if that
    /// is empty.
    ///
    /// The program ends past its last op, or by a return outside of any call. The frames that it
    /// leaves, and what is below the top of the stack, stay for the embedder to see. What it
    /// printed is flushed.
    ///
    /// # Errors
    /// A [`Trap`] when the program had to be stopped. The state is then that before or in the
    /// middle of the op at `ip`.
    ///
    /// # Panics
    /// Only if a handler does; the VM can then still be used, but has lost the extension handler
    /// that panicked.
    pub fn execute(&mut self) -> Result<Option<Value>, Trap> {
        let standstill = self.standstill.take();
        self.drive(|machine| machine.resume(standstill))?;
        Ok(self.stack.pop())
    }

    /// Calls a sub of the running chunk, or a function that the engine knows, with these arguments and
    /// gives its result, or `None` if it ends without one. Handlers may do so while the VM runs.
    ///
    /// # Errors
    /// A [`Trap`] when there is no such function or it had to be stopped.
    ///
    /// # Panics
    /// Only if a handler does.
    pub fn call_sub(
        &mut self,
        name: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Option<Value>, Trap> {
        let height = self.stack.len();
        self.stack.extend(args);
        self.drive_aside(height, |machine| machine.begin_call(name, height))
    }

    /// Has the engine's compiler compile this text, runs it to its end and gives its result. The text
    /// shares globals with the program, by name. Handlers may do so while the VM runs.
    ///
    /// # Errors
    /// A [`Trap`] when there is no compiler, the text doesn't compile, or the code had to be stopped.
    ///
    /// # Panics
    /// Only if a handler does.
    pub fn eval(&mut self, source: &str, text: &str) -> Result<Option<Value>, Trap> {
        let height = self.stack.len();
        self.drive_aside(height, |machine| {
            machine.begin_text(CompileRequest::Text { source, text })
        })
    }

    /// Runs a call that `begin` begins, and then has everything above `height`, the frames and the
    /// place as they were.
    fn drive_aside(
        &mut self,
        height: usize,
        begin: impl FnOnce(&mut Machine<'_>) -> Step,
    ) -> Result<Option<Value>, Trap> {
        let (ip, frames) = (self.ip, self.frames.len());
        self.drive(begin)?;
        let result = (self.stack.len() > height).then(|| self.pop());
        self.frames.truncate(frames);
        self.link.leave(frames);
        self.stack.truncate(height);
        self.ip = ip;
        Ok(result)
    }

    /// Runs from where `begin` leaves the machine, and flushes what the program printed.
    fn drive(&mut self, begin: impl FnOnce(&mut Machine<'_>) -> Step) -> Result<(), Trap> {
        self.meter.end_credit();
        let ended = self.with_machine(|machine| {
            begin(machine)?;
            machine.run()
        });
        ended.map_err(|fault| Trap::at(fault, self))
    }

    /// Does a run on a machine of its own, and flushes what the program printed.
    fn with_machine(&mut self, act: impl FnOnce(&mut Machine<'_>) -> Step) -> Step {
        let begun = self.begin_counting();
        let ended = Machine::enter(self).and_then(|mut machine| act(&mut machine));
        let flushed = self.flush();
        self.end_counting(begun);
        // A fault says more than the error of writing what was printed before it.
        ended.and(flushed)
    }
}

#[cfg(test)]
mod tests;
