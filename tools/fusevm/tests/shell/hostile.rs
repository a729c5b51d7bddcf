//! Is what a policy denies denied wherever it is reached from, and do hostile words end?

use super::{fusevm, module};
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a script with arguments of `run`. Gives its status, and what it printed on both streams.
fn run(arguments: &[&str], script: &str) -> (Option<i32>, String, String) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let module = module(place.path(), script);
    let mut command = Command::new(fusevm());
    command.arg("run").args(arguments).arg(module);
    let output = command
        .current_dir(place.path())
        .output()
        .expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn what_is_denied_is_not_begun() {
    for (denied, script) in [
        ("exec", "ls"),
        ("exec", "echo builtin | cat"),
        ("exec", "(ls)"),
        ("exec", "x=$(ls)"),
        ("exec", "true & wait"),
        ("read", "echo before; cat < f"),
        ("read", "(echo *)"),
        ("read", "echo $(echo *)"),
        ("read", "echo a | echo *"),
        ("write", "echo before; echo x > f"),
        ("write", "(echo x > f)"),
        ("write", "echo $(echo x > f)"),
        ("write", "echo a | { cat > f; }"),
        ("write", "{ echo a; } >> f"),
        ("env", "echo before; echo ${HOME}"),
        ("env", "(echo ~)"),
        ("env", "echo $(echo $HOME)"),
        ("env", "echo a | echo $HOME"),
    ] {
        let (status, output, errors) = run(&["--deny", denied], script);
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
        let (_, _, errors) = run(&["--deny", denied, "--allow", "exec"], &script);
        let told = format!("the policy denies `{denied}`");
        assert!(errors.contains(&told), "{script}: {errors}");
    }
}

#[test]
fn denied_chunks_are_told_by_needs_that_are_reached_only() {
    let (status, output, errors) = run(&["--deny", "write"], "echo x > /dev/null");
    assert_eq!((status, &*output), (Some(126), ""), "{errors}");
    let (status, output, _) = run(&["--deny", "write"], "echo fine 2>&1");
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
        let (status, _, errors) = run(&["--max-memory", "200M", "--max-value", "16M"], &script);
        let shown = &script[..script.len().min(60)];
        assert!(began.elapsed() < Duration::from_secs(60), "{shown}");
        let is_trap = status == Some(125) && errors.contains("trap[E04");
        assert!(status == Some(0) || is_trap, "{shown}: {status:?} {errors}");
    }
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
        let (status, _, errors) = run(&["--fuel", "10k"], &script);
        assert!(errors.contains("E0401"), "{script}: {status:?} {errors}");
    }
    let (status, _, errors) = run(&["--max-value", "64k"], "x=$(yes)");
    assert_eq!(status, Some(125));
    assert!(errors.contains("E0403"), "{errors}");
    // A sub that runs itself in a subshell: copies lie within each other up to a limit.
    let (_, _, errors) = run(&[], "f() { (f); }; f");
    assert!(errors.contains("E0402"), "{errors}");
}
