//! Is each op, and each error code, shown by something that would fail without it?

use fusevm::{code::Code, op::INFO};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of all files below `folder` whose path `wanted` likes.
fn texts(folder: &str, wanted: fn(&Path) -> bool) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                text += &fs::read_to_string(&path).unwrap_or_default();
            }
        }
    }
    text
}

fn is_test_source(path: &Path) -> bool {
    let in_tests = path
        .components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
    in_tests && path.extension().is_some_and(|ending| ending == "rs")
}

fn is_expectation(path: &Path) -> bool {
    let endings = ["json", "fvasm", "trycmd", "stderr"];
    path.extension()
        .is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

#[test]
fn each_op_has_a_vector() {
    for info in &INFO {
        let path = root().join(format!("format-spec/vectors/valid/{}.json", info.mnemonic));
        let text = fs::read_to_string(path).unwrap_or_default();
        assert!(text.contains("\"end\":"), "{} has none", info.name);
    }
}

#[test]
fn each_code_is_expected_by_a_vector_a_program_or_a_test() {
    let expectations = texts("format-spec/vectors", is_expectation)
        + &texts("tests", is_expectation)
        + &texts("tools/fusevm/tests", is_expectation);
    let sources = texts("src", is_test_source)
        + &texts("tests", is_test_source)
        + &texts("tools/fusevm/tests", is_test_source);
    for code in Code::ALL {
        let shown = expectations.contains(&code.to_string())
            || sources.contains(&format!("Code::{}", code.name()))
            || sources.contains(&code.to_string());
        assert!(shown, "{code} {} is shown by nothing", code.name());
    }
}
