//! The fourth stage (4.5): heights and scopes along every path.

use super::{
    CodeView, MAX_HEIGHT, Verifier,
    arity::{arity_of, join_arity, two_arities},
    error::{Full, Reports},
    operands::{Callee, import_step},
    shape::{Arity, NONE, RegionKind, Scope, State},
    step::{Class, Step, slots, target},
};
use crate::{code::Code, op::Op};
use std::ops::Range;

/// What an op expects of the block that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockRule {
    /// How many values it puts on the block's stack.
    entry_height: u32,
    /// Whether the block must leave exactly one value; else what it leaves is dropped.
    leaves_one: bool,
}

/// The first reachable use of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockUse {
    rule: BlockRule,
    /// The op that uses it.
    op: usize,
}

/// The block that an op runs, and what it expects of it.
pub(super) fn block_use(op: &Op) -> Option<(u16, BlockRule)> {
    let (block, entry_height, leaves_one) = match *op {
        Op::MapBlock(block) | Op::GrepBlock(block) => (block, 1, true),
        Op::SortBlock(block) => (block, 2, true),
        Op::ForEachBlock(block) => (block, 1, false),
        Op::CmdSubst(block)
        | Op::ProcessSubIn(block)
        | Op::ProcessSubOut(block)
        | Op::TrapSet(block) => (block, 0, false),
        _ => return None,
    };
    let rule = BlockRule {
        entry_height,
        leaves_one,
    };
    Some((block, rule))
}

/// Checks the paths of every region: the main program, the subs, and the blocks that are used.
pub(super) fn check(
    verifier: &mut Verifier,
    view: &CodeView<'_>,
    reports: &mut Reports,
) -> Result<(), Full> {
    verifier.shape.begin(view.ops.len());
    verifier.uses.clear();
    verifier.pending.clear();
    let mut walk = Walk {
        verifier,
        view,
        reports,
        kind: RegionKind::Main,
        range: 0..view.ops.len(),
        root: 0,
        leaves_one: false,
        height: 0,
    };
    // Main program and subs have the range of all ops.
    walk.walk(RegionKind::Main, 0, 0, 0)?;
    for (row, sub) in view.subs.iter().enumerate() {
        let height = u32::from(walk.verifier.shape.subs[row].argc);
        walk.walk(RegionKind::Sub(row), sub.entry, height, sub.entry)?;
    }
    while let Some(block) = walk.verifier.pending.pop_front() {
        walk.block(block as usize)?;
    }
    Ok(())
}

/// The walk through the paths of one region after the other.
struct Walk<'w, 'v> {
    verifier: &'w mut Verifier,
    view: &'w CodeView<'v>,
    reports: &'w mut Reports,
    /// The region at hand.
    kind: RegionKind,
    /// Its first op if it is a block, else 0, and the op behind its last.
    range: Range<usize>,
    /// Its outermost scope.
    root: usize,
    /// Whether it is a block that must leave one value.
    leaves_one: bool,
    /// Its greatest height so far.
    height: u32,
}

/// Where a path is.
#[derive(Clone, Copy)]
struct Path {
    /// The op that it comes to.
    at: usize,
    /// What holds there.
    state: State,
    /// The height that the innermost scope began with.
    base: u32,
    /// How many slots the path's ops in the scope name.
    slots: u32,
}

impl Walk<'_, '_> {
    /// Walks through a block that is used.
    fn block(&mut self, block: usize) -> Result<(), Full> {
        let Some(BlockUse { rule, op }) = self.verifier.uses[block] else {
            return Ok(());
        };
        let (start, end) = self.view.blocks[block];
        self.range = start..end;
        self.leaves_one = rule.leaves_one;
        self.verifier.shape.region_of_block[block] = self.verifier.shape.regions.len() as u32;
        self.walk(RegionKind::Block(block), start, rule.entry_height, op)
    }

    /// Walks through a region; errors of its entry are reported at op `by`.
    fn walk(&mut self, kind: RegionKind, entry: usize, height: u32, by: usize) -> Result<(), Full> {
        let region = self.verifier.shape.regions.len();
        self.kind = kind;
        self.root = self.verifier.shape.open_region(kind, entry, height);
        self.height = height;
        self.verifier.work.clear();
        if self.arrive(by, entry, State::new(self.root, height))? {
            self.path(entry)?;
        }
        while let Some(at) = self.verifier.work.pop() {
            let at = at as usize;
            if self.verifier.shape.states[at].is_pending() {
                self.verifier.shape.states[at] = self.verifier.shape.states[at].settled();
                self.path(at)?;
            }
        }
        self.verifier.shape.regions[region].height = self.height;
        Ok(())
    }

