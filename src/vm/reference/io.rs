//! Printing and reading lines.

use super::super::trap::Step;
use super::{Machine, stack};
use crate::host::Host;
use crate::value::{Value, convert};

/// The print buffer is kept for the next op up to this size.
const KEPT_BUFFER: usize = 1 << 16;

impl Machine<'_> {
    /// `v1..vn --` An op that traps prints nothing.
    pub(super) fn print(&mut self, count: u8, end: &[u8]) -> Step {
        let start = stack::height_below(&self.vm.stack, usize::from(count));
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        self.vm.bulk(|vm, work| {
            let mut values = vm.stack.drain(start..);
            values.try_for_each(|value| convert::append_form(&value, &mut text, work))
        })?;
        text.extend_from_slice(end);
        self.vm.write(&text)?;
        if text.capacity() <= KEPT_BUFFER {
            self.text = text;
        }
        Ok(())
    }

    /// `-- s`
    pub(super) fn read_line(&mut self) -> Step {
        let limit = self.vm.meter.limits().max_value;
        let line = self
            .vm
            .door()
            .read_line(limit)
            .map_err(|error| self.vm.host_fault("ReadLine", &error))?;
        let line = match line {
            Some(line) => {
                let len = line.len() as u64;
                self.vm.bulk(|_, work| work.charge(len))?;
                Value::bytes(line)
            }
            None => Value::Undef,
        };
        self.vm.push(line);
        // Waiting for input may have taken long.
        self.vm.meter.look()
    }
}
