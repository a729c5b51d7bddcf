//! The way out of the engine: windows become the VM's public frames.
//!
//! Values are moved, not copied, so that what was unshared still is. No register holds anything
//! counted afterwards, and the activation is ready for another run.

use super::super::{Frame, SCOPE, VM};
use super::program::Program;
use super::window::{Reg, tag};
use super::{Activation, Exit};
use crate::lower::code::{Place, REGISTER_BYTES, Rop, Word};
use crate::lower::{FALSE_WORD, TRUE_WORD, jump_target};
use crate::op::Op;
use crate::value::Value;
use crate::verify::Shape;
use crate::vm::trap::Fault;

/// Writes the run's state back, as the exit says, and gives the fault that ended it, if one did.
pub(super) fn publish(activation: &mut Activation) -> Option<Fault> {
    let (pc, base, fault) = match std::mem::replace(&mut activation.exit, Exit::Running) {
        Exit::Left(pc, base) => (pc, base, None),
        Exit::Fault(pc, base, fault) => (pc, base, Some(fault)),
        Exit::Running => return None,
    };
    let calls = activation.active_calls();
    let start = activation.window.start();
    let mut from = start;
    let mut program: *const Program = activation.first_program;
    for index in 0..calls {
        // SAFETY: as many records were written.
        let record = unsafe { *activation.calls_bottom.add(index) };
        let at = write_frame(activation, program, record.pc, from, true);
        if index == 0 {
            activation.machine().fence_call();
        }
        let vm = activation.machine_vm();
        let stack_base = vm.stack.len();
        vm.frames.push(Frame {
            return_ip: at + 1,
            stack_base,
            slots: Vec::new(),
        });
        // SAFETY: the record's instruction is one of the program's code.
        let (word, caller) = unsafe { (Word(*record.pc), &*program) };
        if word.op() == Rop::CallLinked {
            let link = caller.link(word.b());
            activation.machine().note_link(link.place, link.wants);
            program = link.program;
        }
        from = from.wrapping_add(record.base_offset);
    }
    debug_assert_eq!(from, base);
    let at = write_frame(activation, program, pc, base, false);
    clear(activation, pc, base);
    let outer_calls = activation.outer_calls;
    let vm = activation.machine_vm();
    vm.ip = at;
    vm.meter.set_depth(outer_calls + calls);
    fault
}

/// Writes the slots and values of a frame of the program whose public frame is the last one, with the scopes that
/// are open in it. Gives its op. A frame that `calls` has given its arguments away.
fn write_frame(
    activation: &mut Activation,
    program: *const Program,
    pc: *const u64,
    base: *mut u8,
    calls: bool,
) -> usize {
    // SAFETY: programs live as long as there are frames in the engine, and aren't changed here.
    let program = unsafe { &*program };
    let (region, position) = program.locate(pc);
    let Some(code) = program.code(region) else {
        return 0;
    };
    let at = code.ops[position] as usize;
    let op = program.chunk().ops.get(at);
    let vm = activation.machine_vm();
    let stack_base = vm.stack.len();
    if let Some(map) = code.map_at(position) {
        let own = match op {
            Some(Op::Call(_, argc)) if calls => map.len() - usize::from(*argc),
            _ => map.len(),
        };
        write_values(
            vm,
            &map[..own],
            code.homes,
            base,
            &program.chunk().constants,
        );
    } else if let Some(height) = height_at_jump(program.shape(), op, at) {
        // All values are at home where a jump or branch is.
        let homes = code.homes..code.homes + height as u16;
        // SAFETY: they are registers of the frame.
        vm.stack
            .extend(homes.map(|home| unsafe { register(base, home).take() }));
    }
    let word = Word(code.words[position]);
    #[cfg(feature = "jit")]
    debug_assert!(
        crate::jit::stops_at(word.op()),
        "native code takes {:?} for an instruction where no run stops",
        word.op()
    );
    let scope = match word.op() {
        // At a region's end no scope is on record.
        Rop::Leave => Some(word.wide() as usize),
        Rop::End => Some(code.words[position + 1] as usize),
        _ => program.shape().scope_at(at),
    };
    let scopes = program.shape().scopes();
    let depth = scope.map_or(0, |scope| scopes[scope].depth as usize);
    let own = vm.frames.len();
    for _ in 0..depth {
        vm.frames.push(Frame {
            return_ip: SCOPE,
            stack_base,
            slots: Vec::new(),
        });
    }
    let mut open = scope;
    for depth in (0..=depth).rev() {
        let place = own + depth - 1;
        if let Some(index) = open.filter(|_| depth > 0) {
            vm.frames[place].stack_base = stack_base + scopes[index].base as usize;
            open = scopes[index].parent;
        }
        write_slots(vm, place, code.slots.get(depth), base);
    }
    at
}

