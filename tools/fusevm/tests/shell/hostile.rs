//! Is what a policy denies denied wherever it is reached from, and do hostile words end?

use super::modes::{run_chunk, run_script};
use fusevm::{Chunk, ChunkBuilder, Op, Value};
use std::time::{Duration, Instant};

#[test]
fn what_is_denied_is_not_begun() {
    for (denied, script) in [
        ("exec", "ls"),
        ("exec", "echo builtin | cat"),
        ("exec", "(ls)"),
        ("exec", "x=$(ls)"),
        ("exec", "true & wait"),
        ("exec", "cat <(echo a)"),
        ("exec", "f() { ls; }; echo a; f"),
        ("exec", "echo a; trap ls EXIT"),
        ("read", "echo before; cat < f"),
        ("read", "(echo *)"),
        ("read", "echo $(echo *)"),
        ("read", "echo a | echo *"),
        ("read", "[[ -f lines ]]"),
        ("read", "echo a | [[ -f lines ]]"),
        ("read", "echo $([[ -f lines ]])"),
        ("read", "shopt -s globstar; echo $(echo a | echo **)"),
        ("read", "{ echo a; } < f"),
        ("write", "echo before; echo x > f"),
        ("write", "(echo x > f)"),
        ("write", "echo $(echo x > f)"),
        ("write", "echo a | { cat > f; }"),
        ("write", "{ echo a; } >> f"),
        ("write", "echo a | (echo $(echo x >> f))"),
        ("write", "true <> f"),
        ("env", "echo before; echo ${HOME}"),
        ("env", "(echo ~)"),
        ("env", "echo $(echo $HOME)"),
        ("env", "echo a | echo $HOME"),
        ("env", "echo $(echo a | (echo ${HOME:-x}))"),
        ("env", "x=~; echo $x"),
    ] {
        let (status, output, errors) = run_script(&["--deny", denied], script);
        assert_eq!((status, &*output), (Some(126), ""), "{script}: {errors}");
        assert!(
            errors.contains("E0501") && errors.contains(denied),
            "{script}: {errors}"
        );
    }
}

/// What no op says beforehand is denied where it is done, by builtins in copies of the process too.
#[test]
fn what_is_not_known_before_is_denied_at_the_op() {
    for (denied, script) in [
        ("read", "cd dir; echo $?"),
        ("read", "(cd dir); echo $?"),
        ("read", "echo $(cd dir; echo $?)"),
        ("read", "test -e dir; echo $?"),
        ("env", "export A=1; echo $?"),
    ] {
        let script = script.replace("$?", "status");
        let (_, _, errors) = run_script(&["--deny", denied, "--allow", "exec"], &script);
        let told = format!("the policy denies `{denied}`");
        assert!(errors.contains(&told), "{script}: {errors}");
    }
}

#[test]
fn denied_chunks_are_told_by_needs_that_are_reached_only() {
    let (status, output, errors) = run_script(&["--deny", "write"], "echo x > /dev/null");
    assert_eq!((status, &*output), (Some(126), ""), "{errors}");
    let (status, output, _) = run_script(&["--deny", "write"], "echo fine 2>&1");
    assert_eq!((status, &*output), (Some(0), "fine\n"));
}

/// Hostile words end soon: well, or in a trap that has a name.
#[test]
fn hostile_words_end() {
    let a = "a".repeat(20_000);
    let scripts = [
        format!("x={a}; echo ${{x##*a*a*a*a*a*a*a*b}}"),
        format!("x={a}; echo ${{x%%*a*a*a*a*a*a*a*b}}"),
        format!("x={a}; echo ${{x//*a*a*a*a*a*a*a*b/c}}"),
        format!("x={a}; echo ${{x//a/{a}}}"),
        "echo {1..1000000000}".to_owned(),
        "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}\
         {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"
            .to_owned(),
        format!("echo {}x{}", "{a,".repeat(40), "}".repeat(40)),
        format!("IFS={}; x={a}; for i in $x; do :; done", all_bytes()),
        "echo /*/*/../*/../*/../*/../*/../*/*".to_owned(),
    ];
    for script in scripts {
        let began = Instant::now();
        let (status, _, errors) =
            run_script(&["--max-memory", "200M", "--max-value", "16M"], &script);
        let shown = &script[..script.len().min(60)];
        assert!(began.elapsed() < Duration::from_secs(60), "{shown}");
        let is_trap = status == Some(125) && errors.contains("trap[E04");
        assert!(status == Some(0) || is_trap, "{shown}: {status:?} {errors}");
    }
}

