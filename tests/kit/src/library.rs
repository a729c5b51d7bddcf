//! The life of a library from a seed: steps that change it, and a model that says what must be in it
//! behind each of them.

use fusevm::{
    Chunk, ChunkBuilder, Op, Value,
    format::{
        AppendOptions, CheckOptions, Entry, Module, ModuleAppender, ModuleWriter, Storage,
        WriteError, compact_in,
    },
};
use std::{ffi::OsStr, sync::Arc};

/// The metadata key under which a library says which step was its last.
const STEP: &str = "step";

/// What must be in a library, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// Steps that were made.
    pub step: u64,
    /// Numbers by name: what the chunk of that name is made from.
    pub chunks: Vec<(String, u32)>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A segment with these chunks, new or in place of others, and without those.
    Append {
        /// Names and numbers.
        put: Vec<(String, u32)>,
        /// Names.
        remove: Vec<String>,
    },
    /// Another library of these chunks.
    Replace(Vec<(String, u32)>),
    /// The same, in canonical form.
    Compact,
}

impl Step {
    /// A random change of a library with names up to `names`.
    pub fn random(model: &Model, names: u32, rng: &mut fastrand::Rng) -> Step {
        let number = |rng: &mut fastrand::Rng| rng.u32(..1 << 20);
        match rng.u32(0..10) {
            0 => Step::Compact,
            1 => {
                let count = rng.u32(0..names.min(100));
                let chunks = (0..count).map(|i| (format!("f{i}"), number(rng)));
                Step::Replace(chunks.collect())
            }
            kind => {
                let most = if kind == 2 { names.min(100) } else { 4 };
                let put = (0..rng.u32(0..most))
                    .map(|_| (format!("f{}", rng.u32(0..names)), number(rng)))
                    .collect();
                let gone = (0..rng.u32(0..most)).filter_map(|_| rng.choice(&model.chunks));
                let remove = gone.map(|(name, _)| name.clone()).collect();
                Step::Append { put, remove }
            }
        }
    }

    /// Makes the change.
    ///
    /// # Errors
    /// Why it can't be made.
    pub fn perform(
        &self,
        storage: &Arc<dyn Storage>,
        name: &OsStr,
        number: u64,
        sync: bool,
    ) -> Result<(), WriteError> {
        let options = AppendOptions::new().sync(sync);
        match self {
            Step::Append { put, remove } => {
                let mut appender = ModuleAppender::open_in(storage, name, &options)?;
                for name in remove {
                    appender.remove("", name)?;
                }
                for (name, number) in put {
                    appender.put(&Entry::named(name), &chunk_of(*number))?;
                }
                appender.metadata(STEP, Some(number.to_string().into_bytes()))?;
                appender.finish()?;
            }
            Step::Replace(chunks) => {
                let writer = ModuleWriter::create_in(Arc::clone(storage), name)?;
                write(writer, chunks, number)?;
            }
            Step::Compact => {
                compact_in(storage, name, &options)?;
            }
        }
        Ok(())
    }
}

/// Writes a library of these chunks.
fn write<W: std::io::Write + std::io::Seek>(
    mut writer: ModuleWriter<W>,
    chunks: &[(String, u32)],
    step: u64,
) -> Result<W, WriteError> {
    writer.metadata(STEP, step.to_string());
    for (name, number) in chunks {
        writer.add(&Entry::named(name), &chunk_of(*number))?;
    }
    writer.finish()
}

/// A small chunk that is made from a number.
pub fn chunk_of(number: u32) -> Chunk {
    let mut b = ChunkBuilder::new();
    let text = "x".repeat(number as usize % 40);
    let constant = b.add_constant(Value::str(text));
    b.emit(Op::LoadInt(number.into()), 1);
    b.emit(Op::LoadConst(constant), 2);
    b.build()
}

/// The number that the chunk was made from.
pub fn number_of(ops: &[Op]) -> Option<u32> {
    match ops {
        [Op::LoadInt(number), ..] => u32::try_from(*number).ok(),
        _ => None,
    }
}

impl Model {
    /// A library with this many chunks.
    pub fn with_chunks(count: u32) -> Model {
        Model {
            step: 0,
            chunks: (0..count).map(|i| (format!("f{i}"), i)).collect(),
        }
    }

