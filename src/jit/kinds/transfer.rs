//! What an instruction does to the kinds of registers.

use super::Kind;
use super::seen::{Assumed, Seen};
use crate::jit::ir::inst::{Addend, Against, Branch, Inst, Role, returns_value};
use crate::lower::code::{Binary, Rop, Unary, Worked, flag};
use crate::lower::{FALSE_WORD, TRUE_WORD};

/// How an instruction computes from two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Both are Ints.
    Ints,
    /// At least one is known to be no Int, so both count as Floats.
    Floats,
    /// A helper looks at them.
    Open,
}

impl Mode {
    /// What is computed from them: an Int of Ints.
    fn number(self) -> Kind {
        match self {
            Mode::Ints => Kind::Int,
            Mode::Floats => Kind::Float,
            Mode::Open => Kind::Scalar,
        }
    }
}

/// What an instruction that computes from two numbers does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The kinds of the operands once they are guarded; one that stays boxed isn't.
    pub(crate) first: Kind,
    pub(crate) second: Kind,
    pub(crate) mode: Mode,
}

impl Plan {
    /// The plan for operands of these kinds.
    pub(crate) fn of(a: Kind, b: Kind, seen: Seen) -> Plan {
        let first = guarded(a, seen.first(), b);
        let second = guarded(b, seen.second(), a);
        let no_int = |kind| matches!(kind, Kind::Float | Kind::Bool | Kind::Undef | Kind::Nothing);
        let mode = if no_int(first) || no_int(second) {
            Mode::Floats
        } else if first == Kind::Int && second == Kind::Int {
            Mode::Ints
        } else {
            Mode::Open
        };
        Plan {
            first,
            second,
            mode,
        }
    }
}

/// What `a = a ± b * c` does first: with the factors, and with the sum and the product, which is open if
/// the factors are.
pub(crate) fn accumulation(kinds: &[Kind], inst: &Inst, seen: Seen) -> [Plan; 2] {
    let (a, b, c) = (inst.a(), inst.b(), inst.c());
    let product = Plan::of(kinds[b], kinds[c], seen);
    let old = match a {
        a if a == b => product.first,
        a if a == c => product.second,
        a => kinds[a],
    };
    let mut sum = Plan::of(old, product.mode.number(), seen.third());
    if product.mode == Mode::Open {
        sum.mode = Mode::Open;
    }
    [product, sum]
}

/// The kind of an operand beside an `other` one, once it is guarded.
fn guarded(kind: Kind, assumed: Assumed, other: Kind) -> Kind {
    match assumed {
        Assumed::Unknown if kind.is_boxed() && other == Kind::Float => Kind::Float,
        Assumed::Unknown if kind.is_boxed() => Kind::Int,
        assumed => settled(kind, assumed),
    }
}

/// The kind of an operand that counts as a Float or Int whatever it is, once it is guarded: where
/// nothing was seen it isn't.
pub(crate) fn settled(kind: Kind, assumed: Assumed) -> Kind {
    match assumed {
        Assumed::Int if kind.is_boxed() => Kind::Int,
        Assumed::Float if kind.is_boxed() => Kind::Float,
        _ => kind,
    }
}

/// The kind that an element is unboxed to at once, if the instruction loads one from an array by an
/// index of this kind.
pub(crate) fn element_kind(seen: Seen, array: Kind, index: Kind) -> Option<Kind> {
    let may_be_index = index == Kind::Int || index.is_boxed();
    seen.loaded().filter(|_| array.is_boxed() && may_be_index)
}

