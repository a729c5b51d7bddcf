//! The real host: this process's streams, processes, files and environment on a Unix system.
//!
//! It follows links, permissions and `PATH` exactly as the system does. Copies of this process are real
//! ones, by `fork`, as only they have what a subshell has; so a process with other threads has none. What
//! a program's ops mean is not here: the host does what it is asked.

mod commands;
mod descriptors;
mod environment;
mod jobs;
mod signals;
mod sys;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::stdio;

use super::listings::Listings;
use super::stream::{Input, Output, write_all};
use super::{
    FileTest, Forked, Host, HostError, PipeEnd, SignalAction, TooLarge, Waited, Wiring, glob,
};
use commands::{Command, Commands, NotRun};
use descriptors::Descriptors;
use environment::Environment;
use jobs::Jobs;

/// How much of the user database is read.
const MAX_PASSWD: u64 = 1 << 24;

/// The host of the process that we are.
///
/// Making one allocates nothing and asks nothing of the system. Dropping it writes out what is
/// buffered, without a word if that fails: call [`flush`](Host::flush) before.
pub struct UnixHost {
    output: Output<BorrowedFd<'static>>,
    input: Input<BorrowedFd<'static>>,
    descriptors: Descriptors,
    environment: Environment,
    commands: Commands,
    listings: Listings,
    jobs: Jobs,
    /// The signals that the program catches or ignores, one bit each.
    caught: u64,
    ignored: u64,
    /// The signals that the program has set, and those that were ignored when this process, or copy, began:
    /// they stay so, as in a shell.
    set: u64,
    ignored_before: u64,
    /// The process that the host was made in, if it is not this one.
    origin: Option<i32>,
}

impl UnixHost {
    /// A host over the standard streams.
    pub const fn new() -> Self {
        UnixHost {
            output: Output::new(stdio::stdout()),
            input: Input::new(stdio::stdin()),
            descriptors: Descriptors::new(),
            environment: Environment::new(),
            commands: Commands::new(),
            listings: Listings::new(),
            jobs: Jobs::new(),
            caught: 0,
            ignored: 0,
            set: 0,
            ignored_before: 0,
            origin: None,
        }
    }

    /// Says whether commands may read standard input too; a new host assumes it.
    ///
    /// Shared input is not read beyond the line asked for, as the rest is for others. In a pipe that
    /// takes one system call a byte, so a program that can start nothing (its
    /// [`Needs`](super::Needs) lack `exec`) reads much faster with `false`.
    pub fn set_input_shared(&mut self, is_shared: bool) {
        self.input.set_shared(is_shared);
    }
}

impl Default for UnixHost {
    fn default() -> Self {
        UnixHost::new()
    }
}

impl Drop for UnixHost {
    fn drop(&mut self) {
        for signal in 1..64 {
            if (self.caught | self.ignored) & 1 << signal != 0 {
                let _ = self.set_signal(signal, SignalAction::Default);
            }
        }
        self.jobs.reap();
        self.input.put_back();
        // The last chance; who wants to know of a failure has flushed before.
        let _ = self.output.flush();
    }
}

