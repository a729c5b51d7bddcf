//! The host of tests: it answers from a script and records what it was asked.
//!
//! Two runs are alike in what the outside saw exactly if their [`calls`](RecordingHost::calls) are
//! equal. Nothing here touches the system.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;

use super::{FileTest, Host, HostError, STATUS_NOT_FOUND};

/// What a call costs of the record's limit beside its bytes, so that empty calls are bounded too.
const CALL_COST: usize = 32;

/// How much a record holds unless it is told otherwise.
const DEFAULT_LIMIT: usize = 1 << 24;

/// One call of a host, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Standard output. Neighbouring writes are one call, as how output is cut means nothing.
    Write(Vec<u8>),
    /// A flush of standard output.
    Flush,
    /// Standard error; neighbours are one call here too.
    WriteError(Vec<u8>),
    /// A line was asked for.
    ReadLine,
    /// A command with its words.
    Exec(Vec<Vec<u8>>),
    /// A file test, by code, and its path.
    TestFile(u8, Vec<u8>),
    /// A pattern, and whether `**` was special in it.
    Glob(Vec<u8>, bool),
    /// A variable of the environment.
    Env(Vec<u8>),
    /// A user's home directory.
    HomeDir(Option<Vec<u8>>),
}

/// Answers from a script; what the script leaves out does not exist.
#[derive(Clone, Debug)]
pub struct RecordingHost {
    input: VecDeque<Vec<u8>>,
    env: BTreeMap<Vec<u8>, Vec<u8>>,
    homes: BTreeMap<Option<Vec<u8>>, Vec<u8>>,
    files: BTreeMap<Vec<u8>, Vec<FileTest>>,
    globs: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    commands: BTreeMap<Vec<u8>, i32>,
    calls: Vec<Call>,
    room: usize,
}

impl Default for RecordingHost {
    fn default() -> Self {
        RecordingHost::new()
    }
}

impl RecordingHost {
    /// A host with no input, no environment, no files and no commands.
    pub fn new() -> Self {
        RecordingHost {
            input: VecDeque::new(),
            env: BTreeMap::new(),
            homes: BTreeMap::new(),
            files: BTreeMap::new(),
            globs: BTreeMap::new(),
            commands: BTreeMap::new(),
            calls: Vec::new(),
            room: DEFAULT_LIMIT,
        }
    }

