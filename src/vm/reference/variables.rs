//! Slots and globals.
//!
//! Both lists may be shorter than an index: what isn't there reads as Undef, and a store makes the
//! list longer.

use super::super::Frame;
use super::super::trap::Step;
use super::Machine;
use crate::value::{Value, collection, number};

static UNDEF: Value = Value::Undef;

/// The value in a slot of the innermost frame.
#[inline(always)]
pub(super) fn slot(frames: &[Frame], slot: u16) -> &Value {
    frames
        .last()
        .and_then(|frame| frame.slots.get(usize::from(slot)))
        .unwrap_or(&UNDEF)
}

impl Machine<'_> {
    /// The slot of the innermost frame, to be changed; `None` if there is no frame.
    #[inline(always)]
    pub(super) fn slot_mut(&mut self, slot: u16) -> Step<Option<&mut Value>> {
        let place = usize::from(slot);
        match self.vm.frames.last() {
            None => return Ok(None),
            Some(frame) if place >= frame.slots.len() => self.grow_slots(place)?,
            Some(_) => {}
        }
        let frame = self.vm.frames.last_mut();
        Ok(frame.and_then(|frame| frame.slots.get_mut(place)))
    }

    /// Makes the innermost frame's list of slots reach `place`.
    #[inline(never)]
    fn grow_slots(&mut self, place: usize) -> Step {
        let Some(frame) = self.vm.frames.last_mut() else {
            return Ok(());
        };
        let before = frame.slots.capacity();
        frame.slots.resize(place + 1, Value::Undef);
        let grown = frame.slots.capacity() - before;
        self.vm
            .meter
            .slots_grown((grown * size_of::<Value>()) as u64);
        self.vm.check_memory()
    }

    /// Stores into a slot of the innermost frame; without a frame the value is dropped.
    #[inline(always)]
    pub(super) fn set_slot(&mut self, slot: u16, value: Value) -> Step {
        if let Some(place) = self.slot_mut(slot)? {
            *place = value;
        }
        Ok(())
    }

    /// A slot to Int, plus 1, which is also the result.
    #[inline(always)]
    pub(super) fn increment(&mut self, slot: u16) -> Step<i64> {
        let place = self.slot_mut(slot)?;
        let next = place.as_deref().unwrap_or(&UNDEF).to_int().wrapping_add(1);
        if let Some(place) = place {
            *place = Value::Int(next);
        }
        Ok(next)
    }

    /// Slot `a` becomes the sum of both, as Int.
    pub(super) fn add_assign_slot(&mut self, a: u16, b: u16) -> Step {
        let frames = &self.vm.frames;
        let sum = number::add_as_int(slot(frames, a), slot(frames, b));
        self.set_slot(a, sum)
    }

    /// `i -- v`
    pub(super) fn slot_array_get(&mut self, slot_index: u16) {
        let index = self.vm.pop();
        let array = slot(&self.vm.frames, slot_index);
        let value = collection::array_get(array, &index).clone();
        self.vm.push(value);
    }

    /// `v i --`
    pub(super) fn slot_array_set(&mut self, slot_index: u16) -> Step {
        let index = self.vm.pop();
        let value = self.vm.pop();
        let place = usize::from(slot_index);
        self.vm.bulk(|vm, work| {
            let frame = vm.frames.last_mut();
            match frame.and_then(|frame| frame.slots.get_mut(place)) {
                Some(array) => collection::array_set(array, &index, value, work),
                None => Ok(()),
            }
        })
    }

    /// The global of this name.
    #[inline(always)]
    pub(super) fn global(&mut self, name: u16) -> &Value {
        let place = self.vm.global_place(name);
        let value = self.vm.globals.get(place);
        value.unwrap_or(&UNDEF)
    }

    /// Stores into the global of this name.
    #[inline(always)]
    pub(super) fn set_global(&mut self, name: u16, value: Value) {
        *self.vm.global_mut(name) = value;
    }
}
