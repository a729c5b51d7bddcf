//! `fusevm cache warm`: compiles a module's functions before anybody runs them.

use super::Place;
use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use crate::progress::Progress;
use fusevm::jit::cache::Ahead;
use serde::Serialize;
use std::path::Path;

/// What warming has come to.
#[derive(Default, Serialize)]
struct Outcome {
    chunks: u64,
    /// Parts of chunks: subs, and loops of code outside of subs.
    compiled: u64,
    already_there: u64,
    declined: u64,
    stored: u64,
}

/// Compiles all chunks of a module.
///
/// # Errors
/// The module or a chunk can't be loaded, the cache isn't fit for code, or some code couldn't be
/// written there.
pub(super) fn run(place: &Place, file: &Path, json: bool) -> Result<u8, Failure> {
    let module = input::open(file)?;
    let engine = place.engine(&module);
    let progress = Progress::new("compiling", module.chunk_count());
    let mut outcome = Outcome::default();
    for chunk in input::chunks(&module)? {
        let mut vm = engine.vm(&engine.loaded(chunk?));
        // Tells what is wrong with the directory, if anything is.
        vm.kept_code().map_err(|unfit| place.refused(&unfit))?;
        let Ahead {
            compiled,
            kept,
            declined,
            stored,
        } = vm.compile_ahead();
        outcome.chunks += 1;
        outcome.compiled += compiled;
        outcome.already_there += kept;
        outcome.declined += declined;
        outcome.stored += stored;
        progress.step();
    }
    drop(progress);
    print(&outcome, json)?;
    Ok(match outcome.stored >= outcome.compiled {
        true => status::OK,
        false => status::CHECK_FAILED,
    })
}

fn print(outcome: &Outcome, json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(outcome);
    }
    let Outcome {
        chunks,
        compiled,
        already_there,
        declined,
        stored,
    } = outcome;
    let mut text = format!(
        "{}: {compiled} parts compiled, {already_there} already there, {declined} too large\n",
        output::counted(*chunks, "chunk")
    );
    if stored < compiled {
        text += "not all of them could be written\n";
    }
    output::print_text(&text)
}