    /// Standard input: the text's lines, the last with or without a newline.
    #[must_use]
    pub fn with_input(mut self, text: &[u8]) -> Self {
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        self.input = lines
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line).to_vec())
            .collect();
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with_env(mut self, name: &[u8], value: &[u8]) -> Self {
        self.env.insert(name.to_vec(), value.to_vec());
        self
    }

    /// Gives a user, or with no name this process, a home directory.
    #[must_use]
    pub fn with_home(mut self, user: Option<&[u8]>, path: &[u8]) -> Self {
        self.homes.insert(user.map(<[u8]>::to_vec), path.to_vec());
        self
    }

    /// Makes a file that answers `true` to these tests, and `false` to the others.
    #[must_use]
    pub fn with_file(mut self, path: &[u8], tests: &[FileTest]) -> Self {
        self.files.insert(path.to_vec(), tests.to_vec());
        self
    }

    /// Gives a pattern its paths, recursive or not; they are sorted, repeats dropped.
    #[must_use]
    pub fn with_glob(mut self, pattern: &[u8], paths: &[&[u8]]) -> Self {
        let mut paths: Vec<Vec<u8>> = paths.iter().map(|path| path.to_vec()).collect();
        paths.sort();
        paths.dedup();
        self.globs.insert(pattern.to_vec(), paths);
        self
    }

    /// Makes a command, by its first word, that ends with a status. Others are not found.
    #[must_use]
    pub fn with_command(mut self, name: &[u8], status: i32) -> Self {
        self.commands.insert(name.to_vec(), status);
        self
    }

    /// Bounds the record: its bytes and 32 for each call. Beyond, `write` fails and other calls are
    /// `TooLarge`; they are not recorded.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.room = limit;
        self
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// What was written to standard output so far.
    pub fn output(&self) -> Vec<u8> {
        let writes = self.calls.iter().filter_map(|call| match call {
            Call::Write(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        writes.collect::<Vec<_>>().concat()
    }

    /// Takes `cost` from what the record may still hold.
    fn charge(&mut self, cost: usize) -> Result<(), HostError> {
        self.room = self.room.checked_sub(cost).ok_or(HostError::TooLarge)?;
        Ok(())
    }

    /// Records a call whose arguments have `bytes` bytes.
    fn record(&mut self, bytes: usize, call: impl FnOnce() -> Call) -> Result<(), HostError> {
        self.charge(bytes.saturating_add(CALL_COST))?;
        self.calls.push(call());
        Ok(())
    }

    /// Records output of a stream, within the last call if that wrote to the same one.
    fn record_output(
        &mut self,
        bytes: &[u8],
        stream: fn(Vec<u8>) -> Call,
    ) -> Result<(), HostError> {
        let start = stream(Vec::new());
        let last = self.calls.last().map(mem::discriminant);
        if last == Some(mem::discriminant(&start)) {
            self.charge(bytes.len())?;
        } else {
            self.record(bytes.len(), || start)?;
        }
        if let Some(Call::Write(text) | Call::WriteError(text)) = self.calls.last_mut() {
            text.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// What a writer gets when the record holds no more.
fn full(error: HostError) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, error.to_string())
}

impl Host for RecordingHost {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.record_output(bytes, Call::Write).map_err(full)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.record(0, || Call::Flush).map_err(full)
    }

    fn write_error(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        self.record_output(bytes, Call::WriteError)
    }

    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.record(0, || Call::ReadLine)?;
        match self.input.pop_front() {
            Some(line) if line.len() as u64 > limit => Err(HostError::TooLarge),
            line => Ok(line),
        }
    }

    fn exec(&mut self, argv: &[Vec<u8>]) -> Result<i32, HostError> {
        let bytes = argv.iter().map(|word| word.len() + CALL_COST).sum();
        self.record(bytes, || Call::Exec(argv.to_vec()))?;
        let Some(name) = argv.first() else {
            return Ok(0);
        };
        let status = self.commands.get(name).copied();
        Ok(status.unwrap_or(STATUS_NOT_FOUND))
    }

    fn test_file(&mut self, test: u8, path: &[u8]) -> Result<bool, HostError> {
        self.record(path.len(), || Call::TestFile(test, path.to_vec()))?;
        let test = FileTest::from_code(test)?;
        Ok(self.files.get(path).is_some_and(|yes| yes.contains(&test)))
    }

    fn glob(
        &mut self,
        pattern: &[u8],
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        self.record(pattern.len(), || Call::Glob(pattern.to_vec(), recursive))?;
        match self.globs.get(pattern) {
            Some(paths) if paths.len() > limit => Err(HostError::TooLarge),
            Some(paths) => Ok(paths.clone()),
            None => Ok(Vec::new()),
        }
    }

    fn env(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        self.record(name.len(), || Call::Env(name.to_vec()))?;
        Ok(self.env.get(name).cloned())
    }

    fn home_dir(&mut self, user: Option<&[u8]>) -> Result<Option<Vec<u8>>, HostError> {
        let user = user.map(<[u8]>::to_vec);
        let bytes = user.as_ref().map_or(0, Vec::len);
        self.record(bytes, || Call::HomeDir(user.clone()))?;
        Ok(self.homes.get(&user).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_from_the_script() {
        let mut host = RecordingHost::new()
            .with_input(b"first\n\nlast")
            .with_env(b"LANG", b"C")
            .with_home(None, b"/home/me")
            .with_home(Some(b"you"), b"/home/you")
            .with_file(b"f", &[FileTest::File, FileTest::Exists])
            .with_glob(b"*", &[b"b", b"a", b"b"])
            .with_command(b"make", 2);
        let lines: Vec<_> = (0..4).map(|_| host.read_line(9).unwrap()).collect();
        let line = |text: &[u8]| Some(text.to_vec());
        assert_eq!(lines, [line(b"first"), line(b""), line(b"last"), None]);
        assert_eq!(host.env(b"LANG"), Ok(line(b"C")));
        assert_eq!(host.env(b"PATH"), Ok(None));
        assert_eq!(host.home_dir(None), Ok(line(b"/home/me")));
        assert_eq!(host.home_dir(Some(b"you")), Ok(line(b"/home/you")));
        assert_eq!(host.home_dir(Some(b"they")), Ok(None));
        assert_eq!(host.test_file(0, b"f"), Ok(true));
        assert_eq!(host.test_file(1, b"f"), Ok(false));
        assert!(matches!(
            host.test_file(99, b"f"),
            Err(HostError::Failed(_))
        ));
        assert_eq!(
            host.glob(b"*", false, 2),
            Ok(vec![b"a".to_vec(), b"b".to_vec()])
        );
        assert_eq!(host.glob(b"*", false, 1), Err(HostError::TooLarge));
        assert_eq!(host.glob(b"?", false, 1), Ok(vec![]));
        assert_eq!(host.exec(&[b"make".to_vec(), b"all".to_vec()]), Ok(2));
        assert_eq!(host.exec(&[b"cmake".to_vec()]), Ok(127));
        assert_eq!(host.exec(&[]), Ok(0));
    }

    #[test]
    fn calls_are_recorded_in_order_and_neighbouring_writes_joined() {
        let mut host = RecordingHost::new();
        host.write(b"a").unwrap();
        host.write(b"b").unwrap();
        host.write_error(b"e").unwrap();
        host.write_error(b"f").unwrap();
        host.write(b"c").unwrap();
        host.flush().unwrap();
        host.exec(&[b"ls".to_vec()]).unwrap();
        assert_eq!(
            host.calls(),
            [
                Call::Write(b"ab".to_vec()),
                Call::WriteError(b"ef".to_vec()),
                Call::Write(b"c".to_vec()),
                Call::Flush,
                Call::Exec(vec![b"ls".to_vec()]),
            ]
        );
        assert_eq!(host.output(), b"abc");
    }

    #[test]
    fn the_record_is_bounded() {
        let mut host = RecordingHost::new().with_limit(2 * CALL_COST + 4);
        host.write(b"12").unwrap();
        host.write(b"34").unwrap();
        host.flush().unwrap();
        let error = host.write(b"5").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(host.flush().is_err());
        assert_eq!(host.exec(&[]), Err(HostError::TooLarge));
        assert_eq!(host.calls(), [Call::Write(b"1234".to_vec()), Call::Flush]);
    }

    #[test]
    fn a_long_line_is_refused() {
        let mut host = RecordingHost::new().with_input(b"1234\n12345\n1");
        assert_eq!(host.read_line(4), Ok(Some(b"1234".to_vec())));
        assert_eq!(host.read_line(4), Err(HostError::TooLarge));
        assert_eq!(host.read_line(4), Ok(Some(b"1".to_vec())));
    }
}
