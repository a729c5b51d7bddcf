//! What a program may do, what it may need, and the guard that holds one against the other.
//!
//! [`Policy::check`] answers before the first instruction, from the [`Needs`] that verification
//! derives; [`Guarded`] refuses again at the door, for what can't be derived. Standard streams are
//! not a capability: whoever starts a program gives them. A command, once started, is beyond the
//! policy: to allow `exec` is to allow whatever commands can do.

use std::fmt;
use std::io;
use std::str::FromStr;

use super::{Forked, Host, HostError, PipeEnd, SignalAction, Waited, Wiring};
use crate::code::Code;
use crate::op::redirect_op;

/// One thing that a policy allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Capability {
    /// Start commands and processes.
    Exec = 0,
    /// Look at files and directories.
    Read = 1,
    /// Create, change or remove files.
    Write = 2,
    /// Read the environment and the users' home directories.
    Env = 3,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Capability; 4] = [
        Capability::Exec,
        Capability::Read,
        Capability::Write,
        Capability::Env,
    ];

    /// The command line's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Capability::Exec => "exec",
            Capability::Read => "read",
            Capability::Write => "write",
            Capability::Env => "env",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(word: &str) -> Result<Self, UnknownCapability> {
        Capability::ALL
            .into_iter()
            .find(|capability| capability.word() == word)
            .ok_or_else(|| UnknownCapability(word.to_owned()))
    }
}

/// A word that names no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no capability: they are exec, read, write and env")]
pub struct UnknownCapability(pub String);

impl UnknownCapability {
    /// The row of the error table that explains it.
    pub fn code(&self) -> Code {
        Code::BadUsage
    }
}

/// A set of capabilities that a program may need.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// Bit `n` stands for the capability numbered `n`.
    bits: u8,
}

impl Needs {
    /// A program that needs nothing.
    pub const NONE: Needs = Needs { bits: 0 };

    /// This set and one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Needs {
        Needs {
            bits: self.bits | 1 << capability as u8,
        }
    }

    /// What either set has.
    #[must_use]
    pub const fn union(self, other: Needs) -> Needs {
        Needs {
            bits: self.bits | other.bits,
        }
    }

    /// Whether the capability is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.bits & 1 << capability as u8 != 0
    }

    /// Whether nothing is needed.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The capabilities of the set, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .into_iter()
            .filter(move |&capability| self.contains(capability))
    }
}

impl FromIterator<Capability> for Needs {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Needs {
        capabilities.into_iter().fold(Needs::NONE, Needs::with)
    }
}

impl fmt::Display for Needs {
    /// The words with commas between, `nothing` for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (place, capability) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{capability}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What a program may do; everything, unless it is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    denied: Needs,
}

impl Policy {
    /// The policy that allows everything.
    pub const ALLOW_ALL: Policy = Policy {
        denied: Needs::NONE,
    };

    /// This policy without the capability.
    #[must_use]
    pub const fn deny(self, capability: Capability) -> Policy {
        Policy {
            denied: self.denied.with(capability),
        }
    }

    /// This policy with the capability.
    #[must_use]
    pub const fn allow(self, capability: Capability) -> Policy {
        let bits = self.denied.bits & !(1 << capability as u8);
        Policy {
            denied: Needs { bits },
        }
    }

    /// Whether the capability is allowed.
    pub const fn allows(self, capability: Capability) -> bool {
        !self.denied.contains(capability)
    }

    /// Whether a program with these needs may start; if not, which of them the policy denies.
    pub fn check(self, needs: Needs) -> Result<(), Denied> {
        let denied: Needs = needs
            .iter()
            .filter(|&capability| !self.allows(capability))
            .collect();
        if denied.is_empty() {
            Ok(())
        } else {
            Err(Denied { denied })
        }
    }
}

/// A program needs what the policy denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program needs what the policy denies: {denied}")]
pub struct Denied {
    /// The capabilities that are needed and denied; never empty.
    pub denied: Needs,
}

impl Denied {
    /// The row of the error table that explains it.
    pub fn code(&self) -> Code {
        Code::Denied
    }
}

