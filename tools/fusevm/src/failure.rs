//! Why a command failed: what it prints on standard error, and the exit status that scripts see.

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
        /// What is printed.
        report: Report,
    },
}

impl Failure {
    /// A failure with the message that `Report::new` makes.
    pub(crate) fn new(status: u8, code: Code, message: impl fmt::Display) -> Failure {
        Failure::Reported {
            status,
            report: Report::new(code, message),
        }
    }

    /// The output can't be written.
    pub(crate) fn cant_write(place: impl fmt::Display, error: &io::Error) -> Failure {
        let message = format!("{place}: {error}");
        Failure::new(status::FAILED, Code::CantWrite, message)
    }

    /// The command line asks for something that can't be.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(status::USAGE, Code::BadUsage, message)
    }
}

/// What is printed of an error: its code, what is wrong and where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// The lines, without a newline at the end.
    text: String,
}

impl Report {
    /// A report of a message, which begins with the place; the help line is the code's.
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Report {
        let text = format!("error[{code}]: {message}\n  help: {}", code.help());
        Report { text }
    }

    /// Prints it on standard error, coloured on a terminal.
    pub(crate) fn print(&self) {
        let mut stream = anstream::stderr().lock();
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(stream, "{}", self.painted());
    }

    /// The text with the escape codes that paint the words `error[…]` and `help` at line beginnings.
    fn painted(&self) -> String {
        let error = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let help = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let mut painted = String::new();
        for (number, line) in self.text.split('\n').enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            let body = line.trim_start();
            let indent = &line[..line.len() - body.len()];
            let (style, word) = match body.split_once(':') {
                Some((word, _)) if word.starts_with("error[") => (error, word),
                Some((word @ "help", _)) => (help, word),
                _ => (Style::new(), ""),
            };
            let rest = &body[word.len()..];
            // Writing to a string doesn't fail.
            let _ = write!(painted, "{gap}{indent}{style}{word}{style:#}{rest}");
        }
        painted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_code_message_and_help() {
        let report = Report::new(Code::OutOfFuel, "a.fvbc: chunk `main`, op 3");
        let text = "error[E0401]: a.fvbc: chunk `main`, op 3\n  help: raise `--fuel`, or look for a loop without end";
        assert_eq!(report.text, text);
        let painted = report.painted();
        assert!(painted.starts_with("\u{1b}[1m\u{1b}[31merror[E0401]\u{1b}[0m: a.fvbc"));
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
    }
}
