//! Does what is printed assemble to the same, and is no text harmful?

use super::super::*;
use crate::chunk::{Effect, Import, ImportKind, Signature, Touches};
use crate::format::SourceLink;
use crate::op::{INFO, Op, OpInfo, Operand, OperandKind};
use crate::value::{Map, Value};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::io::Cursor;

/// What a file stores of a chunk, in a form that can be compared to the bit.
#[derive(Debug, PartialEq)]
struct Stored {
    ops: Vec<Vec<u8>>,
    constants: Vec<Vec<u8>>,
    names: Vec<String>,
    lines: Vec<u32>,
    subs: Vec<(u16, usize, Option<u8>)>,
    blocks: Vec<(usize, usize)>,
    source: String,
    imports: Vec<Import>,
}

fn stored(chunk: &Chunk) -> Stored {
    let encoded = |op: &Op| {
        let mut bytes = Vec::new();
        op.encode(&mut bytes);
        bytes
    };
    let serialized = |value| bincode::serialize(value).expect("values serialize");
    let mut lines: Vec<u32> = chunk.lines.iter().copied().take(chunk.ops.len()).collect();
    while lines.last() == Some(&0) {
        lines.pop();
    }
    let subs = chunk.sub_entries.iter();
    Stored {
        ops: chunk.ops.iter().map(encoded).collect(),
        constants: chunk.constants.iter().map(serialized).collect(),
        names: chunk.names.clone(),
        lines,
        subs: subs
            .map(|(name, entry)| (*name, *entry, chunk.declared_argc(*name)))
            .collect(),
        blocks: chunk.block_ranges.clone(),
        source: chunk.source.clone(),
        imports: imports_with_rows(chunk),
    }
}

/// The import table of a file: a function whose name is not in the name table has no row there.
fn imports_with_rows(chunk: &Chunk) -> Vec<Import> {
    let mut imports = chunk.import_table();
    imports
        .retain(|import| import.kind != ImportKind::Function || chunk.names.contains(&import.name));
    imports
}

/// The chunk in a file of its own; `None` if the format has no room for it.
fn file_of(entry: &Entry, chunk: &Chunk) -> Option<Vec<u8>> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes it");
    writer.add(entry, chunk).ok()?;
    let out = writer.finish().expect("memory takes it");
    Some(out.into_inner())
}

/// Prints, assembles and compares; gives the text.
fn round_trip(entry: &Entry, chunk: &Chunk) -> String {
    let text = print(&Metadata::new(), [(entry, chunk)]).expect("it can be printed");
    let back = assemble(&text, "printed").unwrap_or_else(|errors| panic!("{errors}\n\n{text}"));
    assert_eq!(back.chunks.len(), 1, "{text}");
    let (entry_back, chunk_back) = &back.chunks[0];
    assert_eq!(entry_back, entry, "{text}");
    assert_eq!(stored(chunk_back), stored(chunk), "{text}");
    let (file, file_back) = (file_of(entry, chunk), file_of(entry_back, chunk_back));
    assert!(file == file_back, "{text}");
    text
}

