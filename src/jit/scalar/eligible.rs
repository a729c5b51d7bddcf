//! What the scalar JIT of the 0.9 line would have compiled: programs ask, and act on the answer.

use crate::chunk::Chunk;
use crate::lower::jump_target;
use crate::op::{Op, Operand};
use crate::value::{Value, compare, number};

/// The fewest ops that were worth being compiled on their own.
const SHORTEST_REGION: usize = 4;

/// The greatest constant exponent.
const MOST_EXPONENT: i64 = 63;

/// How many slots the chunk's ops name.
pub(super) fn slots(chunk: &Chunk) -> usize {
    let slots = chunk.ops.iter().map(|op| {
        let operands = op.operands();
        let slots = operands.iter().map(|operand| match operand {
            Operand::Slot(slot) => usize::from(*slot) + 1,
            _ => 0,
        });
        slots.max().unwrap_or(0)
    });
    slots.max().unwrap_or(0)
}

/// Whether the chunk is code with jumps over integer slots.
pub(super) fn is_block(chunk: &Chunk) -> bool {
    !chunk.ops.is_empty() && chunk.ops.iter().all(is_of_blocks)
}

/// The longest run of ops that could be compiled as code with jumps, if it is long enough and nothing in
/// it jumps out of it.
pub(super) fn region(chunk: &Chunk) -> Option<(usize, usize)> {
    let mut longest = (0, 0);
    let mut start = 0;
    for (at, op) in chunk.ops.iter().enumerate() {
        if !is_of_blocks(op) {
            start = at + 1;
        } else if at + 1 - start > longest.1 - longest.0 {
            longest = (start, at + 1);
        }
    }
    let (start, end) = longest;
    let stays = |op: &Op| jump_target(op).is_none_or(|to| (start..end).contains(&to));
    let fits = end - start >= SHORTEST_REGION && chunk.ops[start..end].iter().all(stays);
    fits.then_some(longest)
}

/// The ops of a region as a chunk of their own, with jumps made to fit.
pub(super) fn extract(chunk: &Chunk, start: usize, end: usize) -> Chunk {
    let end = end.min(chunk.ops.len());
    let start = start.min(end);
    let mut region = Chunk {
        ops: chunk.ops[start..end].to_vec(),
        constants: chunk.constants.clone(),
        names: chunk.names.clone(),
        lines: chunk.lines.get(start..end).unwrap_or_default().to_vec(),
        source: chunk.source.clone(),
        ..Chunk::default()
    };
    for op in &mut region.ops {
        match op {
            Op::Jump(to)
            | Op::JumpIfTrue(to)
            | Op::JumpIfFalse(to)
            | Op::JumpIfTrueKeep(to)
            | Op::JumpIfFalseKeep(to)
            | Op::SlotLtIntJumpIfFalse(_, _, to)
            | Op::SlotIncLtIntJumpBack(_, _, to) => *to = to.saturating_sub(start),
            _ => {}
        }
    }
    region.op_hash = region.compute_op_hash();
    region
}

/// What is known of a value while straight code is gone through.
#[derive(Clone, Copy)]
enum Cell {
    /// An Int, and which one if that doesn't depend on slots.
    Int(Option<i64>),
    Float,
}

impl Cell {
    fn is_float(self) -> bool {
        matches!(self, Cell::Float)
    }

    /// A Float that is a whole number counted as an Int.
    fn of_float(f: f64) -> Option<Cell> {
        let whole = f as i64;
        match whole as f64 == f {
            true => Some(Cell::Int(Some(whole))),
            false => f.is_finite().then_some(Cell::Float),
        }
    }

    fn of_constant(value: &Value) -> Option<Cell> {
        match value {
            Value::Int(n) => Some(Cell::Int(Some(*n))),
            Value::Float(f) => Cell::of_float(*f),
            _ => None,
        }
    }
}

/// Whether the chunk is straight code over integer slots that leaves one value, and whose divisions can't
/// fail.
pub(super) fn is_linear(chunk: &Chunk) -> bool {
    let mut stack = Vec::new();
    let done = chunk
        .ops
        .iter()
        .try_for_each(|op| step(chunk, op, &mut stack));
    done.is_some() && stack.len() == 1
}

