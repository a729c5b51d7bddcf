//! The engine: runs register code.
//!
//! The reference interpreter hands a warm run over at a loop's head or a sub's entry: its innermost
//! call becomes a window of registers ([`enter`]), and the calls that it makes are windows behind it,
//! in one piece of memory; a callee's window begins with its caller's argument registers. Subs are
//! lowered when they are first called. When something comes that register code doesn't say (a
//! handler, a block, a return to a caller that is not in the engine), or the run is to end, all
//! windows are written back into the VM's public fields ([`publish`]). The reference interpreter then
//! runs that one op, and the innermost call is taken up again. So no pointer into a VM outlives a
//! handler, and what a handler did to the public state is what goes on.
//!
//! The VM's stack below the run's frames, and its globals, stay where they are. What runs is the
//! engine's own copy of the chunk, verified; a run that finds the VM's chunk changed makes a new one.

#![allow(unsafe_code)]

mod count;
mod dispatch;
mod enter;
mod handlers;
mod links;
#[cfg(feature = "jit")]
mod native;
#[cfg(feature = "jit")]
pub(crate) use native::layout as native_layout;
#[cfg(not(feature = "jit"))]
#[path = "native_off.rs"]
mod native;
mod program;
mod publish;
mod slow;
mod stack;
#[cfg(test)]
mod tests;
mod window;

use super::VM;
use super::reference::Machine;
use super::trap::{Fault, Step};
use crate::chunk::Chunk;
use crate::code::Code;
use crate::engine::Running;
use crate::jit::{CodeListener, JitOptions, JitStats};
use crate::value::{ELEMENT_BYTES, Value};
use count::Counts;
use dispatch::{Handler, Pc, TABLE};
use program::{Program, Unit};
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use window::Window;

/// Which interpreter runs a VM's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The reference interpreter while the program is cold, the register engine once it is warm, as long
    /// as it doesn't have to leave that all the time.
    #[default]
    Auto,
    /// The reference interpreter alone.
    Reference,
    /// The register engine wherever it can, from the first op on.
    Register,
}

/// Calls and backward jumps after which a run of a small chunk is warm.
const WARM: u32 = 100;

/// Ops of a larger chunk that must be worth verifying: one more call or jump for so many.
const OPS_PER_HEAT: usize = 16;

/// Registers of a new window, and calls that there is room for at first.
const FIRST_REGISTERS: usize = 128;
const FIRST_CALLS: usize = 64;

/// Registers of the largest window that is kept for the next run.
const LARGEST_SPARE: usize = 1 << 16;

/// Calls and backward jumps after which a run of the chunk is warm.
pub(super) fn warm_after(chunk: &Chunk) -> u32 {
    let for_ops = u32::try_from(chunk.ops.len() / OPS_PER_HEAT).unwrap_or(u32::MAX / 2);
    WARM.saturating_add(for_ops)
}

/// What a VM keeps for the engine from run to run.
#[derive(Default)]
pub(super) struct EngineState {
    pub(super) choice: EngineChoice,
    pub(super) jit: JitOptions,
    pub(super) jit_stats: JitStats,
    /// Where native code is kept for later processes.
    pub(super) cache: Option<Arc<Path>>,
    /// Who is told of new native code.
    pub(super) listener: Option<Arc<CodeListener>>,
    /// What is kept there of the chunk that is to be run.
    #[cfg(feature = "jit")]
    asked: native::Asked,
    /// Bytes of the window and the list of calls.
    pub(super) bytes: usize,
    /// The activation of the last run, which holds nothing of the VM's.
    parked: Option<Box<Activation>>,
}

impl EngineState {
    pub(super) fn of(running: &Running) -> EngineState {
        EngineState {
            choice: running.choice,
            jit: running.jit,
            cache: running.cache.clone(),
            ..EngineState::default()
        }
    }
}

impl std::fmt::Debug for EngineState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineState").finish_non_exhaustive()
    }
}

// SAFETY: a parked activation has pointers only to statics and into memory that it owns itself.
unsafe impl Send for EngineState {}

