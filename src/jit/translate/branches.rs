//! Branches, and what they cost.

use super::super::abi::{Helper, Reason};
use super::super::ir::inst::{Addend, Against, Branch, Inst};
use super::super::kinds::Kind;
use super::super::kinds::transfer::{Mode, Plan};
use super::Translator;
use super::numbers::{Numbers, Operand};
use crate::lower::code::{Rop, flag};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value};

impl Translator<'_, '_> {
    /// Writes the branch that ends a block.
    pub(super) fn branch(&mut self, inst: &Inst) {
        let Some(block) = self.block else { return };
        let place = &self.function.graph.blocks[block];
        let (taken, next) = (place.taken, place.next);
        match inst.op {
            Rop::Jump => {
                self.transfer(inst, Kind::Nothing);
                self.go_on(taken);
            }
            Rop::Loop => {
                self.transfer(inst, Kind::Nothing);
                self.pay(inst);
                self.go_on(taken);
            }
            Rop::IfTrue | Rop::IfFalse => {
                let truth = self.truth(inst);
                self.transfer(inst, Kind::Nothing);
                let when = inst.op == Rop::IfTrue;
                self.go_either(inst, truth, when, false, (taken, next));
            }
            _ => {
                let Some(branch) = Branch::of_inst(inst) else {
                    return;
                };
                if self.close_clip(inst) {
                    return;
                }
                let Some(holds) = self.condition(inst, branch) else {
                    self.leave_here(inst);
                    return;
                };
                self.transfer(inst, Kind::Nothing);
                self.go_either(inst, holds, branch.when, branch.pays, (taken, next));
            }
        }
    }

    /// The truth of register `a`, which may die.
    fn truth(&mut self, inst: &Inst) -> Value {
        let a = inst.a();
        if inst.word.flags() & flag::FIRST_DIES != 0 && self.kinds[a] == Kind::Any {
            self.note_helped();
            self.commit();
            let (base, word) = (self.frame_base(inst), self.int(inst.word.0 as i64));
            let truth = self.ask_helper(Helper::Truth, &[base, word]);
            self.halves[a] = None;
            return truth;
        }
        self.truth_of(a)
    }

    /// Whether the comparison of a branch holds, once it has counted up if it is that kind; `None` if
    /// the engine has to do it.
    fn condition(&mut self, inst: &Inst, branch: Branch) -> Option<Value> {
        let a = inst.a();
        let other = match branch.against {
            Against::Register => Operand::Register(inst.b()),
            Against::Int => Operand::Int(inst.immediate as i64),
            Against::Float => Operand::Float(f64::from_bits(inst.immediate)),
        };
        match branch.adds {
            Addend::Nothing => {}
            Addend::One => {
                self.guard_bound(inst, Kind::Int);
                let old = self.as_int(a);
                let new = self.b.ins().iadd_imm_s(old, 1);
                self.put(a, Kind::Int, new);
            }
            Addend::Step(step) => {
                let plan = Plan::of(self.kinds[a], Kind::Int, self.seen);
                let (kind, new) = match plan.mode {
                    Mode::Open => return None,
                    Mode::Ints => {
                        self.guard_bound(inst, Kind::Int);
                        let old = self.guarded_int(a);
                        (Kind::Int, self.b.ins().iadd_imm_s(old, step))
                    }
                    Mode::Floats => {
                        self.guard_bound(inst, Kind::Float);
                        let old = self.guarded_float(a);
                        let step = self.b.ins().f64const(step as f64);
                        (Kind::Float, self.b.ins().fadd(old, step))
                    }
                };
                self.put(a, kind, new);
            }
        }
        if inst.word.flags() & flag::AS_INT != 0 && branch.adds == Addend::Nothing {
            let kind = super::super::kinds::transfer::settled(self.kinds[a], self.seen.first());
            self.guarded_as(a, kind);
            let x = self.as_int(a);
            self.drop_dying(inst, a, None);
            let k = self.int(inst.immediate as i64);
            return Some(self.comparison(branch.comparison, Numbers::Ints(x, k)));
        }
        let second = (branch.against == Against::Register).then(|| inst.b());
        Some(match self.numbers(a, other) {
            Some(numbers) => {
                if branch.adds == Addend::Nothing {
                    self.drop_dying(inst, a, second);
                }
                self.comparison(branch.comparison, numbers)
            }
            None => self.open_comparison(inst, second),
        })
    }

    /// Guards what a counter of this kind is compared with, before the counter changes.
    fn guard_bound(&mut self, inst: &Inst, counter: Kind) {
        if Branch::of(inst.op).is_some_and(|branch| branch.against == Against::Register) {
            let plan = Plan::of(counter, self.kinds[inst.b()], self.seen);
            self.guarded_as(inst.b(), plan.second);
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
        let (Some(taken), Some(next)) = (taken, next) else {
            self.refuse();
            return;
        };
        let to_taken = match pays {
            true => self.b.create_block(),
            false => self.way_to(taken),
        };
        let to_next = self.way_to(next);
        let (if_true, if_false) = if when {
            (to_taken, to_next)
        } else {
            (to_next, to_taken)
        };
        self.b.ins().brif(holds, if_true, &[], if_false, &[]);
        if pays {
            self.b.switch_to_block(to_taken);
            self.b.seal_block(to_taken);
            self.pay_or_leave(inst);
            self.go_on(Some(taken));
        } else {
            self.write_way(to_taken, taken);
        }
        self.write_way(to_next, next);
    }

    /// Pays a unit of fuel; without it the engine looks for more.
    pub(super) fn pay(&mut self, inst: &Inst) {
        self.commit();
        self.pay_or_leave(inst);
    }

    fn pay_or_leave(&mut self, inst: &Inst) {
        let live = match inst.op {
            Rop::Fuel => self.live.clone(),
            _ => self.seen_behind(inst),
        };
        let left = self.spend();
        let spent = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        let out = self.cold_block();
        self.need_not(spent, out);
        self.write_cold(out, |translator| {
            translator.leave_with(Reason::Fuel, inst, &live);
        });
        self.set_fuel(left);
    }

    /// The fuel less a unit, which isn't set yet.
    pub(super) fn spend(&mut self) -> Value {
        let fuel = self.fuel();
        self.b.ins().iadd_imm_s(fuel, -1)
    }

    /// Writes a block that one branch leads to, and goes back to the present one.
    pub(super) fn write_cold(&mut self, block: ir::Block, write: impl FnOnce(&mut Self)) {
        let here = self.b.current_block();
        self.b.switch_to_block(block);
        self.b.seal_block(block);
        write(self);
        if let Some(here) = here {
            self.b.switch_to_block(here);
        }
    }

    /// Pays for the call that enters the function, and counts its depth and that of inlined ones.
    pub(super) fn pay_for_call(&mut self, refuse: ir::Block) {
        let left = self.spend();
        let depth = self.b.ins().iadd_imm_s(self.depth, -1);
        let inlined = self.function.body.depth() as i64;
        let deepest = self.b.ins().iadd_imm_s(depth, -inlined);
        let either = self.b.ins().bor(left, deepest);
        let none = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, either, 0);
        self.need_not(none, refuse);
        self.set_fuel(left);
        self.depth = depth;
    }

    /// Sees that there is room for inlined calls.
    pub(super) fn need_depth(&mut self, refuse: ir::Block) {
        let inlined = self.function.body.depth() as i64;
        if inlined > 0 {
            let lacks = self
                .b
                .ins()
                .icmp_imm_s(IntCC::SignedLessThan, self.depth, inlined);
            self.need_not(lacks, refuse);
        }
    }
}