/// The kind of [`Rop::Binary`].
pub(crate) fn binary_of(inst: &Inst) -> Binary {
    const ALL: [Binary; 9] = [
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
    pub(crate) seen: Seen,
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

    /// Refines operands as the plan guards them.
    fn guard(&mut self, plan: Plan, a: usize, b: Option<usize>) {
        self.refine(a, plan.first);
        if let Some(b) = b {
            self.refine(b, plan.second);
        }
    }

    /// Refines operands that count as numbers whatever they are.
    fn settle(&mut self, a: usize, b: Option<usize>) {
        let kind = settled(self.kinds[a], self.seen.first());
        self.refine(a, kind);
        if let Some(b) = b {
            let kind = settled(self.kinds[b], self.seen.second());
            self.refine(b, kind);
        }
    }

    /// `d = b op c`, or with a constant where there is no `c`: Int with Int gives `int`.
    fn number(&mut self, inst: &Inst, c: Option<usize>, int: Kind, float: Kind) {
        let other = c.map_or(Kind::Int, |c| self.kinds[c]);
        let plan = Plan::of(self.kinds[inst.b()], other, self.seen);
        self.guard(plan, inst.b(), c);
        self.dies(inst, inst.b(), c);
        let kind = match plan.mode.number() {
            Kind::Int => int,
            Kind::Float => float,
            kind => kind,
        };
        self.set(inst.a(), kind);
    }

    /// Operands that count as numbers, and a result of this kind.
    fn counts_as(&mut self, inst: &Inst, c: Option<usize>, kind: Kind) {
        self.settle(inst.b(), c);
        self.dies(inst, inst.b(), c);
        self.set(inst.a(), kind);
    }

    /// An element that is loaded, from an array of this kind.
    fn element(&mut self, inst: &Inst, array: Kind, boxed: Kind) {
        let index = inst.c();
        match element_kind(self.seen, array, self.kinds[index]) {
            Some(kind) => {
                self.refine(index, Kind::Int);
                self.set(inst.a(), kind);
            }
            None => {
                dies_second(inst, self);
                self.set(inst.a(), boxed);
            }
        }
    }

    /// The quotient: a Float, unless the divisor was seen to be zero.
    fn quotient(&mut self, inst: &Inst, c: Option<usize>) {
        let kind = match self.seen.is_irregular() {
            true => Kind::Scalar,
            false => Kind::Float,
        };
        if kind == Kind::Scalar {
            self.dies(inst, inst.b(), c);
            self.set(inst.a(), kind);
        } else if c.is_some() {
            self.counts_as(inst, c, kind);
        } else {
            // The divisor alone is in a register, and was noted as the second operand.
            let divisor = settled(self.kinds[inst.b()], self.seen.second());
            self.refine(inst.b(), divisor);
            self.dies(inst, inst.b(), None);
            self.set(inst.a(), kind);
        }
    }
}

/// Applies the instruction to the kinds. `result` is what a call gives. `false` if control doesn't
/// get past it in native code.
pub(crate) fn transfer(inst: &Inst, result: Kind, step: &mut Step<'_>) -> bool {
    let (a, b, c) = (inst.a(), inst.b(), inst.c());
    let unboxed_or = |kind: Kind, boxed: Kind| if kind.is_boxed() { boxed } else { kind };
    if let Some(branch) = Branch::of_inst(inst) {
        return compare(inst, branch, step);
    }
    if let Some(gives) = returns_value(inst.op) {
        if inst.role == Role::Rejoin {
            rejoin(inst, gives, step);
        }
        return inst.role == Role::Rejoin;
    }
    if inst.role == Role::Enter {
        for kind in &mut step.kinds[a + inst.immediate as usize..] {
            *kind = Kind::Scalar;
        }
        return true;
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
        Rop::LoadConst => step.set(a, Kind::Scalar),
        Rop::GlobalBorrow => step.set(a, step.seen.loaded().unwrap_or(Kind::Scalar)),
        Rop::GlobalCopy => step.set(a, step.seen.loaded().unwrap_or(Kind::Any)),
        Rop::GlobalSet => step.dies(inst, a, None),

        Rop::Add
        | Rop::Sub
        | Rop::Mul
        | Rop::AddFloats
        | Rop::SubFloats
        | Rop::MulFloats
        | Rop::Mod => step.number(inst, Some(c), Kind::Int, Kind::Float),
        Rop::AddI | Rop::SubI | Rop::MulI | Rop::ModI | Rop::ISub => {
            step.number(inst, None, Kind::Int, Kind::Float);
        }
        Rop::AddF | Rop::SubF | Rop::MulF | Rop::DivF | Rop::FSub => {
            step.counts_as(inst, None, Kind::Float);
        }
        Rop::Pow => step.counts_as(inst, Some(c), Kind::Float),
        Rop::MulAdd | Rop::MulSub | Rop::MulAddFloats | Rop::MulSubFloats => {
            let [product, sum] = accumulation(step.kinds, inst, step.seen);
            step.guard(product, b, Some(c));
            if product.mode != Mode::Open {
                step.refine(a, sum.first);
            }
            step.dies(inst, b, Some(c));
            step.set(a, sum.mode.number());
        }
        Rop::Div => step.quotient(inst, Some(c)),
        Rop::FDiv => step.quotient(inst, None),
        Rop::AddInt | Rop::BitAnd | Rop::BitOr | Rop::BitXor | Rop::Shl | Rop::Shr => {
            step.counts_as(inst, Some(c), Kind::Int);
        }
        Rop::Inc | Rop::Dec | Rop::BitAndI | Rop::BitOrI | Rop::BitXorI | Rop::ShlI | Rop::ShrI => {
            step.counts_as(inst, None, Kind::Int)
        }
        Rop::StringLen => {
            step.dies(inst, b, None);
            step.set(a, Kind::Int);
        }
        Rop::Binary => binary(inst, step),
        Rop::Unary => match unary_of(inst) {
            Unary::Negate => step.number(inst, None, Kind::Int, Kind::Float),
            Unary::LogNot => {
                step.dies(inst, b, None);
                step.set(a, Kind::Bool);
            }
            Unary::BitNot => step.counts_as(inst, None, Kind::Int),
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
        Rop::ElementCopy => step.element(inst, Kind::Any, Kind::Any),
        Rop::ElementBorrow => step.element(inst, Kind::Any, Kind::Scalar),
        Rop::SlotElementCopy => step.element(inst, step.kinds[b], Kind::Any),
        Rop::SlotElementBorrow => step.element(inst, step.kinds[b], Kind::Scalar),
        Rop::HashGetCopy => {
            dies_second(inst, step);
            step.set(a, Kind::Any);
        }
        Rop::HashGetBorrow => {
            dies_second(inst, step);
            step.set(a, Kind::Scalar);
        }
        Rop::ElementLen | Rop::SlotElementLen => {
            dies_second(inst, step);
            step.set(a, Kind::Int);
        }
        Rop::HashExists => {
            dies_second(inst, step);
            step.set(a, Kind::Bool);
        }
        Rop::ElementSet | Rop::HashSet => step.dies(inst, b, Some(c)),
        Rop::SlotElementSet => {
            step.dies(inst, b, Some(c));
            own_array(a, step);
        }
        Rop::ElementSetI | Rop::ElementSetW => step.dies(inst, b, None),
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
        Rop::Outline => {
            let (pops, pushes) = (usize::from(inst.word.b()), usize::from(inst.word.c()));
            step.kinds[a..a + pops].fill(Kind::Scalar);
            step.kinds[a..a + pushes].fill(Kind::Any);
            match inst.word.flags() {
                flag::GIVES_INT => step.set(a, Kind::Int),
                flag::GIVES_FLOAT => step.set(a, Kind::Float),
                _ => {}
            }
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

/// The return of an inlined sub: its result is where its frame began, and nothing above.
fn rejoin(inst: &Inst, gives: bool, step: &mut Step<'_>) {
    let kind = match gives {
        true => step.kinds[inst.b()].passed(),
        false => Kind::Undef,
    };
    step.kinds[inst.shift()..].fill(Kind::Scalar);
    step.set(inst.shift(), kind);
}

/// `false` if the engine has to do it.
fn compare(inst: &Inst, branch: Branch, step: &mut Step<'_>) -> bool {
    let (a, b) = (inst.a(), inst.b());
    match branch.adds {
        Addend::Nothing => {}
        Addend::One => step.set(a, Kind::Int),
        Addend::Step(_) => {
            let plan = Plan::of(step.kinds[a], Kind::Int, step.seen);
            if plan.mode == Mode::Open {
                return false;
            }
            step.set(a, plan.mode.number());
        }
    }
    if inst.word.flags() & flag::AS_INT != 0 && branch.adds == Addend::Nothing {
        step.settle(a, None);
        step.dies(inst, a, None);
        return true;
    }
    let (second, other) = match branch.against {
        Against::Register => (Some(b), step.kinds[b]),
        Against::Int => (None, Kind::Int),
        Against::Float => (None, Kind::Float),
    };
    let plan = Plan::of(step.kinds[a], other, step.seen);
    step.guard(plan, a, second);
    if branch.adds == Addend::Nothing {
        step.dies(inst, a, second);
    }
    true
}

fn binary(inst: &Inst, step: &mut Step<'_>) {
    let c = inst.c();
    match binary_of(inst) {
        Binary::NumEq
        | Binary::NumNe
        | Binary::NumLt
        | Binary::NumGt
        | Binary::NumLe
        | Binary::NumGe => step.number(inst, Some(c), Kind::Bool, Kind::Bool),
        Binary::Spaceship => step.number(inst, Some(c), Kind::Int, Kind::Int),
        Binary::LogAnd | Binary::LogOr => {
            step.dies(inst, inst.b(), Some(c));
            step.set(inst.a(), Kind::Bool);
        }
    }
}
