//! The scalar JIT entry points of the 0.9 line.
//!
//! They look at a chunk as code over integer slots, and run it natively: each chunk in a VM that
//! compiles all of it before it runs. Which chunks are eligible is as the 0.9 line has it, and has
//! nothing to do with what the JIT compiles, which is anything. Without feature `jit` they answer `None`
//! or `false`, as there; a caller then goes on with the interpreter.

mod eligible;
#[cfg(feature = "jit")]
mod run;
#[cfg(not(feature = "jit"))]
#[path = "run_off.rs"]
mod run;

use super::JitExtension;
use crate::chunk::Chunk;
use crate::op::Op;
use crate::value::Value;

/// The scalar JIT.
///
/// ```
/// use fusevm::{ChunkBuilder, JitCompiler, Op};
///
/// let mut b = ChunkBuilder::new();
/// b.emit(Op::LoadInt(1), 1);
/// b.emit(Op::Exec(1), 1);
/// assert!(!JitCompiler::new().is_eligible(&b.build()));
/// ```
#[derive(Default)]
pub struct JitCompiler {
    extensions: Vec<Box<dyn JitExtension>>,
    runner: run::Runner,
}

/// A handle on compiled code. It can't be made: compiled code is kept inside.
pub struct NativeCode {
    _private: (),
}

impl JitCompiler {
    /// A compiler that knows no extension.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a frontend's extension known.
    pub fn register_extension(&mut self, ext: Box<dyn JitExtension>) {
        self.extensions.push(ext);
    }

    /// Whether the chunk has only ops that the scalar JIT of the 0.9 line could ever compile, and
    /// extension ops that an extension vouches for.
    pub fn is_eligible(&self, chunk: &Chunk) -> bool {
        chunk.ops.iter().all(|op| match op {
            Op::Extended(id, _) | Op::ExtendedWide(id, _) => {
                self.extensions.iter().any(|ext| ext.can_jit(*id))
            }
            op => eligible::is_scalar(op),
        })
    }

    /// Whether the chunk is straight code over integer slots, as the 0.9 line has it:
    /// [`try_run_linear`](JitCompiler::try_run_linear) runs it. `false` without feature `jit`.
    pub fn is_linear_eligible(&self, chunk: &Chunk) -> bool {
        cfg!(feature = "jit") && eligible::is_linear(chunk)
    }

    /// Runs straight code natively, on slots that are these Ints, and gives its result: that of the
    /// interpreter, but that a Bool is an Int, and so is an exact power of Ints. `None` if the chunk isn't
    /// [eligible](JitCompiler::is_linear_eligible), there are fewer slots than it uses, or it would trap.
    pub fn try_run_linear(&self, chunk: &Chunk, slots: &[i64]) -> Option<Value> {
        if !self.is_linear_eligible(chunk) || eligible::slots(chunk) > slots.len() {
            return None;
        }
        let ran = self.runner.run(chunk, slots)?;
        ran.result.map(|value| match value {
            Value::Bool(b) => Value::Int(i64::from(b)),
            value => value,
        })
    }

    /// Whether the chunk has only ops over integer slots, as the 0.9 line has them:
    /// [`try_run_block`](JitCompiler::try_run_block) may run it. `false` without feature `jit`.
    pub fn is_block_eligible(&self, chunk: &Chunk) -> bool {
        cfg!(feature = "jit") && eligible::is_block(chunk)
    }

    /// Runs code natively, on slots that are these Ints, writes the slots back, and gives its result, 0 if
    /// it leaves none. `None`, and no slot changed, if the chunk isn't
    /// [eligible](JitCompiler::is_block_eligible), there are fewer slots than it uses, it would trap, or
    /// its result or a slot is in the end neither an Int nor a Bool. An exact power of Ints is an Int.
    pub fn try_run_block(&self, chunk: &Chunk, slots: &mut [i64]) -> Option<i64> {
        if !self.is_block_eligible(chunk) || eligible::slots(chunk) > slots.len() {
            return None;
        }
        let ran = self.runner.run(chunk, slots)?;
        let result = ran.result.as_ref().map_or(Some(0), as_int)?;
        let left: Option<Vec<i64>> = ran.slots.iter().map(as_int).collect();
        slots.copy_from_slice(&left?);
        Some(result)
    }

    /// As [`try_run_block`](JitCompiler::try_run_block), which answers on its first call, too.
    pub fn try_run_block_eager(&self, chunk: &Chunk, slots: &mut [i64]) -> Option<i64> {
        self.try_run_block(chunk, slots)
    }

