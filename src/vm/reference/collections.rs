//! Ops on arrays, hashes and ranges; the arrays and hashes are globals.

use super::super::trap::Step;
use super::{Machine, stack};
use crate::value::{Value, collection};

impl Machine<'_> {
    /// `i -- v`
    pub(super) fn array_get(&mut self, name: u16) {
        let index = self.vm.pop();
        let value = collection::array_get(self.global(name), &index).clone();
        self.vm.push(value);
    }

    /// `v i --`
    pub(super) fn array_set(&mut self, name: u16) -> Step {
        let index = self.vm.pop();
        let value = self.vm.pop();
        self.vm.bulk(|vm, work| {
            let array = vm.global_mut(name);
            collection::array_set(array, &index, value, work)
        })
    }

    /// `v --`
    pub(super) fn array_push(&mut self, name: u16) -> Step {
        let value = self.vm.pop();
        let mut work = self.vm.meter.work();
        let pushed = collection::array_push(self.vm.global_mut(name), value, &mut work);
        pushed.map_err(|excess| self.vm.meter.fault_of(excess))
    }

    /// `-- v`
    pub(super) fn array_pop(&mut self, name: u16) {
        let value = collection::array_pop(self.vm.global_mut(name));
        self.vm.push(value);
    }

    /// `-- v`
    pub(super) fn array_shift(&mut self, name: u16) {
        let value = collection::array_shift(self.vm.global_mut(name));
        self.vm.push(value);
    }

    /// `-- n`
    pub(super) fn array_len(&mut self, name: u16) {
        let len = collection::array_len(self.global(name));
        self.vm.push(Value::Int(len));
    }

    /// `v1..vn -- a`
    pub(super) fn make_array(&mut self, count: u16) -> Step {
        let start = stack::height_below(&self.vm.stack, usize::from(count));
        let array = self
            .vm
            .bulk(|vm, work| collection::make_array(vm.stack.drain(start..), work))?;
        self.vm.push(array);
        Ok(())
    }

    /// `k -- v`
    pub(super) fn hash_get(&mut self, name: u16) -> Step {
        let key = self.vm.pop();
        let value = self.vm.bulk(|vm, work| {
            let hash = vm.global_mut(name);
            collection::hash_get(hash, &key, work).cloned()
        })?;
        self.vm.push(value);
        Ok(())
    }

    /// `v k --`
    pub(super) fn hash_set(&mut self, name: u16) -> Step {
        let key = self.vm.pop();
        let value = self.vm.pop();
        self.vm.bulk(|vm, work| {
            let hash = vm.global_mut(name);
            collection::hash_set(hash, &key, value, work)
        })
    }

    /// `k -- v`
    pub(super) fn hash_delete(&mut self, name: u16) -> Step {
        let key = self.vm.pop();
        let value = self
            .vm
            .bulk(|vm, work| collection::hash_delete(vm.global_mut(name), &key, work))?;
        self.vm.push(value);
        Ok(())
    }

    /// `k -- bool`
    pub(super) fn hash_exists(&mut self, name: u16) -> Step {
        let key = self.vm.pop();
        let exists = self
            .vm
            .bulk(|vm, work| collection::hash_exists(vm.global_mut(name), &key, work))?;
        self.vm.push(Value::Bool(exists));
        Ok(())
    }

    /// `-- a`
    pub(super) fn hash_keys(&mut self, name: u16) -> Step {
        let keys = self
            .vm
            .bulk(|vm, work| collection::hash_keys(vm.global_mut(name), work))?;
        self.vm.push(keys);
        Ok(())
    }

    /// `-- a`
    pub(super) fn hash_values(&mut self, name: u16) -> Step {
        let values = self
            .vm
            .bulk(|vm, work| collection::hash_values(vm.global_mut(name), work))?;
        self.vm.push(values);
        Ok(())
    }

    /// `k1 v1..kn vn -- h`, the count being 2n
    pub(super) fn make_hash(&mut self, count: u16) -> Step {
        let start = stack::height_below(&self.vm.stack, usize::from(count));
        let hash = self
            .vm
            .bulk(|vm, work| collection::make_hash(vm.stack.drain(start..), work))?;
        self.vm.push(hash);
        Ok(())
    }

    /// `from to -- a`
    pub(super) fn range(&mut self) -> Step {
        self.bulk_both(collection::range)
    }

    /// `from to step -- a`
    pub(super) fn range_step(&mut self) -> Step {
        let step = self.vm.pop();
        self.bulk_both(|from, to, work| collection::range_step(from, to, &step, work))
    }

    /// `a -- a`
    pub(super) fn sort_default(&mut self) -> Step {
        let array = self.vm.pop();
        let sorted = self
            .vm
            .bulk(|_, work| collection::sort_default(array, work))?;
        self.vm.push(sorted);
        Ok(())
    }
}
