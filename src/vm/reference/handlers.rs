//! Builtins and extension ops: the embedder's handlers, and how they are held to their effect.
//!
//! A handler may do anything to the VM's public state, replace the chunk, and run machines of its
//! own; nothing that was read before it runs is used after it without a check.

use super::super::trap::{Fault, Step};
use super::super::{BuiltinHandler, VM};
use super::{Machine, blocks};
use crate::chunk::{Effect, ImportKind};
use crate::code::Code;
use crate::value::Value;

/// The values that a handler takes and leaves, if the import table says so.
#[derive(Clone, Copy)]
struct Declared {
    pops: usize,
    pushes: usize,
}

impl Machine<'_> {
    /// `args -- r` Where control goes on.
    pub(super) fn call_builtin(&mut self, id: u16, argc: u8, next: usize) -> Step<usize> {
        let declared = self.declared(ImportKind::Builtin, id, usize::from(argc))?;
        let effect = declared.unwrap_or(Declared {
            pops: usize::from(argc),
            pushes: 1,
        });
        let base = self.vm.stack.len().saturating_sub(effect.pops);
        let Some(handler) = self.vm.builtins.get(usize::from(id)).copied().flatten() else {
            if declared.is_some() {
                return Err(self.missing(ImportKind::Builtin, id));
            }
            let result = self.vm.stack.drain(base..).next_back();
            self.vm.push(result.unwrap_or_default());
            return Ok(next);
        };
        let (result, next) = self.run_builtin(handler, argc, next)?;
        let Some(extra) = effect.pushes.checked_sub(1) else {
            self.vm.stack.truncate(base);
            return Ok(next);
        };
        let height = self.vm.stack.len();
        if declared.is_some() && height < base + extra {
            return Err(wrong_effect(ImportKind::Builtin, id));
        }
        // Of several results the handler leaves all but the last on the stack.
        let first_extra = height.saturating_sub(extra).max(base);
        self.vm
            .stack
            .drain(base.min(height)..first_extra.min(height));
        self.vm.push(result);
        Ok(next)
    }

    /// Runs a builtin; its result, and where control goes on.
    pub(super) fn run_builtin(
        &mut self,
        handler: BuiltinHandler,
        argc: u8,
        next: usize,
    ) -> Step<(Value, usize)> {
        self.run_handler(next, |vm| handler(vm, argc))
    }

    /// Where control goes on.
    pub(super) fn extended(&mut self, id: u16, arg: u8, next: usize) -> Step<usize> {
        let declared = self.declared(ImportKind::Extension, id, usize::from(arg))?;
        let Some(mut handler) = self.vm.extension.take() else {
            return match declared {
                Some(_) => Err(self.missing(ImportKind::Extension, id)),
                None => Ok(next),
            };
        };
        let height = self.vm.stack.len();
        let ran = self.run_handler(next, |vm| handler(vm, id, arg));
        self.vm.extension.get_or_insert(handler);
        self.hold_to_effect(ImportKind::Extension, id, declared, height)?;
        ran.map(|((), next)| next)
    }

    /// Where control goes on.
    pub(super) fn extended_wide(&mut self, id: u16, payload: usize, next: usize) -> Step<usize> {
        let declared = self.declared(ImportKind::ExtensionWide, id, payload)?;
        let Some(mut handler) = self.vm.extension_wide.take() else {
            return match declared {
                Some(_) => Err(self.missing(ImportKind::ExtensionWide, id)),
                None => Ok(next),
            };
        };
        let height = self.vm.stack.len();
        let ran = self.run_handler(next, |vm| handler(vm, id, payload));
        self.vm.extension_wide.get_or_insert(handler);
        self.hold_to_effect(ImportKind::ExtensionWide, id, declared, height)?;
        ran.map(|((), next)| next)
    }

    /// Runs a handler that sees the state as if the next op were about to run, and follows what it
    /// did to the frames and to the instruction pointer.
    fn run_handler<R>(&mut self, next: usize, act: impl FnOnce(&mut VM) -> R) -> Step<(R, usize)> {
        // The handler may print by other ways than the host.
        self.vm.flush()?;
        self.vm.ip = next;
        let frames = self.vm.frames.len();
        let result = act(self.vm);
        if self.vm.frames.len() != frames {
            self.frames_changed(frames);
        }
        let next = self.vm.ip;
        if next < self.region.start || next > self.region.end {
            return Err(blocks::leaves_block());
        }
        Ok((result, next))
    }

    /// The effect that the import table declares; `None` if it declares none, or says that it is
    /// unknown.
    #[inline]
    fn declared(&mut self, kind: ImportKind, id: u16, argc: usize) -> Step<Option<Declared>> {
        let effect = self.vm.index.declared_effect(&self.vm.chunk, kind, id);
        let declared = match effect {
            None | Some(Effect::Unknown) => return Ok(None),
            Some(Effect::Arguments { pushes }) => Declared {
                pops: argc,
                pushes: usize::from(pushes),
            },
            Some(Effect::Fixed { pops, pushes }) => Declared {
                pops: usize::from(pops),
                pushes: usize::from(pushes),
            },
        };
        Ok(Some(declared))
    }

    /// Checks that an extension op which began at `height` did what its import declares.
    fn hold_to_effect(
        &self,
        kind: ImportKind,
        id: u16,
        declared: Option<Declared>,
        height: usize,
    ) -> Step {
        match declared {
            Some(effect)
                if self.vm.stack.len() != height.saturating_sub(effect.pops) + effect.pushes =>
            {
                Err(wrong_effect(kind, id))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The fault of a call of something that the module imports and nobody has registered.
    #[cold]
    fn missing(&self, kind: ImportKind, id: u16) -> Fault {
        let imports = &self.vm.chunk.imports;
        let import = imports.iter().find(|row| row.kind == kind && row.id == id);
        let name = import.map_or("", |row| &row.name);
        let message = format!("no {} is registered {}", kind_name(kind), called(id, name));
        Fault::new(Code::MissingImport, message)
    }
}

fn called(id: u16, name: &str) -> String {
    match name {
        "" => format!("under the number {id}"),
        name => format!("under the number {id}, called {name}"),
    }
}

fn kind_name(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Builtin => "builtin",
        ImportKind::Extension => "extension op",
        ImportKind::ExtensionWide => "wide extension op",
        ImportKind::Function => "function",
    }
}

#[cold]
fn wrong_effect(kind: ImportKind, id: u16) -> Fault {
    let kind = kind_name(kind);
    let message = format!("the handler of {kind} {id} broke the effect that its import declares");
    Fault::new(Code::WrongEffect, message)
}
