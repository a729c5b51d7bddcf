//! What verification finds out about a strict chunk.

use super::{MAX_HEIGHT, step::Step};
use crate::op::Needs;

/// Stands for "none" in tables of 32-bit indices.
pub(super) const NONE: u32 = u32::MAX;

/// What must hold before an op on every path to it: the innermost scope, and the height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

impl State {
    /// That of an op that no path has reached.
    pub(super) const NONE: State = State(u64::MAX);

    /// Marks the state of an op that a jump has reached and no path gone through.
    const PENDING: u64 = 1 << 63;

    pub(super) fn new(scope: usize, height: u32) -> State {
        State((scope as u64) << 32 | u64::from(height))
    }

    pub(super) fn pending(self) -> State {
        State(self.0 | State::PENDING)
    }

    pub(super) fn is_pending(self) -> bool {
        self.0 & State::PENDING != 0
    }

    /// The same, without the mark.
    pub(super) fn settled(self) -> State {
        State(self.0 & !State::PENDING)
    }

    /// The index of the scope.
    pub(super) fn scope(self) -> usize {
        (self.settled().0 >> 32) as usize
    }

    pub(super) fn height(self) -> u32 {
        self.0 as u32
    }

    /// The state after an op that finds this one, which has the values that it takes.
    #[inline]
    pub(super) fn plus(self, step: Step) -> State {
        State(self.0 - u64::from(step.pops()) + u64::from(step.pushes()))
    }

    /// The one that isn't `NONE`; without meaning if they are two states that differ.
    #[inline]
    pub(super) fn or(self, other: State) -> State {
        State(self.0 & other.0)
    }

    /// Whether they are two states, and not the same.
    #[inline]
    pub(super) fn differs(self, other: State) -> bool {
        // `NONE` is the one with the sign.
        (self.0 ^ other.0) as i64 > 0
    }
}

/// The shape of a strict chunk: how high the stack is at each op, and what belongs to what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// What holds before each op.
    pub(super) states: Vec<State>,
    pub(super) scopes: Vec<Scope>,
    pub(super) regions: Vec<Region>,
    pub(super) subs: Vec<SubShape>,
    /// The region of each block, `NONE` if no reachable op uses it; empty where no block is used.
    pub(super) region_of_block: Vec<u32>,
    pub(super) needs: NeedSet,
}

/// Code with a stack and an entry of its own: the main program, a sub or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Whose code it is.
    pub kind: RegionKind,
    /// The op that it begins with; the number of ops for an empty block at the end.
    pub entry: usize,
    /// The height that it begins with.
    pub entry_height: u32,
    /// The greatest height within it.
    pub height: u32,
    /// The index of its outermost scope, which is open from its entry to its end.
    pub scope: usize,
}

/// Whose code a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionKind {
    /// The main program, from op 0 on.
    Main,
    /// The sub in this row of the table of subs.
    Sub(usize),
    /// The block in this row of the table of blocks; it shares the slots of the scope that uses it.
    Block(usize),
}

/// A stretch of execution with slots of its own: a region's outermost one, or what is between a
/// `PushFrame` and its `PopFrame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The `PushFrame` that opens it; `None` for a region's outermost scope.
    pub opened_by: Option<usize>,
    /// The index of the scope around it within the region.
    pub parent: Option<usize>,
    /// The index of its region.
    pub region: usize,
    /// The height when it is opened, below which its ops don't reach; 0 for an outermost one.
    pub base: u32,
    /// How many scopes are around it within the region.
    pub depth: u32,
    /// The number of slots that its ops name: the greatest index plus 1, or 0.
    pub slots: u32,
}

/// What is known of a sub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubShape {
    /// How many arguments it takes: its entry height.
    pub argc: u8,
    /// What a call of it leaves.
    pub returns: Arity,
    /// The index of its region.
    pub region: usize,
}

/// What a sub leaves on its caller's stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arity {
    /// It never returns; a call of it is taken to leave nothing.
    #[default]
    Never,
    /// Nothing: it ends with `Return`.
    None,
    /// One value: it ends with `ReturnValue`.
    Value,
}

/// A set of capabilities that ops need of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NeedSet(pub(super) u8);

impl NeedSet {
    /// Whether the capability is in the set; `Needs::None` always is.
    pub fn contains(self, needs: Needs) -> bool {
        self.0 & need_bit(needs) == need_bit(needs)
    }

    /// Whether nothing beyond the standard streams is needed.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The bit of a capability in a [`NeedSet`].
pub(super) const fn need_bit(needs: Needs) -> u8 {
    match needs {
        Needs::None => 0,
        Needs::Exec => 1,
        Needs::Read => 2,
        Needs::Write => 4,
        Needs::Env => 8,
    }
}

impl Shape {
    /// Clears what the flow finds out, for so many ops.
    pub(super) fn begin(&mut self, ops: usize) {
        self.states.clear();
        self.states.resize(ops, State::NONE);
        self.scopes.clear();
        self.regions.clear();
        self.region_of_block.clear();
        self.needs = NeedSet::default();
    }

    /// Adds a region with its outermost scope, of which it gives the index.
    pub(super) fn open_region(&mut self, kind: RegionKind, entry: usize, height: u32) -> usize {
        let scope = self.scopes.len();
        self.scopes.push(Scope {
            opened_by: None,
            parent: None,
            region: self.regions.len(),
            base: 0,
            depth: 0,
            slots: 0,
        });
        self.regions.push(Region {
            kind,
            entry,
            entry_height: height,
            height,
            scope,
        });
        scope
    }

    /// Adds a scope within another and gives its index; `None` if too many are open.
    pub(super) fn open_scope(&mut self, by: usize, parent: usize, base: u32) -> Option<usize> {
        let Scope { region, depth, .. } = self.scopes[parent];
        if depth == MAX_HEIGHT {
            return None;
        }
        self.scopes.push(Scope {
            opened_by: Some(by),
            parent: Some(parent),
            region,
            base,
            depth: depth + 1,
            slots: 0,
        });
        Some(self.scopes.len() - 1)
    }

    /// The greatest height that the stack of any region has.
    pub fn height(&self) -> u32 {
        let heights = self.regions.iter().map(|region| region.height);
        heights.max().unwrap_or(0)
    }

    /// The height before the op, counted from the base of its region's frame; `None` if no path
    /// leads there.
    pub fn height_at(&self, op: usize) -> Option<u32> {
        Some(self.state_at(op)?.height())
    }

    /// The index of the innermost scope open before the op; `None` if no path leads there.
    pub fn scope_at(&self, op: usize) -> Option<usize> {
        Some(self.state_at(op)?.scope())
    }

    fn state_at(&self, op: usize) -> Option<State> {
        let state = *self.states.get(op)?;
        (state != State::NONE).then_some(state)
    }

    /// The index of the region that the op belongs to; `None` if no path leads there.
    pub fn region_at(&self, op: usize) -> Option<usize> {
        Some(self.scopes[self.scope_at(op)?].region)
    }

    /// The regions: the main program, then each sub in the order of the table of subs, then the
    /// blocks that are used, in the order in which they were reached.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The index of the block's region; `None` if no reachable op uses it.
    pub fn region_of_block(&self, block: usize) -> Option<usize> {
        let region = *self.region_of_block.get(block)?;
        (region != NONE).then_some(region as usize)
    }

    /// Every scope, each behind the one around it.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The subs, in the order of their table.
    pub fn subs(&self) -> &[SubShape] {
        &self.subs
    }

    /// What the reachable ops need of the host.
    pub fn needs(&self) -> NeedSet {
        self.needs
    }
}