    /// The range of ops, end excluded, that the 0.9 line would run natively on its own: the longest run of
    /// ops over integer slots. `None` if that is short, or something jumps out of it, or without feature
    /// `jit`.
    pub fn find_jit_region(&self, chunk: &Chunk) -> Option<(usize, usize)> {
        eligible::region(chunk).filter(|_| cfg!(feature = "jit"))
    }

    /// The ops from `start` up to `end` as a chunk of their own, its jumps counted from there; without
    /// feature `jit` the whole chunk, as there are no regions.
    pub fn extract_region(&self, chunk: &Chunk, start: usize, end: usize) -> Chunk {
        match cfg!(feature = "jit") {
            true => eligible::extract(chunk, start, end),
            false => chunk.clone(),
        }
    }
}

/// A value as an integer slot or result has it.
fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        Value::Bool(b) => Some(i64::from(*b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChunkBuilder;

    struct Known(u16);

    impl JitExtension for Known {
        fn can_jit(&self, ext_id: u16) -> bool {
            ext_id == self.0
        }

        fn op_count(&self) -> usize {
            1
        }

        fn name(&self) -> &str {
            "known"
        }
    }

    fn chunk_of(ops: &[Op]) -> Chunk {
        let mut b = ChunkBuilder::new();
        for op in ops {
            b.emit(op.clone(), 0);
        }
        b.build()
    }

    #[test]
    fn extension_ops_need_an_extension() {
        let chunk = chunk_of(&[Op::LoadInt(1), Op::Extended(7, 0)]);
        let mut jit = JitCompiler::default();
        assert!(!jit.is_eligible(&chunk));
        jit.register_extension(Box::new(Known(7)));
        assert!(jit.is_eligible(&chunk));
        assert!(!jit.is_eligible(&chunk_of(&[Op::ExtendedWide(8, 0)])));
    }

    /// What the 0.9 line says of chunks: whether they are straight code, and code with jumps.
    #[test]
    #[cfg(feature = "jit")]
    fn eligible_is_what_the_old_line_has() {
        use Op::*;
        let jit = JitCompiler::new();
        let cases: [(&[Op], bool, bool); 17] = [
            (&[], false, false),
            (&[LoadInt(1), LoadInt(2), Add], true, true),
            (&[LoadInt(1), LoadInt(2)], false, true),
            (&[Add], false, true),
            (&[LoadUndef], false, false),
            (&[LoadInt(1), Print(1)], false, false),
            (&[GetSlot(0), LoadInt(2), Div], false, true),
            (&[LoadInt(8), LoadInt(2), Div], true, true),
            (&[LoadInt(i64::MIN), LoadInt(-1), Div], false, true),
            (&[GetSlot(0), LoadInt(2), Mod], true, true),
            (&[LoadFloat(2.5), GetSlot(0), Div], true, true),
            (&[LoadFloat(2.0), GetSlot(0), Div], false, true),
            (&[GetSlot(0), LoadInt(63), Pow], true, true),
            (&[GetSlot(0), LoadInt(64), Pow], false, true),
            (&[LoadFloat(2.5), BitNot], false, true),
            (&[LoadFloat(f64::NAN)], false, true),
            (&[AccumSumLoop(0, 1, 5), GetSlot(0)], true, true),
        ];
        for (ops, linear, block) in cases {
            let chunk = chunk_of(ops);
            let told = (
                jit.is_linear_eligible(&chunk),
                jit.is_block_eligible(&chunk),
            );
            assert_eq!(told, (linear, block), "{ops:?}");
        }
    }

    #[test]
    #[cfg(feature = "jit")]
    fn regions_are_what_the_old_line_has() {
        use Op::*;
        let jit = JitCompiler::new();
        type Region = Option<(usize, usize)>;
        let cases: [(&[Op], Region); 5] = [
            (&[LoadInt(1), LoadInt(2), Add], None),
            (&[LoadInt(1), LoadInt(2), Add, SetSlot(0)], Some((0, 4))),
            (
                &[Print(0), PreIncSlot(0), LoadInt(9), NumLt, JumpIfTrue(1)],
                Some((1, 5)),
            ),
            (
                &[Print(0), PreIncSlot(0), LoadInt(9), NumLt, JumpIfTrue(0)],
                None,
            ),
            (
                &[Nop, Nop, Nop, Nop, Print(0), Nop, Nop, Nop, Nop],
                Some((0, 4)),
            ),
        ];
        for (ops, region) in cases {
            assert_eq!(jit.find_jit_region(&chunk_of(ops)), region, "{ops:?}");
        }
        let chunk = chunk_of(&[Print(0), PreIncSlot(0), LoadInt(9), NumLt, JumpIfTrue(1)]);
        let region = jit.extract_region(&chunk, 1, 5);
        assert_eq!(
            region.ops,
            [PreIncSlot(0), LoadInt(9), NumLt, JumpIfTrue(0)]
        );
        assert_eq!(jit.extract_region(&chunk, 4, 99).ops, [JumpIfTrue(0)]);
        assert!(jit.extract_region(&chunk, 7, 2).ops.is_empty());
    }

    #[test]
    #[cfg(feature = "jit")]
    fn straight_code_answers_as_the_interpreter() {
        use Op::*;
        let jit = JitCompiler::new();
        let linear = |ops: &[Op], slots: &[i64]| jit.try_run_linear(&chunk_of(ops), slots);
        let sum = [GetSlot(0), GetSlot(1), Mul];
        for round in 0..3 {
            assert_eq!(linear(&sum, &[6, round]), Some(Value::Int(6 * round)));
        }
        assert_eq!(linear(&sum, &[6]), None);
        assert_eq!(linear(&[LoadTrue], &[]), Some(Value::Int(1)));
        assert_eq!(linear(&[LoadFloat(2.0)], &[]), Some(Value::Float(2.0)));
        let power = |base, exponent| linear(&[LoadInt(base), LoadInt(exponent), Pow], &[]);
        assert_eq!(power(2, 10), Some(Value::Int(1024)));
        // As a Float it is another number.
        assert_eq!(power(3, 39), Some(Value::Float(3_f64.powi(39))));
        assert_eq!(power(10, 60), Some(Value::Float(1e60)));
        let later = [LoadInt(2), LoadInt(10), Pow, LoadInt(1), Add];
        assert_eq!(linear(&later, &[]), Some(Value::Float(1025.0)));
        let of_floats = [LoadFloat(2.5), LoadInt(2), Mul, LoadInt(3), Pow];
        assert_eq!(linear(&of_floats, &[]), Some(Value::Float(125.0)));
    }

    #[test]
    #[cfg(feature = "jit")]
    fn code_with_jumps_writes_slots_back() {
        use Op::*;
        let jit = JitCompiler::new();
        let block = |ops: &[Op], slots: &mut [i64]| jit.try_run_block(&chunk_of(ops), slots);
        let count = [
            PreIncSlot(0),
            LoadInt(100),
            NumLt,
            JumpIfTrue(0),
            GetSlot(0),
        ];
        let mut slots = [5, 6];
        assert_eq!(block(&count, &mut slots), Some(100));
        assert_eq!(slots, [100, 6]);
        assert_eq!(block(&[LoadTrue, SetSlot(1)], &mut slots), Some(0));
        assert_eq!(slots, [100, 1]);
        // Floats, Undef, traps, short slots: nothing is answered, nothing written.
        let none: [&[Op]; 5] = [
            &[
                LoadInt(7),
                SetSlot(0),
                LoadFloat(2.5),
                SetSlot(1),
                LoadInt(1),
            ],
            &[LoadInt(7), SetSlot(0), LoadInt(1), LoadInt(0), Div],
            &[LoadInt(7), SetSlot(0), LoadFloat(2.0)],
            &[LoadInt(7), SetSlot(0), GetSlot(2)],
            &[Add],
        ];
        for ops in none {
            assert_eq!(block(ops, &mut slots), None, "{ops:?}");
            assert_eq!(slots, [100, 1], "{ops:?}");
        }
        assert_eq!(
            block(&[LoadInt(2), LoadInt(10), Pow], &mut slots),
            Some(1024)
        );
    }

    #[test]
    #[cfg(feature = "jit")]
    fn threads_share_a_compiler() {
        let jit = JitCompiler::new();
        let chunk = chunk_of(&[Op::GetSlot(0), Op::GetSlot(0), Op::Mul]);
        std::thread::scope(|scope| {
            for n in 0..4 {
                let (jit, chunk) = (&jit, &chunk);
                scope.spawn(move || {
                    for _ in 0..20 {
                        assert_eq!(jit.try_run_linear(chunk, &[n]), Some(Value::Int(n * n)));
                    }
                });
            }
        });
    }

    #[test]
    #[cfg(not(feature = "jit"))]
    fn without_native_code_nothing_is_run() {
        let chunk = chunk_of(&[Op::LoadInt(40), Op::LoadInt(2), Op::Add]);
        let jit = JitCompiler::new();
        assert!(jit.is_eligible(&chunk));
        assert!(!jit.is_linear_eligible(&chunk) && !jit.is_block_eligible(&chunk));
        assert_eq!(jit.try_run_linear(&chunk, &[]), None);
        assert_eq!(jit.try_run_block(&chunk, &mut []), None);
        assert_eq!(jit.try_run_block_eager(&chunk, &mut []), None);
        assert_eq!(jit.find_jit_region(&chunk), None);
        assert_eq!(jit.extract_region(&chunk, 0, 1).ops, chunk.ops);
    }
}
