//! The way into the engine: a run's public frames become windows.
//!
//! The public state may have been changed by an embedder, so nothing is taken for granted: unless
//! frames and heights are those that the chunk's shape says, the run is refused and stays where it
//! is, unchanged.

use super::super::SCOPE;
use super::dispatch::Pc;
use super::window::Reg;
use super::{Activation, CallRecord};
use crate::lower::code::{Code, Place, REGISTER_BYTES};
use crate::op::Op;
use crate::value::Value;
use crate::verify::{RegionKind, Shape};
use std::ops::Range;

/// A call that is to become a window.
struct Entered {
    region: usize,
    /// Where it goes on, or the call that it has made.
    position: usize,
    /// Its frames: its own, then those of its scopes.
    frames: Range<usize>,
    /// Where its values begin on the public stack.
    stack_base: usize,
    /// How many of them are its own: the arguments of a call that it has made are the callee's.
    height: usize,
}

/// Converts the frames from `floor` - 1 up, and gives where to go on.
pub(super) fn enter(activation: &mut Activation, floor: usize) -> Option<(Pc, *mut u8)> {
    let entered = plan(activation, floor)?;
    let converted = entered.len() - 1;
    let meter = &activation.machine_vm().meter;
    let outer_calls = meter.depth().saturating_sub(converted);
    let max_depth = meter.limits().max_depth;
    activation.outer_calls = outer_calls;
    activation.max_calls = max_depth.saturating_sub(outer_calls).max(converted);
    let base = fill(activation, &entered);
    let first = entered.first()?;
    let (stack_base, frame) = (first.stack_base, first.frames.start);
    let vm = activation.machine_vm();
    vm.stack.truncate(stack_base);
    vm.truncate_frames(frame + 1);
    let last = entered.last()?;
    let pc = activation.program().instruction(last.region, last.position);
    Some((pc, base))
}

/// Finds out what each frame is, the outermost first, and lowers what isn't lowered.
fn plan(activation: &mut Activation, floor: usize) -> Option<Vec<Entered>> {
    let bottom = floor.checked_sub(1)?;
    let (frames, top, ip) = {
        let vm = activation.machine_vm();
        let bases: Vec<(usize, usize)> = vm
            .frames
            .iter()
            .map(|frame| (frame.return_ip, frame.stack_base))
            .collect();
        (bases, vm.stack.len(), vm.ip)
    };
    let mut entered: Vec<Entered> = Vec::new();
    let mut start = bottom;
    while start < frames.len() {
        let next_call = (start + 1..frames.len()).find(|place| frames[*place].0 != SCOPE);
        let end = next_call.unwrap_or(frames.len());
        let at = match next_call {
            Some(call) => frames[call].0.checked_sub(1)?,
            None => ip,
        };
        let values_end = next_call.map_or(top, |call| frames[call].1);
        entered.push(enter_frame(
            activation,
            &frames,
            start..end,
            at,
            values_end,
            next_call.is_some(),
        )?);
        start = end;
    }
    Some(entered)
}

fn enter_frame(
    activation: &mut Activation,
    frames: &[(usize, usize)],
    range: Range<usize>,
    at: usize,
    values_end: usize,
    calls: bool,
) -> Option<Entered> {
    let program = activation.program();
    let shape = program.shape();
    // Behind the last op is no region; a run that is there has ended.
    let region = shape.region_at(at)?;
    let height = shape.height_at(at)? as usize;
    let own = match (calls, program.chunk().ops.get(at)) {
        (false, _) => height,
        (true, Some(Op::Call(_, argc))) => height.checked_sub(usize::from(*argc))?,
        (true, _) => return None,
    };
    let stack_base = values_end.checked_sub(own)?;
    let is_outermost = range.start + 1 == activation.machine_floor();
    if !is_outermost && frames[range.start].1 != stack_base {
        return None;
    }
    if !scopes_fit(activation.program().shape(), frames, &range, at, stack_base) {
        return None;
    }
    if !activation.lower(region) {
        return None;
    }
    let lens: Vec<usize> = activation.machine_vm().frames[range.clone()]
        .iter()
        .map(|frame| frame.slots.len())
        .collect();
    let program = activation.program();
    let code = program.code(region)?;
    let slots_fit = lens
        .iter()
        .zip(&code.slots)
        .all(|(len, registers)| *len <= registers.len());
    if !slots_fit || lens.len() > code.slots.len() {
        return None;
    }
    let has_slots = lens[0] > 0;
    let position = if calls {
        position_of_call(code, at)?
    } else {
        let entry = program.shape().regions()[region];
        position_of(
            code,
            at,
            entry.entry,
            has_slots && entry.kind != RegionKind::Main,
        )?
    };
    Some(Entered {
        region,
        position,
        frames: range,
        stack_base,
        height: own,
    })
}