/// Hostile values, which no script of the subset can spell, do so too.
#[test]
fn hostile_values_end() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut folder = place.path().to_owned();
    for number in 0..100 {
        // As long as names can be, and different in the end alone.
        let name = format!("{}{number}", "a".repeat(250));
        std::fs::write(place.path().join(name), "").expect("a file is written");
    }
    for _ in 0..12 {
        folder.push("a");
        std::fs::create_dir(&folder).expect("a folder is made");
    }
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let text = every_byte.repeat(1 << 13);
    let chunks = [
        ("all bytes separate", splitting(&every_byte, &text)),
        (
            "spaces of all bytes",
            splitting(b" \t\n", &b" \t\n".repeat(1 << 20)),
        ),
        ("runs", expanding(Op::Glob, &b"*a".repeat(1000))),
        (
            "runs and sets",
            expanding(Op::Glob, &b"*[!b]?a".repeat(500)),
        ),
        (
            "sets without end",
            expanding(Op::Glob, &b"[[:alpha:]".repeat(10_000)),
        ),
        ("deep", expanding(Op::GlobRecursive, &b"**/a/".repeat(40))),
        (
            "deep and wide",
            expanding(Op::GlobRecursive, &b"**/*a*a*a*".repeat(20)),
        ),
        (
            "a pattern too long",
            expanding(Op::Glob, &b"*".repeat(1 << 21)),
        ),
        ("back and forth", expanding(Op::Glob, &b"*/../".repeat(30))),
        (
            "nested braces",
            expanding(Op::BraceExpand, &nested_braces(9, 10)),
        ),
        (
            "braces",
            expanding(Op::BraceExpand, &b"{1..1000}".repeat(3)),
        ),
        (
            "open braces",
            expanding(Op::BraceExpand, &b"{a,".repeat(1 << 18)),
        ),
        (
            "a home of nobody",
            expanding(
                Op::TildeExpand,
                &[&b"~"[..], &b"x".repeat(1 << 20)].concat(),
            ),
        ),
    ];
    for (what, chunk) in chunks {
        let began = Instant::now();
        let limits = ["--max-memory", "200M", "--max-value", "16M"];
        let (status, _, errors) = run_chunk(place.path(), &limits, &chunk);
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        let is_trap = status == Some(125) && errors.contains("trap[E04");
        assert!(status == Some(0) || is_trap, "{what}: {status:?} {errors}");
    }
}

/// An op on a text.
fn expanding(op: Op, text: &[u8]) -> Chunk {
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::bytes(text));
    b.emit(Op::LoadConst(text), 1);
    b.emit(op, 1);
    b.emit(Op::Pop, 1);
    b.build()
}

/// A text that is split at the bytes of `ifs`.
fn splitting(ifs: &[u8], text: &[u8]) -> Chunk {
    let mut b = ChunkBuilder::new();
    let (ifs, name) = (b.add_constant(Value::bytes(ifs)), b.add_name("IFS"));
    let text = b.add_constant(Value::bytes(text));
    b.emit(Op::LoadConst(ifs), 1);
    b.emit(Op::SetVar(name), 1);
    b.emit(Op::LoadConst(text), 1);
    b.emit(Op::WordSplit, 1);
    b.emit(Op::Pop, 1);
    b.build()
}

/// Braces of `width` words in each other, `depth` deep, as choices and as products.
fn nested_braces(depth: u32, width: usize) -> Vec<u8> {
    if depth == 0 {
        return b"a".to_vec();
    }
    let inner = nested_braces(depth - 1, 2);
    let choices = [&inner[..], &inner].join(&b',');
    let words = vec!["w"; width].join(",");
    [format!("{{{words}}}").as_bytes(), b"{", &choices, b"}"].concat()
}

/// Every character of ASCII that needs no quotes in the subset, as separators of words.
fn all_bytes() -> String {
    let all = (33u8..127)
        .map(char::from)
        .filter(|c| !"'\"\\$;()&|<>{}~*?[]#`!".contains(*c));
    all.collect()
}

#[test]
fn limits_hold_in_copies_of_the_process() {
    let forever = "while true; do :; done";
    for script in [
        format!("({forever})"),
        format!("x=$({forever})"),
        format!("{{ {forever}; }} | cat"),
    ] {
        let (status, _, errors) = run_script(&["--fuel", "10k"], &script);
        assert!(errors.contains("E0401"), "{script}: {status:?} {errors}");
    }
    let (status, _, errors) = run_script(&["--max-value", "64k"], "x=$(yes)");
    assert_eq!(status, Some(125));
    assert!(errors.contains("E0403"), "{errors}");
    // A sub that runs itself in a subshell: copies lie within each other up to a limit.
    let (_, _, errors) = run_script(&[], "f() { (f); }; f");
    assert!(errors.contains("E0402"), "{errors}");
}
