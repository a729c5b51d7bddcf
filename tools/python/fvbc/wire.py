"""The conventions of the specification's first page: numbers, texts, seals and hashes, read and written.

`Reader` and `Writer` are twins: the same methods in the same order.
"""

from __future__ import annotations

import struct
import zlib

from blake3 import blake3

from .errors import FvbcError

U64_MAX = (1 << 64) - 1
I64_MIN = -(1 << 63)
I64_MAX = (1 << 63) - 1


def seal_of(data: bytes) -> int:
    """The CRC-32 of zlib, gzip and PNG."""
    return zlib.crc32(data) & 0xFFFFFFFF


def hash_of(data: bytes) -> bytes:
    """BLAKE3, 32 bytes."""
    return blake3(data).digest()


def zigzag(value: int) -> int:
    """0, -1, 1, -2 become 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """0, 1, 2, 3 become 0, -1, 1, -2."""
    return -((value + 1) >> 1) if value & 1 else value >> 1


def float_of(bits: int) -> float:
    """The binary64 with these 64 bits."""
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def bits_of(value: float) -> int:
    """The 64 bits of a binary64."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


class Reader:
    """A cursor that never leaves its bytes.

    `missing` and `malformed` are the codes for what is cut off and for numbers that are no numbers.
    """

    def __init__(self, data: bytes, part: str, *, missing: str = "E0114", malformed: str = "E0114") -> None:
        self.data = data
        self.pos = 0
        self.part = part
        self.missing = missing
        self.malformed = malformed

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.pos

    def fail(self, code: str, message: str) -> FvbcError:
        """An error at this place, to be raised."""
        return FvbcError(code, message, part=self.part, offset=self.pos)

    def raw(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise self.fail(self.missing, f"{count} bytes expected, {self.left} left")
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def u8(self) -> int:
        """A byte."""
        return self.raw(1)[0]

    def uint(self, size: int) -> int:
        """A little-endian number of `size` bytes."""
        return int.from_bytes(self.raw(size), "little")

    def leb(self) -> int:
        """An unsigned LEB128 number of at most 64 bits in its shortest form."""
        data, pos = self.data, self.pos
        result = shift = 0
        while True:
            if pos >= len(data):
                raise self.fail(self.missing, "a number without its end")
            byte = data[pos]
            pos += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise self.fail(self.malformed, "a number of more than 64 bits")
        if byte == 0 and shift:
            raise self.fail(self.malformed, "a number in a form longer than the shortest")
        if result > U64_MAX:
            raise self.fail(self.malformed, "a number of more than 64 bits")
        self.pos = pos
        return result

    def sleb(self) -> int:
        """A signed, zigzag-coded number."""
        return unzigzag(self.leb())

    def bytes(self) -> bytes:
        """A `leb` length and that many bytes."""
        return self.raw(self.leb())

    def text(self) -> str:
        """A `leb` length and that many bytes of UTF-8."""
        return utf8(self.bytes(), self.part)

    def end(self, what: str) -> None:
        """Nothing may be left."""
        if self.left:
            raise self.fail("E0114", f"{self.left} bytes behind the end of {what}")


class Writer:
    """Bytes being written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def raw(self, data: bytes) -> None:
        """These bytes."""
        self.data += data

    def u8(self, value: int) -> None:
        """A byte."""
        self.data.append(value)

    def uint(self, value: int, size: int) -> None:
        """A little-endian number of `size` bytes."""
        self.data += value.to_bytes(size, "little")

    def leb(self, value: int) -> None:
        """An unsigned LEB128 number in its shortest form."""
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def sleb(self, value: int) -> None:
        """A signed, zigzag-coded number."""
        self.leb(zigzag(value))

    def bytes(self, data: bytes) -> None:
        """A `leb` length and the bytes."""
        self.leb(len(data))
        self.data += data

    def text(self, text: str) -> None:
        """A `leb` length and the text's UTF-8."""
        self.bytes(text.encode())


def utf8(data: bytes, part: str) -> str:
    """The text that `data` is, or E0114."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FvbcError("E0114", "not UTF-8", part=part, offset=error.start) from None
