//! Shell ops, on a host that records.

use super::*;
use crate::host::{Capability, FileTest, Policy};
use crate::op::file_test;
use crate::shell_builtins::BUILTIN_ECHO;
use Op::*;

/// A chunk in which constant n is the n-th text.
fn with_texts(texts: &[&str], ops: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    for text in texts {
        b.add_constant(Value::str(*text));
    }
    emit_all(&mut b, ops);
    b.build()
}

fn on(host: RecordingHost, texts: &[&str], ops: &[Op]) -> Result<Option<Value>, Code> {
    let (mut vm, _) = recorded(with_texts(texts, ops), host);
    vm.execute().map_err(|trap| trap.code())
}

fn list(words: &[&str]) -> Result<Option<Value>, Code> {
    let words = words.iter().map(|word| Value::str(*word));
    Ok(Some(Value::array(words.collect())))
}

#[test]
fn commands_get_their_words_flat() {
    let host = RecordingHost::new().with_command(b"ls", 2);
    let ops = [
        LoadConst(0),
        LoadInt(1),
        LoadConst(1),
        MakeArray(2),
        Exec(2),
        GetStatus,
    ];
    let (mut vm, record) = recorded(with_texts(&["ls", "a b"], &ops), host);
    assert_eq!(
        vm.execute(),
        Ok(Some(Value::Status(0))),
        "`$?` is set by SetStatus alone"
    );
    assert_eq!(vm.stack, [Value::Status(2)]);
    let calls = format!("{:?}", record.lock().unwrap().calls());
    assert_eq!(record.lock().unwrap().calls().len(), 1, "{calls}");
}

#[test]
fn no_words_are_no_command() {
    assert_eq!(
        on(RecordingHost::new(), &[], &[MakeArray(0), Exec(1)]),
        Ok(Some(Value::Status(0)))
    );
    assert_eq!(
        on(RecordingHost::new(), &["nope"], &[LoadConst(0), Exec(1)]),
        Ok(Some(Value::Status(127)))
    );
}

#[test]
fn a_command_may_be_a_sub() {
    let ops_of = |end: &[Op]| {
        let mut b = ChunkBuilder::new();
        let name = b.add_constant(Value::str("f"));
        let f = b.add_name("f");
        emit_all(&mut b, &[LoadInt(7), LoadConst(name), LoadInt(5), Exec(2)]);
        let over = b.emit(Jump(0), 0);
        b.add_sub_entry(f, b.current_pos());
        emit_all(&mut b, end);
        b.patch_jump(over, b.current_pos());
        let mut vm = quiet(b.build());
        let top = vm.execute().expect("no trap").expect("a status");
        (vm.stack, top)
    };
    let seven = vec![Value::Int(7)];
    assert_eq!(
        ops_of(&[SetStatus, Return]),
        (seven.clone(), Value::Status(5))
    );
    assert_eq!(ops_of(&[ReturnValue]), (seven.clone(), Value::Status(5)));
    assert_eq!(
        ops_of(&[PushFrame, LoadTrue, Return]),
        (seven, Value::Status(0))
    );
}

#[test]
fn a_command_may_be_a_builtin() {
    let ops = [LoadInt(7), LoadConst(0), LoadInt(5), LoadInt(6), Exec(3)];
    let (mut vm, _) = recorded(with_texts(&["echo"], &ops), RecordingHost::new());
    vm.register_builtin(BUILTIN_ECHO, |vm, argc| {
        Value::Status(i32::from(argc) * 100 + vm.pop().to_int() as i32)
    });
    assert_eq!(vm.execute(), Ok(Some(Value::Status(206))));
    assert_eq!(vm.stack, [Value::Int(7)]);
}

#[test]
fn files_are_asked_of_the_host() {
    let host = || {
        RecordingHost::new()
            .with_file(b"x", &[FileTest::File])
            .with_glob(b"*.c", &[b"b.c", b"a.c"])
    };
    let test = |code| on(host(), &["x"], &[LoadConst(0), TestFile(code)]);
    assert_eq!(test(file_test::IS_FILE), Ok(Some(Value::Bool(true))));
    assert_eq!(test(file_test::IS_DIR), Ok(Some(Value::Bool(false))));
    assert_eq!(test(99), Err(Code::HostFailed));
    assert_eq!(
        on(host(), &["*.c"], &[LoadConst(0), Glob]),
        list(&["a.c", "b.c"])
    );
    assert_eq!(
        on(host(), &["*.h"], &[LoadConst(0), GlobRecursive]),
        list(&[])
    );
}

