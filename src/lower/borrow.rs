//! Which slots may borrow what they are set to.
//!
//! Counting a value costs more than all else in a loop such as `k = words[i]; n[k] += 1`. A slot that
//! is set to an element, an entry or a global may borrow it instead, if whoever owns it stays as it
//! is until the slot is set again. That is seen for a whole region at once: a pair of an owner and a
//! slot is chosen where some loop sets the slot from the owner and nothing in that loop changes the
//! owner. Wherever else in the region the owner may change, the slot is made to own its value first.

use super::stack::Owner;
use super::{FrameLayout, Mark};
use crate::chunk::Chunk;
use crate::op::Op;
use crate::verify::Shape;

/// The most pairs that are looked for, so that the search stays linear.
const MOST: usize = 16;

/// An owner, and the register of the slot that borrows from it.
pub(super) type Pair = (Owner, u16);

/// The pairs of a region, whose ops are `reached`, ascending, its end not among them.
pub(super) fn pairs(
    chunk: &Chunk,
    shape: &Shape,
    frame: &FrameLayout,
    marks: &[Mark],
    reached: &[u32],
) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for pair in reached.windows(2) {
        let (at, next) = (pair[0] as usize, pair[1] as usize);
        if pairs.len() == MOST {
            break;
        }
        let Some(Op::SetSlot(slot)) = chunk.ops.get(at + 1).filter(|_| next == at + 1) else {
            continue;
        };
        let register = |slot: u16| register(shape, frame, at, slot);
        let owner = match chunk.ops[at] {
            Op::ArrayGet(name) | Op::HashGet(name) => Owner::Global(name),
            Op::GetVar(name) | Op::GetArray(name) | Op::GetHash(name) => Owner::Global(name),
            Op::SlotArrayGet(from) if from != *slot => match register(from) {
                Some(from) => Owner::Register(from),
                None => continue,
            },
            _ => continue,
        };
        let Some(slot) = register(*slot) else {
            continue;
        };
        if marks[at + 1].leader || pairs.contains(&(owner, slot)) {
            continue;
        }
        if let Some((head, end)) = innermost_loop(chunk, reached, at)
            && !changes_within(chunk, shape, frame, reached, (head, end), owner)
        {
            pairs.push((owner, slot));
        }
    }
    pairs
}

fn register(shape: &Shape, frame: &FrameLayout, at: usize, slot: u16) -> Option<u16> {
    let depth = shape.scopes()[shape.scope_at(at)?].depth as usize;
    frame.slots.get(depth)?.get(usize::from(slot)).copied()
}

/// The shortest stretch of ops around `at` that a jump back closes.
fn innermost_loop(chunk: &Chunk, reached: &[u32], at: usize) -> Option<(usize, usize)> {
    let behind = reached.partition_point(|op| (*op as usize) < at);
    let loops = reached[behind..].iter().filter_map(|end| {
        let end = *end as usize;
        let head = super::jump_target(chunk.ops.get(end)?)?;
        (head <= at).then_some((head, end))
    });
    loops.min_by_key(|(head, end)| end - head)
}

/// Whether some op of the loop may change what the owner holds.
fn changes_within(
    chunk: &Chunk,
    shape: &Shape,
    frame: &FrameLayout,
    reached: &[u32],
    (head, end): (usize, usize),
    owner: Owner,
) -> bool {
    let first = reached.partition_point(|op| (*op as usize) < head);
    let ops = reached[first..].iter().map(|op| *op as usize);
    ops.take_while(|op| *op <= end).any(|at| {
        let Some(op) = chunk.ops.get(at) else {
            return false;
        };
        match owner {
            Owner::Global(name) => changes_global(op, name),
            Owner::Register(owner) => changed_slots(op)
                .into_iter()
                .flatten()
                .any(|slot| register(shape, frame, at, slot) == Some(owner)),
        }
    })
}

fn changes_global(op: &Op, global: u16) -> bool {
    match *op {
        Op::Call(..) => true,
        Op::SetVar(name)
        | Op::DeclareVar(name)
        | Op::SetArray(name)
        | Op::SetHash(name)
        | Op::DeclareArray(name)
        | Op::DeclareHash(name)
        | Op::ArraySet(name)
        | Op::ArrayPush(name)
        | Op::ArrayPop(name)
        | Op::ArrayShift(name)
        | Op::HashSet(name)
        | Op::HashDelete(name)
        | Op::PushIntRangeLoop(name, ..) => name == global,
        _ => false,
    }
}

/// The slots that the op writes.
fn changed_slots(op: &Op) -> [Option<u16>; 2] {
    match *op {
        Op::SetSlot(slot)
        | Op::SlotArraySet(slot)
        | Op::PreIncSlot(slot)
        | Op::PreIncSlotVoid(slot)
        | Op::SlotIncLtIntJumpBack(slot, ..)
        | Op::AddAssignSlotVoid(slot, _) => [Some(slot), None],
        Op::AccumSumLoop(a, b, _) => [Some(a), Some(b)],
        Op::ConcatConstLoop(_, a, b, _) => [Some(a), Some(b)],
        Op::PushIntRangeLoop(_, slot, _) => [Some(slot), None],
        _ => [None, None],
    }
}
