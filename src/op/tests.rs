//! Is the table sound, and does what derives from it agree?

use super::short::Short;
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
fn ops_have_bytes_and_mnemonics_of_their_own() {
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
    let pinned = [
        include_str!("pinned_opset_1.txt"),
        include_str!("pinned_opset_2.txt"),
    ];
    assert_eq!(pinned.len(), usize::from(OPSET_LEVEL));
    for (level, pinned) in (1..).zip(pinned) {
        let hash = blake3::Hash::from(opset_hash(level).expect("a level that there is"));
        assert_eq!(hash.to_hex().as_str(), pinned.trim(), "level {level}");
    }
}

/// The ops of the 0.9 line are the first level.
#[test]
fn levels_are_prefixes_of_the_table() {
    assert_eq!(OPS_OF_LEVEL[0], 129);
    assert_eq!(OPS_OF_LEVEL.last(), Some(&INFO.len()));
    assert!(OPS_OF_LEVEL.is_sorted());
    assert_eq!(
        (level_of(&Op::TildeExpand), level_of(&Op::RedirectMark)),
        (1, 2)
    );
}

/// The decoder has a way of its own for short instructions; both ways agree on all of them, and on
/// whatever isn't one.
#[test]
fn instructions_decode_alike_one_by_one_and_in_a_row() {
    let bytes = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff];
    for opcode in 0..=255u8 {
        for (first, second, third) in triples(&bytes) {
            for cut in 1..4 {
                let code = &[opcode, first, second][..cut];
                let mut end = 0;
                if Short::first(code).is_some() {
                    assert!(Op::decode(code, &mut end).is_ok(), "{code:x?}");
                    assert_eq!(Short::first(code).map(|short| short.length()), Some(end));
                }
            }
            let code = [opcode, first, second, third, 0, 0, 0, 0, 0, 0, 0, 0];
            let mut end = 0;
            let one = Op::decode(&code, &mut end);
            let mut ops = Vec::new();
            let row = Op::decode_all(&code, 1, &mut ops);
            match one {
                Ok(op) => {
                    assert_eq!(row, Ok(end), "{code:x?}");
                    // Floats may be NaN.
                    assert_eq!(format!("{:?}", ops[0]), format!("{op:?}"), "{code:x?}");
                }
                Err(error) => assert_eq!(row, Err((0, 0, error)), "{code:x?}"),
            }
            if let Some(short) = Short::first(&code) {
                assert_eq!(short.length(), end, "{code:x?}");
                if let [Operand::Const(n) | Operand::Slot(n) | Operand::Name(n)] =
                    *ops[0].operands()
                {
                    assert_eq!(short.number, n, "{code:x?}");
                }
                if let [
                    Operand::Id(n) | Operand::Name(n),
                    Operand::Argc(m) | Operand::Code(m),
                ] = *ops[0].operands()
                {
                    assert_eq!((short.number, short.second()), (n, m), "{code:x?}");
                }
            }
        }
    }
}

fn triples(bytes: &[u8]) -> impl Iterator<Item = (u8, u8, u8)> {
    bytes.iter().flat_map(move |&a| {
        bytes
            .iter()
            .flat_map(move |&b| bytes.iter().map(move |&c| (a, b, c)))
    })
}

#[test]
fn instructions_in_a_row_end_where_the_code_does() {
    let mut code = Vec::new();
    let ops = [
        Op::LoadInt(-300),
        Op::Add,
        Op::Jump(5),
        Op::LoadFloat(1.5),
        Op::Pop,
    ];
    for op in &ops {
        op.encode(&mut code);
    }
    let mut back = Vec::new();
    assert_eq!(Op::decode_all(&code, 5, &mut back), Ok(code.len()));
    assert_eq!(back, ops);
    for length in 0..code.len() {
        let cut = Op::decode_all(&code[..length], 5, &mut Vec::new());
        assert_eq!(cut.unwrap_err().2, DecodeError::Short, "{length} bytes");
    }
}
