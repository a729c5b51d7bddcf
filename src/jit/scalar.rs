//! The scalar JIT entry points of the 0.9 line.
//!
//! They look at a chunk as code over integer slots. In this build there is no native code behind
//! them, so they answer `None` or `false`, as the 0.9 line does without its feature `jit`; a caller
//! then goes on with the interpreter. Which chunks are eligible is still answered.

use crate::chunk::Chunk;
use crate::op::Op;
use crate::value::Value;

/// A frontend's word that some of its extension ops can be compiled.
pub trait JitExtension: Send + Sync {
    /// Whether the extension op of this number can be compiled.
    fn can_jit(&self, ext_id: u16) -> bool;

    /// How many extension ops there are.
    fn op_count(&self) -> usize;

    /// The name of the extension, for messages.
    fn name(&self) -> &str;
}

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
            op => is_scalar(op),
        })
    }

    /// Whether [`try_run_linear`](JitCompiler::try_run_linear) could run the chunk.
    pub fn is_linear_eligible(&self, _chunk: &Chunk) -> bool {
        false
    }

    /// Runs a chunk without jumps; `None` if it can't.
    pub fn try_run_linear(&self, _chunk: &Chunk, _slots: &[i64]) -> Option<Value> {
        None
    }

    /// Whether [`try_run_block`](JitCompiler::try_run_block) could run the chunk.
    pub fn is_block_eligible(&self, _chunk: &Chunk) -> bool {
        false
    }

    /// Runs a chunk on integer slots and writes them back; `None` if it can't.
    pub fn try_run_block(&self, _chunk: &Chunk, _slots: &mut [i64]) -> Option<i64> {
        None
    }

    /// As [`try_run_block`](JitCompiler::try_run_block).
    pub fn try_run_block_eager(&self, _chunk: &Chunk, _slots: &mut [i64]) -> Option<i64> {
        None
    }

    /// The largest range of ops that could be run natively on its own.
    pub fn find_jit_region(&self, _chunk: &Chunk) -> Option<(usize, usize)> {
        None
    }

    /// The ops of a region as a chunk of their own; the whole chunk, as there are no regions.
    pub fn extract_region(&self, chunk: &Chunk, _start: usize, _end: usize) -> Chunk {
        chunk.clone()
    }
}

/// Whether the scalar JIT of the 0.9 line counted the op among those that it could compile.
fn is_scalar(op: &Op) -> bool {
    match op {
        Op::Nop
        | Op::LoadInt(_)
        | Op::LoadFloat(_)
        | Op::LoadConst(_)
        | Op::LoadTrue
        | Op::LoadFalse
        | Op::LoadUndef
        | Op::Pop
        | Op::Dup
        | Op::Dup2
        | Op::Swap
        | Op::Rot
        | Op::GetVar(_)
        | Op::SetVar(_)
        | Op::DeclareVar(_)
        | Op::GetSlot(_)
        | Op::SetSlot(_)
        | Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Mod
        | Op::Pow
        | Op::Negate
        | Op::Inc
        | Op::Dec
        | Op::Concat
        | Op::StringRepeat
        | Op::StringLen
        | Op::NumEq
        | Op::NumNe
        | Op::NumLt
        | Op::NumGt
        | Op::NumLe
        | Op::NumGe
        | Op::Spaceship
        | Op::StrEq
        | Op::StrNe
        | Op::StrLt
        | Op::StrGt
        | Op::StrLe
        | Op::StrGe
        | Op::StrCmp
        | Op::LogNot
        | Op::LogAnd
        | Op::LogOr
        | Op::BitAnd
        | Op::BitOr
        | Op::BitXor
        | Op::BitNot
        | Op::Shl
        | Op::Shr
        | Op::Jump(_)
        | Op::JumpIfTrue(_)
        | Op::JumpIfFalse(_)
        | Op::JumpIfTrueKeep(_)
        | Op::JumpIfFalseKeep(_)
        | Op::Call(..)
        | Op::Return
        | Op::ReturnValue
        | Op::PushFrame
        | Op::PopFrame
        | Op::PreIncSlot(_)
        | Op::PreIncSlotVoid(_)
        | Op::SlotLtIntJumpIfFalse(..)
        | Op::SlotIncLtIntJumpBack(..)
        | Op::AccumSumLoop(..)
        | Op::AddAssignSlotVoid(..)
        | Op::SetStatus
        | Op::GetStatus => true,

        Op::SlotArrayGet(_)
        | Op::SlotArraySet(_)
        | Op::GetArray(_)
        | Op::SetArray(_)
        | Op::DeclareArray(_)
        | Op::ArrayGet(_)
        | Op::ArraySet(_)
        | Op::ArrayPush(_)
        | Op::ArrayPop(_)
        | Op::ArrayShift(_)
        | Op::ArrayLen(_)
        | Op::MakeArray(_)
        | Op::GetHash(_)
        | Op::SetHash(_)
        | Op::DeclareHash(_)
        | Op::HashGet(_)
        | Op::HashSet(_)
        | Op::HashDelete(_)
        | Op::HashExists(_)
        | Op::HashKeys(_)
        | Op::HashValues(_)
        | Op::MakeHash(_)
        | Op::Print(_)
        | Op::PrintLn(_)
        | Op::ReadLine
        | Op::Range
        | Op::RangeStep
        | Op::MapBlock(_)
        | Op::GrepBlock(_)
        | Op::SortBlock(_)
        | Op::SortDefault
        | Op::ForEachBlock(_)
        | Op::ConcatConstLoop(..)
        | Op::PushIntRangeLoop(..)
        | Op::CallBuiltin(..)
        | Op::Extended(..)
        | Op::ExtendedWide(..)
        | Op::Exec(_)
        | Op::ExecBg(_)
        | Op::PipelineBegin(_)
        | Op::PipelineStage
        | Op::PipelineEnd
        | Op::Redirect(..)
        | Op::HereDoc(_)
        | Op::HereString
        | Op::CmdSubst(_)
        | Op::SubshellBegin
        | Op::SubshellEnd
        | Op::ProcessSubIn(_)
        | Op::ProcessSubOut(_)
        | Op::Glob
        | Op::GlobRecursive
        | Op::TestFile(_)
        | Op::TrapSet(_)
        | Op::TrapCheck
        | Op::ExpandParam(_)
        | Op::WordSplit
        | Op::BraceExpand
        | Op::TildeExpand
        | Op::RedirectMark
        | Op::RedirectPop => false,
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

    #[test]
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
