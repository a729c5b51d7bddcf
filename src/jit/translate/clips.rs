//! Fuel, and loops that pay for many rounds at once.
//!
//! A counted loop whose rounds all cost the same is *clipped*: before it, the bound of its counter is
//! lowered to what there is fuel for, so that no round has to look. In such a loop the fuel at hand is
//! a sum that stays the same, less what the rounds have cost; where control leaves it, that difference
//! is formed.
//!
//! It is clipped to the lengths of the arrays, too, whose elements at the counter it accesses, if nothing in
//! the loop changes them: then those accesses need no look at the length. An access at an index that stays the
//! same, in every round, is looked at once before the loop.

use super::super::abi::Reason;
use super::super::ir::RegisterSet;
use super::super::ir::graph::Loop;
use super::super::ir::inst::{
    Addend, Against, Branch, Comparison, Inst, Role, effects, may_take_fuel,
};
use super::super::kinds::Kind;
use super::super::kinds::group::Function;
use super::super::kinds::transfer::element_kind;
use super::super::kinds::walk::{self, Walked};
use super::super::views::{Level, Views};
use super::{Context, Translator};
use crate::lower::code::Rop;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::rc::Rc;

/// A loop that is clipped.
#[derive(Clone)]
pub(super) struct Clip {
    around: Loop,
    /// The register that counts, and what it is compared with.
    counter: usize,
    bound: Bound,
    /// What a round costs, the jump back included.
    cost: i64,
    /// What a round has cost where each of the loop's blocks begins.
    paid: Rc<[i64]>,
    /// The fuel, and what all rounds up to the counter would have cost, added.
    sum: Variable,
    /// The counter goes on below this.
    limit: Variable,
    /// The accesses that need no look at lengths.
    spans: Rc<[Span]>,
}

/// Accesses in a clipped loop to the elements of an array of a view, at the index in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    view: usize,
    index: usize,
    /// Whether the elements can be written as well.
    pub(super) level: Level,
}

#[derive(Clone, Copy)]
enum Bound {
    Register(usize),
    Int(i64),
}

/// Counters further from 0 aren't clipped, so that nothing overflows.
const FURTHEST: i64 = 1 << 48;

/// The loops of a function that can be clipped.
pub(super) fn find(
    cx: &Context<'_>,
    function: &Function,
    views: &Views,
    b: &mut FunctionBuilder<'_>,
) -> Vec<Clip> {
    let loops = function.graph.loops.iter();
    let before = function.graph.before();
    // They are the same for all, as no clipped loop is in another one: the builder has a list of all blocks
    // for each variable.
    let (sum, limit) = (b.declare_var(types::I64), b.declare_var(types::I64));
    let mut clips: Vec<Clip> = loops
        .filter_map(|around| clip(function, *around, &before, (sum, limit)))
        .collect();
    for clip in &mut clips {
        clip.spans = spans(cx, function, views, clip);
    }
    clips
}

/// The accesses of a loop to arrays whose views stay at hand as they are, at indices that are the counter or
/// stay the same, too.
fn spans(cx: &Context<'_>, function: &Function, views: &Views, clip: &Clip) -> Rc<[Span]> {
    let Loop { head, latch, .. } = clip.around;
    let mut spans: Vec<Span> = Vec::new();
    let mut least = vec![Level::Write; views.count()];
    let keep = |least: &mut [Level], levels: &[Level]| {
        for (least, level) in least.iter_mut().zip(levels) {
            *least = (*least).min(*level);
        }
    };
    let changed = changed_in(function, clip.around);
    for block in (head..=latch).filter(|block| function.is_reached(*block)) {
        let mut levels = views.at_start(block).clone();
        keep(&mut least, &levels);
        walk::block(cx.program, cx.group, function, block, |walked| {
            views.step(walked.inst, walked.before, walked.seen, &mut levels);
            keep(&mut least, &levels);
            if let Some(array) = views.resized(walked.inst, walked.before, walked.seen) {
                least[array] = Level::Nothing;
            }
            let accessed = views.accessed(walked.inst, walked.before);
            let Some(((view, level), index)) = accessed.zip(index_of(&walked)) else {
                return;
            };
            let stays = block == head
                && !changed.contains(index)
                && function.kinds[head][index] == Kind::Int;
            if index == clip.counter || stays {
                note(&mut spans, Span { view, index, level });
            }
        });
    }
    for span in &mut spans {
        span.level = span.level.min(least[span.view]);
    }
    spans.retain(|span| span.level > Level::Nothing);
    spans.into()
}

