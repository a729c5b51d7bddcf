//! The way into the engine: the innermost call's public frames become a window.
//!
//! The public state may have been changed by an embedder or a handler, so nothing is taken for
//! granted: unless frames and heights are those that the chunk's shape says, the run is refused and
//! stays where it is, unchanged. The callers stay public frames until control returns to them.

use super::super::SCOPE;
use super::Activation;
use super::dispatch::Pc;
use super::window::Reg;
use crate::lower::code::{Code, REGISTER_BYTES};
use crate::value::Value;
use crate::verify::{Region, RegionKind, Shape};
use crate::vm::Frame;
use crate::vm::reference::Innermost;

/// A call that is to become a window.
struct Plan {
    region: usize,
    /// Where it goes on.
    position: usize,
    /// Its own frame; those of its scopes follow.
    frame: usize,
    /// Where its values begin on the public stack.
    stack_base: usize,
    /// The first of the registers that they go to.
    values: u16,
}

/// Takes up the innermost call at the VM's `ip`, and gives where to go on; `None` if that can't be.
pub(super) fn enter(activation: &mut Activation) -> Option<(Pc, *mut u8)> {
    let plan = plan(activation)?;
    let code = activation.program().code(plan.region)?;
    let needed = code.registers as usize * REGISTER_BYTES;
    if needed > activation.window.len() * REGISTER_BYTES {
        let start = activation.window.start();
        // Memory is looked at when fuel is.
        let _ = activation.grow_window(start, needed);
    }
    activation.expect_calls();
    fill(activation, &plan);
    let pc = activation.program().instruction(plan.region, plan.position);
    Some((pc, activation.window.start()))
}

/// Finds out what the innermost call is, and lowers its region if it isn't lowered.
fn plan(activation: &mut Activation) -> Option<Plan> {
    let innermost = activation.machine().innermost()?;
    let vm = activation.machine_vm();
    let (ip, top) = (vm.ip, vm.stack.len());
    let shape = activation.program().shape();
    // Behind the last op is no region; a run that is there has ended.
    let index = shape.region_at(ip)?;
    let region = shape.regions()[index];
    let stack_base = top.checked_sub(shape.height_at(ip)? as usize)?;
    if innermost.stack_base.is_some_and(|base| base != stack_base) || !is_of(&region, &innermost) {
        return None;
    }
    let frame = innermost.frame;
    if !activation.lower(index) {
        return None;
    }
    // SAFETY: the program lives as long as the activation and isn't changed here.
    let program = unsafe { &*activation.program };
    let frames = &activation.machine_vm().frames[frame..];
    let (is_fresh, depth) = (frames[0].slots.is_empty(), frames.len());
    if !scopes_fit(program.shape(), frames, ip, stack_base) {
        return None;
    }
    let code = program.code(index)?;
    if code.slots.len() < depth || !slots_fit(code, frames) {
        return None;
    }
    let position = position_of(code, ip, &region, is_fresh)?;
    // A sub's arguments come in its first registers.
    let is_call = position == 0 && matches!(region.kind, RegionKind::Sub(_));
    Some(Plan {
        region: index,
        position,
        frame,
        stack_base,
        values: if is_call { 0 } else { code.homes },
    })
}

/// Whether the region is one that such a call runs.
fn is_of(region: &Region, innermost: &Innermost) -> bool {
    match region.kind {
        RegionKind::Main | RegionKind::Sub(_) => innermost.block.is_none(),
        RegionKind::Block(_) => innermost.block == Some(region.entry),
    }
}

/// Whether the frames behind the first are the scopes that are open at the op.
fn scopes_fit(shape: &Shape, frames: &[Frame], at: usize, stack_base: usize) -> bool {
    let mut scope = shape.scope_at(at);
    for frame in frames[1..].iter().rev() {
        let Some(index) = scope else { return false };
        let found = shape.scopes()[index];
        let fits = frame.return_ip == SCOPE
            && found.depth > 0
            && frame.stack_base == stack_base + found.base as usize;
        if !fits {
            return false;
        }
        scope = found.parent;
    }
    scope.is_some_and(|index| shape.scopes()[index].depth == 0)
}

/// Whether the scopes have nothing above the slots that the code knows of. In the first frame that
/// stays where it is.
fn slots_fit(code: &Code, frames: &[Frame]) -> bool {
    let mut scopes = frames.iter().zip(&code.slots).skip(1);
    scopes.all(|(frame, registers)| {
        let above = frame.slots.get(registers.len()..).unwrap_or_default();
        above.iter().all(|value| matches!(value, Value::Undef))
    })
}

/// Where an op can be gone on with. A sub that begins clears its slots, so it may have none yet.
fn position_of(code: &Code, at: usize, region: &Region, is_fresh: bool) -> Option<usize> {
    let found = code
        .entries
        .binary_search_by_key(&(at as u32), |(op, _)| *op);
    let keeps_slots = !matches!(region.kind, RegionKind::Sub(_));
    match found {
        Ok(found) => Some(code.entries[found].1 as usize),
        Err(_) => (at == region.entry && (is_fresh || keeps_slots)).then_some(0),
    }
}

/// Moves slots and values into the window. The frame itself stays, to be written to again; those of
/// its scopes go.
fn fill(activation: &mut Activation, plan: &Plan) {
    let base = activation.window.start();
    // SAFETY: the window has room for the frame's registers, and all of them hold something valid.
    let put = |register: u16, value: Value| unsafe {
        Reg(base.add(usize::from(register) * REGISTER_BYTES)).put(value);
    };
    // SAFETY: the program lives as long as the activation and isn't changed here.
    let program = unsafe { &*activation.program };
    let Some(code) = program.code(plan.region) else {
        return;
    };
    let vm = activation.machine_vm();
    for (frame, registers) in vm.frames[plan.frame..].iter_mut().zip(&code.slots) {
        let mut slots = frame.slots.iter_mut();
        for register in registers {
            put(
                *register,
                slots.next().map(std::mem::take).unwrap_or_default(),
            );
        }
    }
    let values = vm.stack[plan.stack_base..].iter_mut().map(std::mem::take);
    for (position, value) in values.enumerate() {
        put(plan.values + position as u16, value);
    }
    vm.stack.truncate(plan.stack_base);
    vm.truncate_frames(plan.frame + 1);
}
