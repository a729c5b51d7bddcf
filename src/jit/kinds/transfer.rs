//! What an instruction does to the kinds of registers.

use super::inst::{Against, Branch, Inst, returns_value};
use super::{Guess, Kind};
use crate::lower::code::{Binary, Rop, Unary, Worked, flag};
use crate::lower::{FALSE_WORD, TRUE_WORD};

/// How an instruction computes from two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Both are Ints; boxed ones are guarded.
    Ints,
    /// At least one is no Int, so both count as Floats; nothing is guarded.
    Floats,
    /// Boxed ones are guarded to be Floats.
    GuardFloats,
    /// A helper looks at them.
    Open,
}

/// How an instruction computes from operands of these kinds.
pub(crate) fn mode(a: Kind, b: Kind, guess: Guess) -> Mode {
    let no_int = |kind| matches!(kind, Kind::Float | Kind::Bool | Kind::Undef);
    if no_int(a) || no_int(b) {
        return Mode::Floats;
    }
    if a == Kind::Int && b == Kind::Int {
        return Mode::Ints;
    }
    match guess {
        Guess::Ints => Mode::Ints,
        Guess::Floats => Mode::GuardFloats,
        Guess::Open => Mode::Open,
    }
}

/// The guess for an instruction: what is on record, unless the engine has seen Floats.
pub(crate) fn guess_of(inst: &Inst, on_record: Guess) -> Guess {
    match inst.op {
        Rop::AddFloats | Rop::SubFloats | Rop::MulFloats => match on_record {
            Guess::Ints => Guess::Floats,
            other => other,
        },
        _ => on_record,
    }
}

/// The kind of [`Rop::Binary`].
pub(crate) fn binary_of(inst: &Inst) -> Binary {
    const ALL: [Binary; 15] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Mod,
        Binary::Pow,
        Binary::NumEq,
        Binary::NumNe,
        Binary::NumLt,
        Binary::NumGt,
        Binary::NumLe,
        Binary::NumGe,
        Binary::Spaceship,
        Binary::LogAnd,
        Binary::LogOr,
    ];
    ALL[usize::from(inst.word.flags() >> flag::KIND_SHIFT)]
}

/// The kind of [`Rop::Unary`].
pub(crate) fn unary_of(inst: &Inst) -> Unary {
    [Unary::Negate, Unary::LogNot, Unary::BitNot]
        [usize::from(inst.word.flags() >> flag::KIND_SHIFT)]
}

/// What a constant scalar is.
pub(crate) fn kind_of_word(word: u32) -> Kind {
    match word {
        TRUE_WORD | FALSE_WORD => Kind::Bool,
        _ => Kind::Undef,
    }
}

/// Kinds while an instruction changes them.
pub(crate) struct Step<'a> {
    pub(crate) kinds: &'a mut [Kind],
    pub(crate) guess: Guess,
}

impl Step<'_> {
    fn set(&mut self, register: usize, kind: Kind) {
        self.kinds[register] = kind;
    }

    /// A boxed operand was found to be of the kind, and is unboxed from here on.
    fn refine(&mut self, register: usize, kind: Kind) {
        if self.kinds[register].is_boxed() {
            self.kinds[register] = kind;
        }
    }

    /// Operands that die and were counted are dropped.
    fn dies(&mut self, inst: &Inst, first: usize, second: Option<usize>) {
        let flags = inst.word.flags();
        let mut drop = |register: usize, flag: u8| {
            if flags & flag != 0 && self.kinds[register] == Kind::Any {
                self.kinds[register] = Kind::Scalar;
            }
        };
        drop(first, flag::FIRST_DIES);
        if let Some(second) = second {
            drop(second, flag::SECOND_DIES);
        }
    }

    /// Refines the operands as the mode guards them. Gives whether a helper looks at them instead.
    fn guard(&mut self, mode: Mode, a: usize, b: Option<usize>) -> bool {
        let kind = match mode {
            Mode::Ints => Kind::Int,
            Mode::GuardFloats => Kind::Float,
            Mode::Floats => return false,
            Mode::Open => return true,
        };
        self.refine(a, kind);
        if let Some(b) = b {
            self.refine(b, kind);
        }
        false
    }

    /// `d = b op c`, or with a constant where there is no `c`: Int with Int gives `int`.
    fn number(&mut self, inst: &Inst, c: Option<usize>, other: Kind, int: Kind, float: Kind) {
        let mode = mode(self.kinds[inst.b()], other, self.guess);
        let open = self.guard(mode, inst.b(), c);
        self.dies(inst, inst.b(), c);
        let kind = match mode {
            _ if open => Kind::Scalar,
            Mode::Ints => int,
            _ => float,
        };
        self.set(inst.a(), kind);
    }
}

