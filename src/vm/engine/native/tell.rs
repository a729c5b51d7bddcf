//! What the JIT decides, for whoever listens: by the crate `log`, and new code to the VM's listener.
//! The library itself prints nothing.

#![allow(unsafe_code)]
#![allow(unsafe_op_in_unsafe_fn, reason = "see the parent module")]

use super::super::Activation;
use super::super::dispatch::Pc;
use super::obtain::{Origin, Outcome};
use super::reason_text;
use super::roots::Root;
use crate::jit::NewCode;
use crate::jit::abi::Reason;
use crate::jit::listing::title_of;
use std::time::Duration;

/// What log messages are from.
const TARGET: &str = "fusevm::jit";

/// Tells what came of asking for code.
pub(super) unsafe fn compiled(act: *mut Activation, root: Root, took: Duration, outcome: &Outcome) {
    let listener = (*act).machine_vm().engine.listener.clone();
    if listener.is_none() && !log::log_enabled!(target: TARGET, log::Level::Info) {
        return;
    }
    let title = title(act, root);
    match outcome {
        Err(why) => log::info!(target: TARGET, "{title}: not compiled, {why}"),
        Ok((compiled, origin)) => {
            let (code, count) = (compiled.code.bytes(), compiled.instructions);
            let from = match origin {
                Origin::Compiled => "compiled",
                Origin::Shared => "taken from another VM",
            };
            log::info!(
                target: TARGET,
                "{title}: {from} in {took:.1?}, {count} instructions ({} inline) to {} bytes",
                compiled.inline,
                code.len(),
            );
            if let Some(listener) = listener {
                listener(&NewCode {
                    name: &title,
                    address: code.as_ptr().addr(),
                    code,
                });
            }
        }
    }
}

/// Tells that something isn't even tried.
pub(super) unsafe fn gave_up(act: *mut Activation, root: Root, why: &str) {
    if log::log_enabled!(target: TARGET, log::Level::Debug) {
        log::debug!(target: TARGET, "{}: not compiled, {why}", title(act, root));
    }
}

/// Tells that code is dropped, as other code is worth more now.
pub(super) unsafe fn dropped(act: *mut Activation, root: Root) {
    if log::log_enabled!(target: TARGET, log::Level::Debug) {
        let title = title(act, root);
        log::debug!(target: TARGET, "{title}: dropped, to be compiled anew");
    }
}

/// Tells that arguments, or a frame's registers, weren't of the kinds that code is for.
pub(super) unsafe fn refused(act: *mut Activation, root: Root) {
    if log::log_enabled!(target: TARGET, log::Level::Debug) {
        let title = title(act, root);
        log::debug!(target: TARGET, "{title}: not entered, values are of other kinds");
    }
}

/// Tells where native code was left, and why.
pub(super) unsafe fn left(act: *mut Activation, reason: Reason, pc: Pc) {
    let level = match reason {
        Reason::Guard => log::Level::Debug,
        Reason::Resume | Reason::Fuel | Reason::Fault | Reason::Part => log::Level::Trace,
    };
    if log::log_enabled!(target: TARGET, level) {
        let title = title(act, Root::frame(act, pc));
        log::log!(target: TARGET, level, "{title}: left, {}", reason_text(reason));
    }
}

/// What is compiled or left, with its op.
unsafe fn title(act: *mut Activation, root: Root) -> String {
    let program = &*root.program;
    let code = program.code(root.region);
    // A copy of a VM's own chunk has no names.
    let vm: *mut _ = (*act).machine_vm();
    let (chunk, of) = match program.source_unit() {
        Some(unit) => (unit.chunk(), format!(" of {}", unit.title())),
        None => (&(*vm).chunk, String::new()),
    };
    let name = title_of(chunk, program.shape(), root.region);
    match (root.position, code) {
        (Some(position), Some(code)) => {
            let op = code.ops[position];
            let line = chunk.lines.get(op as usize).filter(|line| **line > 0);
            let line = line.map_or(String::new(), |line| format!(", line {line}"));
            format!("{name}{of} at op {op}{line}")
        }
        _ => format!("{name}{of}"),
    }
}
