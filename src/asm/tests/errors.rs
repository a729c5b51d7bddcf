//! Is each error found, with its code, at its place, with a help that fits?

use super::super::*;

/// A text with one error: the code, the text, and a line of carets below the line that is wrong. The
/// first line of `text` is empty.
fn one(code: Code, text: &str) {
    let carets = text
        .lines()
        .position(|line| line.trim_start().starts_with('^'));
    let carets = carets.unwrap_or_else(|| panic!("no carets in {text}"));
    let caret_line = text.lines().nth(carets).expect("it is there");
    let lines: Vec<&str> = text.lines().collect();
    let without: Vec<&str> = [&lines[..carets], &lines[carets + 1..]].concat();
    let errors = assemble(without.join("\n"), "test").expect_err(text);
    let error = errors.first();
    assert_eq!(errors.as_slice().len(), 1, "{errors}");
    let column = caret_line.chars().take_while(|c| *c == ' ').count() + 1;
    let width = caret_line.trim().len();
    let found = (error.code, error.line, error.column, error.width);
    assert_eq!(found, (code, carets, column, width), "{error}");
    let shown = lines[carets - 1].replace(char::is_control, "\u{fffd}");
    if column <= 60 {
        assert_eq!(
            (error.text.as_str(), error.caret),
            (shown.as_str(), column - 1)
        );
    }
}

/// For each code texts that have it, as [`one`] takes them.
const CASES: &[(Code, &str)] = &[
    (Code::BadCharacter, "\n  nop $\n      ^"),
    (Code::BadCharacter, "\n  nop ; \u{1}\n        ^"),
    (
        Code::BadCharacter,
        "\n  load_const \"a\u{0}\"\n               ^",
    ),
    (Code::BadCharacter, "\n  nop -\n      ^"),
    (
        Code::UnclosedString,
        "\n  load_const \"a b ; c\n             ^^^^^^^^",
    ),
    (
        Code::UnclosedString,
        "\n  load_const \"a\\\n               ^",
    ),
    (
        Code::BadEscape,
        "\n  load_const \"a\\q\"\n               ^^",
    ),
    (
        Code::BadEscape,
        "\n  load_const \"é\\x1\"\n               ^^",
    ),
    (
        Code::BadEscape,
        "\n  load_const \"\\u{d800}\"\n              ^^^^^^^^",
    ),
    (
        Code::BadEscape,
        "\n  load_const \"\\u{1234567}\"\n              ^^^^^^^^^^^",
    ),
    (
        Code::BadNumber,
        "\n  load_int 18446744073709551616\n           ^^^^^^^^^^^^^^^^^^^^",
    ),
    (Code::BadNumber, "\n  load_float 1.\n             ^^"),
    (Code::BadNumber, "\n  load_float 1e999\n             ^^^^^"),
    (Code::BadNumber, "\n  load_int 1__0\n           ^^^^"),
    (Code::BadNumber, "\n  load_int 0x\n           ^^"),
    (Code::BadNumber, "\n  load_int -nan\n           ^^^^"),
    (Code::BadNumber, "\n  get_var #x\n          ^^"),
    (Code::UnknownMnemonic, "\n  lod_int 30\n  ^^^^^^^"),
    (Code::UnknownDirective, "\n.chonk main\n^^^^^^"),
    (Code::MissingOperand, "\n  load_int\n          ^"),
    (
        Code::MissingOperand,
        "\n  call f ; how many?\n                    ^",
    ),
    (Code::MissingOperand, "\n.sub\n    ^"),
    (Code::ExtraOperand, "\n  dup 1 2\n      ^^^"),
    (Code::ExtraOperand, "\n.source a b\n          ^"),
    (Code::WrongOperand, "\n  load_int x\n           ^"),
    (Code::WrongOperand, "\n  get_slot 65536\n           ^^^^^"),
    (Code::WrongOperand, "\n  load_float 2\n             ^"),
    (
        Code::WrongOperand,
        "\n  test_file is_green\n            ^^^^^^^^",
    ),
    (
        Code::WrongOperand,
        "\n  load_const nan(1)\n             ^^^",
    ),
    (
        Code::WrongOperand,
        "\n  get_var \"\\xff\"\n          ^^^^^^",
    ),
    (Code::WrongOperand, "\n.line -1\n      ^^"),
    (
        Code::WrongOperand,
        "\n.link \"12\" mtime 1 size 1\n      ^^^^",
    ),
    (
        Code::WrongOperand,
        "\n.import builtin 1 touches walls\n                          ^^^^^",
    ),
    (Code::UnknownLabel, "\n  jump nowhere\n       ^^^^^^^"),
    (Code::UnknownLabel, "\n.sub f at nowhere\n          ^^^^^^^"),
    (Code::DuplicateLabel, "\na: nop\na: nop\n^"),
    (
        Code::UnknownSymbol,
        "\n  load_const greeting\n             ^^^^^^^^",
    ),
    (Code::UnknownSymbol, "\n  map_block each\n            ^^^^"),
    (
        Code::UnknownSymbol,
        "\n.import builtin 1 ech\n  call_builtin echo 1\n               ^^^^",
    ),
    (Code::DuplicateSymbol, "\n.const a 1\n.const a 2\n       ^"),
    (Code::DuplicateSymbol, "\n.meta a a\n.meta a b\n      ^"),
    (Code::DuplicateSymbol, "\n.slot a\n.slot a\n      ^"),
    (Code::DuplicateSymbol, "\n.chunk a\n.chunk a\n^^^^^^"),
    (Code::DuplicateSymbol, "\n.source a\n.source a\n^^^^^^^"),
    (
        Code::DuplicateSymbol,
        "\n.import builtin 1 a\n.import builtin 1 b\n^^^^^^^",
    ),
    (
        Code::DuplicateSymbol,
        "\n  load_const {a: 1, \"a\": 2}\n                    ^^^",
    ),
    (
        Code::DuplicateSymbol,
        "\n.sub f args 1\n.sub f args 2\n^^^^",
    ),
    (
        Code::DuplicateSymbol,
        "\n.block b from @0 to @0\n.block b from @0 to @0\n       ^",
    ),
    (Code::MisplacedDirective, "\n.chunk a\n.meta a b\n^^^^^"),
    (Code::MisplacedDirective, "\n.endblock\n^^^^^^^^^"),
    (Code::MisplacedDirective, "\n.end\n^^^^"),
    (Code::UnclosedBlock, "\n.block b\n^^^^^^\n"),
];

