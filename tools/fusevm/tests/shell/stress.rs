//! Do processes end, and leave nothing behind, however many there are and however they are nested?
//!
//! Each test runs one program that does something many times and then looks at itself in `/proc`: its descriptors
//! and its children. `SHELL_STRESS=N` does everything N times as often, in each mode; `SHELL_STRESS=100` is more than
//! 10,000 pipelines.

use super::modes::{Mode, modes};
use super::{fusevm, module};
use fusevm_kit::sh::compile;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one program may take for each unit of stress.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many times as much is asked for.
fn times() -> Option<u32> {
    let times = std::env::var("SHELL_STRESS").ok()?;
    times.parse().ok()
}

/// Whether everything is to be run.
pub(crate) fn is_asked_for() -> bool {
    times().is_some()
}

fn rounds(count: u32) -> u32 {
    match times() {
        Some(times) => count * times,
        // In each of the modes a share.
        None => count.div_ceil(5),
    }
}

/// Runs a script in a mode and gives what it prints. It has to end in time, with the status 0.
fn output(mode: &Mode, script: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary folder");
    let module = module(place.path(), &compile(script));
    let mut command = Command::new(fusevm());
    command
        .arg("run")
        .args(&mode.arguments)
        .arg(module)
        .current_dir(place.path())
        .stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut stdout = child.stdout.take().expect("it is a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
        text
    });
    let deadline = Instant::now() + PATIENCE * rounds(1);
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("it is our child");
            panic!("it doesn't end: {script}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = reader.join().expect("the reader ends");
    assert!(status.success(), "{status}: {script}\n{text}");
    text
}

/// What the program prints about itself: how many descriptors it has open, and how many children, zombies too.
const LOOK: &str = "
n=0; for i in /proc/$$/fd/*; do n=$((n+1)); done; echo descriptors $n
n=0; for i in $(cat /proc/$$/task/$$/children); do n=$((n+1)); done; echo children $n
";

/// Runs `body` so many times, whatever runs it, and looks that nothing is left behind.
fn leaves_nothing(setup: &str, body: &str, count: u32) {
    let reference = Mode::new(&["--engine", "reference"]);
    for mode in modes().into_iter().chain([reference]) {
        let before = output(&mode, &format!("{setup}\n{LOOK}"));
        let script = format!(
            "{setup}\ni=0; while test $i -lt {count}; do\n{body}\ni=$((i+1)); done\nwait\n{LOOK}"
        );
        let after = output(&mode, &script);
        let tail: Vec<_> = after.lines().rev().take(2).collect();
        let expected: Vec<_> = before.lines().rev().take(2).collect();
        let how = mode.arguments.join(" ");
        assert_eq!(tail, expected, "{how}: {body}");
        assert!(!after.contains("wrong"), "{how}: {body}\n{after}");
    }
}

/// What only copies of the process compile is not kept: they leave the cache alone.
#[test]
fn copies_write_no_native_code() {
    let busy = "i=0; while test $i -lt 500; do i=$((i+1)); done; test $i -eq 500 || echo wrong";
    for (script, writes) in [
        (format!("({busy})"), false),
        (format!("x=$({busy}); echo $x"), false),
        (format!("{{ {busy}; }} | cat"), false),
        (format!("f() {{ {busy}; }}; (f)"), false),
        (busy.to_owned(), true),
    ] {
        let mode = Mode::with_cache(&["--jit", "eager"]);
        let printed = output(&mode, &script);
        assert!(!printed.contains("wrong"), "{script}");
        assert_eq!(mode.packs() > 0, writes, "{script}");
    }
}

#[test]
fn pipelines_with_large_data() {
    let body = "x=$(seq 1 20000 | cat | wc -l); test $x -eq 20000 || echo wrong";
    leaves_nothing("", body, rounds(50));
    // Both ways at once: a stage that reads and writes more than any pipe holds.
    let both = "x=$(head -c 300000 /dev/zero | tr '\\0' x | { cat; cat; } | wc -c); test $x -eq 300000 || echo wrong";
    leaves_nothing("", both, rounds(20));
}

#[test]
fn here_documents_larger_than_a_pipe() {
    let line = "x".repeat(99);
    let text = format!("{line}\n").repeat(2000);
    let body = format!("x=$(cat <<EOF | wc -c\n{text}EOF\n); test $x -eq 200000 || echo wrong");
    leaves_nothing("", &body, rounds(20));
    // Nobody reads it.
    leaves_nothing("", &format!("true <<EOF\n{text}EOF"), rounds(20));
}

#[test]
fn substitutions_ten_deep_with_subshells_and_pipelines() {
    let mut script = "echo deep | (cat | { cat; }) | cat".to_owned();
    for _ in 0..10 {
        script = format!("(echo $( {script} ) | cat)");
    }
    let body = format!("x=$( {script} ); test \"$x\" = deep || echo wrong");
    leaves_nothing("", &body, rounds(5));
}

#[test]
fn signals_during_waits() {
    let setup = "n=0; trap 'n=$((n+1))' USR1";
    let body = "(kill -USR1 $$) & wait; sleep 0.001; wait; test $n -gt $i || echo wrong";
    leaves_nothing(setup, body, rounds(30));
    // While a command in the foreground runs: the trap waits for its end.
    let body = "sh -c \"kill -USR1 $$; exit 3\"; test $? -eq 3 || echo wrong; test $n -gt $i || echo wrong";
    leaves_nothing(setup, body, rounds(30));
}

#[test]
fn stages_that_die() {
    let body = "yes | head -n 1 | sh -c 'kill -9 $$'; test $? -eq 137 || echo wrong";
    leaves_nothing("", body, rounds(20));
    let body = "sh -c 'kill -9 $$' | cat; test $? -eq 0 || echo wrong";
    leaves_nothing("", body, rounds(20));
    let body = "yes | (exit 7); test $? -eq 7 || echo wrong";
    leaves_nothing("", body, rounds(20));
}

#[test]
fn redirections_and_process_substitutions() {
    let body =
        "{ echo a; { echo b >&2; } 2> g; } > f; x=$(cat f g); test \"$x\" = 'a\nb' || echo wrong";
    leaves_nothing("", body, rounds(30));
    let body = "x=$(cat <(echo one) <(echo two) | wc -l); test $x -eq 2 || echo wrong";
    leaves_nothing("", body, rounds(20));
    let body = "{ true; } < nothing 2> /dev/null; test $? -eq 1 || echo wrong";
    leaves_nothing("", body, rounds(30));
}