/// Goes through one op; `None` if it makes the chunk ineligible.
fn step(chunk: &Chunk, op: &Op, stack: &mut Vec<Cell>) -> Option<()> {
    match op {
        Op::LoadInt(n) => stack.push(Cell::Int(Some(*n))),
        Op::LoadFloat(f) => stack.push(Cell::of_float(*f)?),
        Op::LoadConst(index) => {
            let constant = chunk.constants.get(usize::from(*index))?;
            stack.push(Cell::of_constant(constant)?);
        }
        Op::LoadTrue => stack.push(Cell::Int(Some(1))),
        Op::LoadFalse => stack.push(Cell::Int(Some(0))),
        Op::GetSlot(_) | Op::PreIncSlot(_) => stack.push(Cell::Int(None)),
        Op::Pop | Op::SetSlot(_) => drop(stack.pop()?),
        Op::Dup => stack.push(*stack.last()?),
        Op::Swap => {
            let below = stack.len().checked_sub(2)?;
            stack[below..].reverse();
        }
        Op::Rot => {
            let below = stack.len().checked_sub(3)?;
            stack[below..].rotate_left(1);
        }
        Op::PreIncSlotVoid(_)
        | Op::AddAssignSlotVoid(..)
        | Op::AccumSumLoop(..)
        | Op::SlotLtIntJumpIfFalse(..)
        | Op::SlotIncLtIntJumpBack(..) => {}
        Op::Negate | Op::Inc | Op::Dec | Op::LogNot | Op::BitNot => {
            let cell = stack.pop()?;
            stack.push(unary(op, cell)?);
        }
        op => {
            let b = stack.pop()?;
            let a = stack.pop()?;
            stack.push(binary(op, a, b)?);
        }
    }
    Some(())
}

fn unary(op: &Op, cell: Cell) -> Option<Cell> {
    let compute: fn(i64) -> i64 = match op {
        Op::Negate => i64::wrapping_neg,
        Op::Inc => |n| n.wrapping_add(1),
        Op::Dec => |n| n.wrapping_sub(1),
        Op::LogNot => |n| i64::from(n == 0),
        Op::BitNot => |n| !n,
        _ => return None,
    };
    match (op, cell) {
        (_, Cell::Int(n)) => Some(Cell::Int(n.map(compute))),
        (Op::Negate, Cell::Float) => Some(Cell::Float),
        (Op::BitNot, Cell::Float) => None,
        (_, Cell::Float) => Some(Cell::Int(None)),
    }
}

fn binary(op: &Op, a: Cell, b: Cell) -> Option<Cell> {
    let is_float = a.is_float() || b.is_float();
    match op {
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod | Op::Pow if is_float => Some(Cell::Float),
        Op::BitAnd | Op::BitOr | Op::BitXor | Op::Shl | Op::Shr if is_float => None,
        op => {
            let (Cell::Int(a), Cell::Int(b)) = (a, b) else {
                return is_comparison(op).then_some(Cell::Int(None));
            };
            can_divide(op, a, b).then_some(())?;
            match a.zip(b) {
                Some((a, b)) => Some(Cell::Int(Some(fold(op, a, b)?))),
                None => is_of_two_ints(op).then_some(Cell::Int(None)),
            }
        }
    }
}

/// Whether a division or power of Ints, as far as they are known, gives an Int.
fn can_divide(op: &Op, a: Option<i64>, b: Option<i64>) -> bool {
    match (op, a, b) {
        (Op::Div, Some(a), Some(b)) => a.checked_rem(b) == Some(0),
        (Op::Div, ..) => false,
        (Op::Mod, Some(a), Some(b)) => a.checked_rem(b).is_some(),
        (Op::Mod, None, Some(b)) => b != 0,
        (Op::Mod, _, None) => false,
        (Op::Pow, _, Some(b)) => (0..=MOST_EXPONENT).contains(&b),
        (Op::Pow, _, None) => false,
        _ => true,
    }
}

fn is_comparison(op: &Op) -> bool {
    matches!(
        op,
        Op::NumEq | Op::NumNe | Op::NumLt | Op::NumGt | Op::NumLe | Op::NumGe | Op::Spaceship
    )
}

fn is_of_two_ints(op: &Op) -> bool {
    fold(op, 1, 1).is_some()
}

/// What an op of two Ints gives; `None` if it is no such op.
fn fold(op: &Op, a: i64, b: i64) -> Option<i64> {
    let (x, y) = (Value::Int(a), Value::Int(b));
    let value = match op {
        Op::Add => number::add(&x, &y),
        Op::Sub => number::sub(&x, &y),
        Op::Mul => number::mul(&x, &y),
        Op::Div => return a.checked_div(b),
        Op::Mod => number::modulo(&x, &y),
        Op::Pow => return Some(a.wrapping_pow(u32::try_from(b).ok()?)),
        Op::NumEq => Value::Bool(compare::num_eq(&x, &y)),
        Op::NumNe => Value::Bool(compare::num_ne(&x, &y)),
        Op::NumLt => Value::Bool(compare::num_lt(&x, &y)),
        Op::NumGt => Value::Bool(compare::num_gt(&x, &y)),
        Op::NumLe => Value::Bool(compare::num_le(&x, &y)),
        Op::NumGe => Value::Bool(compare::num_ge(&x, &y)),
        Op::Spaceship => return Some(a.cmp(&b) as i64),
        Op::BitAnd => return Some(a & b),
        Op::BitOr => return Some(a | b),
        Op::BitXor => return Some(a ^ b),
        Op::Shl => return Some(a.wrapping_shl(b as u32)),
        Op::Shr => return Some(a.wrapping_shr(b as u32)),
        _ => return None,
    };
    Some(value.to_int())
}

