//! `fusevm extract`: modules out of a bundle, or single chunks out of any module.

use crate::bundle::{self, BundledFile};
use crate::failure::{Failure, status};
use crate::input;
use crate::output::{self, Output, Target};
use crate::progress::Progress;
use fusevm::code::Code;
use fusevm::format::{LoadedChunk, Module};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a file's name before a number stands for the rest of it.
const LONGEST_NAME: usize = 200;

/// Take files out of a bundle, or a chunk out of a module
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// The file of a bundle, by its name, else the chunk, as NAME or SPACE::NAME
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// All files of a bundle, and all chunks that are of none; OUT is a folder
    #[arg(long)]
    all: bool,
    /// The module to write, or the folder; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Target,
}

/// Writes what is asked for.
///
/// # Errors
/// The module can't be loaded or has nothing of that name, or a file can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    let files = files(&module, &args.file)?;
    match (&args.name, args.output) {
        (Some(name), target) => extract_one(&module, &files, name, target)?,
        (None, Target::File(folder)) => extract_all(&module, &files, &folder)?,
        (None, Target::Stdout) => {
            return Err(Failure::usage(
                "`--all` writes to a folder: name it with `-o`",
            ));
        }
    }
    Ok(status::OK)
}

/// What the module remembers of the files that it was made of.
fn files(module: &Module, path: &Path) -> Result<Vec<BundledFile>, Failure> {
    let metadata = module
        .metadata()
        .map_err(|error| input::cant_load(&error))?;
    bundle::files(&metadata, module.chunk_count()).map_err(|reason| {
        let (status, code) = (status::CANT_LOAD, Code::BadStructure);
        let place = input::place(path);
        Failure::new(status, code, Some(&place), output::shown(&reason))
    })
}

fn extract_one(
    module: &Module,
    files: &[BundledFile],
    name: &str,
    target: Target,
) -> Result<(), Failure> {
    let Some(file) = files.iter().find(|file| file.name == name) else {
        let chunk = input::chunk(module, name)?;
        return write_chunk(&chunk, target);
    };
    let mut chunks = input::chunks(module)?.skip(as_count(file.chunks.range().start));
    write_file(file, &mut chunks, target)
}

fn extract_all(module: &Module, files: &[BundledFile], folder: &Path) -> Result<(), Failure> {
    let mut folder = Folder::at(folder)?;
    let progress = Progress::new("extracting", module.chunk_count());
    let mut chunks = input::chunks(module)?.inspect(|_| progress.step());
    let mut place = 0;
    for file in files {
        let range = file.chunks.range();
        for chunk in chunks.by_ref().take(as_count(range.start - place)) {
            folder.add(&chunk?)?;
        }
        let target = folder.target(&escape(&file.name))?;
        write_file(file, &mut chunks, target)?;
        place = range.end;
    }
    chunks.try_for_each(|chunk| folder.add(&chunk?))
}

/// A number of chunks; one that doesn't fit is more than any module has.
fn as_count(chunks: u64) -> usize {
    usize::try_from(chunks).unwrap_or(usize::MAX)
}

/// Writes a file of the bundle, whose chunks come next.
fn write_file(
    file: &BundledFile,
    chunks: &mut dyn Iterator<Item = Result<LoadedChunk, Failure>>,
    target: Target,
) -> Result<(), Failure> {
    let mut output = Output::begin(target, status::CANT_LOAD)?;
    output.producer(&file.producer)?;
    for (key, value) in &file.metadata {
        output.metadata(key, value);
    }
    for moved in file.chunks.moved() {
        let chunk = chunks.next().unwrap_or_else(|| {
            let detail = "the bundle ends before the file's chunks do";
            let (status, code) = (status::CANT_LOAD, Code::BadStructure);
            Err(Failure::new(status, code, Some(&file.name), detail))
        })?;
        if moved {
            let entry = chunk.entry().in_space("");
            output.add(&entry, &chunk.into_chunk())?;
        } else {
            output.add_loaded(&chunk)?;
        }
    }
    output.finish()
}

/// Writes a module of one chunk, byte for byte as it stands in its module.
fn write_chunk(chunk: &LoadedChunk, target: Target) -> Result<(), Failure> {
    let mut output = Output::begin(target, status::CANT_LOAD)?;
    output.add_loaded(chunk)?;
    output.finish()
}

/// The folder that everything goes to. Whatever names a module has, nothing is written elsewhere.
struct Folder {
    path: PathBuf,
    /// The names given so far, in lower case, as some file systems know no other.
    names: HashSet<String>,
}

impl Folder {
    /// The folder of this path, which is made if it isn't there.
    fn at(path: &Path) -> Result<Folder, Failure> {
        let made = fs::create_dir_all(path);
        made.map_err(|error| Failure::cant_write(&path.display(), &error))?;
        Ok(Folder {
            path: path.to_owned(),
            names: HashSet::new(),
        })
    }

    /// Writes a chunk to a file of its own.
    fn add(&mut self, chunk: &LoadedChunk) -> Result<(), Failure> {
        let name = match chunk.space() {
            "" => escape(chunk.name()),
            space => format!("{}::{}", escape(space), escape(chunk.name())),
        };
        let target = self.target(&format!("{name}.fvbc"))?;
        write_chunk(chunk, target)
    }

    /// Where the file of an escaped name goes; a name that is too long, or taken, is made another.
    fn target(&mut self, name: &str) -> Result<Target, Failure> {
        let mut name = name.to_owned();
        let number = self.names.len();
        if name.len() > LONGEST_NAME {
            name.truncate(name.floor_char_boundary(LONGEST_NAME));
            name = format!("{name}~{number}.fvbc");
        }
        if !self.names.insert(name.to_lowercase()) {
            name = format!("{name}~{number}.fvbc");
            self.names.insert(name.to_lowercase());
        }
        let path = self.path.join(name);
        if path.is_symlink() {
            let detail = io::Error::other("it is a link, which may lead out of the folder");
            return Err(Failure::cant_write(&path.display(), &detail));
        }
        Ok(Target::File(path))
    }
}

/// The name with everything that means something to a file system, a shell or a terminal as `%XX`.
/// Different names stay different, none is empty, and none begins with a point or a dash.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        let inner = !escaped.is_empty() && matches!(c, '.' | '-');
        if c.is_alphanumeric() || inner || matches!(c, '_' | '+' | ',' | '=' | '@') {
            escaped.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a string doesn't fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    if escaped.is_empty() {
        escaped.push('%');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        for (name, escaped) in [
            ("fib.fvbc", "fib.fvbc"),
            ("_comp-init", "_comp-init"),
            ("Größe", "Größe"),
            ("", "%"),
            ("%", "%25"),
            (".", "%2E"),
            ("..", "%2E."),
            ("-rf", "%2Drf"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("a\\b:c", "a%5Cb%3Ac"),
            ("a\0b\n\u{1b}", "a%00b%0A%1B"),
            ("\u{202e}x", "%E2%80%AEx"),
        ] {
            assert_eq!(escape(name), escaped, "{name:?}");
        }
    }

    #[test]
    fn no_two_names_become_one_file() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::at(&place.path().join("a/b")).unwrap();
        let long = "x".repeat(70_000);
        let mut targets = Vec::new();
        for name in ["a.fvbc", "A.fvbc", "a.fvbc", &long, &long] {
            let Target::File(path) = folder.target(name).unwrap() else {
                panic!("{name}");
            };
            assert_eq!(path.parent(), Some(folder.path.as_path()));
            assert!(path.file_name().unwrap().len() < 256);
            targets.push(path.to_str().unwrap().to_lowercase());
        }
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), 5);
    }
}
