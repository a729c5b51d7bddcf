//! Branches, and fuel.

use super::super::abi::{Helper, Reason};
use super::super::kinds::Kind;
use super::super::kinds::inst::{Against, Branch, Comparison, Inst};
use super::Translator;
use super::numbers::{Numbers, Operand};
use crate::lower::code::{Rop, flag};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value, types};

impl Translator<'_, '_> {
    /// Writes the branch that ends a block.
    pub(super) fn branch(&mut self, inst: &Inst, block: usize) {
        let place = &self.function.graph.blocks[block];
        let (taken, next) = (place.taken, place.next);
        match inst.op {
            Rop::Jump => {
                self.transfer(inst, Kind::Nothing);
                self.go_on(taken);
            }
            Rop::Loop => {
                self.transfer(inst, Kind::Nothing);
                self.pay_and_go(inst, taken);
            }
            Rop::IfTrue | Rop::IfFalse => {
                let truth = self.truth(inst);
                self.transfer(inst, Kind::Nothing);
                let when = inst.op == Rop::IfTrue;
                self.go_either(inst, truth, when, false, (taken, next));
            }
            _ => {
                let Some(branch) = Branch::of(inst.op) else {
                    return;
                };
                let holds = self.condition(inst, branch);
                self.transfer(inst, Kind::Nothing);
                self.go_either(inst, holds, branch.when, branch.pays, (taken, next));
            }
        }
    }

    /// The truth of register `a`, which may die.
    fn truth(&mut self, inst: &Inst) -> Value {
        let a = inst.a();
        if inst.word.flags() & flag::FIRST_DIES != 0 && self.kinds[a] == Kind::Any {
            self.share.inline -= 1;
            let (base, word) = (self.base, self.int(inst.word.0 as i64));
            let truth = self.ask_helper(Helper::Truth, &[base, word]);
            self.halves[a] = None;
            return truth;
        }
        self.truth_of(a)
    }

    /// Whether the comparison of a branch holds; counts up first if it is that kind.
    fn condition(&mut self, inst: &Inst, branch: Branch) -> Value {
        let a = inst.a();
        let other = match branch.against {
            Against::Register => Operand::Register(inst.b()),
            _ => Operand::Int(inst.immediate as i64),
        };
        if branch.increments {
            return self.count_up(inst, branch.comparison, other);
        }
        if inst.word.flags() & flag::AS_INT != 0 {
            let x = self.as_int(a);
            self.drop_dying(inst, a, None);
            let k = self.int(inst.immediate as i64);
            return self.comparison(branch.comparison, Numbers::Ints(x, k));
        }
        if branch.against == Against::Float {
            let x = self.as_float(a);
            self.drop_dying(inst, a, None);
            let k = self.b.ins().f64const(f64::from_bits(inst.immediate));
            return self.comparison(branch.comparison, Numbers::Floats(x, k));
        }
        let second = (branch.against == Against::Register).then(|| inst.b());
        match self.numbers(inst, a, other) {
            Some(numbers) => {
                self.drop_dying(inst, a, second);
                self.comparison(branch.comparison, numbers)
            }
            None => self.open_comparison(inst, second),
        }
    }

    /// `a = a to Int, plus 1`, and the comparison.
    fn count_up(&mut self, inst: &Inst, comparison: Comparison, other: Operand) -> Value {
        let a = inst.a();
        // Guards come before the register changes.
        if let Operand::Register(b) = other
            && self.kinds[b].is_boxed()
            && self.guess != super::super::kinds::Guess::Open
        {
            let _ = match self.guess {
                super::super::kinds::Guess::Floats => self.guarded_float(inst, b),
                _ => self.guarded_int(inst, b),
            };
        }
        let old = self.as_int(a);
        let new = self.b.ins().iadd_imm_s(old, 1);
        self.put(a, Kind::Int, new);
        match self.numbers(inst, a, other) {
            Some(numbers) => self.comparison(comparison, numbers),
            None => {
                let second = match other {
                    Operand::Register(b) => Some(b),
                    Operand::Int(_) => None,
                };
                self.open_comparison(inst, second)
            }
        }
    }

