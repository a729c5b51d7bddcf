//! Where commands are, and how they are started.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;

use rustix::io::Errno;

use super::super::{FileTest, STATUS_CANT_EXECUTE, STATUS_NOT_FOUND};
use super::sys::Program;
use super::{passes, sys};

/// The shell that runs a script without a `#!` line, as POSIX asks.
const SCRIPT_SHELL: &str = "/bin/sh";

/// How many places of commands are remembered.
const MAX_KNOWN: usize = 4096;

/// A command that did not run, which has a status too; the reason is for the user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotRun {
    pub(super) status: i32,
    pub(super) reason: String,
}

impl NotRun {
    fn not_found() -> NotRun {
        NotRun {
            status: STATUS_NOT_FOUND,
            reason: "command not found".to_owned(),
        }
    }

    fn of(error: &io::Error) -> NotRun {
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR) => NotRun::not_found(),
            _ => NotRun {
                status: STATUS_CANT_EXECUTE,
                reason: error.to_string(),
            },
        }
    }
}

/// A command whose place is known.
pub(super) struct Command {
    path: CString,
    argv: Vec<CString>,
}

/// The places of commands, as far as `PATH` stays what it was.
pub(super) struct Commands {
    path: Vec<u8>,
    known: BTreeMap<Vec<u8>, CString>,
}

impl Commands {
    pub(super) const fn new() -> Self {
        Commands {
            path: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// Finds the command of these words, of which there is one at least: in the directories of `path`,
    /// unless its name has a slash.
    pub(super) fn find(&mut self, argv: &[Vec<u8>], path: &[u8]) -> Result<Command, NotRun> {
        let words: Result<Vec<_>, _> = argv.iter().map(|word| CString::new(&word[..])).collect();
        let Ok(words) = words else {
            return Err(NotRun {
                status: STATUS_CANT_EXECUTE,
                reason: "a NUL byte in a command's words".to_owned(),
            });
        };
        let name = &argv[0];
        let path = match name.contains(&b'/') {
            true => words[0].clone(),
            false => self.look_up(name, path)?,
        };
        Ok(Command { path, argv: words })
    }

    fn look_up(&mut self, name: &[u8], path: &[u8]) -> Result<CString, NotRun> {
        if self.path != path {
            self.path = path.to_vec();
            self.known.clear();
        }
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let (file, is_lasting) = search(name, path)?;
        if is_lasting && self.known.len() < MAX_KNOWN {
            self.known.insert(name.to_vec(), file.clone());
        }
        Ok(file)
    }

    /// Forgets where a command was, as it isn't there any more.
    pub(super) fn forget(&mut self, name: &[u8]) {
        self.known.remove(name);
    }
}

/// The first executable file of a name in the directories of `path`, and whether it is so wherever we
/// are. A file that can't be executed is what is found if there is nothing better.
fn search(name: &[u8], path: &[u8]) -> Result<(CString, bool), NotRun> {
    let mut found = NotRun::not_found();
    if name.is_empty() {
        return Err(found);
    }
    let mut is_lasting = true;
    for directory in path.split(|&byte| byte == b':') {
        is_lasting &= directory.starts_with(b"/");
        let file = match directory {
            // An empty entry is the working directory.
            b"" => [b"./", name].concat(),
            _ => [directory, b"/", name].concat(),
        };
        if !passes(FileTest::File, &file) {
            continue;
        }
        if passes(FileTest::Executable, &file)
            && let Ok(file) = CString::new(file)
        {
            return Ok((file, is_lasting));
        }
        found = NotRun {
            status: STATUS_CANT_EXECUTE,
            reason: "Permission denied".to_owned(),
        };
    }
    Err(found)
}

impl Command {
    /// Where it is.
    #[cfg(test)]
    pub(super) fn path(&self) -> &std::ffi::CStr {
        &self.path
    }

    /// The shell with this command as its script, which has no `#!` line.
    fn as_script(&self) -> Option<Command> {
        let path = CString::new(SCRIPT_SHELL).ok()?;
        let head = [path.clone(), self.path.clone()];
        let argv = head.into_iter().chain(self.argv.iter().skip(1).cloned());
        Some(Command {
            argv: argv.collect(),
            path,
        })
    }

    /// Does something with the program, and again with a shell if the program is a script for one.
    fn try_with<R>(
        &self,
        env: &[CString],
        act: impl Fn(&Program<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let with = |command: &Command| {
            act(&Program {
                path: &command.path,
                argv: &command.argv,
                env,
            })
        };
        match with(self) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) => {
                match self.as_script() {
                    Some(script) => with(&script),
                    None => Err(error),
                }
            }
            done => done,
        }
    }

    /// Starts the command as a child. An error of its own is one of the system, such as too many processes.
    pub(super) fn spawn(
        &self,
        env: &[CString],
        streams: (Option<sys::Fd>, Option<sys::Fd>),
        keeps_sigpipe: bool,
    ) -> io::Result<Result<i32, NotRun>> {
        let (input, output) = streams;
        let spawned = self.try_with(env, |program| {
            sys::spawn(program, input, output, keeps_sigpipe)
        });
        match spawned {
            Ok(pid) => Ok(Ok(pid)),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => Err(error),
                _ => Ok(Err(NotRun::of(&error))),
            },
        }
    }

    /// Becomes the command; returns only if that fails.
    pub(super) fn replace(&self, env: &[CString]) -> NotRun {
        let failed = self.try_with::<()>(env, |program| Err(sys::replace(program)));
        NotRun::of(
            &failed
                .err()
                .unwrap_or_else(|| io::Error::other("no program")),
        )
    }
}
