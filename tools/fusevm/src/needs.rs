//! What a chunk may need of its host, in the words of the policy.

use fusevm::format::LoadedChunk;
use fusevm::host::{Capability, Needs};
use fusevm::op;

/// The capabilities that the chunk may use: those of the ops that can be reached, or, in a loose
/// chunk, of all ops. What it imports is not among them; the guard in front of the host sees to it.
pub(crate) fn of(chunk: &LoadedChunk) -> Needs {
    let can_run = |index| match chunk.shape() {
        Some(shape) => shape.height_at(index).is_some(),
        None => true,
    };
    let ops = chunk.ops().iter().enumerate();
    ops.filter(|(index, _)| can_run(*index))
        .filter_map(|(_, op)| capability(op.needs()))
        .collect()
}

fn capability(needs: op::Needs) -> Option<Capability> {
    match needs {
        op::Needs::None => None,
        op::Needs::Exec => Some(Capability::Exec),
        op::Needs::Read => Some(Capability::Read),
        op::Needs::Write => Some(Capability::Write),
        op::Needs::Env => Some(Capability::Env),
    }
}
