//! Do the programs in `tests/programs` do what their first comments say, from text and from bytes,
//! and do modules survive the way to text and back?
//!
//! The comments before the first other line of a program are its outcome, one fact on a line:
//!
//! | Line | Says |
//! |---|---|
//! | `; expect: TEXT` | the next line of standard output |
//! | `; stdin: TEXT` | the next line of standard input |
//! | `; trap: E0NNN [line N]` | the run ends in this trap; else it ends well |
//! | `; fuel: N`, `; depth: N` | limits of the run |
//! | `; loose` | the chunk is loose; else it is strict |
//!
//! All other comments there are prose.

use fusevm::asm::{Assembly, assemble};
use fusevm::host::{FileTest, RecordingHost};
use fusevm::jit::{JitMode, JitOptions};
use fusevm::vm::{EngineChoice, Limits, Trap};
use fusevm::{Chunk, Module, ModuleWriter, VM};
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A program and what it promises.
#[derive(Default)]
struct Program {
    name: String,
    text: String,
    expect: String,
    stdin: String,
    trap: Option<(String, Option<u32>)>,
    limits: Limits,
    loose: bool,
}

/// All programs, by name.
fn programs() -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let entries = std::fs::read_dir(folder).expect("the folder of programs");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "fvasm")
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Program {
    let text = std::fs::read_to_string(path).expect("a readable program");
    let mut program = Program {
        name: path.file_name().expect("a file").display().to_string(),
        ..Program::default()
    };
    for line in text.lines().map_while(|line| line.strip_prefix(';')) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let number = || value.parse().expect("a number");
        match key {
            "expect" => program.expect += &format!("{value}\n"),
            "stdin" => program.stdin += &format!("{value}\n"),
            "fuel" => program.limits.fuel = Some(number()),
            "depth" => program.limits.max_depth = number() as usize,
            "loose" => program.loose = true,
            "trap" => {
                let (code, line) = value.split_once(" line ").unwrap_or((value, ""));
                program.trap = Some((code.to_owned(), line.parse().ok()));
            }
            _ => {}
        }
    }
    program.text = text;
    program
}

/// A host that is the same on every machine.
fn host(program: &Program) -> RecordingHost {
    RecordingHost::new()
        .with_input(program.stdin.as_bytes())
        .with_command(b"true", 0)
        .with_command(b"false", 1)
        .with_file(b"/", &[FileTest::Directory, FileTest::Exists])
}

/// Runs the chunk in every interpreter and holds the program to its promise.
fn run(program: &Program, how: &str, chunk: Chunk) {
    let fuel_left = [
        (EngineChoice::Reference, JitMode::Off),
        (EngineChoice::Register, JitMode::Off),
        (EngineChoice::Auto, JitMode::Auto),
        (EngineChoice::Register, JitMode::Eager),
    ]
    .map(|(choice, mode)| {
        let how = format!("{how}, {choice:?}, JIT {mode:?}");
        run_in((choice, mode), program, &how, chunk.clone())
    });
    let same = fuel_left.iter().all(|fuel| *fuel == fuel_left[0]);
    assert!(same, "{} {how}: fuel {fuel_left:?}", program.name);
}

/// Gives the fuel that is left.
fn run_in(
    (choice, mode): (EngineChoice, JitMode),
    program: &Program,
    how: &str,
    chunk: Chunk,
) -> Option<u64> {
    let name = &program.name;
    let host = Arc::new(Mutex::new(host(program)));
    let mut vm = VM::new(chunk);
    vm.set_engine(choice);
    vm.set_jit(JitOptions {
        mode,
        ..JitOptions::default()
    });
    vm.set_host(Box::new(Arc::clone(&host)));
    vm.set_limits(Limits {
        fuel: program.limits.fuel.or(Some(1 << 40)),
        ..program.limits
    });
    let ended = vm.execute();
    let output = host.lock().expect("nothing panicked").output();
    let output = String::from_utf8_lossy(&output);
    let ended: Result<(), Trap> = ended.map(|_| ());
    assert_eq!(output, program.expect, "{name} {how}: {ended:?}");
    match (ended, &program.trap) {
        (Ok(()), None) => {}
        (Ok(()), Some((code, _))) => panic!("{name} {how}: expected {code}"),
        (Err(trap), None) => panic!("{name} {how}:\n{trap}"),
        (Err(trap), Some((code, line))) => {
            assert_eq!(&trap.code().to_string(), code, "{name} {how}:\n{trap}");
            assert!(
                line.is_none() || trap.site().line == *line,
                "{name} {how}:\n{trap}"
            );
        }
    }
    vm.fuel_left()
}

fn assembled(program: &Program) -> Assembly {
    let assembly = assemble(&program.text, &program.name);
    assembly.unwrap_or_else(|errors| panic!("{errors}"))
}

fn bytes_of(assembly: &Assembly) -> Vec<u8> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes it");
    assembly.write(&mut writer).expect("within the limits");
    writer.finish().expect("memory takes it").into_inner()
}

#[test]
fn programs_do_what_they_say() {
    for program in programs() {
        let assembly = assembled(&program);
        let main = assembly
            .chunks
            .iter()
            .find(|(entry, _)| entry.name == "main");
        run(
            &program,
            "from text",
            main.expect("a chunk `main`").1.clone(),
        );

        let module = Module::from_bytes(bytes_of(&assembly)).expect("what was written");
        let main = module.chunk("main").expect("a chunk `main`");
        assert_eq!(main.is_strict(), !program.loose, "{}: strict", program.name);
        run(&program, "from bytes", main.into_chunk());
    }
}

/// Disassembles a canonical module and holds what its text assembles to against it.
fn there_and_back(name: &str, bytes: Vec<u8>) {
    let module = Module::from_bytes(bytes.clone()).expect("a readable module");
    let text = Assembly::of_module(&module)
        .expect("readable chunks")
        .print();
    let text = text.expect("a file's chunks have texts");
    let again = assemble(&text, name).unwrap_or_else(|errors| panic!("{errors}\n\n{text}"));
    assert!(bytes_of(&again) == bytes, "{name}:\n{text}");
    assert_eq!(again.print().expect("as before"), text, "{name}");
}

#[test]
fn programs_disassemble_to_a_text_of_the_same_bytes() {
    for program in programs() {
        there_and_back(&program.name, bytes_of(&assembled(&program)));
    }
}

#[test]
fn vectors_disassemble_to_a_text_of_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("format-spec/vectors/valid");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "fvbc") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a readable vector");
        let module = Module::from_bytes(bytes.clone()).expect("a valid vector");
        // Other producers and other orders are valid, but not what our writer writes.
        let canonical = bytes_of(&Assembly::of_module(&module).expect("readable chunks"));
        there_and_back(&path.display().to_string(), canonical);
        count += 1;
    }
    assert!(count >= 129, "a vector for each op");
}
