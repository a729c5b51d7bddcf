//! Which slots may borrow what they are set to.
//!
//! Counting a value costs more than all else in a loop such as `k = words[i]; n[k] += 1`. A slot that
//! is set to an element, an entry or a global may borrow it instead, if whoever owns it stays as it
//! is until the slot is set again. That is seen for a whole region at once: a pair of an owner and a
//! slot is chosen where some loop sets the slot from the owner and nothing in that loop changes the
//! owner. Wherever else in the region the owner may change, the slot is made to own its value first.

use super::stack::Owner;
use super::{FrameLayout, Lowering, Reached, mark};
use crate::chunk::Chunk;
use crate::op::Op;
use crate::verify::Shape;

/// The most pairs that are looked for, and the most stores that are looked at for them, so that the
/// search stays linear.
const MOST: usize = 16;
const MOST_STORES: usize = 64;

/// An owner, and the register of the slot that borrows from it.
pub(super) type Pair = (Owner, u16);

/// What is looked through.
struct Search<'a> {
    chunk: &'a Chunk,
    shape: &'a Shape,
    frame: &'a FrameLayout,
    lowering: &'a Lowering,
    reached: &'a Reached,
    /// Where the region ends.
    end: usize,
    /// The stretches of ops that a jump back closes: the first and the last op.
    loops: Vec<(usize, usize)>,
}

/// The pairs of the region that was reached, which ends at `end`.
pub(super) fn pairs(
    chunk: &Chunk,
    shape: &Shape,
    frame: &FrameLayout,
    lowering: &Lowering,
    reached: &Reached,
    end: usize,
) -> Vec<Pair> {
    let has_slots = frame.slots.iter().any(|slots| !slots.is_empty());
    if reached.back_jumps.is_empty() || !has_slots {
        return Vec::new();
    }
    let ends = reached.back_jumps.iter().map(|at| *at as usize);
    let loops = ends.filter_map(|end| Some((super::jump_target(&chunk.ops[end])?, end)));
    let search = Search {
        chunk,
        shape,
        frame,
        lowering,
        reached,
        end,
        loops: loops.collect(),
    };
    if search.loops.is_empty() {
        return Vec::new();
    }
    search.pairs()
}

impl Search<'_> {
    fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = Vec::new();
        let stores = self.ops(0).filter_map(|next| {
            let Op::SetSlot(slot) = self.chunk.ops[next] else {
                return None;
            };
            let at = next.checked_sub(1)?;
            let reached = self.reached.marks[at] & mark::REACHED != 0;
            let follows = reached && !self.reached.is_leader(next);
            follows.then_some((at, self.pair(at, slot)?))
        });
        for (at, pair) in stores.take(MOST_STORES) {
            if pairs.len() < MOST
                && !pairs.contains(&pair)
                && let Some(found) = self.innermost_loop(at)
                && !self.changes_within(found, pair.0)
            {
                pairs.push(pair);
            }
        }
        pairs
    }

    /// The owner that the op at `at` reads, and the slot that gets what it read.
    fn pair(&self, at: usize, slot: u16) -> Option<Pair> {
        let owner = match self.chunk.ops[at] {
            Op::ArrayGet(name)
            | Op::HashGet(name)
            | Op::GetVar(name)
            | Op::GetArray(name)
            | Op::GetHash(name) => Owner::Global(self.lowering.global(name)),
            Op::SlotArrayGet(from) if from != slot => Owner::Register(self.register(at, from)?),
            _ => return None,
        };
        Some((owner, self.register(at, slot)?))
    }

    /// The ops of the region from `first` on, but for its end.
    fn ops(&self, first: usize) -> impl Iterator<Item = usize> {
        let stretches = &self.reached.stretches;
        let begin = stretches.partition_point(|(_, behind)| (*behind as usize) <= first);
        let ops = stretches[begin..]
            .iter()
            .flat_map(|(start, behind)| *start as usize..*behind as usize);
        ops.filter(move |op| *op >= first && *op != self.end)
    }

    fn register(&self, at: usize, slot: u16) -> Option<u16> {
        let depth = self.shape.scopes()[self.shape.scope_at(at)?].depth as usize;
        let slots = self.frame.slots.get(depth)?;
        slots.get(usize::from(slot)).copied()
    }

    /// The shortest loop around `at`.
    fn innermost_loop(&self, at: usize) -> Option<(usize, usize)> {
        let around = self.loops.iter().copied();
        let around = around.filter(|(head, end)| (*head..=*end).contains(&at));
        around.min_by_key(|(head, end)| end - head)
    }

    /// Whether some op of the loop may change what the owner holds.
    fn changes_within(&self, (head, end): (usize, usize), owner: Owner) -> bool {
        self.ops(head).take_while(|op| *op <= end).any(|at| {
            let op = &self.chunk.ops[at];
            match owner {
                Owner::Global(global) => {
                    let changed = changed_global(op).map(|name| self.lowering.global(name));
                    changed == Some(global) || matches!(op, Op::Call(..))
                }
                Owner::Register(owner) => {
                    let mut slots = changed_slots(op).into_iter().flatten();
                    slots.any(|slot| self.register(at, slot) == Some(owner))
                }
            }
        })
    }
}

/// The name of the global that the op writes or changes.
fn changed_global(op: &Op) -> Option<u16> {
    match *op {
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
        | Op::PushIntRangeLoop(name, ..) => Some(name),
        _ => None,
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
