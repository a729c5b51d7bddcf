//! The smallest part of a program that still shows something: ops are taken out and made simpler for
//! as long as it does.

use fusevm::{
    Chunk, Op,
    op::{Operand, StackEffect},
};

/// Makes a chunk smaller while `shows` holds, which it does for `chunk` itself. Whether the code still
/// makes sense is for `shows` to say.
pub fn minimize(chunk: &Chunk, shows: impl Fn(&Chunk) -> bool) -> Chunk {
    let mut best = chunk.clone();
    attempt(&mut best, &shows, |chunk| chunk.lines.clear());
    loop {
        let before = best.ops.len();
        take_out(&mut best, &shows);
        simplify(&mut best, &shows);
        if best.ops.len() == before {
            break;
        }
    }
    shorten_tables(&mut best, &shows);
    best
}

/// Changes the chunk if it still shows then; gives whether it does.
fn attempt(
    best: &mut Chunk,
    shows: &impl Fn(&Chunk) -> bool,
    change: impl FnOnce(&mut Chunk),
) -> bool {
    let mut candidate = best.clone();
    change(&mut candidate);
    let still = shows(&candidate);
    if still {
        *best = candidate;
    }
    still
}

/// Takes out rows of tables that nothing needs; of those that ops number only the last ones.
fn shorten_tables(best: &mut Chunk, shows: &impl Fn(&Chunk) -> bool) {
    for row in (0..best.sub_entries.len()).rev() {
        attempt(best, shows, |chunk| {
            chunk.sub_entries.remove(row);
        });
    }
    for row in (0..best.signatures.len()).rev() {
        attempt(best, shows, |chunk| {
            chunk.signatures.remove(row);
        });
    }
    for row in (0..best.imports.len()).rev() {
        attempt(best, shows, |chunk| {
            chunk.imports.remove(row);
        });
    }
    let pops: [fn(&mut Chunk); 3] = [
        |chunk| chunk.block_ranges.truncate(chunk.block_ranges.len() - 1),
        |chunk| chunk.names.truncate(chunk.names.len() - 1),
        |chunk| chunk.constants.truncate(chunk.constants.len() - 1),
    ];
    let lens = [
        best.block_ranges.len(),
        best.names.len(),
        best.constants.len(),
    ];
    for (pop, len) in pops.into_iter().zip(lens) {
        (0..len).all(|_| attempt(best, shows, pop));
    }
}

/// Takes out runs of ops, long ones first.
fn take_out(best: &mut Chunk, shows: &impl Fn(&Chunk) -> bool) {
    let mut len = best.ops.len() / 2;
    while len > 0 {
        let mut at = 0;
        while at < best.ops.len() {
            let taken = len.min(best.ops.len() - at);
            if !attempt(best, shows, |chunk| splice(chunk, at, taken, &[])) {
                at += len;
            }
        }
        len /= 2;
    }
}

/// Replaces ops by what only moves the stack as they do.
fn simplify(best: &mut Chunk, shows: &impl Fn(&Chunk) -> bool) {
    let mut at = 0;
    while at < best.ops.len() {
        let simpler = match best.ops[at].effect() {
            StackEffect::Fixed { pops: 0, pushes: 1 } => vec![Op::LoadInt(1)],
            StackEffect::Fixed { pops, pushes } if pops > pushes => {
                vec![Op::Pop; (pops - pushes) as usize]
            }
            StackEffect::Fixed { .. } | StackEffect::Declared => Vec::new(),
        };
        if !simpler.is_empty() && simpler[0] != best.ops[at] {
            attempt(best, shows, |chunk| splice(chunk, at, 1, &simpler));
        }
        at += 1;
    }
}

/// Puts `ops` in the place of `len` ops from `at` on; what led to them leads to the first.
fn splice(chunk: &mut Chunk, at: usize, len: usize, ops: &[Op]) {
    let moved = |target: usize| match target {
        target if target <= at => target,
        target if target < at + len => at,
        target => target - len + ops.len(),
    };
    chunk.ops.splice(at..at + len, ops.iter().cloned());
    if !chunk.lines.is_empty() {
        chunk.lines = (1..=chunk.ops.len() as u32).collect();
    }
    for op in &mut chunk.ops {
        *op = retargeted(op, moved);
    }
    for (_, entry) in &mut chunk.sub_entries {
        *entry = moved(*entry);
    }
    for (start, end) in &mut chunk.block_ranges {
        (*start, *end) = (moved(*start), moved(*end));
    }
}

/// The op with its target moved, if it has one.
fn retargeted(op: &Op, moved: impl Fn(usize) -> usize) -> Op {
    let operands: Vec<Operand> = (op.operands().iter())
        .map(|operand| match *operand {
            Operand::Target(target) => Operand::Target(moved(target)),
            other => other,
        })
        .collect();
    Op::from_operands(op.info().byte, &operands).expect("operands of the op's kinds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::program;
    use fusevm::verify::verify_chunk;

    #[test]
    fn what_does_not_matter_goes() {
        let divides = |chunk: &Chunk| chunk.ops.contains(&Op::Div) && verify_chunk(chunk).is_ok();
        let chunk = (0..).map(program).find(divides).expect("a program divides");
        let small = minimize(&chunk, divides);
        assert!(small.ops.len() <= 8, "{:?}", small.ops);
    }
}
