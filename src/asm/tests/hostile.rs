//! Does a text that means harm end quickly and in good order?

use super::super::*;
use crate::chunk::ChunkBuilder;
use crate::format::limits::CONSTANT_NESTING;
use crate::op::Op;
use crate::value::Value;
use std::time::{Duration, Instant};

/// What even a debug build does with each of these texts on a busy machine.
const QUICK: Duration = Duration::from_secs(20);

fn quickly(what: &str, text: &[u8]) {
    let start = Instant::now();
    if let Ok(assembly) = assemble(text, what) {
        let chunks = assembly.chunks.iter().map(|(entry, chunk)| (entry, chunk));
        print(&assembly.metadata, chunks).expect("what was a text has a text");
    }
    let took = start.elapsed();
    assert!(took < QUICK, "{what} took {took:?}");
}

#[test]
fn large_texts_of_one_thing_end_quickly() {
    const COUNT: usize = 60_000;
    let numbered = |line: &dyn Fn(usize) -> String| (0..COUNT).map(line).collect::<String>();
    let texts = [
        ("brackets", "load_const ".to_owned() + &"[".repeat(1 << 20)),
        (
            "references",
            "load_const ".to_owned() + &"ref(".repeat(1 << 18),
        ),
        ("items", format!("load_const [{}1]", "1,".repeat(1 << 18))),
        ("digits", format!("load_int {}", "9".repeat(1 << 20))),
        ("fraction", format!("load_float 0.{}", "9".repeat(1 << 20))),
        ("word", "a".repeat(1 << 20)),
        ("string", "\"".to_owned() + &"\\x00".repeat(1 << 18)),
        ("quotes", "\"".repeat(1 << 20)),
        ("colons", ":".repeat(1 << 20)),
        ("labels on a line", numbered(&|i| format!("l{i}: "))),
        (
            "labels",
            numbered(&|i| format!("l{i}: jump l{}\n", COUNT - 1 - i)),
        ),
        ("chunks", numbered(&|i| format!(".chunk c{i}\n"))),
        ("nested blocks", ".block b\n".repeat(COUNT)),
        (
            "blocks in blocks",
            numbered(&|i| format!(".block b{i}\n")) + &"nop\n.endblock\n".repeat(COUNT),
        ),
        (
            "blocks in reverse",
            numbered(&|i| format!(".block b{i} from @{} to @70000\n", COUNT - i)),
        ),
        (
            "subs",
            numbered(&|i| format!(".sub s{i} args 1\n call s{i} 1\n")),
        ),
        (
            "subs of one name",
            ".sub s args 1\n call s 1\n".repeat(COUNT),
        ),
        (
            "subs in reverse",
            numbered(&|i| format!(".sub s at @{}\n", COUNT - i)),
        ),
        (
            "imports",
            numbered(&|i| format!(".import builtin {i} f{i}\n call_builtin f{i} 1\n")),
        ),
        (
            "functions",
            numbered(&|i| format!(".import function f{i}\n call f{i} 1\n")),
        ),
        (
            "names in reverse",
            numbered(&|i| format!("get_var #{}\n", COUNT - i)),
        ),
        ("empty lines", "\n".repeat(1 << 22)),
        (
            "errors at the end",
            "nop\n".repeat(1 << 18) + &"oops\n".repeat(100),
        ),
    ];
    for (what, text) in &texts {
        quickly(what, text.as_bytes());
    }
    quickly("zeros", &[0; 1 << 20]);
    quickly("no UTF-8", &[0xff; 1 << 20]);
}

/// Text that grew with the product of mentions and lengths would not fit any memory.
#[test]
fn long_texts_mentioned_often_stand_once() {
    let mut builder = ChunkBuilder::new();
    let long = "x".repeat(1 << 16);
    let constant = builder.add_constant(Value::str(long.as_str()));
    let name = builder.add_name(&long);
    for _ in 0..10_000 {
        builder.emit(Op::LoadConst(constant), 0);
        builder.emit(Op::SetVar(name), 0);
    }
    let text = print_chunk(&Entry::default(), &builder.build(), &Style::default());
    let text = text.expect("it is small");
    assert!(text.len() < 4 << 20, "{} bytes", text.len());
    let back = assemble(&text, "x").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(back.chunks[0].1.ops.len(), 20_000);
}

#[test]
fn values_that_have_no_text_are_refused() {
    let nested = |depth: usize, wrap: &dyn Fn(Value) -> Value| {
        (0..depth).fold(Value::Int(1), |value, _| wrap(value))
    };
    let print_value = |value: Value| {
        let mut builder = ChunkBuilder::new();
        builder.add_constant(value);
        print_chunk(&Entry::default(), &builder.build(), &Style::default())
    };
    let chunk = String::new();
    let reference = |value| Value::reference(value);
    print_value(nested(CONSTANT_NESTING, &reference)).expect("as deep as may be");
    let too_deep = Err(PrintError::TooDeep { chunk, index: 0 });
    assert_eq!(
        print_value(nested(CONSTANT_NESTING + 1, &reference)),
        too_deep
    );
    assert_eq!(print_value(nested(100_000, &reference)), too_deep);
    let pair = |value: Value| Value::array(vec![value.clone(), value]);
    let bomb = literal::write(&mut String::new(), &nested(60, &pair), 1 << 20);
    assert_eq!(bomb, Err(literal::Unwritable::TooLong));
}
