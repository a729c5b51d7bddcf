//! Strict code proved in one pass from its first byte to its last: the common case of all stages at once.
//!
//! Each op is looked at when its turn comes, with the state that the op before it, or a jump from
//! further up, left for it. So an op that has a state is one that a path leads to, and as every edge is
//! compared with what is there, the states are those that a walk finds, whatever its order.
//!
//! What isn't proved here isn't wrong, only left to the stages: code that is reached by jumps
//! back alone, calls of subs, used blocks; and errors, of which the stages find the first.

use super::{
    CodeView, MAX_HEIGHT, Sizes, Verifier,
    arity::{arity_of, join_arity},
    error::Reports,
    operands::{self, Callee, import_step},
    shape::{NeedSet, RegionKind, Scope, State},
    step::{Class, Meaning, STEPS, Step, check_operands, number, slots, target},
    tables,
};
use crate::op::{self, Flow, Form, Op, TakeOps, Window, level_of_byte};
use std::cell::Cell;

/// What a pass found out, besides the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The greatest height of any region.
    pub(crate) height: u32,
    /// The lowest level of the opset that has all of the ops.
    pub(crate) opset_level: u16,
}

impl Verifier {
    /// Decodes `count` instructions, hands them to `into`, and proves the code strict. The other parts of
    /// the chunk are those of `view`, whose ops aren't looked at.
    ///
    /// `None` says nothing about the code, and what `into` got has no meaning then.
    pub(crate) fn prove(
        &mut self,
        code: &[u8],
        count: usize,
        view: &CodeView<'_>,
        into: &mut impl TakeOps,
    ) -> Option<Proof> {
        // An instruction has a byte at least.
        if count > code.len() {
            return None;
        }
        tables::check_with(self, view, count, &mut Reports::new(1)).ok()?;
        self.segments.clear();
        into.expect(count);
        let sizes = Sizes {
            ops: count,
            ..Sizes::of(view)
        };
        let mut pass = Pass::begin(self, code, view, sizes)?;
        while pass.index < count {
            pass.glide(into);
            if pass.index < count {
                pass.look_at(into)?;
            }
        }
        pass.finish()
    }
}

/// The state of an op that no path led to when its turn came. No edge may lead to it later.
const DEAD: State = State(i64::MAX as u64);

/// What [`Pass::glide`] knows of an opcode: all from the opcode table, by way of [`STEPS`] and [`Form`].
/// Masks are all ones or zero.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Row {
    /// Never short if only [`Pass::look_at`] knows what to do.
    form: Form,
    meaning: Meaning,
    /// Whether it calls what a table declares.
    is_call: bool,
    /// Values taken, besides those that the operand counts, and values left.
    pops: u8,
    pushes: u8,
    /// Over the operand: whether it counts values taken, is a slot, is no target.
    counts: i8,
    is_slot: i8,
    is_no_target: i8,
    /// Whether control doesn't come to the next op.
    is_jump: i8,
    /// The capabilities as the bits of a `NeedSet`, above them a bit for each level of the opset after
    /// the first.
    seen: u16,
}

/// Where the bits of levels begin.
const LEVELS_AT: u32 = 4;
const NEEDS: u16 = (1 << LEVELS_AT) - 1;
const _: () = assert!(op::OPSET_LEVEL as u32 <= u16::BITS - LEVELS_AT);

/// The row of each opcode.
static ROWS: [Row; 256] = {
    let mut rows = [Row::of(0); 256];
    let mut opcode = 1;
    while opcode < 256 {
        rows[opcode] = Row::of(opcode as u8);
        opcode += 1;
    }
    rows
};

impl Row {
    const fn of(opcode: u8) -> Row {
        const fn mask(is_set: bool) -> i8 {
            -(is_set as i8)
        }
        let step = STEPS[opcode as usize];
        let (mut meaning, class) = (step.meaning(), step.class());
        let mut form = *Form::of(opcode);
        let is_call = matches!(class, Class::Declared);
        if is_call {
            // What it names is looked up, and by that in range.
            meaning = Meaning::None;
        } else if !matches!(class, Class::Plain | Class::Jump | Class::Branch) {
            form = Form::OTHER;
        }
        let level_bit = 1 << (level_of_byte(opcode) - 1) >> 1;
        Row {
            form,
            meaning,
            is_call,
            pops: step.pops() as u8,
            pushes: step.pushes() as u8,
            counts: mask(matches!(meaning, Meaning::Count)),
            is_slot: mask(matches!(meaning, Meaning::Slot)),
            is_no_target: mask(!matches!(meaning, Meaning::Target)),
            is_jump: mask(matches!(class, Class::Jump)),
            seen: step.needs() as u16 | level_bit << LEVELS_AT,
        }
    }
}

