//! The fourth stage (4.5): heights and scopes along every path.

use super::{
    CodeView, MAX_HEIGHT, Verifier,
    arity::{arity_of, join_arity, two_arities},
    error::{Full, Reports},
    shape::{Arity, NONE, NeedSet, Region, RegionKind, Scope},
    step::{Class, target},
};
use crate::{
    chunk::{Effect, ImportKind},
    code::Code,
    op::Op,
};

/// What an op expects of the block that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlockRule {
    /// How many values it puts on the block's stack.
    entry_height: u16,
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
fn block_use(op: &Op) -> Option<(u16, BlockRule)> {
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
    let shape = &mut verifier.shape;
    shape.heights.clear();
    shape.heights.resize(view.ops.len(), 0);
    shape.scope_of_op.clear();
    shape.scope_of_op.resize(view.ops.len(), NONE);
    shape.scopes.clear();
    shape.regions.clear();
    shape.region_of_block.clear();
    shape.needs = NeedSet::default();
    verifier.uses.clear();
    verifier.pending.clear();
    let mut walk = Walk {
        verifier,
        view,
        reports,
        kind: RegionKind::Main,
        start: 0,
        end: view.ops.len(),
        root: 0,
        leaves_one: false,
        height: 0,
        needs: 0,
    };
    walk.region(RegionKind::Main, 0, 0)?;
    for (row, sub) in view.subs.iter().enumerate() {
        let argc = walk.verifier.shape.subs[row].argc;
        walk.region(RegionKind::Sub(row), sub.entry, u16::from(argc))?;
    }
    while let Some(block) = walk.verifier.pending.pop_front() {
        walk.block(block as usize)?;
    }
    walk.verifier.shape.needs = NeedSet(walk.needs);
    Ok(())
}

/// The walk through the paths of one region after the other.
struct Walk<'w, 'v> {
    verifier: &'w mut Verifier,
    view: &'w CodeView<'v>,
    reports: &'w mut Reports,
    /// The region at hand.
    kind: RegionKind,
    /// Its first op, if it is a block; else 0.
    start: usize,
    /// The op behind its last, where it ends.
    end: usize,
    /// Its outermost scope.
    root: u32,
    /// Whether it is a block that must leave one value.
    leaves_one: bool,
    /// Its greatest height so far.
    height: u32,
    /// What the ops of all regions so far need.
    needs: u8,
}

/// What is known before an op on a path.
#[derive(Clone, Copy)]
struct State {
    height: u32,
    scope: u32,
}

impl Walk<'_, '_> {
    /// Walks through the main program or a sub.
    fn region(&mut self, kind: RegionKind, entry: usize, height: u16) -> Result<(), Full> {
        self.start = 0;
        self.end = self.view.ops.len();
        self.leaves_one = false;
        self.walk(kind, entry, u32::from(height), entry)
    }

    /// Walks through a block that is used.
    fn block(&mut self, block: usize) -> Result<(), Full> {
        let Some(BlockUse { rule, op }) = self.verifier.uses[block] else {
            return Ok(());
        };
        (self.start, self.end) = self.view.blocks[block];
        self.leaves_one = rule.leaves_one;
        self.verifier.shape.region_of_block[block] = self.verifier.shape.regions.len() as u32;
        let height = u32::from(rule.entry_height);
        self.walk(RegionKind::Block(block), self.start, height, op)
    }

    /// Walks through a region; errors of its entry are reported at op `by`.
    fn walk(&mut self, kind: RegionKind, entry: usize, height: u32, by: usize) -> Result<(), Full> {
        let shape = &mut self.verifier.shape;
        let region = shape.regions.len();
        self.kind = kind;
        self.root = shape.scopes.len() as u32;
        self.height = height;
        shape.scopes.push(Scope {
            opened_by: None,
            parent: None,
            region,
            base: 0,
            depth: 0,
            slots: 0,
        });
        shape.regions.push(Region {
            kind,
            entry,
            entry_height: height,
            height,
            scope: self.root as usize,
        });
        let state = State {
            height,
            scope: self.root,
        };
        self.verifier.work.clear();
        self.go(by, entry, state)?;
        while let Some(at) = self.verifier.work.pop() {
            self.path(at as usize)?;
        }
        self.verifier.shape.regions[region].height = self.height;
        Ok(())
    }

    /// Takes the edge from op `from` to `to`, which is looked at later if it is new.
    fn go(&mut self, from: usize, to: usize, state: State) -> Result<(), Full> {
        if to == self.end {
            return self.leave(from, state);
        }
        if to < self.start || to > self.end {
            return self.report(Code::CrossesRegion, from, || {
                format!("op {to} is outside of the block")
            });
        }
        if self.arrive(from, to, state)? {
            self.verifier.work.push(to as u32);
        }
        Ok(())
    }

