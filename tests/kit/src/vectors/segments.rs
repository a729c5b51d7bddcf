//! The invalid vectors of modules that grew: of two segments, and with indices that lead in circles.

use super::invalid::{Invalid, at, invalid, read_u64, reseal_root};
use crate::{
    crash::{CrashDisk, Fate, Files},
    library::{Model, chunk_of},
};
use fusevm::format::{AppendOptions, Entry, ModuleAppender, reseal};
use std::ffi::OsStr;

/// The second slot.
const SLOT: usize = at::SLOT + 80;
/// Where these lie in a root record.
const SEGMENT_OFFSET: usize = 16;
const PREVIOUS_ROOT_OFFSET: usize = 24;
/// References of a branch, and where the first stands in it.
const BRANCHES: usize = 64;
const FIRST_REFERENCE: usize = 8;

/// All of them.
pub(super) fn all() -> Vec<Invalid> {
    let grown = grown();
    let root = read_u64(&grown, SLOT + 8);
    let first_root = read_u64(&grown, at::SLOT + 8);
    let changed = |place: usize, bytes: &[u8]| {
        let mut module = grown.clone();
        module[place..place + bytes.len()].copy_from_slice(bytes);
        reseal(&mut module);
        module
    };
    let flipped = |place: usize| {
        let mut module = grown.clone();
        module[place] ^= 1;
        module
    };
    let offset = (read_u64(&grown, root + SEGMENT_OFFSET) + 1) as u64;
    let million = 1_000_000u32.to_le_bytes();
    vec![
        invalid(
            "segments_a_million",
            changed(root + at::SEGMENT_NUMBER, &million),
        ),
        invalid(
            "segment_number_skips",
            changed(root + at::SEGMENT_NUMBER, &[2]),
        ),
        invalid(
            "segment_gap",
            changed(root + SEGMENT_OFFSET, &offset.to_le_bytes()),
        ),
        invalid("segment_replaced_flipped", flipped(256 + 24)),
        invalid(
            "previous_root_flipped",
            flipped(first_root + at::CHUNK_COUNT),
        ),
        invalid("previous_root_itself", {
            let mut module = grown.clone();
            let place = root + PREVIOUS_ROOT_OFFSET;
            module[place..place + 8].copy_from_slice(&(root as u64).to_le_bytes());
            reseal_root(&mut module, SLOT);
            module
        }),
        invalid("slots_of_one_generation", changed(SLOT, &[1])),
        invalid("index_shared_nodes", circular(false)),
        invalid("index_loop", circular(true)),
    ]
}

/// A module of two segments. The second replaces the first chunk.
fn grown() -> Vec<u8> {
    let name = OsStr::new("grown");
    let bytes = Model::with_chunks(2).bytes();
    let disk = CrashDisk::new(Files::from([(name.to_owned(), bytes)]));
    let options = AppendOptions::new();
    let appender = ModuleAppender::open_in(&disk.storage(), name, &options);
    let mut appender = appender.expect("the module is good");
    let put = appender.put(&Entry::named("f0"), &chunk_of(7));
    put.expect("the disk takes everything");
    appender.finish().expect("the disk takes everything");
    disk.image(disk.events(), |_| Fate::Lost)[name].clone()
}

/// A module whose index has branches in which all references lead to one node: the next one, ten
/// times over, or the branch itself.
fn circular(itself: bool) -> Vec<u8> {
    let mut module = Model::with_chunks(250).bytes();
    let root = read_u64(&module, at::SLOT + 8);
    let root_node = read_u64(&module, root + at::SECTIONS + 8);
    let first = module[root_node + FIRST_REFERENCE..]
        .chunks(16)
        .find(|reference| reference[..8] != [0; 8])
        .expect("a branch has children")
        .to_vec();
    // Bytes of the records are room for the branches: what is wrong is found before they are.
    let length = FIRST_REFERENCE + BRANCHES * 16;
    let mut child = first;
    for number in 0..if itself { 1 } else { 9 } {
        let place = 256 + number * length;
        let mut branch = vec![1, 0, BRANCHES as u8, 0, 0, 0, 0, 0];
        if itself {
            child[..8].copy_from_slice(&(place as u64).to_le_bytes());
            child[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        }
        (0..BRANCHES).for_each(|_| branch.extend(&child));
        if itself {
            seal_itself(&mut branch);
        }
        module[place..place + length].copy_from_slice(&branch);
        child[..8].copy_from_slice(&(place as u64).to_le_bytes());
        child[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        child[12..].copy_from_slice(&crc32fast::hash(&branch).to_le_bytes());
    }
    module[root_node + 2..root_node + 4].copy_from_slice(&(BRANCHES as u16).to_le_bytes());
    for number in 0..BRANCHES {
        let place = root_node + FIRST_REFERENCE + number * 16;
        module[place..place + 16].copy_from_slice(&child);
    }
    let section = root + at::SECTIONS;
    let seal = crc32fast::hash(&module[root_node..root_node + length]);
    module[section + 24..section + 28].copy_from_slice(&seal.to_le_bytes());
    reseal_root(&mut module, at::SLOT);
    module
}

/// Writes a seal into all references of a branch that is the branch's own. A CRC is linear: with the
/// seal of zeros and what each bit of the seal changes, it is the solution of 32 equations.
fn seal_itself(branch: &mut [u8]) {
    let mut with = |seal: u32| {
        for reference in branch[FIRST_REFERENCE..].chunks_mut(16) {
            reference[12..].copy_from_slice(&seal.to_le_bytes());
        }
        crc32fast::hash(branch)
    };
    let zero = with(0);
    // Row by row: which bits of the seal flip this bit of (seal ^ its own CRC), and what it must be.
    let columns: Vec<u32> = (0..32)
        .map(|bit| with(1 << bit) ^ zero ^ (1 << bit))
        .collect();
    let mut rows: Vec<(u32, bool)> = (0..32)
        .map(|bit| {
            let row = (0..32).filter(|column| columns[*column as usize] >> bit & 1 == 1);
            (row.map(|column| 1 << column).sum(), zero >> bit & 1 == 1)
        })
        .collect();
    for column in 0..32 {
        let pivot = (column..32).find(|row| rows[*row].0 >> column & 1 == 1);
        rows.swap(column, pivot.expect("the equations have one solution"));
        let (pivot, value) = rows[column];
        for (number, row) in rows.iter_mut().enumerate() {
            if number != column && row.0 >> column & 1 == 1 {
                row.0 ^= pivot;
                row.1 ^= value;
            }
        }
    }
    let solution = (0..32).filter(|bit| rows[*bit].1).map(|bit| 1 << bit).sum();
    assert_eq!(
        with(solution),
        solution,
        "a branch that is sealed by itself"
    );
}