/// Whether the frames behind the first are the scopes that are open at the op.
fn scopes_fit(
    shape: &Shape,
    frames: &[(usize, usize)],
    range: &Range<usize>,
    at: usize,
    stack_base: usize,
) -> bool {
    let mut scope = shape.scope_at(at);
    for place in (range.start + 1..range.end).rev() {
        let Some(index) = scope else { return false };
        let found = shape.scopes()[index];
        if found.depth == 0 || frames[place].1 != stack_base + found.base as usize {
            return false;
        }
        scope = found.parent;
    }
    scope.is_some_and(|index| shape.scopes()[index].depth == 0)
}

/// Where an op can be gone on with.
fn position_of(code: &Code, at: usize, entry: usize, has_slots: bool) -> Option<usize> {
    let found = code
        .entries
        .binary_search_by_key(&(at as u32), |(op, _)| *op);
    match found {
        Ok(found) => Some(code.entries[found].1 as usize),
        Err(_) => (at == entry && !has_slots).then_some(0),
    }
}

/// Where the call is that the op makes.
fn position_of_call(code: &Code, at: usize) -> Option<usize> {
    code.call_of(at)
}

/// Moves the values of all frames into the window; gives the last one's base.
fn fill(activation: &mut Activation, entered: &[Entered]) -> *mut u8 {
    // Outermost first, each window as far above as its caller's call says.
    let mut offset = 0;
    for (index, frame) in entered.iter().enumerate() {
        let Some(code) = activation.program().code(frame.region) else {
            continue;
        };
        let needed = offset + code.registers as usize * REGISTER_BYTES;
        let step = usize::from(crate::lower::code::Word(code.words[frame.position]).a());
        if needed > activation.window.len() * REGISTER_BYTES {
            let start = activation.window.start();
            // Memory is looked at when fuel is.
            let _ = activation.grow_window(start, needed);
        }
        fill_frame(activation, frame, offset);
        if index + 1 < entered.len() {
            if activation.calls_top == activation.calls_end {
                let _ = activation.grow_calls_to(entered.len());
            }
            let pc = activation
                .program()
                .instruction(frame.region, frame.position);
            let record = CallRecord {
                pc,
                base_offset: step,
            };
            // SAFETY: `grow_calls_to` has made room.
            unsafe { activation.calls_top.write(record) };
            activation.calls_top = activation.calls_top.wrapping_add(1);
            offset += step;
        }
    }
    activation.window.start().wrapping_add(offset)
}

/// Moves the slots and values of one frame into its window.
fn fill_frame(activation: &mut Activation, frame: &Entered, offset: usize) {
    let base = activation.window.start().wrapping_add(offset);
    // SAFETY: the window has room for the frame's registers, and all of them hold something valid.
    let put = |register: u16, value: Value| unsafe {
        Reg(base.add(usize::from(register) * REGISTER_BYTES)).put(value);
    };
    // SAFETY: the program lives as long as the activation and isn't changed here.
    let program = unsafe { &*activation.program };
    let Some(code) = program.code(frame.region) else {
        return;
    };
    let vm = activation.machine_vm();
    for (depth, place) in frame.frames.clone().enumerate() {
        let slots = std::mem::take(&mut vm.frames[place].slots);
        vm.meter
            .slots_dropped((slots.capacity() * size_of::<Value>()) as u64);
        let mut slots = slots.into_iter();
        for register in code.slots.get(depth).into_iter().flatten() {
            put(*register, slots.next().unwrap_or_default());
        }
    }
    let values = frame.stack_base..frame.stack_base + frame.height;
    let values = vm.stack[values].iter_mut().map(std::mem::take);
    let is_fresh = frame.position == 0;
    let map = code.map_at(frame.position);
    for (position, value) in values.enumerate() {
        let register = match map.and_then(|map| map.get(position)) {
            Some(Place::Register(register)) if *register >= code.homes => *register,
            Some(_) => continue,
            None if is_fresh => position as u16,
            None => code.homes + position as u16,
        };
        put(register, value);
    }
}