#[test]
fn words_split_at_ifs() {
    let host = RecordingHost::new;
    let split = |text: &str| on(host(), &[text], &[LoadConst(0), WordSplit]);
    assert_eq!(split(" a\tb \n c "), list(&["a", "b", "c"]));
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::str("a:b c::d"));
    let colon = b.add_constant(Value::str(":"));
    let ifs = b.add_name("IFS");
    emit_all(
        &mut b,
        &[LoadConst(colon), SetVar(ifs), LoadConst(text), WordSplit],
    );
    let result = quiet(b.build()).execute().map_err(|trap| trap.code());
    assert_eq!(result, list(&["a", "b c", "", "d"]));
}

#[test]
fn braces_and_tildes_expand() {
    let host = || {
        RecordingHost::new()
            .with_home(None, b"/home/me")
            .with_home(Some(b"you"), b"/home/you")
    };
    let brace = |text: &str| on(host(), &[text], &[LoadConst(0), BraceExpand]);
    assert_eq!(brace("a{b,c}{1..2}"), list(&["ab1", "ab2", "ac1", "ac2"]));
    let tilde = |text: &str| on(host(), &[text], &[LoadConst(0), TildeExpand]);
    assert_eq!(tilde("~/x"), Ok(Some(Value::str("/home/me/x"))));
    assert_eq!(tilde("~you"), Ok(Some(Value::str("/home/you"))));
    assert_eq!(tilde("~who/x"), Ok(Some(Value::str("~who/x"))));
    assert_eq!(tilde("a~"), Ok(Some(Value::str("a~"))));
}

#[test]
fn hostile_words_end_in_a_trap() {
    let bomb = "{1..9999}{1..9999}{1..9999}{1..9999}";
    let mut vm = quiet(with_texts(&[bomb], &[LoadConst(0), BraceExpand]));
    assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfMemory);
    vm.ip = 0;
    vm.set_limits(Limits {
        fuel: Some(1000),
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::OutOfFuel);
    vm.ip = 0;
    vm.set_limits(Limits {
        max_value: 1000,
        ..Limits::default()
    });
    assert_eq!(vm.execute().unwrap_err().code(), Code::ValueTooLarge);
}

#[test]
fn what_the_host_has_not_and_what_is_not_built_is_named() {
    for (ops, name) in [
        (vec![ReadLine], "ReadLine"),
        (vec![LoadInt(1), Exec(1)], "Exec"),
        (vec![LoadInt(1), Glob], "Glob"),
        (
            vec![PipelineBegin(2), PipelineStage, PipelineEnd],
            "PipelineBegin",
        ),
        (vec![SubshellBegin, SubshellEnd], "SubshellBegin"),
        (vec![LoadInt(1), Redirect(1, 0)], "Redirect"),
        (vec![HereString], "HereString"),
        (vec![LoadInt(1), ExecBg(1)], "ExecBg"),
    ] {
        let trap = trap_of(&ops);
        assert_eq!(trap.code(), Code::NeedsHost);
        assert!(trap.message().starts_with(name), "{trap}");
    }
}

#[test]
fn the_policy_stands_before_every_host() {
    let denied = Policy::ALLOW_ALL.deny(Capability::Exec);
    let chunk = with_texts(&["ls"], &[LoadConst(0), Exec(1)]);
    let (mut vm, record) = recorded(chunk, RecordingHost::new());
    vm.set_policy(denied);
    assert_eq!(vm.execute().unwrap_err().code(), Code::Denied);
    vm.set_host(Box::new(Arc::clone(&record)));
    vm.ip = 0;
    assert_eq!(vm.execute().unwrap_err().code(), Code::Denied);
    assert!(record.lock().unwrap().calls().is_empty());
}
