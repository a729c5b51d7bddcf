//! Does a text mean what chapter 6 of the specification says?

use super::super::*;
use crate::chunk::{Effect, Touches};
use crate::op::Op;
use crate::value::Value;
use crate::verify::verify_chunk;

fn chunk_of(text: &str) -> Chunk {
    let mut assembly = assemble(text, "test").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(assembly.chunks.len(), 1);
    assembly.chunks.remove(0).1
}

fn constants_of(text: &str) -> Vec<Value> {
    chunk_of(text).constants
}

#[test]
fn constants_have_their_kinds() {
    let text =
        "load_const [undef, true, -5, 0x_ff, 1_000, 1.5, 1e3, 2.5E-1, status(-1), builtin(7)]";
    let text = text.replace("0x_ff", "0xff");
    let expected = vec![
        Value::Undef,
        Value::Bool(true),
        Value::Int(-5),
        Value::Int(255),
        Value::Int(1000),
        Value::Float(1.5),
        Value::Float(1000.0),
        Value::Float(0.25),
        Value::Status(-1),
        Value::NativeFn(7),
    ];
    assert_eq!(constants_of(&text), [Value::array(expected)]);
    let text = r#"load_const {a: ref("\x00\u{e4}\e\n"), "b c": []}"#;
    let entries = [
        ("a", Value::reference(Value::str("\0ä\u{1b}\n"))),
        ("b c", Value::array(Vec::new())),
    ];
    assert_eq!(
        constants_of(text),
        [Value::map(entries.into_iter().collect())]
    );
}

#[test]
fn constants_that_are_alike_to_the_bit_are_one() {
    let text = "load_const 1\nload_const 1.0\nload_const \"1\"\nload_const 1\nload_const true\n\
                load_const 0.0\nload_const -0.0\nload_const nan\nload_const nan(0x7ff8000000000000)\n\
                load_const nan(0x7ff8000000000001)\nload_const {a: 1, b: 2}\nload_const {b: 2, a: 1}";
    let chunk = chunk_of(text);
    let indices: Vec<usize> = (chunk.ops.iter())
        .map(|op| op.operands()[0].bits() as usize)
        .collect();
    assert_eq!(indices, [0, 1, 2, 0, 3, 4, 5, 6, 6, 7, 8, 9]);
    let text = ".const a 1\n.const b 1\nload_const 1\nload_const a\nload_const b\nload_const #1";
    let ops = [0, 0, 1, 1].map(Op::LoadConst);
    assert_eq!(chunk_of(text).ops, ops);
}

#[test]
fn names_are_entered_where_they_are_mentioned() {
    let chunk = chunk_of("set_var b\ncall a 0\n.sub c\nget_var \"b\"\n.name b\nget_var #3");
    assert_eq!(chunk.names, ["b", "a", "c", "b"]);
    assert_eq!(chunk.ops[2..], [Op::GetVar(0), Op::GetVar(3)]);
    assert_eq!(chunk.sub_entries, [(2, 2)]);
}

#[test]
fn slots_are_numbered_within_their_sub() {
    let text = "set_slot a\nset_slot b\n.sub f\nset_slot b\nset_slot a\n.end\nset_slot b\nset_slot c\n\
                .sub g\n.slot x 7\nset_slot x\nset_slot y\n.sub h at @0\nset_slot y\nset_slot 3";
    let numbers = [0, 1, 0, 1, 1, 2, 7, 8, 8, 3];
    assert_eq!(chunk_of(text).ops, numbers.map(Op::SetSlot));
}

#[test]
fn labels_and_blocks_may_be_used_before_they_are_defined() {
    let text = "a: jump c\nmap_block x\nb: return\n.block x\n.block y\nnop\n.endblock\nnop\n.endblock\n\
                .block z from b to c\nc: jump a\njump d\njump @99\nd:";
    let chunk = chunk_of(text);
    let expected = [
        Op::Jump(5),
        Op::MapBlock(0),
        Op::Return,
        Op::Nop,
        Op::Nop,
        Op::Jump(0),
        Op::Jump(8),
        Op::Jump(99),
    ];
    assert_eq!(chunk.ops, expected);
    assert_eq!(chunk.block_ranges, [(3, 5), (3, 4), (2, 5)]);
}

#[test]
fn codes_have_words() {
    let text =
        "test_file is_dir\nredirect 2 append_both\nexpand_param slice\ntest_file 200\nextended 1 2";
    let expected = [
        Op::TestFile(1),
        Op::Redirect(2, 8),
        Op::ExpandParam(17),
        Op::TestFile(200),
        Op::Extended(1, 2),
    ];
    assert_eq!(chunk_of(text).ops, expected);
}

