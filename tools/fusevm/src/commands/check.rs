//! `fusevm check`: every byte of modules is looked at, and every chunk verified.

use crate::failure::{Failure, Report, status};
use crate::input;
use crate::output;
use fusevm::code::Code;
use fusevm::format::{CheckOptions, LoadError, LooseChunk};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Loose chunks that are shown of a file unless all are asked for.
const SHOWN_LOOSE: usize = 10;

/// Check modules: every byte, and the code of every chunk
///
/// A chunk is strict if the height of its stack is proved at each instruction. One for which that
/// can't be proved is loose, which is no error; the reason is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The modules, or assembly text, which is assembled first; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Go on behind the first error of a file, and show all loose chunks
    #[arg(long)]
    all: bool,
    /// Fail if there is a loose chunk
    #[arg(long)]
    strict: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Checks the files one after the other; the exit status is that of the worst.
///
/// # Errors
/// Standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut verdicts = Vec::new();
    for path in &args.files {
        let verdict = check(path, &args)?;
        if !args.json {
            verdict.reports.iter().for_each(Report::print);
            output::print_text(&verdict.text(args.all))?;
        }
        verdicts.push(verdict);
    }
    if args.json {
        output::print_json(&verdicts)?;
    }
    let statuses = verdicts.iter().map(|verdict| verdict.status);
    Ok(statuses.max().unwrap_or(status::OK))
}

/// Checks one file.
fn check(path: &Path, args: &Args) -> Result<Verdict, Failure> {
    let file = input::place(path).into_owned();
    let found = match input::open(path) {
        Ok(module) => module.check(&CheckOptions::new().all(args.all)),
        Err(Failure::Reported {
            status,
            code,
            report,
        }) => return Ok(Verdict::of_unopened(file, status, code, report)),
        Err(failure) => return Err(failure),
    };
    let ok = found.is_ok() && (found.loose.is_empty() || !args.strict);
    Ok(Verdict {
        status: if ok { status::OK } else { status::CHECK_FAILED },
        reports: found.errors.iter().map(Report::of).collect(),
        file,
        ok,
        bytes: found.bytes,
        segments: found.segments,
        chunks: found.chunks,
        ops: found.ops,
        strict: found.strict,
        loose: found.loose.len(),
        loose_chunks: found.loose.iter().map(Loose::of).collect(),
        errors: found.errors.iter().map(Problem::of).collect(),
    })
}

/// What was found out about a file.
#[derive(Debug, Default, Serialize)]
struct Verdict {
    #[serde(skip)]
    status: u8,
    #[serde(skip)]
    reports: Vec<Report>,
    file: String,
    ok: bool,
    bytes: u64,
    segments: u32,
    chunks: u64,
    ops: u64,
    strict: u64,
    loose: usize,
    loose_chunks: Vec<Loose>,
    errors: Vec<Problem>,
}

impl Verdict {
    /// The verdict on a file that can't be opened as a module: one that can be read has failed the
    /// check.
    fn of_unopened(file: String, status: u8, code: Code, report: Report) -> Verdict {
        let readable = code != Code::Unreadable;
        let problem = Problem {
            code: code.to_string(),
            message: report.to_string(),
            ..Problem::default()
        };
        Verdict {
            status: if readable {
                status::CHECK_FAILED
            } else {
                status
            },
            reports: vec![report],
            file,
            errors: vec![problem],
            ..Verdict::default()
        }
    }

    /// The lines for people.
    fn text(&self, all: bool) -> String {
        let file = output::shown(&self.file);
        let mut text = match (self.ok, self.errors.len()) {
            (true, _) => format!("{file}: ok"),
            (false, 0) => format!("{file}: failed, not strict"),
            (false, 1) => format!("{file}: failed"),
            (false, count) => format!("{file}: failed, {count} errors"),
        };
        if self.errors.is_empty() {
            let chunks = output::counted(self.chunks, "chunk");
            let ops = output::counted(self.ops, "op");
            let (strict, loose) = (self.strict, self.loose);
            // Writing to a string doesn't fail.
            let _ = write!(text, ", {chunks}, {ops}, {strict} strict, {loose} loose");
        }
        text.push('\n');
        let shown = if all { usize::MAX } else { SHOWN_LOOSE };
        for chunk in self.loose_chunks.iter().take(shown) {
            let name = output::shown(&output::full_name(&chunk.space, &chunk.name));
            let _ = writeln!(text, "  loose: {name}: {}", output::shown(&chunk.reason));
        }
        if let Some(more) = self
            .loose_chunks
            .len()
            .checked_sub(shown)
            .filter(|n| *n > 0)
        {
            let _ = writeln!(text, "  and {more} more loose chunks: `--all` shows them");
        }
        text
    }
}

/// A loose chunk and why it is one.
#[derive(Debug, Serialize)]
struct Loose {
    space: String,
    name: String,
    code: String,
    op: Option<usize>,
    reason: String,
}

impl Loose {
    fn of(chunk: &LooseChunk) -> Loose {
        Loose {
            space: chunk.space.clone(),
            name: chunk.name.clone(),
            code: chunk.reason.code().to_string(),
            op: chunk.reason.op(),
            reason: chunk.reason.to_string(),
        }
    }
}

/// An error, its parts and its text.
#[derive(Debug, Default, Serialize)]
struct Problem {
    code: String,
    space: Option<String>,
    chunk: Option<String>,
    op: Option<usize>,
    line: Option<u32>,
    offset: Option<u64>,
    message: String,
}

impl Problem {
    fn of(error: &LoadError) -> Problem {
        Problem {
            code: error.code().to_string(),
            space: error.space().map(str::to_owned),
            chunk: error.chunk().map(str::to_owned),
            op: error.op(),
            line: error.line(),
            offset: error.offset(),
            message: error.to_string(),
        }
    }
}
