//! Fuel, and loops that pay for many rounds at once.
//!
//! A counted loop in which nothing else costs fuel is *clipped*: before it, the bound of its counter is
//! lowered to what there is fuel for, so that no round has to look. In such a loop the fuel at hand is
//! a sum that stays the same less the counter; where control leaves it, that difference is formed.

use super::super::abi::Reason;
use super::super::ir::inst::{Addend, Against, Branch, Comparison, Inst, Role, effects};
use super::super::ir::graph::Loop;
use super::super::kinds::Kind;
use super::super::kinds::group::Function;
use super::Translator;
use crate::lower::code::Rop;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};

/// A loop that is clipped.
#[derive(Clone, Copy)]
pub(super) struct Clip {
    around: Loop,
    /// The register that counts, and what it is compared with.
    counter: usize,
    bound: Bound,
    /// The fuel and the counter, added.
    sum: Variable,
    /// The counter goes on below this.
    limit: Variable,
}

#[derive(Clone, Copy)]
enum Bound {
    Register(usize),
    Int(i64),
}

/// Counters above this aren't clipped, so that sums with fuel can't overflow.
const MOST: i64 = 1 << 62;

/// The loops of a function that can be clipped.
pub(super) fn find(function: &Function, b: &mut FunctionBuilder<'_>) -> Vec<Clip> {
    let loops = function.graph.loops.iter();
    loops
        .filter_map(|around| clip(function, *around, b))
        .collect()
}

fn clip(function: &Function, around: Loop, b: &mut FunctionBuilder<'_>) -> Option<Clip> {
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
    if body.iter().any(|inst| costs(inst) || is_changed(inst)) {
        return None;
    }
    let other_latch = (around.head..around.latch).any(|block| {
        let block = &graph.blocks[block];
        block.taken == Some(around.head) || block.next == Some(around.head)
    });
    // Where control comes into the middle, nothing would have been clipped.
    let comes_from_elsewhere = graph.blocks.iter().enumerate().any(|(place, block)| {
        let after = [block.taken, block.next];
        let into = |next: usize| next != around.head && around.has(next);
        !around.has(place) && after.into_iter().flatten().any(into)
    });
    let enters_in_the_middle = graph.entry != around.head && around.has(graph.entry);
    if other_latch || comes_from_elsewhere || enters_in_the_middle {
        return None;
    }
    Some(Clip {
        around,
        counter,
        bound,
        sum: b.declare_var(types::I64),
        limit: b.declare_var(types::I64),
    })
}

/// Whether the instruction costs fuel in any case, or may change any register.
fn costs(inst: &Inst) -> bool {
    let pays = Branch::of(inst.op).is_some_and(|branch| branch.pays);
    pays || inst.role == Role::Enter || matches!(inst.op, Rop::Loop | Rop::Fuel | Rop::Call)
}

/// What the fuel at hand is made of.
#[derive(Clone, Copy)]
pub(super) enum Fuel {
    Itself(Value),
    /// A sum, less the counter.
    Difference(Value, Value),
}

impl Translator<'_, '_> {
    /// The clipped loop that a block is in.
    fn clip_of(&self, block: usize) -> Option<Clip> {
        let mut clips = self.clips.iter();
        clips.find(|clip| clip.around.has(block)).copied()
    }

    /// The clipped loop that the present block is in.
    fn clip_here(&self) -> Option<Clip> {
        self.clip_of(self.block?)
    }

    /// What the fuel at hand is made of.
    pub(super) fn fuel_parts(&mut self) -> Fuel {
        match self.clip_here() {
            None => Fuel::Itself(self.b.use_var(self.fuel)),
            Some(clip) => {
                let sum = self.b.use_var(clip.sum);
                Fuel::Difference(sum, self.value_of(clip.counter, Kind::Int))
            }
        }
    }

    /// The fuel that is made of these.
    pub(super) fn fuel_from(&mut self, parts: Fuel) -> Value {
        match parts {
            Fuel::Itself(fuel) => fuel,
            Fuel::Difference(sum, counter) => self.b.ins().isub(sum, counter),
        }
    }

    /// The fuel at hand.
    pub(super) fn fuel(&mut self) -> Value {
        let parts = self.fuel_parts();
        self.fuel_from(parts)
    }

    /// Sets the fuel at hand.
    pub(super) fn set_fuel(&mut self, fuel: Value) {
        match self.clip_here() {
            None => self.b.def_var(self.fuel, fuel),
            Some(clip) => {
                let counter = self.value_of(clip.counter, Kind::Int);
                self.set_clip(clip, fuel, counter);
            }
        }
    }

    fn set_clip(&mut self, clip: Clip, fuel: Value, counter: Value) {
        let sum = self.b.ins().iadd(fuel, counter);
        self.b.def_var(clip.sum, sum);
        let paid = self.b.ins().iadd_imm_s(sum, 1);
        let bound = self.bound(clip);
        let limit = self.b.ins().smin(paid, bound);
        self.b.def_var(clip.limit, limit);
    }

    fn bound(&mut self, clip: Clip) -> Value {
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

    /// Clips the loop that `head` is the head of. With a counter that is too high the engine goes on.
    pub(super) fn enter_clip(&mut self, head: usize) {
        let Some(clip) = self.clip_of(head) else {
            return;
        };
        let counter = self.value_of(clip.counter, Kind::Int);
        let too_high = self
            .b
            .ins()
            .icmp_imm_s(IntCC::SignedGreaterThan, counter, MOST);
        let fuel = self.b.use_var(self.fuel);
        let out = self.cold_block();
        self.need_not(too_high, out);
        self.write_cold(out, |translator| {
            let block = &translator.function.graph.blocks[head];
            let inst = translator.function.body.insts[block.start];
            let stores = translator.stale_of(&block.live);
            translator.jump_out(Reason::Resume, &inst, fuel, &stores);
        });
        self.set_clip(clip, fuel, counter);
    }

    /// Writes the end of a round of the clipped loop that the present block closes, if it does.
    pub(super) fn close_clip(&mut self, inst: &Inst) -> bool {
        let closed = |clip: &Clip| Some(clip.around.latch) == self.block;
        let Some(clip) = self.clip_here().filter(closed) else {
            return false;
        };
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
        // The round that is over was paid for when it began.
        let sum = self.b.use_var(clip.sum);
        let left = self.b.ins().isub(sum, old);
        let bound = self.bound(clip);
        let wants_more = self.b.ins().icmp(IntCC::SignedLessThan, next, bound);
        let spent = self.cold_block();
        self.need_not(wants_more, spent);
        self.write_cold(spent, |translator| {
            let live = translator.live_behind.clone();
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
