"""A chunk's record (chapter 2): body, imports and lines, decoded and encoded by twins in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import limits
from .constants import decode_pool, encode_pool
from .errors import FvbcError
from .opcodes import LEVEL, OPS, Instruction, decode_code, encode_code, level_of
from .values import Value
from .wire import Reader, Writer, hash_of, seal_of, unzigzag, utf8, zigzag

HEAD_BYTES = 24
LINK_BYTES = 48

BUILTIN, EXTENSION, WIDE_EXTENSION, FUNCTION = range(4)
ARGUMENTS, FIXED, UNKNOWN = range(3)

CALLS = {"CallBuiltin": BUILTIN, "Extended": EXTENSION, "ExtendedWide": WIDE_EXTENSION, "Call": FUNCTION}
"""The kind of import that each op calls; a Call may also call a sub of the chunk."""


@dataclass(frozen=True)
class Link:
    """Which text a chunk was compiled from (2.1)."""

    hash: bytes
    mtime: int
    size: int


@dataclass(frozen=True)
class Sub:
    """An entry of the sub table (2.2); `argc` is None where it is not declared."""

    name: int
    entry: int
    argc: int | None = None


@dataclass(frozen=True)
class Block:
    """An entry of the block table (2.2): `length` ops from op `start` on."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The index of the op behind the block."""
        return self.start + self.length


@dataclass(frozen=True)
class Import:
    """A row of the import table (2.4)."""

    kind: int
    id: int
    effect: int
    pops: int = 0
    pushes: int = 0
    globals: bool = False
    slots: bool = False
    frames: bool = False
    space: str = ""
    name: str = ""


@dataclass
class Body:
    """What a chunk means (2.2)."""

    height: int = 0
    constants: list[Value] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    subs: list[Sub] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    code: list[Instruction] = field(default_factory=list)

    @property
    def loose(self) -> bool:
        """Whether the chunk says of itself that it is loose."""
        return self.height == 0

    def called(self) -> Iterator[tuple[int, int]]:
        """Kind and number of what each op calls from outside of the chunk."""
        subs = {sub.name for sub in self.subs}
        for instruction in self.code:
            kind = CALLS.get(OPS[instruction[0]].name)
            if kind is None:
                continue
            number = instruction[1]
            if kind != FUNCTION or (number < len(self.names) and number not in subs):
                yield kind, number


@dataclass
class Chunk:
    """A record, read. `lines` has one line for each op, 0 where there is none."""

    space: str = ""
    name: str = ""
    key: bytes = b""
    source: str = ""
    link: Link | None = None
    body: Body = field(default_factory=Body)
    lines: list[int] = field(default_factory=list)

    @property
    def hash(self) -> bytes:
        """The chunk hash: of the body, and of nothing else (2.1)."""
        return hash_of(encode_body(self.body))


def decode_record(data: bytes) -> Chunk:
    """The chunk that a record's bytes are."""
    limits.within(len(data), limits.RECORD_BYTES, "bytes of a record")
    reader = Reader(data, "record")
    seal = reader.uint(4)
    level, flags = reader.uint(2), reader.uint(2)
    lengths = [reader.uint(2) for _ in range(4)]
    body_length, lines_length = reader.uint(4), reader.uint(4)
    link_length = LINK_BYTES if flags & 1 else 0
    if HEAD_BYTES + sum(lengths) + link_length + body_length + lines_length != len(data):
        raise FvbcError("E0114", "the lengths of the parts don't add up to the record's", part="record")
    # Where a record ends is known by its lengths alone, so they come even before the seal.
    if seal != seal_of(data[4:]):
        raise FvbcError("E0108", "the seal is not that of the bytes", part="record")
    if flags & ~1:
        raise FvbcError("E0114", f"unknown flags {flags:#06x}", part="flags")
    space, name, key, source = (reader.raw(length) for length in lengths)
    chunk = Chunk(utf8(space, "space"), utf8(name, "name"), key, utf8(source, "source"))
    try:
        if level > LEVEL:
            raise FvbcError("E0111", f"opset level {level}, known are those to {LEVEL}", part="opset_level")
        if link_length:
            chunk.link = Link(reader.raw(32), int.from_bytes(reader.raw(8), "little", signed=True), reader.uint(8))
        chunk.body = decode_body(reader.raw(body_length))
        if level != level_of(chunk.body.code):
            raise FvbcError("E0114", f"level {level}, the ops need {level_of(chunk.body.code)}", part="opset_level")
        chunk.lines = decode_lines(reader.raw(lines_length), len(chunk.body.code))
    except FvbcError as error:
        raise error.within(chunk=chunk.name) from None
    return chunk


