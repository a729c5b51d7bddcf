//! What a bundle remembers of the files that it was made of, in its metadata.
//!
//! Of the file NAME there are these entries; with them `extract` gives the file back byte for byte:
//!
//! | Key | Value |
//! |---|---|
//! | `bundle/NAME/chunks` | the place of the file's first chunk in the bundle, then how many chunks in turn were moved to a name space, stayed in theirs, were moved, and so on; decimal, apart by blanks |
//! | `bundle/NAME/producer` | who wrote the file, if its header says so |
//! | `bundle/NAME/meta/KEY` | an entry of the file's own metadata |

use crate::failure::Failure;
use crate::input;
use fusevm::format::{Metadata, Module};
use std::collections::BTreeMap;
use std::ops::Range;

/// What the keys of bundled files begin with.
const PREFIX: &str = "bundle/";

/// A file of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BundledFile {
    /// Its name, without folders.
    pub(crate) name: String,
    /// Who wrote it; empty if it doesn't say.
    pub(crate) producer: String,
    /// Its own metadata.
    pub(crate) metadata: Metadata,
    /// Its chunks.
    pub(crate) chunks: Chunks,
}

/// The chunks of a file, which follow each other in the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// How many chunks stand before them.
    first: u64,
    /// How many were moved to a name space, how many stayed in theirs, in turn.
    runs: Vec<u64>,
}

impl Chunks {
    /// No chunks, behind the first chunks of a bundle.
    pub(crate) fn behind(first: u64) -> Chunks {
        Chunks {
            first,
            runs: Vec::new(),
        }
    }

    /// Puts them behind the first chunks of a bundle.
    pub(crate) fn move_to(&mut self, first: u64) {
        self.first = first;
    }

    /// Adds a chunk.
    pub(crate) fn push(&mut self, moved: bool) {
        if self.last_was_moved() != Some(moved) {
            if self.runs.is_empty() && !moved {
                self.runs.push(0);
            }
            self.runs.push(0);
        }
        if let Some(run) = self.runs.last_mut() {
            *run += 1;
        }
    }

    /// Which chunks of the bundle they are.
    pub(crate) fn range(&self) -> Range<u64> {
        self.first..self.first + self.runs.iter().sum::<u64>()
    }

    /// Of each chunk, whether it was moved.
    pub(crate) fn moved(&self) -> impl Iterator<Item = bool> {
        let runs = self.runs.iter().enumerate();
        runs.flat_map(|(turn, run)| (0..*run).map(move |_| turn % 2 == 0))
    }

    fn last_was_moved(&self) -> Option<bool> {
        (!self.runs.is_empty()).then_some(self.runs.len() % 2 == 1)
    }

    fn print(&self) -> String {
        let runs = self.runs.iter().map(|run| format!(" {run}"));
        runs.fold(self.first.to_string(), |text, run| text + &run)
    }

    /// The twin of `print`, of a bundle with this many chunks.
    fn parse(text: &[u8], count: u64) -> Option<Chunks> {
        let mut numbers = std::str::from_utf8(text).ok()?.split(' ').map(number);
        let first = numbers.next()??;
        let runs = numbers.collect::<Option<Vec<u64>>>()?;
        let end = runs
            .iter()
            .try_fold(first, |sum, run| sum.checked_add(*run));
        (end? <= count).then_some(Chunks { first, runs })
    }
}

/// A decimal number, in its one form.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl BundledFile {
    /// A file that this module is, of which no chunks are added yet, behind the first chunks of a
    /// bundle.
    ///
    /// # Errors
    /// The module's metadata can't be read.
    pub(crate) fn new(name: String, module: &Module, first: u64) -> Result<BundledFile, Failure> {
        let metadata = module
            .metadata()
            .map_err(|error| input::cant_load(&error))?;
        Ok(BundledFile {
            name,
            producer: module.producer().unwrap_or_default().to_owned(),
            metadata,
            chunks: Chunks::behind(first),
        })
    }

    /// Adds what is remembered of the file to the bundle's metadata.
    pub(crate) fn print(&self, metadata: &mut Metadata) {
        let mut put = |field: &str, value: &[u8]| {
            metadata.insert(format!("{PREFIX}{}/{field}", self.name), value.to_vec());
        };
        put("chunks", self.chunks.print().as_bytes());
        if !self.producer.is_empty() {
            put("producer", self.producer.as_bytes());
        }
        for (key, value) in &self.metadata {
            put(&format!("meta/{key}"), value);
        }
    }
}