#[test]
fn each_code_has_its_text_and_place() {
    for (code, text) in CASES {
        one(*code, text);
    }
    let of_the_text_form = |code: &&Code| (300..400).contains(&code.number());
    for code in Code::ALL.iter().filter(of_the_text_form) {
        // What needs a large text has a test of its own.
        let large = matches!(code, Code::TableFull | Code::TextTooLarge);
        assert!(large || CASES.iter().any(|(c, _)| c == code), "{code}");
    }
}

#[test]
fn limits_are_told() {
    let many = |line: &dyn Fn(usize) -> String| (0..=65_536).map(line).collect::<String>();
    let tables = [
        many(&|i| format!("load_const {i}\n")),
        many(&|_| ".const 1\n".to_owned()),
        many(&|i| format!("get_var n{i}\n")),
        many(&|i| format!(".block b{i}\n.endblock\n")),
        many(&|_| ".sub f\n".to_owned()),
        many(&|i| format!("get_slot s{i}\n")),
    ];
    for text in &tables {
        let errors = assemble(text, "test").expect_err("one too many");
        assert_eq!(errors.first().code, Code::TableFull, "{errors}");
    }
    let deep = format!("load_const {}{}", "[".repeat(65), "]".repeat(65));
    one(
        Code::TextTooLarge,
        &format!("\n{deep}\n{}^", " ".repeat(75)),
    );
    let name = "x".repeat(65_536);
    let errors = assemble(format!(".chunk {name}"), "test").expect_err("a long name");
    assert_eq!(errors.first().code, Code::TextTooLarge);
}

#[test]
fn all_errors_are_told_in_the_order_of_the_text() {
    let text = "jump a\nlod_int 1\nnop\nload_int\njump b\n.endblock";
    let errors = assemble(text, "x").expect_err("five errors");
    let found: Vec<(Code, usize)> = errors.as_slice().iter().map(|e| (e.code, e.line)).collect();
    let expected = [
        (Code::UnknownLabel, 1),
        (Code::UnknownMnemonic, 2),
        (Code::MissingOperand, 4),
        (Code::UnknownLabel, 5),
        (Code::MisplacedDirective, 6),
    ];
    assert_eq!(found, expected);
    assert!(!errors.gave_up());
    let errors = assemble("oops\n".repeat(1000), "x").expect_err("errors");
    assert_eq!(errors.as_slice().len(), MAX_ERRORS);
    assert!(errors.gave_up());
}

#[test]
fn an_error_shows_its_line() {
    let text = "    load_int 30\r\n\t  lod_int 30 ; a comment\r\n";
    let errors = assemble(text, "fib.fvasm").expect_err("one error");
    let expected = "\
error[E0305]: there is no op `lod_int`
 --> fib.fvasm:2:4
  |
2 |    lod_int 30 ; a comment
  |    ^^^^^^^
  = help: did you mean `load_int`?";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn helps_fit() {
    let help = |text: &str| {
        assemble(text, "x")
            .expect_err(text)
            .first()
            .help
            .to_string()
    };
    assert_eq!(help("call f"), "write `call NAME ARGC`");
    assert_eq!(help("dup 1"), "`dup` takes no operand");
    assert_eq!(help(".slot"), "write `.slot NAME [NUMBER]`");
    assert_eq!(help(".blok a"), "did you mean `.block`?");
    assert!(help("redirect 1 wrote").starts_with("it is one of write, append, "));
    assert!(help("load_const hello").contains("quotes"));
    assert_eq!(help("jump a"), Code::UnknownLabel.help());
}

#[test]
fn bytes_that_are_no_utf8_have_a_place() {
    let errors = assemble(b"nop\n\xc3\xa4: nop\nload_const \"\xff\"", "x").expect_err("an error");
    let error = errors.first();
    let found = (
        error.code,
        error.line,
        error.column,
        error.width,
        error.text.as_str(),
    );
    assert_eq!(
        found,
        (Code::BadCharacter, 3, 13, 1, "load_const \"\u{fffd}\"")
    );
}

#[test]
fn of_a_long_line_a_part_is_shown() {
    let text = format!(
        "load_const \"{}\" oops{}",
        "ä".repeat(1000),
        " ".repeat(1000)
    );
    let errors = assemble(text, "x").expect_err("an error");
    let error = errors.first();
    assert_eq!((error.column, error.width), (1015, 4));
    assert_eq!((error.text.chars().count(), error.caret), (120, 60));
    let shown: String = error
        .text
        .chars()
        .skip(error.caret)
        .take(error.width)
        .collect();
    assert_eq!(shown, "oops");
}
