//! What the tests, the sweeps of `xtask figures` and the fuzz targets share: random programs and
//! damaged files, each made from a seed, so that a failure is found again by its seed.

pub mod mutate;
pub mod program;
