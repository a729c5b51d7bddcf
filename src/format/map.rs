//! Mapped files, read without ever making a slice of them.
//!
//! Another process can change or truncate a mapped file at any time, so a Rust slice over it would
//! be undefined behaviour. [`Map`] hands out nothing but copies, made through raw pointers. Where the
//! file has shrunk a copy raises a bus error; with [`guard_bus_errors`] it becomes an ordinary error.
//!
//! This is the format's only module with unsafe code.
#![allow(unsafe_code)]

use memmap2::{MmapOptions, MmapRaw};
use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The file changed while a copy was made.
#[derive(Debug)]
pub(crate) struct Changed;

/// A file mapped for reading.
#[derive(Debug)]
pub(crate) struct Map {
    memory: MmapRaw,
    region: &'static Region,
}

impl Map {
    /// Maps the first `len` bytes of `file`.
    ///
    /// # Errors
    /// When the system can't, or too many files are mapped already for the guard to know them all.
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Map> {
        let memory = MmapOptions::new().len(len).map_raw_read_only(file)?;
        let start = memory.as_ptr() as usize;
        let region = Region::register(start, start + memory.len())
            .ok_or_else(|| io::Error::other("too many mapped files"))?;
        Ok(Map { memory, region })
    }

    /// Copies the bytes from `offset` on to all of `into`.
    ///
    /// # Errors
    /// When the file has shrunk below what was mapped, which is told if the guard is installed.
    ///
    /// # Panics
    /// When the range isn't within the mapping.
    pub(crate) fn copy(&self, offset: usize, into: &mut [u8]) -> Result<(), Changed> {
        let end = offset.checked_add(into.len());
        assert!(
            end.is_some_and(|end| end <= self.memory.len()),
            "a copy from outside of the mapping"
        );
        // SAFETY: the assertion above keeps the source within the mapping, which lives as long as
        // `self`; the destination is a slice that nobody else sees. The source is memory that other
        // processes may write, so it is never named by a reference; bytes have no invalid values.
        unsafe {
            ptr::copy_nonoverlapping(
                self.memory.as_ptr().add(offset),
                into.as_mut_ptr(),
                into.len(),
            );
        }
        if self.region.faulted.load(Ordering::SeqCst) {
            return Err(Changed);
        }
        Ok(())
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // Before `memory` is unmapped, so that the guard never claims addresses that are not ours.
        self.region.release();
    }
}

/// The most files that can be mapped at a time. The guard runs in a signal handler, which can walk a
/// fixed table without locks.
const REGIONS: usize = 256;

static TABLE: [Region; REGIONS] = [const { Region::free() }; REGIONS];

/// The addresses of a mapping, as the signal handler reads them.
#[derive(Debug)]
struct Region {
    taken: AtomicBool,
    start: AtomicUsize,
    end: AtomicUsize,
    faulted: AtomicBool,
}

impl Region {
    const fn free() -> Region {
        Region {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            faulted: AtomicBool::new(false),
        }
    }

    fn register(start: usize, end: usize) -> Option<&'static Region> {
        let region = TABLE.iter().find(|region| {
            let claim =
                region
                    .taken
                    .compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst);
            claim.is_ok()
        })?;
        region.faulted.store(false, Ordering::SeqCst);
        region.start.store(start, Ordering::SeqCst);
        region.end.store(end, Ordering::SeqCst);
        Some(region)
    }

    /// `end` goes first: a region with `end` 0 holds no address, whatever `start` is.
    fn release(&self) {
        self.end.store(0, Ordering::SeqCst);
        self.start.store(0, Ordering::SeqCst);
        self.taken.store(false, Ordering::SeqCst);
    }

    /// A region that changes hands meanwhile is none that a thread now copies from, so it doesn't
    /// matter that it is missed.
    fn contains(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::SeqCst);
        let end = self.end.load(Ordering::SeqCst);
        (start..end).contains(&address) && self.start.load(Ordering::SeqCst) == start
    }
}

/// The action that was there before the guard; written once, before the guard can run.
struct Previous(UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: it is written once under `INSTALL`, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new(MaybeUninit::uninit()));
static PAGE: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

/// Makes a bus error while a mapped module is copied an ordinary error
/// ([`Code::ChangedWhileRead`](crate::code::Code::ChangedWhileRead)), for the whole process and for good.
///
/// It installs a handler of `SIGBUS`, which leaves faults at other addresses to the handler that was
/// there before. Programs that own the process should call it before they load modules with
/// [`Strategy::Map`](super::Strategy::Map); a library shouldn't. Further calls do nothing.
pub fn guard_bus_errors() {
    INSTALL.call_once(|| {
        // SAFETY: plain calls into libc with valid pointers. `PREVIOUS` is written before the
        // handler is installed, by this one thread.
        unsafe {
            PAGE.store(libc::sysconf(libc::_SC_PAGESIZE) as usize, Ordering::SeqCst);
            libc::sigaction(libc::SIGBUS, ptr::null(), (*PREVIOUS.0.get()).as_mut_ptr());
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_bus_error as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
        }
    });
}

/// Puts a page of zeros where a mapped file ended too early, and notes it. Uses system calls and
/// atomics only.
extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel hands a valid `info` to a handler with SA_SIGINFO.
    let (address, sent_by_process) = unsafe { ((*info).si_addr() as usize, (*info).si_code <= 0) };
    let region = TABLE.iter().find(|region| region.contains(address));
    if let (Some(region), false) = (region, sent_by_process) {
        // The note comes first: another thread that copies from the page of zeros must see it.
        region.faulted.store(true, Ordering::SeqCst);
        let page = PAGE.load(Ordering::SeqCst);
        // SAFETY: the page belongs to a mapping of ours, which stays mapped while a thread copies
        // from it; only its contents are replaced, and nothing but copies look at them.
        let replaced = unsafe {
            libc::mmap(
                (address & !(page - 1)) as *mut libc::c_void,
                page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced != libc::MAP_FAILED {
            return;
        }
    }
    // SAFETY: `PREVIOUS` was written before this handler was installed. Returning runs the faulting
    // instruction again, now under the previous action; a signal that was sent is sent again.
    unsafe {
        libc::sigaction(signal, (*PREVIOUS.0.get()).as_ptr(), ptr::null_mut());
        if sent_by_process {
            libc::raise(signal);
        }
    }
}
