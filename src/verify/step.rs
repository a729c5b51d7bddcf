//! An op as the flow sees it: a word that tells its effect, how control goes on, slots and needs.
//!
//! All of it derives from the opcode table. The words of most ops come from [`STEPS`], and what their
//! operand adds from [`number`], without a branch for each op.

use super::{Sizes, shape::need_bit};
use crate::{
    code::Code,
    op::{Flow, MARK_BYTES, Needs, Op, Operand, OperandKind, StackEffect, for_each_op},
};

/// How the flow treats an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Goes on to the next op; the effect is known.
    Plain,
    /// Goes on to its target.
    Jump,
    /// Goes on to its target or to the next op.
    Branch,
    /// Ends a call, or the run.
    Return,
    /// Opens or closes a scope.
    Scope,
    /// Runs a block and goes on to the next op.
    Block,
    /// A branch that names slots: its target is to be had from the op.
    SlotBranch,
    /// An op that pairs with others.
    Mark,
    /// A call that no strict chunk has.
    Refused,
    /// Only in [`STEPS`]: it has several operands, or its effect is an expression.
    Computed,
    /// Only in [`STEPS`]: the table of subs or imports declares its effect.
    Declared,
}

/// The classes by their numbers.
const CLASSES: [Class; 16] = {
    let all = [
        Class::Plain,
        Class::Jump,
        Class::Branch,
        Class::Return,
        Class::Scope,
        Class::Block,
        Class::SlotBranch,
        Class::Mark,
        Class::Refused,
        Class::Computed,
        Class::Declared,
    ];
    let mut classes = [Class::Refused; 16];
    let mut i = 0;
    while i < all.len() {
        classes[all[i] as usize] = all[i];
        i += 1;
    }
    classes
};

/// What an op's only operand is to the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Meaning {
    /// Nothing.
    None,
    /// An index of the constant pool.
    Const,
    /// An index of the name table.
    Name,
    /// An index of the block table.
    Block,
    /// A slot.
    Slot,
    /// How many values the op takes.
    Count,
    /// An op to go to.
    Target,
    /// It takes more to tell.
    Complex,
}

/// The meanings by their numbers.
const MEANINGS: [Meaning; Meaning::COUNT] = [
    Meaning::None,
    Meaning::Const,
    Meaning::Name,
    Meaning::Block,
    Meaning::Slot,
    Meaning::Count,
    Meaning::Target,
    Meaning::Complex,
];

impl Meaning {
    /// How many there are.
    pub(super) const COUNT: usize = Meaning::Complex as usize + 1;

    const fn of(kind: OperandKind) -> Meaning {
        match kind {
            OperandKind::Const => Meaning::Const,
            OperandKind::Name => Meaning::Name,
            OperandKind::Block => Meaning::Block,
            OperandKind::Slot => Meaning::Slot,
            OperandKind::Target => Meaning::Target,
            OperandKind::Count | OperandKind::Count8 | OperandKind::Argc => Meaning::Count,
            OperandKind::Int
            | OperandKind::Float
            | OperandKind::Code
            | OperandKind::Id
            | OperandKind::Imm
            | OperandKind::Payload => Meaning::None,
        }
    }
}

/// What the flow needs to know about an op, packed: values taken in the low 16 bits, values left in 8,
/// the class in 4, the meaning in 3, capabilities in 4, and above them the target of a jump or branch, or
/// the number of slots up to the greatest that the op names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step(u64);

const PUSHES_AT: u32 = 16;
const CLASS_AT: u32 = 24;
const MEANING_AT: u32 = 28;
const NEEDS_AT: u32 = 31;
const TOP_AT: u32 = 35;

/// What a step has of its operand, by the operand's meaning: a count is among the values taken, a slot
/// or a target is on top.
const FACTORS: [u64; Meaning::COUNT] = {
    let mut factors = [0; Meaning::COUNT];
    factors[Meaning::Slot as usize] = 1 << TOP_AT;
    factors[Meaning::Target as usize] = 1 << TOP_AT;
    factors[Meaning::Count as usize] = 1;
    factors
};

impl Step {
    /// A step that needs nothing.
    pub(super) const NONE: Step = Step::new(Class::Plain, 0, 0, Needs::None);

    /// The step of a call that no strict chunk has.
    pub(super) const REFUSED: Step = Step::new(Class::Refused, 0, 0, Needs::None);

    /// Stands for one that [`compute`](Step::compute) gives.
    const COMPUTED: Step =
        Step::new(Class::Computed, 0, 0, Needs::None).with_meaning(Meaning::Complex);

    const fn new(class: Class, pops: u16, pushes: u8, needs: Needs) -> Step {
        let effect = pops as u64 | (pushes as u64) << PUSHES_AT;
        let needs = (need_bit(needs) as u64) << NEEDS_AT;
        Step(effect | (class as u64) << CLASS_AT | needs)
    }

