//! A disk that crashes: it keeps what it was told in order, and gives the files as a crash of the
//! machine could leave them at any moment: what was not synced is lost, torn, or there, in any order.

use fusevm::format::{Lock, Storage, StoredFile};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// What a disk writes as a whole or not at all, mostly.
const SECTOR: u64 = 512;

/// Files by their names.
pub type Files = BTreeMap<OsString, Vec<u8>>;

/// A disk with one folder.
#[derive(Debug, Clone)]
pub struct CrashDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What was there at first.
    first: Files,
    /// Every file that there ever was, as programs see it.
    files: Vec<Vec<u8>>,
    names: BTreeMap<OsString, usize>,
    events: Vec<Event>,
}

#[derive(Debug, Clone)]
enum Event {
    Write {
        file: usize,
        at: u64,
        bytes: Vec<u8>,
    },
    Sync {
        file: usize,
    },
    Name(Naming),
    SyncNames,
    Done,
}

#[derive(Debug, Clone)]
enum Naming {
    Create {
        name: OsString,
        file: usize,
    },
    Rename {
        from: OsString,
        to: OsString,
        file: usize,
    },
    Remove {
        name: OsString,
    },
}

/// Something that was not synced when the machine crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// So many bytes of a file, within a sector.
    Bytes(usize),
    /// A name that came, went, or moved.
    Name,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Whole,
    /// It is not.
    Lost,
    /// The first so many bytes are there.
    Begun(usize),
    /// All but the first so many bytes are there.
    Ended(usize),
}

impl CrashDisk {
    /// A disk with these files, synced.
    pub fn new(first: Files) -> CrashDisk {
        let names = first.keys().cloned().zip(0..).collect();
        let files = first.values().cloned().collect();
        CrashDisk(Arc::new(Mutex::new(State {
            first,
            files,
            names,
            events: Vec::new(),
        })))
    }

    /// The disk as what modules are written to.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// Notes that a caller was told that something is done and durable.
    pub fn done(&self) {
        self.state().events.push(Event::Done);
    }

    /// How many things happened.
    pub fn events(&self) -> usize {
        self.state().events.len()
    }

    /// How many times something was [done](Self::done) before the first `events` had happened.
    pub fn done_before(&self, events: usize) -> usize {
        let state = self.state();
        let happened = state.events[..events].iter();
        happened
            .filter(|event| matches!(event, Event::Done))
            .count()
    }

    /// What was not synced when `events` had happened.
    pub fn unsynced(&self, events: usize) -> Vec<Unsynced> {
        let mut unsynced = Vec::new();
        self.image(events, |what| {
            unsynced.push(what);
            Fate::Lost
        });
        unsynced
    }

    /// The files after a crash when `events` had happened; `fate` says what became of what was not
    /// synced.
    pub fn image(&self, events: usize, mut fate: impl FnMut(Unsynced) -> Fate) -> Files {
        let state = self.state();
        let events = &state.events[..events];
        let mut files: Vec<Vec<u8>> = state.first.values().cloned().collect();
        files.resize(state.files.len(), Vec::new());
        let mut names: BTreeMap<OsString, usize> = state.first.keys().cloned().zip(0..).collect();
        let last = |wanted: &dyn Fn(&Event) -> bool| events.iter().rposition(wanted);
        let synced_names = last(&|event| matches!(event, Event::SyncNames));
        let synced: Vec<Option<usize>> = (0..files.len())
            .map(|file| last(&|event| matches!(event, Event::Sync { file: it } if *it == file)))
            .collect();
        for (number, event) in events.iter().enumerate() {
            match event {
                Event::Write { file, at, bytes } if Some(number) < synced[*file] => {
                    put(&mut files[*file], *at, bytes);
                }
                Event::Write { file, at, bytes } => {
                    for (at, piece) in sectors(*at, bytes) {
                        apply(
                            &mut files[*file],
                            at,
                            piece,
                            fate(Unsynced::Bytes(piece.len())),
                        );
                    }
                }
                Event::Name(naming) => {
                    if Some(number) < synced_names || fate(Unsynced::Name) == Fate::Whole {
                        rename(&mut names, naming);
                    }
                }
                Event::Sync { .. } | Event::SyncNames | Event::Done => {}
            }
        }
        names
            .into_iter()
            .map(|(name, file)| (name, files[file].clone()))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("nobody panics while holding the state")
    }

    fn open_file(&self, file: usize) -> Arc<dyn StoredFile> {
        Arc::new(CrashFile {
            disk: self.clone(),
            file,
        })
    }