/// A call that is active: its instruction, and how far its window is above its caller's.
#[derive(Clone, Copy)]
struct CallRecord {
    pc: Pc,
    base_offset: usize,
}

/// Why and where handlers have stopped.
enum Exit {
    /// They have not.
    Running,
    /// Before the op at hand, which is the reference interpreter's.
    Left(Pc, *mut u8),
    /// In the op at hand.
    Fault(Pc, *mut u8, Fault),
}

/// The state of a run within the engine. What handlers use most comes first.
#[repr(C)]
struct Activation {
    /// Fuel that may be spent before the next look.
    fuel: u64,
    calls_top: *mut CallRecord,
    calls_end: *mut CallRecord,
    calls_bottom: *mut CallRecord,
    window_end: *mut u8,
    /// The present program, and lists of it, which are written as one: they stand within one cache line.
    program: *mut Program,
    units: *const Unit,
    constants: *const Value,
    globals: *mut Value,
    /// The version of what names of functions mean.
    version: *const AtomicU64,
    /// Elements that an array may have.
    max_items: usize,
    table: [Handler; 256],
    /// Where to go on, for the loop that stands in for tail calls.
    resume: (Pc, *mut u8),
    /// What native code knows of the run, and says.
    links: native::Links,
    exit: Exit,
    window: Window,
    calls: Vec<CallRecord>,
    /// The program of the first window.
    first_program: *mut Program,
    /// Calls that may be active at once.
    max_calls: usize,
    /// Calls that are active outside of the engine, or are its first window.
    outer_calls: usize,
    /// The number of globals that the VM had.
    globals_before: usize,
    /// The programs of the chunks that have run, by the address of their ops.
    programs: HashMap<usize, Known, FxBuildHasher>,
    /// As many globals as any of them names.
    most_globals: usize,
    counts: Counts,
    /// Where the native stack was when the first handler was called, and how far it was from there at
    /// most when that was looked at.
    stack_begin: usize,
    stack_growth: usize,
    /// Null while parked.
    machine: *mut Machine<'static>,
}

/// The program of a chunk; `None` if it is loose.
type Known = Option<Box<Program>>;

/// The most programs that are kept: as many functions as call each other within the engine.
const MOST_PROGRAMS: usize = 4096;

/// How the engine was left.
pub(super) enum Left {
    /// Nothing was run: the reference interpreter goes on.
    Refused,
    /// The engine has given the run back to a caller that it can't take up in mid-expression: the
    /// reference interpreter goes on at the VM's `ip`.
    Returned,
    /// The run comes and goes more than it stays: the reference interpreter goes on at the VM's `ip`.
    Restless,
    /// The program has ended.
    Ended,
}

/// Runs on in the engine from the VM's `ip`, as long as that is possible.
///
/// # Errors
/// The fault that ended the run, in the op at the VM's `ip`.
pub(super) fn run(machine: &mut Machine<'_>) -> Step<Left> {
    let left = run_on(machine);
    let state = &mut machine.vm_mut().engine;
    if let Some(parked) = &mut state.parked
        && parked.window.len() > LARGEST_SPARE
    {
        parked.add_stats(&mut state.jit_stats);
        state.parked = None;
        let bytes = std::mem::take(&mut state.bytes);
        machine.vm_mut().meter.slots_dropped(bytes as u64);
    }
    left
}

fn run_on(machine: &mut Machine<'_>) -> Step<Left> {
    let mut left = Left::Refused;
    loop {
        let Some(mut activation) = Activation::for_run(machine) else {
            return Ok(left);
        };
        let fuel = machine.vm_mut().meter.fuel();
        activation.attach(machine);
        let Some((pc, base)) = enter::enter(&mut activation) else {
            activation.park();
            return Ok(left);
        };
        // SAFETY: `enter` gives an instruction of lowered code and the base of a frame that it has
        // filled as that instruction expects; so does what goes on natively.
        unsafe {
            if let Some((pc, base)) = native::begin(&raw mut *activation, pc, base) {
                count::run(pc, base, &mut activation);
            }
            native::end(&raw mut *activation);
        }
        let fault = publish::publish(&mut activation);
        activation.park();
        if let Some(fault) = fault {
            return Err(fault);
        }
        let has_stayed = machine.note_visit(fuel);
        if !machine.step()? {
            return Ok(Left::Ended);
        }
        if !has_stayed {
            return Ok(Left::Restless);
        }
        left = Left::Returned;
    }
}