/// How many values are left when the op at `at` jumps, if it does.
fn height_at_jump(shape: &Shape, op: Option<&Op>, at: usize) -> Option<u32> {
    match jump_target(op?)? {
        back if back <= at => shape.height_at(back),
        _ => None,
    }
}

/// The register of this number.
///
/// # Safety
/// The frame at the base has it.
unsafe fn register(base: *mut u8, number: u16) -> Reg {
    // SAFETY: the caller's promise.
    Reg(unsafe { base.add(usize::from(number) * REGISTER_BYTES) })
}

/// Pushes the values that are at these places.
fn write_values(vm: &mut VM, places: &[Place], homes: u16, base: *mut u8, constants: &[Value]) {
    let bottom = vm.stack.len();
    vm.stack.resize(bottom + places.len(), Value::Undef);
    // From the top down: the same as one below is copied before that is moved.
    for (position, place) in places.iter().enumerate().rev() {
        vm.stack[bottom + position] = match *place {
            // SAFETY: places name registers of the frame, and those hold something valid.
            Place::Register(number) => unsafe {
                let register = register(base, number);
                if usize::from(number) == usize::from(homes) + position {
                    register.take()
                } else {
                    register.counted()
                }
            },
            Place::Int(n) => Value::Int(n),
            Place::Float(f) => Value::Float(f),
            Place::Word(TRUE_WORD) => Value::Bool(true),
            Place::Word(FALSE_WORD) => Value::Bool(false),
            Place::Word(_) => Value::Undef,
            Place::Const(index) => constants[usize::from(index)].clone(),
        };
    }
}

/// Moves slots into the public frame at `place`. What lies above them there stays.
fn write_slots(vm: &mut VM, place: usize, registers: Option<&Vec<u16>>, base: *mut u8) {
    let (Some(registers), Some(frame)) = (registers, vm.frames.get_mut(place)) else {
        return;
    };
    // SAFETY: slots are registers of the frame, and those hold something valid.
    let slot = |number: u16| unsafe { register(base, number) };
    let used = registers.iter().rposition(|number| {
        // SAFETY: as above.
        unsafe { slot(*number).tag() != tag::UNDEF }
    });
    let used = used.map_or(0, |last| last + 1);
    let before = frame.slots.capacity();
    if frame.slots.len() < used {
        frame.slots.resize(used, Value::Undef);
    }
    let grown = frame.slots.capacity() - before;
    for (value, number) in frame.slots.iter_mut().zip(registers) {
        // SAFETY: as above.
        *value = unsafe { slot(*number).take() };
    }
    vm.meter.slots_grown((grown * size_of::<Value>()) as u64);
}

/// Drops what registers still hold.
fn clear(activation: &mut Activation, pc: *const u64, base: *mut u8) {
    let (region, _) = activation.program().locate(pc);
    let registers = activation
        .program()
        .code(region)
        .map_or(0, |code| code.registers as usize);
    let start = activation.window.start();
    let end = base.addr() - start.addr() + registers * REGISTER_BYTES;
    for offset in (0..end).step_by(REGISTER_BYTES) {
        // SAFETY: within the window, whose registers hold something valid.
        unsafe { Reg(start.add(offset)).clear() };
    }
}
