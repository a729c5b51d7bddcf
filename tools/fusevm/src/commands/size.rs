//! `fusevm size`: where the bytes of a module go.

use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use fusevm::format::{LoadedChunk, Module};
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write;
use std::path::PathBuf;

/// Tell where the bytes of a module go
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// How many of the largest chunks are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    largest: usize,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the sizes.
///
/// # Errors
/// The module can't be loaded, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    let file = input::place(&args.file).into_owned();
    let sizes = Sizes::of(&module, file, args.largest)?;
    if args.json {
        output::print_json(&sizes)?;
    } else {
        output::print_text(&sizes.text())?;
    }
    Ok(status::OK)
}

/// Bytes of a module, by part.
#[derive(Serialize)]
struct Sizes {
    file: String,
    bytes: u64,
    chunks: u64,
    ops: u64,
    /// Of the whole file.
    bytes_per_op: Option<f64>,
    header: u64,
    records: Records,
    index: u64,
    metadata: u64,
    root: u64,
    other: u64,
    largest: Vec<Chunk>,
}

/// Bytes of all records, by part.
#[derive(Default, Serialize)]
struct Records {
    heads: u64,
    constants: u64,
    names: u64,
    tables: u64,
    code: u64,
    lines: u64,
}

/// One of the largest chunks.
#[derive(Serialize)]
struct Chunk {
    space: String,
    name: String,
    bytes: u64,
    ops: usize,
}

impl Sizes {
    fn of(module: &Module, file: String, largest: usize) -> Result<Sizes, Failure> {
        let parts = module.sizes().map_err(|error| input::cant_load(&error))?;
        let (bytes, ops) = (module.file_length(), module.op_count());
        let mut sizes = Sizes {
            file,
            bytes,
            chunks: module.chunk_count(),
            ops,
            bytes_per_op: ratio(bytes, ops),
            header: parts.header,
            records: Records::default(),
            index: parts.index,
            metadata: parts.metadata,
            root: parts.root,
            other: parts.other,
            largest: Vec::new(),
        };
        for chunk in input::chunks(module)? {
            let chunk = chunk?;
            sizes.records.add(&chunk);
            sizes.largest.push(Chunk {
                space: chunk.space().to_owned(),
                name: chunk.name().to_owned(),
                bytes: chunk.record().bytes().len() as u64,
                ops: chunk.ops().len(),
            });
        }
        // Of chunks of one size, the first in the module goes first.
        sizes.largest.sort_by_key(|chunk| Reverse(chunk.bytes));
        sizes.largest.truncate(largest);
        Ok(sizes)
    }

    fn text(&self) -> String {
        let file = output::shown(&self.file);
        let chunks = output::counted(self.chunks, "chunk");
        let ops = output::counted(self.ops, "op");
        let mut text = format!("{file}: {} bytes, {chunks}, {ops}\n", self.bytes);
        // Writing to a string doesn't fail, here and below.
        if let (Some(all), Some(code)) = (self.bytes_per_op, ratio(self.records.code, self.ops)) {
            let _ = writeln!(text, "bytes per op: {all:.1}, of which code {code:.1}");
        }
        text.push('\n');
        let mut line = |what: &str, bytes: u64| {
            let share = 100.0 * bytes as f64 / self.bytes as f64;
            let _ = writeln!(text, "{what:<14}{bytes:>12}{share:>7.1}%");
        };
        let records = &self.records;
        line("header", self.header);
        line("records", records.total());
        line("  heads", records.heads);
        line("  constants", records.constants);
        line("  names", records.names);
        line("  tables", records.tables);
        line("  code", records.code);
        line("  lines", records.lines);
        line("index", self.index);
        line("metadata", self.metadata);
        line("root", self.root);
        line("other", self.other);
        if !self.largest.is_empty() {
            text.push_str("\nlargest chunks, in bytes\n");
        }
        for chunk in &self.largest {
            let name = output::shown(&output::full_name(&chunk.space, &chunk.name));
            let ops = output::counted(chunk.ops as u64, "op");
            let _ = writeln!(text, "{:>12}  {name}, {ops}", chunk.bytes);
        }
        text
    }
}

impl Records {
    fn add(&mut self, chunk: &LoadedChunk) {
        let sizes = chunk.sizes();
        self.heads += sizes.head;
        self.constants += sizes.constants;
        self.names += sizes.names;
        self.tables += sizes.tables;
        self.code += sizes.code;
        self.lines += sizes.lines;
    }

    fn total(&self) -> u64 {
        self.heads + self.constants + self.names + self.tables + self.code + self.lines
    }
}

fn ratio(bytes: u64, ops: u64) -> Option<f64> {
    (ops != 0).then(|| bytes as f64 / ops as f64)
}
