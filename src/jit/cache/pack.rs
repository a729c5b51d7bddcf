//! A pack: the bytes of one file of the cache, made and read. Files and directories are not here.
//!
//! A pack is a header, a table of rows sorted by key, and the functions' bytes. Nothing in it is
//! believed: the header and the table have a seal against accidents, each function a BLAKE3 of its
//! own, keyed with the fingerprint, over its key, its lengths and its bytes. So a function that was
//! damaged, moved to another key or made by another code generator is never used.

use super::super::miss::Miss;
use super::key::{EntryKey, Fingerprint};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of every pack.
const MAGIC: [u8; 8] = *b"\x89FVNC\r\n\x1a";
/// The version of the layout below.
const VERSION: u16 = 1;
/// Functions begin at multiples of this, so that they can be placed as they are.
const ALIGNMENT: usize = 16;
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
    fingerprint: [u8; 32],
    zero_2: U32,
    seal: U32,
}

/// Where a function of a pack lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Row {
    key: [u8; 32],
    hash: [u8; 32],
    offset: U64,
    code_length: U32,
    tables_length: U32,
}

/// The bytes of the header.
pub(super) const HEADER_LENGTH: usize = size_of::<Header>();
const ROW_LENGTH: usize = size_of::<Row>();
const _: () = assert!(HEADER_LENGTH == 64 && ROW_LENGTH == 80);

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

    /// The machine code.
    pub(crate) fn code(&self) -> &[u8] {
        &self.bytes[..self.code_length]
    }

    /// What the JIT wrote beside it.
    pub(crate) fn tables(&self) -> &[u8] {
        &self.bytes[self.code_length..]
    }
}

impl Row {
    /// Which function it is.
    pub(super) fn key(&self) -> EntryKey {
        EntryKey(self.key)
    }

    /// Where its bytes begin in the pack.
    pub(super) fn offset(&self) -> u64 {
        self.offset.get()
    }

    /// Where they end.
    pub(super) fn end(&self) -> u64 {
        self.offset().saturating_add(self.length() as u64)
    }

    /// The number of its bytes, code and tables.
    pub(super) fn length(&self) -> usize {
        self.code_length.get() as usize + self.tables_length.get() as usize
    }

    /// The function, if these are its bytes.
    pub(super) fn believe(&self, fingerprint: &Fingerprint, bytes: Vec<u8>) -> Result<Entry, Miss> {
        let found = identity(fingerprint, &self.key, self.code_length, &bytes);
        if bytes.len() != self.length() || found != self.hash {
            return Err(Miss::Damaged);
        }
        Ok(Entry {
            code_length: self.code_length.get() as usize,
            bytes,
        })
    }
}

/// The hash by which a function is known: it covers all that it is, and who made it.
fn identity(fingerprint: &Fingerprint, key: &[u8; 32], code_length: U32, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&fingerprint.0);
    hasher.update(key);
    hasher.update(code_length.as_bytes());
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

/// Who made the pack that starts with these bytes, as it says itself.
pub(super) fn maker(start: &[u8]) -> Option<Fingerprint> {
    let (header, _) = Header::read_from_prefix(start).ok()?;
    (header.magic == MAGIC).then_some(Fingerprint(header.fingerprint))
}

/// The bytes of the header and the table, of which `start` are the first of a pack of `length`
/// bytes: at most `length`, as the number of functions isn't believed beyond it.
///
/// # Errors
/// When they aren't the start of a pack of this layout and this fingerprint.
pub(super) fn table_end(
    start: &[u8],
    length: u64,
    fingerprint: &Fingerprint,
) -> Result<usize, Miss> {
    let (header, _) = Header::read_from_prefix(start).map_err(|_| Miss::Damaged)?;
    if header.magic != MAGIC || header.zero.get() != 0 || header.zero_2.get() != 0 {
        return Err(Miss::Damaged);
    }
    if header.version.get() != VERSION || header.fingerprint != fingerprint.0 {
        return Err(Miss::OtherMaker);
    }
    let count = header.count.get() as usize;
    let end = HEADER_LENGTH + count.min(MAX_ENTRIES) * ROW_LENGTH;
    let fits = count <= MAX_ENTRIES && end as u64 <= length && length <= MAX_PACK as u64;
    if !fits || header.length.get() != length {
        return Err(Miss::Damaged);
    }
    Ok(end)
}

/// The table of a pack of `length` bytes, from the bytes up to its [`table_end`].
///
/// # Errors
/// When the seal is wrong, the rows aren't sorted, or one lies outside of the pack.
pub(super) fn rows(start: &[u8], length: u64) -> Result<Vec<Row>, Miss> {
    let (header, table) = Header::read_from_prefix(start).map_err(|_| Miss::Damaged)?;
    if header.seal.get() != seal(&header, table) {
        return Err(Miss::Damaged);
    }
    let rows = <[Row]>::ref_from_bytes(table).map_err(|_| Miss::Damaged)?;
    let sorted = rows.windows(2).all(|pair| pair[0].key < pair[1].key);
    let after = start.len() as u64;
    let inside = rows
        .iter()
        .all(|row| row.offset() >= after && row.end() <= length);
    if !sorted || !inside {
        return Err(Miss::Damaged);
    }
    Ok(rows.to_vec())
}