/// Whether the op was compiled in code with jumps.
fn is_of_blocks(op: &Op) -> bool {
    is_scalar(op)
        && !matches!(
            op,
            Op::LoadUndef
                | Op::Dup2
                | Op::GetVar(_)
                | Op::SetVar(_)
                | Op::DeclareVar(_)
                | Op::Concat
                | Op::StringRepeat
                | Op::StringLen
                | Op::StrEq
                | Op::StrNe
                | Op::StrLt
                | Op::StrGt
                | Op::StrLe
                | Op::StrGe
                | Op::StrCmp
                | Op::LogAnd
                | Op::LogOr
                | Op::JumpIfTrueKeep(_)
                | Op::JumpIfFalseKeep(_)
                | Op::Call(..)
                | Op::Return
                | Op::ReturnValue
                | Op::SetStatus
                | Op::GetStatus
        )
}

/// Whether the scalar JIT of the 0.9 line counted the op among those that it could compile.
pub(super) fn is_scalar(op: &Op) -> bool {
    match op {
        Op::Nop
        | Op::LoadInt(_)
        | Op::LoadFloat(_)
        | Op::LoadConst(_)
        | Op::LoadTrue
        | Op::LoadFalse
        | Op::LoadUndef
        | Op::Pop
        | Op::Dup
        | Op::Dup2
        | Op::Swap
        | Op::Rot
        | Op::GetVar(_)
        | Op::SetVar(_)
        | Op::DeclareVar(_)
        | Op::GetSlot(_)
        | Op::SetSlot(_)
        | Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Mod
        | Op::Pow
        | Op::Negate
        | Op::Inc
        | Op::Dec
        | Op::Concat
        | Op::StringRepeat
        | Op::StringLen
        | Op::NumEq
        | Op::NumNe
        | Op::NumLt
        | Op::NumGt
        | Op::NumLe
        | Op::NumGe
        | Op::Spaceship
        | Op::StrEq
        | Op::StrNe
        | Op::StrLt
        | Op::StrGt
        | Op::StrLe
        | Op::StrGe
        | Op::StrCmp
        | Op::LogNot
        | Op::LogAnd
        | Op::LogOr
        | Op::BitAnd
        | Op::BitOr
        | Op::BitXor
        | Op::BitNot
        | Op::Shl
        | Op::Shr
        | Op::Jump(_)
        | Op::JumpIfTrue(_)
        | Op::JumpIfFalse(_)
        | Op::JumpIfTrueKeep(_)
        | Op::JumpIfFalseKeep(_)
        | Op::Call(..)
        | Op::Return
        | Op::ReturnValue
        | Op::PushFrame
        | Op::PopFrame
        | Op::PreIncSlot(_)
        | Op::PreIncSlotVoid(_)
        | Op::SlotLtIntJumpIfFalse(..)
        | Op::SlotIncLtIntJumpBack(..)
        | Op::AccumSumLoop(..)
        | Op::AddAssignSlotVoid(..)
        | Op::SetStatus
        | Op::GetStatus => true,

        Op::SlotArrayGet(_)
        | Op::SlotArraySet(_)
        | Op::GetArray(_)
        | Op::SetArray(_)
        | Op::DeclareArray(_)
        | Op::ArrayGet(_)
        | Op::ArraySet(_)
        | Op::ArrayPush(_)
        | Op::ArrayPop(_)
        | Op::ArrayShift(_)
        | Op::ArrayLen(_)
        | Op::MakeArray(_)
        | Op::GetHash(_)
        | Op::SetHash(_)
        | Op::DeclareHash(_)
        | Op::HashGet(_)
        | Op::HashSet(_)
        | Op::HashDelete(_)
        | Op::HashExists(_)
        | Op::HashKeys(_)
        | Op::HashValues(_)
        | Op::MakeHash(_)
        | Op::Print(_)
        | Op::PrintLn(_)
        | Op::ReadLine
        | Op::Range
        | Op::RangeStep
        | Op::MapBlock(_)
        | Op::GrepBlock(_)
        | Op::SortBlock(_)
        | Op::SortDefault
        | Op::ForEachBlock(_)
        | Op::ConcatConstLoop(..)
        | Op::PushIntRangeLoop(..)
        | Op::CallBuiltin(..)
        | Op::Extended(..)
        | Op::ExtendedWide(..)
        | Op::Exec(_)
        | Op::ExecBg(_)
        | Op::PipelineBegin(_)
        | Op::PipelineStage
        | Op::PipelineEnd
        | Op::Redirect(..)
        | Op::HereDoc(_)
        | Op::HereString
        | Op::CmdSubst(_)
        | Op::SubshellBegin
        | Op::SubshellEnd
        | Op::ProcessSubIn(_)
        | Op::ProcessSubOut(_)
        | Op::Glob
        | Op::GlobRecursive
        | Op::TestFile(_)
        | Op::TrapSet(_)
        | Op::TrapCheck
        | Op::ExpandParam(_)
        | Op::WordSplit
        | Op::BraceExpand
        | Op::TildeExpand
        | Op::RedirectMark
        | Op::RedirectPop => false,
    }
}
