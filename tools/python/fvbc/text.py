"""The text form, printed (chapter 6). The twin that reads it is `assemble`.

The text assembles to the module that it was printed from; how it looks is this module's choice (6.8).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .constants import alike_key
from .opcodes import OPS, Instruction
from .record import (
    ARGUMENTS,
    BUILTIN,
    EXTENSION,
    FIXED,
    FUNCTION,
    UNKNOWN,
    WIDE_EXTENSION,
    Block,
    Body,
    Chunk,
    Import,
)
from .values import Array, NativeFn, Ref, Status, Value
from .wire import bits_of, float_of

QUIET_NAN = 0x7FF8 << 48
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

IMPORT_KINDS = {
    BUILTIN: "builtin",
    EXTENSION: "extension",
    WIDE_EXTENSION: "extension_wide",
    FUNCTION: "function",
}
"""The words of 6.6."""

IMPORT_WORDS = frozenset({"space", "pops", "unknown", "touches"})
"""Handler's names that have to be quoted (6.6)."""

CODE_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("TestFile", "test"): tuple(
        [
            "is_file",
            "is_dir",
            "is_readable",
            "is_writable",
            "is_executable",
            "exists",
            "is_nonempty",
            "is_symlink",
            "is_socket",
            "is_fifo",
            "is_block_dev",
            "is_char_dev",
        ]
    ),
    ("Redirect", "op"): tuple(
        ["write", "append", "read", "read_write", "clobber", "dup_read", "dup_write", "write_both", "append_both"]
    ),
    ("ExpandParam", "modifier"): tuple(
        [
            "default",
            "assign",
            "error",
            "alternate",
            "length",
            "strip_short",
            "strip_long",
            "rstrip_short",
            "rstrip_long",
            "subst_first",
            "subst_all",
            "upper",
            "lower",
            "upper_first",
            "lower_first",
            "indirect",
            "keys",
            "slice",
        ]
    ),
}
"""By op and operand, the words for 0, 1, 2 … (6.7)."""

Entry = TypeVar("Entry")

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\x1b": "\\e", "\\": "\\\\", '"': '\\"'}


def default_import(kind: int, number: int) -> Import:
    """The row of something that is called without declaration (6.6)."""
    if kind == BUILTIN:
        return Import(kind, number, ARGUMENTS, pushes=1, globals=True, slots=True)
    if kind == FUNCTION:
        return Import(kind, number, ARGUMENTS, pushes=1, globals=True)
    return Import(kind, number, UNKNOWN, globals=True, slots=True, frames=True)


def quoted(data: bytes) -> str:
    """The bytes as a string in double quotes."""
    parts = ['"']
    # A byte that is no UTF-8 comes out as a lone surrogate from dc80 to dcff.
    for character in data.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{{{code:x}}}")
    return "".join([*parts, '"'])


def bytes_text(data: bytes, reserved: Iterable[str] = ()) -> str:
    """The bytes as a word if they are one and it is not reserved, else as a string."""
    text = data.decode("latin-1")
    return text if WORD.fullmatch(text) and text not in reserved else quoted(data)


def name_text(name: str, reserved: Iterable[str] = ()) -> str:
    """The name as a word or a string."""
    return bytes_text(name.encode(), reserved)


def float_text(value: float) -> str:
    """The float so that it is read back bit by bit."""
    if math.isnan(value):
        bits = bits_of(value)
        return "nan" if bits == QUIET_NAN else f"nan({bits:#x})"
    # Python's shortest form that reads back has a point, an exponent, or is an infinity.
    return repr(value)


def constant_text(value: Value) -> str:
    """A constant (6.4); it is nested at most 64 deep, so recursion is bounded."""
    if value is None:
        return "undef"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, bytes):
        return quoted(value)
    if isinstance(value, Status):
        return f"status({value.code})"
    if isinstance(value, NativeFn):
        return f"builtin({value.id})"
    if isinstance(value, Ref):
        return f"ref({constant_text(value.target)})"
    if isinstance(value, Array):
        return "[" + ", ".join(constant_text(item) for item in value.items) + "]"
    return "{" + ", ".join(f"{bytes_text(key)}: {constant_text(item)}" for key, item in value.items()) + "}"


def print_module(chunks: Iterable[Chunk], meta: dict[str, bytes]) -> str:
    """The text of a whole module."""
    lines = [f".meta {name_text(key)} {bytes_text(meta[key])}" for key in sorted(meta)]
    for chunk in chunks:
        if lines:
            lines.append("")
        lines += print_chunk(chunk)
    return "\n".join([*lines, ""])