/// Whether a key of the metadata is of a bundled file.
pub(crate) fn is_of_file(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// The files of a bundle with these metadata and this many chunks, in the order of their chunks; none
/// if it is no bundle. The twin of [`BundledFile::print`].
///
/// # Errors
/// What is wrong with the metadata.
pub(crate) fn files(metadata: &Metadata, count: u64) -> Result<Vec<BundledFile>, String> {
    let mut files: BTreeMap<&str, (BundledFile, bool)> = BTreeMap::new();
    for (key, value) in metadata {
        let Some(rest) = key.strip_prefix(PREFIX) else {
            continue;
        };
        let wrong = || format!("the metadata `{key}` is none of a bundle");
        let (name, field) = rest.split_once('/').ok_or_else(wrong)?;
        let (file, complete) = files.entry(name).or_default();
        file.name = name.to_owned();
        match field {
            "chunks" => {
                file.chunks = Chunks::parse(value, count).ok_or_else(wrong)?;
                *complete = true;
            }
            "producer" => {
                let producer = String::from_utf8(value.clone());
                file.producer = producer.map_err(|_| wrong())?;
            }
            _ => {
                let key = field.strip_prefix("meta/").ok_or_else(wrong)?;
                file.metadata.insert(key.to_owned(), value.clone());
            }
        }
    }
    let mut sorted = Vec::with_capacity(files.len());
    for (file, complete) in files.into_values() {
        if !complete {
            return Err(format!("`{}` has no chunks in the bundle", file.name));
        }
        sorted.push(file);
    }
    sorted.sort_by_key(|file| (file.chunks.range().start, file.chunks.range().end));
    for pair in sorted.windows(2) {
        if pair[0].chunks.range().end > pair[1].chunks.range().start {
            let (one, other) = (&pair[0].name, &pair[1].name);
            return Err(format!("`{one}` and `{other}` have chunks in common"));
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, first: u64, moved: &[bool]) -> BundledFile {
        let mut chunks = Chunks::behind(first);
        moved.iter().for_each(|moved| chunks.push(*moved));
        BundledFile {
            name: name.to_owned(),
            chunks,
            ..BundledFile::default()
        }
    }

    #[test]
    fn what_is_remembered_comes_back() {
        let mut first = file("b.fvbc", 0, &[true, true, false]);
        first.producer = "zshrs 1".to_owned();
        first.metadata.insert("a/b".to_owned(), b"\xff".to_vec());
        let files_in = [
            first,
            file("a", 3, &[]),
            file("c", 3, &[false, true, false]),
        ];
        let mut metadata = Metadata::new();
        metadata.insert("title".to_owned(), b"all".to_vec());
        files_in.iter().for_each(|file| file.print(&mut metadata));
        assert_eq!(metadata["bundle/b.fvbc/chunks"], b"0 2 1");
        assert_eq!(metadata["bundle/c/chunks"], b"3 0 1 1 1");
        assert_eq!(files(&metadata, 6).unwrap(), files_in);
        let moved: Vec<bool> = files_in[2].chunks.moved().collect();
        assert_eq!(moved, [false, true, false]);
    }

    #[test]
    fn nonsense_is_refused() {
        let most = u64::MAX.to_string();
        let huge = format!("1 {most}");
        for (key, value) in [
            ("bundle/x", "0 1"),
            ("bundle/x/", "0 1"),
            ("bundle/x/colour", "red"),
            ("bundle/x/producer", "me"),
            ("bundle/x/chunks", ""),
            ("bundle/x/chunks", "0  1"),
            ("bundle/x/chunks", "+1"),
            ("bundle/x/chunks", "0 5"),
            ("bundle/x/chunks", &huge),
        ] {
            let metadata = Metadata::from([(key.to_owned(), value.as_bytes().to_vec())]);
            assert!(files(&metadata, 4).is_err(), "{key} {value}");
        }
        let mut metadata = Metadata::new();
        file("a", 0, &[true, true]).print(&mut metadata);
        file("b", 1, &[true]).print(&mut metadata);
        assert!(files(&metadata, 4).is_err());
    }
}
