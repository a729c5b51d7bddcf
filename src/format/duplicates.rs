//! Whether a constant pool writes the same string twice, which a canonical one doesn't.

use super::constants::Constant;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// How many steps a string may take on average until it is found to be new. A pool made to collide
/// takes more, and is sorted instead.
const FAIR_STEPS: usize = 8;

/// Finds the first constant whose string an earlier one has. Keeps its memory from pool to pool.
#[derive(Default)]
pub(crate) struct DuplicateFinder {
    /// Open addressing; 0 is free, else the index of a constant plus 1.
    table: Vec<u32>,
}

impl DuplicateFinder {
    /// The index of a string that stands in the pool already.
    pub(crate) fn find(&mut self, constants: &[Constant], record: &[u8]) -> Option<usize> {
        let size = (constants.len() * 2).next_power_of_two();
        let mask = size - 1;
        self.table.clear();
        self.table.resize(size, 0);
        let mut steps = FAIR_STEPS * constants.len();
        for (index, constant) in constants.iter().enumerate() {
            let Constant::Bytes(span) = constant else {
                continue;
            };
            let bytes = span.of(record);
            let mut slot = hash(bytes) & mask;
            while self.table[slot] != 0 {
                let other = &constants[self.table[slot] as usize - 1];
                if string_of(other, record) == Some(bytes) {
                    return Some(index);
                }
                slot = (slot + 1) & mask;
                steps -= 1;
                if steps == 0 {
                    return find_by_sorting(constants, record);
                }
            }
            self.table[slot] = index as u32 + 1;
        }
        None
    }
}

fn hash(bytes: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish() as usize
}

fn string_of<'a>(constant: &Constant, record: &'a [u8]) -> Option<&'a [u8]> {
    match constant {
        Constant::Bytes(span) => Some(span.of(record)),
        Constant::Same(_) | Constant::Value(_) => None,
    }
}

#[cold]
fn find_by_sorting(constants: &[Constant], record: &[u8]) -> Option<usize> {
    let mut strings: Vec<(&[u8], usize)> = constants
        .iter()
        .enumerate()
        .filter_map(|(index, constant)| Some((string_of(constant, record)?, index)))
        .collect();
    strings.sort_unstable();
    let twice = strings.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(twice[1].1)
}
