"""The file (chapter 1): header, slots, roots, sections; read, checked whole, and written in canonical form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import index, limits
from .errors import FvbcError
from .opcodes import level_of
from .record import Chunk, decode_record, encode_record, limited_text
from .wire import Reader, Writer, hash_of, seal_of

MAGIC = b"\x89FVBC\r\n\x1a"
ROOT_MAGIC = b"fvbcroot"
HEADER_BYTES = 256
SLOT_BYTES = 80
SLOT_OFFSETS = (64, 144)
ROOT_BYTES = 128
SECTION_BYTES = 32
ANCILLARY = 1
INDEX, META = 1, 2


@dataclass(frozen=True)
class Slot:
    """A header slot (1.2)."""

    generation: int
    root_offset: int
    root_length: int
    file_length: int
    root_hash: bytes


@dataclass(frozen=True)
class Section:
    """A row of a root's section table (1.3)."""

    id: int
    flags: int
    offset: int
    length: int
    seal: int


@dataclass(frozen=True)
class Root:
    """A root record (1.3)."""

    segment_number: int
    segment_offset: int
    previous_offset: int
    previous_length: int
    opset_level: int
    chunk_count: int
    op_count: int
    segment_hash: bytes
    previous_hash: bytes
    sections: dict[int, Section] = field(default_factory=dict)


def decode_slot(header: bytes, offset: int) -> Slot | None:
    """The slot at this offset of the header, None if it is not intact."""
    data = header[offset : offset + SLOT_BYTES]
    reader = Reader(data, "slot")
    generation, root_offset, root_length = reader.uint(8), reader.uint(8), reader.uint(4)
    zero = reader.uint(4)
    file_length, root_hash = reader.uint(8), reader.raw(32)
    zero |= reader.uint(4) | reader.uint(8)
    seal = reader.uint(4)
    if generation == 0 or zero or root_offset + root_length != file_length:
        return None
    if seal != seal_of(header[:64] + data[:76]):
        return None
    return Slot(generation, root_offset, root_length, file_length, root_hash)


def encode_slot(header: bytes, slot: Slot) -> bytes:
    """The 80 bytes of a slot, sealed with the first 64 bytes of the header."""
    writer = Writer()
    writer.uint(slot.generation, 8)
    writer.uint(slot.root_offset, 8)
    writer.uint(slot.root_length, 4)
    writer.uint(0, 4)
    writer.uint(slot.file_length, 8)
    writer.raw(slot.root_hash)
    writer.uint(0, 12)
    writer.uint(seal_of(header[:64] + bytes(writer.data)), 4)
    return bytes(writer.data)


def decode_root(data: bytes) -> Root:
    """The root record that these bytes are, whose hash was compared."""
    reader = Reader(data, "root")
    if reader.raw(8) != ROOT_MAGIC:
        raise FvbcError("E0114", "no root record begins so", part="root")
    segment_number = limits.within(reader.uint(4), limits.SEGMENTS - 1, "segment number")
    section_count = reader.uint(4)
    if section_count > limits.SECTIONS:
        raise FvbcError("E0114", f"{section_count} sections", part="root")
    segment_offset, previous_offset, previous_length = reader.uint(8), reader.uint(8), reader.uint(4)
    level, zero = reader.uint(2), reader.uint(2)
    chunk_count = limits.within(reader.uint(8), limits.CHUNKS, "chunks of a module")
    op_count, zero_too = reader.uint(8), reader.uint(8)
    if zero or zero_too:
        raise FvbcError("E0114", "a zero field is not zero", part="root")
    root = Root(
        segment_number,
        segment_offset,
        previous_offset,
        previous_length,
        level,
        chunk_count,
        op_count,
        reader.raw(32),
        reader.raw(32),
    )
    for _ in range(section_count):
        section = _decode_section(reader)
        if root.sections and section.id <= max(root.sections):
            raise FvbcError("E0114", "the sections are not sorted", part="root")
        root.sections[section.id] = section
    reader.end("the root record")
    return root


