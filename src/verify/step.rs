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
    /// Calls a sub of the chunk.
    CallSub,
    /// Calls a handler that no strict chunk calls.
    Refused,
    /// Effect or needs depend on the operands; the check of operands makes it `Plain`.
    Computed,
    /// The table of subs or imports decides; the check of operands makes it another.
    Declared,
}

/// What the flow needs to know about an op.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The greatest slot that it names plus 1, or 0.
    pub(super) slots: u32,
    /// How many values it takes.
    pub(super) pops: u16,
    /// How many values it leaves.
    pub(super) pushes: u8,
    /// The class below, the capabilities above.
    class_and_needs: u8,
}

const CLASS_BITS: u8 = 4;

impl Step {
    const fn new(class: Class, pops: u16, pushes: u8, needs: u8) -> Step {
        Step {
            slots: 0,
            pops,
            pushes,
            class_and_needs: class as u8 | needs << CLASS_BITS,
        }
    }

    /// A plain step that needs nothing of the host.
    pub(super) fn effect(pops: u16, pushes: u8) -> Step {
        Step::new(Class::Plain, pops, pushes, 0)
    }

    /// A step of this class, effect unchanged.
    pub(super) fn with_class(self, class: Class) -> Step {
        let needs = self.class_and_needs & !((1 << CLASS_BITS) - 1);
        Step {
            class_and_needs: class as u8 | needs,
            ..self
        }
    }

    /// Whether it has an effect that is known and goes on to the next op.
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.class_and_needs & ((1 << CLASS_BITS) - 1) == Class::Plain as u8
    }

    /// How the flow treats it.
    #[inline]
    pub(super) fn class(self) -> Class {
        const CLASSES: [Class; 1 << CLASS_BITS] = {
            let mut classes = [Class::Refused; 1 << CLASS_BITS];
            let all = [
                Class::Plain,
                Class::Jump,
                Class::Branch,
                Class::Return,
                Class::Scope,
                Class::Block,
                Class::CallSub,
                Class::Refused,
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
        CLASSES[usize::from(self.class_and_needs & ((1 << CLASS_BITS) - 1))]
    }

    /// The capabilities as the bits of a `NeedSet`.
    #[inline]
    pub(super) fn needs(self) -> u8 {
        self.class_and_needs >> CLASS_BITS
    }

    /// The step of an op whose effect or needs depend on its operands.
    pub(super) fn compute(op: &Op) -> Step {
        match op.effect() {
            // Operands count at most 65,535 values, and no op of a fixed effect leaves over 255.
            StackEffect::Fixed { pops, pushes } => Step::new(
                Class::Plain,
                pops as u16,
                pushes as u8,
                need_bit(op.needs()),
            ),
            StackEffect::Declared => Step::new(Class::Declared, 0, 0, need_bit(op.needs())),
        }
    }

    /// The step that a row of the opcode table gives; `effect` if it is a pair of numbers.
    const fn of_row(
        effect: Option<(u16, u8)>,
        declared: bool,
        flow: Flow,
        operands: &[OperandKind],
        needs: Option<Needs>,
    ) -> Step {
        let (Some((pops, pushes)), Some(needs)) = (effect, needs) else {
            let class = if declared {
                Class::Declared
            } else {
                Class::Computed
            };
            return Step::new(class, 0, 0, 0);
        };
        let class = match flow {
            Flow::Next if has_block(operands) => Class::Block,
            Flow::Next => Class::Plain,
            Flow::Jump => Class::Jump,
            Flow::Branch => Class::Branch,
            Flow::Return => Class::Return,
            Flow::Scope => Class::Scope,
        };
        Step::new(class, pops, pushes, need_bit(needs))
    }
}

const fn has_block(operands: &[OperandKind]) -> bool {
    let mut i = 0;
    while i < operands.len() {
        if matches!(operands[i], OperandKind::Block) {
            return true;
        }
        i += 1;
    }
    false
}

/// How many entries the things have that operands index.
pub(super) struct Ranges {
    pub(super) ops: usize,
    pub(super) constants: usize,
    pub(super) names: usize,
    pub(super) blocks: usize,
}

macro_rules! number_effect {
    ([$pops:literal => $pushes:literal]) => {
        Some(($pops, $pushes))
    };
    ([$($other:tt)*]) => {
        None
    };
}

macro_rules! is_declared {
    ([declared]) => {
        true
    };
    ([$($other:tt)*]) => {
        false
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

macro_rules! define_steps {
    ($($byte:literal $name:ident $mnemonic:literal $(($($operand:ident: $kind:ident $ty:ty),+))?
        [$($effect:tt)+] $flow:ident $family:ident $needs:ident $picture:literal $meaning:literal;)*) => {
        /// The step of each opcode.
        pub(super) static STEPS: [Step; 256] = {
            let mut steps = [Step::new(Class::Refused, 0, 0, 0); 256];
            $(steps[$byte] = Step::of_row(
                number_effect!([$($effect)+]),
                is_declared!([$($effect)+]),
                Flow::$flow,
                &[$($(OperandKind::$kind),+)?],
                row_needs!($needs),
            );)*
            steps
        };

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