    /// Follows a path from an op whose state is noted, until it ends or meets another.
    fn path(&mut self, at: usize) -> Result<(), Full> {
        let state = self.verifier.shape.states[at];
        let mut path = Path {
            at,
            state,
            base: self.verifier.shape.scopes[state.scope()].base,
            slots: 0,
        };
        loop {
            self.glide(&mut path);
            if !self.look_at(&mut path)? {
                self.note_slots(&path);
                return Ok(());
            }
        }
    }

    /// Follows a path as long as it meets nothing but plain ops and jumps to where it may go on: the
    /// common case of [`look_at`](Self::look_at), with all that it needs in registers. Stops at the
    /// first op that is more than that, having done nothing of what it does.
    fn glide(&mut self, path: &mut Path) {
        let range = self.range.clone();
        let first = range.start;
        let steps = &self.verifier.steps[range.clone()];
        let shape = &mut self.verifier.shape;
        let states = &mut shape.states[range];
        let (mut at, mut state, mut slots) = (path.at - first, path.state, path.slots);
        let (mut height, mut seen) = (self.height, Step::NONE);
        let jumps_freely = self.verifier.segments.is_empty();
        while let Some(&step) = steps.get(at) {
            let left = i64::from(state.height()) - i64::from(step.pops());
            if left < i64::from(path.base) {
                break;
            }
            let after = state.plus(step);
            if after.height() > height {
                if after.height() > MAX_HEIGHT {
                    break;
                }
                height = after.height();
            }
            let mut next = at + 1;
            let mut top = step.top();
            if !step.is_plain() {
                let to = (top as usize).wrapping_sub(first);
                top = 0;
                match step.class() {
                    Class::Jump if jumps_freely => next = to,
                    Class::Branch if jumps_freely => match states.get_mut(to) {
                        Some(there) if *there == State::NONE => {
                            *there = after.pending();
                            self.verifier.work.push((first + to) as u32);
                        }
                        Some(there) if there.settled() == after => {}
                        _ => break,
                    },
                    _ => break,
                }
            }
            let Some(there) = states.get_mut(next) else {
                break;
            };
            if *there != State::NONE && *there != after.pending() {
                break;
            }
            *there = after;
            (at, state) = (next, after);
            slots = slots.max(top);
            seen = seen.with(step);
        }
        self.height = height;
        shape.needs.0 |= seen.needs();
        (path.at, path.state, path.slots) = (first + at, state, slots);
    }

    /// Takes a path through one op; false if the path ends with it.
    fn look_at(&mut self, path: &mut Path) -> Result<bool, Full> {
        let at = path.at;
        let op = &self.view.ops[at];
        let step = self.verifier.steps[at];
        if step == Step::REFUSED {
            self.report_refused(at)?;
            return Ok(false);
        }
        self.verifier.shape.needs.0 |= step.needs();
        let height = path.state.height();
        if height - path.base < step.pops() {
            self.report_underflow(at, step.pops(), height - path.base)?;
            return Ok(false);
        }
        path.state = path.state.plus(step);
        let height = path.state.height();
        if height > self.height && !self.raise(at, height)? {
            return Ok(false);
        }
        path.at = at + 1;
        match step.class() {
            Class::Jump => path.at = target(op),
            Class::Branch | Class::SlotBranch => self.reach(at, target(op), path.state)?,
            class => {
                if !self.act(at, class, path)? {
                    return Ok(false);
                }
            }
        }
        path.slots = path.slots.max(slots(op));
        if !self.stays(at, path.at)? {
            return Ok(false);
        }
        self.arrive(at, path.at, path.state)
    }

    /// Whether the edge from op `from` to `to` crosses no border of a segment, as it must.
    fn stays(&mut self, from: usize, to: usize) -> Result<bool, Full> {
        let segments = &self.verifier.segments;
        let is_block_end = matches!(self.kind, RegionKind::Block(_)) && to == self.range.end;
        let place = if is_block_end { self.range.start } else { to };
        if segments.is_empty() || segments.behind(from) == segments.of(place) {
            return Ok(true);
        }
        let detail = format!("op {to} is not within the same pair of ops");
        self.report(Code::CrossesRegion, from, detail)?;
        Ok(false)
    }

    /// Takes the edge from op `from` to `to`; whether the path goes on there, as no other went
    /// through it. Then its state is noted.
    fn arrive(&mut self, from: usize, to: usize, state: State) -> Result<bool, Full> {
        if !self.range.contains(&to) {
            self.leave(from, to, state)?;
            return Ok(false);
        }
        let there = self.verifier.shape.states[to];
        if there != State::NONE && there.settled() != state {
            self.report_join(from, to, state)?;
            return Ok(false);
        }
        self.verifier.shape.states[to] = state;
        Ok(there.is_pending())
    }