mod generate {
    use super::*;

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Undef),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-2..3i64).prop_map(Value::Int),
            any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
            any::<i16>().prop_map(|n| Value::Float(f64::from(n) / 4.0)),
            any::<u32>()
                .prop_map(|n| Value::Float(f64::from_bits(0xfff0_0000_0000_0000 | u64::from(n)))),
            any::<i32>().prop_map(Value::Status),
            any::<u16>().prop_map(Value::NativeFn),
            ".{0,8}".prop_map(Value::str),
            "[ab]{0,2}".prop_map(Value::str),
            any::<Vec<u8>>().prop_map(Value::bytes),
            "[a-z\n\t\\\\\" ]{50,90}".prop_map(Value::str),
        ]
    }

    pub(super) fn value() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::array),
                prop::collection::vec((any::<Vec<u8>>(), inner.clone()), 0..4)
                    .prop_map(|entries| Value::map(entries.into_iter().collect::<Map>())),
                inner.prop_map(Value::reference),
            ]
        })
    }

    /// An operand; indices and targets are mostly small, so that they mean something.
    fn operand(kind: OperandKind, raw: u64) -> Operand {
        let small = |limit: u64| match raw % 8 {
            0 => raw >> 48,
            _ => (raw >> 8) % limit,
        };
        match kind {
            OperandKind::Int => Operand::Int(raw as i64),
            OperandKind::Float => Operand::Float(f64::from_bits(raw)),
            OperandKind::Const => Operand::Const(small(12) as u16),
            OperandKind::Name => Operand::Name(small(12) as u16),
            OperandKind::Slot => Operand::Slot(small(6) as u16),
            OperandKind::Block => Operand::Block(small(6) as u16),
            OperandKind::Count => Operand::Count(raw as u16),
            OperandKind::Count8 => Operand::Count8(raw as u8),
            OperandKind::Argc => Operand::Argc(raw as u8),
            OperandKind::Code => Operand::Code(small(20) as u8),
            OperandKind::Id => Operand::Id(small(4) as u16),
            OperandKind::Imm => Operand::Imm(raw as i32),
            OperandKind::Target => match raw % 16 {
                0 => Operand::Target(raw as usize),
                _ => Operand::Target(small(24) as usize),
            },
            OperandKind::Payload => Operand::Payload(raw as usize),
        }
    }

    fn op() -> impl Strategy<Value = Op> {
        let calls = [
            "call",
            "call_builtin",
            "extended",
            "load_const",
            "get_var",
            "jump",
        ];
        let often = prop::sample::select(calls.to_vec());
        let row = prop_oneof![
            prop::sample::select(INFO.iter().collect::<Vec<&OpInfo>>()),
            often.prop_map(|mnemonic| OpInfo::by_mnemonic(mnemonic).expect("a mnemonic")),
        ];
        (row, any::<[u64; 4]>()).prop_map(|(info, raw)| {
            let operands = info.operands.iter().zip(raw);
            let operands: Vec<Operand> = operands.map(|(o, raw)| operand(o.kind, raw)).collect();
            Op::from_operands(info.byte, &operands).expect("the row's kinds")
        })
    }

    fn import() -> impl Strategy<Value = Import> {
        let kind = prop::sample::select(words::IMPORT_KINDS.to_vec()).prop_map(|(kind, _)| kind);
        let effect = prop_oneof![
            any::<u8>().prop_map(|pushes| Effect::Arguments { pushes }),
            Just(Effect::Arguments { pushes: 1 }),
            any::<(u8, u8)>().prop_map(|(pops, pushes)| Effect::Fixed { pops, pushes }),
            Just(Effect::Unknown),
        ];
        let touches = (0..8u8).prop_map(|bits| Touches::from_bits(bits).expect("three bits"));
        (kind, 0..4u16, "[a ]{0,1}", name(), effect, touches).prop_map(
            |(kind, id, space, name, effect, touches)| Import {
                kind,
                id: if kind == ImportKind::Function { 0 } else { id },
                space,
                name,
                effect,
                touches,
            },
        )
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-d]",
            "[a-zA-Z_.:$ -]{0,6}",
            ".{0,5}",
            Just("pops".to_owned()),
            Just("undef".to_owned()),
            Just(
                "a_name_of_more_than_sixty_characters_to_be_written_once_and_not_again".to_owned()
            ),
        ]
    }

    fn place() -> impl Strategy<Value = usize> {
        prop_oneof![20 => 0..24usize, 1 => any::<usize>()]
    }

    pub(super) fn chunk() -> impl Strategy<Value = Chunk> {
        let code = prop::collection::vec((op(), 0..3u32), 0..24);
        let tables = (
            prop::collection::vec(value(), 0..8),
            prop::collection::vec(name(), 0..8),
            prop::collection::vec((0..10u16, place()), 0..5),
            prop::collection::vec((place(), place()), 0..5),
            prop::collection::vec(import(), 0..4),
            prop::collection::vec((0..10u16, any::<u8>()), 0..4),
        );
        (code, tables, any::<[bool; 3]>(), ".{0,4}").prop_map(|(code, tables, tidy, source)| {
            let (constants, names, mut subs, mut blocks, imports, signatures) = tables;
            let (ops, lines): (Vec<Op>, Vec<u32>) = code.into_iter().unzip();
            // Half of the tables as frontends make them: in the order of the code.
            if tidy[0] {
                subs.iter_mut()
                    .for_each(|(_, entry)| *entry %= ops.len() + 1);
                subs.sort_by_key(|(_, entry)| *entry);
            }
            if tidy[1] {
                for (start, end) in &mut blocks {
                    *start %= ops.len() + 1;
                    *end = (*start).max(*end % (ops.len() + 1));
                }
                blocks.sort_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
            }
            let lines = if tidy[2] { Vec::new() } else { lines };
            Chunk {
                ops,
                constants,
                names,
                lines,
                sub_entries: subs,
                block_ranges: blocks,
                source,
                imports,
                signatures: (signatures.into_iter())
                    .map(|(name, argc)| Signature { name, argc })
                    .collect(),
                ..Chunk::default()
            }
        })
    }

    pub(super) fn entry() -> impl Strategy<Value = Entry> {
        let link = any::<Option<([u8; 32], i64, u64)>>();
        let link =
            link.prop_map(|link| link.map(|(hash, mtime, size)| SourceLink { hash, mtime, size }));
        (name(), name(), any::<Vec<u8>>(), link).prop_map(|(space, name, key, link)| Entry {
            space,
            name,
            key,
            link,
        })
    }

    /// Lines of pieces that a text may have, in any order.
    pub(super) fn soup() -> impl Strategy<Value = String> {
        let pieces = [
            ".chunk",
            ".meta",
            ".sub",
            ".block",
            ".endblock",
            ".end",
            ".const",
            ".name",
            ".import",
            ".line",
            ".slot",
            ".link",
            ".key",
            "load_const",
            "jump",
            "call",
            "map_block",
            "get_slot",
            "set_var",
            "call_builtin",
            "test_file",
            "a",
            "b",
            "c",
            ":",
            "a:",
            "b:",
            "at",
            "from",
            "to",
            "args",
            "auto",
            "0",
            "1",
            "-1",
            "70000",
            "1.5",
            "nan",
            "nan(",
            "inf",
            "-inf",
            "#0",
            "#1",
            "@0",
            "@9",
            "\"x\"",
            "\"",
            "\\",
            "[",
            "]",
            "{",
            "}",
            "(",
            ")",
            ",",
            "ref(",
            "status(",
            ";",
            "\n",
            "\n",
            "\n",
            "\n",
            "\r\n",
            "\r",
            "\0",
            "é",
            "builtin",
            "function",
            "pops",
            "pushes",
            "argc",
            "touches",
            "everything",
            "space",
            "unknown",
        ];
        let piece = prop::sample::select(pieces.to_vec());
        prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.join(" "))
    }
}

/// The same cases in each run; `PROPTEST_CASES` asks for more of them.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(1500),
        rng_seed: RngSeed::Fixed(0x6676_6263),
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn printed_chunks_assemble_to_the_same(entry in generate::entry(), chunk in generate::chunk()) {
        let text = round_trip(&entry, &chunk);
if std::env::var("SHOW").is_ok() { println!("{text}\n=========") }
        // The text of what was assembled is the same text.
        let back = assemble(&text, "printed").expect("as before");
        let again = print(&back.metadata, back.chunks.iter().map(|(e, c)| (e, c)));
        prop_assert_eq!(again.expect("as before"), text);
    }

    #[test]
    fn token_soup_does_no_harm(text in generate::soup()) {
        if let Ok(assembly) = assemble(&text, "soup") {
            for (entry, chunk) in &assembly.chunks {
                round_trip(entry, chunk);
            }
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in any::<Vec<u8>>()) {
        let _ = assemble(&bytes, "bytes");
    }

    #[test]
    fn mutated_texts_do_no_harm(chunk in generate::chunk(), at in any::<usize>(), byte in any::<u8>()) {
        let text = print_chunk(&Entry::default(), &chunk, &Style::default()).expect("printable");
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = assemble(&bytes, "mutant");
    }
}
