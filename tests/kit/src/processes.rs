//! Processes that change and read a library at the same time, and are killed while they do.
//!
//! A program that calls these gives a way to start itself again as a [`worker`].

use crate::library::{Model, Step, chunk_of, number_of};
use fusevm::format::{
    AppendOptions, CheckOptions, Entry, Folder, Module, ModuleAppender, Storage, compact,
};
use std::{
    fmt::Display,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

/// Names of the library that is changed until its writer is killed.
const NAMES: u32 = 150;
/// A writer compacts the library behind so many appends of its own.
const COMPACT_EVERY: u32 = 100;
/// What a writer prints behind each change.
const DONE: &str = "done";

/// What the process is to do, as it stands in its arguments.
///
/// # Errors
/// What went wrong, the library's fault or not.
pub fn worker(arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["live", path, seed] => live(Path::new(path), number(seed)?),
        ["append", path, who, count] => append(path, number(who)?, number(count)?),
        ["read", path, writers] => read(path, number(writers)?),
        _ => Err("no such work".to_owned()),
    }
}

fn number<T: std::str::FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Changes a library until it is killed, and prints a line behind each change.
fn live(path: &Path, seed: u64) -> Result<(), String> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name());
    let storage: Arc<dyn Storage> = Arc::new(Folder::new(folder));
    let mut model = Model::of(&Module::open(path).map_err(text)?)?;
    let mut steps = Steps::new(seed);
    loop {
        let step = steps.next(&mut model);
        step.perform(
            &storage,
            name.unwrap_or_default(),
            model.step,
            seed.is_multiple_of(2),
        )
        .map_err(text)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{DONE}")
            .and_then(|()| out.flush())
            .map_err(text)?;
    }
}

/// The steps of a life, the same in both processes.
struct Steps(fastrand::Rng);

impl Steps {
    fn new(seed: u64) -> Steps {
        Steps(fastrand::Rng::with_seed(seed))
    }

    fn next(&mut self, model: &mut Model) -> Step {
        let step = Step::random(model, NAMES, &mut self.0);
        model.apply(&step);
        step
    }
}

/// A library whose writers are killed.
pub struct Killed {
    path: PathBuf,
    model: Model,
}

impl Killed {
    /// A new library at this path.
    ///
    /// # Errors
    /// That it can't be written.
    pub fn new(path: PathBuf) -> Result<Killed, String> {
        let model = Model::with_chunks(100);
        std::fs::write(&path, model.bytes()).map_err(text)?;
        Ok(Killed { path, model })
    }

