//! Whether a constant pool writes the same string twice, which a canonical one doesn't.

use super::constants::Constant;
use std::ops::Range;

/// How many places of the table there are for each string.
const ROOM: usize = 8;
/// How many steps a string may take on average until it is found to be new. A pool made to collide
/// takes more, and is sorted instead.
const FAIR_STEPS: usize = 8;

/// Finds the first constant whose string an earlier one has. Keeps its memory from pool to pool.
#[derive(Default)]
pub(crate) struct DuplicateFinder {
    /// Open addressing; 0 is free, else the index of a constant plus 1.
    table: Vec<u32>,
    /// The constants that are strings.
    strings: Vec<u32>,
}

impl DuplicateFinder {
    /// The index of a string that stands in the pool already.
    pub(crate) fn find(&mut self, constants: &[Constant], record: &[u8]) -> Option<usize> {
        self.strings.clear();
        self.strings.resize(constants.len(), 0);
        // Without a branch on which are strings, as that is hard to predict.
        let mut count = 0;
        for (index, constant) in constants.iter().enumerate() {
            self.strings[count] = index as u32;
            count += usize::from(constant.is_string());
        }
        let size = (count * ROOM).next_power_of_two();
        let mask = size - 1;
        self.table.clear();
        self.table.resize(size, 0);
        let mut steps = FAIR_STEPS * count;
        for &index in &self.strings[..count] {
            let range = constants[index as usize].range();
            let mut slot = hash(&range, record) & mask;
            while self.table[slot] != 0 {
                let other = constants[self.table[slot] as usize - 1].range();
                if record[other] == record[range.clone()] {
                    return Some(index as usize);
                }
                slot = (slot + 1) & mask;
                steps -= 1;
                if steps == 0 {
                    return find_by_sorting(constants, record);
                }
            }
            self.table[slot] = index + 1;
        }
        None
    }
}

/// A hash of the string's length, its first and its last eight bytes. Strings of a pool seldom differ
/// in the middle alone, and a loop over their bytes would cost more than all the rest.
///
/// A record has more than eight bytes before its constants.
#[inline(always)]
fn hash(range: &Range<usize>, record: &[u8]) -> usize {
    let len = range.len();
    let eight_at = |at: usize| {
        let bytes = record[at..]
            .first_chunk()
            .expect("eight bytes up to the string's end");
        u64::from_le_bytes(*bytes)
    };
    // What stands before a shorter string is shifted out.
    let foreign_bits = 8 * 8usize.saturating_sub(len) as u32;
    let last_at = range.end - 8;
    let first_at = if len > 8 { range.start } else { last_at };
    let last = eight_at(last_at).checked_shr(foreign_bits).unwrap_or(0);
    let first = eight_at(first_at).checked_shr(foreign_bits).unwrap_or(0);
    // Odd constants without a pattern: the first digits of pi and e.
    let mixed = (last ^ (len as u64) << 56).wrapping_mul(0x243f_6a88_85a3_08d3)
        ^ first.rotate_left(31).wrapping_mul(0xb7e1_5162_8aed_2a6b);
    (mixed ^ mixed >> 32) as usize
}

#[cold]
fn find_by_sorting(constants: &[Constant], record: &[u8]) -> Option<usize> {
    let mut strings: Vec<(&[u8], usize)> = constants
        .iter()
        .enumerate()
        .filter(|(_, constant)| constant.is_string())
        .map(|(index, constant)| (&record[constant.range()], index))
        .collect();
    strings.sort_unstable();
    let twice = strings.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(twice[1].1)
}
