//! The system calls of a shell that have no safe form: processes, signals, descriptors by number.
//!
//! Every function here keeps its own promises to the system; what is shared (which descriptor is whose,
//! what a signal means) is decided by the callers. Nothing here waits for long but [`wait`] and
//! [`suspend`], whose names say so.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A descriptor by its number, which may be open or not.
pub(super) type Fd = c_int;

/// Copies this process: the copy's id in the parent, `None` in the copy.
///
/// The caller has made sure that this process has one thread, as a copy of one with more may hold
/// locks that nobody will ever open.
pub(super) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: one thread (see above), so whatever the copy does is what this process could do.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

/// How many threads this process has; `None` if the system doesn't tell.
#[cfg(target_os = "linux")]
pub(super) fn threads() -> Option<u64> {
    // Each thread is a directory there, beside `.` and `..`.
    let tasks = rustix::fs::stat(c"/proc/self/task").ok()?;
    #[allow(clippy::useless_conversion, reason = "it is narrower on some")]
    u64::from(tasks.st_nlink).checked_sub(2)
}

/// How many threads this process has; `None` if the system doesn't tell.
#[cfg(target_os = "macos")]
pub(super) fn threads() -> Option<u64> {
    let mut info = MaybeUninit::<libc::proc_taskinfo>::zeroed();
    let size = size_of::<libc::proc_taskinfo>() as c_int;
    // SAFETY: the buffer has the size that is stated, and any bytes are a value of its type.
    let written = unsafe {
        let buffer = info.as_mut_ptr().cast();
        libc::proc_pidinfo(libc::getpid(), libc::PROC_PIDTASKINFO, 0, buffer, size)
    };
    // SAFETY: all of it was written.
    (written == size).then(|| unsafe { info.assume_init() }.pti_threadnum as u64)
}

/// How many threads this process has; `None` if the system doesn't tell.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn threads() -> Option<u64> {
    None
}

/// Ends this process at once: nothing is flushed, no handler runs.
pub(super) fn exit(status: i32) -> ! {
    // SAFETY: it takes any status and doesn't return.
    unsafe { libc::_exit(status & 0xff) }
}

/// The id of this process.
pub(super) fn pid() -> i32 {
    // SAFETY: it takes nothing and can't fail.
    unsafe { libc::getpid() }
}

/// Takes the end of a child, with its shell status; waits for it if `blocks`, else `None` while it
/// runs. A child that isn't ours, or was taken before, is an error.
pub(super) fn wait(pid: i32, blocks: bool) -> io::Result<Option<i32>> {
    let mut status = 0;
    let flags = if blocks { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: `status` lives through the call.
        match unsafe { libc::waitpid(pid, &raw mut status, flags) } {
            0 => return Ok(None),
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ if libc::WIFSIGNALED(status) => return Ok(Some(128 + libc::WTERMSIG(status))),
            _ => return Ok(Some(libc::WEXITSTATUS(status))),
        }
    }
}

/// Sends a signal, 0 for none but the check.
pub(super) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: any numbers are taken.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The least that is read at a time, the room for that at first, and the most by which it grows.
const LEAST_READ: usize = 1 << 8;
const FIRST_READ: usize = 1 << 10;
const MOST_READ: usize = 1 << 16;

/// Reads to the end of what the descriptor gives, in ever larger pieces; stops behind `limit` bytes.
pub(super) fn read_all(fd: Fd, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() as u64 <= limit {
        if bytes.capacity() - bytes.len() < LEAST_READ {
            bytes.reserve(bytes.len().clamp(FIRST_READ, MOST_READ));
        }
        let room = bytes.spare_capacity_mut();
        // SAFETY: the room is as long as is said, and the number of bytes read is at most that.
        let count = unsafe { libc::read(fd, room.as_mut_ptr().cast(), room.len()) };
        match usize::try_from(count) {
            Ok(0) => break,
            // SAFETY: as many bytes were written behind those that there were.
            Ok(count) => unsafe { bytes.set_len(bytes.len() + count) },
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(bytes)
}

/// Makes `to` a copy of `from`, which programs that are started inherit.
pub(super) fn dup_onto(from: Fd, to: Fd) -> io::Result<()> {
    if from == to {
        return set_inherited(from, true);
    }
    loop {
        // SAFETY: any numbers are taken; who owns `to` has agreed to lose what it was.
        match checked(unsafe { libc::dup2(from, to) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done.map(drop),
        }
    }
}

/// A copy of `fd` at the first free number from `least` up, which programs don't inherit.
pub(super) fn dup_above(fd: Fd, least: Fd) -> io::Result<Fd> {
    // SAFETY: any numbers are taken, and the new descriptor is the caller's.
    checked(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) })
}

/// Closes a descriptor; one that isn't open stays so.
pub(super) fn close(fd: Fd) {
    // SAFETY: any number is taken; the callers close what is theirs, or what the program says.
    unsafe { libc::close(fd) };
}

/// Says whether programs that are started inherit the descriptor; fails if it isn't open.
pub(super) fn set_inherited(fd: Fd, is_inherited: bool) -> io::Result<()> {
    let flags = if is_inherited { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: any number is taken.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }).map(drop)
}