def _decode_section(reader: Reader) -> Section:
    section = Section(reader.uint(4), reader.uint(4), reader.uint(8), reader.uint(8), reader.uint(4))
    if reader.uint(4) or section.flags & ~ANCILLARY:
        raise FvbcError("E0114", f"a zero field of section {section.id} is not zero", part="root")
    if section.id in (INDEX, META):
        if section.flags:
            raise FvbcError("E0114", f"section {section.id} has flags", part="root")
    elif not section.flags & ANCILLARY:
        raise FvbcError("E0110", f"section {section.id} is not known and not ancillary", part="root")
    return section


def encode_root(root: Root) -> bytes:
    """The bytes of a root record."""
    writer = Writer()
    writer.raw(ROOT_MAGIC)
    writer.uint(root.segment_number, 4)
    writer.uint(len(root.sections), 4)
    writer.uint(root.segment_offset, 8)
    writer.uint(root.previous_offset, 8)
    writer.uint(root.previous_length, 4)
    writer.uint(root.opset_level, 2)
    writer.uint(0, 2)
    writer.uint(root.chunk_count, 8)
    writer.uint(root.op_count, 8)
    writer.uint(0, 8)
    writer.raw(root.segment_hash)
    writer.raw(root.previous_hash)
    for _, section in sorted(root.sections.items()):
        writer.uint(section.id, 4)
        writer.uint(section.flags, 4)
        writer.uint(section.offset, 8)
        writer.uint(section.length, 8)
        writer.uint(section.seal, 4)
        writer.uint(0, 4)
    return bytes(writer.data)