def print_chunk(chunk: Chunk) -> list[str]:
    """The lines of a chunk's text."""
    return [*_head(chunk), *_Printer(chunk).lines()]


def _head(chunk: Chunk) -> Iterator[str]:
    yield f".chunk {name_text(chunk.name)}"
    if chunk.space:
        yield f".space {name_text(chunk.space)}"
    if chunk.key:
        yield f".key {bytes_text(chunk.key)}"
    if chunk.source:
        yield f".source {name_text(chunk.source)}"
    if chunk.link is not None:
        yield f'.link "{chunk.link.hash.hex()}" mtime {chunk.link.mtime} size {chunk.link.size}'


def declared_prefix(table: list[Entry], uses: Iterable[int], key: Callable[[Entry], object]) -> int:
    """How many entries of a name or constant table need a line of their own, at the least.

    The rest comes about by itself: each use of an entry that is not there yet appends it (6.4).
    """
    first: dict[object, int] = {}
    for index, entry in enumerate(table):
        first.setdefault(key(entry), index)
    # The entries that come about by use, in that order; a use of a later one like an earlier one is printed as an
    # index, which appends nothing.
    order = list(dict.fromkeys(use for use in uses if use < len(table) and first[key(table[use])] == use))
    prefix = len(table)
    place = {index: at for at, index in enumerate(order)}
    later = len(order)
    while prefix and place.get(prefix - 1, later) < later:
        later = place[prefix - 1]
        prefix -= 1
    return prefix


