//! The descriptors of this process: those that a program redirects, and those that are our own.
//!
//! A redirection changes the descriptor itself and puts a copy of what it was aside, so that commands
//! inherit it and [`undo`](Descriptors::undo) gives it back. What is ours, and stays while programs run, lies
//! at [`OWN`] or above, where they seldom look; ends of pipes, which don't stay, lie where the system puts
//! them. If a program redirects such a number all the same, ours moves out of its way; what others in this
//! process hold stays theirs, and the redirection fails. No program that is started inherits what is ours, and
//! a copy of this process closes it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::super::PipeEnd;
use super::super::stream::write_all;
use super::sys::{self, Fd};
use crate::descriptors::OWN;
use crate::op::redirect_op;

/// The least number of a descriptor that is no standard stream.
const FIRST_PLAIN: Fd = 3;

/// As much as any pipe takes without a reader.
const PIPE_ROOM: usize = 4096;

/// What has to be done to undo a redirection.
enum Undo {
    /// The descriptor was a copy of `saved`, or closed.
    Restore { fd: Fd, saved: Option<Fd> },
    /// The path of a process substitution is no longer needed.
    Close(Fd),
}

/// What was redirected, and what is ours.
pub(super) struct Descriptors {
    undo: Vec<Undo>,
    /// Ends of pipes: their names at the host's door, which stay when they move, and where they are.
    ends: Vec<(PipeEnd, Fd)>,
    /// The name of the next end.
    next_end: i32,
}

impl Descriptors {
    pub(super) const fn new() -> Self {
        Descriptors {
            undo: Vec::new(),
            ends: Vec::new(),
            next_end: 0,
        }
    }

    /// How many redirections can be undone.
    pub(super) fn height(&self) -> usize {
        self.undo.len()
    }

    /// Whether standard input is redirected.
    pub(super) fn has_input(&self) -> bool {
        let is_input = |undo: &Undo| matches!(undo, Undo::Restore { fd: 0, .. });
        self.undo.iter().any(is_input)
    }

    /// A pipe: the end to read from, the end to write to.
    pub(super) fn pipe(&mut self) -> io::Result<(PipeEnd, PipeEnd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let read = self.add_end(read)?;
        let write = self.add_end(write).inspect_err(|_| self.close_end(read))?;
        Ok((read, write))
    }

    fn add_end(&mut self, fd: OwnedFd) -> io::Result<PipeEnd> {
        let fd = above_streams(fd)?;
        let end = PipeEnd(self.next_end);
        self.next_end = self.next_end.wrapping_add(1);
        self.ends.push((end, fd));
        Ok(end)
    }

    /// Where an end of a pipe is, if it is open.
    pub(super) fn fd_of(&self, end: PipeEnd) -> Option<Fd> {
        let own = self.ends.iter().find(|(own, _)| *own == end);
        own.map(|(_, fd)| *fd)
    }

    /// Closes an end of a pipe.
    pub(super) fn close_end(&mut self, end: PipeEnd) {
        if let Some(place) = self.ends.iter().position(|(own, _)| *own == end) {
            let (_, fd) = self.ends.swap_remove(place);
            sys::close(fd);
        }
    }

    /// Lets programs inherit an end of a pipe until [`undo`](Self::undo) closes it. Gives its number.
    pub(super) fn publish(&mut self, end: PipeEnd) -> io::Result<Fd> {
        let fd = self.fd_of(end).ok_or_else(bad_descriptor)?;
        let published = sys::dup_above(fd, OWN)?;
        sys::set_inherited(published, true)?;
        self.close_end(end);
        self.undo.push(Undo::Close(published));
        Ok(published)
    }

    /// Forgets, in a copy of this process, what is ours: it is closed, and what was redirected stays so.
    pub(super) fn leave_behind(&mut self) {
        for (_, fd) in self.ends.drain(..) {
            sys::close(fd);
        }
        self.keep(0);
    }

    /// Has redirections stay for good, but for the first `height`.
    pub(super) fn keep(&mut self, height: usize) {
        for undo in self.undo.drain(height.min(self.undo.len())..) {
            if let Undo::Restore {
                saved: Some(saved), ..
            } = undo
            {
                sys::close(saved);
            }
        }
    }

