//! `fusevm bundle`: many modules become one.

use crate::bundle::BundledFile;
use crate::failure::{Failure, status};
use crate::input;
use crate::output::{self, Output, Target};
use fusevm::code::Code;
use fusevm::format::{Metadata, Module, ModuleWriter, WriteError};
use std::collections::HashSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Make one module of many
///
/// Chunks without a name space go to one that is called like their file, without its extension, so
/// that each program keeps its `main`: run it with `--entry FILE::main`. `extract` gives the files
/// back as they were.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The modules, or assembly text
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The module to write; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
    /// Where chunks without a name space go; '' leaves them [default: the file's name, if there are
    /// several]
    #[arg(long, value_name = "NAME")]
    space: Option<String>,
}

/// Writes the bundle.
///
/// # Errors
/// A file can't be loaded, two have the same name or chunks of the same name, or the bundle can't be
/// written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let mut output = Output::begin(args.output, status::CHECK_FAILED)?;
    let mut metadata = Metadata::new();
    let mut names = HashSet::new();
    let mut count = 0;
    for path in &args.files {
        let (name, stem) = names_of(path)?;
        if !names.insert(name.clone()) {
            let detail = format!("two files are called `{}`", output::shown(&name));
            return Err(Failure::usage(detail));
        }
        let space = match &args.space {
            Some(space) => space,
            None if args.files.len() > 1 => &stem,
            None => "",
        };
        let module = input::open(path)?;
        let mut file = BundledFile::new(name, &module, count)?;
        let exact = add(&mut output, &mut file, space, &module, path)?;
        if !exact {
            let place = output::shown(&input::place(path));
            eprintln!("note: {place}: `extract` will give it back in canonical form");
        }
        count = file.chunks.range().end;
        file.print(&mut metadata);
    }
    for (key, value) in &metadata {
        output.metadata(key, value);
    }
    output.finish()?;
    Ok(status::OK)
}

/// The failure to add a chunk; one that the files before it explain says so.
fn of_earlier_file(failure: Failure, path: &Path, chunk: &str) -> Failure {
    match failure {
        Failure::Reported {
            code: Code::DuplicateChunk,
            ..
        } => {
            let chunk = output::shown(chunk);
            let detail = format!("an earlier file has a chunk `{chunk}` too");
            let (status, code) = (status::CHECK_FAILED, Code::DuplicateChunk);
            Failure::new(status, code, Some(&input::place(path)), detail)
        }
        failure => failure,
    }
}

/// The name under which a file stands in the bundle, and the one of its name space.
fn names_of(path: &Path) -> Result<(String, String), Failure> {
    let text =
        |name: Option<&std::ffi::OsStr>| name.and_then(|name| name.to_str()).map(str::to_owned);
    match (text(path.file_name()), text(path.file_stem())) {
        (Some(name), Some(stem)) if name != "-" => {
            let is_text = path
                .extension()
                .is_some_and(|extension| extension == "fvasm");
            let name = if is_text {
                format!("{stem}.fvbc")
            } else {
                name
            };
            Ok((name, stem))
        }
        _ => {
            let place = output::shown(&input::place(path));
            Err(Failure::usage(format!(
                "`{place}` has no name that a bundle can keep"
            )))
        }
    }
}

/// Adds a module's chunks to the bundle, and tells whether it can be extracted byte for byte.
fn add(
    output: &mut Output,
    file: &mut BundledFile,
    space: &str,
    module: &Module,
    path: &Path,
) -> Result<bool, Failure> {
    let mut copy = Copy::begin(file)?;
    for chunk in input::chunks(module)? {
        let chunk = chunk?;
        let moved = chunk.space().is_empty() && !space.is_empty();
        file.chunks.push(moved);
        let entry = chunk.entry();
        let (added, full_name) = if moved {
            let content = chunk.into_chunk();
            copy.add(|writer| writer.add(&entry, &content).map(drop))?;
            let entry = entry.in_space(space);
            let full_name = output::full_name(space, &entry.name);
            (output.add(&entry, &content), full_name)
        } else {
            copy.add(|writer| writer.add_loaded(&chunk))?;
            let full_name = output::full_name(&entry.space, &entry.name);
            (output.add_loaded(&chunk), full_name)
        };
        added.map_err(|failure| of_earlier_file(failure, path, &full_name))?;
    }
    copy.is(module)
}

/// What `extract` will make of a file.
struct Copy(ModuleWriter<Cursor<Vec<u8>>>);

impl Copy {
    fn begin(file: &BundledFile) -> Result<Copy, Failure> {
        let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).map_err(failure)?;
        writer.producer(file.producer.as_str()).map_err(failure)?;
        for (key, value) in &file.metadata {
            writer.metadata(key.as_str(), value.as_slice());
        }
        Ok(Copy(writer))
    }

    fn add(
        &mut self,
        add: impl FnOnce(&mut ModuleWriter<Cursor<Vec<u8>>>) -> Result<(), WriteError>,
    ) -> Result<(), Failure> {
        add(&mut self.0).map_err(failure)
    }

    /// Whether it has the bytes of the module, as far as the root hash and the header tell.
    fn is(self, module: &Module) -> Result<bool, Failure> {
        let bytes = self.0.finish().map_err(failure)?.into_inner();
        let copy = Module::from_bytes(bytes).map_err(|error| input::cant_load(&error))?;
        Ok(copy.root_hash() == module.root_hash()
            && copy.file_length() == module.file_length()
            && copy.generation() == module.generation()
            && copy.producer() == module.producer())
    }
}

/// The failure to write a file's chunks once more.
fn failure(error: WriteError) -> Failure {
    let status = match error.code() {
        Code::CantWrite => status::FAILED,
        _ => status::CANT_LOAD,
    };
    Failure::of(status, error.code(), &error)
}