/// Lowers all of the chunk that the VM runs; `false` if some of it can't be.
pub(super) fn lower(vm: &mut VM) -> bool {
    let mut activation = vm.engine.parked.take().unwrap_or_else(Activation::new);
    let lowered = activation.choose_program(vm, true) && activation.program().lower_all();
    vm.engine.parked = Some(activation);
    lowered
}

/// Whether earlier processes left native code of the chunk that the VM is to run, so that it is warm before
/// it has begun.
pub(super) fn has_kept_code(vm: &mut VM) -> bool {
    native::has_code(vm)
}

#[cfg(feature = "jit")]
pub(super) use native::{compile_ahead, kept_chunk};

/// What the JIT has done for the VM.
pub(super) fn jit_stats(vm: &VM) -> JitStats {
    let mut stats = vm.engine.jit_stats;
    if let Some(parked) = &vm.engine.parked {
        parked.add_stats(&mut stats);
    }
    stats
}

/// Whether the ops of the VM's chunk were changed in place since the engine copied them.
pub(super) fn was_edited(vm: &VM) -> bool {
    let address = vm.running().ops.as_ptr().addr();
    let parked = vm.engine.parked.as_ref();
    let known = parked.and_then(|parked| parked.programs.get(&address)?.as_ref());
    known.is_some_and(|program| program.is_run_by(vm, false) && !program.is_run_by(vm, true))
}

impl Activation {
    /// The activation for a run of the VM's chunk, with its program; `None` if the chunk is loose. In
    /// the course of a run the VM's own chunk is told by where its lists are, see [`was_edited`].
    fn for_run(machine: &mut Machine<'_>) -> Option<Box<Activation>> {
        let compares = !machine.has_compared();
        let vm = machine.vm_mut();
        let mut activation = match vm.engine.parked.take() {
            Some(parked) => parked,
            None => Activation::new(),
        };
        let found = activation.choose_program(vm, compares);
        if !compares {
            machine.trust_handlers();
        }
        if found {
            return Some(activation);
        }
        machine.vm_mut().engine.parked = Some(activation);
        None
    }

    /// Makes the program of the chunk that the VM runs the present one; `false` if it is loose.
    fn choose_program(&mut self, vm: &mut VM, compares: bool) -> bool {
        let found = self.finds_program(vm, compares);
        // SAFETY: the present program is one of those that the activation owns.
        if let Some(program) = unsafe { self.program.as_mut() } {
            program.place = vm.link.running_place();
        }
        found
    }

    fn finds_program(&mut self, vm: &mut VM, compares: bool) -> bool {
        // SAFETY: the present program is one of those that the activation owns.
        let present = unsafe { self.program.as_ref() };
        if present.is_some_and(|program| program.is_run_by(vm, compares)) {
            return true;
        }
        let address = vm.running().ops.as_ptr().addr();
        let known = self.programs.get(&address);
        let fits = |known: &Known| match known {
            Some(program) => program.is_run_by(vm, compares),
            None => !compares,
        };
        if !known.is_some_and(fits) {
            // Links lead from one program to others, so none is dropped alone.
            if known.is_some() || self.programs.len() >= MOST_PROGRAMS {
                self.add_stats(&mut vm.engine.jit_stats);
                self.programs.clear();
                self.most_globals = 0;
            }
            let mut program = Program::of(vm);
            if let Some(program) = &mut program {
                native::prepare(program, vm);
            }
            self.keep_program(address, program);
        }
        let program = self.programs.get_mut(&address).and_then(Option::as_mut);
        self.program = program.map_or(std::ptr::null_mut(), |program| &raw mut **program);
        !self.program.is_null()
    }

