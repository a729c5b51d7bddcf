//! Does code run where it is fastest: loops within redirections and in copies of the process in the engine,
//! loops of commands outside of it?

use super::modes::{run_chunk, run_script};
use fusevm::{Chunk, ChunkBuilder, Op};
use fusevm_kit::sh::compile;

/// How often loops turn.
const TURNS: i32 = 100_000;

/// A number of `--stats=json`.
fn number(stats: &str, name: &str) -> u64 {
    let line = stats.lines().last().expect("a line of JSON");
    let stats: serde_json::Value = serde_json::from_str(line).expect("JSON");
    stats[name].as_u64().expect("a number")
}

/// Runs a chunk and gives what `--stats` says.
fn stats(chunk: &Chunk) -> String {
    let place = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["--cache", "off", "--jit", "off", "--stats=json"];
    let (status, _, errors) = run_chunk(place.path(), &arguments, chunk);
    assert_eq!(status, Some(0), "{errors}");
    errors
}

/// A loop without commands, between two ops.
fn counting(begin: Op, end: Op) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(0), 1);
    b.emit(begin, 1);
    let start = b.current_pos();
    b.emit(Op::SlotIncLtIntJumpBack(0, TURNS, start), 1);
    b.emit(end, 1);
    b.build()
}

#[test]
fn loops_within_redirections_run_in_the_engine() {
    let stats = stats(&counting(Op::RedirectMark, Op::RedirectPop));
    assert!(number(&stats, "instructions") > TURNS as u64 / 2, "{stats}");
}

#[test]
fn loops_of_commands_stay_out_of_the_engine() {
    let stats = stats(&compile(
        "i=0; while test $i -lt 3000; do :; i=$((i+1)); done",
    ));
    assert!(number(&stats, "entries") < 1000, "{stats}");
}

/// A copy tells nothing of itself, but native code lies in memory that can run and has no name.
#[test]
fn loops_in_copies_run_as_native_code() {
    let busy = "i=0; while test $i -lt 300; do i=$((i+1)); done";
    let look = "sh -c 'grep -c \"r-xp 00000000 00:00 0 *$\" /proc/$PPID/maps'; :";
    for script in [
        format!("({busy}; {look})"),
        format!("x=$({busy}; {look}); echo $x"),
        format!("{{ {busy}; {look}; }} | cat"),
        format!("f() {{ {busy}; }}; (f; {look})"),
        format!("f() {{ {busy}; {look}; }}; f & wait"),
        format!("(for x in 1; do {busy}; done; {look})"),
    ] {
        let pieces = |arguments: &[&str]| -> u32 {
            let arguments = [&["--cache", "off"], arguments].concat();
            let (_, output, errors) = run_script(&arguments, &script);
            let count = output.trim().parse();
            count.unwrap_or_else(|_| panic!("{script}: {output}{errors}"))
        };
        assert_eq!(pieces(&["--engine", "reference"]), 0, "{script}");
        assert!(pieces(&["--jit", "eager"]) > 0, "{script}");
    }
}
