//! Random assembly texts: pieces of good programs and of the language, in any order.

use super::{Report, Sweep};
use fusevm::{asm, op::INFO};
use fusevm_kit::smoke;
use std::fmt::Write;

/// What the language has beside mnemonics.
const PIECES: [&str; 28] = [
    ".chunk",
    ".sub f args 1",
    ".end",
    ".block b",
    ".endblock",
    ".const k \"x\"",
    ".name n",
    ".slot s",
    ".line 7",
    ".import builtin 3",
    ".meta a \"b\"",
    ".loose",
    "label:",
    "label",
    "@3",
    "#1",
    "\"text\"",
    "\"\\xff\\u{1F600}\"",
    "-9223372036854775808",
    "1e309",
    "[1, \"a\", {\"k\": 2}]",
    "[[[[",
    "}",
    ";",
    "\u{0}",
    "\r\n",
    "nan",
    "f",
];

pub(super) fn run(sweep: &Sweep) -> anyhow::Result<()> {
    let tally = sweep.each("text", |rng| {
        let mut text = String::new();
        for _ in 0..rng.usize(0..60) {
            let piece = match rng.u8(0..3) {
                0 => PIECES[rng.usize(0..PIECES.len())],
                _ => INFO[rng.usize(0..INFO.len())].mnemonic,
            };
            let _ = write!(text, "{piece}{}", if rng.bool() { "\n" } else { " " });
        }
        smoke::assembly(text.as_bytes());
        if let Ok(assembly) = asm::assemble(&text, "text") {
            let printed = assembly.print().map_err(|error| error.to_string())?;
            asm::assemble(&printed, "printed").map_err(|errors| errors.to_string())?;
        }
        Ok(())
    });
    let title = format!("{} random assembly texts, seed {}", sweep.count, sweep.seed);
    tally.report(Report::new(title), sweep.json)
}