class _Printer:
    """What printing a chunk's body needs to know at each op."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.body: Body = chunk.body
        self.first_name: dict[str, int] = {}
        for index, name in enumerate(self.body.names):
            self.first_name.setdefault(name, index)
        self.first_constant: dict[bytes, int] = {}
        for index, value in enumerate(self.body.constants):
            self.first_constant.setdefault(alike_key(value), index)
        self.handlers: dict[tuple[int, int], str] = {}
        self.subs_in_place = self._subs_in_place()
        self.events = self._block_events()
        # The ops that have a label.
        self.labels = {target for target in self._targets() if target <= len(self.body.code)}

    def lines(self) -> list[str]:
        """The lines behind the chunk's head."""
        imports = list(self._imports())
        return [*self._tables(), *imports, *self._ranges(), *self._code()]

    def _targets(self) -> Iterator[int]:
        for instruction in self.body.code:
            for (_, kind), value in zip(OPS[instruction[0]].operands, instruction[1:]):
                if kind == "target":
                    yield value

    def _uses(self, wanted: str) -> Iterator[int]:
        """The indices of names or constants in the order in which the text uses them."""
        subs = self.body.subs
        if wanted == "name":
            yield from (row.id for row in self.body.imports if row.kind == FUNCTION and self._declared(row))
            if not self.subs_in_place:
                yield from (sub.name for sub in subs)
        at = 0
        for op, instruction in enumerate([*self.body.code, ()]):
            while wanted == "name" and self.subs_in_place and at < len(subs) and subs[at].entry == op:
                yield subs[at].name
                at += 1
            if instruction:
                for (_, kind), value in zip(OPS[instruction[0]].operands, instruction[1:]):
                    if kind == wanted:
                        yield value

    def _tables(self) -> Iterator[str]:
        names = declared_prefix(self.body.names, self._uses("name"), lambda name: name)
        yield from (f".name {name_text(name)}" for name in self.body.names[:names])
        constants = declared_prefix(self.body.constants, self._uses("const"), alike_key)
        yield from (f".const {constant_text(value)}" for value in self.body.constants[:constants])

    def _declared(self, row: Import) -> bool:
        """Whether the row needs a line: it has not the defaults."""
        return row != default_import(row.kind, row.id)

    def _imports(self) -> Iterator[str]:
        seen: set[tuple[int, str]] = set()
        for row in self.body.imports:
            if self._declared(row):
                if row.name and (row.kind, row.name) not in seen:
                    seen.add((row.kind, row.name))
                    self.handlers[row.kind, row.id] = row.name
                yield self._import(row)

    def _import(self, row: Import) -> str:
        words = [".import", IMPORT_KINDS[row.kind]]
        if row.kind == FUNCTION:
            words.append(self._name(row.id))
        else:
            words.append(str(row.id))
            if row.name:
                words.append(name_text(row.name, IMPORT_WORDS))
        if row.space:
            words += ["space", name_text(row.space)]
        default = default_import(row.kind, row.id)
        if (row.effect, row.pops, row.pushes) != (default.effect, default.pops, default.pushes):
            if row.effect == UNKNOWN:
                words.append("unknown")
            else:
                words += ["pops", str(row.pops) if row.effect == FIXED else "argc", "pushes", str(row.pushes)]
        touched = (row.globals, row.slots, row.frames)
        if touched != (default.globals, default.slots, default.frames):
            words.append("touches")
            words += [word for word, on in zip(("globals", "slots", "frames"), touched) if on] or ["nothing"]
        return " ".join(words)

    def _subs_in_place(self) -> bool:
        entries = [sub.entry for sub in self.body.subs]
        return entries == sorted(entries) and (not entries or entries[-1] <= len(self.body.code))

    def _ranges(self) -> Iterator[str]:
        """The subs and blocks that can't be shown where they stand."""
        if not self.subs_in_place:
            for sub in self.body.subs:
                yield f"{self._sub(sub.name, sub.argc)} at {self._target(sub.entry)}"
        if self.events is None:
            for index, block in enumerate(self.body.blocks):
                yield f".block b{index} from {self._target(block.start)} to {self._target(block.end)}"

    def _sub(self, name: int, argc: int | None) -> str:
        return f".sub {self._name(name)}" + ("" if argc is None else f" args {argc}")

    def _block_events(self) -> dict[int, list[str]] | None:
        """The `.block` and `.endblock` lines before each op; None if the blocks can't be shown in their order."""
        events: dict[int, list[str]] = {}
        open_blocks: list[Block] = []

        def close(until: int) -> None:
            while open_blocks and open_blocks[-1].end <= until:
                events.setdefault(open_blocks.pop().end, []).append(".endblock")

        start = 0
        for index, block in enumerate(self.body.blocks):
            close(block.start)
            if block.start < start or block.end > (open_blocks[-1].end if open_blocks else len(self.body.code)):
                return None
            start = block.start
            events.setdefault(start, []).append(f".block b{index}")
            open_blocks.append(block)
        close(len(self.body.code))
        return events

    def _code(self) -> Iterator[str]:
        subs = iter(self.body.subs if self.subs_in_place else [])
        sub = next(subs, None)
        line = 0
        for op, instruction in enumerate([*self.body.code, ()]):
            while sub is not None and sub.entry == op:
                yield self._sub(sub.name, sub.argc)
                sub = next(subs, None)
            yield from (self.events or {}).get(op, [])
            if op in self.labels:
                yield f"{self._target(op)}:"
            if instruction:
                if self.chunk.lines[op] != line:
                    line = self.chunk.lines[op]
                    yield f".line {line}"
                yield f"    {self._instruction(instruction)}"

    def _instruction(self, instruction: Instruction) -> str:
        op = OPS[instruction[0]]
        words = [op.mnemonic]
        for (name, kind), value in zip(op.operands, instruction[1:]):
            words.append(self._operand(op.name, name, kind, value))
        return " ".join(words)

    def _operand(self, op: str, name: str, kind: str, value: int) -> str:
        if kind == "float":
            return float_text(float_of(value))
        if kind == "const":
            return self._constant(value)
        if kind == "name":
            return self._name(value)
        if kind == "block":
            return f"b{value}" if value < len(self.body.blocks) else f"#{value}"
        if kind == "target":
            return self._target(value)
        if kind == "id":
            handler = self.handlers.get((_CALLS[op], value))
            return str(value) if handler is None else name_text(handler)
        words = CODE_WORDS.get((op, name), ())
        return words[value] if kind == "code" and value < len(words) else str(value)

    def _name(self, index: int) -> str:
        names = self.body.names
        return name_text(names[index]) if index < len(names) and self.first_name[names[index]] == index else f"#{index}"

    def _constant(self, index: int) -> str:
        pool = self.body.constants
        if index < len(pool) and self.first_constant[alike_key(pool[index])] == index:
            return constant_text(pool[index])
        return f"#{index}"

    def _target(self, op: int) -> str:
        return f"L{op}" if op in self.labels else f"@{op}"


_CALLS = {"CallBuiltin": BUILTIN, "Extended": EXTENSION, "ExtendedWide": WIDE_EXTENSION}
