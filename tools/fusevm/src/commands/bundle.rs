//! `fusevm bundle`: many modules become one, or go into one that is there.

mod append;

use crate::bundle::BundledFile;
use crate::failure::{Failure, status};
use crate::input;
use crate::output::{self, Output, Target};
use crate::progress::Progress;
use fusevm::Chunk;
use fusevm::code::Code;
use fusevm::format::{Entry, LoadedChunk, Metadata, Module, ModuleWriter, WriteError};
use std::collections::HashSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Make one module of many
///
/// Chunks without a name space go to one that is called like their file, without its extension, so
/// that each program keeps its `main`: run it with `--entry FILE::main`. `extract` gives the files
/// back as they were.
///
/// With --append or --remove the module OUT is changed in place, which costs the same whatever its
/// size. Programs that have it open don't notice; `compact` tidies it up.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The modules, or assembly text
    #[arg(required_unless_present = "remove", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Put the chunks into OUT, new or in place of those of their names; it is made if it isn't there
    #[arg(long)]
    append: bool,
    /// Take a chunk, NAME or SPACE::NAME, out of OUT; may be given again
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
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
    if !args.append && !args.remove.is_empty() && !args.files.is_empty() {
        let detail = "`--remove` changes a module: to put files into it too, say `--append`";
        return Err(Failure::usage(detail));
    }
    if args.append || !args.remove.is_empty() {
        return append::run(&args);
    }
    let mut output = Output::begin(args.output.clone(), status::CHECK_FAILED)?;
    let mut metadata = Metadata::new();
    let mut count = 0;
    let sources = Source::open_all(&args)?;
    let progress = Source::progress(&sources);
    for source in &sources {
        let mut file = BundledFile::new(source.name.clone(), &source.module, count)?;
        add(&mut output, &mut file, source, &progress)?;
        count = file.chunks.range().end;
        file.print(&mut metadata);
    }
    for (key, value) in &metadata {
        output.metadata(key, value);
    }
    output.finish()?;
    Ok(status::OK)
}

/// A file that goes into the bundle.
struct Source {
    path: PathBuf,
    /// The name under which it stands there.
    name: String,
    /// Where its chunks without a name space go.
    space: String,
    module: Module,
}

impl Source {
    /// The files of the command line.
    fn open_all(args: &Args) -> Result<Vec<Source>, Failure> {
        let mut names = HashSet::new();
        let mut sources = Vec::new();
        for path in &args.files {
            let (name, stem) = names_of(path)?;
            if !names.insert(name.clone()) {
                let detail = format!("two files are called `{}`", output::shown(&name));
                return Err(Failure::usage(detail));
            }
            let space = match &args.space {
                Some(space) => space.clone(),
                None if args.files.len() > 1 => stem,
                None => String::new(),
            };
            sources.push(Source {
                path: path.clone(),
                name,
                space,
                module: input::open(path)?,
            });
        }
        Ok(sources)
    }

    /// The progress of copying the chunks of all of them.
    fn progress(sources: &[Source]) -> Progress {
        let chunks = sources.iter().map(|source| source.module.chunk_count());
        Progress::new("bundling", chunks.sum())
    }
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

/// Where the chunks of a bundle go.
trait Bundle {
    /// Adds a chunk as this.
    fn add(&mut self, entry: &Entry, chunk: &Chunk) -> Result<(), Failure>;

    /// Adds a chunk as it is.
    fn add_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), Failure>;
}

impl Bundle for Output {
    fn add(&mut self, entry: &Entry, chunk: &Chunk) -> Result<(), Failure> {
        Output::add(self, entry, chunk)
    }

    fn add_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), Failure> {
        Output::add_loaded(self, chunk)
    }
}

/// Adds a file's chunks to the bundle. Says so if it can't be extracted byte for byte.
fn add(
    bundle: &mut dyn Bundle,
    file: &mut BundledFile,
    source: &Source,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut copy = Copy::begin(file)?;
    for chunk in input::chunks(&source.module)? {
        let chunk = chunk?;
        let moved = chunk.space().is_empty() && !source.space.is_empty();
        file.chunks.push(moved);
        let entry = chunk.entry();
        let (added, full_name) = if moved {
            let content = chunk.into_chunk();
            copy.add(|writer| writer.add(&entry, &content).map(drop))?;
            let entry = entry.in_space(source.space.as_str());
            let full_name = output::full_name(&entry.space, &entry.name);
            (bundle.add(&entry, &content), full_name)
        } else {
            copy.add(|writer| writer.add_loaded(&chunk))?;
            let full_name = output::full_name(&entry.space, &entry.name);
            (bundle.add_loaded(&chunk), full_name)
        };
        added.map_err(|failure| of_earlier_file(failure, &source.path, &full_name))?;
        progress.step();
    }
    if !copy.is(&source.module)? {
        let place = output::shown(&input::place(&source.path));
        eprintln!("note: {place}: `extract` will give it back in canonical form");
    }
    Ok(())
}

/// What `extract` will make of a file. Nothing of it is kept but its root hash.
struct Copy(ModuleWriter<Nowhere>);

impl Copy {
    fn begin(file: &BundledFile) -> Result<Copy, Failure> {
        let mut writer = ModuleWriter::new(Nowhere::default()).map_err(failure)?;
        writer.producer(file.producer.as_str()).map_err(failure)?;
        for (key, value) in &file.metadata {
            writer.metadata(key.as_str(), value.as_slice());
        }
        Ok(Copy(writer))
    }

    fn add(
        &mut self,
        add: impl FnOnce(&mut ModuleWriter<Nowhere>) -> Result<(), WriteError>,
    ) -> Result<(), Failure> {
        add(&mut self.0).map_err(failure)
    }

    /// Whether it has the bytes of the module, as far as the root hash and the header tell.
    fn is(self, module: &Module) -> Result<bool, Failure> {
        let (end, root_hash) = self.0.finish_with_hash().map_err(failure)?;
        Ok(root_hash == module.root_hash()
            && end.position == module.file_length()
            && module.generation() == 1)
    }
}

/// An output that forgets what is written to it.
#[derive(Default)]
struct Nowhere {
    position: u64,
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) | SeekFrom::End(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
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
