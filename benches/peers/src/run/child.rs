//! Runs an engine on a program in a child process.

use super::{
    engines::{Engine, Group, Means, sources},
    programs::Program,
    worker::Report,
};
use anyhow::Context;
use std::{
    io::{ErrorKind, Read},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How a measurement ended.
pub(super) enum Outcome {
    Measured {
        checksum: f64,
        first: f64,
        later: Vec<f64>,
    },
    /// The command isn't installed.
    Missing,
    /// It gave no time, and why.
    Failed(String),
}

/// Measures the first run and as many later ones as fill `budget`, at least one.
pub(super) fn measure(
    engine: &Engine,
    program: &Program,
    budget: Duration,
    timeout: Duration,
) -> anyhow::Result<Outcome> {
    let budget = budget.as_millis().to_string();
    let mut command = match engine.means {
        Means::Library(_) => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["worker", engine.name, program.name, &budget]);
            command
        }
        Means::Command {
            command,
            arguments,
            driver,
        } => {
            let mut command = Command::new(command);
            command.args(arguments).arg(sources().join(driver));
            command.args([program.name, &program.size.to_string(), &budget]);
            command
        }
    };
    if engine.group == Group::Old {
        command.stderr(Stdio::null());
    }
    // What 0.26.10 keeps on disk is another comparison's.
    command.env("FUSEVM_JIT_CACHE_DIR", "off");
    let child = match command.stdout(Stdio::piped()).spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Missing),
        child => child.with_context(|| format!("can't start {}", engine.name))?,
    };
    let Some((status, output)) = finish(child, timeout)? else {
        return Ok(Outcome::Failed("timeout".into()));
    };
    if !status.success() {
        return Ok(Outcome::Failed(status.to_string()));
    }
    Ok(match serde_json::from_str(&output) {
        Ok(Report::Measured {
            checksum,
            first,
            later,
        }) => Outcome::Measured {
            checksum,
            first,
            later,
        },
        Ok(Report::Declined { declined }) => Outcome::Failed(declined),
        Err(error) => Outcome::Failed(format!("bad report: {error}")),
    })
}

/// The child's status and output; `None` if it had to be killed.
fn finish(mut child: Child, timeout: Duration) -> anyhow::Result<Option<(ExitStatus, String)>> {
    let mut stdout = child.stdout.take().context("the child has no output")?;
    let reader = thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > timeout {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let output = reader
        .join()
        .map_err(|_| anyhow::anyhow!("reading the child's output panicked"))??;
    Ok(status.map(|status| (status, output)))
}
