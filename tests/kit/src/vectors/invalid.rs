//! The invalid vectors: a module for each way in which a file or its code can be refused.
//!
//! Each is a good module with one thing changed, and its seals and hashes made right again unless they
//! are what is wrong. What code it is refused with is not stated here: the reader computes it, a test
//! wants each code once, and the Python package has to agree.

use super::script::Script;
use crate::module_of;
use fusevm::{
    Chunk, Op, Value,
    chunk::{Effect, Import, ImportKind, Touches},
    format::reseal,
    op::OPSET_LEVEL,
};

/// A file that has to be refused.
pub struct Invalid {
    /// The name of the file, without its ending.
    pub name: &'static str,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// Where the fields of chapter 1 lie that the vectors change.
pub(super) mod at {
    pub(in crate::vectors) const MAJOR: usize = 8;
    pub(in crate::vectors) const HEADER_LENGTH: usize = 12;
    pub(in crate::vectors) const SLOT: usize = 64;
    pub(in crate::vectors) const SLOT_ROOT_OFFSET: usize = SLOT + 8;
    pub(in crate::vectors) const HEADER_END: usize = 224;
    /// Within the root record.
    pub(in crate::vectors) const SEGMENT_NUMBER: usize = 8;
    pub(in crate::vectors) const SECTION_COUNT: usize = 12;
    pub(in crate::vectors) const OPSET_LEVEL: usize = 36;
    pub(in crate::vectors) const CHUNK_COUNT: usize = 40;
    pub(in crate::vectors) const SEGMENT_HASH: usize = 64;
    pub(in crate::vectors) const SECTIONS: usize = 128;
    /// Within a record.
    pub(in crate::vectors) const RECORD_LEVEL: usize = 4;
    pub(in crate::vectors) const RECORD_FLAGS: usize = 6;
}

/// The first record of a file follows its header.
const RECORD: usize = 256;

/// All of them, files first, then what verification refuses.
pub fn all() -> Vec<Invalid> {
    let mut all = header();
    all.extend(root());
    all.extend(index());
    all.extend(super::segments::all());
    all.extend(record());
    all.extend(code());
    all
}

pub(super) fn invalid(name: &'static str, bytes: Vec<u8>) -> Invalid {
    Invalid { name, bytes }
}

/// A good module with two chunks.
fn good() -> Vec<u8> {
    let chunk = Script::chunk(|s| {
        s.push(&Value::str("text"));
        s.op(Op::Pop);
    });
    module_of([("a", &chunk), ("b", &chunk)])
}

/// The good module with bytes at `place` replaced, sealed again.
fn changed(place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut module = damaged(place, bytes);
    reseal(&mut module);
    module
}

/// The good module with bytes at `place` replaced, as a damage would.
fn damaged(place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut module = good();
    module[place..place + bytes.len()].copy_from_slice(bytes);
    module
}

pub(super) fn read_u64(module: &[u8], place: usize) -> usize {
    let bytes = module[place..].first_chunk().expect("within the module");
    u64::from_le_bytes(*bytes) as usize
}

fn root_of(module: &[u8]) -> usize {
    read_u64(module, at::SLOT_ROOT_OFFSET)
}

/// The offset of the section with this number in the table.
fn section(module: &[u8], number: usize) -> usize {
    root_of(module) + at::SECTIONS + 32 * number
}

/// Flips a bit at `place`.
fn flipped(place: usize) -> Vec<u8> {
    let byte = good()[place];
    damaged(place, &[byte ^ 1])
}

fn header() -> Vec<Invalid> {
    let good = good();
    let mut both_slots = flipped(at::SLOT);
    both_slots[at::SLOT + 80] = 1;
    vec![
        invalid("empty", Vec::new()),
        invalid("shell_script", b"#!/bin/sh\necho no bytecode\n".to_vec()),
        invalid("text_mode_transfer", damaged(5, b"\n\n")),
        invalid("major_2", changed(at::MAJOR, &2u16.to_le_bytes())),
        invalid("major_2_foreign", damaged(at::MAJOR, &2u16.to_le_bytes())),
        invalid("header_cut", good[..200].to_vec()),
        invalid(
            "header_length",
            changed(at::HEADER_LENGTH, &512u32.to_le_bytes()),
        ),
        invalid("header_padding", damaged(at::HEADER_END, &[1])),
        invalid("no_intact_slot", both_slots),
        invalid("slot_empty", damaged(at::SLOT, &[0; 80])),
        invalid("records_cut", good[..300].to_vec()),
        invalid("last_byte_cut", good[..good.len() - 1].to_vec()),
        invalid(
            "root_offset",
            changed(at::SLOT_ROOT_OFFSET, &300u64.to_le_bytes()),
        ),
    ]
}

fn root() -> Vec<Invalid> {
    let module = good();
    let root = root_of(&module);
    let (index, meta) = (section(&module, 0), section(&module, 1));
    let mut segment_hash = flipped(root + at::SEGMENT_HASH);
    reseal_root(&mut segment_hash, at::SLOT);
    vec![
        invalid("root_flipped", flipped(root + at::CHUNK_COUNT)),
        invalid("root_magic", changed(root, b"nothing")),
        invalid(
            "segment_number",
            changed(root + at::SEGMENT_NUMBER, &1u32.to_le_bytes()),
        ),
        invalid("segment_hash", segment_hash),
        invalid(
            "sections_too_many",
            changed(root + at::SECTION_COUNT, &65u32.to_le_bytes()),
        ),
        invalid(
            "sections_missing",
            changed(root + at::SECTION_COUNT, &0u32.to_le_bytes()),
        ),
        invalid("section_unknown", changed(meta, &77u32.to_le_bytes())),
        invalid("section_twice", changed(meta, &1u32.to_le_bytes())),
        invalid("section_flags", changed(meta + 4, &2u32.to_le_bytes())),
        invalid(
            "section_outside",
            changed(meta + 8, &(1u64 << 39).to_le_bytes()),
        ),
        invalid("meta_flipped", flipped(read_u64(&module, meta + 8) + 3)),
        invalid(
            "meta_text",
            changed(read_u64(&module, meta + 8) + 2, &[0xff]),
        ),
        invalid(
            "index_section_outside",
            changed(index + 8, &(1u64 << 39).to_le_bytes()),
        ),
        invalid(
            "opset_level_newer",
            changed(root + at::OPSET_LEVEL, &(OPSET_LEVEL + 1).to_le_bytes()),
        ),
        invalid(
            "opset_level_zero",
            changed(root + at::OPSET_LEVEL, &0u16.to_le_bytes()),
        ),
        invalid(
            "chunk_count",
            changed(root + at::CHUNK_COUNT, &3u64.to_le_bytes()),
        ),
    ]
}

/// Makes the hash and the seal of the slot at `slot` those of its root record as it stands.
pub(super) fn reseal_root(module: &mut [u8], slot: usize) {
    let root = read_u64(module, slot + 8);
    let hash = blake3::hash(&module[root..]);
    module[slot + 32..][..32].copy_from_slice(hash.as_bytes());
    let mut seal = crc32fast::Hasher::new();
    seal.update(&module[..64]);
    seal.update(&module[slot..][..76]);
    let seal = seal.finalize();
    module[slot + 76..][..4].copy_from_slice(&seal.to_le_bytes());
}

fn index() -> Vec<Invalid> {
    let module = good();
    let leaf = read_u64(&module, section(&module, 0) + 8);
    let (first, second) = (leaf + 8, leaf + 32);
    let entry = |place: usize| module[place..place + 24].to_vec();
    let mut twice = damaged(second, &entry(first));
    reseal(&mut twice);
    vec![
        invalid("index_flipped", flipped(first)),
        invalid("index_kind", changed(leaf, &[2])),
        invalid("index_count", changed(leaf + 2, &65u16.to_le_bytes())),
        invalid("index_count_low", changed(leaf + 2, &1u16.to_le_bytes())),
        invalid("index_order", {
            let mut swapped = damaged(first, &entry(second));
            swapped[second..second + 24].copy_from_slice(&entry(first));
            reseal(&mut swapped);
            swapped
        }),
        invalid("entry_name_key", changed(first, &[0; 8])),
        invalid(
            "entry_outside",
            changed(first + 8, &(1u64 << 39).to_le_bytes()),
        ),
        invalid("entry_length", changed(first + 16, &7u32.to_le_bytes())),
        invalid("entry_ops", changed(first + 20, &9u32.to_le_bytes())),
        invalid("entry_twice", twice),
        invalid("name_twice", name_twice()),
    ]
}

/// Both records are named `a`, and the index says so.
fn name_twice() -> Vec<u8> {
    let mut module = good();
    let leaf = read_u64(&module, section(&module, 0) + 8);
    let entries = [leaf + 8, leaf + 32];
    let records = entries.map(|entry| read_u64(&module, entry + 8));
    let key_of_a = if records[0] < records[1] {
        entries[0]
    } else {
        entries[1]
    };
    let key = module[key_of_a..key_of_a + 8].to_vec();
    let second = records[0].max(records[1]);
    module[second + 24] = b'a';
    // Equal keys stand in the order of their offsets.
    for (entry, record) in entries.iter().zip([records[0].min(records[1]), second]) {
        module[*entry..entry + 8].copy_from_slice(&key);
        module[entry + 8..entry + 16].copy_from_slice(&(record as u64).to_le_bytes());
    }
    reseal(&mut module);
    module
}

fn record() -> Vec<Invalid> {
    // The head has 24 bytes, the name one; then the body: height, ops, code length, constants, of
    // which the first is a string of four bytes.
    let name = RECORD + 24;
    let body = name + 1;
    vec![
        invalid("record_flipped", flipped(body + 6)),
        invalid(
            "record_level_newer",
            changed(RECORD + at::RECORD_LEVEL, &(OPSET_LEVEL + 1).to_le_bytes()),
        ),
        invalid(
            "record_flags",
            changed(RECORD + at::RECORD_FLAGS, &2u16.to_le_bytes()),
        ),
        invalid("record_lengths", changed(RECORD + 8, &1u16.to_le_bytes())),
        invalid("record_name_text", changed(name, &[0xff])),
        invalid("height_wrong", changed(body, &[3])),
        invalid("op_count_low", changed(body + 1, &[1])),
        invalid("op_count_high", changed(body + 1, &[3])),
        invalid("code_length_low", changed(body + 2, &[2])),
        invalid("constants_too_many", changed(body + 3, &[0x7f])),
        invalid("constant_class", changed(body + 4, &[0x13])),
        invalid("constant_kind", changed(body + 4, &[0x2a])),
        invalid("constant_refers_ahead", changed(body + 4, &[0x05])),
        invalid("lines_cover_too_much", changed(lines_of_first(), &[0x0f])),
    ]
    .into_iter()
    .chain(constants())
    .chain(tables())
    .collect()
}

/// Chunks that are as good as any but for tables that no writer gives them.
fn tables() -> Vec<Invalid> {
    let subs = Script::chunk(|s| {
        let name = s.builder.add_name("f");
        s.builder.add_sub_entry(name, 1);
        s.builder.add_sub_entry(name, 2);
        s.ops([Op::Return, Op::Return, Op::Return]);
    });
    let mut functions = Script::chunk(|s| {
        s.ops([Op::Call(0, 0), Op::Pop, Op::Call(1, 0), Op::Pop]);
    });
    functions.names = vec!["f".to_owned(); 2];
    // It isn't strict, so nobody misses the row on the way.
    let loose = Script::chunk(|s| s.ops([Op::Add, Op::CallBuiltin(7, 0)]));
    vec![
        invalid(
            "subs_declared_differently",
            replaced(&subs, &[2, 0, 1, 0, 0, 2, 0], &[2, 0, 1, 0, 0, 2, 1]),
        ),
        invalid(
            "functions_declared_differently",
            replaced(
                &functions,
                &[0x13, 0, 1, 0, 0, 0x13, 1, 1, 0, 0],
                &[0x13, 0, 1, 0, 0, 0x33, 1, 1, 0, 0],
            ),
        ),
        invalid(
            "call_without_import",
            replaced(&loose, &[0x30, 7, 1, 0, 0], &[0x30, 8, 1, 0, 0]),
        ),
    ]
}

/// The last two bytes of the first record are its lines.
fn lines_of_first() -> usize {
    let module = good();
    let lengths = |place: usize| {
        let bytes = module[RECORD + place..]
            .first_chunk::<4>()
            .expect("within the record");
        u32::from_le_bytes(*bytes) as usize
    };
    let (body, lines) = (lengths(16), lengths(20));
    RECORD + 24 + 1 + body + lines - 1
}

fn constants() -> Vec<Invalid> {
    let with = |value: Value, from: &[u8], to: &[u8]| {
        let chunk = Script::chunk(|s| s.push(&value));
        replaced(&chunk, from, to)
    };
    let twice = Script::chunk(|s| s.push_all(&[Value::str("same"), Value::str("sama")]));
    vec![
        invalid("constant_twice", replaced(&twice, b"sama", b"same")),
        invalid(
            "leb_long_form",
            with(Value::int(100), &[0x0e, 0xc8, 0x01], &[0x0e, 0x80, 0x00]),
        ),
        invalid(
            "status_too_wide",
            with(
                Value::status(i32::MIN),
                &[0x16, 0xff, 0xff, 0xff, 0xff, 0x0f],
                &[0x16, 0xff, 0xff, 0xff, 0xff, 0x1f],
            ),
        ),
        invalid("hash_key_twice", {
            let mut map = fusevm::value::Map::new();
            map.insert("k1", Value::int(1));
            map.insert("k2", Value::int(1));
            with(Value::map(map), b"k2", b"k1")
        }),
    ]
}

/// A module of `chunk` with the one place where `from` stands made `to`, sealed again.
fn replaced(chunk: &Chunk, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut module = module_of([("a", chunk)]);
    let place = module.windows(from.len()).position(|window| window == from);
    let place = place.expect("the pattern is there");
    module[place..place + to.len()].copy_from_slice(to);
    reseal(&mut module);
    module
}

/// Chunks that are no strict ones, but say so: the writer's 0 for loose is overwritten.
fn claimed(name: &'static str, chunk: &Chunk) -> Invalid {
    let mut module = module_of([("a", chunk)]);
    let body = RECORD + 24 + 1 + chunk.source.len();
    assert_eq!(module[body], 0, "{name} is no loose chunk");
    module[body] = 1;
    reseal(&mut module);
    invalid(name, module)
}

fn of_ops(name: &'static str, ops: &[Op]) -> Invalid {
    claimed(name, &Script::chunk(|s| s.ops(ops.iter().cloned())))
}

/// A chunk with the ops and a block of the given range.
fn with_block(name: &'static str, range: (usize, usize), ops: &[Op]) -> Invalid {
    claimed(
        name,
        &Script::chunk(|s| {
            s.ops(ops.iter().cloned());
            s.builder.add_block_range(range.0, range.1);
        }),
    )
}

/// A chunk with the ops and subs `f`, `g`, … that begin at the given ops.
fn with_subs(name: &'static str, entries: &[usize], ops: &[Op]) -> Invalid {
    claimed(
        name,
        &Script::chunk(|s| {
            for (sub, entry) in ["f", "g"].into_iter().zip(entries) {
                let sub = s.builder.add_name(sub);
                s.builder.add_sub_entry(sub, *entry);
            }
            s.ops(ops.iter().cloned());
        }),
    )
}

fn with_import(name: &'static str, effect: Effect, touches: Touches) -> Invalid {
    claimed(
        name,
        &Script::chunk(|s| {
            s.builder.declare_import(Import {
                effect,
                touches,
                ..Import::undeclared(ImportKind::Extension, 5, "")
            });
            s.op(Op::Extended(5, 0));
        }),
    )
}

fn code() -> Vec<Invalid> {
    let fixed = Effect::Fixed { pops: 0, pushes: 0 };
    let nop_to = |bytes: [u8; 2]| {
        let chunk = Script::chunk(|s| s.ops([Op::LoadTrue, Op::Nop, Op::Nop, Op::LoadTrue]));
        replaced(
            &chunk,
            &[0x04, 0x00, 0x00, 0x04],
            &[0x04, bytes[0], bytes[1], 0x04],
        )
    };
    vec![
        invalid("opcode_unknown", nop_to([0xfe, 0x00])),
        invalid("operand_too_wide", {
            let chunk = Script::chunk(|s| s.ops([Op::GetSlot(u16::MAX), Op::Pop]));
            replaced(&chunk, &[0x0f, 0xff, 0xff, 0x03], &[0x0f, 0xff, 0xff, 0x07])
        }),
        invalid("code_ends_in_op", {
            let chunk = Script::chunk(|s| s.ops([Op::LoadTrue, Op::LoadUndef, Op::Pop]));
            replaced(&chunk, &[0x04, 0x06, 0x07], &[0x04, 0x06, 0x01])
        }),
        of_ops("no_constant", &[Op::LoadConst(0)]),
        of_ops("no_name", &[Op::GetVar(0)]),
        of_ops("no_block", &[Op::LoadTrue, Op::MapBlock(0)]),
        of_ops("jump_outside", &[Op::Jump(9)]),
        of_ops("unreachable_jump_outside", &[Op::Return, Op::Jump(9)]),
        with_subs("sub_outside", &[9], &[Op::LoadTrue]),
        with_block("block_outside", (0, 9), &[Op::LoadTrue]),
        of_ops("underflow", &[Op::LoadTrue, Op::Add]),
        of_ops(
            "underflow_of_scope",
            &[Op::LoadTrue, Op::PushFrame, Op::Pop, Op::PopFrame],
        ),
        of_ops(
            "heights_differ",
            &[Op::LoadTrue, Op::JumpIfTrue(3), Op::LoadTrue, Op::Nop],
        ),
        of_ops("height_grows_in_loop", &[Op::LoadTrue, Op::Jump(0)]),
        of_ops(
            "scopes_differ",
            &[Op::LoadTrue, Op::JumpIfTrue(3), Op::PushFrame, Op::Nop],
        ),
        of_ops(
            "scope_closed_twice",
            &[Op::PushFrame, Op::PopFrame, Op::PopFrame],
        ),
        of_ops("subshell_without_end", &[Op::Nop, Op::SubshellBegin]),
        of_ops(
            "stages_miscounted",
            &[Op::PipelineBegin(2), Op::PipelineEnd, Op::Pop],
        ),
        of_ops(
            "jumps_out_of_subshell",
            &[Op::SubshellBegin, Op::Jump(3), Op::SubshellEnd, Op::Nop],
        ),
        of_ops(
            "uneven_redirections",
            &[Op::RedirectMark, Op::LoadTrue, Op::RedirectPop],
        ),
        with_subs("falls_into_sub", &[1], &[Op::Nop, Op::Return]),
        with_subs(
            "jumps_into_other_sub",
            &[2, 3],
            &[
                Op::Call(0, 0),
                Op::Jump(5),
                Op::Jump(4),
                Op::Nop,
                Op::Return,
            ],
        ),
        with_subs(
            "sub_called_with_1_and_2",
            &[6],
            &[
                Op::LoadTrue,
                Op::Call(0, 1),
                Op::LoadTrue,
                Op::LoadTrue,
                Op::Call(0, 2),
                Op::Jump(7),
                Op::Return,
            ],
        ),
        with_subs(
            "sub_returns_1_and_0",
            &[2],
            &[
                Op::Call(0, 0),
                Op::Jump(7),
                Op::LoadTrue,
                Op::JumpIfTrue(6),
                Op::LoadTrue,
                Op::ReturnValue,
                Op::Return,
            ],
        ),
        with_block(
            "block_leaves_two",
            (1, 3),
            &[Op::Jump(3), Op::Dup, Op::Nop, Op::LoadTrue, Op::MapBlock(0)],
        ),
        with_block(
            "block_falls_in",
            (0, 1),
            &[Op::Nop, Op::LoadTrue, Op::MapBlock(0)],
        ),
        with_import("effect_unknown", Effect::Unknown, Touches::ARGUMENTS),
        with_import("touches_frames", fixed, Touches::FRAMES),
        too_high(),
        wide_with_arguments(),
    ]
}

/// A stack of 65,535 values and one more, made by doublings.
fn too_high() -> Invalid {
    let mut ops = vec![Op::LoadTrue; 2];
    ops.extend(vec![Op::Dup2; 32_767]);
    of_ops("stack_too_high", &ops)
}

/// A wide extension op has no argument count that its effect could go by.
fn wide_with_arguments() -> Invalid {
    claimed(
        "wide_with_arguments",
        &Script::chunk(|s| {
            s.builder.declare_import(Import {
                effect: Effect::Arguments { pushes: 0 },
                ..Import::undeclared(ImportKind::ExtensionWide, 5, "")
            });
            s.op(Op::ExtendedWide(5, 0));
        }),
    )
}