def decode_body(data: bytes) -> Body:
    """The body that these bytes are (2.2)."""
    reader = Reader(data, "body")
    body = Body(reader.leb())
    limits.within(body.height, limits.STACK_HEIGHT + 1, "stack height")
    op_count, code_length = reader.leb(), reader.leb()
    if op_count <= code_length <= reader.left:
        limits.within(op_count, limits.OPS, "ops")
    body.constants = decode_pool(reader, _count(reader, "constants"))
    body.names = [limited_text(reader.text(), "bytes of a name") for _ in range(_count(reader, "names"))]
    body.subs = [_decode_sub(reader) for _ in range(_count(reader, "subs"))]
    body.blocks = [Block(reader.leb(), reader.leb()) for _ in range(_count(reader, "blocks"))]
    for _ in range(_count(reader, "imports")):
        row = _decode_import(reader)
        if body.imports and (row.kind, row.id) <= (body.imports[-1].kind, body.imports[-1].id):
            raise reader.fail("E0209", "the imports are not in order, or two are for the same")
        if row.kind == FUNCTION and row.id >= len(body.names):
            raise reader.fail("E0209", f"a function of name {row.id}, there are {len(body.names)}")
        body.imports.append(row)
    if code_length != reader.left:
        raise reader.fail("E0114", f"code of {code_length} bytes, {reader.left} are left")
    body.code = decode_code(reader.raw(code_length), op_count)
    return body


def limited_text(text: str, what: str) -> str:
    """The text itself, if it is no longer than a name may be."""
    limits.within(len(text.encode()), limits.NAME_BYTES, what)
    return text


def _count(reader: Reader, what: str) -> int:
    """The number of entries of a table, each of which has a byte at least."""
    count = reader.leb()
    if count > reader.left:
        raise reader.fail("E0114", f"{count} {what}, {reader.left} bytes are left")
    return limits.within(count, limits.POOL, what)


def _decode_sub(reader: Reader) -> Sub:
    name, entry, argc = reader.leb(), reader.leb(), reader.leb()
    if argc > 256:
        raise reader.fail("E0114", f"a sub of {argc - 1} arguments, at most 255")
    return Sub(name, entry, argc - 1 if argc else None)


def _decode_import(reader: Reader) -> Import:
    head = reader.u8()
    kind, effect = head & 3, head >> 2 & 3
    if effect > UNKNOWN or head & 0x80:
        raise reader.fail("E0114", f"no import begins with {head:02x}")
    identity = reader.leb()
    if identity >> 16:
        raise reader.fail("E0114", f"the import {identity} takes more than 16 bits")
    return Import(
        kind,
        identity,
        effect,
        reader.u8() if effect == FIXED else 0,
        reader.u8() if effect != UNKNOWN else 0,
        bool(head & 0x10),
        bool(head & 0x20),
        bool(head & 0x40),
        limited_text(reader.text(), "bytes of a name space"),
        limited_text(reader.text(), "bytes of a name"),
    )


