//! What a shell program has set for itself: traps, options, exported variables, and how it wants to end.
//!
//! It is the VM's own, so that builtins can change it. What the ops do with it stands with the reference
//! interpreter.

use super::VM;
use crate::engine::Unit;
use crate::host::{Capability, Host};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Options of a shell that ops look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShellOptions {
    /// A status but 0 that [`SetStatus`](crate::Op::SetStatus) sets ends the program with that status.
    pub errexit: bool,
    /// The status of a pipeline is that of its last stage that failed, not that of the last.
    pub pipefail: bool,
}

/// What runs when a signal has come.
#[derive(Debug, Clone)]
pub(super) struct Handler {
    /// A block of the chunk that has set it.
    pub(super) block: u16,
    /// That chunk, if it isn't the VM's own.
    pub(super) unit: Option<Arc<Unit>>,
}

/// A global that commands get in their environment.
#[derive(Debug)]
struct Export {
    name: String,
    /// What commands have got so far.
    text: Option<Vec<u8>>,
}

/// The state.
#[derive(Debug, Default)]
pub(super) struct ShellState {
    /// Whether anything below was ever set, so that the ends of commands have to look.
    pub(super) is_active: bool,
    pub(super) options: ShellOptions,
    /// By number; 0 is the end of the program.
    pub(super) traps: BTreeMap<i32, Handler>,
    /// Signals that came and whose handlers haven't run, one bit each.
    pub(super) pending: u64,
    /// Signals whose handlers run.
    pub(super) running: u64,
    /// Redirections that belong to marks; those above belong to the next command.
    pub(super) base: usize,
    /// The same, for the command whose handler runs: below are those of the commands around it.
    pub(super) outer_base: usize,
    /// Whether a redirection for the next command has failed.
    pub(super) has_failed: bool,
    /// Whether the next subshell runs in the background.
    pub(super) is_background: bool,
    /// How many copies of processes lie between the first one and this.
    pub(super) copies: u32,
    /// The status to end with, once the program has asked for that.
    pub(super) exit: Option<i32>,
    exports: Option<Vec<Export>>,
}

impl ShellState {
    /// Becomes that of a copy of the process: what is caught or belongs to the parent is forgotten.
    pub(super) fn enter_copy(&mut self, ignores: impl Fn(&Handler) -> bool) {
        self.traps
            .retain(|signal, handler| *signal != 0 && ignores(handler));
        self.pending = 0;
        self.running = 0;
        self.base = 0;
        self.has_failed = false;
        self.is_background = false;
        self.exit = None;
        self.copies += 1;
    }
}

impl VM {
    /// The host, behind the policy: what handlers reach the outside through.
    pub fn host(&mut self) -> &mut dyn Host {
        self.door()
    }

    /// Ends the program with this status, as soon as the handler that asks for it returns: its trap for the
    /// end of the program runs, and the status is its result.
    pub fn exit(&mut self, status: i32) {
        self.shell.exit = Some(status);
    }

    /// Has the redirections of the command whose handler runs stay for good, or, within a
    /// [`RedirectMark`](crate::Op::RedirectMark), until its end.
    pub fn keep_redirections(&mut self) {
        let height = self.shell.outer_base;
        self.door().keep_redirections(height);
    }

    /// Whether descriptors are redirected at present: what a builtin prints then is its own to write out, as
    /// whether that can be done is its success.
    pub fn has_redirections(&mut self) -> bool {
        self.shell.is_active && self.door().redirections() > 0
    }

    /// The options of the shell.
    pub fn shell_options(&self) -> ShellOptions {
        self.shell.options
    }

    /// Sets the options of the shell.
    pub fn set_shell_options(&mut self, options: ShellOptions) {
        self.shell.is_active = true;
        self.shell.options = options;
    }

    /// Gives commands the global of this name in their environment, with the value that it has when they
    /// are started. Globals whose names are in the environment from the start need no export.
    pub fn export(&mut self, name: &str) {
        let name = name.to_owned();
        let exports = self.exports();
        if !exports.iter().any(|export| export.name == name) {
            exports.push(Export { name, text: None });
        }
    }

    /// The exported globals: at first those whose names are in the environment.
    fn exports(&mut self) -> &mut Vec<Export> {
        if self.shell.exports.is_none() {
            let names = match self.policy.allows(Capability::Env) {
                true => self.running().names.clone(),
                false => Vec::new(),
            };
            let door = self.door();
            let exported = names.into_iter().filter_map(|name| {
                let text = door.env(name.as_bytes()).ok().flatten()?;
                let text = Some(text);
                Some(Export { name, text })
            });
            self.shell.exports = Some(exported.collect());
        }
        self.shell.exports.get_or_insert_default()
    }

    /// Writes the values of exported globals, as far as they have changed, to the environment of commands.
    pub(super) fn write_exports(&mut self) {
        self.exports();
        let mut exports = self.shell.exports.take().unwrap_or_default();
        for export in &mut exports {
            let Some(value) = self.global(&export.name) else {
                continue;
            };
            if matches!(value, crate::value::Value::Undef) {
                continue;
            }
            let text = value.to_str().as_bytes().to_vec();
            if export.text.as_ref() != Some(&text) {
                // What can't be a variable of the environment isn't one, as in every shell.
                let _ = self.door().set_env(export.name.as_bytes(), Some(&text));
                export.text = Some(text);
            }
        }
        self.shell.exports = Some(exports);
    }
}
