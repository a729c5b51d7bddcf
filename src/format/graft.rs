//! The index as of a new segment: what changed is written anew, with the branches above it; all other
//! nodes stay where they are. The shape is the one that [`index::build`] gives the same names.

use super::error::{LoadError, WriteError};
use super::index::{self, Node};
use super::layout::{BRANCHES, IndexEntry, NodeRef};
use super::limits::{INDEX_DEPTH, LEAF_ENTRIES};
use super::source::Source;
use zerocopy::FromZeros;

/// What becomes of a name in the index. One of the two entries is there at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// The name's key.
    pub(crate) name_key: u64,
    /// The entry that goes.
    pub(crate) old: Option<IndexEntry>,
    /// The entry that comes.
    pub(crate) new: Option<IndexEntry>,
}

/// Part of the new index.
enum Subtree {
    /// A node that stays.
    Kept(NodeRef),
    /// These entries, sorted, in one leaf or more; none is nothing at all.
    Entries(Vec<IndexEntry>),
    /// A branch, of which something changed.
    Branch(Box<[Subtree; BRANCHES]>),
}

/// Makes the changes to the index whose root node has these bytes, and gives the bytes of the new root
/// node. The other new nodes go to `emit`, which gives the offset at which it put them.
pub(crate) fn graft(
    source: &Source,
    root: &[u8],
    changes: &mut [Change],
    emit: &mut dyn FnMut(&[u8]) -> Result<u64, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    changes.sort_unstable_by_key(|change| change.name_key);
    let tree = apply(source, root, 0, changes)?;
    node_of(tree, 0, emit)
}

/// The recursion ends at [`INDEX_DEPTH`].
fn apply(
    source: &Source,
    node: &[u8],
    depth: u32,
    changes: &[Change],
) -> Result<Subtree, LoadError> {
    let children = match index::parse(node)? {
        Node::Leaf(entries) => return Ok(Subtree::Entries(merge(entries, changes))),
        Node::Branch(_) if depth == INDEX_DEPTH => return Err(index::too_deep()),
        Node::Branch(children) => children,
    };
    let mut branch = Box::new(std::array::from_fn(|number| match &children[number] {
        child if index::is_there(child) => Subtree::Kept(*child),
        _ => Subtree::Entries(Vec::new()),
    }));
    let same_branch = |a: &Change, b: &Change| {
        index::branch_of(a.name_key, depth) == index::branch_of(b.name_key, depth)
    };
    let mut buffer = Vec::new();
    for below in changes.chunk_by(same_branch) {
        let child = &mut branch[index::branch_of(below[0].name_key, depth)];
        *child = match child {
            Subtree::Kept(reference) => {
                let bytes = index::read_node(source, reference, &mut buffer)?;
                let at = reference.offset.get();
                apply(source, bytes, depth + 1, below).map_err(|error| error.at(at))?
            }
            Subtree::Entries(_) | Subtree::Branch(_) => Subtree::Entries(merge(&[], below)),
        };
    }
    if changes.iter().any(|change| change.new.is_none())
        && let Some(few) = few_entries(source, &*branch)?
    {
        return Ok(Subtree::Entries(few));
    }
    Ok(Subtree::Branch(branch))
}

/// The entries of a leaf with the changes made, in their order.
fn merge(entries: &[IndexEntry], changes: &[Change]) -> Vec<IndexEntry> {
    let goes = |entry: &&IndexEntry| !changes.iter().any(|change| change.old == Some(**entry));
    let stay = entries.iter().filter(goes).copied();
    let mut merged: Vec<_> = stay
        .chain(changes.iter().filter_map(|change| change.new))
        .collect();
    index::sort(&mut merged);
    merged
}

/// The entries below a branch, if they fit a leaf. At most one more leaf is read than has room in it.
fn few_entries(source: &Source, branch: &[Subtree]) -> Result<Option<Vec<IndexEntry>>, LoadError> {
    let mut few = Vec::new();
    let mut buffer = Vec::new();
    for child in branch {
        match child {
            Subtree::Entries(entries) => few.extend_from_slice(entries),
            Subtree::Branch(_) => return Ok(None),
            Subtree::Kept(reference) => {
                match index::parse(index::read_node(source, reference, &mut buffer)?)? {
                    Node::Leaf(entries) => few.extend_from_slice(entries),
                    Node::Branch(_) => return Ok(None),
                }
            }
        }
        if few.len() > LEAF_ENTRIES {
            return Ok(None);
        }
    }
    Ok(Some(few))
}

/// The bytes of a subtree's upmost node. The recursion ends at [`INDEX_DEPTH`].
fn node_of(
    tree: Subtree,
    depth: u32,
    emit: &mut dyn FnMut(&[u8]) -> Result<u64, WriteError>,
) -> Result<Vec<u8>, WriteError> {
    let branch = match tree {
        Subtree::Branch(branch) => branch,
        Subtree::Entries(entries) => return index::build_node(&entries, depth, emit),
        Subtree::Kept(_) => unreachable!("a node that stays is not written"),
    };
    let mut children = [NodeRef::new_zeroed(); BRANCHES];
    for (child, tree) in children.iter_mut().zip(*branch) {
        *child = match tree {
            Subtree::Kept(reference) => reference,
            Subtree::Entries(entries) if entries.is_empty() => continue,
            Subtree::Entries(_) | Subtree::Branch(_) => {
                let node = node_of(tree, depth + 1, emit)?;
                index::reference_to(&node, emit(&node)?)
            }
        };
    }
    Ok(index::branch_node(&children))
}
