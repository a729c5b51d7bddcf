//! `fusevm dis`: a module as assembly text.

use crate::failure::{Failure, status};
use crate::input;
use crate::machine_code;
use crate::output;
use fusevm::asm::{self, Listing, Style};
use fusevm::format::LoadedChunk;
use fusevm::jit::listing::NativeListing;
use std::path::PathBuf;

/// Print a module as assembly text
///
/// The text assembles to the same bytes; what the flags add stands in comments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text to be put in canonical form; `-` for standard input
    file: PathBuf,
    /// Only this chunk, as NAME or SPACE::NAME
    #[arg(long, value_name = "NAME")]
    chunk: Option<String>,
    /// Show the index of each op
    #[arg(long)]
    offsets: bool,
    /// Show the bytes of each op
    #[arg(long)]
    bytes: bool,
    /// Show the height of the stack before each op, as far as it is proved
    #[arg(long)]
    heights: bool,
    /// Show the register code that the engine makes of each op, if the stack is proved
    #[arg(long)]
    lowered: bool,
    /// Show behind each chunk its native code as it is compiled before anything has run, if the stack is
    /// proved
    #[arg(long)]
    native: bool,
}

/// Prints the text.
///
/// # Errors
/// The module can't be loaded, has no such chunk, or the text can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    if let Some(name) = &args.chunk {
        let chunk = input::chunk(&module, name)?;
        output::print_text(&text(&chunk, &args)?)?;
        return Ok(status::OK);
    }
    let metadata = module
        .metadata()
        .map_err(|error| input::cant_load(&error))?;
    let mut separator = "";
    if !metadata.is_empty() {
        output::print_text(&asm::print_metadata(&metadata))?;
        separator = "\n";
    }
    for chunk in input::chunks(&module)? {
        output::print_text(separator)?;
        output::print_text(&text(&chunk?, &args)?)?;
        separator = "\n";
    }
    Ok(status::OK)
}

/// The text of one chunk.
fn text(chunk: &LoadedChunk, args: &Args) -> Result<String, Failure> {
    let code = chunk.to_chunk();
    let shape = chunk.shape();
    let lowered = shape.filter(|_| args.lowered);
    let lowered = lowered.map(|shape| Listing::of(&code, shape));
    let style = Style {
        offsets: args.offsets,
        bytes: args.bytes,
        heights: shape.filter(|_| args.heights),
        lowered: lowered.as_ref(),
    };
    let printed = asm::print_chunk(&chunk.entry(), &code, &style);
    let mut text = printed.map_err(|error| {
        let place = format!("chunk \"{}\"", output::shown(chunk.name()));
        Failure::new(status::FAILED, error.code(), Some(&place), error)
    })?;
    if let Some(shape) = shape.filter(|_| args.native) {
        text.push_str(&machine_code::text(&NativeListing::of(&code, shape)));
    }
    Ok(text)
}