/// Applies the instruction to the kinds. `result` is what a call gives. `false` if control doesn't
/// get past it in native code.
pub(crate) fn transfer(inst: &Inst, result: Kind, step: &mut Step<'_>) -> bool {
    let (a, b, c) = (inst.a(), inst.b(), inst.c());
    let unboxed_or = |kind: Kind, boxed: Kind| if kind.is_boxed() { boxed } else { kind };
    if let Some(branch) = Branch::of(inst.op) {
        compare(inst, branch, step);
        return true;
    }
    if returns_value(inst.op).is_some() {
        return false;
    }
    match inst.op {
        Rop::Copy => {
            let kind = unboxed_or(step.kinds[b], Kind::Any);
            step.set(a, kind);
        }
        Rop::Take => {
            let kind = step.kinds[b];
            step.set(a, kind);
            if kind == Kind::Any && a != b {
                step.set(b, Kind::Scalar);
            }
        }
        Rop::Borrow => {
            let kind = unboxed_or(step.kinds[b], Kind::Scalar);
            step.set(a, kind);
        }
        Rop::Own => {
            let kind = unboxed_or(step.kinds[a], Kind::Any);
            step.set(a, kind);
        }
        Rop::Exchange => {
            let (x, y) = (step.kinds[a], step.kinds[b]);
            if x.is_boxed() || y.is_boxed() {
                step.set(a, Kind::Any);
                step.set(b, Kind::Any);
            } else {
                step.set(a, y);
                step.set(b, x);
            }
        }
        Rop::Drop => {
            if step.kinds[a] == Kind::Any {
                step.set(a, Kind::Scalar);
            }
        }
        Rop::Clear => {
            for register in a..a + usize::from(inst.word.b()) {
                step.set(register, Kind::Undef);
            }
        }
        Rop::LoadInt => step.set(a, Kind::Int),
        Rop::LoadFloat => step.set(a, Kind::Float),
        Rop::LoadWord => step.set(a, kind_of_word(inst.word.wide())),
        Rop::LoadConst | Rop::GlobalBorrow => step.set(a, Kind::Scalar),
        Rop::GlobalCopy => step.set(a, Kind::Any),
        Rop::GlobalSet => step.dies(inst, a, None),

        Rop::Add
        | Rop::Sub
        | Rop::Mul
        | Rop::AddFloats
        | Rop::SubFloats
        | Rop::MulFloats
        | Rop::Mod => {
            let other = step.kinds[c];
            step.number(inst, Some(c), other, Kind::Int, Kind::Float);
        }
        Rop::AddI | Rop::SubI | Rop::MulI | Rop::ModI | Rop::ISub => {
            step.number(inst, None, Kind::Int, Kind::Int, Kind::Float);
        }
        Rop::AddF | Rop::SubF | Rop::MulF | Rop::DivF | Rop::FSub => {
            step.dies(inst, b, None);
            step.set(a, Kind::Float);
        }
        Rop::Div | Rop::FDiv => {
            let second = (inst.op == Rop::Div).then_some(c);
            step.dies(inst, b, second);
            let open = step.guess == Guess::Open;
            step.set(a, if open { Kind::Scalar } else { Kind::Float });
        }
        Rop::AddInt | Rop::BitAnd | Rop::BitOr | Rop::BitXor | Rop::Shl | Rop::Shr => {
            step.dies(inst, b, Some(c));
            step.set(a, Kind::Int);
        }
        Rop::Inc
        | Rop::Dec
        | Rop::BitAndI
        | Rop::BitOrI
        | Rop::BitXorI
        | Rop::ShlI
        | Rop::ShrI
        | Rop::StringLen => {
            step.dies(inst, b, None);
            step.set(a, Kind::Int);
        }
        Rop::Binary => binary(inst, step),
        Rop::Unary => match unary_of(inst) {
            Unary::Negate => step.number(inst, None, Kind::Int, Kind::Int, Kind::Float),
            Unary::LogNot => {
                step.dies(inst, b, None);
                step.set(a, Kind::Bool);
            }
            Unary::BitNot => {
                step.dies(inst, b, None);
                step.set(a, Kind::Int);
            }
        },
        Rop::Worked => {
            step.dies(inst, b, Some(c));
            let kinds = Worked::StringRepeat as u8..=Worked::StringRepeat as u8;
            let kind = inst.word.flags() >> flag::KIND_SHIFT;
            let counted = kinds.contains(&kind) || kind == Worked::Range as u8;
            step.set(a, if counted { Kind::Any } else { Kind::Scalar });
        }
        Rop::Concat => {
            step.dies(inst, b, Some(c));
            step.set(a, Kind::Any);
        }

        Rop::ArrayLen => step.set(a, Kind::Int),
        Rop::ElementCopy | Rop::SlotElementCopy | Rop::HashGetCopy => {
            dies_second(inst, step);
            step.set(a, Kind::Any);
        }
        Rop::ElementBorrow | Rop::SlotElementBorrow | Rop::HashGetBorrow => {
            dies_second(inst, step);
            step.set(a, Kind::Scalar);
        }
        Rop::ElementSet | Rop::HashSet => step.dies(inst, b, Some(c)),
        Rop::SlotElementSet => {
            step.dies(inst, b, Some(c));
            own_array(a, step);
        }
        Rop::ElementSetI => step.dies(inst, b, None),
        Rop::SlotElementSetI => {
            step.dies(inst, b, None);
            own_array(a, step);
        }
        Rop::ArrayPush => dies_second(inst, step),

        Rop::Call => {
            if result == Kind::Nothing {
                return false;
            }
            for kind in &mut step.kinds[a..] {
                *kind = Kind::Scalar;
            }
            step.set(a, result);
        }
        Rop::SlotLoop => {
            step.set(a, Kind::Any);
            step.set(b, if a == b { Kind::Any } else { Kind::Scalar });
        }
        Rop::IfTrue | Rop::IfFalse => step.dies(inst, a, None),
        Rop::Jump | Rop::Loop | Rop::Fuel => {}
        // The rest was seen to be a branch, or ends the frame's stay in native code.
        _ => return false,
    }
    true
}

