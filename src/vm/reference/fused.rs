//! The fused loops. Each iteration pays its fuel before it begins, as it would unfused; between two
//! payments that have to look at the limits they run as tight loops.

use super::super::limits::WORK_PER_FUEL;
use super::super::trap::Step;
use super::{Machine, variables};
use crate::value::convert::Form;
use crate::value::{Str, Value, collection, string};

/// Short pieces are appended this many bytes at a time.
const AT_ONCE: usize = 4096;

/// A piece, repeated so that many short ones can be appended at once.
struct Pieces {
    repeated: Vec<u8>,
    /// The length of one.
    len: usize,
}

impl Pieces {
    fn of(piece: &[u8]) -> Pieces {
        let times = (AT_ONCE / piece.len().max(1)).max(1);
        Pieces {
            repeated: piece.repeat(times),
            len: piece.len(),
        }
    }

    /// Appends the piece so many times. The caller has checked that this fits.
    fn append(&self, times: u64, s: &mut Str) {
        let mut left = times as usize * self.len;
        while left > 0 {
            let part = left.min(self.repeated.len());
            s.push_bytes(&self.repeated[..part]);
            left -= part;
        }
    }
}

impl Machine<'_> {
    /// While i < limit: sum += i, i += 1. Both slots become Int.
    pub(super) fn accum_sum_loop(&mut self, sum_slot: u16, i_slot: u16, limit: i32) -> Step {
        let frames = &self.vm.frames;
        let mut sum = variables::slot(frames, sum_slot).to_int();
        let mut i = variables::slot(frames, i_slot).to_int();
        let limit = i64::from(limit).max(i);
        // The sum of an arithmetic series, as all that can stop the loop is the fuel.
        let times = i.abs_diff(limit).min(self.vm.meter.fuel());
        let paid = self.vm.charge(times);
        let n = i128::from(times);
        let added = n * i128::from(i) + n * (n - 1) / 2;
        sum = sum.wrapping_add(added as i64);
        i = i.wrapping_add(times as i64);
        self.set_slot(sum_slot, Value::Int(sum))?;
        self.set_slot(i_slot, Value::Int(i))?;
        paid?;
        if i < limit {
            self.vm.charge(1)?;
        }
        Ok(())
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
        self.slot_mut(s_slot)?;
        let (piece, mut s) = self.vm.bulk(|vm, work| {
            let piece = Form::of(&constant, work)?.into_cow();
            let frame = vm.frames.last_mut();
            let s = match frame.and_then(|frame| frame.slots.get_mut(usize::from(s_slot))) {
                // As the only owner it is appended to in place.
                Some(slot @ Value::Str(_)) => std::mem::take(slot),
                Some(slot) => slot.clone(),
                None => Value::Undef,
            };
            Ok((piece, string::to_string(s, work)?))
        })?;
        let limit = i64::from(limit);
        let mut paid = Ok(());
        if i < limit {
            let pieces = Pieces::of(&piece);
            while i < limit && paid.is_ok() {
                paid = self.append_some(&mut s, &pieces, &mut i, limit);
            }
        }
        self.set_slot(s_slot, Value::Str(s))?;
        self.set_slot(i_slot, Value::Int(i))?;
        paid
    }

    /// Some iterations of `concat_const_loop`, at least one.
    fn append_some(&mut self, s: &mut Str, pieces: &Pieces, i: &mut i64, limit: i64) -> Step {
        let len = pieces.len as u64;
        let cost = 1 + len / WORK_PER_FUEL;
        let work = self.vm.meter.work();
        let fit = |times: u64| work.fits((s.len() as u64).saturating_add(times * len));
        if let Err(excess) = fit(1) {
            return Err(self.vm.meter.fault_of(excess));
        }
        let room = (work.max_value - s.len() as u64).checked_div(len);
        let end = room.map_or(limit, |room| limit.min(i.saturating_add_unsigned(room)));
        let times = self.pay_iterations(*i, end, cost)?;
        pieces.append(times, s);
        *i += times as i64;
        self.vm.check_memory()
    }

    /// While i < limit: push i to the array, i += 1. i becomes Int, the global an array.
    pub(super) fn push_int_range_loop(&mut self, array: u16, i_slot: u16, limit: i32) -> Step {
        let mut i = variables::slot(&self.vm.frames, i_slot).to_int();
        let limit = i64::from(limit);
        collection::make_array_in_place(self.vm.global_mut(array));
        let mut paid = Ok(());
        while i < limit && paid.is_ok() {
            paid = self.push_some(array, &mut i, limit);
        }
        self.set_slot(i_slot, Value::Int(i))?;
        paid
    }

    /// Some iterations of `push_int_range_loop`, at least one.
    fn push_some(&mut self, array: u16, i: &mut i64, limit: i64) -> Step {
        let times = self.pay_iterations(*i, limit, 1)?;
        let mut work = self.vm.meter.work();
        for _ in 0..times {
            let array = self.vm.global_mut(array);
            collection::array_push(array, Value::Int(*i), &mut work)
                .map_err(|excess| self.vm.meter.fault_of(excess))?;
            *i += 1;
        }
        self.vm.check_memory()
    }

    /// Pays for as many iterations, from `i` up to `end`, as may run before the next look at the
    /// limits; at least for one.
    fn pay_iterations(&mut self, i: i64, end: i64, cost: u64) -> Step<u64> {
        let wanted = i.abs_diff(end);
        let times = wanted.min(self.vm.meter.affordable(cost)).max(1);
        self.vm.charge(times * cost)?;
        Ok(times)
    }
}
