//! The translation of jumps, branches and comparisons.
//!
//! A comparison whose result is only branched on is one instruction with the branch. A loop that
//! jumps back to a test at its head gets a copy of that test at its end, so that a round takes one
//! branch; the fuel of the jump is then paid when the branch is taken, and by an instruction of its
//! own when the loop ends.

use super::Translator;
use super::code::{Binary, Rop, Unary, flag};
use super::emit::field;
use super::stack::{Entry, Owner};
use crate::op::Op;

/// A numeric comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
}

impl Comparison {
    /// The comparison that says the same with its operands the other way round.
    fn swapped(self) -> Comparison {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
            Comparison::Eq => Comparison::Eq,
        }
    }
}

/// A branch that is taken or not.
#[derive(Clone, Copy)]
struct Branch {
    /// Whether it is taken when the condition holds, or when it doesn't.
    when: bool,
    target: usize,
    /// Whether taking it costs fuel.
    back: bool,
}

/// The comparison that the op makes, and whether it asks for the opposite.
fn comparison_of(op: &Op) -> Option<(Comparison, bool)> {
    Some(match op {
        Op::NumLt => (Comparison::Lt, false),
        Op::NumLe => (Comparison::Le, false),
        Op::NumGt => (Comparison::Gt, false),
        Op::NumGe => (Comparison::Ge, false),
        Op::NumEq => (Comparison::Eq, false),
        Op::NumNe => (Comparison::Eq, true),
        _ => return None,
    })
}

macro_rules! rops {
    ($branch:expr, $if_true:ident $if_false:ident $loop_true:ident $loop_false:ident) => {
        match ($branch.back, $branch.when) {
            (false, true) => Rop::$if_true,
            (false, false) => Rop::$if_false,
            (true, true) => Rop::$loop_true,
            (true, false) => Rop::$loop_false,
        }
    };
}

