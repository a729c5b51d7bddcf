//! What the JIT does, for people who ask: `FUSEVM_LOG` has its decisions written to standard error,
//! `--perf-map` where its code is to the file in which `perf` looks for that.

use crate::failure::Failure;
use crate::output;
use fusevm::jit::{CodeListener, NewCode};
use log::{LevelFilter, Log, Metadata, Record};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The variable that says how much is logged.
const LEVEL: &str = "FUSEVM_LOG";

/// Writes the library's messages to standard error.
struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fusevm")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_lowercase();
            let message = record.args().to_string();
            // Where standard error is closed nobody asks.
            let _ = writeln!(io::stderr(), "{level}: {}", output::shown(&message));
        }
    }

    fn flush(&self) {}
}

/// Has decisions logged, if the environment asks for it.
///
/// # Errors
/// The variable has no level in it.
pub(crate) fn log_as_asked() -> Result<(), Failure> {
    let Some(level) = std::env::var_os(LEVEL).filter(|level| !level.is_empty()) else {
        return Ok(());
    };
    let level = level.to_str().and_then(|level| level.parse().ok());
    let Some(level): Option<LevelFilter> = level else {
        let levels = LevelFilter::iter().map(|level| level.as_str().to_lowercase());
        let levels: Vec<String> = levels.collect();
        return Err(Failure::usage(format!(
            "{LEVEL} is none of {}",
            levels.join(", ")
        )));
    };
    // A logger that is set already is this one.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(level);
    Ok(())
}

/// Who writes down where native code is, as `perf report` reads it.
///
/// # Errors
/// The file can't be made: somebody else's is there.
pub(crate) fn perf_map() -> Result<Arc<CodeListener>, Failure> {
    let path = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
    // Of an earlier process with this number. Neither this nor what follows goes through a link.
    let _ = fs::remove_file(&path);
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(out_of_the_way)
        .map_err(|error| Failure::cant_write(&path.display(), &error))?;
    Ok(Arc::new(move |code: &NewCode<'_>| note(&file, code)))
}

/// The file under a number that no script redirects.
fn out_of_the_way(file: File) -> io::Result<File> {
    /// Scripts redirect by one digit.
    const OWN: i32 = 10;
    Ok(rustix::io::fcntl_dupfd_cloexec(&file, OWN)?.into())
}

/// Adds a line, at once whole. Nothing that a script does depends on it.
fn note(mut file: &File, code: &NewCode<'_>) {
    let name = output::shown(code.name);
    let line = format!("{:x} {:x} {name}\n", code.address, code.code.len());
    let _ = file.write_all(line.as_bytes());
}
