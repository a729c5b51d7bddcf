//! The fused loops on slots of the innermost frame.

use super::super::fused;
use super::super::trap::Step;
use super::{Machine, variables};
use crate::value::Value;

impl Machine<'_> {
    /// While i < limit: sum += i, i += 1. Both slots become Int.
    pub(super) fn accum_sum_loop(&mut self, sum_slot: u16, i_slot: u16, limit: i32) -> Step {
        let frames = &self.vm.frames;
        let mut sum = variables::slot(frames, sum_slot).to_int();
        let mut i = variables::slot(frames, i_slot).to_int();
        let looped = fused::accum_sum(self.vm, &mut sum, &mut i, limit);
        self.set_slot(sum_slot, Value::Int(sum))?;
        self.set_slot(i_slot, Value::Int(i))?;
        looped
    }

    /// While i < limit: s .= constant, i += 1. s becomes Str, i Int.
    pub(super) fn concat_const_loop(
        &mut self,
        index: u16,
        s_slot: u16,
        i_slot: u16,
        limit: i32,
    ) -> Step {
        let mut i = variables::slot(&self.vm.frames, i_slot).to_int();
        let constant = self.vm.running().constants.get(usize::from(index)).cloned();
        let constant = constant.unwrap_or_default();
        let mut s = self
            .slot_mut(s_slot)?
            .map(std::mem::take)
            .unwrap_or_default();
        let looped = fused::concat_const(self.vm, &constant, &mut s, &mut i, limit);
        self.set_slot(s_slot, s)?;
        self.set_slot(i_slot, Value::Int(i))?;
        looped
    }

    /// While i < limit: push i to the array, i += 1. i becomes Int, the global an array.
    pub(super) fn push_int_range_loop(&mut self, array: u16, i_slot: u16, limit: i32) -> Step {
        let mut i = variables::slot(&self.vm.frames, i_slot).to_int();
        let looped = fused::push_int_range(self.vm, array, &mut i, limit);
        self.set_slot(i_slot, Value::Int(i))?;
        looped
    }
}
