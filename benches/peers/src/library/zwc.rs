//! zsh and its `.zwc`: a digest of as many functions, of which a fresh shell calls one.

use super::{RUNS, measured};
use crate::{clock::median, report::Row};
use anyhow::ensure;
use std::{
    fmt::Write as _, fs, io::ErrorKind, os::unix::process::ExitStatusExt, path::Path,
    process::Command,
};

/// Lines of each function behind the one that is run: as large as a function of the corpus.
const LINES: usize = 20;

/// The rows about zsh, or none where there is no zsh. Files go to `folder`.
pub(super) fn rows(folder: &Path, small: usize, large: usize) -> anyhow::Result<Vec<Row>> {
    match Command::new("zsh").args(["-fc", "true"]).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        status => ensure!(status?.success(), "zsh doesn't work"),
    }
    fs::create_dir(folder)?;
    build(folder, small)?;
    build(folder, large)?;
    let mut rows = Vec::new();
    for count in [0, small, large] {
        let calls = (0..RUNS).map(|_| call(folder, count));
        let calls: Option<Vec<f64>> = calls.collect::<anyhow::Result<_>>()?;
        rows.push(match calls {
            Some(calls) => {
                let title = format!("zsh, a function of a .zwc of {count}, fresh process");
                Row::new(title, median(calls), "us")
            }
            None => Row::new(format!("zsh dies of a .zwc of {count}"), 1.0, ""),
        });
    }
    fs::remove_dir_all(folder)?;
    Ok(rows)
}

/// Compiles a digest of `count` functions.
fn build(folder: &Path, count: usize) -> anyhow::Result<()> {
    let sources = folder.join("sources");
    fs::create_dir(&sources)?;
    for number in 0..count {
        let mut text = format!("print -- {number}\nreturn 0\n");
        for line in 0..LINES {
            writeln!(
                text,
                "local v{line}=\"${{1:-{number}}}\"; [[ -n $v{line} ]] && shift"
            )?;
        }
        fs::write(sources.join(format!("f{number}")), text)?;
    }
    let script = format!(
        "cd '{}' && zcompile ../digest{count}.zwc *",
        sources.display()
    );
    let (_, output) = measured(Command::new("zsh").args(["-fc", &script]))?;
    ensure!(output.status.success(), "zsh says {output:?}");
    Ok(fs::remove_dir_all(&sources)?)
}

/// Microseconds of CPU of a shell that calls a function of the digest of `count`; of 0, none. Nothing if
/// the shell died.
fn call(folder: &Path, count: usize) -> anyhow::Result<Option<f64>> {
    let digest = folder.join(format!("digest{count}.zwc"));
    let script = match count {
        0 => "print -- 7".to_owned(),
        _ => format!("fpath=('{}'); autoload -Uz f7; f7", digest.display()),
    };
    let (cpu, output) = measured(Command::new("zsh").args(["-fc", &script]))?;
    if output.status.signal().is_some() {
        return Ok(None);
    }
    ensure!(output.stdout == b"7\n", "zsh says {output:?}");
    Ok(Some(cpu))
}
