//! `fusevm info`: what a module is, who wrote it, what it holds and what it needs.

use crate::failure::{Failure, status};
use crate::input;
use crate::needs;
use crate::output;
use fusevm::chunk::ImportKind;
use fusevm::format::{LoadedChunk, Module};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

/// Tell what a module is and holds
///
/// Without --all the answer comes from the file's header and root and costs the same at any size.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// Load every chunk: bytes by part, strict and loose chunks, needs and imports
    #[arg(long)]
    all: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Prints what is known of the module.
///
/// # Errors
/// The module can't be loaded, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    let mut info = Info::of(&module, input::place(&args.file).into_owned())?;
    if args.all {
        info.contents = Some(Contents::of(&module)?);
    }
    if args.json {
        output::print_json(&info)?;
    } else {
        output::print_text(&info.text())?;
    }
    Ok(status::OK)
}

/// What header, root and metadata tell.
#[derive(Serialize)]
struct Info {
    file: String,
    format: String,
    producer: Option<String>,
    generation: u64,
    segments: u32,
    bytes: u64,
    opset: u16,
    chunks: u64,
    ops: u64,
    root_hash: String,
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    contents: Option<Contents>,
}

impl Info {
    fn of(module: &Module, file: String) -> Result<Info, Failure> {
        let (major, minor) = module.format_version();
        let metadata = module
            .metadata()
            .map_err(|error| input::cant_load(&error))?;
        let as_text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        Ok(Info {
            file,
            format: format!("{major}.{minor}"),
            producer: module.producer().map(str::to_owned),
            generation: module.generation(),
            segments: module.segment_count(),
            bytes: module.file_length(),
            opset: module.opset_level(),
            chunks: module.chunk_count(),
            ops: module.op_count(),
            root_hash: output::hex(&module.root_hash()),
            metadata: metadata.into_iter().map(|(k, v)| (k, as_text(v))).collect(),
            contents: None,
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: &str| {
            // Writing to a string doesn't fail.
            let _ = writeln!(text, "{what:<15}{}", output::shown(value));
        };
        line("file", &self.file);
        line("format", &self.format);
        line("producer", self.producer.as_deref().unwrap_or("not named"));
        line("generation", &self.generation.to_string());
        line("segments", &self.segments.to_string());
        line("bytes", &self.bytes.to_string());
        line("opset", &self.opset.to_string());
        line("chunks", &self.chunks.to_string());
        line("ops", &self.ops.to_string());
        line("root hash", &self.root_hash);
        for (key, value) in &self.metadata {
            line("metadata", &format!("{key} = {value}"));
        }
        if let Some(contents) = &self.contents {
            contents.write_lines(&mut line);
        }
        text
    }
}

/// What only a look at every chunk tells.
#[derive(Default, Serialize)]
struct Contents {
    strict: u64,
    loose: u64,
    /// The capabilities that some chunk may use.
    needs: BTreeSet<&'static str>,
    imports: Imports,
    bytes_by_part: BytesByPart,
}

/// How many different handlers and functions the chunks import.
#[derive(Default, Serialize)]
struct Imports {
    builtins: u64,
    extensions: u64,
    wide_extensions: u64,
    functions: u64,
}

/// Where the bytes of a module go.
#[derive(Default, Serialize)]
struct BytesByPart {
    /// Instructions.
    code: u64,
    /// What records hold besides: constants, names, tables, lines.
    tables: u64,
    /// Header, metadata, index, roots.
    frame: u64,
}

impl Contents {
    fn of(module: &Module) -> Result<Contents, Failure> {
        let mut contents = Contents::default();
        let mut imports = BTreeSet::new();
        for chunk in input::chunks(module)? {
            let chunk = chunk?;
            if chunk.is_strict() {
                contents.strict += 1;
            } else {
                contents.loose += 1;
            }
            contents
                .needs
                .extend(needs::of(&chunk).iter().map(|need| need.word()));
            add_imports(&chunk, &mut imports);
            let (record, code) = (chunk.record().bytes().len() as u64, chunk.sizes().code);
            contents.bytes_by_part.code += code;
            contents.bytes_by_part.tables += record - code;
        }
        let parts = &mut contents.bytes_by_part;
        // Only in a hostile file do records overlap.
        let records = parts.code + parts.tables;
        parts.frame = module.file_length().saturating_sub(records);
        for (kind, ..) in imports {
            *contents.imports.of_kind(kind) += 1;
        }
        Ok(contents)
    }

    fn write_lines(&self, line: &mut impl FnMut(&str, &str)) {
        line("strict", &self.strict.to_string());
        line("loose", &self.loose.to_string());
        let needs: Vec<&str> = self.needs.iter().copied().collect();
        let needs = if needs.is_empty() {
            "nothing".to_owned()
        } else {
            needs.join(", ")
        };
        line("needs", &needs);
        line("imports", &self.imports.text());
        let BytesByPart {
            code,
            tables,
            frame,
        } = &self.bytes_by_part;
        let parts = format!("code {code}, tables {tables}, header and index {frame}");
        line("bytes by part", &parts);
    }
}

impl Imports {
    fn text(&self) -> String {
        let counts = [
            (self.builtins, "builtin"),
            (self.extensions, "extension op"),
            (self.wide_extensions, "wide extension op"),
            (self.functions, "function"),
        ];
        let some = counts.into_iter().filter(|(count, _)| *count > 0);
        let some: Vec<String> = some
            .map(|(count, what)| output::counted(count, what))
            .collect();
        if some.is_empty() {
            return "nothing".to_owned();
        }
        some.join(", ")
    }

    fn of_kind(&mut self, kind: ImportKind) -> &mut u64 {
        match kind {
            ImportKind::Builtin => &mut self.builtins,
            ImportKind::Extension => &mut self.extensions,
            ImportKind::ExtensionWide => &mut self.wide_extensions,
            ImportKind::Function => &mut self.functions,
        }
    }
}

/// What tells one import from another: kind, number (0 for a function), name space, name.
type ImportKey = (ImportKind, u16, String, String);

fn add_imports(chunk: &LoadedChunk, imports: &mut BTreeSet<ImportKey>) {
    for (row, import) in chunk.imports().iter().enumerate() {
        let (space, name) = chunk.import_name(row).unwrap_or_default();
        let id = match import.kind {
            // A function's number is an index of its own chunk.
            ImportKind::Function => 0,
            _ => import.id,
        };
        imports.insert((import.kind, id, space.to_owned(), name.to_owned()));
    }
}