#[test]
fn imports_have_defaults_and_names() {
    let text = ".import builtin 12 echo\n.import extension 3 \"pops\" space zsh pops 2 pushes 0 touches slots globals\n\
                .import function greet unknown\ncall_builtin echo 2\nextended \"pops\" 0\ncall greet 1";
    let chunk = chunk_of(text);
    let [echo, pops, greet] = chunk.imports.as_slice() else {
        panic!("three imports: {:?}", chunk.imports);
    };
    assert_eq!((echo.id, echo.name.as_str()), (12, "echo"));
    assert_eq!(echo.effect, Effect::Arguments { pushes: 1 });
    assert_eq!(echo.touches, Touches::GLOBALS | Touches::SLOTS);
    assert_eq!(
        (pops.id, pops.name.as_str(), pops.space.as_str()),
        (3, "pops", "zsh")
    );
    assert_eq!(pops.effect, Effect::Fixed { pops: 2, pushes: 0 });
    assert_eq!(
        (greet.id, greet.name.as_str(), greet.effect),
        (0, "greet", Effect::Unknown)
    );
    assert_eq!(chunk.ops[..2], [Op::CallBuiltin(12, 2), Op::Extended(3, 0)]);
}

#[test]
fn lines_are_those_of_the_source_or_of_the_text() {
    let chunk = chunk_of("nop\n.line 7\nnop\nnop\n.line auto\nnop\n\nnop\n.line 0\nnop");
    assert_eq!(chunk.lines, [0, 7, 7, 6, 8, 0]);
}

#[test]
fn chunks_have_their_fields() {
    let text = "\u{feff}.meta title \"A \\xff\"\r\n.chunk \"f g\"\r\n.space zsh\n.key \"\\x00k\"\n.source a.zsh\n\
                .link \"00000000000000000000000000000000000000000000000000000000000000ff\" mtime -7 size 9\n\
                nop\n.chunk second ; and nothing in it";
    let assembly = assemble(text, "test").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(assembly.metadata["title"], b"A \xff");
    let [(first, chunk), (second, empty)] = assembly.chunks.as_slice() else {
        panic!("two chunks");
    };
    assert_eq!((first.space.as_str(), first.name.as_str()), ("zsh", "f g"));
    assert_eq!(first.key, b"\0k");
    let link = first.link.as_ref().expect("a link");
    assert_eq!((link.hash[31], link.mtime, link.size), (0xff, -7, 9));
    assert_eq!(chunk.source, "a.zsh");
    assert_eq!((second.name.as_str(), empty.ops.len()), ("second", 0));
}

#[test]
fn what_has_no_chunk_is_in_main() {
    let assembly = assemble("nop", "test").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(assembly.chunks[0].0.name, "main");
    let empty = assemble("; nothing\n", "test").unwrap_or_else(|errors| panic!("{errors}"));
    assert!(empty.chunks.is_empty());
}

#[test]
fn a_style_shows_more_in_comments() {
    let chunk = chunk_of("load_int 300\nset_slot 1\njump @0\nnop");
    let shape = verify_chunk(&chunk).expect("a strict chunk");
    let style = Style {
        offsets: true,
        bytes: true,
        heights: Some(&shape),
        ..Style::default()
    };
    let text = print_chunk(&Entry::default(), &chunk, &style).expect("it can be printed");
    let expected = "\
.chunk \"\"

L1:
    load_int 300                        ; @0  01 d8 04  height 0
    set_slot 1                          ; @1  10 01  height 1
    jump L1                             ; @2  4a 00  height 0
    nop                                 ; @3  00  unreachable
";
    assert_eq!(text, expected);
    let back = chunk_of(&text);
    assert_eq!(back.ops, chunk.ops);
}

#[test]
fn register_code_stands_behind_its_op_as_a_comment() {
    let chunk = chunk_of("get_slot 1\nload_int 300\nadd\nset_var total");
    let shape = verify_chunk(&chunk).expect("a strict chunk");
    let listing = Listing::of(&chunk, &shape);
    let style = Style {
        lowered: Some(&listing),
        ..Style::default()
    };
    let text = print_chunk(&Entry::default(), &chunk, &style).expect("it can be printed");
    let (add, behind) = text.split_once("    add\n").expect("the op");
    assert!(add.contains(" registers\n"), "{text}");
    assert!(behind.trim_start().starts_with("; "), "{text}");
    assert!(behind.contains("+ Int 300\n"), "{text}");
    assert_eq!(chunk_of(&text).ops, chunk.ops);
}