    /// What is in a library.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(module: &Module) -> Result<Model, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut chunks = Vec::new();
        for record in module.records().map_err(|error| text(&error))? {
            let record = record.map_err(|error| text(&error))?;
            let name = record.name().to_owned();
            let chunk = record.load().map_err(|error| text(&error))?;
            let number = number_of(chunk.ops());
            chunks.push((name, number.ok_or("a chunk that nobody wrote")?));
        }
        let metadata = module.metadata().map_err(|error| text(&error))?;
        let step = metadata.get(STEP).map(|step| String::from_utf8_lossy(step));
        let step = step.and_then(|step| step.parse().ok());
        Ok(Model {
            step: step.ok_or("no step in the metadata")?,
            chunks,
        })
    }

    /// The library in bytes, in canonical form.
    ///
    /// # Panics
    /// If two chunks have the same name.
    pub fn bytes(&self) -> Vec<u8> {
        let writer = ModuleWriter::new(std::io::Cursor::new(Vec::new()));
        let writer = writer.expect("memory takes everything");
        let written = write(writer, &self.chunks, self.step);
        written.expect("memory takes everything").into_inner()
    }

    /// Makes the change.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Append { put, remove } => {
                self.step += 1;
                let stays = |name: &String| {
                    !remove.contains(name) && !put.iter().any(|(other, _)| other == name)
                };
                self.chunks.retain(|(name, _)| stays(name));
                for (number, chunk) in put.iter().enumerate() {
                    // Of several of a name the last counts.
                    if !put[number + 1..].iter().any(|(name, _)| *name == chunk.0) {
                        self.chunks.push(chunk.clone());
                    }
                }
            }
            Step::Replace(chunks) => {
                self.step += 1;
                self.chunks.clone_from(chunks);
            }
            Step::Compact => {}
        }
    }

    /// What is in a library of which no byte is wrong.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(module: &Module) -> Result<Model, String> {
        let report = module.check(&CheckOptions::new());
        match report.errors.first() {
            Some(error) => Err(error.to_string()),
            None => Model::of(module),
        }
    }

    /// That the library is this: nothing is wrong with any byte of it, all chunks are found, and no
    /// other is.
    ///
    /// # Errors
    /// What differs.
    pub fn verify(&self, module: &Module) -> Result<(), String> {
        let found = Model::checked(module)?;
        if found != *self {
            return Err(format!(
                "step {} with {} chunks instead of step {} with {}",
                found.step,
                found.chunks.len(),
                self.step,
                self.chunks.len()
            ));
        }
        self.find_all(module)
    }

    /// That the chunks are found by their names, or a hundred of them, and that another isn't.
    ///
    /// # Errors
    /// What isn't so.
    pub fn find_all(&self, module: &Module) -> Result<(), String> {
        let look_up = |name: &str| module.find("", name).map_err(|error| error.to_string());
        for (name, _) in self.chunks.iter().step_by(self.chunks.len() / 100 + 1) {
            look_up(name)?.ok_or_else(|| format!("{name} isn't found"))?;
        }
        match look_up("absent")? {
            Some(_) => Err("a chunk is found that isn't there".to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::{CrashDisk, Fate, Files};

    /// The library behind each of some random steps, and its model.
    fn live(first: u32, names: u32, steps: u64, mut look: impl FnMut(&Model, &[u8])) {
        let name = OsStr::new("lib.fvbc");
        let mut model = Model::with_chunks(first);
        let disk = CrashDisk::new(Files::from([(name.to_owned(), model.bytes())]));
        let mut rng = fastrand::Rng::with_seed(u64::from(names));
        for _ in 0..steps {
            let step = Step::random(&model, names, &mut rng);
            model.apply(&step);
            step.perform(&disk.storage(), name, model.step, true)
                .unwrap();
            look(&model, &disk.image(disk.events(), |_| Fate::Lost)[name]);
        }
        let storage = disk.storage();
        compact_in(&storage, name, &AppendOptions::new()).unwrap();
        let compacted = disk.image(disk.events(), |_| Fate::Lost);
        assert!(compacted[name] == model.bytes(), "{names} names");
        assert_eq!(compacted.len(), 1, "nothing is left behind");
    }

    #[test]
    fn libraries_are_what_their_steps_make_them_and_compact_to_the_canonical_bytes() {
        for (first, names) in [(0, 3), (60, 80), (100, 150), (5_000, 6_000)] {
            live(first, names, 30, |model, bytes| {
                let module = Module::from_bytes(bytes).unwrap();
                model.verify(&module).unwrap();
            });
        }
    }

    #[test]
    fn a_chunk_that_is_added_costs_little_in_a_library_of_any_size() {
        let name = OsStr::new("lib.fvbc");
        let model = Model::with_chunks(5_000);
        let disk = CrashDisk::new(Files::from([(name.to_owned(), model.bytes())]));
        let storage = disk.storage();
        for i in 0..20 {
            let options = AppendOptions::new();
            let mut appender = ModuleAppender::open_in(&storage, name, &options).unwrap();
            let entry = Entry::named(format!("new {i}"));
            appender.put(&entry, &chunk_of(i)).unwrap();
            let appended = appender.finish().unwrap();
            assert!(appended.bytes < 8_192, "{appended:?}");
        }
    }
}
