//! An op as the flow sees it: eight bytes with its effect, where to go on, slots and needs.

use super::shape::need_bit;
use crate::{
    code::Code,
    op::{Flow, Needs, Op, OperandKind, StackEffect, for_each_op},
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
    /// Calls what no strict chunk calls, or a sub with a wrong number of arguments.
    Refused,
    /// In the table only: effect or needs depend on the operands.
    Computed,
    /// In the table only: the table of subs or imports decides.
    Declared,
}

/// The classes by their numbers.
const CLASSES: [Class; 16] = {
    let mut classes = [Class::Refused; 16];
    let all = [
        Class::Plain,
        Class::Jump,
        Class::Branch,
        Class::Return,
        Class::Scope,
        Class::Block,
        Class::Computed,
        Class::Declared,
    ];
    let mut i = 0;
    while i < all.len() {
        classes[all[i] as usize] = all[i];
        i += 1;
    }
    classes
};

/// What the flow needs to know about an op, packed: values taken in the low 16 bits, values left in 8,
/// the class in 4, capabilities in 4, and above them the greatest slot that it names plus 1, or 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step(u64);

const PUSHES_AT: u32 = 16;
const CLASS_AT: u32 = 24;
const NEEDS_AT: u32 = 28;
const SLOTS_AT: u32 = 32;
const CLASS_MASK: u64 = 15 << CLASS_AT;

impl Step {
    const fn new(class: Class, pops: u16, pushes: u8, needs: u8) -> Step {
        let effect = pops as u64 | (pushes as u64) << PUSHES_AT;
        Step(effect | (class as u64) << CLASS_AT | (needs as u64) << NEEDS_AT)
    }

    /// The step of a call that no strict chunk has.
    pub(super) const REFUSED: Step = Step::new(Class::Refused, 0, 0, 0);

    /// A plain step that needs nothing of the host.
    pub(super) fn effect(pops: u16, pushes: u8) -> Step {
        Step::new(Class::Plain, pops, pushes, 0)
    }

    /// A step that names slots below this number; it named none before.
    #[inline]
    pub(super) fn with_slots(self, slots: u32) -> Step {
        Step(self.0 | u64::from(slots) << SLOTS_AT)
    }

    /// Whether it is of this class.
    #[inline]
    pub(super) const fn is(self, class: Class) -> bool {
        self.0 & CLASS_MASK == (class as u64) << CLASS_AT
    }

    /// How the flow treats it.
    #[inline]
    pub(super) fn class(self) -> Class {
        CLASSES[((self.0 & CLASS_MASK) >> CLASS_AT) as usize]
    }

    /// How many values it takes.
    #[inline]
    pub(super) fn pops(self) -> u32 {
        self.0 as u32 & 0xffff
    }

    /// How many values it leaves.
    #[inline]
    pub(super) fn pushes(self) -> u32 {
        self.0 as u32 >> PUSHES_AT & 0xff
    }

    /// The greatest slot that it names plus 1, or 0.
    #[inline]
    pub(super) fn slots(self) -> u32 {
        (self.0 >> SLOTS_AT) as u32
    }

    /// The capabilities as the bits of a `NeedSet`.
    #[inline]
    pub(super) fn needs(self) -> u8 {
        (self.0 >> NEEDS_AT) as u8 & 15
    }

    /// The step of an op whose effect or needs depend on its operands.
    pub(super) fn compute(op: &Op) -> Step {
        let needs = need_bit(op.needs());
        match op.effect() {
            // Operands count at most 65,535 values, and no op of a fixed effect leaves over 255.
            StackEffect::Fixed { pops, pushes } => {
                Step::new(Class::Plain, pops as u16, pushes as u8, needs)
            }
            StackEffect::Declared => Step::new(Class::Declared, 0, 0, needs),
        }
    }
}

/// What the number is that an op has for an operand, and with that the limit that it stays below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Number {
    /// Nothing to look at.
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
    /// There are several, or something declares the effect.
    Several,
}

impl Number {
    /// How many kinds there are.
    pub(super) const COUNT: usize = Number::Several as usize + 1;