    /// Goes to the block that a branch leads to, or to the next.
    fn go_either(
        &mut self,
        inst: &Inst,
        holds: Value,
        when: bool,
        pays: bool,
        (taken, next): (Option<usize>, Option<usize>),
    ) {
        let to_taken = self.way_to(taken, pays);
        let to_next = self.way_to(next, false);
        let (if_true, if_false) = if when {
            (to_taken, to_next)
        } else {
            (to_next, to_taken)
        };
        self.b.ins().brif(holds, if_true, &[], if_false, &[]);
        if !self.is_direct(to_taken, taken) {
            self.b.switch_to_block(to_taken);
            if pays {
                self.pay_and_go(inst, taken);
            } else {
                self.go_on(taken);
            }
        }
        if !self.is_direct(to_next, next) {
            self.b.switch_to_block(to_next);
            self.go_on(next);
        }
    }

    /// The block to branch to for a block of the graph: its own, or a new one where something is to
    /// be done on the way.
    fn way_to(&mut self, block: Option<usize>, pays: bool) -> ir::Block {
        match block {
            Some(block) if !pays && !self.stores_for(block) => self.blocks[block],
            _ => self.b.create_block(),
        }
    }

    fn is_direct(&self, way: ir::Block, block: Option<usize>) -> bool {
        block.is_some_and(|block| self.blocks[block] == way)
    }

    /// Whether the block wants registers boxed that aren't now.
    fn stores_for(&self, block: usize) -> bool {
        let wanted = &self.function.kinds[block];
        let live = &self.function.graph.blocks[block].live;
        live.iter()
            .any(|register| wanted[register].is_boxed() && self.is_stale(register))
    }

    /// Whether the memory of a register isn't its value.
    fn is_stale(&self, register: usize) -> bool {
        let kind = self.kinds[register];
        !kind.is_boxed() && kind != Kind::Nothing && !self.synced[register]
    }

    /// Goes to a block of the graph, registers stored as it wants them.
    pub(super) fn go_on(&mut self, block: Option<usize>) {
        let Some(block) = block else {
            // Behind the last instruction there is nothing; lowered code never gets there.
            self.refuse();
            return;
        };
        let wanted = &self.function.kinds[block];
        let live = &self.function.graph.blocks[block].live;
        let stale: Vec<usize> = live
            .iter()
            .filter(|register| wanted[*register].is_boxed() && self.is_stale(*register))
            .collect();
        for register in stale {
            self.store_boxed(register);
        }
        let target = self.blocks[block];
        self.b.ins().jump(target, &[]);
    }

    /// Pays a unit of fuel for a branch that is taken, and takes it; without fuel the engine looks
    /// for more.
    fn pay_and_go(&mut self, inst: &Inst, taken: Option<usize>) {
        let live = self.live_behind.clone();
        self.pay_or(inst, Reason::Fuel, &live);
        self.go_on(taken);
    }

    /// A unit of fuel on its own.
    pub(super) fn pay(&mut self, inst: &Inst) {
        let live = self.live.clone();
        self.pay_or(inst, Reason::Fuel, &live);
    }

    fn pay_or(
        &mut self,
        inst: &Inst,
        reason: Reason,
        live: &super::super::kinds::graph::RegisterSet,
    ) {
        let fuel = self.b.use_var(self.fuel);
        let left = self.b.ins().iadd_imm_s(fuel, -1);
        let spent = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let (out, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(spent, out, &[], go_on, &[]);
        self.b.switch_to_block(out);
        self.leave_with(reason, inst.at, live);
        self.b.switch_to_block(go_on);
        self.b.def_var(self.fuel, left);
    }

    /// Pays for the call that enters the function, and counts its depth.
    pub(super) fn pay_for_call(&mut self) {
        let fuel = self.b.use_var(self.fuel);
        let left = self.b.ins().iadd_imm_s(fuel, -1);
        let depth = self.b.ins().iadd_imm_s(self.depth, -1);
        let either = self.b.ins().bor(left, depth);
        let none = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, either, 0);
        let (refuse, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(none, refuse, &[], go_on, &[]);
        self.b.switch_to_block(refuse);
        self.refuse();
        self.b.switch_to_block(go_on);
        self.b.def_var(self.fuel, left);
        self.depth = depth;
        debug_assert_eq!(self.b.func.dfg.value_type(depth), types::I64);
    }
}
