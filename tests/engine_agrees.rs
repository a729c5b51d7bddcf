//! Do all tiers agree? Generated programs, everything that can be seen compared: result and kind,
//! host calls, globals, frames, stack, status, fuel, trap with op, line and calls. And does the
//! register engine hold what only it has to?
//!
//! `xtask figures --differential COUNT` does the same for as many programs as one likes, in release
//! builds with every assertion on, and makes what differs small.

use fusevm::asm::assemble;
use fusevm::vm::{EngineChoice, Limits};
use fusevm::{Chunk, ChunkBuilder, Op, VM, Value};
use fusevm_kit::{
    program::Family,
    tiers::{Setup, compare, compare_in},
};

/// Programs of each family.
const PROGRAMS: u64 = 60;

/// Programs of a family, alone and with what an embedder leaves before a run.
fn agree(family: Family) {
    for seed in 0..PROGRAMS {
        let chunk = family.program(seed);
        for fuel in [2000, seed % 400, seed % 50] {
            for setup in [Setup::generated(fuel), Setup::generated(fuel).seeded()] {
                if let Err(difference) = compare(&chunk, &setup) {
                    panic!("{family:?}, seed {seed}, fuel {fuel}: {difference}");
                }
            }
        }
    }
}

#[test]
fn grown_programs() {
    agree(Family::Grown);
}

#[test]
fn tangled_programs() {
    agree(Family::Tangled);
}

#[test]
fn numeric_programs() {
    agree(Family::Numeric);
}

#[test]
fn generated_programs_in_chunks_that_call_each_other() {
    for family in Family::ALL {
        for seed in 0..PROGRAMS / 3 {
            let chunk = family.program(seed);
            for fuel in [3000, seed % 400] {
                let setup = Setup::generated(fuel).seeded().linked();
                if let Err(difference) = compare(&chunk, &setup) {
                    panic!("{family:?}, seed {seed}, fuel {fuel}: {difference}");
                }
            }
        }
    }
}

/// Goes on for a while after the first guard of its main code has failed, which is part of its caller's code then.
const FAILS_AT_THE_BEGINNING: &str = "
.name list
.name nobody
.name outer
    get_array list
    load_int 1
    num_ne
    call inner 0
    pre_inc_slot_void 3
    call outer 2
    jump end
.sub nobody
    return
.sub outer
next:
    slot_lt_int_jump_if_false 3 6 done
    push_frame
    pop_frame
    load_int 1
    set_slot 1
again:
    get_slot 1
    load_int 5
    num_le
    jump_if_false behind
    load_int 1
    pop
    call inner 0
    pop
    pre_inc_slot_void 1
    jump again
behind:
    pre_inc_slot_void 3
    jump next
done:
    return_value
.sub inner
more:
    load_int 1
    load_int 1
    pop
    pop
    get_slot 2
    load_int 1
    add
    dup
    set_slot 2
    load_float 3.0
    num_ge
    jump_if_false more
    load_int 1
    return_value
end:
";

/// A function's slots begin as Undef also where its first guard fails: the engine goes on there as if it had
/// called it.
#[test]
fn slots_of_a_function_begin_anew_when_its_first_guard_fails() {
    let assembly = assemble(FAILS_AT_THE_BEGINNING.as_bytes(), "a test").expect("a good text");
    let (_, chunk) = &assembly.chunks[0];
    for fuel in (200..400).step_by(10) {
        if let Err(difference) = compare(chunk, &Setup::generated(fuel).linked()) {
            panic!("fuel {fuel}: {difference}");
        }
    }
}

#[test]
fn generated_programs_in_pieces() {
    let eager = ["JIT eager".to_owned()];
    for family in Family::ALL {
        for seed in 0..PROGRAMS {
            let chunk = family.program(seed);
            for fuel in [3000, seed % 400] {
                let setup = Setup::generated(fuel).in_pieces();
                if let Err(difference) = compare_in(&chunk, &setup, &eager) {
                    panic!("{family:?}, seed {seed}, fuel {fuel}: {difference}");
                }
            }
        }
    }
}