    /// The number of an op with these operands and this effect.
    const fn of_row(operands: &[OperandKind], effect: Effect) -> Number {
        if matches!(effect, Effect::Declared | Effect::Computed) {
            return Number::Several;
        }
        let mut number = Number::None;
        let mut i = 0;
        while i < operands.len() {
            let found = match operands[i] {
                OperandKind::Const => Number::Const,
                OperandKind::Name => Number::Name,
                OperandKind::Block => Number::Block,
                OperandKind::Slot => Number::Slot,
                OperandKind::Target => Number::Target,
                OperandKind::Count | OperandKind::Count8 | OperandKind::Argc
                    if matches!(effect, Effect::Counted(_)) =>
                {
                    Number::Count
                }
                OperandKind::Count | OperandKind::Count8 | OperandKind::Argc => Number::None,
                OperandKind::Int
                | OperandKind::Float
                | OperandKind::Code
                | OperandKind::Id
                | OperandKind::Imm
                | OperandKind::Payload => Number::None,
            };
            number = if operands.len() == 1 {
                found
            } else {
                Number::Several
            };
            i += 1;
        }
        number
    }

    /// What a step has of the number: a count is among the values taken, a slot among the slots.
    const fn factor(self) -> u64 {
        match self {
            Number::Slot => 1 << SLOTS_AT,
            Number::Count => 1,
            Number::None
            | Number::Const
            | Number::Name
            | Number::Block
            | Number::Target
            | Number::Several => 0,
        }
    }
}

/// What the opcode table says of an op's effect.
#[derive(Clone, Copy)]
enum Effect {
    /// Values taken and left.
    Fixed(u16, u8),
    /// It takes as many as its operand counts and leaves so many.
    Counted(u8),
    /// An expression.
    Computed,
    /// The table of subs or imports decides.
    Declared,
}

/// An opcode's step, with an operand of 0, and what the operand adds to it.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) step: Step,
    factor: u64,
    pub(super) number: Number,
}

impl Row {
    const UNUSED: Row = Row {
        step: Step::REFUSED,
        factor: 0,
        number: Number::Several,
    };

    const fn new(
        flow: Flow,
        operands: &[OperandKind],
        effect: Effect,
        needs: Option<Needs>,
    ) -> Row {
        let number = Number::of_row(operands, effect);
        let needs = match needs {
            Some(needs) => need_bit(needs),
            None => 0,
        };
        let class = match flow {
            Flow::Next if matches!(number, Number::Block) => Class::Block,
            Flow::Next => Class::Plain,
            Flow::Jump => Class::Jump,
            Flow::Branch => Class::Branch,
            Flow::Return => Class::Return,
            Flow::Scope => Class::Scope,
        };
        let step = match effect {
            Effect::Fixed(pops, pushes) => Step::new(class, pops, pushes, needs),
            Effect::Counted(pushes) => Step::new(class, 0, pushes, needs),
            Effect::Computed => Step::new(Class::Computed, 0, 0, 0),
            Effect::Declared => Step::new(Class::Declared, 0, 0, needs),
        };
        Row {
            // A slot of 0 is one slot.
            step: Step(
                step.0
                    + if matches!(number, Number::Slot) {
                        1 << SLOTS_AT
                    } else {
                        0
                    },
            ),
            factor: number.factor(),
            number,
        }
    }

    /// The step of an op with this number for an operand.
    #[inline]
    pub(super) fn step_with(&self, number: usize) -> Step {
        Step(
            self.step
                .0
                .wrapping_add((number as u64).wrapping_mul(self.factor)),
        )
    }
}

