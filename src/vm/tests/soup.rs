//! Random ops: whatever they are, a run ends, and without a panic.

use super::*;
use crate::op::{INFO, Operand, OperandKind};
use proptest::prelude::*;

/// Operands near what makes sense, so that programs get somewhere.
fn operand(kind: OperandKind) -> BoxedStrategy<Operand> {
    let index = || prop_oneof![8 => 0u16..4, 1 => any::<u16>()];
    let count = || prop_oneof![8 => 0u8..4, 1 => any::<u8>()];
    match kind {
        OperandKind::Int => prop_oneof![-3i64..20, any::<i64>()]
            .prop_map(Operand::Int)
            .boxed(),
        OperandKind::Float => any::<f64>().prop_map(Operand::Float).boxed(),
        OperandKind::Const => index().prop_map(Operand::Const).boxed(),
        OperandKind::Name => index().prop_map(Operand::Name).boxed(),
        OperandKind::Slot => index().prop_map(Operand::Slot).boxed(),
        OperandKind::Block => index().prop_map(Operand::Block).boxed(),
        OperandKind::Count => index().prop_map(Operand::Count).boxed(),
        OperandKind::Count8 => count().prop_map(Operand::Count8).boxed(),
        OperandKind::Argc => count().prop_map(Operand::Argc).boxed(),
        OperandKind::Code => count().prop_map(Operand::Code).boxed(),
        OperandKind::Id => index().prop_map(Operand::Id).boxed(),
        OperandKind::Imm => prop_oneof![-3i32..300, any::<i32>()]
            .prop_map(Operand::Imm)
            .boxed(),
        OperandKind::Target => prop_oneof![16 => 0usize..40, 1 => any::<usize>()]
            .prop_map(Operand::Target)
            .boxed(),
        OperandKind::Payload => any::<usize>().prop_map(Operand::Payload).boxed(),
    }
}

fn op() -> impl Strategy<Value = Op> {
    (0..INFO.len()).prop_flat_map(|row| {
        let operands: Vec<_> = INFO[row].operands.iter().map(|o| operand(o.kind)).collect();
        operands.prop_map(move |operands| {
            Op::from_operands(INFO[row].byte, &operands).expect("operands of its own kinds")
        })
    })
}

/// Ops that push, so that the others find something.
fn push() -> impl Strategy<Value = Op> {
    prop_oneof![
        (-2i64..12).prop_map(Op::LoadInt),
        (0u16..4).prop_map(Op::LoadConst),
        (0u16..4).prop_map(Op::GetVar),
        Just(Op::Dup),
    ]
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let ops = prop::collection::vec(prop_oneof![op(), push()], 1..40);
    let ranges = prop::collection::vec((0usize..40, 0usize..41), 0..4);
    let subs = prop::collection::vec((0u16..4, 0usize..41), 0..12);
    (ops, ranges, subs).prop_map(|(ops, ranges, subs)| {
        let mut chunk = chunk_of(&ops);
        let nested = Value::array(vec![Value::str("x y"), Value::array(vec![Value::Int(3)])]);
        chunk.constants = vec![Value::str("f"), Value::str("{a,b}~"), nested, Value::Int(5)];
        chunk.names = ["f", "g", "IFS", "h"].map(String::from).to_vec();
        chunk.block_ranges = ranges;
        chunk.sub_entries = subs;
        chunk
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_run_ends(chunk in chunk(), fuel in 0u64..3000) {
        let run = || {
            let host = RecordingHost::new().with_input(b"1\n2\n").with_command(b"3", 1);
            let (mut vm, record) = recorded(chunk.clone(), host);
            vm.set_limits(Limits {
                fuel: Some(fuel),
                max_depth: 50,
                max_value: 1 << 16,
                max_memory: 1 << 24,
                max_output: Some(1 << 16),
                deadline: None,
            });
            vm.register_builtin(0, |vm, argc| {
                vm.frames.truncate(usize::from(argc));
                vm.pop()
            });
            vm.set_extension_handler(Box::new(|vm, _, arg| {
                vm.ip = vm.ip.wrapping_add(usize::from(arg));
            }));
            let ended = vm.execute().map_err(|trap| trap.to_string());
            let output = record.lock().unwrap().output();
            (format!("{ended:?}"), output, vm.fuel_left())
        };
        prop_assert_eq!(run(), run(), "the same twice");
    }
}
