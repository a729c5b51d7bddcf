//! Seals a changed module anew, for fuzzers and for tools that repair or patch files.
//!
//! In a sealed format nearly every mutation dies at a checksum, so tests that mutate bytes at random
//! say little about what lies behind. With this they get there.

use super::index::{self, Node};
use super::layout::{HEADER_LENGTH, Header, NodeRef, RootHead, SEALED_HEADER, Section};
use super::record;
use super::seal::seal_of;
use std::ops::Range;
use zerocopy::FromBytes;

/// How many nodes are visited: a hostile index may have loops.
const MOST_NODES: usize = 1 << 20;

/// Recomputes all seals and hashes of a module's bytes, in place: of its records, index nodes,
/// sections, segments, roots and slots. What leads out of the bytes, or isn't what it should be, is
/// passed over. Nothing else is changed.
pub fn reseal(module: &mut [u8]) {
    let Ok((header, _)) = Header::read_from_prefix(module) else {
        return;
    };
    for (number, slot) in header.slots.iter().enumerate() {
        let Some(range) = range(
            module,
            slot.root_offset.get(),
            slot.root_length.get().into(),
        ) else {
            continue;
        };
        let mut visits = MOST_NODES;
        reseal_roots(module, range.clone(), &mut visits);
        let mut slot = *slot;
        slot.root_hash = blake3::hash(&module[range]).into();
        slot.seal.set(slot.seal_in(&module[..SEALED_HEADER]));
        let (header, _) = Header::mut_from_prefix(module).expect("it was read above");
        header.slots[number] = slot;
    }
}

/// The range, if it lies within the bytes and behind the header.
fn range(module: &[u8], offset: u64, length: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (start >= HEADER_LENGTH && end <= module.len()).then_some(start..end)
}

/// Reseals the roots from the first of the chain to the one at `newest`.
fn reseal_roots(module: &mut [u8], newest: Range<usize>, visits: &mut usize) {
    let mut chain = vec![newest];
    while let Some(root) = chain.last()
        && let Ok((head, _)) = RootHead::read_from_prefix(&module[root.clone()])
        && let Some(previous) = range(
            module,
            head.previous_root_offset.get(),
            head.previous_root_length.get().into(),
        )
        && previous.start < root.start
    {
        chain.push(previous);
    }
    let mut previous_hash = [0; 32];
    for root in chain.into_iter().rev() {
        reseal_root(module, &root, previous_hash, visits);
        previous_hash = blake3::hash(&module[root]).into();
    }
}

fn reseal_root(module: &mut [u8], root: &Range<usize>, previous: [u8; 32], visits: &mut usize) {
    let Ok((mut head, rows)) = RootHead::read_from_prefix(&module[root.clone()]) else {
        return;
    };
    let rows: Vec<Section> = rows
        .chunks_exact(size_of::<Section>())
        .filter_map(|row| Section::read_from_bytes(row).ok())
        .collect();
    for (number, mut section) in rows.into_iter().enumerate() {
        let Some(bytes) = range(module, section.offset.get(), section.length.get()) else {
            continue;
        };
        if section.id.get() == super::layout::SECTION_INDEX {
            reseal_node(module, bytes.clone(), 0, visits);
        }
        section.seal.set(seal_of(&module[bytes]));
        let row = root.start + size_of::<RootHead>() + number * size_of::<Section>();
        write_at(module, row, &section);
    }
    let segment = head.segment_offset.get();
    let length = (root.start as u64).saturating_sub(segment);
    if let Some(bytes) = range(module, segment, length) {
        head.segment_hash = blake3::hash(&module[bytes]).into();
    }
    head.previous_root_hash = previous;
    write_at(module, root.start, &head);
}

/// Reseals the records and nodes below an index node. The recursion ends at the depth limit.
fn reseal_node(module: &mut [u8], node: Range<usize>, depth: u32, visits: &mut usize) {
    if depth > super::limits::INDEX_DEPTH || *visits == 0 {
        return;
    }
    *visits -= 1;
    let bytes = module[node.clone()].to_vec();
    match index::parse(&bytes) {
        Ok(Node::Leaf(entries)) => {
            for entry in entries {
                let record = range(module, entry.offset.get(), entry.length.get().into());
                if let Some(record) = record {
                    record::seal(&mut module[record]);
                }
            }
        }
        Ok(Node::Branch(children)) => {
            for (number, child) in children.iter().enumerate() {
                let below = range(module, child.offset.get(), child.length.get().into());
                let Some(below) = below.filter(|below| !below.is_empty()) else {
                    continue;
                };
                reseal_node(module, below.clone(), depth + 1, visits);
                let mut child = *child;
                child.seal.set(seal_of(&module[below]));
                let head = bytes.len() - size_of_val(children);
                write_at(
                    module,
                    node.start + head + number * size_of::<NodeRef>(),
                    &child,
                );
            }
        }
        Err(_) => {}
    }
}

fn write_at(
    module: &mut [u8],
    at: usize,
    structure: &(impl zerocopy::IntoBytes + zerocopy::Immutable),
) {
    let bytes = structure.as_bytes();
    module[at..][..bytes.len()].copy_from_slice(bytes);
}