    /// Starts a writer, kills it soon, and looks at what it left.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn round(
        &mut self,
        start: &dyn Fn(&[&str]) -> Command,
        rng: &mut fastrand::Rng,
    ) -> Result<(), String> {
        let seed = rng.u64(..);
        let path = self.path.to_string_lossy();
        let mut writer = start(&["live", &path, &seed.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let mut out = BufReader::new(writer.stdout.take().ok_or("no output")?);
        let mut lines = String::new();
        // A test program prints other lines before.
        let mark = format!("{DONE}\n");
        while !lines.ends_with(&mark) && out.read_line(&mut lines).map_err(text)? > 0 {}
        thread::sleep(Duration::from_micros(rng.u64(..5_000)));
        writer.kill().map_err(text)?;
        writer.wait().map_err(text)?;
        out.read_to_string(&mut lines).map_err(text)?;

        let done = lines.lines().filter(|line| *line == DONE).count();
        if done == 0 {
            return Err("the writer ended before it was killed".to_owned());
        }
        let mut steps = Steps::new(seed);
        let mut model = self.model.clone();
        (0..done).for_each(|_| drop(steps.next(&mut model)));
        let mut next = model.clone();
        steps.next(&mut next);
        let module = Module::open(&self.path).map_err(text)?;
        let wrong = match model.verify(&module) {
            Ok(()) => None,
            Err(_) => next.verify(&module).err(),
        };
        if let Some(wrong) = wrong {
            return Err(format!("seed {seed}, {done} steps done: {wrong}"));
        }
        self.model = Model::of(&module)?;
        Ok(())
    }

    /// That the next writer removes what the killed ones have left.
    ///
    /// # Errors
    /// What is left.
    pub fn tidy(&self) -> Result<(), String> {
        compact(&self.path, &AppendOptions::new(), |_, _| ()).map_err(text)?;
        let folder = self.path.parent().ok_or("the library lies in no folder")?;
        for entry in std::fs::read_dir(folder).map_err(text)? {
            let name = entry.map_err(text)?.file_name();
            if name.to_string_lossy().ends_with(".tmp") {
                return Err(format!("{name:?} is left"));
            }
        }
        Ok(())
    }
}

/// The number of a writer's chunk.
fn value(who: u32, chunk: u32) -> u32 {
    who * 1_000_000 + chunk
}

/// Appends `count` chunks, one at a time.
fn append(path: &str, who: u32, count: u32) -> Result<(), String> {
    let options = AppendOptions::new()
        .sync(false)
        .wait(Duration::from_secs(60));
    for i in 0..count {
        let mut appender = ModuleAppender::open(path, &options).map_err(text)?;
        let entry = Entry::named(format!("{who}/{i}"));
        appender
            .put(&entry, &chunk_of(value(who, i)))
            .map_err(text)?;
        appender.finish().map_err(text)?;
        if i % COMPACT_EVERY == COMPACT_EVERY - 1 {
            compact(path, &options, |_, _| ()).map_err(text)?;
        }
    }
    Ok(())
}

/// Reads a library until there is a file beside it that says it is complete. Whatever was seen once
/// has to stay.
fn read(path: &str, writers: u32) -> Result<(), String> {
    let complete = complete_mark(Path::new(path));
    let mut module = Module::open(path).map_err(text)?;
    let mut seen = vec![0; writers as usize];
    loop {
        let last = complete.exists();
        module.reload_if_changed().map_err(text)?;
        for (who, seen) in (0..).zip(&mut seen) {
            // The last of those that were there, and what came since.
            let mut next = u32::saturating_sub(*seen, 1);
            while let Some(chunk) = module.find("", &format!("{who}/{next}")).map_err(text)? {
                if number_of(chunk.ops()) != Some(value(who, next)) {
                    return Err(format!("{who}/{next} is another chunk"));
                }
                next += 1;
            }
            if next < *seen {
                return Err(format!("{who}/{next} is gone"));
            }
            *seen = next;
        }
        if last {
            return Ok(());
        }
    }
}

fn complete_mark(library: &Path) -> PathBuf {
    library.with_extension("complete")
}

/// Lets processes append `count` chunks to a new library at `path`, while others read it.
///
/// # Errors
/// What is lost or torn.
pub fn append_together(
    path: &Path,
    start: &dyn Fn(&[&str]) -> Command,
    writers: u32,
    readers: u32,
    count: u32,
) -> Result<(), String> {
    std::fs::write(path, Model::default().bytes()).map_err(text)?;
    let each = count / writers;
    let name = path.to_string_lossy();
    let spawn = |arguments: &[&str]| start(arguments).spawn().map_err(text);
    let reading: Vec<Child> = (0..readers)
        .map(|_| spawn(&["read", &name, &writers.to_string()]))
        .collect::<Result<_, _>>()?;
    let writing: Vec<Child> = (0..writers)
        .map(|who| spawn(&["append", &name, &who.to_string(), &each.to_string()]))
        .collect::<Result<_, _>>()?;
    let wrote = all_succeed(writing);
    std::fs::write(complete_mark(path), "").map_err(text)?;
    let read = all_succeed(reading);
    wrote.and(read)?;

    let module = Module::open(path).map_err(text)?;
    let report = module.check(&CheckOptions::new());
    if let Some(error) = report.errors.first() {
        return Err(text(error));
    }
    if module.chunk_count() != u64::from(each * writers) {
        return Err(format!("{} chunks", module.chunk_count()));
    }
    for who in 0..writers {
        for i in 0..each {
            let chunk = module.chunk(&format!("{who}/{i}")).map_err(text)?;
            if number_of(chunk.ops()) != Some(value(who, i)) {
                return Err(format!("{who}/{i} is another chunk"));
            }
        }
    }
    Ok(())
}

fn all_succeed(children: Vec<Child>) -> Result<(), String> {
    let mut outcome = Ok(());
    for mut child in children {
        let status = child.wait().map_err(text)?;
        if !status.success() {
            outcome = Err(format!("a process failed: {status}"));
        }
    }
    outcome
}