    const fn with_meaning(self, meaning: Meaning) -> Step {
        Step(self.0 | (meaning as u64) << MEANING_AT)
    }

    /// A plain step that needs nothing of the host.
    pub(super) fn effect(pops: u16, pushes: u8) -> Step {
        Step::new(Class::Plain, pops, pushes, Needs::None)
    }

    /// A step of [`STEPS`] with what the op's [`number`] adds.
    #[inline]
    pub(super) fn with_number(self, number: usize) -> Step {
        let factor = FACTORS[self.meaning() as usize];
        Step(self.0.wrapping_add((number as u64).wrapping_mul(factor)))
    }

    /// The step of an op with several operands, or with an effect that is an expression.
    pub(super) fn compute(op: &Op) -> Step {
        let class = match op.flow() {
            _ if op.mark().is_some() => Class::Mark,
            Flow::Branch => Class::SlotBranch,
            flow => class_of(flow, Meaning::None),
        };
        let (pops, pushes) = match op.effect() {
            // Operands count at most 65,535 values, and no op of a fixed effect leaves over 255.
            StackEffect::Fixed { pops, pushes } => (pops as u16, pushes as u8),
            StackEffect::Declared => (0, 0),
        };
        let slots = match class {
            Class::SlotBranch => 0,
            _ => u64::from(slots(op)),
        };
        Step(Step::new(class, pops, pushes, op.needs()).0 | slots << TOP_AT)
    }

    /// How the flow treats the op.
    #[inline]
    pub(super) const fn class(self) -> Class {
        CLASSES[(self.0 >> CLASS_AT & 15) as usize]
    }

    /// Whether it only has an effect.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.0 & 15 << CLASS_AT == 0
    }

    /// What its operand is to the flow.
    #[inline]
    pub(super) const fn meaning(self) -> Meaning {
        MEANINGS[(self.0 >> MEANING_AT & 7) as usize]
    }

    /// How many values it takes.
    #[inline]
    pub(super) const fn pops(self) -> u32 {
        self.0 as u32 & 0xffff
    }

    /// How many values it leaves.
    #[inline]
    pub(super) const fn pushes(self) -> u32 {
        self.0 as u32 >> PUSHES_AT & 0xff
    }

    /// The op that a `Jump` or `Branch` goes to. Of others but a `SlotBranch`: the greatest slot that
    /// the op names plus 1, or 0.
    #[inline]
    pub(super) fn top(self) -> u32 {
        (self.0 >> TOP_AT) as u32
    }

    /// A step that needs what either needs; all else of it is without meaning.
    #[inline]
    pub(super) fn with(self, other: Step) -> Step {
        Step(self.0 | other.0)
    }

    /// The capabilities as the bits of a `NeedSet`.
    #[inline]
    pub(super) const fn needs(self) -> u8 {
        (self.0 >> NEEDS_AT) as u8 & 15
    }
}

/// How the flow treats ops of a row whose effect is known.
const fn class_of(flow: Flow, meaning: Meaning) -> Class {
    match flow {
        Flow::Next if matches!(meaning, Meaning::Block) => Class::Block,
        Flow::Next => Class::Plain,
        Flow::Jump => Class::Jump,
        Flow::Branch => Class::Branch,
        Flow::Return => Class::Return,
        Flow::Scope => Class::Scope,
    }
}

/// What the opcode table says of an op's effect.
#[derive(Clone, Copy)]
enum Effect {
    /// Values taken and left.
    Fixed(u16, u8),
    /// It takes as many values as its operand counts and leaves so many.
    Counted(u8),
    /// An expression.
    Computed,
    /// The table of subs or imports decides.
    Declared,
}

/// The step that a row of the opcode table gives; `needs` unless they depend on the operands.
const fn step_of_row(
    flow: Flow,
    operands: &[OperandKind],
    effect: Effect,
    needs: Option<Needs>,
) -> Step {
    let Some(needs) = needs else {
        return Step::COMPUTED;
    };
    let meaning = match operands {
        [] => Meaning::None,
        [kind] => Meaning::of(*kind),
        _ => Meaning::Complex,
    };
    let class = class_of(flow, meaning);
    match (effect, meaning) {
        (Effect::Declared, _) => {
            Step::new(Class::Declared, 0, 0, needs).with_meaning(Meaning::Complex)
        }
        (Effect::Computed, _) | (_, Meaning::Complex) => Step::COMPUTED,
        (Effect::Counted(pushes), _) => Step::new(class, 0, pushes, needs).with_meaning(meaning),
        // What it counts isn't values taken.
        (Effect::Fixed(pops, pushes), Meaning::Count) => Step::new(class, pops, pushes, needs),
        (Effect::Fixed(pops, pushes), Meaning::Slot) => {
            // A slot of 0 is one slot.
            let step = Step::new(class, pops, pushes, needs).with_meaning(meaning);
            Step(step.0 + (1 << TOP_AT))
        }
        (Effect::Fixed(pops, pushes), _) => {
            Step::new(class, pops, pushes, needs).with_meaning(meaning)
        }
    }
}