    /// Whether `to` is new; else its state must be the same.
    #[inline]
    fn arrive(&mut self, from: usize, to: usize, state: State) -> Result<bool, Full> {
        let shape = &mut self.verifier.shape;
        let scope = shape.scope_of_op[to];
        if scope == NONE {
            shape.scope_of_op[to] = state.scope;
            shape.heights[to] = state.height as u16;
            return Ok(true);
        }
        if scope != state.scope || u32::from(shape.heights[to]) != state.height {
            self.report_join(from, to, state)?;
        }
        Ok(false)
    }

    #[cold]
    fn report_join(&mut self, from: usize, to: usize, state: State) -> Result<(), Full> {
        let shape = &self.verifier.shape;
        let there = shape.scopes[shape.scope_of_op[to] as usize];
        let here = shape.scopes[state.scope as usize];
        let height = shape.heights[to];
        if there.region != here.region {
            let other = shape.regions[there.region].kind;
            let detail = format!("op {to} belongs to {}", name_of(other));
            return self.report(Code::CrossesRegion, from, || detail);
        }
        if shape.scope_of_op[to] != state.scope {
            let detail = format!("op {to} is reached in another scope");
            return self.report(Code::ScopeMismatch, from, || detail);
        }
        let found = state.height;
        self.report(Code::StackMismatch, from, || {
            format!("op {to} is reached with {found} values, and with {height} on another path")
        })
    }

    /// Ends a path at the end of the region.
    fn leave(&mut self, from: usize, state: State) -> Result<(), Full> {
        if !matches!(self.kind, RegionKind::Block(_)) {
            return Ok(());
        }
        if state.scope != self.root {
            return self.report(Code::ScopeMismatch, from, || {
                "the block ends in a scope that it opened".to_owned()
            });
        }
        if self.leaves_one && state.height != 1 {
            let found = state.height;
            return self.report(Code::BlockResult, from, || {
                format!("the block leaves {found} values, expected one")
            });
        }
        Ok(())
    }

    /// Follows a path from an op whose state is noted, until it ends or meets another.
    fn path(&mut self, mut at: usize) -> Result<(), Full> {
        let shape = &self.verifier.shape;
        let mut state = State {
            height: u32::from(shape.heights[at]),
            scope: shape.scope_of_op[at],
        };
        let mut base = shape.scopes[state.scope as usize].base;
        let mut slots = 0;
        loop {
            let step = self.verifier.steps[at];
            slots = step.slots.max(slots);
            self.needs |= step.needs();
            let plain = step.is_plain();
            if !plain && matches!(step.class(), Class::Refused | Class::CallSub) {
                self.report_refused(at)?;
                break;
            }
            let pops = u32::from(step.pops);
            if state.height - base < pops {
                self.report_underflow(at, pops, state.height - base)?;
                break;
            }
            state.height = state.height - pops + u32::from(step.pushes);
            if state.height > self.height && !self.raise(at, state.height)? {
                break;
            }
            if !plain {
                let scope = state.scope;
                if !self.act(at, &mut state)? {
                    break;
                }
                if state.scope != scope {
                    self.note_slots(scope, slots);
                    slots = 0;
                    base = self.verifier.shape.scopes[state.scope as usize].base;
                }
            }
            if at + 1 == self.end {
                self.leave(at, state)?;
                break;
            }
            if !self.arrive(at, at + 1, state)? {
                break;
            }
            at += 1;
        }
        self.note_slots(state.scope, slots);
        Ok(())
    }

    /// Notes that a scope's ops name so many slots.
    fn note_slots(&mut self, scope: u32, slots: u32) {
        let known = &mut self.verifier.shape.scopes[scope as usize].slots;
        *known = slots.max(*known);
    }

    /// Notes a greatest height; false if it is over the limit.
    fn raise(&mut self, at: usize, height: u32) -> Result<bool, Full> {
        if height > MAX_HEIGHT {
            self.report(Code::StackTooHigh, at, || {
                format!("{height} values, at most {MAX_HEIGHT} are allowed")
            })?;
            return Ok(false);
        }
        self.height = height;
        Ok(true)
    }

    /// What an op does that is not plain, its values being taken; false if the path ends with it.
    fn act(&mut self, at: usize, state: &mut State) -> Result<bool, Full> {
        let op = &self.view.ops[at];
        let step = self.verifier.steps[at];
        match step.class() {
            Class::Jump => {
                self.go(at, target(op), *state)?;
                Ok(false)
            }
            Class::Branch => {
                self.go(at, target(op), *state)?;
                Ok(true)
            }
            Class::Return => {
                self.end_call(at, arity_of(step.pops))?;
                Ok(false)
            }
            Class::Scope if matches!(op, Op::PushFrame) => self.open_scope(at, state),
            Class::Scope => self.close_scope(at, state),
            Class::Block => self.use_block(at),
            // Plain ops have no act, the others don't get here.
            Class::Plain | Class::Computed | Class::Declared | Class::CallSub | Class::Refused => {
                Ok(true)
            }
        }
    }