/// `f(n)` is 0 for 0, else `f(n - 1) + 1`.
fn recursion(depth: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let name = b.add_name("f");
    b.emit(Op::LoadInt(depth), 1);
    b.emit(Op::Call(name, 1), 1);
    let end = b.emit(Op::Jump(0), 1);
    let entry = b.current_pos();
    b.add_sub_entry(name, entry);
    b.emit(Op::SetSlot(0), 2);
    b.emit(Op::GetSlot(0), 2);
    let deeper = b.emit(Op::JumpIfTrue(0), 2);
    b.emit(Op::LoadInt(0), 2);
    b.emit(Op::ReturnValue, 2);
    let here = b.current_pos();
    b.patch_jump(deeper, here);
    b.emit(Op::GetSlot(0), 3);
    b.emit(Op::LoadInt(1), 3);
    b.emit(Op::Sub, 3);
    b.emit(Op::Call(name, 1), 3);
    b.emit(Op::LoadInt(1), 3);
    b.emit(Op::Add, 3);
    b.emit(Op::ReturnValue, 3);
    let here = b.current_pos();
    b.patch_jump(end, here);
    b.build()
}

#[test]
fn deep_calls_run_and_deeper_ones_trap() {
    let most = Limits::default().max_depth as i64;
    for (depth, result) in [
        (most - 1, Ok(Some(Value::Int(most - 1)))),
        (most, Err("E0402")),
    ] {
        for choice in [EngineChoice::Register, EngineChoice::Auto] {
            let mut vm = VM::new(recursion(depth));
            vm.set_engine(choice);
            let found = vm.execute().map_err(|trap| trap.code().to_string());
            assert_eq!(
                found,
                result.clone().map_err(str::to_owned),
                "{depth} {choice:?}"
            );
        }
    }
}

#[test]
fn deep_calls_are_held_to_the_memory_limit() {
    let mut vm = VM::new(recursion(900_000));
    vm.set_engine(EngineChoice::Register);
    vm.set_limits(Limits {
        max_memory: 1 << 20,
        ..Limits::default()
    });
    let trap = vm.execute().expect_err("a megabyte isn't enough");
    assert_eq!(trap.code().to_string(), "E0404");
}

/// A loop of so many rounds over values of every kind, on fast paths and slow ones.
fn mixed_loop(rounds: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    let [array, hash, sub] = ["a", "h", "f"].map(|name| b.add_name(name));
    let text = b.add_constant(Value::str("7"));
    b.emit(Op::DeclareArray(array), 1);
    b.emit(Op::DeclareHash(hash), 1);
    b.emit(Op::LoadInt(1), 1);
    b.emit(Op::ArrayPush(array), 1);
    b.emit(Op::LoadInt(0), 1);
    b.emit(Op::SetSlot(0), 1);
    let head = b.current_pos();
    b.emit(Op::GetSlot(0), 2);
    b.emit(Op::LoadInt(rounds), 2);
    b.emit(Op::NumLt, 2);
    let exit = b.emit(Op::JumpIfFalse(0), 2);
    for op in [
        Op::LoadInt(0),
        Op::ArrayGet(array),
        Op::LoadConst(text),
        Op::Add,
        Op::LoadInt(0),
        Op::ArraySet(array),
        Op::GetSlot(0),
        Op::LoadConst(text),
        Op::HashSet(hash),
        Op::LoadConst(text),
        Op::HashGet(hash),
        Op::LoadFloat(0.5),
        Op::Mul,
        Op::Call(sub, 1),
        Op::LoadConst(text),
        Op::Concat,
        Op::StringLen,
        Op::SetSlot(1),
        Op::GetVar(array),
        Op::Pop,
        Op::GetSlot(1),
        Op::LogNot,
        Op::SetSlot(1),
        Op::PreIncSlotVoid(0),
    ] {
        b.emit(op, 3);
    }
    b.emit(Op::Jump(head), 3);
    let entry = b.current_pos();
    b.add_sub_entry(sub, entry);
    b.emit(Op::LoadConst(text), 4);
    b.emit(Op::Concat, 4);
    b.emit(Op::ReturnValue, 4);
    let here = b.current_pos();
    b.patch_jump(exit, here);
    b.build()
}

/// Each handler's last call must be a jump: otherwise this overflows the stack.
#[test]
fn a_long_run_needs_no_more_stack_than_a_short_one() {
    let run = || {
        let mut vm = VM::new(mixed_loop(100_000));
        vm.set_engine(EngineChoice::Register);
        assert!(vm.execute().is_ok());
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    thread
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no overflow");
}