    /// Adds what the programs were asked for to the stats.
    fn add_stats(&self, stats: &mut JitStats) {
        for program in self.programs.values().flatten() {
            native::add_stats(program, stats);
        }
    }

    /// Keeps the program of the chunk whose ops are at this address.
    fn keep_program(&mut self, address: usize, program: Known) {
        let globals = program.as_ref().map_or(0, |program| program.globals());
        self.most_globals = self.most_globals.max(globals);
        self.programs.insert(address, program);
    }

    /// An activation that is parked.
    fn new() -> Box<Activation> {
        let mut calls = Vec::with_capacity(FIRST_CALLS);
        let bottom = calls.as_mut_ptr();
        Box::new(Activation {
            fuel: 0,
            calls_top: bottom,
            calls_end: bottom,
            calls_bottom: bottom,
            window_end: std::ptr::null_mut(),
            units: std::ptr::null(),
            constants: std::ptr::null(),
            globals: std::ptr::null_mut(),
            program: std::ptr::null_mut(),
            version: &raw const links::NO_VERSION,
            max_items: 0,
            table: TABLE,
            resume: (std::ptr::null(), std::ptr::null_mut()),
            links: native::Links::new(),
            exit: Exit::Running,
            window: Window::new(FIRST_REGISTERS),
            calls,
            first_program: std::ptr::null_mut(),
            max_calls: 0,
            outer_calls: 0,
            globals_before: 0,
            programs: HashMap::default(),
            most_globals: 0,
            counts: Counts::default(),
            stack_begin: 0,
            stack_growth: 0,
            machine: std::ptr::null_mut(),
        })
    }

    /// Begins to work on the machine's VM.
    fn attach(&mut self, machine: &mut Machine<'_>) {
        let vm = machine.vm_mut();
        self.globals_before = vm.globals.len();
        self.version = match vm.link.engine() {
            Some(engine) => engine.version_word(),
            None => &raw const links::NO_VERSION,
        };
        let max_items = vm.meter.limits().max_value / ELEMENT_BYTES;
        self.max_items = usize::try_from(max_items).unwrap_or(usize::MAX);
        self.fuel = vm.meter.take_slice();
        self.window_end = self.window.end();
        self.machine = std::ptr::from_mut(machine).cast();
        self.reach_globals();
        self.first_program = self.program;
        // SAFETY: the present program is alive.
        unsafe { links::switch(self, self.program) };
    }

    /// Has all globals there that programs name, and notes where they are.
    fn reach_globals(&mut self) {
        let most = self.most_globals;
        let vm = self.machine_vm();
        if vm.globals.len() < most {
            vm.globals.resize(most, Value::Undef);
        }
        self.globals = self.machine_vm().globals.as_mut_ptr();
    }

    /// Gives the VM back what is its, and waits there for the next run.
    fn park(mut self: Box<Self>) {
        let (fuel, globals) = (self.fuel, self.globals_before);
        let vm = self.machine_vm();
        vm.meter.give_slice(fuel);
        while vm.globals.len() > globals && matches!(vm.globals.last(), Some(Value::Undef)) {
            vm.globals.pop();
        }
        let parked = &raw mut vm.engine.parked;
        self.machine = std::ptr::null_mut();
        self.globals = std::ptr::null_mut();
        self.version = &raw const links::NO_VERSION;
        // SAFETY: the VM is alive and is not looked at otherwise here.
        unsafe { *parked = Some(self) };
    }

    /// Makes the list of calls empty, with as much room as there is and may be used.
    fn expect_calls(&mut self) {
        let meter = &self.machine_vm().meter;
        let (depth, most) = (meter.depth(), meter.limits().max_depth);
        self.outer_calls = depth;
        self.max_calls = most.saturating_sub(depth);
        self.calls_bottom = self.calls.as_mut_ptr();
        self.calls_top = self.calls_bottom;
        let room = self.calls.capacity().min(self.max_calls);
        self.calls_end = self.calls_bottom.wrapping_add(room);
    }

