//! Does whatever a chunk may hold come back from a module, and does it give the same bytes again?

mod sample;

use fusevm::chunk::{Effect, Import, ImportKind, Signature, Touches};
use fusevm::format::{CheckOptions, Entry, Module, chunk_hash};
use fusevm::op::{INFO, Operand, OperandKind};
use fusevm::value::Map;
use fusevm::{Chunk, ChunkBuilder, Op, Value};
use proptest::prelude::*;

/// An op of any row with any operands.
fn any_op() -> impl Strategy<Value = Op> {
    let operand = prop_oneof![any::<u64>(), 0..300u64];
    (
        0..INFO.len(),
        [operand.clone(), operand.clone(), operand.clone(), operand],
    )
        .prop_map(|(row, numbers)| {
            let info = &INFO[row];
            let operands: Vec<Operand> = info
                .operands
                .iter()
                .zip(numbers)
                .map(|(operand, n)| match operand.kind {
                    OperandKind::Int => Operand::Int(n as i64),
                    OperandKind::Float => Operand::Float(f64::from_bits(n)),
                    OperandKind::Const => Operand::Const(n as u16),
                    OperandKind::Name => Operand::Name(n as u16),
                    OperandKind::Slot => Operand::Slot(n as u16),
                    OperandKind::Block => Operand::Block(n as u16),
                    OperandKind::Count => Operand::Count(n as u16),
                    OperandKind::Count8 => Operand::Count8(n as u8),
                    OperandKind::Argc => Operand::Argc(n as u8),
                    OperandKind::Code => Operand::Code(n as u8),
                    OperandKind::Id => Operand::Id(n as u16),
                    OperandKind::Imm => Operand::Imm(n as i32),
                    OperandKind::Target => Operand::Target(n as usize),
                    OperandKind::Payload => Operand::Payload(n as usize),
                })
                .collect();
            Op::from_operands(info.byte, &operands).expect("the operands are of its kinds")
        })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Undef),
        any::<bool>().prop_map(Value::bool),
        any::<i64>().prop_map(Value::int),
        any::<u64>().prop_map(|bits| Value::float(f64::from_bits(bits))),
        any::<i32>().prop_map(Value::status),
        any::<u16>().prop_map(Value::NativeFn),
        "[a-c]{0,2}".prop_map(Value::str),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::bytes),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let key = prop::collection::vec(any::<u8>(), 0..3);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::array),
            prop::collection::vec((key, inner.clone()), 0..4)
                .prop_map(|entries| Value::map(entries.into_iter().collect::<Map>())),
            inner.prop_map(Value::reference),
        ]
    })
}

fn any_import() -> impl Strategy<Value = Import> {
    let kind = prop_oneof![
        Just(ImportKind::Builtin),
        Just(ImportKind::Extension),
        Just(ImportKind::ExtensionWide),
        Just(ImportKind::Function),
    ];
    let effect = prop_oneof![
        any::<u8>().prop_map(|pushes| Effect::Arguments { pushes }),
        any::<(u8, u8)>().prop_map(|(pops, pushes)| Effect::Fixed { pops, pushes }),
        Just(Effect::Unknown),
    ];
    (kind, 0..6u16, "[ab]{0,1}", "[a-d]", effect, 0..8u8).prop_map(
        |(kind, id, space, name, effect, touches)| Import {
            kind,
            id: if kind == ImportKind::Function { 0 } else { id },
            space,
            name,
            effect,
            touches: Touches::from_bits(touches).expect("three bits"),
        },
    )
}

/// A chunk that may hold anything that can be written.
fn any_chunk() -> impl Strategy<Value = Chunk> {
    let ops = prop::collection::vec(any_op(), 0..40);
    let constants = prop::collection::vec(any_value(), 0..8);
    let names = prop::collection::vec("[a-d]{1,2}", 0..6);
    let lines = prop::collection::vec(prop_oneof![0..3u32, any::<u32>()], 0..50);
    let subs = prop::collection::vec((0..6u16, any::<usize>()), 0..4);
    let blocks = prop::collection::vec((0..50usize, 0..50usize), 0..4);
    let imports = prop::collection::vec(any_import(), 0..6);
    let signatures = prop::collection::vec((0..6u16, any::<u8>()), 0..4);
    let tables = (subs, blocks, imports, signatures);
    (ops, constants, names, lines, tables, "[a-z]{0,5}").prop_map(
        |(ops, constants, names, lines, (subs, blocks, imports, signatures), source)| {
            let mut b = ChunkBuilder::new();
            for (index, op) in ops.into_iter().enumerate() {
                b.emit(op, lines.get(index).copied().unwrap_or(0));
            }
            for constant in constants {
                b.add_constant(constant);
            }
            b.set_source(source);
            let mut chunk = b.build();
            chunk.names = names;
            chunk.sub_entries = subs;
            chunk.block_ranges = blocks.into_iter().map(|(at, len)| (at, at + len)).collect();
            chunk.imports = imports;
            let signature = |(name, argc)| Signature { name, argc };
            chunk.signatures = signatures.into_iter().map(signature).collect();
            chunk
        },
    )
}

proptest! {
    #[test]
    fn any_chunk_comes_back(chunk in any_chunk()) {
        let bytes = sample::module_of(&[(Entry::named("c"), chunk.clone())]);
        let module = Module::from_bytes(bytes.as_slice()).unwrap();
        let report = module.check(&CheckOptions::new());
        prop_assert!(report.is_ok(), "{}", report.errors[0]);
        let loaded = module.chunk("c").unwrap();
        let back = loaded.to_chunk();
        for op in 0..chunk.ops.len() {
            prop_assert_eq!(back.line(op), chunk.line(op));
        }
        prop_assert_eq!(format!("{:?}", &back.ops), format!("{:?}", &chunk.ops));
        prop_assert_eq!(format!("{:?}", &back.constants), format!("{:?}", &chunk.constants));
        prop_assert_eq!(&back.names, &chunk.names);
        prop_assert_eq!(&back.sub_entries, &chunk.sub_entries);
        prop_assert_eq!(&back.block_ranges, &chunk.block_ranges);
        prop_assert_eq!(chunk_hash(&back).unwrap(), loaded.hash());
        prop_assert!(sample::module_of(&[(loaded.entry(), back)]) == bytes);
    }
}