/// Adds an access to those that are known.
fn note(spans: &mut Vec<Span>, span: Span) {
    let same = |other: &&mut Span| (other.view, other.index) == (span.view, span.index);
    match spans.iter_mut().find(same) {
        Some(known) => known.level = known.level.max(span.level),
        None => spans.push(span),
    }
}

/// The registers that a loop writes.
fn changed_in(function: &Function, around: Loop) -> RegisterSet {
    let blocks = &function.graph.blocks;
    let (start, end) = (blocks[around.head].start, blocks[around.latch].end);
    let mut changed = RegisterSet::new(function.body.registers);
    for inst in &function.body.insts[start..end] {
        let (first, count) = effects(inst).writes;
        (first..first + count).for_each(|register| changed.insert(register));
    }
    changed
}

/// The register of the index with which an instruction accesses an element, if it does so as a number.
fn index_of(walked: &Walked<'_>) -> Option<usize> {
    let (inst, kinds) = (walked.inst, walked.before);
    let read = |array: Kind| element_kind(walked.seen, array, kinds[inst.c()]).map(|_| inst.c());
    match inst.op {
        Rop::ElementCopy | Rop::ElementBorrow => read(Kind::Any),
        Rop::SlotElementCopy | Rop::SlotElementBorrow => read(kinds[inst.b()]),
        Rop::ElementSet
        | Rop::ElementSetI
        | Rop::ElementSetW
        | Rop::SlotElementSet
        | Rop::SlotElementSetI => Some(inst.b()),
        _ => None,
    }
}

fn clip(
    function: &Function,
    around: Loop,
    before: &[Vec<usize>],
    (sum, limit): (Variable, Variable),
) -> Option<Clip> {
    let graph = &function.graph;
    let latch = &graph.blocks[around.latch];
    let last = function.body.insts.get(latch.end - 1)?;
    let branch = Branch::of_inst(last)?;
    let counts = matches!(branch.adds, Addend::One | Addend::Step(1));
    let is_simple = branch.comparison == Comparison::Lt && branch.pays && branch.when;
    if !counts || !is_simple || latch.taken != Some(around.head) {
        return None;
    }
    let counter = last.a();
    let bound = match branch.against {
        Against::Register => Bound::Register(last.b()),
        Against::Int => Bound::Int(last.immediate as i64),
        Against::Float => return None,
    };
    let kinds = &function.kinds[around.head];
    let is_int = |register: usize| kinds[register] == Kind::Int;
    if !is_int(counter) || matches!(bound, Bound::Register(bound) if !is_int(bound)) {
        return None;
    }
    let start = graph.blocks[around.head].start;
    let body = &function.body.insts[start..latch.end - 1];
    let is_changed = |inst: &Inst| {
        let (first, count) = effects(inst).writes;
        let written = first..first + count;
        written.contains(&counter)
            || matches!(bound, Bound::Register(bound) if written.contains(&bound))
    };
    if body.iter().any(is_changed) {
        return None;
    }
    let (paid, cost) = costs(function, around)?;
    let mut to_head = before[around.head].iter();
    let other_latch = to_head.any(|block| (around.head..around.latch).contains(block));
    // Where control comes into the middle, nothing would have been clipped.
    let mut into_middle = before[around.head + 1..=around.latch].iter().flatten();
    let comes_from_elsewhere = into_middle.any(|block| !around.has(*block));
    let enters_in_the_middle = graph.entry != around.head && around.has(graph.entry);
    if other_latch || comes_from_elsewhere || enters_in_the_middle {
        return None;
    }
    Some(Clip {
        around,
        counter,
        bound,
        cost,
        paid: paid.into(),
        sum,
        limit,
        spans: Rc::default(),
    })
}

