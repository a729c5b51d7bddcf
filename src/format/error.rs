//! What can go wrong with a file: [`LoadError`] when it is read, [`WriteError`] when it is written.
//! Both carry a [`Code`], a place, and what was found where something else was expected.

use super::module::Module;
use crate::code::Code;
use crate::verify::VerifyError;
use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How many characters of a text from the file a message shows.
const SHOWN: usize = 120;

/// Where a module's bytes come from and who wrote them, for messages.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    pub(crate) path: Option<PathBuf>,
    pub(crate) producer: Option<String>,
}

impl Origin {
    /// A file of which no more is known yet.
    pub(crate) fn of_path(path: &Path) -> Origin {
        Origin {
            path: Some(path.to_owned()),
            producer: None,
        }
    }
}

/// Why a file, or a chunk of it, can't be loaded.
///
/// `Display` writes several lines: code and title, the place, what was found, who wrote the file,
/// what to do.
#[derive(Debug)]
pub struct LoadError(Box<Detail>);

#[derive(Debug)]
struct Detail {
    code: Code,
    path: Option<PathBuf>,
    producer: Option<String>,
    chunk: Option<ChunkName>,
    offset: Option<u64>,
    op: Option<usize>,
    line: Option<u32>,
    found: Option<String>,
    expected: Option<String>,
    help: OnceLock<String>,
    /// Where a name was looked for that isn't there.
    missing_in: Option<Module>,
    cause: Option<Cause>,
}

#[derive(Debug)]
struct ChunkName {
    space: String,
    name: String,
}

#[derive(Debug)]
enum Cause {
    Io(io::Error),
    Verify(VerifyError),
}

impl LoadError {
    #[cold]
    pub(crate) fn new(code: Code) -> LoadError {
        LoadError(Box::new(Detail {
            code,
            path: None,
            producer: None,
            chunk: None,
            offset: None,
            op: None,
            line: None,
            found: None,
            expected: None,
            help: OnceLock::new(),
            missing_in: None,
            cause: None,
        }))
    }

    /// A structure that contradicts itself or the specification.
    #[cold]
    pub(crate) fn structure(found: impl Display, expected: impl Display) -> LoadError {
        LoadError::new(Code::BadStructure)
            .with_found(found)
            .with_expected(expected)
    }

    /// A number past its limit.
    #[cold]
    pub(crate) fn over_limit(what: &str, found: u64, limit: u64) -> LoadError {
        LoadError::new(Code::OverLimit)
            .with_found(format_args!("{found} {what}"))
            .with_expected(format_args!("at most {limit}"))
    }

    #[cold]
    pub(crate) fn io(code: Code, error: io::Error) -> LoadError {
        let mut this = LoadError::new(code).with_found(&error);
        this.0.cause = Some(Cause::Io(error));
        this
    }

    #[cold]
    pub(crate) fn verify(error: VerifyError, line: Option<u32>) -> LoadError {
        let mut this = LoadError::new(error.code()).with_found(&error);
        this.0.op = error.op();
        this.0.line = line;
        this.0.cause = Some(Cause::Verify(error));
        this
    }

    pub(crate) fn with_found(mut self, found: impl Display) -> LoadError {
        self.0.found = Some(found.to_string());
        self
    }

    pub(crate) fn with_expected(mut self, expected: impl Display) -> LoadError {
        self.0.expected = Some(expected.to_string());
        self
    }

    /// A chunk of the default name space that the module doesn't have. Its help names the nearest name,
    /// which is looked for when it is asked for: an absent name costs as little as a present one.
    #[cold]
    pub(crate) fn missing(module: Module, name: &str) -> LoadError {
        let mut this = LoadError::new(Code::NoSuchChunk)
            .in_chunk("", name)
            .with_origin(&module.inner().origin);
        this.0.missing_in = Some(module);
        this
    }

    pub(crate) fn with_op(mut self, op: usize) -> LoadError {
        self.0.op = Some(op);
        self
    }

    /// Sets the place if none is known yet: the first to know it is the closest to it.
    pub(crate) fn at(mut self, offset: u64) -> LoadError {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Moves a place that was relative to `base`.
    pub(crate) fn relative_to(mut self, base: u64) -> LoadError {
        self.0.offset = Some(self.0.offset.unwrap_or(0).saturating_add(base));
        self
    }

    pub(crate) fn in_chunk(mut self, space: &str, name: &str) -> LoadError {
        self.0.chunk = Some(ChunkName {
            space: space.to_owned(),
            name: name.to_owned(),
        });
        self
    }

    pub(crate) fn with_origin(mut self, origin: &Origin) -> LoadError {
        self.0.path.clone_from(&origin.path);
        self.0.producer.clone_from(&origin.producer);
        self
    }

    /// The row of the error table.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The file, if the bytes came from one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Who wrote the file, if that much of it could be read.
    pub fn producer(&self) -> Option<&str> {
        self.0.producer.as_deref()
    }

    /// The name of the chunk that it is about.
    pub fn chunk(&self) -> Option<&str> {
        self.0.chunk.as_ref().map(|chunk| chunk.name.as_str())
    }

    /// The name space of the chunk that it is about.
    pub fn space(&self) -> Option<&str> {
        self.0.chunk.as_ref().map(|chunk| chunk.space.as_str())
    }

    /// The byte of the module that it is about, counted from the header's first.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The op that it is about.
    pub fn op(&self) -> Option<usize> {
        self.0.op
    }

    /// The source line of the op that it is about.
    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    /// What was found.
    pub fn found(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// What was expected.
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        let detail = &*self.0;
        let (Some(module), Some(chunk)) = (&detail.missing_in, &detail.chunk) else {
            return detail.code.help();
        };
        detail
            .help
            .get_or_init(|| match module.nearest_name(&chunk.name) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => detail.code.help().to_owned(),
            })
    }