/// Whether a descriptor is open and programs that are started don't inherit it.
pub(super) fn is_private(fd: Fd) -> bool {
    // SAFETY: any number is taken, and nothing is changed.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC != 0
}

/// A program to start: where it is, its words, its environment.
pub(super) struct Program<'a> {
    pub(super) path: &'a CStr,
    pub(super) argv: &'a [CString],
    pub(super) env: &'a [CString],
}

fn pointers(texts: &[CString]) -> Vec<*mut c_char> {
    let texts = texts.iter().map(|text| text.as_ptr().cast_mut());
    texts.chain([ptr::null_mut()]).collect()
}

/// Starts a program as a child whose standard input and output are copies of these descriptors, if
/// given. `SIGPIPE` ends it, unless `keeps_sigpipe`.
pub(super) fn spawn(
    program: &Program<'_>,
    input: Option<Fd>,
    output: Option<Fd>,
    keeps_sigpipe: bool,
) -> io::Result<i32> {
    let (argv, env) = (pointers(program.argv), pointers(program.env));
    let mut attributes = MaybeUninit::uninit();
    let mut actions = MaybeUninit::uninit();
    let mut pid = 0;
    // SAFETY: both objects are made before they are used and destroyed once; all pointers live
    // through the call, and the lists end with a null.
    let result = unsafe {
        libc::posix_spawnattr_init(attributes.as_mut_ptr());
        libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
        if !keeps_sigpipe {
            let mut defaults = signal_set(&[libc::SIGPIPE]);
            libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), &raw mut defaults);
            let flags = libc::POSIX_SPAWN_SETSIGDEF as libc::c_short;
            libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags);
        }
        for (from, to) in [(input, 0), (output, 1)] {
            if let Some(from) = from {
                libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), from, to);
            }
        }
        let result = libc::posix_spawn(
            &raw mut pid,
            program.path.as_ptr(),
            actions.as_ptr(),
            attributes.as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
        );
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
        result
    };
    match result {
        0 => Ok(pid),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Becomes the program; returns only if that fails.
pub(super) fn replace(program: &Program<'_>) -> io::Error {
    let (argv, env) = (pointers(program.argv), pointers(program.env));
    // SAFETY: the pointers live through the call, and the lists end with a null.
    unsafe {
        libc::execve(
            program.path.as_ptr(),
            argv.as_ptr().cast(),
            env.as_ptr().cast(),
        );
    }
    io::Error::last_os_error()
}

/// The signals that came and were not looked at, one bit each.
static PENDING: AtomicU64 = AtomicU64::new(0);

/// The handler of every signal that a program catches: it does nothing but note it.
extern "C" fn note(signal: c_int) {
    PENDING.fetch_or(1 << (signal & 63), Ordering::Relaxed);
}

/// What a signal does to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// What the system has it do.
    Default,
    /// Nothing.
    Ignore,
    /// It is noted, see [`take_pending`].
    Note,
}

/// Sets what a signal does. It fails for those that can't be caught.
pub(super) fn set_action(signal: i32, action: Action) -> io::Result<()> {
    // SAFETY: zeroes are a valid value of this type of integers and optional pointers.
    let mut new: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    new.sa_sigaction = match action {
        Action::Default => libc::SIG_DFL,
        Action::Ignore => libc::SIG_IGN,
        Action::Note => note as extern "C" fn(c_int) as libc::sighandler_t,
    };
    // SAFETY: the handler only sets a bit of an atomic, which is safe at any moment.
    checked(unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) }).map(drop)
}

/// Whether a signal does nothing to this process.
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut present = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the present action is written to a place for one, and nothing is changed.
    let asked = unsafe { libc::sigaction(signal, ptr::null(), present.as_mut_ptr()) };
    // SAFETY: it was written.
    asked == 0 && unsafe { present.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// The signals noted since the last time, one bit each.
pub(super) fn take_pending() -> u64 {
    if PENDING.load(Ordering::Relaxed) == 0 {
        return 0;
    }
    PENDING.swap(0, Ordering::Relaxed)
}

/// The signals noted since the last time, which stay noted.
pub(super) fn pending() -> u64 {
    PENDING.load(Ordering::Relaxed)
}

/// Forgets that these signals were noted.
pub(super) fn forget_pending(signals: u64) {
    PENDING.fetch_and(!signals, Ordering::Relaxed);
}

/// The signals that are held back.
#[derive(Clone, Copy)]
pub(super) struct Mask(libc::sigset_t);

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: it is made empty before it is read; what is no signal is refused, which is fine.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Holds all signals back, and gives those that were held back before.
pub(super) fn hold_signals() -> Mask {
    let mut all = MaybeUninit::uninit();
    let mut before = signal_set(&[]);
    // SAFETY: both sets live through the calls.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), &raw mut before);
    }
    Mask(before)
}

/// Holds back what was held back before.
pub(super) fn release_signals(mask: Mask) {
    // SAFETY: the set was filled by the system.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const mask.0, ptr::null_mut()) };
}

/// Waits for a signal with these held back, and then holds all back again.
pub(super) fn suspend(mask: Mask) {
    // SAFETY: the set was filled by the system.
    unsafe { libc::sigsuspend(&raw const mask.0) };
}
