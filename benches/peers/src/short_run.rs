//! A program that runs once and is short: twenty ops built, a VM made, the ops run; with this crate and
//! with 0.9.7.

/// A function that builds and runs the program with one version of the crate.
macro_rules! short_run {
    ($function:ident, $version:ident) => {
        /// Builds and runs the program with one version of the crate.
        pub(crate) fn $function(name: &str) -> i64 {
            use $version::{ChunkBuilder, Op, VM, VMResult, Value};

            let mut b = ChunkBuilder::new();
            let greeting = b.add_constant(Value::str("hello, "));
            let variable = b.add_name("NAME");
            let name = b.add_constant(Value::str(name));
            b.emit(Op::LoadConst(name), 1);
            b.emit(Op::SetVar(variable), 1);
            b.emit(Op::LoadConst(greeting), 2);
            b.emit(Op::GetVar(variable), 2);
            b.emit(Op::Concat, 2);
            b.emit(Op::SetSlot(0), 2);
            b.emit(Op::GetSlot(0), 3);
            b.emit(Op::StringLen, 3);
            b.emit(Op::SetSlot(1), 3);
            b.emit(Op::GetSlot(1), 4);
            b.emit(Op::LoadInt(8), 4);
            b.emit(Op::NumGt, 4);
            let skip = b.emit(Op::JumpIfFalse(0), 4);
            b.emit(Op::GetSlot(1), 5);
            b.emit(Op::LoadInt(2), 5);
            b.emit(Op::Mul, 5);
            b.emit(Op::SetSlot(1), 5);
            let end = b.current_pos();
            b.patch_jump(skip, end);
            b.emit(Op::GetSlot(1), 6);
            b.emit(Op::LoadInt(1), 6);
            b.emit(Op::Add, 6);
            match VM::new(b.build()).run() {
                VMResult::Ok(value) => value.to_int(),
                other => panic!("no result: {other:?}"),
            }
        }
    };
}

short_run!(ours, fusevm);
short_run!(old, fusevm_0_9);
