//! What the tests, the sweeps of `xtask figures` and the fuzz targets share: random programs and
//! damaged files, each made from a seed, so that a failure is found again by its seed.

pub mod crash;
pub mod crashes;
pub mod kept;
pub mod library;
pub mod linked;
pub mod minimize;
pub mod mutate;
pub mod operator;
pub mod outcome;
pub mod processes;
pub mod program;
pub mod same;
pub mod sh;
pub mod smoke;
pub mod tiers;
pub mod vectors;

use fusevm::{
    Chunk,
    format::{Entry, ModuleWriter},
};

/// The bytes of a module with these chunks and a little metadata.
///
/// # Panics
/// If the chunks can't be written, as when two have the same name.
pub fn module_of<'a>(chunks: impl IntoIterator<Item = (&'a str, &'a Chunk)>) -> Vec<u8> {
    let out = std::io::Cursor::new(Vec::new());
    let mut writer = ModuleWriter::new(out).expect("memory takes everything");
    writer.metadata("title", "made for a test");
    for (name, chunk) in chunks {
        writer
            .add(&Entry::named(name), chunk)
            .expect("the chunk can be written");
    }
    writer
        .finish()
        .expect("memory takes everything")
        .into_inner()
}