    /// Takes the edge from op `from` to `to`, where a path goes on later if none went through it.
    fn reach(&mut self, from: usize, to: usize, state: State) -> Result<(), Full> {
        if !self.stays(from, to)? {
            return Ok(());
        }
        if !self.range.contains(&to) {
            return self.leave(from, to, state);
        }
        let there = self.verifier.shape.states[to];
        if there == State::NONE {
            self.verifier.shape.states[to] = state.pending();
            self.verifier.work.push(to as u32);
        } else if there.settled() != state {
            self.report_join(from, to, state)?;
        }
        Ok(())
    }

    /// Ends a path where the region ends, or crosses its border.
    fn leave(&mut self, from: usize, to: usize, state: State) -> Result<(), Full> {
        let RegionKind::Block(block) = self.kind else {
            return Ok(());
        };
        let (code, detail) = if to != self.range.end {
            let detail = format!("op {to} is outside of block {block}");
            (Code::CrossesRegion, detail)
        } else if state.scope() != self.root {
            let detail = format!("block {block} ends in a scope that it opened");
            (Code::ScopeMismatch, detail)
        } else if self.leaves_one && state.height() != 1 {
            let detail = format!("block {block} leaves {} values, expected 1", state.height());
            (Code::BlockResult, detail)
        } else {
            return Ok(());
        };
        self.report(code, from, detail)
    }

    /// Notes the slots that the path's ops name in its scope.
    fn note_slots(&mut self, path: &Path) {
        let slots = &mut self.verifier.shape.scopes[path.state.scope()].slots;
        *slots = path.slots.max(*slots);
    }

    /// Notes a greatest height; false if it is over the limit.
    fn raise(&mut self, at: usize, height: u32) -> Result<bool, Full> {
        if height > MAX_HEIGHT {
            let detail = format!("{height} values, at most {MAX_HEIGHT} are allowed");
            self.report(Code::StackTooHigh, at, detail)?;
            return Ok(false);
        }
        self.height = height;
        Ok(true)
    }

    /// What an op does that is neither plain nor a jump, its values being taken; false if the path
    /// ends with it.
    fn act(&mut self, at: usize, class: Class, path: &mut Path) -> Result<bool, Full> {
        let op = &self.view.ops[at];
        match class {
            Class::Return => {
                self.end_call(at, arity_of(op))?;
                Ok(false)
            }
            Class::Scope if matches!(op, Op::PushFrame) => self.open_scope(at, path),
            Class::Scope => self.close_scope(at, path),
            Class::Block => self.use_block(at),
            Class::Mark => self.pass_mark(at, path),
            // `look_at` does what there is to do for these.
            Class::Plain
            | Class::Jump
            | Class::Branch
            | Class::SlotBranch
            | Class::Refused
            | Class::Computed
            | Class::Declared => Ok(true),
        }
    }

    fn end_call(&mut self, at: usize, found: Arity) -> Result<(), Full> {
        match self.kind {
            RegionKind::Main => Ok(()),
            RegionKind::Block(block) => {
                let detail = format!("block {block} ends by its end, not by a return");
                self.report(Code::CrossesRegion, at, detail)
            }
            RegionKind::Sub(row) => {
                if join_arity(&mut self.verifier.shape.subs[row].returns, found) {
                    return Ok(());
                }
                self.report(Code::ReturnMismatch, at, two_arities(row))
            }
        }
    }

    fn open_scope(&mut self, at: usize, path: &mut Path) -> Result<bool, Full> {
        let base = path.state.height();
        let parent = path.state.scope();
        let Some(scope) = self.verifier.shape.open_scope(at, parent, base) else {
            let detail = format!("{MAX_HEIGHT} scopes are open, more are not allowed");
            self.report(Code::StackTooHigh, at, detail)?;
            return Ok(false);
        };
        self.enter_scope(path, scope, base);
        Ok(true)
    }

    fn close_scope(&mut self, at: usize, path: &mut Path) -> Result<bool, Full> {
        let Scope {
            parent,
            base,
            opened_by,
            ..
        } = self.verifier.shape.scopes[path.state.scope()];
        let (Some(parent), Some(opened_by)) = (parent, opened_by) else {
            let detail = "there is no scope to close".to_owned();
            self.report(Code::ScopeMismatch, at, detail)?;
            return Ok(false);
        };
        let segments = &self.verifier.segments;
        if segments.of(opened_by) != segments.of(at) {
            let detail = format!("op {opened_by} opened the scope outside of this pair of ops");
            self.report(Code::ScopeMismatch, at, detail)?;
            return Ok(false);
        }
        self.enter_scope(path, parent, base);
        path.base = self.verifier.shape.scopes[parent].base;
        Ok(true)
    }

