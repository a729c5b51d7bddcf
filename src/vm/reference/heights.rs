//! In debug builds: is the stack of a strict chunk as high at each op as verification said?
//!
//! Only for runs that nothing but the chunk shapes: those that begin at its beginning, as long as no
//! handler ran and no sub was run as a command.

use super::{Fence, FenceKind, Machine};
use crate::op::Op;
use crate::verify::{Shape, verify_chunk};
use crate::vm::{SCOPE, VM};

/// The longest chunk that is verified for this.
const MAX_OPS: usize = 1 << 12;

/// What verification said about the chunk that runs.
pub(super) struct Heights {
    shape: Shape,
}

impl Heights {
    /// The heights of a VM's chunk, if its run can be held to them.
    pub(super) fn of(vm: &VM) -> Option<Box<Heights>> {
        let is_fresh = vm.ip == 0 && vm.stack.is_empty() && vm.frames.len() == 1;
        let chunk = vm.running();
        if !is_fresh || chunk.ops.len() > MAX_OPS {
            return None;
        }
        let shape = verify_chunk(chunk).ok()?;
        Some(Box::new(Heights { shape }))
    }
}

impl Machine<'_> {
    /// Asserts that the height before the op at `at` is that of its shape.
    #[cold]
    pub(super) fn assert_height(&mut self, at: usize) {
        let (Some(heights), Some(op)) = (&self.heights, self.vm.running().ops.get(at)) else {
            return;
        };
        if at >= self.region.end {
            return;
        }
        let height = self.vm.stack.len() - self.region_base();
        let expected = heights.shape.height_at(at);
        assert_eq!(
            expected,
            u32::try_from(height).ok(),
            "the height at op {at}"
        );
        if matches!(
            op,
            Op::CallBuiltin(..) | Op::Extended(..) | Op::ExtendedWide(..) | Op::Exec(_)
        ) {
            self.heights = None;
        }
    }

    /// The height of the stack below the values of the region that runs.
    fn region_base(&self) -> usize {
        if let Some(Fence {
            kind: FenceKind::Block(run),
            ..
        }) = self.fences.last()
        {
            return run.height;
        }
        let frames = self.vm.frames.iter().skip(self.floor);
        let call = frames.rev().find(|frame| frame.return_ip != SCOPE);
        call.map_or(0, |frame| frame.stack_base)
    }
}
