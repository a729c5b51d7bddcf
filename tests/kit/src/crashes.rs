//! Crashes of the machine while a library is changed: behind each the library opens, and is what it
//! was before the change or what it is behind it.

use crate::{
    crash::{CrashDisk, Fate, Files, Unsynced},
    library::{Model, Step},
};
use fusevm::format::Module;
use std::ffi::OsStr;

/// The library's file.
const NAME: &str = "lib.fvbc";
/// A library's life on a disk, and what it was behind each step.
pub struct Life {
    disk: CrashDisk,
    models: Vec<Model>,
}

impl Life {
    /// Makes the steps, one after the other.
    ///
    /// # Panics
    /// If a step can't be made.
    pub fn new(first: &Model, bytes: Vec<u8>, steps: &[Step]) -> Life {
        let disk = CrashDisk::new(Files::from([(NAME.into(), bytes)]));
        let mut models = vec![first.clone()];
        for step in steps {
            let mut model = models[models.len() - 1].clone();
            model.apply(step);
            let made = step.perform(&disk.storage(), OsStr::new(NAME), model.step, true);
            made.expect("the disk takes everything");
            disk.done();
            models.push(model);
        }
        Life { disk, models }
    }

    /// A library of a few chunks that goes through every kind of change.
    pub fn small() -> Life {
        let put = |names: &[&str]| {
            let numbered = names.iter().zip(50..);
            numbered.map(|(name, i)| ((*name).to_owned(), i)).collect()
        };
        let append = |names: &[&str], remove: &[&str]| Step::Append {
            put: put(names),
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        };
        let first = Model::with_chunks(2);
        let steps = [
            append(&["f1", "g"], &["f0"]),
            Step::Compact,
            append(&["h"], &[]),
            Step::Replace(put(&["a", "b"])),
            append(&["c"], &["a"]),
        ];
        Life::new(&first, first.bytes(), &steps)
    }

    /// Crashes at a random moment, in a random way.
    ///
    /// # Errors
    /// What is wrong with the library then.
    pub fn crash(&self, rng: &mut fastrand::Rng) -> Result<(), String> {
        let moment = rng.usize(0..=self.disk.events());
        // Mostly lost, mostly there, and all between.
        let (lost, torn) = (rng.f64(), rng.f64() / 2.0);
        let image = self.disk.image(moment, |what| match what {
            Unsynced::Bytes(count) if rng.f64() < torn => {
                let cut = rng.usize(0..count);
                if rng.bool() {
                    Fate::Begun(cut)
                } else {
                    Fate::Ended(cut)
                }
            }
            Unsynced::Bytes(_) | Unsynced::Name if rng.f64() < lost => Fate::Lost,
            Unsynced::Bytes(_) | Unsynced::Name => Fate::Whole,
        });
        self.judge(moment, &image).map(drop)
    }

    /// Crashes at every moment in every way, and changes what is left once more. Gives the number of
    /// images. Where there would be more than `most` of a moment, writes are torn at fewer places.
    ///
    /// # Errors
    /// What is wrong with a library then.
    pub fn crash_everywhere(&self, most: u32) -> Result<u64, String> {
        let mut images = 0;
        for moment in 0..=self.disk.events() {
            let unsynced = self.disk.unsynced(moment);
            let choices: Vec<Vec<Fate>> = choices(&unsynced, most);
            let mut digits = vec![0; choices.len()];
            loop {
                let mut fates = digits
                    .iter()
                    .zip(&choices)
                    .map(|(digit, fates)| fates[*digit]);
                let image = self
                    .disk
                    .image(moment, |_| fates.next().expect("a fate for each"));
                let model = self.judge(moment, &image)?;
                recover(model, image)?;
                images += 1;
                if !count_up(&mut digits, &choices) {
                    break;
                }
            }
        }
        Ok(images)
    }

    /// That the library is as of the last step that was done, or as of the one that was being made.
    fn judge(&self, moment: usize, image: &Files) -> Result<&Model, String> {
        let done = self.disk.done_before(moment);
        let bytes = image.get(OsStr::new(NAME)).ok_or("the file is gone")?;
        let module = Module::from_bytes(bytes.as_slice());
        let module = module.map_err(|error| format!("event {moment}: {error}"))?;
        let found = Model::checked(&module).map_err(|error| format!("event {moment}: {error}"))?;
        let allowed = &self.models[done..(done + 2).min(self.models.len())];
        let Some(model) = allowed.iter().find(|model| **model == found) else {
            let (step, steps) = (found.step, allowed[0].step);
            return Err(format!(
                "event {moment}: step {step}, {steps} or later done"
            ));
        };
        model
            .find_all(&module)
            .map_err(|error| format!("event {moment}: {error}"))?;
        Ok(model)
    }
}

/// A crashed library can be changed again.
fn recover(model: &Model, image: Files) -> Result<(), String> {
    let disk = CrashDisk::new(image);
    let step = Step::Append {
        put: vec![("recovered".to_owned(), 7)],
        remove: Vec::new(),
    };
    let mut model = model.clone();
    model.apply(&step);
    let storage = disk.storage();
    step.perform(&storage, OsStr::new(NAME), model.step, true)
        .map_err(|error| error.to_string())?;
    let image = disk.image(disk.events(), |_| Fate::Lost);
    let module = Module::from_bytes(image[OsStr::new(NAME)].as_slice());
    model.verify(&module.map_err(|error| error.to_string())?)
}

/// What may become of each: lost, there, and cut at as many places as there may be.
fn choices(unsynced: &[Unsynced], most: u32) -> Vec<Vec<Fate>> {
    let writes = unsynced.iter().filter(|what| **what != Unsynced::Name);
    let names = unsynced.len() - writes.clone().count();
    let each = (f64::from(most) / 2f64.powi(names as i32)).powf(1.0 / writes.count().max(1) as f64);
    let cuts = (each as usize).saturating_sub(2) / 2;
    let fates = |what: &Unsynced| {
        let mut fates = vec![Fate::Lost, Fate::Whole];
        if let Unsynced::Bytes(count) = *what
            && cuts > 0
        {
            let places = (1..count).step_by((count / cuts).max(1));
            fates.extend(places.flat_map(|cut| [Fate::Begun(cut), Fate::Ended(cut)]));
        }
        fates
    };
    unsynced.iter().map(fates).collect()
}

/// The next combination, if there is one more.
fn count_up(digits: &mut [usize], choices: &[Vec<Fate>]) -> bool {
    for (digit, fates) in digits.iter_mut().zip(choices) {
        *digit += 1;
        if *digit < fates.len() {
            return true;
        }
        *digit = 0;
    }
    false
}

/// A crash while a library with this many chunks, more or less, is changed a few times.
///
/// # Errors
/// What is wrong with the library then.
pub fn random_crash(rng: &mut fastrand::Rng, chunks: u32) -> Result<(), String> {
    // Most are small, so that all sizes come often.
    let size = f64::from(chunks).powf(rng.f64());
    let first = Model::with_chunks(size as u32);
    let mut model = first.clone();
    let steps: Vec<Step> = (0..rng.u32(1..4))
        .map(|_| {
            let step = Step::random(&model, chunks, rng);
            model.apply(&step);
            step
        })
        .collect();
    Life::new(&first, first.bytes(), &steps).crash(rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_library_survives_every_crash() {
        let images = Life::small().crash_everywhere(500).unwrap();
        assert!(images > 1_000, "{images}");
    }

    #[test]
    fn larger_libraries_survive_random_crashes() {
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            random_crash(&mut rng, 300).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        }
    }
}