/// How many entries the things have that operands index.
pub(super) struct Ranges {
    pub(super) ops: usize,
    pub(super) constants: usize,
    pub(super) names: usize,
    pub(super) blocks: usize,
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

macro_rules! number {
    (Const $operand:ident) => {
        usize::from($operand)
    };
    (Name $operand:ident) => {
        usize::from($operand)
    };
    (Block $operand:ident) => {
        usize::from($operand)
    };
    (Slot $operand:ident) => {
        usize::from($operand)
    };
    (Count $operand:ident) => {
        usize::from($operand)
    };
    (Count8 $operand:ident) => {
        usize::from($operand)
    };
    (Argc $operand:ident) => {
        usize::from($operand)
    };
    (Target $operand:ident) => {
        $operand
    };
    ($($kind:ident $operand:ident)*) => {{
        $(let _ = $operand;)*
        0
    }};
}

macro_rules! define_steps {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        /// The row of each opcode.
        pub(super) static ROWS: [Row; 256] = {
            let mut rows = [Row::UNUSED; 256];
            $(rows[$byte] = Row::new(
                Flow::$flow,
                &[$($(OperandKind::$kind),+)?],
                row_effect!([$($effect)+]),
                row_needs!($needs),
            );)*
            rows
        };

        /// The number that the op has for its only operand; 0 if it has none, or several operands.
        #[inline(always)]
        pub(super) fn number(op: &Op) -> usize {
            match *op {
                $(pattern!($name $(($($operand),+))?) => number!($($($kind $operand)+)?),)*
            }
        }

        /// Looks at the operands that index something: gives the greatest slot plus 1, or 0.
        ///
        /// # Errors
        /// The code for the first operand out of its range.
        #[inline]
        pub(super) fn check_operands(op: &Op, ranges: &Ranges) -> Result<u32, Code> {
            #[allow(unused_mut, reason = "not every op names slots")]
            let mut slots = 0;
            match *op {
                $(pattern!($name $(($($operand),+))?) => {
                    $($(operand::$kind($operand, ranges, &mut slots)?;)+)?
                })*
            }
            Ok(slots)
        }

        /// The op that a jump or branch goes to; the greatest number for other ops.
        #[inline]
        pub(super) fn target(op: &Op) -> usize {
            #[allow(unused_mut, reason = "not every op has a target")]
            let mut target = usize::MAX;
            match *op {
                $(pattern!($name $(($($operand),+))?) => {
                    $($(find_target::$kind($operand, &mut target);)+)?
                })*
            }
            target
        }
    };
}

for_each_op!(define_steps);

/// The check of an operand, a function for each kind, named as the kind is.
#[allow(non_snake_case)]
mod operand {
    use super::{Code, Ranges};

    macro_rules! index {
        ($($kind:ident $ty:ty, $table:ident, $code:ident;)*) => {$(
            #[inline(always)]
            pub(super) fn $kind(index: $ty, ranges: &Ranges, _slots: &mut u32) -> Result<(), Code> {
                if usize::from(index) < ranges.$table { Ok(()) } else { Err(Code::$code) }
            }
        )*};
    }

    macro_rules! free {
        ($($kind:ident $ty:ty),*) => {$(
            #[inline(always)]
            pub(super) fn $kind(_: $ty, _: &Ranges, _: &mut u32) -> Result<(), Code> {
                Ok(())
            }
        )*};
    }

    index! {
        Const u16, constants, BadConstant;
        Name u16, names, BadName;
        Block u16, blocks, BadBlock;
    }
    free! {
        Int i64, Float f64, Count u16, Count8 u8, Argc u8, Code u8, Id u16, Imm i32, Payload usize
    }

    #[inline(always)]
    pub(super) fn Target(target: usize, ranges: &Ranges, _slots: &mut u32) -> Result<(), Code> {
        if target <= ranges.ops {
            Ok(())
        } else {
            Err(Code::BadTarget)
        }
    }

    #[inline(always)]
    pub(super) fn Slot(slot: u16, _: &Ranges, slots: &mut u32) -> Result<(), Code> {
        *slots = (*slots).max(u32::from(slot) + 1);
        Ok(())
    }
}

/// The search for a target, a function for each kind, named as the kind is.
#[allow(non_snake_case)]
mod find_target {
    macro_rules! other {
        ($($kind:ident $ty:ty),*) => {$(
            #[inline(always)]
            pub(super) fn $kind(_: $ty, _: &mut usize) {}
        )*};
    }

    other! {
        Int i64, Float f64, Const u16, Name u16, Slot u16, Block u16, Count u16, Count8 u8, Argc u8,
        Code u8, Id u16, Imm i32, Payload usize
    }

    #[inline(always)]
    pub(super) fn Target(target: usize, found: &mut usize) {
        *found = target;
    }
}
