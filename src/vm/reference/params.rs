//! `ExpandParam`: what stands for a parameter, and what its modifiers make of it.
//!
//! A parameter is a global variable by its name, else a variable of the environment; `?`, `$` and `!` are
//! the status and the processes of a shell, digits, `#`, `@` and `*` what the program was called with.

use super::super::trap::{Fault, Step};
use super::Machine;
use crate::code::Code;
use crate::host::params::{self, End};
use crate::host::{Host, HostError, TooLarge};
use crate::op::param_mod;
use crate::value::{Array, Str, Value, Work};

/// The global that holds what the program was called with.
const ARGUMENTS: &str = "ARGV";

/// The status that a parameter which must be set ends the program with.
const STATUS_UNSET: i32 = 2;

impl Machine<'_> {
    /// `name args -- s`
    pub(super) fn expand_param(&mut self, modifier: u8) -> Step {
        let mut work = self.vm.meter.work();
        let result = self.expanded(modifier, &mut work)?;
        self.vm.settle(&work)?;
        self.vm.push(result);
        self.check_exit()
    }

    fn expanded(&mut self, modifier: u8, work: &mut Work) -> Step<Value> {
        let result = match modifier {
            param_mod::DEFAULT..=param_mod::ALTERNATE => return self.or_word(modifier, work),
            param_mod::STRIP_SHORT..=param_mod::RSTRIP_LONG => {
                let pattern = self.pop_text(work)?;
                let text = self.named_text(work)?;
                let end = match modifier {
                    param_mod::STRIP_SHORT | param_mod::STRIP_LONG => End::Front,
                    _ => End::Back,
                };
                let longest = matches!(modifier, param_mod::STRIP_LONG | param_mod::RSTRIP_LONG);
                params::strip(text.as_bytes(), pattern.as_bytes(), end, longest).map(<[u8]>::to_vec)
            }
            param_mod::SUBST_FIRST | param_mod::SUBST_ALL => {
                let replacement = self.pop_text(work)?;
                let pattern = self.pop_text(work)?;
                let text = self.named_text(work)?;
                let [text, pattern, replacement] =
                    [&text, &pattern, &replacement].map(|text| text.as_bytes());
                let all = modifier == param_mod::SUBST_ALL;
                params::substitute(text, pattern, replacement, all, work.max_value)
            }
            param_mod::UPPER..=param_mod::LOWER_FIRST => {
                let text = self.named_text(work)?.as_bytes().to_vec();
                let upper = matches!(modifier, param_mod::UPPER | param_mod::UPPER_FIRST);
                let first = matches!(modifier, param_mod::UPPER_FIRST | param_mod::LOWER_FIRST);
                Ok(params::change_case(text, upper, first))
            }
            param_mod::LENGTH => return self.length(work),
            param_mod::INDIRECT => {
                let name = self.named_text(work)?;
                let text = self.text_of_param(&name, work)?;
                Ok(text.as_bytes().to_vec())
            }
            param_mod::KEYS => return self.keys(work),
            param_mod::SLICE => return self.slice(work),
            _ => {
                let message = format!("ExpandParam: there is no modifier {modifier}, only 0 to 17");
                return Err(Fault::new(Code::HostFailed, message));
            }
        };
        let text = result.map_err(|TooLarge| Fault::of(Code::ValueTooLarge))?;
        self.paid(text, work)
    }

    /// A text that has to be paid for.
    fn paid(&mut self, text: Vec<u8>, work: &mut Work) -> Step<Value> {
        let len = text.len() as u64;
        let paid = work.fits(len).and_then(|()| work.charge(len));
        paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
        Ok(Value::bytes(text))
    }

    /// Default, assign, error, alternate: a word stands in for what is unset or empty, or isn't.
    fn or_word(&mut self, modifier: u8, work: &mut Work) -> Step<Value> {
        let word = self.vm.pop();
        let name = self.pop_text(work)?;
        let value = self.value_of(&name)?;
        let text = self.text_of(value, work)?;
        match (modifier, text.as_bytes().is_empty()) {
            (param_mod::ALTERNATE, true) => Ok(Value::Str(Str::default())),
            (param_mod::ALTERNATE, false) | (param_mod::DEFAULT, true) => {
                Ok(Value::Str(self.text_of(word, work)?))
            }
            (param_mod::ASSIGN, true) => {
                let word = self.text_of(word, work)?;
                self.assign(&name, Value::Str(word.clone()))?;
                Ok(Value::Str(word))
            }
            (param_mod::ERROR, true) => {
                let word = self.text_of(word, work)?;
                let mut message = [name.as_bytes(), b": "].concat();
                match word.as_bytes() {
                    b"" => message.extend_from_slice(b"parameter not set"),
                    word => message.extend_from_slice(word),
                }
                message.push(b'\n');
                let told = self.vm.door().write_error(&message);
                match told {
                    // Who has no standard error is told by the status alone.
                    Ok(()) | Err(HostError::Missing | HostError::Failed(_)) => {}
                    Err(error) => return Err(self.vm.host_fault("ExpandParam", &error)),
                }
                self.vm.exit(STATUS_UNSET);
                Ok(Value::Undef)
            }
            (_, _) => Ok(Value::Str(text)),
        }
    }

    fn assign(&mut self, name: &Str, value: Value) -> Step {
        match name.to_utf8() {
            Some(name) if is_name(name) => {
                self.vm.set_global(name, value);
                Ok(())
            }
            _ => {
                let message = format!("ExpandParam: {name} can't be assigned to");
                Err(Fault::new(Code::HostFailed, message))
            }
        }
    }

    /// How long the value is: in bytes, or the number of elements.
    fn length(&mut self, work: &mut Work) -> Step<Value> {
        let name = self.pop_text(work)?;
        let length = match self.value_of(&name)? {
            Value::Array(items) => items.len(),
            Value::Hash(map) => map.len(),
            value => self.text_of(value, work)?.as_bytes().len(),
        };
        // No value is longer than an Int can say.
        Ok(Value::Int(length as i64))
    }

    /// The indices of an array, the keys of a hash; of anything else that is set, the index 0.
    fn keys(&mut self, work: &mut Work) -> Step<Value> {
        let name = self.pop_text(work)?;
        let keys: Array = match self.value_of(&name)? {
            Value::Undef => Array::default(),
            Value::Array(items) => (0..items.len())
                .map(|index| Value::Int(index as i64))
                .collect(),
            Value::Hash(map) => map.iter().map(|(key, _)| Value::Str(key.clone())).collect(),
            _ => [Value::Int(0)].into_iter().collect(),
        };
        let count = keys.len() as u64;
        let paid = work.fits_array(count).and_then(|()| work.charge(count));
        paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
        Ok(Value::Array(keys))
    }

    /// Some bytes of the value, or some elements of an array. No length means all from the offset on.
    fn slice(&mut self, work: &mut Work) -> Step<Value> {
        let count = match self.vm.pop() {
            Value::Undef => None,
            count => Some(count.to_int()),
        };
        let offset = self.vm.pop().to_int();
        let name = self.pop_text(work)?;
        match self.value_of(&name)? {
            Value::Array(items) => {
                let range = params::slice(items.len(), offset, count).unwrap_or(0..0);
                let part: Array = items[range].iter().cloned().collect();
                let paid = work.charge(part.len() as u64);
                paid.map_err(|excess| self.vm.meter.fault_of(excess))?;
                Ok(Value::Array(part))
            }
            value => {
                let text = self.text_of(value, work)?;
                let bytes = text.as_bytes();
                let range = params::slice(bytes.len(), offset, count).unwrap_or(0..0);
                self.paid(bytes[range].to_vec(), work)
            }
        }
    }

    /// The string form of the parameter whose name is on top.
    fn named_text(&mut self, work: &mut Work) -> Step<Str> {
        let name = self.pop_text(work)?;
        self.text_of_param(&name, work)
    }

    fn text_of_param(&mut self, name: &Str, work: &mut Work) -> Step<Str> {
        let value = self.value_of(name)?;
        self.text_of(value, work)
    }

    /// What stands for a parameter; Undef if nothing does.
    fn value_of(&mut self, name: &Str) -> Step<Value> {
        let special = match name.as_bytes() {
            b"?" => Some(Value::Status(self.vm.last_status)),
            b"$" => Some(self.process_id()?),
            b"!" => {
                let job = self.vm.door().last_job();
                Some(job.map_or(Value::Undef, |id| Value::Int(i64::from(id))))
            }
            b"#" => match self.arguments() {
                Value::Array(items) => Some(Value::Int(items.len() as i64)),
                _ => Some(Value::Int(0)),
            },
            b"@" | b"*" => Some(self.arguments()),
            digits if digits.first().is_some_and(u8::is_ascii_digit) => Some(self.argument(digits)),
            _ => None,
        };
        if let Some(value) = special {
            return Ok(value);
        }
        let global = name.to_utf8().and_then(|name| self.vm.global(name));
        match global {
            Some(Value::Undef) | None => {}
            Some(value) => return Ok(value.clone()),
        }
        match self.vm.door().env(name.as_bytes()) {
            Ok(Some(value)) => Ok(Value::bytes(value)),
            // A host without an environment has no variables.
            Ok(None) | Err(HostError::Missing) => Ok(Value::Undef),
            Err(error) => Err(self.vm.host_fault("ExpandParam", &error)),
        }
    }

    fn process_id(&mut self) -> Step<Value> {
        let id = self.vm.door().process_id();
        let id = id.map_err(|error| self.vm.host_fault("ExpandParam", &error))?;
        Ok(Value::Int(i64::from(id)))
    }

    fn arguments(&mut self) -> Value {
        self.vm.global(ARGUMENTS).cloned().unwrap_or_default()
    }

    /// One of the arguments, counted from 1.
    fn argument(&mut self, digits: &[u8]) -> Value {
        let digits = std::str::from_utf8(digits).ok();
        let place = digits.and_then(|digits| digits.parse::<usize>().ok());
        match (
            self.arguments(),
            place.and_then(|place| place.checked_sub(1)),
        ) {
            (Value::Array(items), Some(place)) => items.get(place).cloned().unwrap_or_default(),
            _ => Value::Undef,
        }
    }
}

/// Whether a variable can have this name.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    name.bytes().all(is_part)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}