/// The level of the opset whose bits these are, by [`Row::seen`].
fn level_of(seen: u16) -> u16 {
    1 + (u16::BITS - (seen >> LEVELS_AT).leading_zeros()) as u16
}

/// A jump or branch, by the ops that it leads from and to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Edge {
    from: u32,
    to: u32,
}

/// A pass through the code.
struct Pass<'p, 'v> {
    verifier: &'p mut Verifier,
    view: &'p CodeView<'v>,
    sizes: Sizes,
    code: &'p [u8],
    /// The op whose turn it is.
    index: usize,
    /// The place of its bytes.
    at: usize,
    /// What the op before leaves for it; `State::NONE` if control doesn't come from there.
    state: State,
    /// The scope at hand, and its base.
    scope: usize,
    base: u32,
    /// The greatest height in its region, and how many slots its ops name, so far.
    height: u32,
    slots: u32,
    /// What the ops so far need, and their levels, as [`Row::seen`] has it.
    seen: u16,
    /// Whether there are dead ops.
    has_dead: bool,
    /// How many of the verifier's edges are of this pass.
    edges: usize,
}

impl<'p, 'v> Pass<'p, 'v> {
    /// Notes the states at the entries of the main program and the subs. `None` if two subs begin with
    /// the same op.
    fn begin(
        verifier: &'p mut Verifier,
        code: &'p [u8],
        view: &'p CodeView<'v>,
        sizes: Sizes,
    ) -> Option<Self> {
        if verifier.edges.len() <= sizes.ops {
            verifier.edges.resize(sizes.ops + 1, Edge::default());
        }
        verifier.looked_at.clear();
        let shape = &mut verifier.shape;
        shape.begin(sizes.ops);
        let scope = shape.open_region(RegionKind::Main, 0, 0);
        for (row, sub) in view.subs.iter().enumerate() {
            let height = u32::from(shape.subs[row].argc);
            let scope = shape.open_region(RegionKind::Sub(row), sub.entry, height);
            let there = &mut shape.states[sub.entry];
            if *there != State::NONE {
                return None;
            }
            *there = State::new(scope, height);
        }
        Some(Pass {
            verifier,
            view,
            sizes,
            code,
            index: 0,
            at: 0,
            state: State::new(scope, 0),
            scope,
            base: 0,
            height: 0,
            slots: 0,
            seen: 0,
            has_dead: false,
            edges: 0,
        })
    }

    /// Goes on as long as it meets nothing but short instructions that are plain, jumps, branches or
    /// calls of imports, in the scope at hand, and nothing is wrong.
    ///
    /// This is where the time goes. But for calls no branch in it depends on which op it is: code is
    /// hard to predict, and a wrong guess costs more than all of this.
    fn glide<T: TakeOps>(&mut self, into: &mut T) {
        let limits = operands::limits(self.sizes).map(|limit| limit as u32);
        let view = self.view;
        let sub_of_name = &self.verifier.sub_of_name;
        let edges = &mut self.verifier.edges[..];
        // As cells, for the ops' own states and those of their targets are the same.
        let states = Cell::from_mut(&mut self.verifier.shape.states[..]).as_slice_of_cells();
        // What isn't a target leads here, and so does the end, where everything may meet.
        let nowhere = Cell::new(State::NONE);
        let floor = State::new(self.scope, self.base).0;
        let mut state = self.state;
        let (mut at, mut index) = (self.at, self.index);
        let mut highest = State::new(self.scope, self.height).0;
        let (mut slots, mut seen, mut count) = (self.slots, self.seen, self.edges);
        let Some(mut window) = Window::at(self.code, at) else {
            return;
        };
        while let Some(turn) = states.get(index) {
            let row = &ROWS[usize::from(window.opcode())];
            // The next one is fetched as soon as its place is known: it is all that the next turn waits for.
            let behind = at + window.short_length();
            let Some(next) = Window::at(self.code, behind) else {
                break;
            };
            let Some(short) = window.short(&row.form) else {
                break;
            };
            let number = u32::from(short.number);
            if number >= limits[row.meaning as usize] {
                break;
            }
            let mut pops = u32::from(row.pops) + (number & row.counts as u32);
            let mut pushes = u64::from(row.pushes);
            if row.is_call {
                match call_step(sub_of_name, view, &short.op()) {
                    Some(step) if step != Step::REFUSED => {
                        (pops, pushes) = (step.pops(), step.pushes().into());
                    }
                    _ => break,
                }
            }
            let noted = turn.get();
            let here = state.or(noted);
            let left = here.0.wrapping_sub(u64::from(pops));
            // Neither below the base, nor in another scope, nor `NONE`.
            let is_within = left.wrapping_sub(floor) <= u64::from(MAX_HEIGHT);
            if !is_within | state.differs(noted) {
                break;
            }
            let after = State(left + pushes);
            let target = (number | row.is_no_target as u32) as usize;
            let target = states.get(target).unwrap_or(&nowhere);
            // An op may be its own target.
            turn.set(here);
            if target.get().differs(after) {
                break;
            }
            target.set(after);
            nowhere.set(State::NONE);
            state = State(after.0 | row.is_jump as u64);
            highest = highest.max(after.0);
            seen |= row.seen;
            if T::KEEPS {
                slots = slots.max((number + 1) & row.is_slot as u32);
            }
            let Some(edge) = edges.get_mut(count) else {
                break;
            };
            *edge = Edge {
                from: index as u32,
                to: number,
            };
            count += (row.is_no_target + 1) as usize;
            into.take(short);
            (at, index, window) = (behind, index + 1, next);
        }
        (self.at, self.index, self.state) = (at, index, state);
        (self.height, self.slots, self.seen) = (State(highest).height(), slots, seen);
        self.edges = count;
    }

