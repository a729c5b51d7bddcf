//! The names of signals.

/// The signals that every system has, by their names without `SIG`.
const NAMES: [(&str, i32); 28] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("SYS", libc::SIGSYS),
];

/// The greatest number that can be a signal here: one bit of a mask for each.
const MAX: i32 = 63;

/// The number of a signal, by its name with or without `SIG` in any case, or by its number; 0 is `EXIT`.
pub(super) fn number(name: &[u8]) -> Option<i32> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_uppercase();
    if let Ok(number) = name.parse::<i32>() {
        return (0..=MAX).contains(&number).then_some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if name == "EXIT" {
        return Some(0);
    }
    let row = NAMES.iter().find(|(known, _)| *known == name);
    row.map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for name in [&b"INT"[..], b"int", b"SIGINT", b"2"] {
            assert_eq!(number(name), Some(libc::SIGINT));
        }
        assert_eq!(number(b"EXIT"), Some(0));
        assert_eq!(number(b"0"), Some(0));
        for none in [&b""[..], b"NO", b"-1", b"64", b"\xff", b"SIG"] {
            assert_eq!(number(none), None);
        }
    }
}
