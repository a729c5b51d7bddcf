//! The engine: runs register code.
//!
//! The reference interpreter hands a warm run over at a loop's head or a sub's entry, all of its
//! frames at once ([`enter`]). Frames then are windows of registers, one behind the other in one
//! piece of memory; a callee's window begins with its caller's argument registers. Subs are lowered
//! when they are first called. When something comes that register code doesn't say (the end of the
//! run, a handler, a block), or the run is to end in a trap, the state is written back into the VM's
//! public fields ([`leave`]) and the reference interpreter goes on.
//!
//! The VM's stack below the run's frames, and its globals, stay where they are. What runs is the
//! engine's own copy of the chunk, verified; a run that finds the VM's chunk changed makes a new one.

#![allow(unsafe_code)]

mod dispatch;
mod enter;
mod handlers;
mod leave;
mod program;
mod slow;
mod window;

use super::VM;
use super::reference::Machine;
use super::trap::{Fault, Step};
use crate::code::Code;
use crate::value::{ELEMENT_BYTES, Value};
use dispatch::{Handler, Pc, TABLE};
use program::{Program, Unit};
use window::Window;

/// Which interpreter runs a VM's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The reference interpreter while the program is cold, the register engine once it is warm.
    Auto,
    /// The reference interpreter alone: the default, until the engine has been through what the
    /// reference has been through.
    #[default]
    Reference,
    /// The register engine wherever it can, from the first op on.
    Register,
}

/// Calls and backward jumps after which a run is warm.
pub(super) const WARM: u32 = 100;

/// Registers of a new window, and calls that there is room for at first.
const FIRST_REGISTERS: usize = 512;
const FIRST_CALLS: usize = 64;

/// Registers of the largest window that is kept for the next run.
const LARGEST_SPARE: usize = 1 << 16;

/// What a VM keeps for the engine from run to run.
#[derive(Default)]
pub(super) struct EngineState {
    pub(super) choice: EngineChoice,
    /// Bytes of the window and the list of calls.
    pub(super) bytes: usize,
    program: Option<Box<Program>>,
    /// The window and list of calls of the last run, all registers dropped.
    spare: Option<(Window, Vec<CallRecord>)>,
}

impl EngineState {
    pub(super) fn with_choice(choice: EngineChoice) -> EngineState {
        EngineState {
            choice,
            ..EngineState::default()
        }
    }
}

impl std::fmt::Debug for EngineState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineState").finish_non_exhaustive()
    }
}

// SAFETY: the pointers in it point into memory that it owns itself.
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
    units: *const Unit,
    globals: *mut Value,
    constants: *const Value,
    /// Elements that an array may have.
    max_items: usize,
    table: [Handler; 256],
    /// Where to go on, for the loop that stands in for tail calls.
    resume: (Pc, *mut u8),
    exit: Exit,
    window: Window,
    calls: Vec<CallRecord>,
    /// Calls that may be active at once.
    max_calls: usize,
    /// Calls that were active when the run's outermost frame began.
    outer_calls: usize,
    program: *mut Program,
    machine: *mut Machine<'static>,
}

/// How the engine was left.
pub(super) enum Left {
    /// The reference interpreter goes on at the VM's `ip`.
    Continue,
    /// The op at the VM's `ip` ended the run.
    Fault(Fault),
    /// It was never entered: this run can't be in the engine at this place.
    Refused,
}

/// Runs on in the engine from the VM's `ip`, if that is possible.
pub(super) fn run(machine: &mut Machine<'_>, floor: usize) -> Left {
    let Some(mut program) = Program::of(machine.vm_mut()) else {
        return Left::Refused;
    };
    let spare = machine.vm_mut().engine.spare.take();
    let (window, calls) = spare.unwrap_or_else(|| {
        (
            Window::new(FIRST_REGISTERS),
            Vec::with_capacity(FIRST_CALLS),
        )
    });
    let mut activation = Activation::new(machine, &mut program, window, calls);
    let left = match enter::enter(&mut activation, floor) {
        Some((pc, base)) => {
            // SAFETY: `enter` gives an instruction of lowered code and the base of a frame that it
            // has filled as that instruction expects.
            unsafe { dispatch::run(pc, base, &raw mut activation) };
            leave::leave(&mut activation)
        }
        None => {
            let fuel = activation.fuel;
            activation.machine_vm().meter.give_slice(fuel);
            Left::Refused
        }
    };
    let Activation {
        window, mut calls, ..
    } = activation;
    calls.clear();
    let vm = machine.vm_mut();
    if window.len() <= LARGEST_SPARE {
        vm.engine.spare = Some((window, calls));
    } else {
        vm.meter.slots_dropped(vm.engine.bytes as u64);
        vm.engine.bytes = 0;
    }
    vm.engine.program = Some(program);
    left
}

impl Activation {
    fn new(
        machine: &mut Machine<'_>,
        program: &mut Program,
        mut window: Window,
        mut calls: Vec<CallRecord>,
    ) -> Activation {
        let vm = machine.vm_mut();
        if vm.globals.len() < program.globals() {
            vm.globals.resize(program.globals(), Value::Undef);
        }
        let start = window.start();
        let bytes = window.len() * size_of::<Value>();
        let max_value = vm.meter.limits().max_value / ELEMENT_BYTES;
        let bottom = calls.as_mut_ptr();
        Activation {
            fuel: vm.meter.take_slice(),
            calls_top: bottom,
            calls_end: bottom,
            calls_bottom: bottom,
            window_end: start.wrapping_add(bytes),
            units: program.units(),
            globals: vm.globals.as_mut_ptr(),
            constants: program.constants(),
            max_items: usize::try_from(max_value).unwrap_or(usize::MAX),
            table: TABLE,
            resume: (std::ptr::null(), std::ptr::null_mut()),
            exit: Exit::Running,
            window,
            calls,
            max_calls: 0,
            outer_calls: 0,
            program,
            machine: std::ptr::from_mut(machine).cast(),
        }
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

    /// Runs one op as the reference interpreter does, and notes the fault if there is one.
    fn runs_op(&mut self, pc: Pc, base: *mut u8, at: usize) -> bool {
        let fuel = self.fuel;
        self.machine_vm().meter.give_slice(fuel);
        let ran = self.machine().run_one(at);
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
        self.units = self.program().units();
        self.constants = self.program().constants();
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

    /// Makes room for `count` calls that are active already.
    fn grow_calls_to(&mut self, count: usize) -> Step {
        let active = self.active_calls();
        // SAFETY: as many records were written, from the bottom up.
        unsafe { self.calls.set_len(active) };
        self.calls.reserve(count.max(FIRST_CALLS) - active);
        self.calls_bottom = self.calls.as_mut_ptr();
        self.calls_top = self.calls_bottom.wrapping_add(active);
        let capacity = self.calls.capacity().min(self.max_calls.max(count));
        self.calls_end = self.calls_bottom.wrapping_add(capacity);
        Ok(())
    }

    /// The number of frames that are there when the run begins.
    fn machine_floor(&mut self) -> usize {
        self.machine().floor()
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
        let bytes = self.window.len() * size_of::<Value>();
        self.window_end = self.window.start().wrapping_add(bytes);
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