impl Host for UnixHost {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn write_error(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        // The message is written even if the output before it can't be.
        let flushed = self.output.flush();
        write_all(stdio::stderr(), bytes)?;
        Ok(flushed?)
    }

    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.input.read_line(limit, || self.output.flush())
    }

    fn exec(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        if argv.is_empty() {
            return Ok(0);
        }
        match self.start(argv, (None, None))? {
            Ok(process) => self.wait(process),
            Err(status) => Ok(status),
        }
    }

    fn test_file(&mut self, test: u8, path: &[u8]) -> Result<bool, HostError> {
        Ok(passes(FileTest::from_code(test)?, path))
    }

    fn glob(
        &mut self,
        pattern: &[u8],
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        glob::glob(&mut self.listings, pattern, recursive, limit)
    }

    fn env(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.environment.get(name))
    }

    /// With no name, `HOME` if it is set; else as the user database `/etc/passwd` has it. Users that
    /// only a directory service knows are not found.
    fn home_dir(&mut self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
        match user {
            Some(user) => home_in_passwd(|name, _| name == user),
            None => match self.environment.get(b"HOME") {
                Some(home) => Ok(Some(home)),
                None => {
                    let id = rustix::process::getuid().as_raw().to_string();
                    home_in_passwd(|_, user_id| user_id == id.as_bytes())
                }
            },
        }
    }

    fn spawn(&mut self, argv: &[Vec<u8>], wiring: Wiring) -> Result<Result<i32, i32>, HostError> {
        if wiring.is_background {
            self.jobs.make_room()?;
        }
        let streams = [wiring.input, wiring.output].map(|end| self.descriptors.fd_of(end?));
        let started = self.start(argv, streams.into())?;
        for end in [wiring.input, wiring.output].into_iter().flatten() {
            self.close(end);
        }
        if let (Ok(process), true) = (started, wiring.is_background) {
            self.jobs.add(process);
        }
        Ok(started)
    }

    fn replace(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        self.prepare()?;
        let not_run = match self.find(argv) {
            Ok(command) => {
                if self.ignored & 1 << libc::SIGPIPE == 0 {
                    sys::set_action(libc::SIGPIPE, sys::Action::Default)?;
                }
                command.replace(self.environment.block())
            }
            Err(not_run) => not_run,
        };
        self.complain(&argv[0], &not_run)
    }

    fn can_fork(&mut self) -> bool {
        sys::threads() == Some(1)
    }

    fn fork(&mut self, wiring: Wiring) -> Result<Forked, HostError> {
        if !self.can_fork() {
            return Err(HostError::HasThreads);
        }
        if wiring.is_background {
            self.jobs.make_room()?;
        }
        self.prepare()?;
        let parent = sys::pid();
        // No handler of ours may run in the copy.
        let mask = (self.caught != 0).then(sys::hold_signals);
        let forked = sys::fork();
        if let Ok(None) = forked {
            self.become_copy(wiring, self.origin.unwrap_or(parent));
        }
        if let Some(mask) = mask {
            sys::release_signals(mask);
        }
        let Some(process) = forked? else {
            return Ok(Forked::Child);
        };
        for end in [wiring.input, wiring.output].into_iter().flatten() {
            self.close(end);
        }
        if wiring.is_background {
            self.jobs.add(process);
        }
        Ok(Forked::Parent(process))
    }

    fn is_forked(&self) -> bool {
        self.origin.is_some()
    }

    fn exit(&mut self, status: i32) -> ! {
        self.input.put_back();
        // Who reads it has gone, or the medium is full: the status tells of neither. Nothing is dropped any more.
        std::mem::forget(self.output.flush());
        sys::exit(status)
    }

    fn wait(&mut self, process: i32) -> Result<i32, HostError> {
        let ended = sys::wait(process, true)?;
        Ok(ended.unwrap_or_default())
    }

    fn wait_for_job(&mut self, process: Option<i32>) -> Result<Waited, HostError> {
        self.output.flush()?;
        let mask = sys::hold_signals();
        // Without a handler the signal would not end the suspension.
        sys::set_action(libc::SIGCHLD, sys::Action::Note)?;
        let chld = 1 << libc::SIGCHLD;
        let waited = loop {
            let came = sys::pending() & self.caught;
            if came != 0 {
                break Waited::Interrupted(came.trailing_zeros() as i32);
            }
            let ended = match process {
                Some(process) => self.jobs.take(process),
                None => Ok(self.jobs.take_all().then_some(0)),
            };
            match ended {
                Ok(Some(status)) => break Waited::Ended(status),
                Err(()) => break Waited::Unknown,
                Ok(None) => {}
            }
            sys::suspend(mask);
        };
        if self.caught & chld == 0 {
            sys::set_action(libc::SIGCHLD, sys::Action::Default)?;
            sys::forget_pending(chld);
        }
        sys::release_signals(mask);
        Ok(waited)
    }

    fn last_job(&mut self) -> Option<i32> {
        self.jobs.last()
    }

    fn process_id(&mut self) -> Result<i32, HostError> {
        Ok(self.origin.unwrap_or_else(sys::pid))
    }

    fn kill(&mut self, process: i32, signal: i32) -> Result<(), HostError> {
        self.output.flush()?;
        Ok(sys::kill(process, signal)?)
    }

    fn pipe(&mut self) -> Result<(PipeEnd, PipeEnd), HostError> {
        Ok(self.descriptors.pipe()?)
    }

    fn read_all(&mut self, end: PipeEnd, limit: u64) -> Result<Vec<u8>, HostError> {
        let read = match self.descriptors.fd_of(end) {
            Some(fd) => sys::read_all(fd, limit),
            None => Err(io::Error::from_raw_os_error(libc::EBADF)),
        };
        self.close(end);
        let bytes = read?;
        match bytes.len() as u64 > limit {
            true => Err(TooLarge.into()),
            false => Ok(bytes),
        }
    }

    fn close(&mut self, end: PipeEnd) {
        self.descriptors.close_end(end);
    }

    fn path_of(&mut self, end: PipeEnd) -> Result<Vec<u8>, HostError> {
        let end = self.descriptors.publish(end)?;
        Ok(format!("/dev/fd/{end}").into_bytes())
    }

    fn redirect(&mut self, fd: u8, code: u8, target: &[u8]) -> Result<bool, HostError> {
        self.before_redirection()?;
        match self.descriptors.redirect(fd, code, target) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.tell(target, &error.to_string())?;
                Ok(false)
            }
        }
    }

    fn here_document(&mut self, text: &[u8]) -> Result<bool, HostError> {
        self.before_redirection()?;
        match self.descriptors.here(0, text) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.tell(b"here-document", &error.to_string())?;
                Ok(false)
            }
        }
    }

    fn redirections(&self) -> usize {
        self.descriptors.height()
    }

    fn undo_redirections(&mut self, height: usize) -> Result<(), HostError> {
        if self.descriptors.height() <= height {
            return Ok(());
        }
        let prepared = self.before_redirection();
        self.descriptors.undo(height);
        self.jobs.reap();
        prepared
    }

    fn keep_redirections(&mut self, height: usize) {
        self.descriptors.keep(height);
    }

    fn signal_number(&mut self, name: &[u8]) -> Result<Option<i32>, HostError> {
        Ok(signals::number(name))
    }

    fn set_signal(&mut self, signal: i32, action: SignalAction) -> Result<(), HostError> {
        if !(1..64).contains(&signal) {
            return Ok(());
        }
        let bit = 1 << signal;
        if self.set & bit == 0 {
            self.set |= bit;
            // Of this one it can't be told.
            let is_ignored = signal != libc::SIGPIPE && sys::is_ignored(signal);
            self.ignored_before |= if is_ignored { bit } else { 0 };
        }
        if self.ignored_before & bit != 0 {
            return Ok(());
        }
        // This process began with SIGPIPE ignored, as Rust programs do.
        let (sets, gives) = match action {
            SignalAction::Default if signal == libc::SIGPIPE && self.origin.is_none() => {
                (sys::Action::Ignore, (0, 0))
            }
            SignalAction::Default => (sys::Action::Default, (0, 0)),
            SignalAction::Ignore => (sys::Action::Ignore, (0, bit)),
            SignalAction::Catch => (sys::Action::Note, (bit, 0)),
        };
        sys::set_action(signal, sets)?;
        self.caught = self.caught & !bit | gives.0;
        self.ignored = self.ignored & !bit | gives.1;
        Ok(())
    }

    fn take_signals(&mut self) -> u64 {
        match self.caught {
            0 => 0,
            caught => sys::take_pending() & caught,
        }
    }

    fn set_env(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), HostError> {
        match self.environment.set(name, value) {
            true => Ok(()),
            false => Err(HostError::Failed(format!(
                "{} can't be a variable of the environment",
                printable(name)
            ))),
        }
    }

    fn set_directory(&mut self, path: &[u8]) -> Result<(), HostError> {
        Ok(rustix::process::chdir(path).map_err(io::Error::from)?)
    }

    fn directory(&mut self) -> Result<Vec<u8>, HostError> {
        let path = rustix::process::getcwd(Vec::new()).map_err(io::Error::from)?;
        Ok(path.into_bytes())
    }
}