/// The key of a read of an element, which may die.
fn dies_second(inst: &Inst, step: &mut Step<'_>) {
    let c = inst.c();
    if inst.word.flags() & flag::SECOND_DIES != 0 && step.kinds[c] == Kind::Any {
        step.set(c, Kind::Scalar);
    }
}

/// A register whose array is changed owns it.
fn own_array(register: usize, step: &mut Step<'_>) {
    if step.kinds[register].is_boxed() {
        step.set(register, Kind::Any);
    }
}

fn compare(inst: &Inst, branch: Branch, step: &mut Step<'_>) {
    let (a, b) = (inst.a(), inst.b());
    if branch.increments {
        step.set(a, Kind::Int);
    }
    if inst.word.flags() & flag::AS_INT != 0 {
        if !branch.increments {
            step.dies(inst, a, None);
        }
        return;
    }
    let (second, other) = match branch.against {
        Against::Register => (Some(b), step.kinds[b]),
        Against::Int => (None, Kind::Int),
        Against::Float => (None, Kind::Float),
    };
    let mode = mode(step.kinds[a], other, step.guess);
    step.guard(mode, a, second);
    step.dies(inst, a, second);
}

fn binary(inst: &Inst, step: &mut Step<'_>) {
    let (a, b, c) = (inst.a(), inst.b(), inst.c());
    let other = step.kinds[c];
    match binary_of(inst) {
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Mod => {
            step.number(inst, Some(c), other, Kind::Int, Kind::Float);
        }
        Binary::NumEq
        | Binary::NumNe
        | Binary::NumLt
        | Binary::NumGt
        | Binary::NumLe
        | Binary::NumGe => step.number(inst, Some(c), other, Kind::Bool, Kind::Bool),
        Binary::Spaceship => step.number(inst, Some(c), other, Kind::Int, Kind::Int),
        Binary::Pow => {
            step.dies(inst, b, Some(c));
            step.set(a, Kind::Float);
        }
        Binary::Div => {
            step.dies(inst, b, Some(c));
            let open = step.guess == Guess::Open;
            step.set(a, if open { Kind::Scalar } else { Kind::Float });
        }
        Binary::LogAnd | Binary::LogOr => {
            step.dies(inst, b, Some(c));
            step.set(a, Kind::Bool);
        }
    }
}