/// What a round of a loop has cost where its blocks begin, and what all of it costs; `None` if that
/// depends on the way through it.
fn costs(function: &Function, around: Loop) -> Option<(Vec<i64>, i64)> {
    let graph = &function.graph;
    let mut paid: Vec<Option<i64>> = vec![None; around.latch - around.head + 1];
    paid[0] = Some(0);
    let mut behind = 0;
    let mut takes_any = false;
    for block in around.head..=around.latch {
        behind = paid[block - around.head]?;
        let place = &graph.blocks[block];
        for inst in &function.body.insts[place.start..place.end] {
            let is_latch = Branch::of(inst.op).is_some_and(|branch| branch.pays);
            match inst.op {
                _ if inst.role == Role::Enter => behind += 1,
                Rop::Loop | Rop::Fuel | Rop::Call => return None,
                _ if is_latch && block != around.latch => return None,
                _ => takes_any |= may_take_fuel(inst.op),
            }
        }
        for next in graph
            .after(block)
            .filter(|next| around.has(*next) && *next > block)
        {
            let known = &mut paid[next - around.head];
            if *known.get_or_insert(behind) != behind {
                return None;
            }
        }
    }
    // Inlined calls of a round are paid for in advance, so nothing may come between.
    if behind > 0 && takes_any {
        return None;
    }
    Some((paid.into_iter().collect::<Option<_>>()?, behind + 1))
}

/// What the fuel at hand is made of.
#[derive(Clone, Copy)]
pub(super) enum Fuel {
    Itself(Value),
    /// A sum, less what the rounds up to the counter cost and what this one has.
    Rest {
        sum: Value,
        counter: Value,
        cost: i64,
        paid: i64,
    },
}

impl Translator<'_, '_> {
    /// The clipped loop that a block is in.
    fn clip_of(&self, block: usize) -> Option<Clip> {
        // None of them is in another one, and they are in the order of their heads.
        let end = self.clips.partition_point(|clip| clip.around.head <= block);
        let clip = self.clips[..end].last()?;
        clip.around.has(block).then(|| clip.clone())
    }

    /// The clipped loop that the present block is in.
    fn clip_here(&self) -> Option<Clip> {
        self.clip_of(self.block?)
    }

    /// What a round of the clipped loop around a block has cost where it begins.
    pub(super) fn paid_at(&self, block: usize) -> i64 {
        let clip = self.clip_of(block);
        clip.map_or(0, |clip| clip.paid[block - clip.around.head])
    }

    /// Pays for an inlined call in advance, if the present block is in a clipped loop.
    pub(super) fn is_paid_in_advance(&mut self) -> bool {
        let is_clipped = self.clip_here().is_some();
        self.paid += i64::from(is_clipped);
        is_clipped
    }

    /// What the fuel at hand is made of, when a round of a clipped loop has cost so much.
    pub(super) fn fuel_parts(&mut self, paid: i64) -> Fuel {
        match self.clip_here() {
            None => Fuel::Itself(self.b.use_var(self.fuel)),
            Some(clip) => Fuel::Rest {
                sum: self.b.use_var(clip.sum),
                counter: self.value_of(clip.counter, Kind::Int),
                cost: clip.cost,
                paid,
            },
        }
    }

    /// The fuel that is made of these.
    pub(super) fn fuel_from(&mut self, parts: Fuel) -> Value {
        match parts {
            Fuel::Itself(fuel) => fuel,
            Fuel::Rest {
                sum,
                counter,
                cost,
                paid,
            } => {
                let spent = self.rounds(counter, cost);
                let left = self.b.ins().isub(sum, spent);
                match paid {
                    0 => left,
                    paid => self.b.ins().iadd_imm_s(left, -paid),
                }
            }
        }
    }

