//! The index: from name space and name to a record. Built once for a segment, walked down to one
//! record, or walked whole.
//!
//! A reader needn't trust it: a record holds its own name, and a walk stays within the depth limit.

use super::error::{LoadError, WriteError};
use super::layout::{BRANCH, BRANCHES, HEADER_LENGTH, IndexEntry, LEAF, NodeHead, NodeRef};
use super::limits::{self, INDEX_DEPTH, LEAF_ENTRIES};
use super::seal::seal_of;
use super::source::Source;
use crate::code::Code;
use crate::digest::{Mode, digest};
use std::ops::Range;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Bits of the name key that a branch goes by.
const BRANCH_BITS: u32 = 6;
/// The longest node.
const LONGEST_NODE: usize = size_of::<NodeHead>() + LEAF_ENTRIES * size_of::<IndexEntry>();

/// The hash that identifies a name within a module. Its first eight bytes are the name key.
pub(crate) fn name_hash(space: &str, name: &str) -> [u8; 32] {
    let length = (space.len() as u16).to_le_bytes();
    digest(Mode::Plain, &[&length, space.as_bytes(), name.as_bytes()])
}

/// The name key: what the index sorts by.
pub(crate) fn name_key(space: &str, name: &str) -> u64 {
    let hash = name_hash(space, name);
    u64::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes"))
}

/// Which branch of a node at `depth` leads to the key.
pub(crate) fn branch_of(key: u64, depth: u32) -> usize {
    (key >> (64 - BRANCH_BITS * (depth + 1))) as usize % BRANCHES
}

/// Builds the index of `entries` and gives the bytes of its root node. The other nodes go to `emit`,
/// which gives the offset at which it put them.
pub(crate) fn build(
    entries: &mut [IndexEntry],
    emit: &mut dyn FnMut(&[u8]) -> Result<u64, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    sort(entries);
    build_node(entries, 0, emit)
}

/// Puts entries in the order in which they stand in leaves.
pub(crate) fn sort(entries: &mut [IndexEntry]) {
    entries.sort_unstable_by_key(|entry| (entry.name_key.get(), entry.offset.get()));
}

/// The bytes of the node at `depth` above these entries, which are sorted. The recursion ends at
/// [`INDEX_DEPTH`].
pub(crate) fn build_node(
    entries: &[IndexEntry],
    depth: u32,
    emit: &mut dyn FnMut(&[u8]) -> Result<u64, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    if entries.len() <= LEAF_ENTRIES {
        let mut node = node_head(LEAF, entries.len()).as_bytes().to_vec();
        node.extend_from_slice(entries.as_bytes());
        return Ok(node);
    }
    if depth == INDEX_DEPTH {
        let what = "names with the same 60 bits of hash";
        return Err(WriteError::over_limit(what, entries.len(), LEAF_ENTRIES));
    }
    let mut children = [NodeRef::new_zeroed(); BRANCHES];
    let same_branch = |a: &IndexEntry, b: &IndexEntry| {
        branch_of(a.name_key.get(), depth) == branch_of(b.name_key.get(), depth)
    };
    for subtree in entries.chunk_by(same_branch) {
        let node = build_node(subtree, depth + 1, emit)?;
        let number = branch_of(subtree[0].name_key.get(), depth);
        children[number] = reference_to(&node, emit(&node)?);
    }
    Ok(branch_node(&children))
}

/// A branch's reference to this node, which lies at `offset`.
pub(crate) fn reference_to(node: &[u8], offset: u64) -> NodeRef {
    NodeRef {
        offset: offset.into(),
        length: (node.len() as u32).into(),
        seal: seal_of(node).into(),
    }
}

/// The bytes of a branch.
pub(crate) fn branch_node(children: &[NodeRef; BRANCHES]) -> Vec<u8> {
    let count = children.iter().filter(|child| is_there(child)).count();
    let mut node = node_head(BRANCH, count).as_bytes().to_vec();
    node.extend_from_slice(children.as_bytes());
    node
}

fn node_head(kind: u8, count: usize) -> NodeHead {
    let mut head = NodeHead::new_zeroed();
    head.kind = kind;
    head.count.set(count as u16);
    head
}

