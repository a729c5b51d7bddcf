"""The index (chapter 1, section 1.4): looked up in, walked, and written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable, NamedTuple

from . import limits
from .errors import FvbcError
from .wire import hash_of, seal_of

NODE_HEAD_BYTES = 8
ENTRY_BYTES = 24
BRANCHES = 64
BRANCH_BYTES = NODE_HEAD_BYTES + 16 * BRANCHES

Fetch = Callable[[int, int, str], bytes]
"""Gives `length` bytes at `offset`, both unchecked, or raises; the third argument says what they are."""


class Entry(NamedTuple):
    """An entry of a leaf; the order of the fields is the order of the entries."""

    name_key: int
    offset: int
    length: int
    op_count: int


@dataclass(frozen=True)
class Reference:
    """A branch's reference to a child node."""

    offset: int
    length: int
    seal: int


def name_key(space: str, name: str) -> int:
    """The number that a record is found by."""
    encoded = space.encode()
    return int.from_bytes(hash_of(len(encoded).to_bytes(2, "little") + encoded + name.encode())[:8], "big")


def branch_of(key: int, depth: int) -> int:
    """Which of the 64 branches a node at this depth keeps the key in."""
    # At depth 10 fewer than six bits would be left; no branch is that deep.
    return key >> (58 - 6 * depth) & 63


class Node(NamedTuple):
    """A node, read: a leaf has entries, a branch children."""

    entries: list[Entry] | None
    children: list[Reference | None]


def decode_node(data: bytes) -> Node:
    """The node that these bytes are."""
    if len(data) < NODE_HEAD_BYTES:
        raise _wrong(f"a node of {len(data)} bytes")
    kind, zero, count = data[0], data[1], int.from_bytes(data[2:4], "little")
    if kind > 1 or zero or any(data[4:8]):
        raise _wrong(f"no node begins with {data[:8].hex()}")
    if count > limits.LEAF_ENTRIES:
        raise _wrong(f"a node of {count} entries")
    expected = BRANCH_BYTES if kind else NODE_HEAD_BYTES + ENTRY_BYTES * count
    if len(data) != expected:
        raise _wrong(f"a node of {len(data)} bytes, {expected} expected")
    if kind == 0:
        entries = [_decode_entry(data, NODE_HEAD_BYTES + ENTRY_BYTES * at) for at in range(count)]
        if any(a[:2] >= b[:2] for a, b in zip(entries, entries[1:])):
            raise _wrong("the entries of a leaf are not in order")
        return Node(entries, [])
    children = [_decode_reference(data, NODE_HEAD_BYTES + 16 * at) for at in range(BRANCHES)]
    if sum(child is not None for child in children) != count:
        raise _wrong("a branch with another number of children than it says")
    return Node(None, children)


def _decode_entry(data: bytes, at: int) -> Entry:
    sizes = ((0, 8), (8, 8), (16, 4), (20, 4))
    return Entry(*[int.from_bytes(data[at + start : at + start + size], "little") for start, size in sizes])


def _decode_reference(data: bytes, at: int) -> Reference | None:
    if not any(data[at : at + 16]):
        return None
    sizes = ((0, 8), (8, 4), (12, 4))
    return Reference(*[int.from_bytes(data[at + start : at + start + size], "little") for start, size in sizes])


def _wrong(message: str) -> FvbcError:
    return FvbcError("E0107", message, part="index")


def _miscounted(message: str) -> FvbcError:
    # The nodes agree with each other; it is the root's `chunk_count` that doesn't.
    return FvbcError("E0114", message, part="root")


def _follow(fetch: Fetch, reference: Reference) -> Node:
    data = fetch(reference.offset, reference.length, "an index node")
    if seal_of(data) != reference.seal:
        raise FvbcError("E0107", "the seal is not that of the bytes", part="index", offset=reference.offset)
    return decode_node(data)


def find(fetch: Fetch, root: bytes, key: int) -> list[Entry]:
    """The entries of a name key: the nodes on the way to it are read, no others."""
    node = decode_node(root)
    for depth in range(limits.INDEX_DEPTH + 1):
        if node.entries is not None:
            return [entry for entry in node.entries if entry.name_key == key]
        if depth == limits.INDEX_DEPTH:
            break
        child = node.children[branch_of(key, depth)]
        if child is None:
            return []
        node = _follow(fetch, child)
    raise _wrong(f"a tree of more than {limits.INDEX_DEPTH} branches")