    /// Looks at an op of any kind. `None` if it can't be proved here.
    fn look_at(&mut self, into: &mut impl TakeOps) -> Option<()> {
        let place = (self.index as u32, self.at as u32);
        self.verifier.looked_at.push(place);
        let op = Op::decode(self.code, &mut self.at).ok()?;
        check_operands(&op, self.sizes).ok()?;
        let step = self.step(&op)?;
        // Levels count whether control comes there or not.
        self.seen |= ROWS[usize::from(op.opcode())].seen & !NEEDS;
        let at = self.index;
        // Marks pair whether control comes there or not.
        if let Some(mark) = op.mark() {
            self.verifier.segments.note(at, mark);
        }
        let noted = self.verifier.shape.states[at];
        let here = self.state.or(noted);
        if self.state.differs(noted) {
            return None;
        }
        self.index += 1;
        if here == State::NONE {
            self.verifier.shape.states[at] = DEAD;
            self.has_dead = true;
        } else {
            self.verifier.shape.states[at] = here;
            self.enter(here.scope());
            self.state = self.go_on(at, &op, step, here)?;
        }
        into.take_long(op);
        Some(())
    }

    /// What an op leaves for the next one.
    fn go_on(&mut self, at: usize, op: &Op, step: Step, here: State) -> Option<State> {
        if here.height() - self.base < step.pops() {
            return None;
        }
        let after = here.plus(step);
        self.height = self.height.max(after.height());
        self.seen |= u16::from(step.needs());
        match step.class() {
            // What pairs of marks demand is looked at in the end.
            Class::Plain | Class::Mark => {
                self.slots = self.slots.max(slots(op));
                Some(after)
            }
            Class::Jump => {
                self.reach(target(op), after)?;
                Some(State::NONE)
            }
            Class::Branch | Class::SlotBranch => {
                self.slots = self.slots.max(slots(op));
                self.reach(target(op), after)?;
                Some(after)
            }
            Class::Return => {
                self.end_call(op)?;
                Some(State::NONE)
            }
            Class::Scope if matches!(op, Op::PushFrame) => self.open_scope(at, after),
            Class::Scope => self.close_scope(),
            Class::Block | Class::Refused | Class::Computed | Class::Declared => None,
        }
    }

    /// The step of an op whose operands are in range.
    fn step(&self, op: &Op) -> Option<Step> {
        let row = STEPS[usize::from(op.opcode())];
        match row.class() {
            Class::Computed => Some(Step::compute(op)),
            Class::Declared => call_step(&self.verifier.sub_of_name, self.view, op),
            _ => Some(row.with_number(number(op))),
        }
    }

    /// Takes the edge to an op that doesn't follow.
    fn reach(&mut self, to: usize, state: State) -> Option<()> {
        if let Some(there) = self.verifier.shape.states.get_mut(to) {
            if there.differs(state) {
                return None;
            }
            *there = state;
        }
        Some(())
    }

    fn end_call(&mut self, op: &Op) -> Option<()> {
        let shape = &mut self.verifier.shape;
        let region = shape.scopes[self.scope].region;
        match shape.regions[region].kind {
            RegionKind::Sub(row) => {
                join_arity(&mut shape.subs[row].returns, arity_of(op)).then_some(())
            }
            RegionKind::Main | RegionKind::Block(_) => Some(()),
        }
    }

    fn open_scope(&mut self, at: usize, here: State) -> Option<State> {
        let base = here.height();
        let scope = self.verifier.shape.open_scope(at, self.scope, base)?;
        Some(State::new(scope, base))
    }

    fn close_scope(&mut self) -> Option<State> {
        let Scope { parent, base, .. } = self.verifier.shape.scopes[self.scope];
        Some(State::new(parent?, base))
    }

