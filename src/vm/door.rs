//! The VM's way to its host: the default one is made at first use, and what is printed is counted.

use super::VM;
use super::trap::{Fault, Step};
use crate::code::Code;
use crate::engine::Engine;
use crate::host::{Guarded, Host, HostError};

/// The host of a VM that was given none: this process.
#[cfg(feature = "host")]
fn default_host() -> Box<dyn Host> {
    Box::new(crate::host::UnixHost::new())
}

/// The host of a VM that was given none: nothing at all.
#[cfg(not(feature = "host"))]
fn default_host() -> Box<dyn Host> {
    Box::new(crate::host::NullHost)
}

impl VM {
    /// The host, behind the policy.
    pub(super) fn door(&mut self) -> &mut Guarded<Box<dyn Host>> {
        let policy = self.policy;
        let engine = self.link.engine();
        self.host.get_or_insert_with(|| {
            let host = engine.and_then(Engine::host).unwrap_or_else(default_host);
            Guarded::new(host, policy)
        })
    }

    /// Prints to the host's buffered output.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Step {
        self.meter.print(bytes.len() as u64)?;
        self.unflushed = true;
        let written = self.door().write(bytes);
        written.map_err(|error| Fault::new(Code::HostFailed, format!("printing failed: {error}")))
    }

    /// Writes out what the host has buffered, if anything was printed.
    pub(super) fn flush(&mut self) -> Step {
        if !std::mem::take(&mut self.unflushed) {
            return Ok(());
        }
        let flushed = self.door().flush();
        flushed.map_err(|error| Fault::new(Code::HostFailed, format!("printing failed: {error}")))
    }

    /// The fault of the op of this name, to which the host gave no answer.
    #[cold]
    pub(super) fn host_fault(&self, op: &str, error: &HostError) -> Fault {
        match error {
            HostError::Missing => needs_host(op),
            HostError::HasThreads
            | HostError::Denied(_)
            | HostError::Failed(_)
            | HostError::TooLarge => Fault::new(error.code(), format!("{op}: {error}")),
        }
    }
}

/// The fault of an op that the host has nothing for.
#[cold]
pub(super) fn needs_host(op: &str) -> Fault {
    let message = format!("{op} needs something that this host doesn't have");
    Fault::new(Code::NeedsHost, message)
}
