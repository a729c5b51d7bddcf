//! What a trap says.

use super::*;
use Op::*;

#[test]
fn a_trap_names_code_place_calls_and_remedy() {
    let mut b = ChunkBuilder::new();
    let outer = b.add_name("outer");
    let inner = b.add_name("inner");
    b.set_source("demo.fvasm");
    b.emit(Call(outer, 0), 3);
    b.emit(Return, 3);
    b.add_sub_entry(outer, 2);
    b.emit(Call(inner, 0), 5);
    b.add_sub_entry(inner, 3);
    b.emit(LoadInt(7), 0);
    b.emit(LoadInt(-1), 0);
    b.emit(DeclareArray(9), 8);
    b.emit(ArraySet(9), 9);
    let mut vm = quiet(b.build());
    let trap = vm.execute().unwrap_err();
    assert_eq!(
        trap.to_string(),
        "trap[E0409]: a store at index -1\n  \
           --> demo.fvasm:9 in inner (op 6, array_set)\n  \
           called from demo.fvasm:5 in outer (op 2, call)\n  \
           called from demo.fvasm:3 (op 0, call)\n  \
           help: check the index before the store"
    );
    assert_eq!(vm.ip, 6);
    assert_eq!(trap.callers().len(), 2);
}

#[test]
fn an_unknown_sub_is_named_in_the_words_of_the_0_9_line() {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("nope");
    b.emit(Call(name, 0), 4);
    let trap = quiet(b.build()).execute().unwrap_err();
    assert_eq!(trap.code(), Code::UnknownSub);
    assert_eq!(trap.message(), "undefined function: nope");
    assert!(
        trap.to_string()
            .starts_with("trap[E0408]: undefined function: nope\n  --> line 4 (op 0, call)")
    );
}

#[test]
fn a_long_chain_shows_both_ends() {
    let mut b = ChunkBuilder::new();
    let f = b.add_name("f");
    b.emit(Call(f, 0), 1);
    b.add_sub_entry(f, 1);
    b.emit(Call(f, 0), 2);
    let trap = quiet(b.build()).execute().unwrap_err();
    assert_eq!(trap.code(), Code::TooDeep);
    assert_eq!(trap.callers().len() + trap.omitted_callers(), 1_000_000);
    assert_eq!(trap.callers().len(), 64);
    assert_eq!(trap.callers().last().map(|site| site.line), Some(Some(1)));
    let text = trap.to_string();
    assert!(text.contains("\n  ... 999936 more calls\n"), "{text}");
    assert_eq!(text.lines().count(), 2 + 64 + 1 + 1);
}

#[test]
fn names_from_a_program_cannot_speak_to_the_terminal() {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("\u{1b}[2Jgone\n");
    b.set_source("a\u{7}b");
    b.emit(Call(name, 0), 1);
    let text = quiet(b.build()).execute().unwrap_err().to_string();
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text:?}"
    );
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn the_op_that_runs_a_block_is_where_its_fuel_ends() {
    let chunk = blocks::with_blocks(&[LoadInt(1), LoadInt(9), Range, MapBlock(0)], &[&[]]);
    let mut vm = quiet(chunk);
    vm.set_limits(Limits {
        fuel: Some(4),
        ..Limits::default()
    });
    let trap = vm.execute().unwrap_err();
    assert_eq!((trap.code(), trap.site().op), (Code::OutOfFuel, 3));
}
