//! Programs of one operator: its operands, which are the values at which meanings part, come to it in
//! every way in which values come to an op.

use fusevm::{Chunk, ChunkBuilder, Op, Value, op::StackEffect};

/// How operands come to the operator, or what becomes of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They are constants.
    Constants,
    /// They are in slots.
    Slots,
    /// They are the arguments of a sub, which returns the result.
    Arguments,
    /// They are elements of an array.
    Elements,
    /// They are in slots, and the result decides a branch: 1 is left if it is true, else 0.
    Branch,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 5] = [
        Way::Constants,
        Way::Slots,
        Way::Arguments,
        Way::Elements,
        Way::Branch,
    ];
}

/// How many operands an op takes if it is an operator: it takes one or two values, leaves one, and
/// depends on nothing else.
pub fn operands(op: &Op) -> Option<usize> {
    let plain = op.info().operands.is_empty();
    match op.effect() {
        StackEffect::Fixed { pops, pushes: 1 } if plain && (1..=2).contains(&pops) => {
            Some(pops as usize)
        }
        StackEffect::Fixed { .. } | StackEffect::Declared => None,
    }
}

/// The program that applies an operator to these operands.
pub fn program(op: &Op, operands: &[Value], way: Way) -> Chunk {
    let mut b = ChunkBuilder::new();
    let slots = 0..operands.len() as u16;
    for value in operands {
        let constant = b.add_constant(value.clone());
        b.emit(Op::LoadConst(constant), 1);
    }
    match way {
        Way::Constants => {
            b.emit(op.clone(), 2);
        }
        Way::Slots => {
            through_slots(&mut b, slots);
            b.emit(op.clone(), 2);
        }
        Way::Arguments => {
            let name = b.add_name("apply");
            b.emit(Op::Call(name, operands.len() as u8), 2);
            let end = b.emit(Op::Jump(0), 2);
            b.add_sub_entry(name, b.current_pos());
            through_slots(&mut b, slots);
            b.emit(op.clone(), 3);
            b.emit(Op::ReturnValue, 3);
            b.patch_jump(end, b.current_pos());
        }
        Way::Elements => {
            let array = slots.end;
            b.emit(Op::MakeArray(slots.end), 1);
            b.emit(Op::SetSlot(array), 1);
            for index in slots {
                b.emit(Op::LoadInt(index.into()), 2);
                b.emit(Op::SlotArrayGet(array), 2);
            }
            b.emit(op.clone(), 2);
        }
        Way::Branch => {
            through_slots(&mut b, slots);
            b.emit(op.clone(), 2);
            let otherwise = b.emit(Op::JumpIfFalse(0), 2);
            b.emit(Op::LoadInt(1), 3);
            let end = b.emit(Op::Jump(0), 3);
            b.patch_jump(otherwise, b.current_pos());
            b.emit(Op::LoadInt(0), 4);
            b.patch_jump(end, b.current_pos());
        }
    }
    b.build()
}

/// Stores the operands into slots, and loads them again.
fn through_slots(b: &mut ChunkBuilder, slots: std::ops::Range<u16>) {
    for slot in slots.clone().rev() {
        b.emit(Op::SetSlot(slot), 1);
    }
    for slot in slots {
        b.emit(Op::GetSlot(slot), 2);
    }
}
