//! The fused loops, on values wherever they are. Each iteration pays its fuel before it begins, as it
//! would unfused; between two payments that have to look at the limits they run as tight loops.
//!
//! A loop that a limit ends leaves its values as the iterations before have made them.

use super::VM;
use super::limits::WORK_PER_FUEL;
use super::trap::Step;
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

/// While i < limit: sum += i, i += 1.
pub(super) fn accum_sum(vm: &mut VM, sum: &mut i64, i: &mut i64, limit: i32) -> Step {
    let limit = i64::from(limit).max(*i);
    // The sum of an arithmetic series, as all that can stop the loop is the fuel.
    let times = i.abs_diff(limit).min(vm.meter.fuel());
    let n = i128::from(times);
    let added = n * i128::from(*i) + n * (n - 1) / 2;
    *sum = sum.wrapping_add(added as i64);
    *i = i.wrapping_add(times as i64);
    vm.charge(times)?;
    if *i < limit {
        vm.charge(1)?;
    }
    Ok(())
}

/// While i < limit: s .= constant, i += 1. s becomes Str.
pub(super) fn concat_const(
    vm: &mut VM,
    constant: &Value,
    s: &mut Value,
    i: &mut i64,
    limit: i32,
) -> Step {
    let piece = vm.bulk(|_, work| {
        let piece = Form::of(constant, work)?.into_cow();
        if !matches!(s, Value::Str(_)) {
            *s = Value::Str(string::to_string(s.clone(), work)?);
        }
        Ok(piece)
    })?;
    let limit = i64::from(limit);
    if let Value::Str(text) = s
        && *i < limit
    {
        let pieces = Pieces::of(&piece);
        while *i < limit {
            append_some(vm, text, &pieces, i, limit)?;
        }
    }
    Ok(())
}

/// Some iterations of `concat_const`, at least one.
fn append_some(vm: &mut VM, s: &mut Str, pieces: &Pieces, i: &mut i64, limit: i64) -> Step {
    let len = pieces.len as u64;
    let cost = 1 + len / WORK_PER_FUEL;
    let work = vm.meter.work();
    let fit = |times: u64| work.fits((s.len() as u64).saturating_add(times * len));
    if let Err(excess) = fit(1) {
        return Err(vm.meter.fault_of(excess));
    }
    let room = (work.max_value - s.len() as u64).checked_div(len);
    let end = room.map_or(limit, |room| limit.min(i.saturating_add_unsigned(room)));
    let times = pay_iterations(vm, *i, end, cost)?;
    pieces.append(times, s);
    *i += times as i64;
    vm.check_memory()
}

/// While i < limit: push i to the array, i += 1. The global becomes an array.
pub(super) fn push_int_range(vm: &mut VM, array: u16, i: &mut i64, limit: i32) -> Step {
    let limit = i64::from(limit);
    collection::make_array_in_place(vm.global_mut(array));
    while *i < limit {
        push_some(vm, array, i, limit)?;
    }
    Ok(())
}

/// Some iterations of `push_int_range`, at least one.
fn push_some(vm: &mut VM, array: u16, i: &mut i64, limit: i64) -> Step {
    let times = pay_iterations(vm, *i, limit, 1)?;
    let mut work = vm.meter.work();
    for done in 1..=times {
        let array = vm.global_mut(array);
        if let Err(excess) = collection::array_push(array, Value::Int(*i), &mut work) {
            // How many are paid at once depends on when fuel was last looked at: no tier may show it.
            vm.meter.pay_back(times - done);
            return Err(vm.meter.fault_of(excess));
        }
        *i += 1;
    }
    vm.check_memory()
}

/// Pays for as many iterations, from `i` up to `end`, as may run before the next look at the limits;
/// at least for one.
fn pay_iterations(vm: &mut VM, i: i64, end: i64, cost: u64) -> Step<u64> {
    let wanted = i.abs_diff(end);
    let times = wanted.min(vm.meter.affordable(cost)).max(1);
    vm.charge(times * cost)?;
    Ok(times)
}
