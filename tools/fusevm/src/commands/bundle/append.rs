//! `fusevm bundle --append` and `--remove`: a module is changed in place.

use super::{Args, Bundle, Source, add};
use crate::bundle::{self, BundledFile};
use crate::failure::{Failure, status};
use crate::input;
use crate::output::{self, Target};
use fusevm::Chunk;
use fusevm::code::Code;
use fusevm::format::{AppendOptions, Entry, LoadedChunk, Metadata, Module, ModuleAppender};
use std::collections::{BTreeSet, HashSet};

/// Changes the module.
pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let Target::File(path) = &args.output else {
        let detail = "`--append` and `--remove` change a file: name it with `-o`";
        return Err(Failure::usage(detail));
    };
    let sources = Source::open_all(args)?;
    let options = AppendOptions::new().create(args.append);
    let appender = ModuleAppender::open(path, &options);
    let mut changed = Changed {
        appender: appender.map_err(|error| output::write_failure(&error, status::CANT_LOAD))?,
        names: HashSet::new(),
    };
    let metadata = changed.appender.module().metadata();
    let old = metadata.map_err(|error| input::cant_load(&error))?;
    let count = changed.appender.module().chunk_count();
    let files = bundle::files(&old, count).map_err(|reason| {
        let (status, code) = (status::CANT_LOAD, Code::BadStructure);
        Failure::new(status, code, Some(&path.display()), output::shown(&reason))
    })?;

    for name in &args.remove {
        changed.remove(name)?;
    }
    let progress = Source::progress(&sources);
    let mut new_files = Vec::new();
    for source in &sources {
        let mut file = BundledFile::new(source.name.clone(), &source.module, 0)?;
        add(&mut changed, &mut file, source, &progress)?;
        new_files.push(file);
    }
    let remembered = remember(files, new_files, &changed, count)?;
    changed.set_files(&old, &remembered)?;
    let finished = changed.appender.finish();
    finished.map_err(|error| output::write_failure(&error, status::CHECK_FAILED))?;
    Ok(status::OK)
}

/// A module on its way, and the names that are put into it or taken out.
struct Changed {
    appender: ModuleAppender,
    names: HashSet<(String, String)>,
}

impl Bundle for Changed {
    fn add(&mut self, entry: &Entry, chunk: &Chunk) -> Result<(), Failure> {
        self.note(&entry.space, &entry.name)?;
        let put = self.appender.put(entry, chunk);
        put.map(drop)
            .map_err(|error| output::write_failure(&error, status::CHECK_FAILED))
    }

    fn add_loaded(&mut self, chunk: &LoadedChunk) -> Result<(), Failure> {
        self.note(chunk.space(), chunk.name())?;
        let put = self.appender.put_loaded(chunk);
        put.map_err(|error| output::write_failure(&error, status::CHECK_FAILED))
    }
}

impl Changed {
    /// Notes a name that a file puts; no two files put the same.
    fn note(&mut self, space: &str, name: &str) -> Result<(), Failure> {
        if self.names.insert((space.to_owned(), name.to_owned())) {
            return Ok(());
        }
        let place = output::full_name(space, name);
        let detail = "it is put or removed twice";
        let (status, code) = (status::CHECK_FAILED, Code::DuplicateChunk);
        Err(Failure::new(status, code, Some(&place), detail))
    }

    /// Takes out the chunk that `NAME` or `SPACE::NAME` names.
    fn remove(&mut self, full_name: &str) -> Result<(), Failure> {
        let split = full_name.split_once("::");
        let candidates = [Some(("", full_name)), split];
        for (space, name) in candidates.into_iter().flatten() {
            let removed = self.appender.remove(space, name);
            if removed.map_err(|error| output::write_failure(&error, status::CANT_LOAD))? {
                return self.note(space, name);
            }
        }
        let (status, code) = (status::NOT_FOUND, Code::NoSuchChunk);
        let name = output::shown(full_name);
        Err(Failure::new(
            status,
            code,
            Some(&name),
            "there is nothing to remove",
        ))
    }

    /// Writes down which files the bundle is made of now.
    fn set_files(&mut self, old: &Metadata, files: &[BundledFile]) -> Result<(), Failure> {
        let mut new = Metadata::new();
        files.iter().for_each(|file| file.print(&mut new));
        let gone = old
            .keys()
            .filter(|key| bundle::is_of_file(key) && !new.contains_key(*key));
        let changes = gone.map(|key| (key.clone(), None)).chain(
            new.iter()
                .map(|(key, value)| (key.clone(), Some(value.clone()))),
        );
        for (key, value) in changes {
            let set = self.appender.metadata(key, value);
            set.map_err(|error| output::write_failure(&error, status::CANT_LOAD))?;
        }
        Ok(())
    }
}

/// The files of the bundle behind the change: those of which no chunk goes or is replaced, and the new
/// ones.
fn remember(
    files: Vec<BundledFile>,
    new_files: Vec<BundledFile>,
    changed: &Changed,
    count: u64,
) -> Result<Vec<BundledFile>, Failure> {
    let gone = gone(changed.appender.module(), &changed.names)?;
    let gone_before = |place: u64| gone.range(..place).count() as u64;
    let mut remembered = Vec::new();
    for mut file in files {
        let range = file.chunks.range();
        let is_replaced = new_files.iter().any(|new| new.name == file.name);
        if gone.range(range.clone()).next().is_none() && !is_replaced {
            file.chunks.move_to(range.start - gone_before(range.start));
            remembered.push(file);
        }
    }
    let mut end = count - gone.len() as u64;
    for mut file in new_files {
        file.chunks.move_to(end);
        end = file.chunks.range().end;
        remembered.push(file);
    }
    Ok(remembered)
}

/// The places of these chunks in the module, as far as they are there.
fn gone(module: &Module, names: &HashSet<(String, String)>) -> Result<BTreeSet<u64>, Failure> {
    let mut gone = BTreeSet::new();
    let mut place = 0;
    let records = module.records().map_err(|error| input::cant_load(&error))?;
    let damaged = records.filter_names(|space, name| {
        if names.contains(&(space.to_owned(), name.to_owned())) {
            gone.insert(place);
        }
        place += 1;
        false
    });
    for error in damaged {
        error.map_err(|error| input::cant_load(&error))?;
    }
    Ok(gone)
}
