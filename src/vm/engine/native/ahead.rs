//! Native code made ahead of any run, and what is kept of a chunk: for those who look after the cache.

use super::super::Activation;
use super::super::program::Program;
use super::kept;
use crate::jit::cache::{Ahead, KeptChunk, KeptCode, KeptPart, Part, Unfit};
use crate::jit::kept::Content;
use crate::jit::kinds::Kind;
use crate::jit::kinds::seen::Watch;
use crate::jit::{JitMode, JitStats, Miss};
use crate::lower::code::{Code, Word};
use crate::verify::RegionKind;
use crate::vm::VM;

/// Compiles all subs of the running chunk, and its own code if that has loops, as far as no earlier
/// process has; and writes that to the cache. Of a program that is compiled in pieces only the first is: what
/// the others begin with isn't known before it runs.
pub(in crate::vm) fn compile_ahead(vm: &mut VM) -> Ahead {
    let mut ahead = Ahead::default();
    if vm.engine.jit.mode == JitMode::Off {
        return ahead;
    }
    with_program(vm, |program| {
        for region in 0..program.shape().regions().len() {
            match (program.shape().regions()[region].kind, program.code(region)) {
                (RegionKind::Block(_), _) => {}
                (_, None) => ahead.declined += 1,
                (RegionKind::Sub(_), Some(code)) => {
                    let guess = match computes(code) {
                        true => Kind::Int,
                        false => Kind::Any,
                    };
                    match program.native.code(region, None) {
                        Some(_) => ahead.kept += 1,
                        None => count(&mut ahead, program.compile_sub_ahead(region, guess)),
                    }
                }
                (RegionKind::Main, Some(_)) => match program.native.keeps_frames(region) {
                    true => ahead.kept += 1,
                    false => ahead.compiled += u64::from(program.compile_loops_ahead(region)),
                },
            }
        }
        // What other code is entered through goes with it.
        program.native.way();
        program.native.flush();
        let mut stats = JitStats::default();
        program.native.add_to(&mut stats);
        ahead.stored = stats.cache.stored;
    });
    ahead
}

fn count(ahead: &mut Ahead, compiled: bool) {
    match compiled {
        true => ahead.compiled += 1,
        false => ahead.declined += 1,
    }
}

/// What is kept of the running chunk. Nothing where the VM has no cache, or the chunk is loose.
///
/// # Errors
/// When the directory isn't fit for code.
pub(in crate::vm) fn kept_chunk(vm: &mut VM) -> Result<KeptChunk, Unfit> {
    let Some(kept) = kept::look(vm)? else {
        return Ok(KeptChunk {
            parts: Vec::new(),
            reason: Miss::Absent,
        });
    };
    let (contents, reason) = (kept.contents(), kept.why_absent());
    let mut parts = Vec::new();
    with_program(vm, |program| {
        for (region, row) in program.shape().regions().iter().enumerate() {
            let here = |kept: &&Content| kept.key.region() == Some(region);
            let here = || contents.iter().filter(here);
            if let RegionKind::Sub(row) = row.kind {
                let (name, op) = program.chunk().sub_entries[row];
                let code = here().find(|kept| kept.key.position().is_none());
                parts.push(KeptPart {
                    part: Part::Sub(name),
                    op,
                    kept: code.map(described).ok_or(reason),
                });
            }
            let ops = program.code(region).map_or(&[][..], |code| &code.ops);
            let of_loop = |kept: &Content| {
                let op = *ops.get(kept.key.position()?)? as usize;
                Some(KeptPart {
                    part: Part::Loop,
                    op,
                    kept: Ok(described(kept)),
                })
            };
            parts.extend(here().filter_map(of_loop));
        }
    });
    Ok(KeptChunk { parts, reason })
}

fn described(content: &Content) -> KeptCode {
    KeptCode {
        bytes: content.bytes,
        kinds: content.kinds.iter().map(|kind| kind.name()).collect(),
    }
}

/// Does something with the program of the running chunk, lowered as far as that can be; nothing if the
/// chunk is loose.
fn with_program(vm: &mut VM, act: impl FnOnce(&mut Program)) {
    let parked = vm.engine.parked.take();
    let mut activation = parked.unwrap_or_else(Activation::new);
    let options = vm.engine.jit;
    if activation.choose_program(vm, true) {
        let program = activation.program();
        program.native.set_options(options);
        program.lower_all();
        act(program);
    }
    vm.engine.parked = Some(activation);
}

/// Whether anything is computed from numbers, as far as one can see.
fn computes(code: &Code) -> bool {
    let mut at = 0;
    while let Some(word) = code.words.get(at) {
        let word = Word(*word);
        if Watch::of(word) != Watch::Nothing {
            return true;
        }
        at += word.op().words();
    }
    false
}
