//! Why a command failed: what it prints on standard error, and the exit status that scripts see.

use crate::output;
use anstyle::{AnsiColor, Style};
use fusevm::code::Code;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

/// The exit statuses of `fusevm`. Under `run` a program that ends has its own.
pub(crate) mod status {
    /// The command did what it was asked to.
    pub(crate) const OK: u8 = 0;
    /// A check failed, or a source has errors.
    pub(crate) const CHECK_FAILED: u8 = 1;
    /// The command line can't be understood.
    pub(crate) const USAGE: u8 = 2;
    /// fusevm itself failed: a trap, a limit, an output that can't be written.
    pub(crate) const FAILED: u8 = 125;
    /// The file can't be loaded, or the policy denies it.
    pub(crate) const CANT_LOAD: u8 = 126;
    /// The file, or the chunk in it, does not exist.
    pub(crate) const NOT_FOUND: u8 = 127;
}

/// The end of a command that did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Standard output was closed by its reader; nothing is left to say, and it is no error.
    ReaderGone,
    /// Something to tell, and the exit status.
    Reported {
        /// One of [`status`].
        status: u8,
        /// The error's row of the table.
        code: Code,
        /// What is printed.
        report: Report,
    },
}

impl Failure {
    /// A failure that the command line tells in its own words: where, if that is a place, and what
    /// exactly is wrong.
    pub(crate) fn new(
        status: u8,
        code: Code,
        place: Option<&dyn fmt::Display>,
        detail: impl fmt::Display,
    ) -> Failure {
        let place = place.map_or_else(String::new, |place| {
            format!("\n  --> {}", output::shown(&place.to_string()))
        });
        let (title, help) = (code.title(), code.help());
        let text = format!("error[{code}]: {title}{place}\n  {detail}\n  help: {help}");
        Failure::Reported {
            status,
            code,
            report: Report { text },
        }
    }

    /// A failure that an error of the library tells.
    pub(crate) fn of(status: u8, code: Code, error: &impl std::error::Error) -> Failure {
        Failure::Reported {
            status,
            code,
            report: Report::of(error),
        }
    }

    /// The output can't be written.
    pub(crate) fn cant_write(place: &dyn fmt::Display, error: &io::Error) -> Failure {
        Failure::new(status::FAILED, Code::CantWrite, Some(place), error)
    }

    /// The command line asks for something that can't be.
    pub(crate) fn usage(detail: impl fmt::Display) -> Failure {
        Failure::new(status::USAGE, Code::BadUsage, None, detail)
    }
}

/// What is printed of an error: its code, what is wrong and where, and what to do about it, in the
/// form in which the library displays its errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// The lines, without a newline at the end.
    text: String,
}

impl Report {
    /// The report of an error of the library.
    pub(crate) fn of(error: &impl std::error::Error) -> Report {
        Report {
            text: error.to_string(),
        }
    }

    /// Prints it on standard error, coloured on a terminal.
    pub(crate) fn print(&self) {
        let mut stream = anstream::stderr().lock();
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(stream, "{}", self.painted());
    }

    /// The text with the escape codes that paint `error[…]`, `trap[…]`, arrows and `help:`.
    fn painted(&self) -> String {
        let severe = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let aside = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let mut painted = String::new();
        for (number, line) in self.text.split('\n').enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            let body = line.trim_start();
            let indent = &line[..line.len() - body.len()];
            let (style, length) = match body.find(':') {
                Some(colon) if body.starts_with("error[") || body.starts_with("trap[") => {
                    (severe, colon)
                }
                _ if body.starts_with("-->") => (aside, "-->".len()),
                _ if body.starts_with("help:") => (aside, "help".len()),
                _ if body.starts_with("= help:") => (aside, "= help".len()),
                _ => (Style::new(), 0),
            };
            let (word, rest) = body.split_at(length);
            // Writing to a string doesn't fail.
            let _ = write!(painted, "{gap}{indent}{style}{word}{style:#}{rest}");
        }
        painted
    }
}

/// The lines without colours.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_code_place_detail_and_help() {
        let failure = Failure::new(1, Code::CantWrite, Some(&"a/b"), "no space");
        let Failure::Reported { report, .. } = failure else {
            panic!("{failure:?}");
        };
        let text = "error[E0602]: the output can't be written\n  --> a/b\n  no space\n  \
                    help: check the folder, its permissions and the space left";
        assert_eq!(report.text, text);
        let painted = report.painted();
        assert!(painted.starts_with("\u{1b}[1m\u{1b}[31merror[E0602]\u{1b}[0m: the output"));
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
    }
}
