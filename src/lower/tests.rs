//! What lowering makes of ops; what its code does is tested by running it, in `tests/`.

use super::code::{Code, Rop, Word};
use super::{Declined, Lowering};
use crate::chunk::{Chunk, ChunkBuilder};
use crate::op::Op;
use crate::verify::verify_chunk;

fn chunk(ops: impl IntoIterator<Item = Op>) -> Chunk {
    let mut builder = ChunkBuilder::new();
    for op in ops {
        builder.emit(op, 1);
    }
    builder.build()
}

fn main_code(chunk: &Chunk) -> Result<Code, Declined> {
    let shape = verify_chunk(chunk).expect("a strict chunk");
    Lowering::new(chunk, None).lower(chunk, &shape, 0)
}

fn rops(code: &Code) -> Vec<Rop> {
    let mut rops = Vec::new();
    let mut at = 0;
    while at < code.words.len() {
        let rop = Word(code.words[at]).op();
        rops.push(rop);
        at += rop.words();
    }
    rops
}

#[test]
fn four_stack_ops_are_one_instruction() {
    let code = main_code(&chunk([
        Op::GetSlot(0),
        Op::GetSlot(1),
        Op::Add,
        Op::SetSlot(0),
    ]));
    assert_eq!(rops(&code.expect("code")), [Rop::Add, Rop::Leave]);
}

#[test]
fn a_counting_loop_is_inverted_and_its_end_is_one_instruction() {
    let code = main_code(&chunk([
        Op::GetSlot(1),
        Op::LoadInt(10),
        Op::NumLt,
        Op::JumpIfFalse(10),
        Op::GetSlot(0),
        Op::GetSlot(1),
        Op::Mul,
        Op::SetSlot(0),
        Op::PreIncSlotVoid(1),
        Op::Jump(0),
    ]));
    let expected = [
        Rop::IfNotLtI,
        Rop::Mul,
        Rop::IncLoopLtI,
        Rop::Fuel,
        Rop::Jump,
        Rop::Leave,
    ];
    assert_eq!(rops(&code.expect("code")), expected);
}

#[test]
fn adding_and_testing_at_a_loops_end_are_one_instruction() {
    let with_body = |body: &[Op]| {
        let mut ops = vec![Op::GetSlot(1), Op::GetSlot(2), Op::NumLt];
        let end = ops.len() + 2 + body.len();
        ops.push(Op::JumpIfFalse(end));
        ops.extend_from_slice(body);
        ops.push(Op::Jump(0));
        rops(&main_code(&chunk(ops)).expect("code"))
    };
    let add = |operand| [Op::GetSlot(1), operand, Op::Add, Op::SetSlot(1)];
    let expected = [
        Rop::IfNotLt,
        Rop::AddLoopLt,
        Rop::Fuel,
        Rop::Jump,
        Rop::Leave,
    ];
    assert_eq!(with_body(&add(Op::LoadInt(2))), expected);
    // Not a constant, and one that is too large.
    let two = [
        Rop::IfNotLt,
        Rop::Add,
        Rop::LoopLt,
        Rop::Fuel,
        Rop::Jump,
        Rop::Leave,
    ];
    assert_eq!(with_body(&add(Op::GetSlot(3))), two);
    assert_eq!(
        with_body(&add(Op::LoadInt(300)))[1..3],
        [Rop::AddI, Rop::LoopLt]
    );
}

#[test]
fn a_product_is_added_to_where_the_sum_stays() {
    let product = [Op::GetSlot(1), Op::GetSlot(2), Op::Mul];
    let with_sum = |op: Op, to| {
        let ops = [Op::GetSlot(0)].into_iter().chain(product.clone());
        rops(&main_code(&chunk(ops.chain([op, Op::SetSlot(to)]))).expect("code"))
    };
    assert_eq!(with_sum(Op::Add, 0), [Rop::MulAdd, Rop::Leave]);
    assert_eq!(with_sum(Op::Sub, 0), [Rop::MulSub, Rop::Leave]);
    assert_eq!(with_sum(Op::Add, 1), [Rop::Mul, Rop::Add, Rop::Leave]);
    // The sum of two products is in the home of the first.
    let ops = product.iter().cycle().take(6).cloned().chain([Op::Add]);
    let code = main_code(&chunk(ops)).expect("code");
    assert_eq!(rops(&code), [Rop::Mul, Rop::MulAdd, Rop::Leave]);
}

#[test]
fn a_pushed_slot_is_read_before_it_is_written() {
    let code = main_code(&chunk([
        Op::GetSlot(0),
        Op::LoadInt(1),
        Op::SetSlot(0),
        Op::GetSlot(0),
        Op::Sub,
        Op::SetSlot(1),
    ]));
    let expected = [Rop::Copy, Rop::LoadInt, Rop::Sub, Rop::Leave];
    assert_eq!(rops(&code.expect("code")), expected);
}

#[test]
fn arguments_stored_at_once_are_their_slots() {
    let mut builder = ChunkBuilder::new();
    let name = builder.add_name("f");
    for op in [
        Op::LoadInt(1),
        Op::LoadInt(2),
        Op::Call(name, 2),
        Op::Jump(9),
        Op::SetSlot(1),
        Op::SetSlot(0),
        Op::GetSlot(0),
        Op::GetSlot(1),
        Op::ReturnValue,
    ] {
        builder.emit(op, 1);
    }
    builder.add_sub_entry(name, 4);
    let chunk = builder.build();
    let shape = verify_chunk(&chunk).expect("a strict chunk");
    let region = shape.subs()[0].region;
    let code = Lowering::new(&chunk, None).lower(&chunk, &shape, region);
    assert_eq!(rops(&code.expect("code")), [Rop::ReturnValue2]);
}

#[test]
fn frames_that_fields_cannot_name_are_declined() {
    let code = main_code(&chunk([Op::LoadInt(1), Op::SetSlot(5_000)]));
    assert_eq!(code.err(), Some(Declined::TooLarge));
}

#[test]
fn code_is_linear_in_the_ops() {
    // Every jump back finds a test at its head to copy.
    const LOOPS: usize = 2_000;
    let mut ops = Vec::new();
    for place in 0..LOOPS {
        let head = place * 6;
        ops.extend([
            Op::GetSlot(0),
            Op::LoadInt(10),
            Op::NumLt,
            Op::JumpIfFalse(head + 6),
            Op::PreIncSlotVoid(0),
            Op::Jump(head),
        ]);
    }
    let code = main_code(&chunk(ops)).expect("code");
    assert!(code.words.len() < LOOPS * 12);
}