impl Translator<'_> {
    /// The branch that takes the result of the op at `at`, and the op it is: one that follows at
    /// once, negations aside.
    fn branch_on_result(&self, at: usize) -> Option<(usize, Branch)> {
        let mut when = true;
        let mut place = at + 1;
        while !self.is_leader(place) {
            let (target, branch_when) = match self.op_at(place)? {
                Op::LogNot => {
                    when = !when;
                    place += 1;
                    continue;
                }
                Op::JumpIfTrue(target) => (*target, when),
                Op::JumpIfFalse(target) => (*target, !when),
                _ => return None,
            };
            let branch = Branch {
                when: branch_when,
                target,
                back: target <= place,
            };
            return Some((place, branch));
        }
        None
    }

    /// A numeric comparison, with the branch on it if there is one.
    pub(super) fn compare(&mut self, at: usize) -> (usize, bool) {
        if let Some((place, branch)) = self.branch_on_result(at) {
            self.compare_and_branch(at, place, branch);
            return (place + 1, true);
        }
        let kind = match self.chunk.ops[at] {
            Op::NumEq => Binary::NumEq,
            Op::NumNe => Binary::NumNe,
            Op::NumLt => Binary::NumLt,
            Op::NumGt => Binary::NumGt,
            Op::NumLe => Binary::NumLe,
            _ => Binary::NumGe,
        };
        (self.binary(at, kind), true)
    }

    /// The comparison at `at` with a branch that stands for the op `place`.
    fn compare_and_branch(&mut self, at: usize, place: usize, mut branch: Branch) {
        let Some((comparison, opposite)) = comparison_of(&self.chunk.ops[at]) else {
            return;
        };
        branch.when ^= opposite;
        let (a, b) = self.pop_pair();
        self.flush_all();
        self.out.op = place as u32;
        let height = self.stack.height();
        match (a, b) {
            (a, Entry::Int(k)) => self.branch_int(comparison, 0, a, height, k, branch),
            (Entry::Int(k), b) => {
                self.branch_int(comparison.swapped(), 0, b, height + 1, k, branch);
            }
            (a, Entry::Float(k)) => self.branch_float(comparison, a, height, k, branch),
            (Entry::Float(k), b) => {
                self.branch_float(comparison.swapped(), b, height + 1, k, branch);
            }
            (a, b) => self.branch_registers(comparison, a, b, branch),
        }
    }

    fn branch_registers(&mut self, comparison: Comparison, a: Entry, b: Entry, branch: Branch) {
        let height = self.stack.height();
        let a = self.operand(a, height);
        let b = self.operand(b, height + 1);
        let (comparison, a, b) = match comparison {
            Comparison::Gt | Comparison::Ge => (comparison.swapped(), b, a),
            _ => (comparison, a, b),
        };
        let rop = match comparison {
            Comparison::Lt | Comparison::Gt => rops!(branch, IfLt IfNotLt LoopLt LoopNotLt),
            Comparison::Le | Comparison::Ge => rops!(branch, IfLe IfNotLe LoopLe LoopNotLe),
            Comparison::Eq => rops!(branch, IfEq IfNotEq LoopEq LoopNotEq),
        };
        let flags = a.first() | b.second();
        if rop == Rop::LoopLt && a.field != b.field && self.retract_increment(a.field) {
            let fields = [a.field, b.field, 0];
            self.branch_to(Rop::IncLoopLt, 0, fields, None, branch.target);
            return;
        }
        let fields = [a.field, b.field, 0];
        if rop == Rop::LoopLt
            && flags == 0
            && a.field != b.field
            && let Some(step) = self.retract_step(a.field, |step| u8::try_from(step).ok())
        {
            self.branch_to(Rop::AddLoopLt, step, fields, None, branch.target);
            return;
        }
        self.branch_to(rop, flags, fields, None, branch.target);
    }

    fn branch_int(
        &mut self,
        comparison: Comparison,
        flags: u8,
        a: Entry,
        position: usize,
        k: i64,
        branch: Branch,
    ) {
        let rop = match comparison {
            Comparison::Lt => rops!(branch, IfLtI IfNotLtI LoopLtI LoopNotLtI),
            Comparison::Le => rops!(branch, IfLeI IfNotLeI LoopLeI LoopNotLeI),
            Comparison::Gt => rops!(branch, IfGtI IfNotGtI LoopGtI LoopNotGtI),
            Comparison::Ge => rops!(branch, IfGeI IfNotGeI LoopGeI LoopNotGeI),
            Comparison::Eq => rops!(branch, IfEqI IfNotEqI LoopEqI LoopNotEqI),
        };
        let a = self.operand(a, position);
        let flags = flags | a.first();
        let (mut rop, mut step) = (rop, 0);
        if rop == Rop::LoopLtI && self.retract_increment(a.field) {
            rop = Rop::IncLoopLtI;
        } else if rop == Rop::LoopLtI
            && flags == 0
            && let Some(found) = self.retract_step(a.field, |step| u16::try_from(step).ok())
        {
            (rop, step) = (Rop::AddLoopLtI, found);
        }
        let fields = [a.field, step, 0];
        self.branch_to(rop, flags, fields, Some(k as u64), branch.target);
    }

    fn branch_float(
        &mut self,
        comparison: Comparison,
        a: Entry,
        position: usize,
        k: f64,
        branch: Branch,
    ) {
        let rop = match comparison {
            Comparison::Lt => rops!(branch, IfLtF IfNotLtF LoopLtF LoopNotLtF),
            Comparison::Le => rops!(branch, IfLeF IfNotLeF LoopLeF LoopNotLeF),
            Comparison::Gt => rops!(branch, IfGtF IfNotGtF LoopGtF LoopNotGtF),
            Comparison::Ge => rops!(branch, IfGeF IfNotGeF LoopGeF LoopNotGeF),
            Comparison::Eq => rops!(branch, IfEqF IfNotEqF LoopEqF LoopNotEqF),
        };
        let a = self.operand(a, position);
        let fields = [a.field, 0, 0];
        self.branch_to(rop, a.first(), fields, Some(k.to_bits()), branch.target);
    }

    /// Emits a branch; all values are in their homes. The end of the region is reached with
    /// different heights, so there is an end for each.
    fn branch_to(
        &mut self,
        rop: Rop,
        flags: u8,
        fields: [u16; 3],
        immediate: Option<u64>,
        target: usize,
    ) {
        let target = if target == self.end {
            let reached = (self.stack.height(), self.scope);
            let known = self.ends.iter().position(|other| *other == reached);
            let place = known.unwrap_or_else(|| {
                self.ends.push(reached);
                self.ends.len() - 1
            });
            self.chunk.ops.len() + 1 + place
        } else {
            target
        };
        self.out.branch(rop, flags, fields, immediate, target);
    }

    /// Emits the ends of the region that branches go to; where each begins.
    pub(super) fn emit_ends(&mut self) -> Vec<usize> {
        self.out.op = self.end as u32;
        let mut places = Vec::new();
        for (height, scope) in std::mem::take(&mut self.ends) {
            places.push(self.out.position());
            self.stack.reset(height);
            self.set_scope(scope);
            self.leave(self.end);
        }
        places
    }

    /// Takes back an increment of this register, if it is the instruction before.
    fn retract_increment(&mut self, register: u16) -> bool {
        match self.out.last() {
            Some((at, word))
                if word.op() == Rop::Inc && word.a() == register && word.b() == register =>
            {
                self.out.retract(at);
                true
            }
            _ => false,
        }
    }

    /// Takes back the addition of a constant to this register, if it is the instruction before and
    /// the constant fits; that constant.
    fn retract_step<T>(&mut self, register: u16, fit: impl Fn(u64) -> Option<T>) -> Option<T> {
        let (at, word) = self.out.last()?;
        let adds = word.op() == Rop::AddI && word.a() == register && word.b() == register;
        if !adds || word.flags() != 0 {
            return None;
        }
        let step = fit(self.out.code.words[at + 1])?;
        self.out.retract(at);
        Some(step)
    }

    /// Branches on the truth of the top, which is taken.
    pub(super) fn branch_on_top(&mut self, at: usize, target: usize, when: bool) {
        let entry = self.stack.pop();
        self.flush_all();
        let top = self.operand(entry, self.stack.height());
        let branch = Branch {
            when,
            target,
            back: target <= at,
        };
        self.branch_on_register(top.field, top.first(), branch);
    }

    /// Branches on the truth of the top, which stays.
    pub(super) fn branch_keeping_top(&mut self, at: usize, target: usize, when: bool) {
        self.flush_all();
        let top = self.home_field(self.stack.height() - 1);
        let branch = Branch {
            when,
            target,
            back: target <= at,
        };
        self.branch_on_register(top, 0, branch);
    }

    fn branch_on_register(&mut self, register: u16, flags: u8, branch: Branch) {
        let rop = |when| if when { Rop::IfTrue } else { Rop::IfFalse };
        if !branch.back {
            let fields = [register, 0, 0];
            self.branch_to(rop(branch.when), flags, fields, None, branch.target);
            return;
        }
        // Over the jump back: this word and the jump's.
        const OVER: u16 = 2;
        self.out.emit(rop(!branch.when), flags, register, OVER, 0);
        self.branch_to(Rop::Loop, 0, [0, 0, 0], None, branch.target);
        self.out.label();
    }

    /// `a -- bool`, with the branch on it if there is one.
    pub(super) fn log_not(&mut self, at: usize) -> (usize, bool) {
        if let Some((place, branch)) = self.branch_on_result(at) {
            self.out.op = place as u32;
            self.branch_on_top(place, branch.target, !branch.when);
            return (place + 1, true);
        }
        (self.unary(at, Unary::LogNot), true)
    }

    /// Goes to an op, ahead of the present place or not, at no cost.
    pub(super) fn go_to(&mut self, target: usize) {
        self.branch_to(Rop::Jump, 0, [0, 0, 0], None, target);
    }

    /// Whether the target's instructions come next. The end of the region has no place of its own.
    fn follows(&self, target: usize, at: usize) -> bool {
        target == at + 1 && target != self.end
    }

    /// A jump; one back to a loop's test does the test here.
    pub(super) fn jump(&mut self, at: usize, target: usize) -> (usize, bool) {
        self.flush_all();
        if target > at {
            if self.follows(target, at) {
                return (at + 1, true);
            }
            self.go_to(target);
            return (at + 1, false);
        }
        match self.reached.loop_test(self.chunk, at, target) {
            Some(test) => self.invert(at, target, test),
            None => {
                self.branch_to(Rop::Loop, 0, [0, 0, 0], None, target);
                (at + 1, false)
            }
        }
    }

    /// The test of the loop, from its head to the branch at `test`, in the place of the jump back
    /// at `at`.
    fn invert(&mut self, at: usize, head: usize, test: usize) -> (usize, bool) {
        let mut place = head;
        let exit = loop {
            self.out.op = at as u32;
            match self.chunk.ops[place] {
                Op::SlotLtIntJumpIfFalse(slot, limit, exit) => {
                    let branch = Branch {
                        when: true,
                        target: test + 1,
                        back: true,
                    };
                    self.branch_slot_below(slot, limit, branch);
                    break exit;
                }
                Op::JumpIfTrue(exit) | Op::JumpIfFalse(exit) => {
                    let when = matches!(self.chunk.ops[place], Op::JumpIfFalse(_));
                    self.branch_on_top_back(test + 1, when);
                    break exit;
                }
                ref op => {
                    if comparison_of(op).is_some()
                        && let Some((branch_at, branch)) = self.branch_on_result(place)
                        && branch_at == test
                    {
                        let stay = Branch {
                            when: !branch.when,
                            target: test + 1,
                            back: true,
                        };
                        self.compare_and_branch(place, at, stay);
                        break branch.target;
                    }
                    place = self.op(place).0;
                }
            }
        };
        self.out.op = at as u32;
        self.out.emit(Rop::Fuel, 0, 0, 0, 0);
        if self.follows(exit, at) {
            return (exit, true);
        }
        self.go_to(exit);
        (at + 1, false)
    }

    /// Goes on with a loop if the top, which is taken, is `when`.
    fn branch_on_top_back(&mut self, target: usize, when: bool) {
        let entry = self.stack.pop();
        self.flush_all();
        let top = self.operand(entry, self.stack.height());
        let branch = Branch {
            when,
            target,
            back: true,
        };
        self.branch_on_register(top.field, top.first(), branch);
    }

    /// Branches unless the slot, to Int, is below the limit.
    pub(super) fn slot_below(&mut self, at: usize, slot: u16, limit: i32, target: usize) {
        self.flush_all();
        let branch = Branch {
            when: false,
            target,
            back: target <= at,
        };
        self.branch_slot_below(slot, limit, branch);
    }

    fn branch_slot_below(&mut self, slot: u16, limit: i32, branch: Branch) {
        let slot = Entry::Slot(self.slot(slot));
        let limit = i64::from(limit);
        self.branch_int(Comparison::Lt, flag::AS_INT, slot, 0, limit, branch);
    }

    /// Adds 1 to the slot, and branches if it is below the limit.
    pub(super) fn increment_below(&mut self, at: usize, slot: u16, limit: i32, target: usize) {
        self.before_change(Owner::Register(self.slot(slot)));
        self.flush_all();
        let register = self.increment(slot);
        let branch = Branch {
            when: true,
            target,
            back: target <= at,
        };
        debug_assert_eq!(field(register) % 16, 0);
        let slot = Entry::Slot(register);
        self.branch_int(
            Comparison::Lt,
            flag::AS_INT,
            slot,
            0,
            i64::from(limit),
            branch,
        );
    }
}