    /// The interpreter that the run came from.
    fn machine(&mut self) -> &mut Machine<'static> {
        // SAFETY: `run` holds the machine for as long as the activation lives, and nothing else
        // uses it meanwhile. The lifetime is that of its reference to the VM, which is longer.
        unsafe { &mut *self.machine }
    }

    /// The VM that runs.
    fn machine_vm(&mut self) -> &mut VM {
        self.machine().vm_mut()
    }

    /// The program that runs.
    fn program(&mut self) -> &mut Program {
        // SAFETY: `run` holds the program for as long as the activation lives.
        unsafe { &mut *self.program }
    }

    /// Does something with the VM, its meter in order.
    fn with_vm<R>(&mut self, act: impl FnOnce(&mut VM) -> R) -> R {
        let fuel = self.fuel;
        let vm = self.machine_vm();
        vm.meter.give_slice(fuel);
        let result = act(vm);
        self.fuel = self.machine_vm().meter.take_slice();
        result
    }

    /// Runs one op, which calls no handler and looks at no frame, as the reference interpreter does,
    /// and notes the fault if there is one.
    fn runs_op(&mut self, pc: Pc, base: *mut u8, at: usize) -> bool {
        let fuel = self.fuel;
        self.machine_vm().meter.give_slice(fuel);
        let ran = self.as_running(|act| act.machine().run_alone(at));
        self.fuel = self.machine_vm().meter.take_slice();
        self.globals = self.machine_vm().globals.as_mut_ptr();
        match ran {
            Ok(()) => true,
            Err(fault) => {
                self.exit = Exit::Fault(pc, base, fault);
                false
            }
        }
    }

    /// Lowers a region; `false` if that can't be.
    fn lower(&mut self, region: usize) -> bool {
        let lowered = self.program().lower(region);
        // SAFETY: the present program is alive.
        unsafe { links::switch(self, self.program) };
        lowered
    }

    /// Makes room for another call.
    ///
    /// # Errors
    /// When there may be no more, or no memory is left.
    fn grow_calls(&mut self) -> Step {
        let active = self.active_calls();
        if active >= self.max_calls {
            return Err(Fault::of(Code::TooDeep));
        }
        // SAFETY: as many records were written, from the bottom up.
        unsafe { self.calls.set_len(active) };
        let before = self.calls.capacity();
        self.calls.reserve(active.max(FIRST_CALLS));
        self.calls_bottom = self.calls.as_mut_ptr();
        self.calls_top = self.calls_bottom.wrapping_add(active);
        let capacity = self.calls.capacity().min(self.max_calls);
        self.calls_end = self.calls_bottom.wrapping_add(capacity);
        let grown = self.calls.capacity() - before;
        self.count_memory(grown * size_of::<CallRecord>())
    }

    fn active_calls(&self) -> usize {
        let bytes = self.calls_top.addr() - self.calls_bottom.addr();
        bytes / size_of::<CallRecord>()
    }

    /// Makes the window reach `needed` bytes above `base`; gives the base, which moves.
    ///
    /// # Errors
    /// When no memory is left; with the base, which may have moved.
    fn grow_window(&mut self, base: *mut u8, needed: usize) -> Result<*mut u8, (*mut u8, Fault)> {
        let offset = base.addr() - self.window.start().addr();
        let before = self.window.len();
        self.window
            .grow((offset + needed).div_ceil(size_of::<Value>()));
        self.window_end = self.window.end();
        let base = self.window.start().wrapping_add(offset);
        let grown = (self.window.len() - before) * size_of::<Value>();
        match self.count_memory(grown) {
            Ok(()) => Ok(base),
            Err(fault) => Err((base, fault)),
        }
    }

    /// Counts memory that the engine has taken, and looks whether that was too much.
    fn count_memory(&mut self, bytes: usize) -> Step {
        self.with_vm(|vm| {
            vm.engine.bytes += bytes;
            vm.meter.slots_grown(bytes as u64);
            vm.check_memory()
        })
    }
}