    /// Goes over to a scope.
    fn enter(&mut self, scope: usize) {
        if scope == self.scope {
            return;
        }
        self.note();
        let shape = &self.verifier.shape;
        let Scope {
            region,
            base,
            slots,
            ..
        } = shape.scopes[scope];
        self.scope = scope;
        self.base = base;
        self.slots = slots;
        self.height = shape.regions[region].height;
    }

    /// Notes what is known of the scope at hand and its region.
    fn note(&mut self) {
        let shape = &mut self.verifier.shape;
        let scope = &mut shape.scopes[self.scope];
        scope.slots = self.slots;
        shape.regions[scope.region].height = self.height;
    }

    fn finish(mut self) -> Option<Proof> {
        self.note();
        let shape = &mut self.verifier.shape;
        shape.needs = NeedSet((self.seen & NEEDS) as u8);
        if self.has_dead {
            let dead = shape.states.iter_mut().filter(|state| **state == DEAD);
            dead.for_each(|state| *state = State::NONE);
        }
        let height = shape.height();
        if self.at != self.code.len() || height > MAX_HEIGHT {
            return None;
        }
        if self.verifier.segments.has_marks() {
            self.verifier.segments.pair(self.sizes.ops);
            self.check_pairs()?;
        }
        Some(Proof {
            height,
            opset_level: level_of(self.seen),
        })
    }

    /// Checks what pairs of ops demand, as all pairs and states are known now.
    fn check_pairs(&self) -> Option<()> {
        let Verifier {
            segments,
            shape,
            edges,
            looked_at,
            ..
        } = &*self.verifier;
        let stays =
            |edge: &Edge| segments.behind(edge.from as usize) == segments.of(edge.to as usize);
        if !edges[..self.edges].iter().all(stays) {
            return None;
        }
        for (index, at) in looked_at {
            let (index, mut at) = (*index as usize, *at as usize);
            let state = shape.states[index];
            if state != State::NONE {
                let op = Op::decode(self.code, &mut at).ok()?;
                self.check_borders(index, &op, state)?;
            }
        }
        Some(())
    }

    /// Checks that an op doesn't lead over the border of a segment, and what it demands if it is a mark.
    fn check_borders(&self, index: usize, op: &Op, state: State) -> Option<()> {
        let (shape, segments) = (&self.verifier.shape, &self.verifier.segments);
        let is_right = match op.flow() {
            Flow::Jump | Flow::Branch => segments.behind(index) == segments.of(target(op)),
            Flow::Scope if matches!(op, Op::PopFrame) => {
                let opened_by = shape.scopes[state.scope()].opened_by?;
                segments.of(opened_by) == segments.of(index)
            }
            Flow::Next if op.mark().is_some() => {
                let mark = segments.pairs().at(index)?;
                let opened = shape.states[mark.opener];
                // The segment that it begins may be skipped.
                let after = state.plus(Step::compute(op));
                opened != State::NONE
                    && shape.scopes[opened.scope()].region == shape.scopes[state.scope()].region
                    && mark.end.is_none_or(|end| shape.states[end] == after)
            }
            Flow::Next | Flow::Return | Flow::Scope => true,
        };
        is_right.then_some(())
    }
}

/// The step of an op whose effect a table declares; `None` if it calls a sub, or nothing that there is.
fn call_step(sub_of_name: &[u32], view: &CodeView<'_>, op: &Op) -> Option<Step> {
    match operands::callee(sub_of_name, view, op)? {
        (Callee::Import(import), argc) => Some(import_step(import?, argc).unwrap_or(Step::REFUSED)),
        (Callee::Sub(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{INFO, OperandKind::*};

    /// What `glide` takes an opcode for is what the opcode table says of it.
    #[test]
    fn rows_say_what_the_table_says() {
        for info in &INFO {
            let row = Row::of(info.byte);
            let kinds: Vec<_> = info.operands.iter().map(|operand| operand.kind).collect();
            let is = |mask: i8| mask == -1;
            assert_eq!(row.form, ROWS[usize::from(info.byte)].form);
            assert_eq!(
                level_of(row.seen),
                level_of_byte(info.byte),
                "{}",
                info.name
            );
            if row.form.is_never_short() {
                continue;
            }
            let has_flow = matches!(info.flow, Flow::Next | Flow::Jump | Flow::Branch);
            assert!(has_flow, "{}", info.name);
            assert_eq!(is(row.is_jump), info.flow == Flow::Jump, "{}", info.name);
            assert_eq!(row.is_call, info.effect == "declared", "{}", info.name);
            assert_eq!(is(row.is_slot), kinds == [Slot], "{}", info.name);
            assert_eq!(!is(row.is_no_target), kinds == [Target], "{}", info.name);
            let is_counted = !row.is_call && info.effect.starts_with(['a', 'c']);
            assert_eq!(is(row.counts), is_counted, "{}", info.name);
        }
    }
}
