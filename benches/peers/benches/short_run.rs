//! What a program pays that runs once and is short: twenty ops built, a VM made, the ops run. Beside
//! fusevm 0.9.7, which does the same.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "../src/short_run.rs"]
mod programs;

use programs::{old, ours};

fn short_run(c: &mut Criterion) {
    assert_eq!(ours("world"), 25);
    assert_eq!(old("world"), 25);
    let mut group = c.benchmark_group("short run");
    group.bench_function("ours", |b| b.iter(|| ours(black_box("world"))));
    group.bench_function("0.9.7", |b| b.iter(|| old(black_box("world"))));
    group.finish();
}

criterion_group!(benches, short_run);
criterion_main!(benches);
