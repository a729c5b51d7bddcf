//! Does the reference interpreter do what the specification says, op family by op family?

mod blocks;
mod calls;
mod fused;
mod handlers;
mod limits;
mod loose;
mod progress;
mod shell;
mod soup;
mod traps;
mod values;

use super::{Limits, Trap, VM};
use crate::chunk::{Chunk, ChunkBuilder};
use crate::code::Code;
use crate::host::{NullHost, RecordingHost};
use crate::op::Op;
use crate::value::Value;
use std::sync::{Arc, Mutex};

/// A chunk of these ops, on line 1, 2, 3 and so on.
fn chunk_of(ops: &[Op]) -> Chunk {
    let mut b = ChunkBuilder::new();
    emit_all(&mut b, ops);
    b.build()
}

fn emit_all(b: &mut ChunkBuilder, ops: &[Op]) {
    for op in ops {
        let line = b.current_pos() as u32 + 1;
        b.emit(op.clone(), line);
    }
}

/// A VM that reaches nothing outside.
fn quiet(chunk: Chunk) -> VM {
    let mut vm = VM::new(chunk);
    vm.set_host(Box::new(NullHost));
    vm
}

/// A VM whose host records, and the record.
fn recorded(chunk: Chunk, host: RecordingHost) -> (VM, Arc<Mutex<RecordingHost>>) {
    let record = Arc::new(Mutex::new(host));
    let mut vm = VM::new(chunk);
    vm.set_host(Box::new(Arc::clone(&record)));
    (vm, record)
}

/// What ops leave on top; Undef on an empty stack.
fn result_of(ops: &[Op]) -> Value {
    let mut vm = quiet(chunk_of(ops));
    vm.execute().expect("no trap").unwrap_or_default()
}

/// The trap that ops end in.
fn trap_of(ops: &[Op]) -> Trap {
    quiet(chunk_of(ops)).execute().expect_err("a trap")
}

/// How a chunk ends with so much fuel, and the fuel that is left.
fn with_fuel(chunk: &Chunk, fuel: u64) -> (Result<Option<Value>, Code>, u64) {
    let mut vm = quiet(chunk.clone());
    vm.set_limits(Limits {
        fuel: Some(fuel),
        ..Limits::default()
    });
    let ended = vm.execute().map_err(|trap| trap.code());
    (ended, vm.fuel_left().expect("it is limited"))
}

/// The fuel that a chunk needs, having checked that one unit less is not enough.
fn fuel_of(chunk: &Chunk) -> u64 {
    const PLENTY: u64 = 1 << 40;
    let (ended, left) = with_fuel(chunk, PLENTY);
    ended.expect("no trap");
    let used = PLENTY - left;
    assert!(with_fuel(chunk, used).0.is_ok());
    if let Some(less) = used.checked_sub(1) {
        assert_eq!(with_fuel(chunk, less), (Err(Code::OutOfFuel), 0));
    }
    used
}
