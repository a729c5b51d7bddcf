//! What a run gave, in a form that can be compared and written down.

use crate::{program::install_extensions, vectors::INPUT};
use fusevm::{
    Chunk, VM, Value,
    host::{Host, HostError},
    vm::{Limits, Trap},
};
use serde_json::{Value as Json, json};
use std::{
    io,
    sync::{Arc, Mutex},
};

/// How a run ended, and what it printed.
#[derive(Debug)]
pub struct Outcome {
    /// The value on top of the stack, none if there is none, or the trap.
    pub end: Result<Option<Value>, Trap>,
    /// Standard output.
    pub output: Vec<u8>,
    /// The global variables when the run was over.
    pub globals: Vec<Value>,
    /// The slots of the last frame.
    pub slots: Vec<Value>,
    /// What was left of the fuel.
    pub fuel: Option<u64>,
}

impl Outcome {
    /// The outcome as the vectors state it: the end, and the output in hexadecimal.
    pub fn to_json(&self) -> Json {
        let end = match &self.end {
            Ok(Some(value)) => json!({ "ok": value_to_json(value) }),
            Ok(None) => json!("halted"),
            Err(trap) => json!({ "trap": trap.code().to_string(), "op": trap.site().op }),
        };
        json!({ "end": end, "output": hex(&self.output) })
    }
}

/// A value with its kind. Floats are their bits and strings their bytes, both in hexadecimal; the
/// kinds that a program can't make from the outside have nothing to hide either.
///
/// Nests are followed by recursion: only for values that the caller made.
pub fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Undef => json!("Undef"),
        Value::Bool(b) => json!({ "Bool": b }),
        Value::Int(n) => json!({ "Int": n.to_string() }),
        Value::Float(f) if f.is_nan() => json!({ "Float": "nan" }),
        Value::Float(f) => json!({ "Float": format!("{:016x}", f.to_bits()) }),
        Value::Status(code) => json!({ "Status": code }),
        Value::NativeFn(id) => json!({ "NativeFn": id }),
        Value::Str(s) => json!({ "Str": hex(s.as_bytes()) }),
        Value::Array(items) => {
            json!({ "Array": items.iter().map(value_to_json).collect::<Vec<_>>() })
        }
        Value::Hash(map) => {
            let entries = map
                .iter()
                .map(|(k, v)| json!([hex(k.as_bytes()), value_to_json(v)]));
            json!({ "Hash": entries.collect::<Vec<_>>() })
        }
        Value::Ref(inner) => json!({ "Ref": value_to_json(inner) }),
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A host with the lines of [`INPUT`] on standard input, a standard output that is kept, and nothing
/// else.
#[derive(Clone, Default)]
pub struct PlainHost {
    output: Arc<Mutex<Vec<u8>>>,
    lines_read: usize,
}

impl PlainHost {
    /// What was written so far.
    pub fn output(&self) -> Vec<u8> {
        self.output.lock().expect("no writer panics").clone()
    }
}

impl Host for PlainHost {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output
            .lock()
            .expect("no writer panics")
            .extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_line(&mut self, _limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        let line = INPUT.get(self.lines_read).map(|line| line.to_vec());
        self.lines_read += 1;
        Ok(line)
    }
}

/// The limits of the vectors, which their expected outcomes depend on.
pub fn vector_limits() -> Limits {
    Limits {
        fuel: Some(1_000_000),
        max_depth: 1000,
        max_value: 1 << 20,
        max_memory: 1 << 30,
        max_output: Some(1 << 20),
        deadline: None,
    }
}

/// Runs `vm`, which has the limits and handlers that its run needs, with a [`PlainHost`].
pub fn run(mut vm: VM) -> Outcome {
    let host = PlainHost::default();
    vm.set_host(Box::new(host.clone()));
    let end = vm.execute();
    Outcome {
        end,
        output: host.output(),
        globals: std::mem::take(&mut vm.globals),
        slots: vm
            .frames
            .last()
            .map(|frame| frame.slots.clone())
            .unwrap_or_default(),
        fuel: vm.fuel_left(),
    }
}

/// The limits of generated programs, in every implementation that runs them.
pub fn program_limits() -> Limits {
    Limits {
        fuel: Some(5000),
        max_depth: 200,
        max_value: 1 << 16,
        max_memory: 1 << 28,
        max_output: Some(1 << 16),
        deadline: None,
    }
}

/// Runs a generated program, with its handlers and [`program_limits`].
pub fn run_program(chunk: Chunk) -> Outcome {
    let mut vm = VM::new(chunk);
    vm.set_limits(program_limits());
    install_extensions(&mut vm);
    run(vm)
}

/// Runs a vector's chunk: no handlers, [`vector_limits`].
pub fn run_vector(chunk: Chunk) -> Outcome {
    let mut vm = VM::new(chunk);
    vm.set_limits(vector_limits());
    run(vm)
}
