//! Is the table sound, and does what derives from it agree?

use super::*;

/// An op of each row, every operand set to something that is not zero.
fn samples() -> Vec<Op> {
    INFO.iter()
        .map(|info| {
            let operands: Vec<Operand> = info.operands.iter().map(|o| sample(o.kind)).collect();
            Op::from_operands(info.byte, &operands).expect("the row's own kinds")
        })
        .collect()
}

fn sample(kind: OperandKind) -> Operand {
    match kind {
        OperandKind::Int => Operand::Int(-3_000_000_000),
        OperandKind::Float => Operand::Float(-0.0),
        OperandKind::Const => Operand::Const(300),
        OperandKind::Name => Operand::Name(u16::MAX),
        OperandKind::Slot => Operand::Slot(7),
        OperandKind::Block => Operand::Block(2),
        OperandKind::Count => Operand::Count(129),
        OperandKind::Count8 => Operand::Count8(200),
        OperandKind::Argc => Operand::Argc(255),
        OperandKind::Code => Operand::Code(8),
        OperandKind::Id => Operand::Id(262),
        OperandKind::Imm => Operand::Imm(i32::MIN),
        OperandKind::Target => Operand::Target(70_000),
        OperandKind::Payload => Operand::Payload(1 << 40),
    }
}

#[test]
fn the_floor_has_129_ops_with_bytes_of_their_own() {
    assert_eq!(INFO.len(), 129);
    let bytes: std::collections::HashSet<u8> = INFO.iter().map(|info| info.byte).collect();
    let mnemonics: std::collections::HashSet<_> = INFO.iter().map(|info| info.mnemonic).collect();
    assert_eq!((bytes.len(), mnemonics.len()), (INFO.len(), INFO.len()));
}

#[test]
fn bytes_and_operands_give_the_op_back() {
    for op in samples() {
        let mut bytes = Vec::new();
        op.encode(&mut bytes);
        let mut at = 0;
        assert_eq!(Op::decode(&bytes, &mut at), Ok(op.clone()));
        assert_eq!(at, bytes.len());
        assert_eq!(
            Op::from_operands(op.opcode(), &op.operands()),
            Some(op.clone())
        );
        assert_eq!(op.info().byte, op.opcode());
        for end in 0..bytes.len() {
            assert!(
                Op::decode(&bytes[..end], &mut 0).is_err(),
                "{op:?} cut at {end}"
            );
        }
    }
}

#[test]
fn unknown_opcodes_are_refused() {
    for byte in INFO.len() as u8..=u8::MAX {
        assert_eq!(Op::decode(&[byte], &mut 0), Err(DecodeError::Opcode(byte)));
    }
}

/// Serialized chunks name an op by the index of its variant: the order may never change.
#[test]
fn the_order_of_the_variants_is_pinned() {
    const PINNED: &str = include_str!("pinned_order.txt");
    let pinned: Vec<&str> = PINNED.lines().collect();
    assert_eq!(pinned.len(), INFO.len());
    for (index, (op, pinned)) in samples().iter().zip(pinned).enumerate() {
        assert_eq!(op.info().name, pinned);
        let blob = bincode::serialize(op).expect("ops serialize");
        assert_eq!(blob[..4], (index as u32).to_le_bytes(), "{pinned}");
    }
}

/// A change to bytes, operands or effects of a published level must not go unnoticed.
#[test]
fn the_hash_of_each_level_is_pinned() {
    assert_eq!(
        blake3::Hash::from(opset_hash(1).expect("level 1"))
            .to_hex()
            .as_str(),
        include_str!("pinned_opset_1.txt").trim()
    );
}
