//! A pack: the bytes of one file of the cache, made and read. Files and directories are not here.
//!
//! A pack is a header, a table of rows sorted by key, and the functions' bytes. Nothing in it is
//! believed before it is checked: one BLAKE3, keyed with the fingerprint, covers all of it. Where that
//! fails each function is still told by a BLAKE3 of its own, over the chunk, its key, its lengths and
//! its bytes. So a function that was damaged, moved to another key or chunk, or made by another code
//! generator is never used, and damage to one is no damage to others.

use super::super::memory::ALIGN;
use super::super::miss::Miss;
use super::key::{Fingerprint, ScopeKey, UnitKey};
use crate::digest::{Mode, digest};
use std::ops::Range;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of every pack.
const MAGIC: [u8; 8] = *b"\x89FVNC\r\n\x1a";
/// The version of the layout below.
const VERSION: u16 = 3;
/// The longest pack. What a process compiles beyond it isn't kept.
pub(super) const MAX_PACK: usize = 64 << 20;
/// The most functions of a pack.
const MAX_ENTRIES: usize = 1 << 16;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U16,
    zero: U16,
    count: U32,
    length: U64,
    generation: U64,
    fingerprint: [u8; 32],
    scope: [u8; 32],
    hash: [u8; 32],
}

/// Where a function of a pack lies. The code comes first, the tables follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Row {
    hash: [u8; 32],
    region: U32,
    place: U32,
    offset: U32,
    code_length: U32,
    tables_length: U32,
    zero: U32,
}

/// The bytes of the header.
pub(super) const HEADER_LENGTH: usize = size_of::<Header>();
const ROW_LENGTH: usize = size_of::<Row>();
/// Those before its hash.
const HASHED_HEADER: usize = HEADER_LENGTH - 32;
const _: () = assert!(HEADER_LENGTH == 128 && ROW_LENGTH == 56);

/// A compiled function as the cache keeps it: machine code without relocations, and what the JIT
/// has to know of it, in the JIT's own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    bytes: Vec<u8>,
    code_length: usize,
}

impl Entry {
    /// An entry of this code and these tables.
    pub(crate) fn new(code: &[u8], tables: &[u8]) -> Entry {
        Entry {
            bytes: [code, tables].concat(),
            code_length: code.len(),
        }
    }
}

impl Row {
    /// Which function it is.
    pub(super) fn key(&self) -> UnitKey {
        UnitKey {
            region: self.region.get(),
            place: self.place.get(),
        }
    }

    /// Where its code is in the pack.
    pub(super) fn code(&self) -> Range<usize> {
        let start = self.offset.get() as usize;
        start..start + self.code_length.get() as usize
    }

    /// Where its tables are in the pack.
    pub(super) fn tables(&self) -> Range<usize> {
        let start = self.code().end;
        start..start + self.tables_length.get() as usize
    }

    /// The function's bytes, if it lies within the pack, behind the rows.
    fn bytes<'a>(&self, pack: &'a [u8], rows_end: usize) -> Option<&'a [u8]> {
        let start = self.offset.get() as usize;
        let bytes = pack.get(start..self.tables().end)?;
        (start >= rows_end && self.zero.get() == 0).then_some(bytes)
    }

    /// The hash by which a function of these bytes is known: it covers all that it is, and who made it.
    fn identity(&self, maker: &Fingerprint, scope: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
        let fields = [
            self.region,
            self.place,
            self.code_length,
            self.tables_length,
        ];
        digest(Mode::Keyed(&maker.0), &[scope, fields.as_bytes(), bytes])
    }
}

/// What the header of a pack says, which isn't to be believed until the pack was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) maker: Fingerprint,
    pub(super) scope: ScopeKey,
    /// The larger, the newer.
    pub(super) generation: u64,
}

/// The claims of the pack that starts with these bytes; `None` if that is no pack of this layout.
pub(super) fn claims(start: &[u8]) -> Option<Claims> {
    let (header, _) = Header::ref_from_prefix(start).ok()?;
    let known = header.magic == MAGIC && header.version.get() == VERSION;
    known.then_some(Claims {
        maker: Fingerprint(header.fingerprint),
        scope: ScopeKey(header.scope),
        generation: header.generation.get(),
    })
}

/// What a check of a pack's bytes has found.
#[derive(Debug)]
pub(super) struct Checked {
    /// The larger, the newer; 0 where the pack as a whole isn't what was written.
    pub(super) generation: u64,
    count: usize,
    /// By row, whether the function is what was written; `None` if all of the pack is.
    intact: Option<Box<[bool]>>,
}

