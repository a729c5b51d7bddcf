//! Calls between chunks, and of functions of the host.
//!
//! Such a call is a call like any other, with a note of the unit to go back to. Its function is held
//! to what the caller's import says: so many arguments, and one value or none.

use super::super::link::{Callee, CodeLink, Wants};
use super::super::trap::{Fault, Step};
use super::calls::OUTSIDE;
use super::shell::status_of;
use super::{Machine, running};
use crate::code::Code;
use crate::engine::{CompileRequest, Function, LinkError};
use crate::value::{Str, Value};
use std::sync::Arc;

impl Machine<'_> {
    /// `args -- r?` Where a function of another chunk begins, or control goes on behind one of the
    /// host.
    #[inline(never)]
    pub(super) fn call_import(&mut self, name: u16, argc: u8, return_ip: usize) -> Step<usize> {
        let base = self.vm.stack.len().saturating_sub(usize::from(argc));
        let callee = match self.vm.link.callee(name) {
            Some(callee) => callee,
            None => self.resolve(name)?,
        };
        match callee {
            Callee::Code(code, wants) => {
                if code.entry.argc.is_some_and(|expected| expected != argc) {
                    return Err(self.wrong_count(name, argc, code));
                }
                self.fence_call();
                self.enter_function(code, wants, base, return_ip)?;
                Ok(code.entry.op)
            }
            Callee::Host(function, wants) => {
                self.vm.charge(1)?;
                let ended = self.call_host(&function, argc, base, return_ip);
                self.vm.link.give_back(name, function);
                let (value, next) = ended?;
                if wants != Wants::Nothing {
                    self.vm.push(value);
                }
                Ok(next)
            }
        }
    }

    #[cold]
    fn resolve(&mut self, name: u16) -> Step<Callee> {
        match self.vm.link.resolve(name) {
            Ok(Some(callee)) => Ok(callee),
            Ok(None) => {
                let chunk = running(&self.vm.chunk, &self.vm.link);
                let name = chunk.names.get(usize::from(name));
                Err(Fault::undefined(name.map_or("?", String::as_str)))
            }
            Err(error) => Err(link_fault(&error)),
        }
    }

    /// Opens the frame of a call of another chunk and goes there.
    fn enter_function(
        &mut self,
        code: CodeLink,
        wants: Wants,
        base: usize,
        return_ip: usize,
    ) -> Step {
        self.enter_sub(base, return_ip)?;
        let frame = self.vm.frames.len() - 1;
        self.heights = None;
        self.vm.link.enter(code.place, frame, wants);
        if code.entry.args_in_slots {
            for place in 0..self.vm.stack.len() - base {
                let value = std::mem::take(&mut self.vm.stack[base + place]);
                // A call has at most 255 arguments.
                self.set_slot(place as u16, value)?;
            }
            self.vm.stack.truncate(base);
        }
        Ok(())
    }

    /// Notes that the last frame is that of a call into the chunk at `place`, made by the engine.
    pub(in super::super) fn note_link(&mut self, place: u32, wants: Wants) {
        self.heights = None;
        let frame = self.vm.frames.len() - 1;
        self.vm.link.enter(place, frame, wants);
    }

    /// Runs a function of the host. Its arguments are gone then.
    fn call_host(
        &mut self,
        function: &Arc<Function>,
        argc: u8,
        base: usize,
        next: usize,
    ) -> Step<(Value, usize)> {
        let (ended, next) = self.run_handler(next, |vm| function(vm, argc))?;
        let value =
            ended.map_err(|failure| Fault::new(Code::HandlerFailed, failure.to_string()))?;
        self.vm.stack.truncate(base);
        Ok((value, next))
    }

    /// Begins a call of a function that the engine knows from outside of the program.
    pub(super) fn begin_function(&mut self, name: &str, base: usize) -> Step {
        let found = match self.vm.link.resolve_named(name) {
            Ok(found) => found,
            Err(error) => return Err(link_fault(&error)),
        };
        let argc = self.vm.stack.len() - base;
        match found {
            None => Err(Fault::undefined(name)),
            Some(Callee::Host(function, _)) => {
                let Ok(argc) = u8::try_from(argc) else {
                    return Err(too_many(name, argc));
                };
                self.vm.charge(1)?;
                let (value, _) = self.call_host(&function, argc, base, self.vm.ip)?;
                self.vm.push(value);
                self.vm.ip = OUTSIDE;
                Ok(())
            }
            Some(Callee::Code(code, wants)) => {
                if argc > usize::from(u8::MAX) {
                    return Err(too_many(name, argc));
                }
                if let Some(expected) = code.entry.argc
                    && usize::from(expected) != argc
                {
                    let message = format!("{name} takes {expected} arguments, not {argc}");
                    return Err(Fault::new(Code::ImportMismatch, message));
                }
                self.enter_function(code, wants, base, OUTSIDE)?;
                self.vm.ip = code.entry.op;
                Ok(())
            }
        }
    }

    /// The function that the engine knows by the name of a command, if there is one.
    pub(super) fn present_function(&mut self, name: &Str) -> Step<Option<Callee>> {
        let found = match name.to_utf8() {
            Some(name) => self.vm.link.resolve_present(name),
            None => Ok(None),
        };
        found.map_err(|error| link_fault(&error))
    }

    /// Runs a function that the engine knows as a command, whose words begin at `base`. Where control goes on.
    pub(super) fn exec_function(
        &mut self,
        callee: Callee,
        base: usize,
        next: usize,
    ) -> Step<usize> {
        self.deny_in_stage(base)?;
        let count = self.vm.stack.len() - base - 1;
        let Ok(argc) = u8::try_from(count) else {
            return Err(too_many(self.command_name(base).as_str(), count));
        };
        self.vm.stack.remove(base);
        match callee {
            Callee::Host(function, _) => {
                self.vm.charge(1)?;
                let (value, next) = self.call_host(&function, argc, base, next)?;
                self.vm.push(Value::Status(status_of(&value)));
                Ok(next)
            }
            Callee::Code(code, wants) => {
                self.begin_command();
                self.enter_function(code, wants, base, next)?;
                Ok(code.entry.op)
            }
        }
    }

    /// Begins to run what the engine's compiler makes of a text.
    pub(in super::super) fn begin_text(&mut self, request: CompileRequest<'_>) -> Step {
        let code = match self.vm.link.compile(request) {
            Ok(Some(code)) => code,
            Ok(None) => {
                let message = "there is no compiler for text";
                return Err(Fault::new(Code::HandlerFailed, message));
            }
            Err(error) => return Err(link_fault(&error)),
        };
        let base = self.vm.stack.len();
        self.enter_function(code, Wants::Any, base, OUTSIDE)?;
        self.vm.ip = code.entry.op;
        Ok(())
    }

    /// Control is past the last op: that ends the program, or the function of another chunk that it is
    /// in, with the top of the stack for its value. Where the caller goes on.
    pub(super) fn end_of_code(&mut self) -> Option<usize> {
        if self.vm.link.returns.len() <= self.link_floor {
            return None;
        }
        let call = *self.vm.link.returns.last()?;
        let frame = self.vm.frames.get(call.frame)?;
        let (return_ip, stack_base) = (frame.return_ip, frame.stack_base);
        let value = match self.vm.stack.len() > stack_base {
            true => self.vm.stack.pop(),
            false => None,
        };
        for frame in &self.vm.frames[call.frame..] {
            if frame.return_ip != super::SCOPE {
                self.vm.meter.leave_call();
            }
        }
        self.vm.truncate_frames(call.frame);
        self.vm.stack.truncate(stack_base);
        self.vm.link.leave(call.frame);
        if self.lower_fences(call.frame) {
            let status = value.as_ref().map_or(self.vm.last_status, status_of);
            self.vm.push(Value::Status(status));
            return Some(return_ip);
        }
        match call.wants {
            Wants::Nothing => {}
            Wants::Any => self.vm.stack.extend(value),
            Wants::Value => self.vm.push(value.unwrap_or_default()),
        }
        Some(return_ip)
    }

    #[cold]
    fn wrong_count(&self, name: u16, argc: u8, code: CodeLink) -> Fault {
        let name = self.vm.running().names.get(usize::from(name));
        let name = name.map_or("?", String::as_str);
        let titles = self.vm.link.titles(code);
        let (caller, function) = titles.unwrap_or_default();
        let expected = code.entry.argc.unwrap_or_default();
        let message =
            format!("{caller} calls {name} with {argc} arguments, and {function} takes {expected}");
        Fault::new(Code::ImportMismatch, message)
    }
}

#[cold]
fn link_fault(error: &LinkError) -> Fault {
    Fault::new(error.code(), error.to_string())
}

#[cold]
fn too_many(name: &str, argc: usize) -> Fault {
    let message = format!("{name} is called with {argc} arguments, and a call has at most 255");
    Fault::new(Code::ImportMismatch, message)
}
