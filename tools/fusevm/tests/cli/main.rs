//! The command line as its users meet it: a process with arguments, streams and an exit status.

mod blobs;
mod bundles;
mod changes;
mod commands;
mod native;
mod pages;
mod streams;
mod unfit_files;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder to run `fusevm` in, which goes with the test.
struct Place(tempfile::TempDir);

/// What a process left.
#[derive(Debug)]
struct Outcome {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    fn with(self, name: &str, contents: impl AsRef<[u8]>) -> Place {
        std::fs::write(self.path(name), contents).expect("a file is written");
        self
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file is there")
    }

    /// The names of all files, sorted.
    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path()).expect("the folder is there");
        let name = |file: std::io::Result<std::fs::DirEntry>| file.expect("a file").file_name();
        let mut names: Vec<String> = files
            .map(|file| name(file).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A command that will run `fusevm` in the folder.
    fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(fusevm());
        command.current_dir(self.0.path()).args(args);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    /// Runs `fusevm` in the folder.
    fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Outcome {
        self.run_with(args, b"")
    }

    /// Runs `fusevm` in the folder with this standard input.
    fn run_with<A: AsRef<OsStr>>(&self, args: &[A], input: &[u8]) -> Outcome {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("fusevm starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // One that reads nothing may be gone already.
        let _ = stdin.write_all(input);
        drop(stdin);
        let output = child.wait_with_output().expect("fusevm ends");
        Outcome {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }

    /// Runs `fusevm`, which must succeed without a word on standard error, and gives its output.
    fn ok<A: AsRef<OsStr>>(&self, args: &[A]) -> Vec<u8> {
        let outcome = self.run(args);
        assert_eq!(
            (outcome.status, &*outcome.stderr),
            (Some(0), ""),
            "{outcome:?}"
        );
        outcome.stdout
    }
}

impl Outcome {
    /// Asserts the exit status and the code of the error.
    #[track_caller]
    fn assert_refused(&self, status: i32, code: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        let begins = self.stderr.starts_with(&format!("error[{code}]: "));
        assert!(begins && self.stderr.contains("help: "), "{self:?}");
    }
}

fn fusevm() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fusevm"))
}
