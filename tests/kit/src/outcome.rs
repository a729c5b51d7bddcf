//! What a run gave: all that can be seen of it, and the form in which the vectors write it down.

use crate::{program::install_extensions, tiers::Tier, vectors::INPUT};
use fusevm::{
    Chunk, VM, Value,
    host::{Call, Host, HostError, RecordingHost},
    vm::{Frame, Limits, Trap},
};
use serde_json::{Value as Json, json};
use std::{
    io, mem,
    sync::{Arc, Mutex},
};

/// How a run ended, and everything that it left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The value on top of the stack, none if there is none, or the trap.
    pub end: Result<Option<Value>, Trap>,
    /// Standard output.
    pub output: Vec<u8>,
    /// What the host was asked, output included.
    pub calls: Vec<Call>,
    /// The global variables when the run was over.
    pub globals: Vec<Value>,
    /// The frames that were left, the program's own first.
    pub frames: Vec<Frame>,
    /// The stack below the result.
    pub stack: Vec<Value>,
    /// The status of the last command.
    pub status: i32,
    /// What was left of the fuel, also by a trap.
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

/// What the program finds outside.
#[derive(Clone)]
pub enum World {
    /// The lines of [`INPUT`], a standard output, and nothing else: what asks for more traps.
    Bare,
    /// What the script of a recording host says.
    Scripted(RecordingHost),
}

/// The host of [`World::Bare`].
struct Bare(Arc<Mutex<RecordingHost>>);

impl Host for Bare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn read_line(&mut self, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.0.read_line(limit)
    }
}

/// Runs `vm`, which has the limits and handlers that its run needs, in this world.
pub fn run(vm: VM, world: World) -> Outcome {
    run_and_look(vm, world, |vm| mem::take(&mut vm.globals))
}

/// The same, with the globals as `globals_of` finds them when the run is over.
pub fn run_and_look(
    mut vm: VM,
    world: World,
    globals_of: impl FnOnce(&mut VM) -> Vec<Value>,
) -> Outcome {
    let record = match &world {
        World::Bare => RecordingHost::new().with_input(&INPUT.join(&b'\n')),
        World::Scripted(host) => host.clone(),
    };
    let record = Arc::new(Mutex::new(record));
    match world {
        World::Bare => vm.set_host(Box::new(Bare(Arc::clone(&record)))),
        World::Scripted(_) => vm.set_host(Box::new(Arc::clone(&record))),
    }
    let end = vm.execute();
    let record = record.lock().expect("no host panics");
    Outcome {
        end,
        output: record.output(),
        calls: record.calls().to_vec(),
        globals: globals_of(&mut vm),
        frames: mem::take(&mut vm.frames),
        stack: mem::take(&mut vm.stack),
        status: vm.last_status,
        fuel: vm.fuel_left(),
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

/// Runs a generated program in the first tier, with its handlers and [`program_limits`].
pub fn run_program(chunk: Chunk) -> Outcome {
    let mut vm = VM::new(chunk);
    vm.set_limits(program_limits());
    install_extensions(&mut vm);
    run(vm, World::Bare)
}

/// Runs a vector's chunk in a tier: no handlers, [`vector_limits`].
pub fn run_vector(chunk: Chunk, tier: &Tier) -> Outcome {
    let mut vm = VM::new(chunk);
    vm.set_limits(vector_limits());
    (tier.choose)(&mut vm);
    run(vm, World::Bare)
}
