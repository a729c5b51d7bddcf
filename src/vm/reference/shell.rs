//! Running a command and waiting, file tests, globs, and what shells do to words. What needs copies of
//! the process is in [`processes`](super::processes), what surrounds commands in
//! [`commands`](super::commands).

use super::super::commands::CommandKind;
use super::super::limits::WORK_PER_FUEL;
use super::super::link::Callee;
use super::super::trap::{Fault, Step};
use super::commands::not_redirected;
use super::handlers::BuiltinCode;
use super::{FenceKind, Machine, Region, stack};
use crate::code::Code;
use crate::engine::Unit;
use crate::host::words::{self, WordLimits};
use crate::host::{Host, HostError, TooLarge};
use crate::op::Op;
use crate::shell_builtins::builtin_id;
use crate::value::{Array, ELEMENT_BYTES, Str, Value, Work, collection, string};
use smallvec::SmallVec;

/// How many words there is room for at first, when a text is split.
const FEW_WORDS: usize = 16;

/// What a word takes in memory beside its bytes, while it is on its way into an array: at most.
const WORD_BYTES: u64 = 256;

/// The status that a value stands for.
#[inline]
pub(super) fn status_of(value: &Value) -> i32 {
    match value {
        Value::Status(code) => *code,
        // Statuses have 32 bits.
        other => other.to_int() as i32,
    }
}

/// Whether a value is one word, alone or in an array.
#[inline]
fn is_one_word(value: &Value) -> bool {
    !matches!(value, Value::Array(items) if items.len() != 1)
}

/// Puts the one word of an array in its place, and the array in that of the spare one, if it isn't shared.
#[inline]
fn unpack_word(value: &mut Value, spare: &mut Option<Array>) {
    let Value::Array(items) = value else {
        return;
    };
    let Some(item) = items.unshared_mut(0) else {
        *value = items.first().cloned().unwrap_or_default();
        return;
    };
    let item = std::mem::take(item);
    if let Value::Array(items) = std::mem::replace(value, item) {
        *spare = Some(items);
    }
}

/// The words as strings.
fn strings(words: Vec<Vec<u8>>) -> Array {
    let words: Vec<_> = words.into_iter().map(Value::bytes).collect();
    Array::from(words)
}

/// What a command's name stands for.
enum Command {
    /// A function that the engine knows.
    Function(Callee),
    Other(CommandKind),
}

/// Operands of a command that need no memory while they are spread.
const FEW_OPERANDS: usize = 8;

/// How many ops before a command are looked at for its name.
const LOOK_BACK: usize = 64;

