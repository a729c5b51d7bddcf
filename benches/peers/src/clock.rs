//! CPU time of this process, and medians of it.

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;

/// CPU nanoseconds that this process has used, all threads together: work in the background counts.
pub(crate) fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// CPU nanoseconds of one call of `work`, the mean of `times` calls in a row: short work is timed in
/// bulk, as reading the clock costs as much as it does.
pub(crate) fn time<T>(times: u32, mut work: impl FnMut() -> T) -> f64 {
    let began = cpu_ns();
    for _ in 0..times {
        black_box(work());
    }
    (cpu_ns() - began) / f64::from(times)
}

/// The middle of `samples`, or the upper one of two; 0 of none.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}