class Module:
    """A module's bytes, opened: header and newest root are checked, all else is when it is used."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        """Opens the module that begins at this offset of the bytes."""
        # What lies before a module in another file is none of its business: offsets count from its header.
        data = data[offset:] if offset else data
        if data[:8] != MAGIC[: len(data)] or not data:
            raise FvbcError("E0102", "the magic is missing", part="header")
        if len(data) >= 10 and data[8:10] != b"\x01\x00":
            raise FvbcError("E0103", f"format {int.from_bytes(data[8:10], 'little')}", part="header")
        if len(data) < HEADER_BYTES:
            raise FvbcError("E0104", f"a header of {len(data)} bytes", part="header")
        header = data[:HEADER_BYTES]
        slots = [slot for slot in (decode_slot(header, at) for at in SLOT_OFFSETS) if slot is not None]
        if not slots:
            raise FvbcError("E0105", "no slot is intact", part="header")
        self.slot = max(slots, key=lambda slot: slot.generation)
        if sum(slot.generation == self.slot.generation for slot in slots) > 1:
            raise FvbcError("E0114", "two slots have one generation", part="header")
        self.producer = _decode_header(header)
        if self.slot.file_length > len(data):
            raise FvbcError("E0104", f"{self.slot.file_length} bytes expected, {len(data)} are there", part="file")
        limits.within(self.slot.file_length, limits.FILE_BYTES, "bytes of a file")
        self.data = data[: self.slot.file_length]
        if self.slot.root_offset < HEADER_BYTES:
            raise FvbcError("E0114", "the root record overlaps the header", part="slot")
        root_bytes = self.data[self.slot.root_offset :]
        if hash_of(root_bytes) != self.slot.root_hash:
            raise FvbcError("E0106", "the root's hash is another", part="root", offset=self.slot.root_offset)
        self.root = decode_root(root_bytes)
        for section in self.root.sections.values():
            self.fetch(section.offset, section.length, f"section {section.id}", "E0114")
        if INDEX not in self.root.sections:
            raise FvbcError("E0114", "there is no INDEX section", part="root")

    @classmethod
    def open(cls, path: str | Path, offset: int = 0) -> Module:
        """Opens the module in a file, from this offset on."""
        try:
            return cls(Path(path).read_bytes(), offset)
        except OSError as error:
            raise FvbcError("E0101", f"{path}: {error.strerror}") from None

    @property
    def root_hash(self) -> bytes:
        """What covers the whole module (1.3)."""
        return self.slot.root_hash

    def fetch(self, offset: int, length: int, what: str, outside: str = "E0107") -> bytes:
        """The bytes of something that the newest root reaches: it lies between the header and that root.

        `outside` is the code if it doesn't; unless said otherwise, an index node led to it.
        """
        if offset < HEADER_BYTES or length > self.slot.root_offset or offset > self.slot.root_offset - length:
            raise FvbcError(outside, f"{what} lies outside of the module", offset=offset)
        return self.data[offset : offset + length]

    def _section(self, number: int) -> bytes:
        section = self.root.sections[number]
        data = self.fetch(section.offset, section.length, f"section {number}", "E0114")
        if seal_of(data) != section.seal:
            raise FvbcError("E0109", "the seal is not that of the bytes", part=f"section {number}")
        return data

    def meta(self) -> dict[str, bytes]:
        """The metadata."""
        if META not in self.root.sections:
            return {}
        limits.within(self.root.sections[META].length, limits.META_BYTES, "bytes of META")
        reader = Reader(self._section(META), "META")
        entries: dict[str, bytes] = {}
        before: str | None = None
        for _ in range(reader.leb()):
            key = limited_text(reader.text(), "bytes of a key")
            if before is not None and key <= before:
                raise FvbcError("E0114", "the keys are not sorted", part="META")
            entries[key] = reader.bytes()
            before = key
        reader.end("META")
        return entries

    def record(self, entry: index.Entry) -> Chunk:
        """The chunk of an index entry, which has to agree with the record."""
        data = self.fetch(entry.offset, entry.length, "a record")
        try:
            chunk = decode_record(data)
        except FvbcError as error:
            raise error.within(part=f"record at {entry.offset}") from None
        if len(chunk.body.code) != entry.op_count:
            raise FvbcError("E0107", "the index tells another number of ops", chunk=chunk.name, part="index")
        return chunk

    def chunk(self, name: str, space: str = "") -> Chunk:
        """The chunk of that name; the index leads to it, and the record's own name decides."""
        key = index.name_key(space, name)
        for entry in index.find(self.fetch, self._section(INDEX), key):
            chunk = self.record(entry)
            if (chunk.space, chunk.name) == (space, name):
                return chunk
        raise FvbcError("E0116", f"no chunk {name!r} in the name space {space!r}")

    def entries(self) -> list[index.Entry]:
        """The index entries in the module's order."""
        walked = index.walk(self.fetch, self._section(INDEX), self.root.chunk_count)
        return sorted(walked, key=lambda entry: entry.offset)

    def chunks(self) -> Iterator[Chunk]:
        """The chunks in the module's order."""
        for entry in self.entries():
            yield self.record(entry)

    def check(self) -> list[Chunk]:
        """Checks the whole file but for what chapter 4 says of code, and returns the chunks in order."""
        self.meta()
        for number in self.root.sections:
            self._section(number)
        chunks = []
        seen: set[tuple[str, str]] = set()
        for entry in self.entries():
            chunk = self.record(entry)
            if (chunk.space, chunk.name) in seen:
                raise FvbcError("E0117", "another chunk has its name", chunk=chunk.name)
            if index.name_key(chunk.space, chunk.name) != entry.name_key:
                raise FvbcError("E0107", "the index has another name key", chunk=chunk.name, part="index")
            seen.add((chunk.space, chunk.name))
            chunks.append(chunk)
        if sum(len(chunk.body.code) for chunk in chunks) != self.root.op_count:
            raise FvbcError("E0114", "the number of ops is not that of the records", part="root")
        if max((level_of(chunk.body.code) for chunk in chunks), default=1) != self.root.opset_level:
            raise FvbcError("E0114", "the opset level is not that of the records", part="root")
        # Last, as it can't tell what is damaged.
        self._check_segments()
        return chunks

    def _check_segments(self) -> None:
        """Follows the roots to the first one; each segment begins where the one before ended."""
        root, offset = self.root, self.slot.root_offset
        while True:
            if not HEADER_BYTES <= root.segment_offset <= offset:
                raise FvbcError("E0114", "a segment begins outside of the module", part="root", offset=offset)
            if hash_of(self.data[root.segment_offset : offset]) != root.segment_hash:
                raise FvbcError("E0112", "a segment's hash is another", part="segment", offset=root.segment_offset)
            previous, length = root.previous_offset, root.previous_length
            if root.segment_number == 0:
                if previous or length or any(root.previous_hash) or root.segment_offset != HEADER_BYTES:
                    raise FvbcError("E0114", "the first segment has one before it", part="root", offset=offset)
                return
            if previous < HEADER_BYTES or previous >= offset or previous + length != root.segment_offset:
                raise FvbcError("E0114", "the previous root doesn't end the segment before", part="root", offset=offset)
            data = self.data[previous : previous + length]
            if hash_of(data) != root.previous_hash:
                raise FvbcError("E0106", "a previous root's hash is another", part="root", offset=previous)
            number = root.segment_number
            root, offset = decode_root(data), previous
            if root.segment_number != number - 1:
                raise FvbcError("E0114", "the segments are not numbered in order", part="root", offset=offset)

    @property
    def canonical(self) -> bool:
        """Whether the bytes are those that section 1.5 asks for."""
        return write_module(self.chunks(), self.meta(), self.producer) == self.data


