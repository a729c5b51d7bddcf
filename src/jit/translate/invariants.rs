//! Numbers that an innermost loop computes with and doesn't change: constant Floats, Ints as Floats,
//! elements of arrays that it doesn't write to. They are made on the way into the loop.

use super::super::abi::Reason;
use super::super::ir::graph::Loop;
use super::super::ir::inst::{Inst, Role, effects};
use super::super::kinds::Kind;
use super::super::kinds::group::Function;
use super::super::kinds::transfer::element_kind;
use super::super::kinds::walk::{self, Walked};
use super::super::views::{self, Array, Level, Views};
use super::{Context, Translator};
use crate::lower::code::Rop;
use cranelift_codegen::ir::{self, InstBuilder, Type, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::ops::Range;

/// The most of them that a loop has.
const MOST: usize = 8;

/// A number that stays the same in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The Float of these bits.
    Constant(u64),
    /// The Int in this register as a Float.
    Register(usize),
    /// An element of an array, by the index in this register, that is of this kind.
    Element(Array, usize, Kind),
}

impl What {
    fn ty(self) -> Type {
        match self {
            What::Element(_, _, Kind::Int) => types::I64,
            _ => types::F64,
        }
    }
}

/// One of a loop.
#[derive(Clone, Copy)]
pub(super) struct Invariant {
    around: Loop,
    what: What,
    variable: Variable,
}

/// Those of all innermost loops of a function.
pub(super) fn find(
    cx: &Context<'_>,
    function: &Function,
    views: &Views,
    b: &mut FunctionBuilder<'_>,
) -> Vec<Invariant> {
    let graph = &function.graph;
    let mut found = Vec::new();
    // Loops that are apart share variables.
    let mut shared: Vec<(Type, Variable)> = Vec::new();
    for (place, around) in graph.loops.iter().enumerate() {
        // Loops are in the order of their heads.
        let inner = graph.loops.get(place + 1);
        if inner.is_some_and(|inner| around.has(inner.head)) {
            continue;
        }
        let mut free = shared.clone();
        for what in wanted(cx, function, views, *around) {
            let fitting = free.iter().position(|(ty, _)| *ty == what.ty());
            let variable = match fitting {
                Some(place) => free.swap_remove(place).1,
                None => {
                    let variable = b.declare_var(what.ty());
                    shared.push((what.ty(), variable));
                    variable
                }
            };
            found.push(Invariant {
                around: *around,
                what,
                variable,
            });
        }
    }
    found
}

/// What a loop computes with and doesn't change.
fn wanted(cx: &Context<'_>, function: &Function, views: &Views, around: Loop) -> Vec<What> {
    let graph = &function.graph;
    let start = graph.blocks[around.head].start;
    let insts = &function.body.insts[start..graph.blocks[around.latch].end];
    let mut wanted: Vec<What> = Vec::new();
    if insts
        .iter()
        .any(|inst| inst.op == Rop::Call && inst.role == Role::Plain)
    {
        return wanted;
    }
    let is_same_int = |register: usize| {
        let is_changed = |inst: &Inst| {
            let (first, count) = effects(inst).writes;
            (first..first + count).contains(&register)
        };
        function.kinds[around.head][register] == Kind::Int && !insts.iter().any(is_changed)
    };
    let is_same_array = |array: Array| {
        let is_written = |inst: &Inst| {
            let writes = |(other, level): (Array, Level)| other == array && level == Level::Write;
            views::access(inst).is_some_and(writes)
                || matches!(inst.op, Rop::ArrayPush if array == Array::Global(inst.word.a()))
        };
        let level = views
            .index(array)
            .map(|index| views.at_start(around.head)[index]);
        level > Some(Level::Nothing) && !insts.iter().any(is_written)
    };
    for block in around.head..=around.latch {
        // The registers that registers are copies of: arguments of inlined subs, say.
        let mut origins: Vec<usize> = (0..function.body.registers).collect();
        walk::block(cx.program, cx.group, function, block, |walked| {
            let floats = floats_of(walked.inst, walked.before).map(|float| match float {
                Some(What::Register(register)) => Some(What::Register(origins[register])),
                float => float,
            });
            note_copy(walked.inst, walked.before, &mut origins);
            // What only some rounds read isn't to stand in the way of all.
            let element = element_of(&walked).filter(|_| block == around.head);
            for what in floats.into_iter().chain([element]).flatten() {
                let stays = match what {
                    What::Constant(_) => true,
                    What::Register(register) => is_same_int(register),
                    What::Element(array, index, _) => is_same_int(index) && is_same_array(array),
                };
                if stays && wanted.len() < MOST && !wanted.contains(&what) {
                    wanted.push(what);
                }
            }
        });
    }
    wanted
}

/// Notes which register an Int comes from that an instruction copies.
fn note_copy(inst: &Inst, kinds: &[Kind], origins: &mut [usize]) {
    let (first, count) = effects(inst).writes;
    for (register, origin) in origins.iter_mut().enumerate().skip(first).take(count) {
        *origin = register;
    }
    let copies = matches!(inst.op, Rop::Copy | Rop::Borrow | Rop::Take);
    if copies && kinds[inst.b()] == Kind::Int {
        origins[inst.a()] = origins[inst.b()];
    }
}

/// The element that an instruction loads and unboxes.
fn element_of(walked: &Walked<'_>) -> Option<What> {
    let inst = walked.inst;
    let (array, _) = views::access(inst)?;
    let holder = match (inst.op, array) {
        (Rop::ElementCopy | Rop::ElementBorrow, _) => Kind::Any,
        (Rop::SlotElementCopy | Rop::SlotElementBorrow, Array::Register(register)) => {
            walked.before[register]
        }
        _ => return None,
    };
    let index = inst.c();
    let kind = element_kind(walked.seen, holder, walked.before[index])?;
    Some(What::Element(array, index, kind))
}