def decode_lines(data: bytes, op_count: int) -> list[int]:
    """The line of each op (2.5)."""
    reader = Reader(data, "lines")
    lines: list[int] = []
    line = 0
    while reader.left:
        number = reader.leb()
        difference = unzigzag(number >> 3)
        ops = (number & 7) + 1 if number & 7 < 7 else reader.leb() + 8
        if difference == 0 and lines:
            raise reader.fail("E0114", "a run of the line of the run before")
        line += difference
        if not 0 <= line < 1 << 32:
            raise reader.fail("E0114", f"line {line} is not from 0 to {(1 << 32) - 1}")
        if ops > op_count - len(lines):
            raise reader.fail("E0114", f"the runs cover more than the {op_count} ops")
        lines += [line] * ops
    if lines and line == 0:
        raise reader.fail("E0114", "the last run's line is 0")
    return lines + [0] * (op_count - len(lines))


def encode_record(chunk: Chunk) -> bytes:
    """The bytes of a chunk's record."""
    texts = [chunk.space.encode(), chunk.name.encode(), chunk.key, chunk.source.encode()]
    for text, what in zip(texts, ("name space", "name", "key", "source name")):
        limits.within(len(text), limits.NAME_BYTES, f"bytes of a {what}")
    body, lines = encode_body(chunk.body), encode_lines(chunk.lines)
    writer = Writer()
    writer.uint(level_of(chunk.body.code), 2)
    writer.uint(0 if chunk.link is None else 1, 2)
    for text in texts:
        writer.uint(len(text), 2)
    writer.uint(len(body), 4)
    writer.uint(len(lines), 4)
    for text in texts:
        writer.raw(text)
    if chunk.link is not None:
        writer.raw(chunk.link.hash)
        writer.raw(chunk.link.mtime.to_bytes(8, "little", signed=True))
        writer.uint(chunk.link.size, 8)
    writer.raw(body)
    writer.raw(lines)
    limits.within(len(writer.data) + 4, limits.RECORD_BYTES, "bytes of a record")
    sealed = bytes(writer.data)
    return seal_of(sealed).to_bytes(4, "little") + sealed


def encode_body(body: Body) -> bytes:
    """The bytes of a body (2.2)."""
    limits.within(len(body.code), limits.OPS, "ops")
    for table in (body.constants, body.names, body.subs, body.blocks, body.imports):
        limits.within(len(table), limits.POOL, "entries of a table")
    code = encode_code(body.code)
    writer = Writer()
    writer.leb(body.height)
    writer.leb(len(body.code))
    writer.leb(len(code))
    writer.leb(len(body.constants))
    encode_pool(writer, body.constants)
    writer.leb(len(body.names))
    for name in body.names:
        writer.text(limited_text(name, "bytes of a name"))
    writer.leb(len(body.subs))
    for sub in body.subs:
        _encode_sub(writer, sub)
    writer.leb(len(body.blocks))
    for block in body.blocks:
        writer.leb(block.start)
        writer.leb(block.length)
    writer.leb(len(body.imports))
    for row in body.imports:
        _encode_import(writer, row)
    writer.raw(code)
    return bytes(writer.data)


def _encode_sub(writer: Writer, sub: Sub) -> None:
    writer.leb(sub.name)
    writer.leb(sub.entry)
    writer.leb(0 if sub.argc is None else sub.argc + 1)


def _encode_import(writer: Writer, row: Import) -> None:
    touches = row.globals << 4 | row.slots << 5 | row.frames << 6
    writer.u8(row.kind | row.effect << 2 | touches)
    writer.leb(row.id)
    if row.effect == FIXED:
        writer.u8(row.pops)
    if row.effect != UNKNOWN:
        writer.u8(row.pushes)
    writer.text(row.space)
    writer.text(row.name)


def encode_lines(lines: list[int]) -> bytes:
    """The runs of these lines, one line for each op (2.5)."""
    covered = len(lines)
    while covered and lines[covered - 1] == 0:
        covered -= 1
    writer = Writer()
    start = before = 0
    while start < covered:
        line = lines[start]
        end = start + 1
        while end < covered and lines[end] == line:
            end += 1
        ops = end - start
        writer.leb(zigzag(line - before) << 3 | (ops - 1 if ops < 8 else 7))
        if ops >= 8:
            writer.leb(ops - 8)
        start, before = end, line
    return bytes(writer.data)
