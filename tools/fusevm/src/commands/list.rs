//! `fusevm list`: the chunks of a module, in its order.

use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use fusevm::format::{LoadedChunk, Record};
use serde::Serialize;
use std::path::PathBuf;

/// List the chunks of a module
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// Only chunks whose name, or SPACE::NAME, begins with this
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// Prints a line for each chunk: its number of ops, whether it is strict, the first digits of its
/// hash, its name.
///
/// # Errors
/// The module can't be loaded, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    let records = module.records().map_err(|error| input::cant_load(&error))?;
    let listed = records
        .filter_names(|space, name| output::full_name(space, name).starts_with(&args.prefix));
    let mut rows = Vec::new();
    for record in listed {
        let chunk = record.and_then(Record::load);
        rows.push(Row::of(&chunk.map_err(|error| input::cant_load(&error))?));
    }
    if args.json {
        output::print_json(&rows)?;
    } else {
        let lines: String = rows.iter().map(Row::line).collect();
        output::print_text(&lines)?;
    }
    Ok(status::OK)
}

/// A chunk of the list.
#[derive(Serialize)]
struct Row {
    space: String,
    name: String,
    ops: usize,
    strict: bool,
    bytes: usize,
    source: String,
    key: String,
    hash: String,
}

impl Row {
    fn of(chunk: &LoadedChunk) -> Row {
        Row {
            space: chunk.space().to_owned(),
            name: chunk.name().to_owned(),
            ops: chunk.ops().len(),
            strict: chunk.is_strict(),
            bytes: chunk.record().bytes().len(),
            source: chunk.source().to_owned(),
            key: output::hex(chunk.key()),
            hash: chunk.hash().to_string(),
        }
    }

    fn line(&self) -> String {
        let strict = if self.strict { "strict" } else { "loose " };
        let name = output::shown(&output::full_name(&self.space, &self.name));
        format!("{:>8} {strict} {:.16} {name}\n", self.ops, self.hash)
    }
}