    fn end_call(&mut self, at: usize, found: Arity) -> Result<(), Full> {
        match self.kind {
            RegionKind::Main => Ok(()),
            RegionKind::Block(_) => self.report(Code::CrossesRegion, at, || {
                "a block ends by its end, not by a return".to_owned()
            }),
            RegionKind::Sub(row) => {
                if join_arity(&mut self.verifier.shape.subs[row].returns, found) {
                    return Ok(());
                }
                self.report(Code::ReturnMismatch, at, || two_arities(row))
            }
        }
    }

    fn open_scope(&mut self, at: usize, state: &mut State) -> Result<bool, Full> {
        let scopes = &mut self.verifier.shape.scopes;
        let outer = scopes[state.scope as usize];
        if outer.depth == MAX_HEIGHT {
            self.report(Code::StackTooHigh, at, || {
                format!("more than {MAX_HEIGHT} scopes are open")
            })?;
            return Ok(false);
        }
        let parent = state.scope as usize;
        state.scope = scopes.len() as u32;
        scopes.push(Scope {
            opened_by: Some(at),
            parent: Some(parent),
            region: outer.region,
            base: state.height,
            depth: outer.depth + 1,
            slots: 0,
        });
        Ok(true)
    }

    fn close_scope(&mut self, at: usize, state: &mut State) -> Result<bool, Full> {
        let scope = self.verifier.shape.scopes[state.scope as usize];
        let Some(parent) = scope.parent else {
            self.report(Code::ScopeMismatch, at, || {
                "there is no scope to close".to_owned()
            })?;
            return Ok(false);
        };
        state.height = scope.base;
        state.scope = parent as u32;
        Ok(true)
    }

    /// Notes the use of a block, which is walked through later.
    fn use_block(&mut self, at: usize) -> Result<bool, Full> {
        let Some((block, rule)) = block_use(&self.view.ops[at]) else {
            return Ok(true);
        };
        let verifier = &mut *self.verifier;
        if verifier.uses.is_empty() {
            verifier.uses.resize(self.view.blocks.len(), None);
            let regions = &mut verifier.shape.region_of_block;
            regions.resize(self.view.blocks.len(), NONE);
        }
        let Some(first) = verifier.uses[usize::from(block)] else {
            verifier.uses[usize::from(block)] = Some(BlockUse { rule, op: at });
            verifier.pending.push_back(u32::from(block));
            return Ok(true);
        };
        let code = if first.rule.entry_height != rule.entry_height {
            Code::StackMismatch
        } else if first.rule.leaves_one != rule.leaves_one {
            Code::BlockResult
        } else {
            return Ok(true);
        };
        self.report(code, at, || {
            format!("op {} uses block {block} in another way", first.op)
        })?;
        Ok(false)
    }

    #[cold]
    fn report_underflow(&mut self, at: usize, pops: u32, there: u32) -> Result<(), Full> {
        self.report(Code::Underflow, at, || {
            format!("takes {pops} values, there are {there}")
        })
    }

    /// Reports a call that no strict chunk has.
    #[cold]
    fn report_refused(&mut self, at: usize) -> Result<(), Full> {
        let row = match self.view.ops[at] {
            Op::Call(name, argc) => match self.verifier.sub_of(name) {
                Some(row) => {
                    let expected = self.verifier.shape.subs[row].argc;
                    return self.report(Code::ArityMismatch, at, || {
                        format!("{argc} arguments, sub {row} takes {expected}")
                    });
                }
                None => self.view.import(ImportKind::Function, name),
            },
            Op::CallBuiltin(id, _) => self.view.import(ImportKind::Builtin, id),
            Op::Extended(id, _) => self.view.import(ImportKind::Extension, id),
            Op::ExtendedWide(id, _) => self.view.import(ImportKind::ExtensionWide, id),
            _ => None,
        };
        let unknown = row.is_none_or(|row| row.effect == Effect::Unknown);
        let (code, detail) = if unknown {
            (Code::UnknownEffect, "its import declares no effect")
        } else {
            (Code::TouchesFrames, "its import may change frames")
        };
        self.report(code, at, || detail.to_owned())
    }

    #[cold]
    fn report(
        &mut self,
        code: Code,
        at: usize,
        detail: impl FnOnce() -> String,
    ) -> Result<(), Full> {
        self.reports.at(code, self.view.ops, at, detail())
    }
}

fn name_of(kind: RegionKind) -> String {
    match kind {
        RegionKind::Main => "the main program".to_owned(),
        RegionKind::Sub(row) => format!("sub {row}"),
        RegionKind::Block(block) => format!("block {block}"),
    }
}