    /// Goes on in a scope at a height, which is the scope's base if it is new.
    fn enter_scope(&mut self, path: &mut Path, scope: usize, height: u32) {
        self.note_slots(path);
        path.slots = 0;
        path.state = State::new(scope, height);
        path.base = height;
    }

    /// Passes an op that pairs with others. What it begins may be skipped.
    fn pass_mark(&mut self, at: usize, path: &Path) -> Result<bool, Full> {
        let Some(&mark) = self.verifier.segments.pairs().at(at) else {
            let detail = "it pairs with no other op".to_owned();
            self.report(Code::ScopeMismatch, at, detail)?;
            return Ok(false);
        };
        let shape = &self.verifier.shape;
        let region = |state: State| shape.scopes[state.scope()].region;
        let opened = shape.states[mark.opener];
        if opened == State::NONE || region(opened) != region(path.state) {
            let detail = format!("no path came here through op {}", mark.opener);
            self.report(Code::ScopeMismatch, at, detail)?;
            return Ok(false);
        }
        if let Some(end) = mark.end {
            self.reach(at, end, path.state)?;
        }
        Ok(true)
    }

    /// Notes the use of a block, which is walked through later.
    fn use_block(&mut self, at: usize) -> Result<bool, Full> {
        let Some((block, rule)) = block_use(&self.view.ops[at]) else {
            return Ok(true);
        };
        if self.verifier.uses.is_empty() {
            self.verifier.uses.resize(self.view.blocks.len(), None);
            let regions = &mut self.verifier.shape.region_of_block;
            regions.resize(self.view.blocks.len(), NONE);
        }
        let Some(first) = self.verifier.uses[usize::from(block)] else {
            self.verifier.uses[usize::from(block)] = Some(BlockUse { rule, op: at });
            self.verifier.pending.push_back(u32::from(block));
            return Ok(true);
        };
        let code = if first.rule.entry_height != rule.entry_height {
            Code::StackMismatch
        } else if first.rule.leaves_one != rule.leaves_one {
            Code::BlockResult
        } else {
            return Ok(true);
        };
        let detail = format!("op {} uses block {block} in another way", first.op);
        self.report(code, at, detail)?;
        Ok(false)
    }

    /// Reports that the state on a path is not the one noted for the op that it comes to.
    #[cold]
    fn report_join(&mut self, from: usize, to: usize, state: State) -> Result<(), Full> {
        let there = self.verifier.shape.states[to];
        let (found, noted) = (state.height(), there.height());
        let region = self.verifier.shape.scopes[there.scope()].region;
        let (code, detail) = if region != self.verifier.shape.scopes[state.scope()].region {
            let owner = match self.verifier.shape.regions[region].kind {
                RegionKind::Main => "the main program".to_owned(),
                RegionKind::Sub(row) => format!("sub {row}"),
                RegionKind::Block(block) => format!("block {block}"),
            };
            let detail = format!("op {to} belongs to {owner}");
            (Code::CrossesRegion, detail)
        } else if there.scope() != state.scope() {
            let detail = format!("op {to} is in another scope on another path");
            (Code::ScopeMismatch, detail)
        } else {
            let detail = format!("op {to} finds {found} values, and {noted} on another path");
            (Code::StackMismatch, detail)
        };
        self.report(code, from, detail)
    }

    #[cold]
    fn report_underflow(&mut self, at: usize, pops: u32, there: u32) -> Result<(), Full> {
        let detail = format!("{pops} of {there} values in its scope");
        self.report(Code::Underflow, at, detail)
    }

    /// Reports a call that no strict chunk has.
    #[cold]
    fn report_refused(&mut self, at: usize) -> Result<(), Full> {
        let (code, detail) = match self.verifier.callee(self.view, &self.view.ops[at]) {
            Some((Callee::Sub(row), argc)) => {
                let expected = self.verifier.shape.subs[row].argc;
                let detail = format!("{argc} arguments, sub {row} takes {expected}");
                (Code::ArityMismatch, detail)
            }
            Some((Callee::Import(Some(import)), argc)) => match import_step(import, argc) {
                Err(Code::TouchesFrames) => {
                    let detail = "its import may change frames".to_owned();
                    (Code::TouchesFrames, detail)
                }
                _ => (Code::UnknownEffect, "its import declares none".to_owned()),
            },
            // The second stage reports these.
            Some((Callee::Import(None), _)) | None => return Ok(()),
        };
        self.report(code, at, detail)
    }

    #[cold]
    fn report(&mut self, code: Code, at: usize, detail: String) -> Result<(), Full> {
        self.reports.at(code, self.view.ops, at, detail)
    }
}
