//! A compiler of small shell scripts, so that what ops do can be held against what a shell does with the same
//! script. It is for tests and measurements: the subset is small, and what is not in it panics.

mod compile;
mod parse;
mod words;

use fusevm::Chunk;

/// The chunk that does what the script says.
///
/// # Panics
/// If the script is none of the subset.
pub fn compile(script: &str) -> Chunk {
    compile::compile(&parse::script(script))
}