/// The Floats that an instruction has to make of constants and Ints.
fn floats_of(inst: &Inst, kinds: &[Kind]) -> [Option<What>; 2] {
    let int = |register: usize| match kinds[register] {
        Kind::Int => Some(What::Register(register)),
        _ => None,
    };
    let constant = || Some(What::Constant(inst.immediate)).filter(|_| inst.immediate != 0);
    let (b, c) = (inst.b(), inst.c());
    match inst.op {
        Rop::LoadFloat => [constant(), None],
        Rop::FSub | Rop::FDiv => [constant(), int(b)],
        Rop::AddF | Rop::SubF | Rop::MulF | Rop::DivF => [int(b), None],
        Rop::Div | Rop::Pow => [int(b), int(c)],
        Rop::MulAdd
        | Rop::MulSub
        | Rop::MulAddFloats
        | Rop::MulSubFloats
        | Rop::Add
        | Rop::Sub
        | Rop::Mul
        | Rop::AddFloats
        | Rop::SubFloats
        | Rop::MulFloats => match (kinds[b], kinds[c]) {
            (Kind::Int, Kind::Float) => [int(b), None],
            (Kind::Float, Kind::Int) => [int(c), None],
            _ => [None, None],
        },
        _ => [None, None],
    }
}

impl Translator<'_, '_> {
    /// Those of the loop that a block is in: loops that have some are apart, in the order of their heads.
    fn invariants_of(&self, block: usize) -> Range<usize> {
        let all = &self.invariants;
        let end = all.partition_point(|known| known.around.head <= block);
        match all[..end].last() {
            Some(last) if last.around.has(block) => {
                let head = last.around.head;
                all.partition_point(|known| known.around.head < head)..end
            }
            _ => 0..0,
        }
    }

    /// Whether the edge from the present block leads into a loop that has some.
    pub(super) fn enters_with_invariants(&self, to: usize) -> bool {
        !self.entered_by(to).is_empty()
    }

    /// Those of the loop that the edge from the present block leads into, if it does.
    fn entered_by(&self, to: usize) -> Range<usize> {
        let entered = self.invariants_of(to);
        let from = self.block.map_or(0..0, |from| self.invariants_of(from));
        if entered == from { 0..0 } else { entered }
    }

    /// Makes those of a loop on the way into it. Where an element isn't what was seen, the engine goes
    /// on at the loop's head, by the way out that is made for that.
    pub(super) fn make_invariants(&mut self, to: usize, way_out: &mut Option<ir::Block>) {
        for place in self.entered_by(to) {
            let Invariant { what, variable, .. } = self.invariants[place];
            let value = match what {
                What::Constant(bits) => self.b.ins().f64const(f64::from_bits(bits)),
                What::Register(register) => {
                    let value = self.value_of(register, Kind::Int);
                    self.b.ins().fcvt_from_sint(types::F64, value)
                }
                What::Element(array, index, kind) => {
                    let out = match *way_out {
                        Some(out) => out,
                        None => {
                            let fuel = self.fuel();
                            *way_out.insert(self.exit_before(to, fuel))
                        }
                    };
                    let index = self.value_of(index, Kind::Int);
                    self.element_before(array, index, kind, out)
                }
            };
            self.b.def_var(variable, value);
        }
    }

    /// A block that leaves native code before the first instruction of a block, with so much fuel.
    pub(super) fn exit_before(&mut self, to: usize, fuel: Value) -> ir::Block {
        let block = &self.function.graph.blocks[to];
        let inst = self.function.body.insts[block.start];
        let stores = self.stale_of(&block.live);
        let (out, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(out);
        self.jump_out(Reason::Guard, &inst, fuel, &stores);
        self.b.switch_to_block(go_on);
        self.b.seal_block(go_on);
        out
    }

    /// Whether an element at the index in a register, of the array of a view, was made before the loop that
    /// a block is the head of.
    pub(super) fn has_invariant(&self, head: usize, view: usize, index: usize) -> bool {
        let array = self.elements.views.array(view);
        let mut known = self.invariants[self.invariants_of(head)].iter();
        known.any(
            |known| matches!(known.what, What::Element(of, by, _) if (of, by) == (array, index)),
        )
    }

    /// The element that an instruction loads, if it was made before the loop.
    pub(super) fn element_at_hand(
        &mut self,
        array: Array,
        index: usize,
        kind: Kind,
    ) -> Option<Value> {
        self.invariant(What::Element(array, index, kind))
    }

    fn invariant(&mut self, what: What) -> Option<Value> {
        let block = self.block?;
        let mut invariants = self.invariants[self.invariants_of(block)].iter();
        let found = invariants.find(|known| known.what == what)?;
        Some(self.b.use_var(found.variable))
    }

    /// A constant Float.
    pub(super) fn float(&mut self, f: f64) -> Value {
        match self.invariant(What::Constant(f.to_bits())) {
            Some(value) => value,
            None => self.b.ins().f64const(f),
        }
    }

    /// An Int register as a Float.
    pub(super) fn int_as_float(&mut self, register: usize) -> Value {
        let value = self.value(register);
        let known = self.block.map(|block| self.invariants_of(block));
        for place in known.into_iter().flatten() {
            let Invariant { what, variable, .. } = self.invariants[place];
            if let What::Register(known) = what
                && self.value_of(known, Kind::Int) == value
            {
                return self.b.use_var(variable);
            }
        }
        self.b.ins().fcvt_from_sint(types::F64, value)
    }
}