/// Checks all bytes of a pack.
///
/// # Errors
/// When they aren't a pack of this layout, this maker and this chunk at all.
pub(super) fn check(bytes: &[u8], maker: &Fingerprint, scope: &ScopeKey) -> Result<Checked, Miss> {
    let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| Miss::Damaged)?;
    if header.magic != MAGIC {
        return Err(Miss::Damaged);
    }
    if header.version.get() != VERSION || header.fingerprint != maker.0 {
        return Err(Miss::OtherMaker);
    }
    let count = header.count.get() as usize;
    let rows_end = rows_end(count.min(MAX_ENTRIES));
    let fits = count <= MAX_ENTRIES && rows_end <= bytes.len() && header.zero.get() == 0;
    if !fits || header.length.get() != bytes.len() as u64 || header.scope != scope.0 {
        return Err(Miss::Damaged);
    }
    let rows = <[Row]>::ref_from_bytes(&bytes[HEADER_LENGTH..rows_end]);
    let rows = rows.map_err(|_| Miss::Damaged)?;
    let sorted = rows.windows(2).all(|pair| pair[0].key() < pair[1].key());
    if !sorted {
        return Err(Miss::Damaged);
    }
    if hash(maker, bytes) == header.hash {
        let inside = rows.iter().all(|row| row.bytes(bytes, rows_end).is_some());
        return match inside {
            true => Ok(Checked {
                generation: header.generation.get(),
                count,
                intact: None,
            }),
            false => Err(Miss::Damaged),
        };
    }
    let is_intact = |row: &Row| {
        let function = row.bytes(bytes, rows_end);
        function.is_some_and(|bytes| row.identity(maker, &scope.0, bytes) == row.hash)
    };
    Ok(Checked {
        generation: 0,
        count,
        intact: Some(rows.iter().map(is_intact).collect()),
    })
}

impl Checked {
    /// The functions that are what was written, with their numbers; `bytes` are those that were checked.
    pub(super) fn rows<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a Row> {
        let rows = self.all(bytes).iter().enumerate();
        rows.filter_map(|(number, row)| self.is_intact(number).then_some(row))
    }

    /// The function of this key, if it is there and what was written.
    pub(super) fn find<'a>(&self, bytes: &'a [u8], key: UnitKey) -> Option<&'a Row> {
        let rows = self.all(bytes);
        let number = rows.binary_search_by_key(&key, Row::key).ok()?;
        self.is_intact(number).then(|| &rows[number])
    }

    /// The number of functions that aren't what was written, and whether anything isn't.
    pub(super) fn damaged(&self) -> (usize, bool) {
        let intact = self.intact.as_deref();
        let damaged = intact.map(|intact| intact.iter().filter(|intact| !**intact).count());
        (damaged.unwrap_or(0), intact.is_some())
    }

    /// The functions that are what was written, copied.
    pub(super) fn entries<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (UnitKey, Entry)> + 'a {
        self.rows(bytes).map(|row| {
            let entry = Entry::new(&bytes[row.code()], &bytes[row.tables()]);
            (row.key(), entry)
        })
    }

    fn all<'a>(&self, bytes: &'a [u8]) -> &'a [Row] {
        let table = bytes.get(HEADER_LENGTH..rows_end(self.count));
        let rows = table.and_then(|table| <[Row]>::ref_from_bytes(table).ok());
        rows.unwrap_or_default()
    }

    fn is_intact(&self, number: usize) -> bool {
        let intact = self.intact.as_deref();
        intact.is_none_or(|intact| intact[number])
    }
}

fn rows_end(count: usize) -> usize {
    HEADER_LENGTH + count * ROW_LENGTH
}

/// The hash of a pack: over everything but the hash itself. `pack` is longer than the header. That goes last, so
/// that what is long begins with a block, and several can be hashed at a time.
fn hash(maker: &Fingerprint, pack: &[u8]) -> [u8; 32] {
    let parts = [&pack[HEADER_LENGTH..], &pack[..HASHED_HEADER]];
    digest(Mode::Keyed(&maker.0), &parts)
}

/// The bytes of a pack of these functions. Of two with one key the later one is kept; those that
/// don't fit a pack any more are left out.
pub(super) fn encode(claims: &Claims, entries: &[(UnitKey, Entry)]) -> Vec<u8> {
    let mut order: Vec<&(UnitKey, Entry)> = entries.iter().rev().collect();
    order.sort_by_key(|(key, _)| *key);
    order.dedup_by_key(|(key, _)| *key);
    let kept = fitting(&order);
    order.truncate(kept);

    let mut at = rows_end(order.len());
    let mut rows = Vec::with_capacity(order.len());
    for (key, entry) in &order {
        at = at.next_multiple_of(ALIGN);
        let mut row = Row {
            hash: [0; 32],
            region: U32::new(key.region),
            place: U32::new(key.place),
            offset: U32::new(at as u32),
            code_length: U32::new(entry.code_length as u32),
            tables_length: U32::new((entry.bytes.len() - entry.code_length) as u32),
            zero: U32::new(0),
        };
        row.hash = row.identity(&claims.maker, &claims.scope.0, &entry.bytes);
        rows.push(row);
        at += entry.bytes.len();
    }
    let header = Header {
        magic: MAGIC,
        version: U16::new(VERSION),
        zero: U16::new(0),
        count: U32::new(rows.len() as u32),
        length: U64::new(at as u64),
        generation: U64::new(claims.generation),
        fingerprint: claims.maker.0,
        scope: claims.scope.0,
        hash: [0; 32],
    };
    let mut bytes = Vec::with_capacity(at);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(rows.as_bytes());
    for (_, entry) in &order {
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        bytes.extend_from_slice(&entry.bytes);
    }
    let hash = hash(&claims.maker, &bytes);
    bytes[HASHED_HEADER..HEADER_LENGTH].copy_from_slice(&hash);
    bytes
}