/// A host with a policy in front: what is denied does not reach the host.
#[derive(Clone, Debug)]
pub struct Guarded<H> {
    host: H,
    policy: Policy,
}

impl<H: Host> Guarded<H> {
    /// Puts a policy in front of a host.
    pub fn new(host: H, policy: Policy) -> Self {
        Guarded { host, policy }
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Takes the guard away.
    pub fn into_inner(self) -> H {
        self.host
    }

    /// The host, if the policy allows the capability.
    fn behind(&mut self, capability: Capability) -> Result<&mut H, HostError> {
        if self.policy.allows(capability) {
            Ok(&mut self.host)
        } else {
            Err(HostError::Denied(capability))
        }
    }
}

impl<H: Host> Host for Guarded<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.host.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.host.flush()
    }

    fn write_error(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.host.write_error(bytes)
    }

    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.host.read_line(limit)
    }

    fn exec(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        self.behind(Capability::Exec)?.exec(argv)
    }

    fn test_file(&mut self, test: u8, path: &[u8]) -> Result<bool, HostError> {
        self.behind(Capability::Read)?.test_file(test, path)
    }

    fn glob(
        &mut self,
        pattern: &[u8],
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        self.behind(Capability::Read)?
            .glob(pattern, recursive, limit)
    }

    fn env(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        self.behind(Capability::Env)?.env(name)
    }

    fn home_dir(&mut self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
        self.behind(Capability::Env)?.home_dir(user)
    }

    fn own_command(&mut self, argv: &[Vec<u8>]) -> Result<Option<i32>, HostError> {
        self.host.own_command(argv)
    }

    fn spawn(&mut self, argv: &[Vec<u8>], wiring: Wiring) -> Result<Result<i32, i32>, HostError> {
        self.behind(Capability::Exec)?.spawn(argv, wiring)
    }

    fn replace(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        self.behind(Capability::Exec)?.replace(argv)
    }

    fn can_fork(&mut self) -> bool {
        self.host.can_fork()
    }

    fn fork(&mut self, wiring: Wiring) -> Result<Forked, HostError> {
        self.behind(Capability::Exec)?.fork(wiring)
    }

    fn is_forked(&self) -> bool {
        self.host.is_forked()
    }

    fn exit(&mut self, status: i32) -> ! {
        self.host.exit(status)
    }

    fn wait(&mut self, process: i32) -> Result<i32, HostError> {
        self.behind(Capability::Exec)?.wait(process)
    }

    fn wait_for_job(&mut self, process: Option<i32>) -> Result<Waited, HostError> {
        self.behind(Capability::Exec)?.wait_for_job(process)
    }

    fn last_job(&mut self) -> Option<i32> {
        self.host.last_job()
    }

    fn process_id(&mut self) -> Result<i32, HostError> {
        self.host.process_id()
    }

    fn kill(&mut self, process: i32, signal: i32) -> Result<(), HostError> {
        self.behind(Capability::Exec)?.kill(process, signal)
    }

    fn pipe(&mut self) -> Result<(PipeEnd, PipeEnd), HostError> {
        self.behind(Capability::Exec)?.pipe()
    }

    fn read_all(&mut self, end: PipeEnd, limit: u64) -> Result<Vec<u8>, HostError> {
        self.behind(Capability::Exec)?.read_all(end, limit)
    }

    fn close(&mut self, end: PipeEnd) {
        self.host.close(end)
    }

    fn path_of(&mut self, end: PipeEnd) -> Result<Vec<u8>, HostError> {
        self.behind(Capability::Exec)?.path_of(end)
    }

    fn redirect(&mut self, fd: u8, code: u8, target: &[u8]) -> Result<bool, HostError> {
        let host = match code {
            redirect_op::DUP_READ | redirect_op::DUP_WRITE => &mut self.host,
            redirect_op::READ => self.behind(Capability::Read)?,
            _ => self.behind(Capability::Write)?,
        };
        host.redirect(fd, code, target)
    }

    fn here_document(&mut self, text: &[u8]) -> Result<bool, HostError> {
        self.host.here_document(text)
    }

    fn redirections(&self) -> usize {
        self.host.redirections()
    }

    fn undo_redirections(&mut self, height: usize) -> Result<(), HostError> {
        self.host.undo_redirections(height)
    }

    fn keep_redirections(&mut self, height: usize) {
        self.host.keep_redirections(height)
    }

    fn signal_number(&mut self, name: &[u8]) -> Result<Option<i32>, HostError> {
        self.host.signal_number(name)
    }

    fn set_signal(&mut self, signal: i32, action: SignalAction) -> Result<(), HostError> {
        self.host.set_signal(signal, action)
    }

    fn take_signals(&mut self) -> u64 {
        self.host.take_signals()
    }

    fn set_env(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), HostError> {
        self.behind(Capability::Env)?.set_env(name, value)
    }

    fn set_directory(&mut self, path: &[u8]) -> Result<(), HostError> {
        self.behind(Capability::Read)?.set_directory(path)
    }

    fn directory(&mut self) -> Result<Vec<u8>, HostError> {
        self.behind(Capability::Read)?.directory()
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordingHost;
    use super::*;

    #[test]
    fn capabilities_are_the_command_lines_words() {
        for capability in Capability::ALL {
            assert_eq!(capability.to_string().parse(), Ok(capability));
        }
        let error = "network".parse::<Capability>().unwrap_err();
        assert_eq!(error.code(), Code::BadUsage);
        assert_eq!(
            error.to_string(),
            "`network` is no capability: they are exec, read, write and env"
        );
    }

    #[test]
    fn needs_are_a_set() {
        let commands = Needs::NONE.with(Capability::Exec);
        let files: Needs = [Capability::Write, Capability::Read].into_iter().collect();
        assert_eq!(commands.union(files).to_string(), "exec, read, write");
        assert_eq!(Needs::NONE.to_string(), "nothing");
        assert!(files.contains(Capability::Read) && !files.contains(Capability::Env));
        assert_eq!(format!("{commands:?}"), "{Exec}");
    }

    #[test]
    fn a_policy_names_all_that_it_denies() {
        let policy = Policy::default()
            .deny(Capability::Exec)
            .deny(Capability::Env)
            .deny(Capability::Read)
            .allow(Capability::Read);
        let needs: Needs = Capability::ALL.into_iter().collect();
        let denied = policy.check(needs).unwrap_err();
        assert_eq!(denied.code().number(), 501);
        assert_eq!(
            denied.to_string(),
            "the program needs what the policy denies: exec, env"
        );
        assert_eq!(policy.check(Needs::NONE.with(Capability::Read)), Ok(()));
        assert_eq!(Policy::ALLOW_ALL.check(needs), Ok(()));
    }

    #[test]
    fn the_guard_lets_nothing_through_that_is_denied() {
        let deny_all = Capability::ALL
            .into_iter()
            .fold(Policy::ALLOW_ALL, Policy::deny);
        let mut host = Guarded::new(RecordingHost::new(), deny_all);
        assert_eq!(
            host.exec(&[b"true".to_vec()]),
            Err(HostError::Denied(Capability::Exec))
        );
        assert_eq!(
            host.test_file(0, b"/"),
            Err(HostError::Denied(Capability::Read))
        );
        assert_eq!(
            host.glob(b"*", false, 9),
            Err(HostError::Denied(Capability::Read))
        );
        assert_eq!(host.env(b"HOME"), Err(HostError::Denied(Capability::Env)));
        assert_eq!(host.home_dir(None), Err(HostError::Denied(Capability::Env)));
        assert!(host.into_inner().calls().is_empty());
    }

    #[test]
    fn standard_streams_pass_any_policy() {
        let deny_all = Capability::ALL
            .into_iter()
            .fold(Policy::ALLOW_ALL, Policy::deny);
        let recording = RecordingHost::new().with_input(b"line\n");
        let mut host = Guarded::new(recording, deny_all);
        host.write(b"out").unwrap();
        host.write_error(b"err").unwrap();
        assert_eq!(host.read_line(9), Ok(Some(b"line".to_vec())));
        assert_eq!(host.into_inner().output(), b"out");
    }
}
