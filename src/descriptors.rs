//! Where the library's own descriptors are that stay open while programs run: above those that programs
//! redirect by number.

#[cfg(all(unix, feature = "host"))]
pub(crate) use unix::OWN;
#[cfg(all(unix, any(feature = "host", feature = "jit")))]
pub(crate) use unix::out_of_the_way;

/// Leaves the file where it is: without a host no program redirects a number.
#[cfg(not(all(unix, any(feature = "host", feature = "jit"))))]
pub(crate) fn out_of_the_way<F>(file: F) -> F {
    file
}

#[cfg(all(unix, any(feature = "host", feature = "jit")))]
mod unix {
    use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

    /// The least number of a descriptor of ours.
    pub(crate) const OWN: RawFd = 10;

    /// Moves an open file to where ours are; it stays where it is if there is no room.
    pub(crate) fn out_of_the_way<F: AsFd + From<OwnedFd>>(file: F) -> F {
        if file.as_fd().as_raw_fd() >= OWN {
            return file;
        }
        match rustix::io::fcntl_dupfd_cloexec(&file, OWN) {
            Ok(moved) => F::from(moved),
            Err(_) => file,
        }
    }
}