fn seal(header: &Header, table: &[u8]) -> u32 {
    let bytes = header.as_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..bytes.len() - size_of::<U32>()]);
    crc.update(table);
    crc.finalize()
}

/// The bytes of a pack of these functions. Of two with one key the later one is kept; those that
/// don't fit a pack any more are left out.
pub(super) fn encode(fingerprint: &Fingerprint, entries: &[(EntryKey, Entry)]) -> Vec<u8> {
    let mut order: Vec<&(EntryKey, Entry)> = entries.iter().rev().collect();
    order.sort_by_key(|(key, _)| key.0);
    order.dedup_by_key(|(key, _)| key.0);
    let kept = fitting(&order);
    order.truncate(kept);

    let mut at = HEADER_LENGTH + order.len() * ROW_LENGTH;
    let mut rows = Vec::with_capacity(order.len());
    for (key, entry) in &order {
        at = at.next_multiple_of(ALIGNMENT);
        let code_length = U32::new(entry.code_length as u32);
        rows.push(Row {
            key: key.0,
            hash: identity(fingerprint, &key.0, code_length, &entry.bytes),
            offset: U64::new(at as u64),
            code_length,
            tables_length: U32::new((entry.bytes.len() - entry.code_length) as u32),
        });
        at += entry.bytes.len();
    }
    let mut header = Header {
        magic: MAGIC,
        version: U16::new(VERSION),
        zero: U16::new(0),
        count: U32::new(rows.len() as u32),
        length: U64::new(at as u64),
        fingerprint: fingerprint.0,
        zero_2: U32::new(0),
        seal: U32::new(0),
    };
    header.seal.set(seal(&header, rows.as_bytes()));

    let mut bytes = Vec::with_capacity(at);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(rows.as_bytes());
    for (_, entry) in &order {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend_from_slice(&entry.bytes);
    }
    bytes
}

/// How many of the functions fit a pack.
fn fitting(entries: &[&(EntryKey, Entry)]) -> usize {
    let mut length = HEADER_LENGTH;
    entries
        .iter()
        .take(MAX_ENTRIES)
        .take_while(|(_, entry)| {
            length += ROW_LENGTH + ALIGNMENT + entry.bytes.len();
            length <= MAX_PACK
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKER: Fingerprint = Fingerprint([7; 32]);

    fn key(n: u8) -> EntryKey {
        EntryKey([n; 32])
    }

    fn sample() -> Vec<(EntryKey, Entry)> {
        vec![
            (key(3), Entry::new(b"\xc3", b"three")),
            (key(1), Entry::new(&[0x90; 40], b"")),
            (key(2), Entry::new(b"", b"tables alone")),
        ]
    }

    /// Everything of a pack that a reader would believe.
    fn believed(bytes: &[u8], maker: &Fingerprint) -> Vec<(EntryKey, Entry)> {
        let length = bytes.len() as u64;
        let rows = table_end(bytes, length, maker).and_then(|end| rows(&bytes[..end], length));
        let function = |row: &Row| {
            let at = row.offset() as usize;
            let bytes = bytes[at..at + row.length()].to_vec();
            Some((row.key(), row.believe(maker, bytes).ok()?))
        };
        rows.iter().flatten().filter_map(function).collect()
    }

    #[test]
    fn what_went_in_comes_out_sorted() {
        let bytes = encode(&MAKER, &sample());
        let mut expected = sample();
        expected.sort_by_key(|(key, _)| key.0);
        assert_eq!(believed(&bytes, &MAKER), expected);
    }

    #[test]
    fn of_two_functions_of_a_key_the_later_counts() {
        let twice = [
            (key(1), Entry::new(b"old", b"")),
            (key(1), Entry::new(b"new", b"")),
        ];
        assert_eq!(believed(&encode(&MAKER, &twice), &MAKER), twice[1..]);
    }

    #[test]
    fn another_maker_finds_nothing() {
        let bytes = encode(&MAKER, &sample());
        assert!(believed(&bytes, &Fingerprint([8; 32])).is_empty());
    }

    /// Each flipped bit, each cut: what is still believed is what was written.
    #[test]
    fn no_damage_is_believed() {
        let bytes = encode(&MAKER, &sample());
        let whole = believed(&bytes, &MAKER);
        let mut harmless = 0;
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let left = believed(&damaged, &MAKER);
            assert!(left.iter().all(|entry| whole.contains(entry)), "bit {bit}");
            harmless += usize::from(left.len() == whole.len());
        }
        // Only the padding between functions means nothing.
        assert!(harmless < 8 * 2 * ALIGNMENT, "{harmless}");
        for length in 0..bytes.len() {
            assert!(believed(&bytes[..length], &MAKER).is_empty(), "{length}");
        }
    }

    #[test]
    fn functions_that_trade_places_are_not_believed() {
        let bytes = encode(&MAKER, &sample()[..2]);
        let length = bytes.len() as u64;
        let end = table_end(&bytes, length, &MAKER).unwrap();
        let rows = rows(&bytes[..end], length).unwrap();
        let other = &bytes[rows[1].offset() as usize..][..rows[1].length()];
        let mut moved = rows[0];
        moved.hash = rows[1].hash;
        moved.code_length = rows[1].code_length;
        moved.tables_length = rows[1].tables_length;
        assert_eq!(moved.believe(&MAKER, other.to_vec()), Err(Miss::Damaged));
    }
}
