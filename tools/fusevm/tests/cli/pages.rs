//! Do man pages and completions come from the one definition, and know every command?

use super::Place;

const COMMANDS: [&str; 18] = [
    "run",
    "build",
    "asm",
    "dis",
    "check",
    "info",
    "list",
    "size",
    "hash",
    "diff",
    "strip",
    "bundle",
    "extract",
    "import",
    "spec",
    "explain",
    "completions",
    "man",
];

fn text(place: &Place, args: &[&str]) -> String {
    String::from_utf8(place.ok(args)).unwrap()
}

#[test]
fn completions_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&place, &["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("max-memory"), "{shell}");
    }
}

#[test]
fn man_pages_know_every_command() {
    let place = Place::new();
    let page = text(&place, &["man"]);
    for command in COMMANDS {
        assert!(
            page.contains(&format!("fusevm\\-{command}(1)")),
            "{command}"
        );
        let own = text(&place, &["man", command]);
        assert!(own.starts_with(".ie"), "{command}");
        assert!(own.contains(&format!("fusevm {command}")), "{command}");
    }
}

#[test]
fn the_opcode_table_is_whole() {
    let place = Place::new();
    let table: serde_json::Value = serde_json::from_slice(&place.ok(&["spec", "--json"])).unwrap();
    assert_eq!(
        table["ops"].as_array().unwrap().len(),
        fusevm::op::INFO.len()
    );
}
