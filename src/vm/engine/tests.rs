//! Does each handler keep the stack where it is? Where there is no optimization, calls of handlers come
//! back to a loop, and this says nothing: `xtask ci` runs it optimized, too.

#![allow(unsafe_code)]

use super::super::{Limits, VM};
use super::window::Reg;
use super::{Activation, EngineChoice, Exit, Machine, dispatch, native};
use crate::chunk::{Chunk, ChunkBuilder};
use crate::jit::{JitMode, JitOptions};
use crate::lower::UNDEF_WORD;
use crate::lower::code::{REGISTER_BYTES, Rop, Word};
use crate::op::Op;
use crate::value::Value;

/// Registers, globals and constants that the fields of an instruction may name.
const PLACES: usize = 64;

/// Rounds of each instruction: several looks at fuel.
const ROUNDS: u64 = 1500;

/// How far a handler's frame, and what it calls, may reach.
const MOST: usize = 8 << 10;

/// What operands are.
const KINDS: [fn() -> Value; 6] = [
    || Value::Int(2),
    || Value::Float(1.5),
    || Value::str("text"),
    || Value::array(vec![Value::Int(1), Value::str("two"), Value::Float(3.0)]),
    || Value::map([("2", Value::Int(1))].into_iter().collect()),
    || Value::Bool(true),
];

/// A chunk with as many constants and names as instructions may name.
fn chunk() -> Chunk {
    let mut b = ChunkBuilder::new();
    for place in 0..PLACES {
        b.add_constant(Value::str(format!("constant {place}")));
        b.add_name(&format!("global {place}"));
    }
    b.emit(Op::LoadUndef, 1);
    b.emit(Op::SetSlot(PLACES as u16), 1);
    b.build()
}

/// The instruction, and a jump back to it. Its fields name registers 1 to 3, or what has their numbers; a
/// branch goes to the jump.
fn looped(op: Rop) -> Vec<u64> {
    let picture = op.picture();
    let behind = op.words() as u16;
    let undef = UNDEF_WORD as u16;
    let word = match picture {
        _ if picture.contains("-> b, c") => Word::new(op, 0, 16, behind, 0),
        _ if picture.contains("-> c") => Word::new(op, 0, 16, 32, behind),
        _ if picture.ends_with("first half is b, c") => Word::new(op, 0, 16, undef, 0),
        _ if picture.ends_with("first half is c") => Word::new(op, 0, 16, 32, undef),
        _ => Word::new(op, 0, 16, 32, 48),
    };
    let mut words = vec![word.0];
    words.resize(op.words(), 2);
    let back = -(i64::from(behind)) as u32;
    words.push(Word::new(Rop::Loop, 0, 0, back as u16, (back >> 16) as u16).0);
    words
}

/// What only makes sense within lowered code: programs run these, in `tests/engine_agrees.rs`.
fn is_of_programs(op: Rop) -> bool {
    let name = format!("{op:?}");
    name.starts_with("Return")
        || matches!(
            op,
            Rop::Call
                | Rop::CallLinked
                | Rop::Relink
                | Rop::End
                | Rop::Native
                | Rop::Leave
                | Rop::Outline
                | Rop::SlotLoop
        )
}

/// Runs an instruction on operands of these kinds until the fuel is used up, and gives how far the stack
/// has grown.
fn growth(vm: &mut VM, op: Rop, kinds: [fn() -> Value; 2]) -> usize {
    vm.set_limits(Limits {
        fuel: Some(ROUNDS),
        ..Limits::default()
    });
    vm.globals = (0..PLACES).map(|place| kinds[place / 16 % 2]()).collect();
    let mut machine = Machine::enter(vm).expect("a run");
    let mut activation = Activation::for_run(&mut machine).expect("a strict chunk");
    activation.attach(&mut machine);
    activation.expect_calls();
    activation.stack_growth = 0;
    let base = activation.window.start();
    let register = |place: usize| Reg(base.wrapping_add(place * REGISTER_BYTES));
    for place in 0..PLACES {
        // SAFETY: the window has that many registers, and all of them hold something valid.
        unsafe { register(place).put(kinds[place % 2]()) };
    }
    let mut words = looped(op);
    // SAFETY: the fields name registers of the window, globals and constants that are there; the code is
    // as handlers expect it.
    unsafe {
        let begun = native::begin(&raw mut *activation, words.as_mut_ptr(), base);
        let (pc, base) = begun.expect("nothing is compiled");
        dispatch::run(pc, base, &raw mut *activation);
    }
    assert!(!matches!(activation.exit, Exit::Running), "{op:?}");
    activation.exit = Exit::Running;
    for place in 0..PLACES {
        // SAFETY: as above.
        unsafe { register(place).clear() };
    }
    let growth = activation.stack_growth;
    activation.park();
    growth
}

#[test]
fn no_handler_lets_the_stack_grow() {
    let mut vm = VM::new(chunk());
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode: JitMode::Off,
        ..JitOptions::default()
    });
    let mut growing = Vec::new();
    for op in Rop::ALL.into_iter().filter(|op| !is_of_programs(*op)) {
        let pairs = KINDS.iter().flat_map(|a| KINDS.iter().map(|b| [*a, *b]));
        let most = pairs.map(|kinds| growth(&mut vm, op, kinds)).max();
        growing.extend(most.filter(|most| *most > MOST).map(|most| (op, most)));
    }
    assert!(growing.is_empty(), "bytes: {growing:?}");
}