/// How many of the functions fit a pack.
fn fitting(entries: &[&(UnitKey, Entry)]) -> usize {
    let mut length = HEADER_LENGTH;
    entries
        .iter()
        .take(MAX_ENTRIES)
        .take_while(|(_, entry)| {
            length += ROW_LENGTH + ALIGN + entry.bytes.len();
            length <= MAX_PACK
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: Claims = Claims {
        maker: Fingerprint([7; 32]),
        scope: ScopeKey([9; 32]),
        generation: 5,
    };

    fn key(n: usize) -> UnitKey {
        UnitKey::frame(n, 1).unwrap()
    }

    fn sample() -> Vec<(UnitKey, Entry)> {
        vec![
            (key(3), Entry::new(b"\xc3", b"three")),
            (key(1), Entry::new(&[0x90; 40], b"")),
            (key(2), Entry::new(b"", b"tables alone")),
        ]
    }

    /// Everything of a pack that a reader would believe.
    fn believed(bytes: &[u8], claims: &Claims) -> Vec<(UnitKey, Entry)> {
        match check(bytes, &claims.maker, &claims.scope) {
            Ok(checked) => checked.entries(bytes).collect(),
            Err(_) => Vec::new(),
        }
    }

    #[test]
    fn what_went_in_comes_out_sorted() {
        let bytes = encode(&CLAIMS, &sample());
        let mut expected = sample();
        expected.sort_by_key(|(key, _)| *key);
        assert_eq!(believed(&bytes, &CLAIMS), expected);
        assert_eq!(claims(&bytes), Some(CLAIMS));
        let checked = check(&bytes, &CLAIMS.maker, &CLAIMS.scope).unwrap();
        assert_eq!(checked.damaged(), (0, false));
        assert_eq!(checked.find(&bytes, key(3)).map(Row::key), Some(key(3)));
        assert!(checked.find(&bytes, key(4)).is_none());
    }

    #[test]
    fn of_two_functions_of_a_key_the_later_counts() {
        let twice = [
            (key(1), Entry::new(b"old", b"")),
            (key(1), Entry::new(b"new", b"")),
        ];
        let bytes = encode(&CLAIMS, &twice);
        assert_eq!(believed(&bytes, &CLAIMS), twice[1..]);
    }

    #[test]
    fn an_empty_pack_is_one() {
        assert_eq!(believed(&encode(&CLAIMS, &[]), &CLAIMS), []);
    }

    #[test]
    fn another_maker_or_chunk_finds_nothing() {
        let bytes = encode(&CLAIMS, &sample());
        let other = Fingerprint([8; 32]);
        let found = check(&bytes, &other, &CLAIMS.scope);
        assert_eq!(found.err(), Some(Miss::OtherMaker));
        let found = check(&bytes, &CLAIMS.maker, &ScopeKey([8; 32]));
        assert_eq!(found.err(), Some(Miss::Damaged));
    }

    /// Each flipped bit, each cut: what is still believed is what was written, and that something is
    /// wrong is seen.
    #[test]
    fn no_damage_is_believed() {
        let bytes = encode(&CLAIMS, &sample());
        let whole = believed(&bytes, &CLAIMS);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let left = believed(&damaged, &CLAIMS);
            assert!(left.iter().all(|entry| whole.contains(entry)), "bit {bit}");
            let checked = check(&damaged, &CLAIMS.maker, &CLAIMS.scope);
            assert!(checked.is_err() || checked.unwrap().damaged().1, "{bit}");
        }
        for length in 0..bytes.len() {
            assert!(believed(&bytes[..length], &CLAIMS).is_empty(), "{length}");
        }
    }

    #[test]
    fn damage_to_one_function_leaves_the_others() {
        let mut bytes = encode(&CLAIMS, &sample());
        *bytes.last_mut().unwrap() ^= 1;
        let checked = check(&bytes, &CLAIMS.maker, &CLAIMS.scope).unwrap();
        assert_eq!(
            (checked.damaged(), checked.rows(&bytes).count()),
            ((1, true), 2)
        );
    }

    #[test]
    fn functions_that_trade_keys_are_not_believed() {
        let mut bytes = encode(&CLAIMS, &sample()[..2]);
        // The rows are those of keys 1 and 3; each gets the other's place and hash.
        let field = |row: usize| HEADER_LENGTH + row * ROW_LENGTH;
        let (first, second) = (field(0), field(1));
        for at in (0..32).chain(40..52) {
            bytes.swap(first + at, second + at);
        }
        assert!(believed(&bytes, &CLAIMS).is_empty());
    }
}
