//! zsh and its `.zwc`: digests of as many functions, of which a fresh shell calls one.

use super::{RUNS, measured};
use crate::{clock::median, report::Row};
use anyhow::ensure;
use std::{fmt::Write as _, fs, io::ErrorKind, path::Path, process::Command};

/// Functions of a digest. Its offsets have 24 bits: zsh 5.9 dies of one that is larger.
const FUNCTIONS: usize = 5_000;
/// Lines of each function behind the one that is run: as large as a function of the corpus.
const LINES: usize = 20;

/// The rows about zsh, or none where there is no zsh. Files go to `folder`.
pub(super) fn rows(folder: &Path, small: usize, large: usize) -> anyhow::Result<Vec<Row>> {
    match Command::new("zsh").args(["-fc", "true"]).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        status => ensure!(status?.success(), "zsh doesn't work"),
    }
    fs::create_dir(folder)?;
    let mut rows = Vec::new();
    let calls = (0..RUNS).map(|_| call("print -- 7", "7"));
    rows.push(Row::new(
        "zsh, no function, fresh process",
        median(calls.collect::<anyhow::Result<_>>()?),
        "us",
    ));
    for count in [small, large] {
        let digests = build(folder, count)?;
        let files = digests.len();
        let title = format!("zsh, a function of {count} in {files} .zwc, fresh process");
        // It lies in the file in the middle.
        let number = count / 2;
        let script = format!(
            "fpath=({}); autoload -Uz f{number}; f{number}",
            digests.join(" ")
        );
        let calls = (0..RUNS).map(|_| call(&script, &number.to_string()));
        let calls = calls.collect::<anyhow::Result<_>>()?;
        rows.push(Row::new(title, median(calls), "us"));
    }
    fs::remove_dir_all(folder)?;
    Ok(rows)
}

/// Compiles `count` functions to as many digests as they need, and gives the quoted paths of these.
fn build(folder: &Path, count: usize) -> anyhow::Result<Vec<String>> {
    let mut digests = Vec::new();
    for first in (0..count).step_by(FUNCTIONS) {
        let sources = folder.join("sources");
        fs::create_dir(&sources)?;
        for number in first..count.min(first + FUNCTIONS) {
            fs::write(sources.join(format!("f{number}")), function(number)?)?;
        }
        let digest = folder.join(format!("digest{count}-{first}.zwc"));
        let (sources_text, digest) = (sources.display(), format!("'{}'", digest.display()));
        let script = format!("cd '{sources_text}' && zcompile {digest} *");
        let (_, output) = measured(Command::new("zsh").args(["-fc", &script]))?;
        ensure!(output.status.success(), "zsh says {output:?}");
        fs::remove_dir_all(&sources)?;
        digests.push(digest);
    }
    Ok(digests)
}

/// The text of a function that prints its number.
fn function(number: usize) -> anyhow::Result<String> {
    let mut text = format!("print -- {number}\nreturn 0\n");
    for line in 0..LINES {
        writeln!(
            text,
            "local v{line}=\"${{1:-{number}}}\"; [[ -n $v{line} ]] && shift"
        )?;
    }
    Ok(text)
}

/// Microseconds of CPU of a shell that runs the script, which prints `expected`.
fn call(script: &str, expected: &str) -> anyhow::Result<f64> {
    let (cpu, output) = measured(Command::new("zsh").args(["-fc", script]))?;
    ensure!(
        output.stdout.trim_ascii_end() == expected.as_bytes(),
        "zsh says {output:?}"
    );
    Ok(cpu)
}