    /// What so many rounds cost.
    fn rounds(&mut self, counter: Value, cost: i64) -> Value {
        match cost {
            1 => counter,
            cost => self.b.ins().imul_imm_s(counter, cost),
        }
    }

    /// The fuel at hand.
    pub(super) fn fuel(&mut self) -> Value {
        let parts = self.fuel_parts(self.paid);
        self.fuel_from(parts)
    }

    /// Sets the fuel at hand.
    pub(super) fn set_fuel(&mut self, fuel: Value) {
        match self.clip_here() {
            None => self.b.def_var(self.fuel, fuel),
            Some(clip) => {
                let counter = self.value_of(clip.counter, Kind::Int);
                let rounds = self.payable(&clip, fuel);
                let shortest = self.shortest(&clip);
                self.set_clip(&clip, fuel, counter, rounds, shortest);
            }
        }
    }

    /// How many rounds can be begun with so much fuel: the last one needs none to jump back.
    fn payable(&mut self, clip: &Clip, fuel: Value) -> Value {
        let fuel = self.b.ins().iadd_imm_s(fuel, self.paid + 1);
        match clip.cost {
            1 => fuel,
            cost if cost & (cost - 1) == 0 => {
                let shift = i64::from(cost.trailing_zeros());
                self.b.ins().ushr_imm_u(fuel, shift)
            }
            cost => {
                let cost = self.int(cost);
                self.b.ins().udiv(fuel, cost)
            }
        }
    }

    /// The least of the lengths of the arrays that the loop counts through.
    fn shortest(&mut self, clip: &Clip) -> Option<Value> {
        let mut shortest = None;
        for span in clip.spans.iter().filter(|span| span.index == clip.counter) {
            let len = self.len_for(span.view, span.level);
            shortest = Some(match shortest {
                None => len,
                Some(other) => self.b.ins().smin(other, len),
            });
        }
        shortest
    }

    /// What the present loop is clipped for of accesses to the array of a view at an index.
    pub(super) fn span_of(&mut self, view: usize, index: Value) -> Option<Span> {
        let clip = self.clip_here()?;
        let mut spans = clip.spans.iter().filter(|span| span.view == view);
        spans
            .find(|span| self.value_of(span.index, Kind::Int) == index)
            .copied()
    }

    fn set_clip(
        &mut self,
        clip: &Clip,
        fuel: Value,
        counter: Value,
        rounds: Value,
        shortest: Option<Value>,
    ) {
        let spent = self.rounds(counter, clip.cost);
        let sum = self.b.ins().iadd(fuel, spent);
        let sum = match self.paid {
            0 => sum,
            paid => self.b.ins().iadd_imm_s(sum, paid),
        };
        self.b.def_var(clip.sum, sum);
        let payable = self.b.ins().iadd(counter, rounds);
        let bound = self.bound(clip);
        let mut limit = self.b.ins().smin(payable, bound);
        if let Some(shortest) = shortest {
            limit = self.b.ins().smin(limit, shortest);
        }
        self.b.def_var(clip.limit, limit);
    }

    fn bound(&mut self, clip: &Clip) -> Value {
        match clip.bound {
            Bound::Register(register) => self.value_of(register, Kind::Int),
            Bound::Int(n) => self.int(n),
        }
    }

    /// Whether the edge from the present block leads into a clipped loop.
    pub(super) fn enters_clip(&self, to: usize) -> bool {
        let is_inside = |clip: Clip| self.block.is_some_and(|from| clip.around.has(from));
        self.clip_of(to).is_some_and(|clip| !is_inside(clip))
    }

    /// Whether the edge from the present block leads out of a clipped loop.
    pub(super) fn leaves_clip(&self, to: usize) -> bool {
        self.clip_here().is_some_and(|clip| !clip.around.has(to))
    }

