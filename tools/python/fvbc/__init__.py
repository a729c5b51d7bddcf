"""Reads, checks, prints, runs and writes `.fvbc` files; written from `format-spec/` alone, in plain Python.

The modules mirror the chapters: `container` and `index` (1), `record` and `constants` (2), `opcodes` (3), `verify` (4),
`values` and `interpret` (5), `text` (6), `errors` (7). It is an oracle, not an engine: clear before fast.
"""

from .container import Module, write_module
from .errors import FvbcError
from .record import Body, Chunk

__all__ = ["Body", "Chunk", "FvbcError", "Module", "write_module"]
