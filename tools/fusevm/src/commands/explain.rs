//! `fusevm explain`: what an error code means and what to do about it.

use crate::failure::{Failure, status};
use crate::output;
use fusevm::code::Code;
use std::fmt::Write;

/// Characters of a line.
const WIDTH: usize = 80;

/// Explain an error code
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, as E0108, 0108 or 108; without it all codes are listed
    code: Option<String>,
}

/// Prints the code's row of the error table, or all of the table.
///
/// # Errors
/// There is no such code, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    match args.code {
        None => output::print_text(&list())?,
        Some(text) => match parse(&text) {
            Some(code) => output::print_text(&explain(code))?,
            None => {
                let message = format!("`{text}` is no error code; `fusevm explain` lists them");
                return Err(Failure::usage(message));
            }
        },
    }
    Ok(status::OK)
}

/// The code that a person means by `E0108`, `e108`, `0108` or `108`.
fn parse(text: &str) -> Option<Code> {
    let digits = text.strip_prefix(['E', 'e']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Code::from_number(digits.parse().ok()?)
}

/// The stage that codes of this number come from.
fn stage(code: Code) -> &'static str {
    match code.number() / 100 {
        1 => "the file and its layout",
        2 => "code that doesn't verify",
        3 => "the text form",
        4 => "traps of a running program",
        5 => "the policy",
        _ => "the command line",
    }
}

fn explain(code: Code) -> String {
    let explanation = match code.explanation() {
        Some(explanation) => format!("{}\n\n", wrapped(explanation)),
        None => String::new(),
    };
    format!(
        "{code} ({}): {}\n\n{explanation}Where it comes from: {}.\nWhat to do: {}.\n",
        code.name(),
        code.title(),
        stage(code),
        code.help()
    )
}

/// The text in lines of at most [`WIDTH`] characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column + length > WIDTH {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
        }
        lines.push_str(word);
        column += length + 1;
    }
    lines
}

fn list() -> String {
    let mut text = String::new();
    let mut last = "";
    for &code in Code::ALL {
        if stage(code) != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            last = stage(code);
            let _ = writeln!(text, "{gap}{last}:");
        }
        let _ = writeln!(text, "  {code} {}", code.title());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        for text in ["E0108", "e0108", "E108", "0108", "108"] {
            assert_eq!(parse(text), Some(Code::DamagedRecord), "{text}");
        }
        for text in ["", "E", "+108", "108x", "9999", "99999", "Eé"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_code_is_listed() {
        assert_eq!(list().matches("  E0").count(), Code::ALL.len());
    }
}