    /// What the verifier said, if the chunk's code is at fault.
    pub fn verify_error(&self) -> Option<&VerifyError> {
        match &self.0.cause {
            Some(Cause::Verify(error)) => Some(error),
            Some(Cause::Io(_)) | None => None,
        }
    }
}

impl Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        write!(f, "error[{}]: {}\n  --> ", detail.code, detail.code.title())?;
        match &detail.path {
            Some(path) => f.write_str(&escaped(&path.to_string_lossy(), usize::MAX))?,
            None => f.write_str("<memory>")?,
        }
        if let Some(chunk) = &detail.chunk {
            write!(f, ", chunk \"{}\"", shown(&chunk.name))?;
            if !chunk.space.is_empty() {
                write!(f, " of \"{}\"", shown(&chunk.space))?;
            }
        }
        if let Some(op) = detail.op {
            write!(f, ", op {op}")?;
        }
        if let Some(line) = detail.line {
            write!(f, ", line {line}")?;
        }
        if let Some(offset) = detail.offset {
            write!(f, ", byte {offset}")?;
        }
        match (&detail.found, &detail.expected) {
            (Some(found), Some(expected)) => {
                write!(
                    f,
                    "\n  found {}, expected {}",
                    shown(found),
                    shown(expected)
                )?;
            }
            (Some(found), None) => write!(f, "\n  found: {}", shown(found))?,
            (None, Some(expected)) => write!(f, "\n  expected {}", shown(expected))?,
            (None, None) => {}
        }
        if let Some(producer) = &detail.producer {
            write!(f, "\n  written by {}", shown(producer))?;
        }
        write!(f, "\n  help: {}", escaped(self.help(), usize::MAX))
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Some(Cause::Io(error)) => Some(error),
            Some(Cause::Verify(error)) => Some(error),
            None => None,
        }
    }
}

/// Why a chunk or a module can't be written.
#[derive(Debug)]
pub struct WriteError(Box<WriteDetail>);

#[derive(Debug)]
struct WriteDetail {
    code: Code,
    place: Option<String>,
    message: String,
    cause: Option<io::Error>,
}

impl WriteError {
    #[cold]
    pub(crate) fn new(code: Code, message: impl Display) -> WriteError {
        WriteError(Box::new(WriteDetail {
            code,
            place: None,
            message: message.to_string(),
            cause: None,
        }))
    }

    #[cold]
    pub(crate) fn over_limit(what: &str, found: usize, limit: usize) -> WriteError {
        WriteError::new(
            Code::OverLimit,
            format_args!("{found} {what}, at most {limit} fit"),
        )
    }

    /// Names the chunk or the file that it is about, if that is not known yet.
    pub(crate) fn about(mut self, place: impl Display) -> WriteError {
        self.0.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// The row of the error table.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The chunk or the file that it is about.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> WriteError {
        let mut this = WriteError::new(Code::CantWrite, &error);
        this.0.cause = Some(error);
        this
    }
}

/// What was to be changed can't be read.
impl From<LoadError> for WriteError {
    fn from(error: LoadError) -> WriteError {
        let found = error.found().unwrap_or(error.code().title());
        let mut message = match error.offset() {
            Some(offset) => format!("byte {offset}: {found}"),
            None => found.to_owned(),
        };
        if let Some(expected) = error.expected() {
            message += &format!(", expected {expected}");
        }
        let this = WriteError::new(error.code(), message);
        match error.path() {
            Some(path) => this.about(path.display()),
            None => this,
        }
    }
}

impl Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        write!(f, "error[{}]: {}", detail.code, detail.code.title())?;
        if let Some(place) = &detail.place {
            write!(f, "\n  --> {}", escaped(place, usize::MAX))?;
        }
        write!(f, "\n  {}", shown(&detail.message))?;
        write!(f, "\n  help: {}", detail.code.help())
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|error| error as _)
    }
}

fn shown(text: &str) -> String {
    escaped(text, SHOWN)
}

/// Text that came from outside, made fit for a terminal: control characters escaped, cut after
/// `limit` characters.
fn escaped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == limit {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
