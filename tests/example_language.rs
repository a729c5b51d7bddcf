//! Does the example language do what its users expect: from text to modules on disk, linked and run,
//! with errors at source lines?

#[path = "../examples/tally/compiler.rs"]
mod compiler;
#[path = "../examples/tally/runtime.rs"]
mod runtime;

use fusevm::Module;
use fusevm::code::Code;
use fusevm::host::RecordingHost;
use fusevm::vm::Trap;
use std::sync::{Arc, Mutex};

/// Compiles each text to a module on disk, runs the last one with the functions of all; what it
/// prints, and how it ends.
fn run(texts: &[(&str, &str)]) -> (String, Result<(), Trap>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = Arc::new(Mutex::new(RecordingHost::new()));
    let lent = Arc::clone(&host);
    let engine = runtime::builder()
        .host(move || Box::new(Arc::clone(&lent)))
        .build();
    let mut last = None;
    for (source, text) in texts {
        let path = folder.path().join(format!("{source}.fvbc"));
        let program = compiler::compile(source, text).unwrap_or_else(|error| panic!("{error}"));
        program.write_to(&path).expect("a module is written");
        let module = Module::open(&path).expect("the module opens");
        assert!(
            module.check(&Default::default()).errors.is_empty(),
            "{source}"
        );
        engine.load(module.clone());
        last = Some(module);
    }
    let main = last
        .expect("a program")
        .chunk(compiler::MAIN)
        .expect("a main chunk");
    assert!(main.is_strict());
    let ended = engine.vm(&engine.loaded(main)).execute().map(drop);
    let output = host.lock().expect("no panic").output().to_vec();
    (String::from_utf8(output).expect("text"), ended)
}

/// What a text prints.
fn output(text: &str) -> String {
    let (output, ended) = run(&[("test.tly", text)]);
    ended.unwrap_or_else(|trap| panic!("{trap}"));
    output
}

fn syntax_error(text: &str) -> String {
    let compiled = compiler::compile("test.tly", text);
    compiled.err().expect("a syntax error").to_string()
}

#[test]
fn expressions_have_their_usual_order() {
    assert_eq!(output("print 2 + 3 * 4 - 10 / 4"), "11.5\n");
    assert_eq!(output("print (2 + 3) * -4 % 7"), "-6\n");
    assert_eq!(output(r#"print "a" .. 1 .. 2 * 3"#), "a16\n");
    assert_eq!(output("print 1 < 2 print 2 == 3"), "1\n\n");
}

#[test]
fn loops_and_branches_go_round_and_end() {
    let text = r#"
        let i = 0
        while i < 4 {
            if i % 2 == 0 { print i } else { print "odd" }
            i = i + 1
        }"#;
    assert_eq!(output(text), "0\nodd\n2\nodd\n");
}

#[test]
fn functions_have_variables_of_their_own() {
    let text = "
        let x = 1
        fn f(a) { let x = a * 2 y = x return x }
        print f(21) print x print y";
    assert_eq!(output(text), "42\n1\n42\n");
}

#[test]
fn functions_call_each_other_and_themselves() {
    let text = "
        fn even(n) { if n == 0 { return 1 } return odd(n - 1) }
        fn odd(n) { if n == 0 { return 0 } return even(n - 1) }
        print even(1000)";
    assert_eq!(output(text), "1\n");
}

#[test]
fn the_language_has_a_builtin_and_an_op() {
    assert_eq!(
        output(r#"print length("four") print "fusevm" ~ "vm""#),
        "4\n1\n"
    );
}

#[test]
fn text_is_run_at_run_time() {
    assert_eq!(output(r#"let n = 1 eval("n = n + 41") print n"#), "42\n");
}

#[test]
fn the_sample_programs_run() {
    let shapes = include_str!("../examples/tally/shapes.tly");
    let main = include_str!("../examples/tally/main.tly");
    let (output, ended) = run(&[("shapes.tly", shapes), ("main.tly", main)]);
    assert!(ended.is_ok(), "{ended:?}");
    let expected = "fib(20) = 6765\narea: 42, asked 1 times\n*****\n*****\nfound, of 6\n42\n";
    assert_eq!(output, expected);
}

#[test]
fn errors_name_the_source_and_the_line() {
    assert_eq!(
        syntax_error("let x = 1\nlet = 2"),
        "test.tly:2: expected a name, found `=`"
    );
    assert_eq!(
        syntax_error("print (1"),
        "test.tly:1: expected `)`, found ``"
    );
    assert_eq!(
        syntax_error("\n\nprint \"a"),
        "test.tly:3: this text has no end"
    );
    let deep = format!("print {}1{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(syntax_error(&deep), "test.tly:1: this is nested too deep");
}

#[test]
fn traps_name_sources_lines_and_calls_over_modules() {
    let library = "fn helper(n) {\n    return n + gone(n)\n}";
    let (_, ended) = run(&[
        ("lib.tly", library),
        ("main.tly", "print 1\nprint helper(2)"),
    ]);
    let trap = ended.expect_err("a trap");
    assert_eq!(trap.code(), Code::UnknownSub);
    let text = trap.to_string();
    assert!(text.contains("--> lib.tly:2 in helper"), "{text}");
    assert!(text.contains("called from main.tly:2"), "{text}");
}