macro_rules! row_effect {
    ([$pops:literal => $pushes:literal]) => {
        Effect::Fixed($pops, $pushes)
    };
    ([count => $pushes:literal]) => {
        Effect::Counted($pushes)
    };
    ([argc => $pushes:literal]) => {
        Effect::Counted($pushes)
    };
    ([declared]) => {
        Effect::Declared
    };
    ([$($other:tt)*]) => {
        Effect::Computed
    };
}

macro_rules! row_needs {
    (NONE) => {
        Some(Needs::None)
    };
    (EXEC) => {
        Some(Needs::Exec)
    };
    (READ) => {
        Some(Needs::Read)
    };
    (ENV) => {
        Some(Needs::Env)
    };
    (REDIRECT) => {
        None
    };
}

macro_rules! pattern {
    ($name:ident) => { Op::$name };
    ($name:ident ($($operand:ident),+)) => { Op::$name($($operand),+) };
}

/// The operand as a number if it is the only one and has a meaning, else 0.
macro_rules! number {
    (Const $operand:ident) => { usize::from($operand) };
    (Name $operand:ident) => { usize::from($operand) };
    (Block $operand:ident) => { usize::from($operand) };
    (Slot $operand:ident) => { usize::from($operand) };
    (Count $operand:ident) => { usize::from($operand) };
    (Count8 $operand:ident) => { usize::from($operand) };
    (Argc $operand:ident) => { usize::from($operand) };
    (Target $operand:ident) => { $operand };
    ($($kind:ident $operand:ident)*) => {{
        $(let _ = $operand;)*
        0
    }};
}

macro_rules! define_steps {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        /// The step of each opcode, for an operand of 0.
        pub(super) static STEPS: [Step; 256] = {
            let mut steps = [Step::REFUSED.with_meaning(Meaning::Complex); 256];
            $(steps[$byte] = step_of_row(
                Flow::$flow,
                &[$($(OperandKind::$kind),+)?],
                row_effect!([$($effect)+]),
                row_needs!($needs),
            );)*
            let mut i = 0;
            while i < MARK_BYTES.len() {
                steps[MARK_BYTES[i] as usize] = Step::COMPUTED;
                i += 1;
            }
            steps
        };

        /// The number that the op has for its only operand; 0 if that has no meaning, or there is
        /// none, or there are several.
        #[inline(always)]
        pub(super) fn number(op: &Op) -> usize {
            match *op {
                $(pattern!($name $(($($operand),+))?) => number!($($($kind $operand)+)?),)*
            }
        }

        /// Checks the operands that index something.
        ///
        /// # Errors
        /// The code for the first operand out of its range.
        pub(super) fn check_operands(op: &Op, sizes: Sizes) -> Result<(), Code> {
            match *op {
                $(pattern!($name $(($($operand),+))?) => {
                    $($(check::$kind($operand, sizes)?;)+)?
                })*
            }
            Ok(())
        }
    };
}

for_each_op!(define_steps);

/// The op that a jump or branch goes to; the greatest number for other ops.
pub(super) fn target(op: &Op) -> usize {
    let operands = op.operands();
    let mut targets = operands.iter().filter_map(|operand| match operand {
        Operand::Target(target) => Some(*target),
        _ => None,
    });
    targets.next().unwrap_or(usize::MAX)
}

/// The greatest slot that an op names plus 1, or 0.
pub(super) fn slots(op: &Op) -> u32 {
    let operands = op.operands();
    let slots = operands.iter().filter_map(|operand| match operand {
        Operand::Slot(slot) => Some(u32::from(*slot) + 1),
        _ => None,
    });
    slots.max().unwrap_or(0)
}

/// The check of an operand, a function for each kind, named as the kind is.
#[allow(non_snake_case)]
mod check {
    use super::{Code, Sizes};

    macro_rules! index {
        ($($kind:ident $table:ident $code:ident;)*) => {$(
            pub(super) fn $kind(index: u16, sizes: Sizes) -> Result<(), Code> {
                if usize::from(index) < sizes.$table { Ok(()) } else { Err(Code::$code) }
            }
        )*};
    }

    macro_rules! free {
        ($($kind:ident $ty:ty),*) => {$(
            pub(super) fn $kind(_: $ty, _: Sizes) -> Result<(), Code> {
                Ok(())
            }
        )*};
    }

    index! {
        Const constants BadConstant;
        Name names BadName;
        Block blocks BadBlock;
    }
    free! {
        Int i64, Float f64, Slot u16, Count u16, Count8 u8, Argc u8, Code u8, Id u16, Imm i32,
        Payload usize
    }

    pub(super) fn Target(target: usize, sizes: Sizes) -> Result<(), Code> {
        if target <= sizes.ops {
            Ok(())
        } else {
            Err(Code::BadTarget)
        }
    }
}

#[cfg(test)]
mod tests;