impl UnixHost {
    /// Makes the streams ready for others to use the same descriptors.
    fn prepare(&mut self) -> Result<(), HostError> {
        self.input.put_back();
        Ok(self.output.flush()?)
    }

    /// Makes the streams ready for their descriptors to be changed.
    fn before_redirection(&mut self) -> Result<(), HostError> {
        let prepared = self.prepare();
        self.output.forget_kind();
        self.input.forget_kind();
        prepared
    }

    fn find(&mut self, argv: &[Vec<u8>]) -> Result<Command, NotRun> {
        let path = self.environment.get(b"PATH").unwrap_or_default();
        self.commands.find(argv, &path)
    }

    /// Starts a command; or gives its status, if it doesn't run.
    fn start(
        &mut self,
        argv: &[Vec<u8>],
        streams: (Option<i32>, Option<i32>),
    ) -> Result<Result<i32, i32>, HostError> {
        self.prepare()?;
        let name = &argv[0];
        let keeps_sigpipe = self.ignored & 1 << libc::SIGPIPE != 0;
        let started = match self.find(argv) {
            Ok(command) => command.spawn(self.environment.block(), streams, keeps_sigpipe),
            Err(not_run) => Ok(Err(not_run)),
        };
        match started {
            Ok(Ok(process)) => Ok(Ok(process)),
            Ok(Err(not_run)) => Ok(Err(self.complain(name, &not_run)?)),
            Err(error) => {
                let name = printable(name);
                Err(HostError::Failed(format!("can't start {name}: {error}")))
            }
        }
    }

    /// Tells the user that a command doesn't run, and gives its status.
    fn complain(&mut self, name: &[u8], not_run: &NotRun) -> Result<i32, HostError> {
        self.commands.forget(name);
        self.tell(name, &not_run.reason)?;
        Ok(not_run.status)
    }