    /// Redirects `fd` as [`Op::Redirect`](crate::Op::Redirect)'s code says.
    pub(super) fn redirect(&mut self, fd: u8, code: u8, target: &[u8]) -> io::Result<()> {
        let fd = Fd::from(fd);
        let create = OFlags::WRONLY | OFlags::CREATE;
        let (flags, is_both) = match code {
            redirect_op::READ => (OFlags::RDONLY, false),
            redirect_op::READ_WRITE => (OFlags::RDWR | OFlags::CREATE, false),
            redirect_op::WRITE | redirect_op::CLOBBER => (create | OFlags::TRUNC, false),
            redirect_op::APPEND => (create | OFlags::APPEND, false),
            redirect_op::WRITE_BOTH => (create | OFlags::TRUNC, true),
            redirect_op::APPEND_BOTH => (create | OFlags::APPEND, true),
            redirect_op::DUP_READ | redirect_op::DUP_WRITE => return self.copy(fd, target),
            _ => return Err(io::Error::other(format!("there is no redirection {code}"))),
        };
        let file = rustix::fs::open(target, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o666))?;
        let file = ours(file)?;
        let mut done = self.replace(fd, file);
        if is_both && done.is_ok() {
            done = self.replace(2, fd);
        }
        sys::close(file);
        done
    }

    /// Makes `fd` a copy of the descriptor that `target` names, or closes it.
    fn copy(&mut self, fd: Fd, target: &[u8]) -> io::Result<()> {
        if target == b"-" {
            self.put_aside(fd)?;
            sys::close(fd);
            return Ok(());
        }
        let text = std::str::from_utf8(target).map_err(|_| bad_descriptor())?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        let from: Fd = number.ok_or_else(bad_descriptor)?;
        let is_end = self.ends.iter().any(|(_, fd)| *fd == from);
        if is_end || self.saved().any(|saved| *saved == from) {
            return Err(bad_descriptor());
        }
        self.replace(fd, from)
    }

    /// The copies that were put aside.
    fn saved(&mut self) -> impl Iterator<Item = &mut Fd> {
        self.undo.iter_mut().filter_map(|undo| match undo {
            Undo::Restore {
                saved: Some(saved), ..
            } => Some(saved),
            _ => None,
        })
    }

    /// Makes `text` what `fd` reads.
    pub(super) fn here(&mut self, fd: Fd, text: &[u8]) -> io::Result<()> {
        let source = ours(source_of(text)?)?;
        let done = self.replace(fd, source);
        sys::close(source);
        done
    }

    /// Makes `fd` a copy of `from`, and notes how to undo that.
    pub(super) fn replace(&mut self, fd: Fd, from: Fd) -> io::Result<()> {
        self.put_aside(fd)?;
        sys::dup_onto(from, fd)
    }

    fn put_aside(&mut self, fd: Fd) -> io::Result<()> {
        self.make_room(fd)?;
        // What the program has is inherited by those that it starts.
        if fd >= FIRST_PLAIN && sys::is_private(fd) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        let saved = match sys::dup_above(fd, OWN) {
            Ok(saved) => Some(saved),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => None,
            Err(error) => return Err(error),
        };
        self.undo.push(Undo::Restore { fd, saved });
        Ok(())
    }

    /// Moves what is ours out of the way of a number that the program wants.
    fn make_room(&mut self, fd: Fd) -> io::Result<()> {
        let copies = self.saved().find(|saved| **saved == fd);
        if let Some(saved) = copies {
            *saved = sys::dup_above(fd, OWN)?;
            sys::close(fd);
        } else if let Some((_, own)) = self.ends.iter_mut().find(|(_, own)| *own == fd) {
            *own = sys::dup_above(fd, OWN)?;
            sys::close(fd);
        }
        Ok(())
    }

    /// Undoes redirections, the last first, until `height` of them are left.
    pub(super) fn undo(&mut self, height: usize) {
        while self.undo.len() > height {
            match self.undo.pop() {
                Some(Undo::Restore { fd, saved: None }) => sys::close(fd),
                Some(Undo::Restore {
                    fd,
                    saved: Some(saved),
                }) => {
                    // Both are open, so it can't fail.
                    let _ = sys::dup_onto(saved, fd);
                    sys::close(saved);
                }
                Some(Undo::Close(fd)) => sys::close(fd),
                None => {}
            }
        }
    }
}

fn bad_descriptor() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// Moves a descriptor out of the place of a standard stream that is closed.
fn above_streams(fd: OwnedFd) -> io::Result<Fd> {
    if fd.as_raw_fd() >= FIRST_PLAIN {
        return Ok(fd.into_raw_fd());
    }
    sys::dup_above(fd.as_raw_fd(), OWN)
}

/// Moves a descriptor to where ours are.
fn ours(fd: OwnedFd) -> io::Result<Fd> {
    if fd.as_raw_fd() >= OWN {
        return Ok(fd.into_raw_fd());
    }
    sys::dup_above(fd.as_raw_fd(), OWN)
}

/// Something that gives this text when it is read. Nothing waits for a reader: what a pipe may not hold is
/// a file without a name.
fn source_of(text: &[u8]) -> io::Result<OwnedFd> {
    if text.len() <= PIPE_ROOM {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        write_all(write.as_fd(), text)?;
        return Ok(read);
    }
    let mut file = unnamed_file()?;
    file.write_all(text)?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file.into())
}

#[cfg(target_os = "linux")]
fn unnamed_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("here-document", MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn unnamed_file() -> io::Result<File> {
    tempfile::tempfile()
}