def walk(fetch: Fetch, root: bytes, count: int) -> Iterator[Entry]:
    """All entries, by rising name keys; raises unless there are `count`, each in the one leaf where it belongs.

    As a leaf below a branch has entries, and all of them begin with the bits of its place, no leaf can stand in two
    places: the work is bounded by `count` even if nodes refer to each other in circles.
    """
    # (node, depth, the bits of its place); children are pushed in falling order, so that they come in rising order.
    pending: list[tuple[Reference | None, int, int]] = [(None, 0, 0)]
    branches: list[tuple[int, int]] = []
    keys: list[int] = []
    while pending:
        reference, depth, bits = pending.pop()
        node = decode_node(root) if reference is None else _follow(fetch, reference)
        if node.entries is None:
            if depth == limits.INDEX_DEPTH:
                raise _wrong(f"a tree of more than {limits.INDEX_DEPTH} branches")
            branches.append((bits << (64 - 6 * depth), (bits + 1) << (64 - 6 * depth)))
            for branch in reversed(range(BRANCHES)):
                child = node.children[branch]
                if child is not None:
                    pending.append((child, depth + 1, bits << 6 | branch))
            continue
        if not node.entries and depth:
            raise _wrong("an empty leaf below a branch")
        if len(keys) + len(node.entries) > count:
            raise _miscounted(f"more than {count} records")
        keys += [entry.name_key for entry in node.entries]
        for entry in node.entries:
            if entry.name_key >> (64 - 6 * depth) != bits:
                raise _wrong(f"the name key {entry.name_key:016x} stands in the wrong leaf")
            yield entry
    if len(keys) != count:
        raise _miscounted(f"{len(keys)} records, {count} expected")
    if any(bisect_left(keys, end) - bisect_left(keys, first) <= limits.LEAF_ENTRIES for first, end in branches):
        raise _wrong("a branch whose entries fit into a leaf")


def encode(entries: list[Entry], start: int) -> tuple[bytes, bytes]:
    """The index nodes but for the root node, as they lie from offset `start` on, and the root node."""
    nodes = bytearray()
    # What is being built: a frame for each branch on the way, with its remaining groups of entries and the children
    # that are written already.
    root = sorted(entries)
    if len(root) <= limits.LEAF_ENTRIES:
        return b"", _encode_leaf(root)
    frames = [_Frame(root, 0)]
    while True:
        frame = frames[-1]
        if frame.branch == BRANCHES:
            frames.pop()
            done = _encode_branch(frame.children)
            if not frames:
                return bytes(nodes), done
        else:
            group = frame.groups[frame.branch]
            if len(group) > limits.LEAF_ENTRIES:
                if frame.depth + 1 == limits.INDEX_DEPTH:
                    raise FvbcError("E0113", "more names begin alike than the index can tell apart", part="index")
                frames.append(_Frame(group, frame.depth + 1))
                continue
            if not group:
                frame.add(None)
                continue
            done = _encode_leaf(group)
        frames[-1].add(Reference(start + len(nodes), len(done), seal_of(done)))
        nodes += done


class _Frame:
    """A branch node while its children are written."""

    def __init__(self, entries: list[Entry], depth: int) -> None:
        self.depth = depth
        self.branch = 0
        self.children: list[Reference | None] = []
        self.groups: list[list[Entry]] = [[] for _ in range(BRANCHES)]
        for entry in entries:
            self.groups[branch_of(entry.name_key, depth)].append(entry)

    def add(self, child: Reference | None) -> None:
        """The next child is this one."""
        self.children.append(child)
        self.branch += 1


def _encode_leaf(entries: list[Entry]) -> bytes:
    data = bytearray(bytes([0, 0]) + len(entries).to_bytes(2, "little") + bytes(4))
    for entry in entries:
        for value, size in zip(entry, (8, 8, 4, 4)):
            data += value.to_bytes(size, "little")
    return bytes(data)


def _encode_branch(children: list[Reference | None]) -> bytes:
    count = sum(child is not None for child in children)
    data = bytearray(bytes([1, 0]) + count.to_bytes(2, "little") + bytes(4))
    for child in children:
        if child is None:
            data += bytes(16)
        else:
            data += child.offset.to_bytes(8, "little") + child.length.to_bytes(4, "little")
            data += child.seal.to_bytes(4, "little")
    return bytes(data)
