"""The limits of the format (chapter 1, section 1.6), each by its own name."""

from __future__ import annotations

from .errors import FvbcError

FILE_BYTES = 1 << 40
RECORD_BYTES = 1 << 28
CHUNKS = 1 << 24
SEGMENTS = 1 << 16
NAME_BYTES = 65_535
META_BYTES = 1 << 20
OPS = 1 << 24
POOL = 65_536
"""Constants, names, blocks, imports and subs of a chunk, each."""
NESTING = 64
STACK_HEIGHT = 65_535
SECTIONS = 64
"""From section 1.3."""
INDEX_DEPTH = 10
"""Branches above each other, from section 1.4."""
LEAF_ENTRIES = 64
"""From section 1.4."""


def within(value: int, limit: int, what: str) -> int:
    """Returns `value`, or raises E0113 if it exceeds `limit`."""
    if value > limit:
        raise FvbcError("E0113", f"{what}: {value}, at most {limit}")
    return value
