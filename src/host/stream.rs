//! The process's standard streams as the Unix host uses them: output that is buffered, input that is
//! read by lines, over descriptors that other processes may share.
//!
//! The standard library's own buffers are not used: they are shared with the embedder's code, and can't
//! be put back before a command reads the same input.

use std::io::{self, BufRead, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::{HostError, TooLarge};

/// How much is buffered of either stream.
const BUFFER: usize = 16 * 1024;

/// How much of output there is room for at first.
const FIRST_BUFFER: usize = 512;

/// Standard output, written when the buffer is full, or at a newline if a terminal shows it.
pub(super) struct Output<F> {
    fd: F,
    /// Allocated with the first byte, so that a host that prints nothing costs nothing.
    buffer: Vec<u8>,
    is_terminal: Option<bool>,
}

impl<F: AsFd> Output<F> {
    pub(super) const fn new(fd: F) -> Self {
        Output {
            fd,
            buffer: Vec::new(),
            is_terminal: None,
        }
    }

    /// Appends bytes; an error loses what is not written yet.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            return write_all(self.fd.as_fd(), bytes);
        }
        self.make_room(bytes.len());
        self.buffer.extend_from_slice(bytes);
        let fd = &self.fd;
        let is_terminal = *self
            .is_terminal
            .get_or_insert_with(|| fd.as_fd().is_terminal());
        if is_terminal && bytes.contains(&b'\n') {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes room for bytes that the buffer can take: little at first, as most processes print little.
    fn make_room(&mut self, count: usize) {
        let wanted = self.buffer.len() + count;
        if wanted > self.buffer.capacity() {
            let size = wanted.next_power_of_two().clamp(FIRST_BUFFER, BUFFER);
            self.buffer.reserve_exact(size - self.buffer.len());
        }
    }

    /// The descriptor is another one now, to be looked at anew. The buffer is empty.
    pub(super) fn forget_kind(&mut self) {
        self.is_terminal = None;
    }

    /// The descriptor is another one now, and no terminal. The buffer is empty.
    pub(super) fn note_no_terminal(&mut self) {
        self.is_terminal = Some(false);
    }

    /// Writes out the buffer, which is empty afterwards even if that failed: a closed pipe is
    /// reported once, not again at each flush.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = write_all(self.fd.as_fd(), &self.buffer);
        self.buffer.clear();
        written
    }
}

/// Writes all bytes to a descriptor, blocking or not.
pub(super) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::OUT)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits until a descriptor that another process has made non-blocking is ready.
fn wait(fd: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(fd, flags)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How far standard input may be read beyond the line that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// A file: what is read too much can be put back.
    Seekable,
    /// Nobody else will want it, or, on a terminal, a read ends with the line anyway.
    Free,
    /// A pipe: what is read too much is lost for the commands that share it.
    Never,
}

/// Standard input, taken by lines.
pub(super) struct Input<F> {
    fd: F,
    buffer: Vec<u8>,
    /// How much of the buffer is taken.
    taken: usize,
    ahead: Option<Ahead>,
    is_shared: bool,
}

impl<F: AsFd> Input<F> {
    pub(super) const fn new(fd: F) -> Self {
        Input {
            fd,
            buffer: Vec::new(),
            taken: 0,
            ahead: None,
            is_shared: true,
        }
    }

    /// Whether commands that are started later may read the same input (so it is from the start).
    pub(super) fn set_shared(&mut self, is_shared: bool) {
        self.is_shared = is_shared;
        self.ahead = None;
    }