    fn name(&self, naming: Naming) {
        let mut state = self.state();
        rename(&mut state.names, &naming);
        state.events.push(Event::Name(naming));
    }
}

/// The pieces of a write that lie in different sectors.
fn sectors(at: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = (at, bytes);
    std::iter::from_fn(move || {
        let (at, bytes) = rest;
        let room = (SECTOR - at % SECTOR) as usize;
        let (piece, behind) = bytes.split_at(room.min(bytes.len()));
        rest = (at + piece.len() as u64, behind);
        (!piece.is_empty()).then_some((at, piece))
    })
}

fn apply(file: &mut Vec<u8>, at: u64, piece: &[u8], fate: Fate) {
    match fate {
        Fate::Whole => put(file, at, piece),
        Fate::Lost => {}
        Fate::Begun(count) => put(file, at, &piece[..count.min(piece.len())]),
        Fate::Ended(count) => {
            let count = count.min(piece.len());
            put(file, at + count as u64, &piece[count..]);
        }
    }
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (start, end) = (at as usize, at as usize + bytes.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    file[start..end].copy_from_slice(bytes);
}

fn rename(names: &mut BTreeMap<OsString, usize>, naming: &Naming) {
    match naming {
        Naming::Create { name, file } => {
            names.insert(name.clone(), *file);
        }
        Naming::Rename { from, to, file } => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Naming::Remove { name } => {
            names.remove(name);
        }
    }
}

impl Storage for CrashDisk {
    /// The disk has one writer.
    fn lock(&self, _: &OsStr, _: Duration) -> io::Result<Lock> {
        Ok(Lock::none())
    }

    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn StoredFile>> {
        let file = self.state().names.get(name).copied();
        Ok(self.open_file(file.ok_or(io::ErrorKind::NotFound)?))
    }

    fn create(&self, name: &OsStr, _: &OsStr) -> io::Result<Arc<dyn StoredFile>> {
        let file = {
            let mut state = self.state();
            if state.names.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.files.push(Vec::new());
            state.files.len() - 1
        };
        let name = name.to_owned();
        self.name(Naming::Create { name, file });
        Ok(self.open_file(file))
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let file = self.state().names.get(from).copied();
        self.name(Naming::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
            file: file.ok_or(io::ErrorKind::NotFound)?,
        });
        Ok(())
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.name(Naming::Remove {
            name: name.to_owned(),
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.state().events.push(Event::SyncNames);
        Ok(())
    }
}

/// An open file of the disk.
#[derive(Debug)]
struct CrashFile {
    disk: CrashDisk,
    file: usize,
}

impl StoredFile for CrashFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        let file = &state.files[self.file];
        let bytes = file.get(at as usize..at as usize + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        put(&mut state.files[self.file], at, bytes);
        state.events.push(Event::Write {
            file: self.file,
            at,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let file = self.file;
        self.disk.state().events.push(Event::Sync { file });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_synced_may_be_lost_torn_or_there() {
        let name = OsStr::new("a");
        let disk = CrashDisk::new(Files::from([(name.to_owned(), b"old".to_vec())]));
        let file = Storage::open(&disk, name).unwrap();
        file.write_at(3, &[b'x'; 600]).unwrap();
        assert_eq!(disk.unsynced(1), [509, 91].map(Unsynced::Bytes));
        let image = |fates: [Fate; 2]| {
            let mut fates = fates.into_iter();
            disk.image(1, |_| fates.next().unwrap())[name].clone()
        };
        assert_eq!(image([Fate::Lost, Fate::Lost]), b"old");
        assert_eq!(image([Fate::Begun(2), Fate::Lost]), b"oldxx");
        assert_eq!(image([Fate::Lost, Fate::Ended(90)]).len(), 603);
        file.sync().unwrap();
        disk.done();
        assert_eq!(disk.unsynced(2), []);
        assert_eq!((disk.done_before(2), disk.done_before(3)), (0, 1));

        let new = Storage::create(&disk, OsStr::new("b"), name).unwrap();
        new.write_at(0, b"new").unwrap();
        new.sync().unwrap();
        Storage::rename(&disk, OsStr::new("b"), name).unwrap();
        let all = disk.events();
        let after = |fate| disk.image(all, |_| fate);
        assert_eq!(after(Fate::Whole)[name], b"new");
        assert_eq!(after(Fate::Lost)[name].len(), 603);
        Storage::sync(&disk).unwrap();
        assert_eq!(disk.unsynced(all + 1), []);
    }
}