/// A node's contents.
pub(crate) enum Node<'a> {
    Leaf(&'a [IndexEntry]),
    Branch(&'a [NodeRef]),
}

/// Reads a node's structure; whether its contents belong there is for [`Walk`].
pub(crate) fn parse(bytes: &[u8]) -> Result<Node<'_>, LoadError> {
    let (head, rest) = NodeHead::ref_from_prefix(bytes)
        .map_err(|_| damaged("a short node", "eight bytes at least"))?;
    if head.zero_1 != 0 || head.zero_2.get() != 0 {
        return Err(damaged("a reserved field that is set", "zero"));
    }
    let count = usize::from(head.count.get());
    if count > BRANCHES.min(LEAF_ENTRIES) {
        return Err(damaged("a count past 64", "at most 64"));
    }
    match head.kind {
        LEAF => match <[IndexEntry]>::ref_from_bytes(rest) {
            Ok(entries) if entries.len() == count => Ok(Node::Leaf(entries)),
            _ => Err(damaged(
                "a leaf whose length isn't its count's",
                "as many entries",
            )),
        },
        BRANCH => match <[NodeRef]>::ref_from_bytes(rest) {
            Ok(children) if children.len() != BRANCHES => {
                Err(damaged("a branch of another length", "64 references"))
            }
            Ok(children) if children.iter().filter(|child| is_there(child)).count() != count => {
                Err(damaged(
                    "another number of children",
                    "the one that is declared",
                ))
            }
            Ok(children) => Ok(Node::Branch(children)),
            Err(_) => Err(damaged("a branch of another length", "64 references")),
        },
        kind => {
            let found = format_args!("a node of kind {kind}").to_string();
            Err(damaged(&found, "0 or 1"))
        }
    }
}

/// Whether a branch has the child.
pub(crate) fn is_there(child: &NodeRef) -> bool {
    child.as_bytes() != [0; size_of::<NodeRef>()]
}

fn damaged(found: &str, expected: &str) -> LoadError {
    LoadError::new(Code::DamagedIndex)
        .with_found(found)
        .with_expected(expected)
}

/// A branch where only leaves can be.
pub(crate) fn too_deep() -> LoadError {
    damaged("a tree that is too deep", "ten branches")
}

/// Where a referenced node lies, if the reference is one.
fn range_of(child: &NodeRef, source: &Source) -> Result<Range<u64>, LoadError> {
    let start = child.offset.get();
    let length = u64::from(child.length.get());
    match start.checked_add(length) {
        Some(end)
            if length <= LONGEST_NODE as u64
                && start >= HEADER_LENGTH as u64
                && end <= source.len() =>
        {
            Ok(start..end)
        }
        _ => Err(damaged("a node outside of the file", "one within").at(start)),
    }
}

/// Reads a node and checks its seal.
pub(crate) fn read_node<'a>(
    source: &'a Source,
    child: &NodeRef,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], LoadError> {
    let bytes = source.view(range_of(child, source)?, buffer)?;
    if seal_of(bytes) != child.seal.get() {
        let error = LoadError::new(Code::DamagedIndex).with_found("another seal");
        return Err(error.at(child.offset.get()));
    }
    Ok(bytes)
}

/// Hands the entries of this key to `probe`, in order, until it answers; with each, whether it is the
/// only one.
pub(crate) fn find<T>(
    source: &Source,
    root: &[u8],
    key: u64,
    mut probe: impl FnMut(&IndexEntry, bool) -> Result<Option<T>, LoadError>,
) -> Result<Option<T>, LoadError> {
    let mut buffer = Vec::new();
    let mut child = match parse(root)? {
        Node::Leaf(entries) => return probe_leaf(entries, key, &mut probe),
        Node::Branch(children) => children[branch_of(key, 0)],
    };
    for depth in 1..=INDEX_DEPTH {
        if !is_there(&child) {
            return Ok(None);
        }
        let at = child.offset.get();
        let bytes = read_node(source, &child, &mut buffer)?;
        child = match parse(bytes).map_err(|error| error.at(at))? {
            Node::Leaf(entries) => return probe_leaf(entries, key, &mut probe),
            Node::Branch(_) if depth == INDEX_DEPTH => break,
            Node::Branch(children) => children[branch_of(key, depth)],
        };
    }
    Err(too_deep().at(child.offset.get()))
}