    fn tell(&mut self, name: &[u8], reason: &str) -> Result<(), HostError> {
        let message = format!("{}: {reason}\n", printable(name));
        match self.write_error(message.as_bytes()) {
            // Where standard error is closed, nobody wants to know.
            Err(HostError::Failed(_)) | Ok(()) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Makes this process, which is a copy, one of its own.
    fn become_copy(&mut self, wiring: Wiring, origin: i32) {
        self.origin = Some(origin);
        for signal in 1..64 {
            if self.caught & 1 << signal != 0 {
                // It could be set before, so it can be now.
                let _ = sys::set_action(signal, sys::Action::Default);
            }
        }
        if self.ignored & 1 << libc::SIGPIPE == 0 {
            let _ = sys::set_action(libc::SIGPIPE, sys::Action::Default);
        }
        self.caught = 0;
        sys::take_pending();
        if wiring.is_background {
            for signal in [libc::SIGINT, libc::SIGQUIT] {
                let _ = sys::set_action(signal, sys::Action::Ignore);
                self.ignored |= 1 << signal;
                self.ignored_before |= 1 << signal;
            }
            if wiring.input.is_none() && !self.descriptors.has_input() {
                self.read_nothing();
            }
        }
        for (end, stream) in [(wiring.input, 0), (wiring.output, 1)] {
            if let Some(fd) = end.and_then(|end| self.descriptors.fd_of(end)) {
                // What is open can be copied to any number.
                let _ = sys::dup_onto(fd, stream);
            }
        }
        self.descriptors.leave_behind();
        self.jobs.leave_behind();
        match wiring.output {
            // A pipe is no terminal.
            Some(_) => self.output.note_no_terminal(),
            None => self.output.forget_kind(),
        }
        self.input.forget_kind();
    }

    /// Makes standard input one that has nothing to read.
    fn read_nothing(&mut self) {
        if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDONLY, Mode::empty()) {
            let _ = sys::dup_onto(std::os::fd::AsRawFd::as_raw_fd(&null), 0);
        }
    }
}

/// A name for an error message: readable, without control characters, cut where it gets long.
pub(super) fn printable(name: &[u8]) -> String {
    const SHOWN: usize = 200;
    let (shown, mark) = match name.get(..SHOWN) {
        Some(shown) if name.len() > SHOWN => (shown, "..."),
        _ => (name, ""),
    };
    let mut text = String::from_utf8_lossy(shown).replace(char::is_control, "?");
    text.push_str(mark);
    text
}

/// The home directory of the first user whose name and id satisfy `is_wanted`.
fn home_in_passwd(is_wanted: impl Fn(&[u8], &[u8]) -> bool) -> Result<Option<Vec<u8>>, HostError> {
    let mut database = Vec::new();
    let opened = File::open("/etc/passwd");
    let read = opened.and_then(|file| file.take(MAX_PASSWD).read_to_end(&mut database));
    read.map_err(|error| HostError::Failed(format!("can't read /etc/passwd: {error}")))?;
    let home = database.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        // name:password:id:group:comment:home:shell
        let (name, id) = (fields.next()?, fields.nth(1)?);
        let home = fields.nth(2)?;
        is_wanted(name, id).then(|| home.to_vec())
    });
    Ok(home)
}

/// Whether a file passes a test; what can't be looked at passes none.
fn passes(test: FileTest, path: &[u8]) -> bool {
    let is = |kind: FileType| {
        let stat = rustix::fs::stat(path);
        stat.is_ok_and(|stat| type_of(&stat) == kind)
    };
    // With the effective ids, which are those that opening the file goes by.
    let may = |access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    match test {
        FileTest::File => is(FileType::RegularFile),
        FileTest::Directory => is(FileType::Directory),
        FileTest::Readable => may(Access::READ_OK),
        FileTest::Writable => may(Access::WRITE_OK),
        FileTest::Executable => may(Access::EXEC_OK),
        FileTest::Exists => rustix::fs::stat(path).is_ok(),
        FileTest::NotEmpty => rustix::fs::stat(path).is_ok_and(|stat| stat.st_size > 0),
        FileTest::Symlink => {
            let stat = rustix::fs::lstat(path);
            stat.is_ok_and(|stat| type_of(&stat) == FileType::Symlink)
        }
        FileTest::Socket => is(FileType::Socket),
        FileTest::Fifo => is(FileType::Fifo),
        FileTest::BlockDevice => is(FileType::BlockDevice),
        FileTest::CharDevice => is(FileType::CharacterDevice),
    }
}

fn type_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

#[cfg(test)]
mod tests;