    /// Clips the loop that `head` is the head of. Where the counter is too far off, or there isn't fuel
    /// for a round, the engine goes on; so it does where an array has no element at the counter, by the way out
    /// that there is for that, or one that is made.
    pub(super) fn enter_clip(&mut self, head: usize, way_out: Option<ir::Block>) {
        let Some(clip) = self.clip_of(head) else {
            return;
        };
        let counter = self.value_of(clip.counter, Kind::Int);
        let fuel = self.b.use_var(self.fuel);
        self.paid = 0;
        let rounds = self.payable(&clip, fuel);
        let from_least = self.b.ins().iadd_imm_s(counter, FURTHEST);
        let mut lacks =
            self.b
                .ins()
                .icmp_imm_u(IntCC::UnsignedGreaterThan, from_least, 2 * FURTHEST);
        if clip.cost > 1 {
            let none = self.b.ins().icmp_imm_s(IntCC::Equal, rounds, 0);
            lacks = self.b.ins().bor(lacks, none);
        }
        self.leave_before(head, lacks, fuel);
        let shortest = self.shortest(&clip);
        let mut lookups: Vec<(Value, Value)> = Vec::new();
        lookups.extend(shortest.map(|shortest| (counter, shortest)));
        let others = clip.spans.iter().filter(|span| span.index != clip.counter);
        for span in others {
            // What was loaded before the loop was looked at then.
            if span.level == Level::Write || !self.has_invariant(head, span.view, span.index) {
                let index = self.value_of(span.index, Kind::Int);
                lookups.push((index, self.len_for(span.view, span.level)));
            }
        }
        if !lookups.is_empty() {
            let out = way_out.unwrap_or_else(|| self.exit_before(head, fuel));
            for (index, len) in lookups {
                let is_within = self.b.ins().icmp(IntCC::UnsignedLessThan, index, len);
                self.need(is_within, out);
            }
        }
        self.set_clip(&clip, fuel, counter, rounds, shortest);
    }

    /// Leaves native code before the loop that `head` is the head of, if the condition holds.
    fn leave_before(&mut self, head: usize, condition: Value, fuel: Value) {
        let out = self.cold_block();
        self.need_not(condition, out);
        self.write_cold(out, |translator| {
            let block = &translator.function.graph.blocks[head];
            let inst = translator.function.body.insts[block.start];
            let stores = translator.stale_of(&block.live);
            translator.jump_out(Reason::Resume, &inst, fuel, &stores);
        });
    }

    /// Writes the end of a round of the clipped loop that the present block closes, if it does.
    pub(super) fn close_clip(&mut self, inst: &Inst) -> bool {
        let closed = |clip: &Clip| Some(clip.around.latch) == self.block;
        let Some(clip) = self.clip_here().filter(closed) else {
            return false;
        };
        let before = self.fuel_parts(self.paid);
        let old = self.value(clip.counter);
        let next = self.b.ins().iadd_imm_s(old, 1);
        self.define(clip.counter, Kind::Int, next);
        self.transfer(inst, Kind::Nothing);
        let limit = self.b.use_var(clip.limit);
        let goes_on = self.b.ins().icmp(IntCC::SignedLessThan, next, limit);
        let after = self.b.create_block();
        let back = self.way_to(clip.around.head);
        self.b.ins().brif(goes_on, back, &[], after, &[]);
        self.write_way(back, clip.around.head);
        self.b.switch_to_block(after);
        self.b.seal_block(after);
        let left = self.fuel_from(before);
        let bound = self.bound(&clip);
        let wants_more = self.b.ins().icmp(IntCC::SignedLessThan, next, bound);
        let spent = self.cold_block();
        self.need_not(wants_more, spent);
        self.write_cold(spent, |translator| {
            let live = translator.seen_behind(inst);
            let stores = translator.stale_of(&live);
            translator.jump_out(Reason::Fuel, inst, left, &stores);
        });
        self.b.def_var(self.fuel, left);
        let next = self.function.graph.blocks[clip.around.latch].next;
        self.block = None;
        self.go_on(next);
        true
    }
}
