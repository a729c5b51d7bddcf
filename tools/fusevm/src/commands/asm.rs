//! x
/// x
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_: Args) -> Result<u8, crate::failure::Failure> { Ok(0) }