    /// Takes a line without its newline; `None` at the end. `before_read` is called before a read
    /// that may wait for somebody to see our output.
    pub(super) fn read_line(
        &mut self,
        limit: u64,
        mut before_read: impl FnMut() -> io::Result<()>,
    ) -> Result<Option<Vec<u8>>, HostError> {
        let mut line = Vec::new();
        loop {
            let mut rest = &self.buffer[self.taken..];
            self.taken += rest.read_until(b'\n', &mut line)?;
            let is_complete = line.last() == Some(&b'\n');
            if is_complete {
                line.pop();
            }
            if line.len() as u64 > limit {
                return Err(TooLarge.into());
            }
            if is_complete {
                return Ok(Some(line));
            }
            if self.fill(&mut before_read)? == 0 {
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// Replaces the buffer, all of which is taken, by what comes next; 0 at the end.
    fn fill(&mut self, before_read: &mut impl FnMut() -> io::Result<()>) -> io::Result<usize> {
        let ahead = self.ahead();
        if ahead != Ahead::Seekable {
            before_read()?;
        }
        let size = if ahead == Ahead::Never { 1 } else { BUFFER };
        self.taken = 0;
        self.buffer.resize(size, 0);
        let count = loop {
            match rustix::io::read(self.fd.as_fd(), &mut self.buffer[..]) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(self.fd.as_fd(), PollFlags::IN)?,
                read => break read,
            }
        };
        self.buffer.truncate(count.unwrap_or(0));
        Ok(count?)
    }

    fn ahead(&mut self) -> Ahead {
        let (fd, is_shared) = (&self.fd, self.is_shared);
        *self.ahead.get_or_insert_with(|| {
            if seek(fd, SeekFrom::Current(0)).is_ok() {
                Ahead::Seekable
            } else if is_shared && !fd.as_fd().is_terminal() {
                Ahead::Never
            } else {
                Ahead::Free
            }
        })
    }

    /// The descriptor is another one now, to be looked at anew. What was read of the one before and could
    /// not be put back is lost.
    pub(super) fn forget_kind(&mut self) {
        self.ahead = None;
        self.buffer.clear();
        self.taken = 0;
    }

    /// Puts back what was read but not taken, so that another process continues behind the last line.
    #[inline]
    pub(super) fn put_back(&mut self) {
        if self.taken < self.buffer.len() {
            self.seek_back();
        }
    }

    fn seek_back(&mut self) {
        let unread = self.buffer.len() - self.taken;
        if self.ahead == Some(Ahead::Seekable) {
            // The buffer holds at most `BUFFER` bytes, so the number fits; should the seek fail, the
            // bytes stay ours, as with a pipe.
            if seek(&self.fd, SeekFrom::Current(-(unread as i64))).is_ok() {
                self.buffer.clear();
                self.taken = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{PipeReader, Read, Seek, Write, pipe};

    use super::*;

    fn contents(mut reader: PipeReader) -> Vec<u8> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn output_waits_for_a_flush_or_a_full_buffer() {
        let (reader, writer) = pipe().unwrap();
        let mut output = Output::new(writer);
        assert_eq!(output.buffer.capacity(), 0);
        output.write(b"a\n").unwrap();
        output.write(b"b\n").unwrap();
        assert_eq!(output.buffer, b"a\nb\n");
        output.flush().unwrap();
        assert!(output.buffer.is_empty());
        output.write(&[b'x'; BUFFER - 1]).unwrap();
        output.write(b"yz").unwrap();
        assert_eq!(output.buffer, b"yz");
        output.write(&[b'w'; BUFFER]).unwrap();
        assert!(output.buffer.is_empty());
        drop(output);
        let bytes = contents(reader);
        assert_eq!(bytes.len(), 4 + BUFFER - 1 + 2 + BUFFER);
        assert!(bytes.starts_with(b"a\nb\nxx") && bytes.ends_with(b"ww"));
    }

    #[test]
    fn a_closed_pipe_is_an_error_reported_once() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut output = Output::new(writer);
        output.write(b"lost").unwrap();
        let error = output.flush().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(output.flush().is_ok());
    }

    #[test]
    fn a_non_blocking_reader_side_does_not_lose_output() {
        let (reader, writer) = pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let size = 1 << 18;
        let reading = std::thread::spawn(move || contents(reader).len());
        write_all(writer.as_fd(), &vec![b'x'; size]).unwrap();
        drop(writer);
        assert_eq!(reading.join().unwrap(), size);
    }

    fn lines<F: AsFd>(input: &mut Input<F>, limit: u64) -> Vec<Vec<u8>> {
        let next = || input.read_line(limit, || Ok(())).unwrap();
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn lines_come_without_newline_and_the_last_may_have_none() {
        for is_shared in [true, false] {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(b"first\n\n\xff\0last").unwrap();
            drop(writer);
            let mut input = Input::new(reader);
            input.set_shared(is_shared);
            assert_eq!(lines(&mut input, 9), [&b"first"[..], b"", b"\xff\0last"]);
        }
    }

    #[test]
    fn long_lines_cross_buffers_and_are_bounded() {
        let mut file = tempfile::tempfile().unwrap();
        let long = vec![b'x'; 3 * BUFFER];
        file.write_all(&[&long, &b"\nshort"[..]].concat()).unwrap();
        file.rewind().unwrap();
        let mut input = Input::new(file);
        assert_eq!(lines(&mut input, long.len() as u64), [&long[..], b"short"]);
        let mut file = input.fd;
        file.rewind().unwrap();
        let refused = Input::new(file).read_line(long.len() as u64 - 1, || Ok(()));
        assert_eq!(refused, Err(HostError::TooLarge));
    }

    #[test]
    fn a_shared_pipe_is_not_read_ahead() {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.write_all(b"ours\ntheirs\n").unwrap();
        let mut input = Input::new(&reader);
        let line = input.read_line(9, || Ok(())).unwrap();
        assert_eq!(line, Some(b"ours".to_vec()));
        let mut rest = [0; 7];
        reader.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"theirs\n");
    }

    #[test]
    fn a_file_is_put_back_to_the_line() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"ours\ntheirs\n").unwrap();
        file.rewind().unwrap();
        let mut other: File = file.try_clone().unwrap();
        let mut input = Input::new(file);
        let line = input.read_line(9, || Ok(())).unwrap();
        assert_eq!(line, Some(b"ours".to_vec()));
        input.put_back();
        assert_eq!(other.stream_position().unwrap(), 5);
        assert_eq!(lines(&mut input, 9), [b"theirs"]);
    }

    #[test]
    fn output_is_shown_before_a_read_that_may_wait() {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"x\n").unwrap();
        let mut asked = 0;
        let mut input = Input::new(reader);
        input.set_shared(false);
        let count = || {
            asked += 1;
            Ok(())
        };
        input.read_line(9, count).unwrap();
        assert_eq!(asked, 1);
    }
}
