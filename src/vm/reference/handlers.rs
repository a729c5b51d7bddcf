//! Builtins and extension ops: the embedder's handlers, and how they are held to their effect.
//!
//! A handler may do anything to the VM's public state, replace the chunk, and run machines of its
//! own; nothing that was read before it runs is used after it without a check.

use super::super::trap::{Fault, Step};
use super::super::{BuiltinHandler, VM};
use super::commands::not_redirected;
use super::{Machine, blocks};
use crate::chunk::{Effect, ImportKind};
use crate::code::Code;
use crate::engine::{Failure, Registry};
use crate::host::Host;
use crate::op::Op;
use crate::value::Value;

/// What runs a builtin.
#[derive(Clone, Copy)]
pub(super) enum BuiltinCode {
    /// A handler of the VM.
    Own(BuiltinHandler),
    /// The one at this place of the engine's.
    Shared(u32),
}

/// What the import table says about a handler.
#[derive(Clone, Copy)]
enum Contract {
    /// Nothing, as in chunks of the 0.9 line.
    Undeclared,
    /// That it does what it likes.
    Free,
    /// How many values it takes and leaves.
    Bound { pops: usize, pushes: usize },
}

impl Machine<'_> {
    /// `args -- r` Where control goes on.
    pub(super) fn call_builtin(&mut self, id: u16, argc: u8, next: usize) -> Step<usize> {
        let contract = self.contract(ImportKind::Builtin, id, usize::from(argc));
        let (pops, pushes) = match contract {
            Contract::Bound { pops, pushes } => (pops, pushes),
            Contract::Undeclared | Contract::Free => (usize::from(argc), 1),
        };
        let base = self.vm.stack.len().saturating_sub(pops);
        if self.takes_failure() {
            self.vm.stack.truncate(base);
            let left = (0..pushes).map(|_| not_redirected());
            self.vm.stack.extend(left);
            return Ok(next);
        }
        let Some(handler) = self.find_builtin(id) else {
            self.tolerate_missing(contract, ImportKind::Builtin, id)?;
            let result = self.vm.stack.drain(base..).next_back();
            self.vm.push(result.unwrap_or_default());
            return Ok(next);
        };
        let (result, next) = self.run_builtin(handler, argc, next, |result| result)?;
        match contract {
            Contract::Undeclared => self.vm.stack.truncate(base),
            Contract::Free => {}
            Contract::Bound { .. } => {
                // Of several results the handler leaves all but the last on the stack.
                let extra = pushes.saturating_sub(1);
                let Some(first) = self.vm.stack.len().checked_sub(extra) else {
                    return Err(wrong_effect(ImportKind::Builtin, id));
                };
                if first < base {
                    return Err(wrong_effect(ImportKind::Builtin, id));
                }
                // Most leave just that.
                if first > base {
                    self.vm.stack.drain(base..first);
                }
            }
        }
        if pushes > 0 {
            self.vm.push(result);
        }
        Ok(next)
    }

    /// What runs the builtin of this number: a handler of the VM goes before one of the engine.
    #[inline]
    pub(super) fn find_builtin(&self, id: u16) -> Option<BuiltinCode> {
        let own = self.vm.builtins.get(usize::from(id)).copied().flatten();
        own.map(BuiltinCode::Own).or_else(|| {
            self.shared_place(ImportKind::Builtin, id)
                .map(BuiltinCode::Shared)
        })
    }

    /// The place of the engine's handler for what the running unit imports.
    #[inline]
    fn shared_place(&self, kind: ImportKind, id: u16) -> Option<u32> {
        self.vm.link.unit()?.handler(kind, id)?.place
    }

    /// Runs a builtin; what `of` makes of its result, and where control goes on.
    #[inline]
    pub(super) fn run_builtin<R>(
        &mut self,
        builtin: BuiltinCode,
        argc: u8,
        next: usize,
        of: impl Fn(Value) -> R,
    ) -> Step<(R, usize)> {
        match builtin {
            BuiltinCode::Own(handler) => self.run_handler(next, |vm| of(handler(vm, argc))),
            BuiltinCode::Shared(place) => self.run_shared(next, |registry, vm| {
                registry.builtins.at(place)(vm, argc).map(&of)
            }),
        }
    }

    /// Runs a handler of the engine; its result, and where control goes on.
    fn run_shared<R>(
        &mut self,
        next: usize,
        act: impl FnOnce(&Registry, &mut VM) -> Result<R, Failure>,
    ) -> Step<(R, usize)> {
        // Held by the run: to count the handler itself once more would have all threads write to one
        // place.
        let held = self.registry.take().or_else(|| self.vm.link.registry());
        let registry = held.unwrap_or_default();
        let ran = self.run_handler(next, |vm| act(&registry, vm));
        self.registry = Some(registry);
        let (ended, next) = ran?;
        let result =
            ended.map_err(|failure| Fault::new(Code::HandlerFailed, failure.to_string()))?;
        Ok((result, next))
    }

    /// Does an extension op that is a plain function; `false` if it is none.
    #[inline]
    fn is_plain_function(&mut self, op: &Op) -> bool {
        let function = self.vm.link.unit().and_then(|unit| unit.plain_function(op));
        let Some(function) = function.cloned() else {
            return false;
        };
        let count = function.parameters().len();
        let height = self.vm.stack.len().saturating_sub(count);
        let mut values = self.vm.stack.split_off(height);
        values.resize(count, Value::Undef);
        self.vm.stack.push(function.call(&values));
        true
    }

    /// Where control goes on.
    pub(super) fn extended(&mut self, id: u16, arg: u8, next: usize) -> Step<usize> {
        if self.is_plain_function(&Op::Extended(id, arg)) {
            return Ok(next);
        }
        let kind = ImportKind::Extension;
        let contract = self.contract(kind, id, usize::from(arg));
        let height = self.vm.stack.len();
        if let Some(place) = self.shared_place(kind, id) {
            let ((), next) =
                self.run_shared(next, |registry, vm| registry.extensions.at(place)(vm, arg))?;
            self.hold_to(contract, kind, id, height)?;
            return Ok(next);
        }
        let Some(mut handler) = self.vm.extension.take() else {
            self.tolerate_missing(contract, kind, id)?;
            return Ok(next);
        };
        let ran = self.run_handler(next, |vm| handler(vm, id, arg));
        self.vm.extension.get_or_insert(handler);
        let ((), next) = ran?;
        self.hold_to(contract, kind, id, height)?;
        Ok(next)
    }

    /// Where control goes on.
    pub(super) fn extended_wide(&mut self, id: u16, payload: usize, next: usize) -> Step<usize> {
        if self.is_plain_function(&Op::ExtendedWide(id, payload)) {
            return Ok(next);
        }
        let kind = ImportKind::ExtensionWide;
        let contract = self.contract(kind, id, payload);
        let height = self.vm.stack.len();
        if let Some(place) = self.shared_place(kind, id) {
            let ((), next) =
                self.run_shared(next, |registry, vm| registry.wide.at(place)(vm, payload))?;
            self.hold_to(contract, kind, id, height)?;
            return Ok(next);
        }
        let Some(mut handler) = self.vm.extension_wide.take() else {
            self.tolerate_missing(contract, kind, id)?;
            return Ok(next);
        };
        let ran = self.run_handler(next, |vm| handler(vm, id, payload));
        self.vm.extension_wide.get_or_insert(handler);
        let ((), next) = ran?;
        self.hold_to(contract, kind, id, height)?;
        Ok(next)
    }

    /// Runs a handler that sees the state as if the next op were about to run, and follows what it
    /// did to the frames and to the instruction pointer.
    pub(super) fn run_handler<R>(
        &mut self,
        next: usize,
        act: impl FnOnce(&mut VM) -> R,
    ) -> Step<(R, usize)> {
        // The handler may print by other ways than the host.
        self.vm.flush()?;
        self.vm.ip = next;
        let frames = self.vm.frames.len();
        // What is redirected for the handler stays so for all that it runs.
        let outer = self.vm.shell.base;
        if self.vm.shell.is_active {
            self.vm.shell.base = self.vm.door().redirections();
        }
        let outermost = std::mem::replace(&mut self.vm.shell.outer_base, outer);
        let result = act(self.vm);
        self.vm.shell.outer_base = outermost;
        self.vm.shell.base = outer;
        self.check_exit()?;
        if self.vm.frames.len() != frames {
            self.frames_changed(frames)?;
        }
        let went_on = self.vm.ip;
        if went_on < self.region.start || went_on > self.region.end {
            return Err(blocks::leaves_block());
        }
        // A backward jump, so that no loop is free.
        if went_on < next {
            self.vm.charge(1)?;
        }
        Ok((result, went_on))
    }

    /// What the import table says about a handler that is given `argc` arguments.
    #[inline(always)]
    fn contract(&mut self, kind: ImportKind, id: u16, argc: usize) -> Contract {
        let declared = match self.vm.link.unit() {
            None => self.vm.index.declared_effect(&self.vm.chunk, kind, id),
            Some(unit) => unit.handler(kind, id).and_then(|handler| handler.declared),
        };
        match declared {
            None => Contract::Undeclared,
            Some(Effect::Unknown) => Contract::Free,
            Some(Effect::Arguments { pushes }) => Contract::Bound {
                pops: argc,
                pushes: usize::from(pushes),
            },
            Some(Effect::Fixed { pops, pushes }) => Contract::Bound {
                pops: usize::from(pops),
                pushes: usize::from(pushes),
            },
        }
    }

    /// Checks that an extension op which began at `height` did what its import declares.
    fn hold_to(&self, contract: Contract, kind: ImportKind, id: u16, height: usize) -> Step {
        match contract {
            Contract::Bound { pops, pushes }
                if self.vm.stack.len() != height.saturating_sub(pops) + pushes =>
            {
                Err(wrong_effect(kind, id))
            }
            Contract::Bound { .. } | Contract::Undeclared | Contract::Free => Ok(()),
        }
    }

    /// Lets pass that a handler is missing, if the module doesn't say that it needs it.
    fn tolerate_missing(&self, contract: Contract, kind: ImportKind, id: u16) -> Step {
        match contract {
            Contract::Undeclared => Ok(()),
            Contract::Free | Contract::Bound { .. } => Err(self.missing(kind, id)),
        }
    }

    /// The fault of a call of something that the module imports and nobody has registered.
    #[cold]
    fn missing(&self, kind: ImportKind, id: u16) -> Fault {
        let imports = &self.vm.running().imports;
        let import = imports.iter().find(|row| row.kind == kind && row.id == id);
        let name = import.map_or("", |row| &row.name);
        let message = format!("no {} is registered {}", kind.title(), called(id, name));
        Fault::new(Code::MissingImport, message)
    }
}

fn called(id: u16, name: &str) -> String {
    match name {
        "" => format!("under the number {id}"),
        name => format!("under the number {id}, called {name}"),
    }
}

#[cold]
fn wrong_effect(kind: ImportKind, id: u16) -> Fault {
    let kind = kind.title();
    let message = format!("the handler of {kind} {id} broke the effect that its import declares");
    Fault::new(Code::WrongEffect, message)
}
