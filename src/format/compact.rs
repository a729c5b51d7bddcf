//! Writes a module anew, in canonical form: one segment, without what was replaced or removed.

use super::appender::AppendOptions;
use super::error::WriteError;
use super::module::Module;
use super::new_file::NewFile;
use super::source::Source;
use super::storage::{Folder, Storage};
use super::writer::ModuleWriter;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// What compacting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the module before.
    pub before: u64,
    /// Bytes of the module now.
    pub after: u64,
    /// Chunks of the module.
    pub chunks: u64,
}

/// Replaces the module in this file by its canonical form, as soon as no other writer changes it:
/// the bytes are those that a [`ModuleWriter`] gives that is handed the same chunks, in the module's
/// order, under the same producer. Readers that have it open keep the old file.
///
/// `progress` is told how many chunks of how many are written.
///
/// # Errors
/// When the file can't be read or written, is no module, a record is damaged, or other writers take
/// too long. The file is then as it was.
pub fn compact(
    path: impl AsRef<Path>,
    options: &AppendOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Compacted, WriteError> {
    let path = path.as_ref();
    let place = path.display().to_string();
    let compacted = Folder::of_existing(path)
        .map_err(WriteError::from)
        .and_then(|(folder, name)| {
            compact_as(
                &(Arc::new(folder) as _),
                &name,
                &place,
                options,
                &mut progress,
            )
        });
    compacted.map_err(|error| error.about(place))
}

/// As [`compact`], in a storage of the caller's.
///
/// # Errors
/// As [`compact`].
pub fn compact_in(
    storage: &Arc<dyn Storage>,
    name: impl AsRef<OsStr>,
    options: &AppendOptions,
) -> Result<Compacted, WriteError> {
    let name = name.as_ref();
    let place = name.display().to_string();
    compact_as(storage, name, &place, options, &mut |_, _| ()).map_err(|error| error.about(place))
}

fn compact_as(
    storage: &Arc<dyn Storage>,
    name: &OsStr,
    place: &str,
    options: &AppendOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Compacted, WriteError> {
    let _lock = storage.lock(name, options.wait)?;
    let module = Module::of_storage(Source::stored(storage.open(name)?)?, place)?;
    let mut writer = ModuleWriter::create_in(Arc::clone(storage), name)?;
    copy(&module, &mut writer, progress)?;
    let before = module.file_length();
    writer.finish()?;
    Ok(Compacted {
        before,
        after: storage.open(name)?.len()?,
        chunks: module.chunk_count(),
    })
}

fn copy(
    module: &Module,
    writer: &mut ModuleWriter<NewFile>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), WriteError> {
    writer.producer(module.producer().unwrap_or_default())?;
    for (key, value) in module.metadata()? {
        writer.metadata(key, value);
    }
    let records = module.records()?;
    let count = records.len() as u64;
    for (number, record) in records.enumerate() {
        writer.add_record(&record?)?;
        progress(number as u64 + 1, count);
    }
    Ok(())
}
