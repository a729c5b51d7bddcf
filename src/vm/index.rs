//! Quick ways into a chunk's tables: subs by name index and by name, effects of imports.
//!
//! A chunk's lists are searched from the front, the first entry counts. This keeps the answers of a
//! long list. As a handler may change or replace the chunk at any time, a kept answer is a guess: it
//! is used if the entry that it points at still fits, else the list is searched again.

use crate::chunk::{Chunk, Effect, ImportKind};
use crate::op::Pairs;
use std::collections::HashMap;

/// The global with the separators of words.
const IFS: &str = "IFS";

/// Lists up to this length are searched without an index.
const SHORT: usize = 8;

/// The index of a chunk's tables, made as far as it is asked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    subs: Option<Kept<Vec<Option<u32>>>>,
    named_subs: Option<Kept<HashMap<String, u32>>>,
    imports: Option<Kept<HashMap<(ImportKind, u16), u32>>>,
    ifs: Option<Kept<Option<u16>>>,
    pairs: Option<Kept<Pairs>>,
}

/// Answers, and the list that they were made from.
#[derive(Debug)]
struct Kept<T> {
    list: (usize, usize),
    answers: T,
}

/// What tells a list from another one, as long as nobody changes it in place.
fn identity<T>(list: &[T]) -> (usize, usize) {
    (list.as_ptr().addr(), list.len())
}

/// The answers kept for `list`, made anew if they are of another one.
fn kept<'a, E, T>(slot: &'a mut Option<Kept<T>>, list: &[E], make: impl FnOnce() -> T) -> &'a T {
    let list = identity(list);
    if slot.as_ref().is_none_or(|kept| kept.list != list) {
        *slot = None;
    }
    let kept = slot.get_or_insert_with(|| Kept {
        list,
        answers: make(),
    });
    &kept.answers
}

impl Index {
    /// The op that the sub with this name index begins with.
    #[inline]
    pub(super) fn sub(&mut self, chunk: &Chunk, name: u16) -> Option<usize> {
        if chunk.sub_entries.len() <= SHORT {
            return chunk.find_sub(name);
        }
        let answers = kept(&mut self.subs, &chunk.sub_entries, || {
            let names = chunk
                .sub_entries
                .iter()
                .map(|(name, _)| usize::from(*name) + 1);
            let mut places = vec![None; names.max().unwrap_or(0)];
            for (place, (name, _)) in chunk.sub_entries.iter().enumerate().rev() {
                places[usize::from(*name)] = u32::try_from(place).ok();
            }
            places
        });
        let place = answers.get(usize::from(name)).copied().flatten();
        match place.and_then(|place| entry_at(chunk, place)) {
            Some((found, ip)) if found == name => Some(ip),
            _ => chunk.find_sub(name),
        }
    }

    /// The op that the sub of this name begins with.
    pub(super) fn sub_named(&mut self, chunk: &Chunk, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?;
        let is_named = |entry: &(u16, usize)| {
            let found = chunk.names.get(usize::from(entry.0));
            found.is_some_and(|found| found == name)
        };
        let entry = if chunk.sub_entries.len() <= SHORT {
            chunk.sub_entries.iter().copied().find(is_named)
        } else {
            let answers = kept(&mut self.named_subs, &chunk.sub_entries, || {
                let mut places = HashMap::new();
                for (place, (name, _)) in chunk.sub_entries.iter().enumerate().rev() {
                    if let (Some(name), Ok(place)) =
                        (chunk.names.get(usize::from(*name)), u32::try_from(place))
                    {
                        places.insert(name.clone(), place);
                    }
                }
                places
            });
            entry_at(chunk, *answers.get(name)?).filter(is_named)
        };
        entry.map(|(_, ip)| ip)
    }

    /// The name index of the global that holds the separators of words.
    pub(super) fn ifs(&mut self, chunk: &Chunk) -> Option<u16> {
        *kept(&mut self.ifs, &chunk.names, || ifs_of(chunk))
    }

    /// The ops that pair.
    pub(super) fn pairs(&mut self, chunk: &Chunk) -> &Pairs {
        kept(&mut self.pairs, &chunk.ops, || Pairs::of(&chunk.ops))
    }

    /// The effect that the chunk's import table declares for a handler; `None` if it declares none.
    #[inline]
    pub(super) fn declared_effect(
        &mut self,
        chunk: &Chunk,
        kind: ImportKind,
        id: u16,
    ) -> Option<Effect> {
        if chunk.imports.is_empty() {
            return None;
        }
        let answers = kept(&mut self.imports, &chunk.imports, || {
            let mut places = HashMap::new();
            for (place, import) in chunk.imports.iter().enumerate().rev() {
                if let Ok(place) = u32::try_from(place) {
                    places.insert((import.kind, import.id), place);
                }
            }
            places
        });
        let import = chunk.imports.get(*answers.get(&(kind, id))? as usize)?;
        (import.kind == kind && import.id == id).then_some(import.effect)
    }
}

/// The name index of the global that holds the separators of words.
pub(crate) fn ifs_of(chunk: &Chunk) -> Option<u16> {
    let place = chunk.names.iter().position(|name| name == IFS);
    place.and_then(|place| u16::try_from(place).ok())
}

fn entry_at(chunk: &Chunk, place: u32) -> Option<(u16, usize)> {
    chunk.sub_entries.get(place as usize).copied()
}
