//! The way out of the engine: windows become the VM's public frames.

use super::super::{Frame, SCOPE};
use super::window::Reg;
use super::{Activation, Exit, Left};
use crate::lower::code::{Code, Place, REGISTER_BYTES, Rop, Word};
use crate::op::Op;
use crate::value::Value;

/// Writes the run's state back, as the exit says.
pub(super) fn leave(activation: &mut Activation) -> Left {
    let (pc, base, fault) = match std::mem::replace(&mut activation.exit, Exit::Running) {
        Exit::Left(pc, base) => (pc, base, None),
        Exit::Fault(pc, base, fault) => (pc, base, Some(fault)),
        Exit::Running => return Left::Refused,
    };
    let fuel = activation.fuel;
    activation.machine_vm().meter.give_slice(fuel);
    let calls = activation.active_calls();
    let mut from = activation.window.start();
    for index in 0..calls {
        // SAFETY: as many records were written.
        let record = unsafe { *activation.calls_bottom.add(index) };
        let at = write_frame(activation, record.pc, from, true);
        let vm = activation.machine_vm();
        let stack_base = vm.stack.len();
        vm.frames.push(Frame {
            return_ip: at + 1,
            stack_base,
            slots: Vec::new(),
        });
        from = from.wrapping_add(record.base_offset);
    }
    debug_assert_eq!(from, base);
    let at = write_frame(activation, pc, base, false);
    clear(activation, pc, base);
    let outer_calls = activation.outer_calls;
    let vm = activation.machine_vm();
    vm.ip = at;
    vm.meter.set_depth(outer_calls + calls);
    match fault {
        Some(fault) => Left::Fault(fault),
        None => Left::Continue,
    }
}

/// Writes the slots and values of a frame whose public frame is the last one. Gives its op.
fn write_frame(activation: &mut Activation, pc: *const u64, base: *mut u8, calls: bool) -> usize {
    // SAFETY: the program lives as long as the activation and isn't changed here.
    let program = unsafe { &*activation.program };
    let (region, position) = program.locate(pc);
    let Some(code) = program.code(region) else {
        return 0;
    };
    let at = code.ops[position] as usize;
    let shape = program.shape();
    let mut scopes = Vec::new();
    let word = Word(code.words[position]);
    let mut scope = match word.op() {
        // Behind the last op, where it can be, no scope is on record.
        Rop::Leave => Some(word.wide() as usize),
        _ => shape.scope_at(at),
    };
    while let Some(index) = scope {
        scopes.push(shape.scopes()[index]);
        scope = shape.scopes()[index].parent;
    }
    let vm = activation.machine_vm();
    let stack_base = vm.stack.len();
    // SAFETY: the registers are within the frame's window and hold something valid.
    let read =
        |register: u16| unsafe { Reg(base.add(usize::from(register) * REGISTER_BYTES)).counted() };
    if let Some(places) = places(
        code,
        position,
        program.chunk().ops.get(at),
        shape.height_at(at),
    ) {
        let own = match program.chunk().ops.get(at) {
            Some(Op::Call(_, argc)) if calls => places.len() - usize::from(*argc),
            _ => places.len(),
        };
        vm.stack
            .extend(places[..own].iter().map(|place| match *place {
                Place::Register(register) => read(register),
                Place::Int(n) => Value::Int(n),
                Place::Float(f) => Value::Float(f),
                Place::Word(crate::lower::TRUE_WORD) => Value::Bool(true),
                Place::Word(crate::lower::FALSE_WORD) => Value::Bool(false),
                Place::Word(_) => Value::Undef,
                Place::Const(index) => program.chunk().constants[usize::from(index)].clone(),
            }));
    }
    for (depth, scope) in scopes.iter().rev().enumerate() {
        if depth > 0 {
            vm.frames.push(Frame {
                return_ip: SCOPE,
                stack_base: stack_base + scope.base as usize,
                slots: Vec::new(),
            });
        }
        let registers = code.slots.get(depth).map_or(&[][..], Vec::as_slice);
        let mut slots: Vec<Value> = registers.iter().map(|register| read(*register)).collect();
        while matches!(slots.last(), Some(Value::Undef)) {
            slots.pop();
        }
        vm.meter
            .slots_grown((slots.capacity() * size_of::<Value>()) as u64);
        if let Some(frame) = vm.frames.last_mut() {
            frame.slots = slots;
        }
    }
    at
}

/// The places of a frame's values at an instruction. Where none are recorded all are in their homes
/// if it is a jump; in the middle of another op they aren't known.
fn places(
    code: &Code,
    position: usize,
    op: Option<&Op>,
    height: Option<u32>,
) -> Option<Vec<Place>> {
    if let Some(map) = code.map_at(position) {
        return Some(map.to_vec());
    }
    let (Some(Op::Jump(_)), Some(height)) = (op, height) else {
        return None;
    };
    let homes = code.homes..code.homes + height as u16;
    Some(homes.map(Place::Register).collect())
}

/// Drops what registers hold, so that the window can be used again.
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