fn probe_leaf<T>(
    entries: &[IndexEntry],
    key: u64,
    probe: &mut impl FnMut(&IndexEntry, bool) -> Result<Option<T>, LoadError>,
) -> Result<Option<T>, LoadError> {
    let has_key = |entry: &&IndexEntry| entry.name_key.get() == key;
    let is_only = entries.iter().filter(has_key).count() == 1;
    for entry in entries.iter().filter(has_key) {
        if let Some(answer) = probe(entry, is_only)? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

/// A walk over the whole index, which checks that its shape is the one that its names give it. So no
/// two references lead to the same node, and the walk is as long as the index.
pub(crate) struct Walk<'a> {
    source: &'a Source,
    /// After how many errors the walk ends. A hostile index can lead to the same node again and again,
    /// but each time but once that is an error.
    most_errors: usize,
    /// Bytes of the nodes.
    pub(crate) bytes: u64,
    /// The entries, ascending by name key.
    pub(crate) entries: Vec<IndexEntry>,
    /// What is wrong.
    pub(crate) errors: Vec<LoadError>,
}

impl<'a> Walk<'a> {
    /// Walks the index below the root node, which lies at `offset`. Behind an error it goes on with
    /// the next subtree, unless there are `most_errors`.
    pub(crate) fn run(
        source: &'a Source,
        root: &[u8],
        offset: u64,
        most_errors: usize,
    ) -> Walk<'a> {
        let mut walk = Walk {
            source,
            most_errors,
            bytes: 0,
            entries: Vec::new(),
            errors: Vec::new(),
        };
        walk.node(root, offset, 0, 0);
        walk
    }

    /// The recursion ends at [`INDEX_DEPTH`].
    fn node(&mut self, bytes: &[u8], offset: u64, depth: u32, prefix: u64) {
        self.bytes += bytes.len() as u64;
        let before = self.entries.len();
        let outcome = match parse(bytes) {
            Ok(Node::Leaf(entries)) => self.leaf(entries, depth, prefix),
            Ok(Node::Branch(children)) => self.branch(children, depth, prefix).and_then(|()| {
                let below = self.entries.len() - before;
                if below <= LEAF_ENTRIES && self.errors.is_empty() {
                    return Err(damaged("a branch with few entries", "a leaf"));
                }
                Ok(())
            }),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            self.errors.push(error.at(offset));
        }
    }

    fn leaf(&mut self, entries: &[IndexEntry], depth: u32, prefix: u64) -> Result<(), LoadError> {
        if entries.is_empty() && depth > 0 {
            return Err(damaged("an empty leaf", "none"));
        }
        let mut last = None;
        for entry in entries {
            let key = entry.name_key.get();
            if depth > 0 && key >> (64 - BRANCH_BITS * depth) != prefix {
                return Err(damaged("a name key in a wrong place", "one of this branch"));
            }
            let position = (key, entry.offset.get());
            if last.is_some_and(|last| last >= position) {
                return Err(damaged("entries out of order", "rising name keys"));
            }
            last = Some(position);
        }
        if (self.entries.len() + entries.len()) as u64 > limits::CHUNKS {
            let count = (self.entries.len() + entries.len()) as u64;
            return Err(LoadError::over_limit("chunks", count, limits::CHUNKS));
        }
        self.entries.extend_from_slice(entries);
        Ok(())
    }

    fn branch(&mut self, children: &[NodeRef], depth: u32, prefix: u64) -> Result<(), LoadError> {
        if depth == INDEX_DEPTH {
            return Err(too_deep());
        }
        let mut buffer = Vec::new();
        for (number, child) in children.iter().enumerate() {
            if !is_there(child) {
                continue;
            }
            match read_node(self.source, child, &mut buffer) {
                Ok(bytes) => {
                    let prefix = prefix << BRANCH_BITS | number as u64;
                    self.node(bytes, child.offset.get(), depth + 1, prefix);
                }
                Err(error) => self.errors.push(error),
            }
            if self.errors.len() >= self.most_errors {
                return Ok(());
            }
        }
        Ok(())
    }
}