/// The name of the command at an op, if there is one and a constant is its name: what has lain on the stack
/// below its other words since.
fn constant_command(unit: &Unit, at: usize) -> Option<Str> {
    let (shape, chunk) = (unit.shape()?, unit.chunk());
    let Some(Op::Exec(argc)) = chunk.ops.get(at) else {
        return None;
    };
    let base = shape.height_at(at)?.checked_sub(u32::from(*argc))?;
    let mut before = (at.saturating_sub(LOOK_BACK)..at).rev();
    let pushes = before.find(|op| shape.height_at(*op).is_none_or(|height| height <= base))?;
    match chunk.ops[pushes] {
        Op::LoadConst(index) if shape.height_at(pushes) == Some(base) => {
            match chunk.constants.get(usize::from(index)) {
                Some(Value::Str(name)) => Some(name.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// How many words an op may make, and what it means if it would make more.
struct WordBudget {
    limits: WordLimits,
    excess: Code,
}

impl WordBudget {
    fn fault(&self, TooLarge: TooLarge) -> Fault {
        Fault::of(self.excess)
    }
}

impl Machine<'_> {
    /// `argv -- status` Where control goes on: behind the command, or in a sub of its name.
    pub(super) fn exec(&mut self, argc: u8, next: usize) -> Step<usize> {
        let base = self.spread_words(argc)?;
        if self.takes_failure() {
            self.vm.stack.truncate(base);
            self.vm.push(not_redirected());
            return Ok(next);
        }
        if self.vm.stack.len() == base {
            self.vm.push(Value::Status(0));
            return Ok(next);
        }
        let handler = match self.command_at(base)? {
            Command::Function(callee) => return self.exec_function(callee, base, next),
            Command::Other(CommandKind::Sub(entry)) => {
                self.deny_in_stage(base)?;
                self.vm.stack.remove(base);
                self.begin_command();
                self.enter_sub(base, next)?;
                return Ok(entry);
            }
            Command::Other(CommandKind::Builtin(id)) => self.find_builtin(id),
            Command::Other(CommandKind::Outside) => None,
        };
        let (status, next) = match handler {
            Some(handler) => {
                let (status, next) = self.exec_builtin(handler, base, next)?;
                self.vm.stack.truncate(base);
                (status, next)
            }
            None => {
                let argv = self.take_words(base);
                (self.exec_outside(&argv, next)?, next)
            }
        };
        self.vm.push(Value::Status(status));
        Ok(next)
    }

    /// Makes each word of a command one string on the stack. Gives where they begin.
    #[inline]
    fn spread_words(&mut self, argc: u8) -> Step<usize> {
        let base = stack::height_below(&self.vm.stack, usize::from(argc));
        let max_value = self.vm.meter.limits().max_value;
        match collection::size_of_words(&self.vm.stack[base..]) {
            // So few cost no fuel.
            Some(size) if size.units < WORK_PER_FUEL && size.bytes <= max_value => {
                if size.has_arrays {
                    self.unpack_arrays(base);
                }
            }
            _ => self.vm.bulk(|vm, work| {
                let words = collection::flatten(&vm.stack[base..], work)?;
                vm.stack.truncate(base);
                vm.stack.extend(words.into_iter().map(Value::Str));
                Ok(())
            })?,
        }
        Ok(base)
    }

    /// Puts the elements of arrays on the stack in their place, from `base` up.
    fn unpack_arrays(&mut self, base: usize) {
        // Most come of a word that was not split.
        if self.vm.stack[base..].iter().all(is_one_word) {
            for word in &mut self.vm.stack[base..] {
                unpack_word(word, &mut self.spare_word);
            }
            return;
        }
        let words: SmallVec<[Value; FEW_OPERANDS]> = self.vm.stack.drain(base..).collect();
        for word in words {
            match word {
                Value::Array(items) => self.vm.stack.extend(items.into_vec()),
                word => self.vm.stack.push(word),
            }
        }
    }

    /// Takes a command's words from the stack.
    fn take_words(&mut self, base: usize) -> Vec<Vec<u8>> {
        let words = self.vm.stack.drain(base..);
        words.map(|word| word.to_bytes_cow().into_owned()).collect()
    }

    /// What the name of the command whose words begin at `base` stands for.
    #[inline]
    fn command_at(&mut self, base: usize) -> Step<Command> {
        let vm = &mut *self.vm;
        if let Some(Value::Str(name)) = vm.stack.get(base)
            && let Some(kind) = vm.link.known_command(name)
        {
            return Ok(Command::Other(kind));
        }
        let name = self.command_name(base);
        self.look_up_command(&name)
    }

    /// Looks up the commands that a part of the code names by constants, the first time: copies of the
    /// process that run it would each do so anew.
    pub(super) fn look_up_ahead(&mut self, part: Region) {
        if !self.vm.link.begins_part(part.start) {
            return;
        }
        let Some(unit) = self.vm.link.unit().cloned() else {
            return;
        };
        for at in part.start..part.end {
            if let Some(name) = constant_command(&unit, at) {
                // Should it fail, it does so again where the command is run.
                let _ = self.look_up_command(&name);
            }
        }
    }

    /// The name of the command whose words begin at `base`.
    pub(super) fn command_name(&self, base: usize) -> Str {
        match self.vm.stack.get(base) {
            Some(Value::Str(name)) => name.clone(),
            _ => Str::default(),
        }
    }

    /// What a command's name stands for: a sub of the running chunk, else a function that the engine
    /// knows, else a builtin or a command of the host.
    #[cold]
    fn look_up_command(&mut self, name: &Str) -> Step<Command> {
        let text = name.to_utf8();
        let sub = match self.vm.link.unit() {
            None => self.vm.index.sub_named(&self.vm.chunk, name.as_bytes()),
            Some(unit) => text.and_then(|text| Some(unit.sub_named(text)?.op)),
        };
        let kind = if let Some(entry) = sub {
            CommandKind::Sub(entry)
        } else if let Some(callee) = self.present_function(name)? {
            return Ok(Command::Function(callee));
        } else if let Some(id) = text.and_then(builtin_id) {
            CommandKind::Builtin(id)
        } else {
            CommandKind::Outside
        };
        self.vm.link.note_command(name, kind);
        Ok(Command::Other(kind))
    }

    /// Begins a sub that is run as a command: what is redirected for it stays so until it ends.
    pub(super) fn begin_command(&mut self) {
        let outer = self.vm.shell.base;
        if self.vm.shell.is_active {
            self.vm.shell.base = self.vm.door().redirections();
        }
        self.raise_fence(FenceKind::Command { outer });
    }

    /// Runs a builtin as a command, whose words are on the stack from `base` up. Gives its status, and where
    /// control goes on.
    #[inline]
    fn exec_builtin(
        &mut self,
        handler: BuiltinCode,
        base: usize,
        next: usize,
    ) -> Step<(i32, usize)> {
        self.deny_in_stage(base)?;
        let Ok(argc) = u8::try_from(self.vm.stack.len() - base - 1) else {
            let command = self.command_name(base);
            let message = format!("{command} is a builtin and takes at most 255 words");
            return Err(Fault::new(Code::HostFailed, message));
        };
        self.run_builtin(handler, argc, next, |result| status_of(&result))
    }

    /// Refuses the command whose words begin at `base`, which isn't started as a process of its own, where
    /// this process runs a pipeline's stages.
    #[inline]
    pub(super) fn deny_in_stage(&self, base: usize) -> Step {
        match self.is_spawning() {
            true => Err(self.cant_be_copied(base)),
            false => Ok(()),
        }
    }

    #[cold]
    fn cant_be_copied(&self, base: usize) -> Fault {
        let command = self.command_name(base);
        let message = format!("Exec: {command}: {}", HostError::HasThreads);
        Fault::new(Code::NeedsHost, message)
    }

    /// The words of a command that is no sub and no builtin; `None` if there are none.
    pub(super) fn command_words(&mut self, argc: u8) -> Step<Option<Vec<Vec<u8>>>> {
        let base = self.spread_words(argc)?;
        let words = self.take_words(base);
        Ok((!words.is_empty()).then_some(words))
    }

    /// Runs a command of the host, which has one word at least, to its end; or becomes it, if nothing
    /// comes behind.
    fn exec_outside(&mut self, argv: &[Vec<u8>], next: usize) -> Step<i32> {
        self.vm.unflushed = false;
        let own = self.vm.door().own_command(argv);
        if let Some(status) = own.map_err(|error| self.vm.host_fault("Exec", &error))? {
            return Ok(status);
        }
        self.vm.write_exports();
        if self.is_spawning() {
            return self.spawn_stage(argv);
        }
        let ended = match self.is_last_command(next) {
            true => self.vm.door().replace(argv),
            false => self.vm.door().exec(argv),
        };
        let status = ended.map_err(|error| self.vm.host_fault("Exec", &error))?;
        // The command may have taken long.
        self.vm.meter.look()?;
        Ok(status)
    }

    /// The name index, in the running chunk, of the global with the separators of words.
    fn ifs_name(&mut self) -> Option<u16> {
        match self.vm.link.unit() {
            None => self.vm.index.ifs(&self.vm.chunk),
            Some(unit) => unit.ifs(),
        }
    }

    /// `path -- bool`
    pub(super) fn test_file(&mut self, test: u8) -> Step {
        let mut work = self.vm.meter.work();
        let path = self.pop_text(&mut work)?;
        self.vm.settle(&work)?;
        let tested = self.vm.door().test_file(test, path.as_bytes());
        let holds = tested.map_err(|error| self.vm.host_fault("TestFile", &error))?;
        self.vm.push(Value::Bool(holds));
        Ok(())
    }

    /// `pattern -- a`
    pub(super) fn glob(&mut self, recursive: bool) -> Step {
        let mut work = self.vm.meter.work();
        let pattern = self.pop_text(&mut work)?;
        let limit = self.word_budget(&work).limits.words;
        let found = self.vm.door().glob(pattern.as_bytes(), recursive, limit);
        let op = if recursive { "GlobRecursive" } else { "Glob" };
        let paths = found.map_err(|error| self.vm.host_fault(op, &error))?;
        self.push_words(strings(paths), work)?;
        // The file system may have been slow.
        self.vm.meter.look()
    }

    /// `s -- a`
    pub(super) fn word_split(&mut self) -> Step {
        let mut work = self.vm.meter.work();
        let text = self.pop_text(&mut work)?;
        let ifs = match self.ifs_name() {
            Some(name) => self.global(name).clone(),
            None => Value::Undef,
        };
        let ifs = match ifs {
            Value::Undef => None,
            set => Some(self.text_of(set, &mut work)?),
        };
        let ifs = ifs.as_ref().map_or(words::DEFAULT_IFS, Str::as_bytes);
        let budget = self.word_budget(&work);
        let mut words = Vec::new();
        for field in words::word_split(text.as_bytes(), ifs) {
            if words.len() == budget.limits.words {
                return Err(budget.fault(TooLarge));
            }
            // Of one word that is all of the text, the text itself.
            if field.len() == text.len() {
                let word = self.array_of_word(text.clone());
                return self.push_words(word, work);
            }
            if words.is_empty() {
                words.reserve((text.len() / 2 + 1).min(FEW_WORDS));
            }
            words.push(Value::Str(Str::from(field)));
        }
        self.push_words(Array::from(words), work)
    }

    /// An array of one word.
    #[inline]
    fn array_of_word(&mut self, word: Str) -> Array {
        let mut spare = self.spare_word.take();
        match spare.as_mut().and_then(|spare| spare.unshared_mut(0)) {
            Some(place) => *place = Value::Str(word),
            None => spare = Some(Array::from(vec![Value::Str(word)])),
        }
        spare.unwrap_or_default()
    }

    /// `s -- a`
    pub(super) fn brace_expand(&mut self) -> Step {
        let mut work = self.vm.meter.work();
        let word = self.pop_text(&mut work)?;
        let budget = self.word_budget(&work);
        let expanded = words::brace_expand(word.as_bytes(), budget.limits);
        let words = expanded.map_err(|error| budget.fault(error))?;
        self.push_words(strings(words), work)
    }

    /// `s -- s`
    pub(super) fn tilde_expand(&mut self) -> Step {
        let mut work = self.vm.meter.work();
        let word = self.pop_text(&mut work)?;
        let mut expanded = word.clone();
        if let Some((user, rest)) = words::tilde_split(word.as_bytes()) {
            let user = (!user.is_empty()).then_some(user);
            let found = self.vm.door().home_dir(user);
            let home = found.map_err(|error| self.vm.host_fault("TildeExpand", &error))?;
            if let Some(mut path) = home {
                path.extend_from_slice(rest);
                let len = path.len() as u64;
                let paid = work.fits(len).and_then(|()| work.charge(len));
                paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
                expanded = Str::from(path);
            }
        }
        self.vm.settle(&work)?;
        self.vm.push(Value::Str(expanded));
        Ok(())
    }

    /// Takes the string form of the top.
    pub(super) fn pop_text(&mut self, work: &mut Work) -> Step<Str> {
        let value = self.vm.pop();
        self.text_of(value, work)
    }

    /// The string form of a value.
    pub(super) fn text_of(&mut self, value: Value, work: &mut Work) -> Step<Str> {
        let text = string::to_string(value, work);
        text.map_err(|excess| self.vm.meter.fault_of(excess))
    }

    /// Pushes an array of words; costs a unit for each and for each of its bytes.
    fn push_words(&mut self, words: Array, mut work: Work) -> Step {
        let len = |word: &Value| match word {
            Value::Str(word) => word.len() as u64,
            _ => 0,
        };
        let (count, bytes) = (words.len() as u64, words.iter().map(len).sum::<u64>());
        let paid = work
            .fits_array(count)
            .and_then(|()| work.charge(count + bytes));
        paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
        self.vm.settle(&work)?;
        self.vm.push(Value::Array(words));
        Ok(())
    }

    /// What the limits leave room for, and which of them is the closest.
    fn word_budget(&self, work: &Work) -> WordBudget {
        let memory = self.vm.memory_left();
        let by_value = (work.max_value / ELEMENT_BYTES, work.max_value);
        let by_memory = (memory / WORD_BYTES, memory / 2);
        let by_fuel = (work.limit, work.limit);
        let (mut closest, mut excess) = (by_value, Code::ValueTooLarge);
        for (limit, code) in [(by_memory, Code::OutOfMemory), (by_fuel, Code::OutOfFuel)] {
            if limit.0 < closest.0 || limit.1 < closest.1 {
                closest = (closest.0.min(limit.0), closest.1.min(limit.1));
                excess = code;
            }
        }
        let saturated = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        WordBudget {
            limits: WordLimits {
                words: saturated(closest.0),
                bytes: saturated(closest.1),
            },
            excess,
        }
    }
}