def _decode_header(header: bytes) -> str:
    """Checks what the header has beside magic, major version and slots; returns the producer."""
    if int.from_bytes(header[12:16], "little") != HEADER_BYTES:
        raise FvbcError("E0114", "another header length than 256", part="header")
    if any(header[224:]):
        raise FvbcError("E0114", "a zero field is not zero", part="header")
    producer = header[16:64].rstrip(b"\0")
    if b"\0" in producer:
        raise FvbcError("E0114", "the producer has a zero within", part="header")
    try:
        return producer.decode()
    except UnicodeDecodeError:
        raise FvbcError("E0114", "the producer is not UTF-8", part="header") from None


def write_module(chunks: Iterable[Chunk], meta: dict[str, bytes], producer: str) -> bytes:
    """The canonical file with these chunks in this order (1.5)."""
    data = bytearray(HEADER_BYTES)
    entries: list[index.Entry] = []
    names: set[tuple[str, str]] = set()
    level = 1
    for chunk in chunks:
        if (chunk.space, chunk.name) in names:
            raise FvbcError("E0117", "another chunk has its name", chunk=chunk.name)
        names.add((chunk.space, chunk.name))
        level = max(level, level_of(chunk.body.code))
        record, key = encode_record(chunk), index.name_key(chunk.space, chunk.name)
        entries.append(index.Entry(key, len(data), len(record), len(chunk.body.code)))
        data += record
    limits.within(len(entries), limits.CHUNKS, "chunks of a module")
    sections: dict[int, Section] = {}
    if meta:
        encoded = encode_meta(meta)
        sections[META] = Section(META, 0, len(data), len(encoded), seal_of(encoded))
        data += encoded
    nodes, root_node = index.encode(entries, len(data))
    data += nodes
    sections[INDEX] = Section(INDEX, 0, len(data), len(root_node), seal_of(root_node))
    data += root_node
    op_count = sum(entry.op_count for entry in entries)
    segment_hash = hash_of(bytes(data[HEADER_BYTES:]))
    root = encode_root(Root(0, HEADER_BYTES, 0, 0, level, len(entries), op_count, segment_hash, bytes(32), sections))
    slot = Slot(1, len(data), len(root), len(data) + len(root), hash_of(root))
    data += root
    data[:HEADER_BYTES] = encode_header(producer, slot)
    return bytes(data)


def encode_header(producer: str, slot: Slot, other: Slot | None = None) -> bytes:
    """The header with these slots; the second one is empty if there is none."""
    encoded = producer.encode()
    limits.within(len(encoded), 48, "bytes of the producer")
    start = MAGIC + bytes([1, 0, 0, 0]) + HEADER_BYTES.to_bytes(4, "little") + encoded.ljust(48, b"\0")
    second = bytes(SLOT_BYTES) if other is None else encode_slot(start, other)
    return start + encode_slot(start, slot) + second + bytes(32)


def encode_meta(meta: dict[str, bytes]) -> bytes:
    """The bytes of a META section."""
    writer = Writer()
    writer.leb(len(meta))
    for key in sorted(meta):
        writer.text(limited_text(key, "bytes of a key"))
        writer.bytes(meta[key])
    limits.within(len(writer.data), limits.META_BYTES, "bytes of META")
    return bytes(writer.data)
