"""Constants (chapter 2, section 2.3), decoded and encoded."""

from __future__ import annotations

from . import limits
from .errors import FvbcError
from .values import Array, Hash, NativeFn, Ref, Status, Value
from .wire import Reader, Writer, bits_of, float_of

_UNDEF, _FALSE, _TRUE, _INT, _FLOAT, _STATUS, _NATIVE_FN, _ARRAY, _HASH, _REF = range(10)


def decode_pool(reader: Reader, count: int) -> list[Value]:
    """The `count` entries of a constant pool."""
    pool: list[Value] = []
    first: dict[bytes, int] = {}
    for index in range(count):
        head = reader.leb()
        if head & 3 == 1:
            pool.append(_repeated(reader, pool, first, head >> 2))
            continue
        value = _decode(reader, head, 0)
        if isinstance(value, bytes) and first.setdefault(value, index) != index:
            raise reader.fail("E0118", f"constant {index} repeats the bytes of constant {first[value]}")
        pool.append(value)
    return pool


def _repeated(reader: Reader, pool: list[Value], first: dict[bytes, int], index: int) -> bytes:
    """The string that constant `index` is; it stands before this one and is written out there."""
    if index >= len(pool):
        raise reader.fail("E0114", f"constant {index} doesn't stand before constant {len(pool)}")
    value = pool[index]
    if not isinstance(value, bytes) or first[value] != index:
        raise reader.fail("E0114", f"constant {len(pool)} names constant {index}, which is no string of class 0")
    return value


def _decode(reader: Reader, head: int, depth: int) -> Value:
    number = head >> 2
    if head & 3 == 0:
        return reader.raw(number)
    if head & 3 != 2 or number > _REF:
        raise reader.fail("E0114", f"no constant begins with {head}")
    if number == _UNDEF:
        return None
    if number in (_FALSE, _TRUE):
        return number == _TRUE
    if number == _INT:
        return reader.sleb()
    if number == _FLOAT:
        return float_of(reader.uint(8))
    if number == _STATUS:
        return Status(_in_range(reader, reader.sleb(), -(1 << 31), (1 << 31) - 1))
    if number == _NATIVE_FN:
        return NativeFn(_in_range(reader, reader.leb(), 0, (1 << 16) - 1))
    return _decode_nest(reader, number, limits.within(depth + 1, limits.NESTING, "nesting of a constant"))


def _decode_nest(reader: Reader, number: int, depth: int) -> Value:
    """A constant that holds others; `depth` is at most 64, so recursion is bounded."""
    if number == _REF:
        return Ref(_decode(reader, reader.leb(), depth))
    count = reader.leb()
    if number == _ARRAY:
        return Array([_decode(reader, reader.leb(), depth) for _ in range(count)])
    table = Hash()
    for _ in range(count):
        key = reader.bytes()
        if key in table:
            raise reader.fail("E0114", f"two entries of a hash have the key {key!r}")
        table.set(key, _decode(reader, reader.leb(), depth))
    return table


def _in_range(reader: Reader, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise reader.fail("E0114", f"{value} is not from {least} to {most}")
    return value


def encode_pool(writer: Writer, pool: list[Value]) -> None:
    """Writes the entries of a constant pool."""
    first: dict[bytes, int] = {}
    for index, value in enumerate(pool):
        if isinstance(value, bytes) and first.setdefault(value, index) != index:
            writer.leb(first[value] << 2 | 1)
        else:
            _encode(writer, value, 0)


def alike_key(value: Value) -> bytes:
    """What two constants have in common if they are alike in kind and contents: floats by bits, hashes in order."""
    writer = Writer()
    _encode(writer, value, 0)
    return bytes(writer.data)


def _encode(writer: Writer, value: Value, depth: int) -> None:
    if isinstance(value, bytes):
        writer.leb(len(value) << 2)
        writer.raw(value)
    elif value is None:
        _encode_head(writer, _UNDEF)
    elif isinstance(value, bool):
        _encode_head(writer, _TRUE if value else _FALSE)
    elif isinstance(value, int):
        _encode_head(writer, _INT)
        writer.sleb(value)
    elif isinstance(value, float):
        _encode_head(writer, _FLOAT)
        writer.uint(bits_of(value), 8)
    elif isinstance(value, Status):
        _encode_head(writer, _STATUS)
        writer.sleb(value.code)
    elif isinstance(value, NativeFn):
        _encode_head(writer, _NATIVE_FN)
        writer.leb(value.id)
    else:
        _encode_nest(writer, value, limits.within(depth + 1, limits.NESTING, "nesting of a constant"))


def _encode_nest(writer: Writer, value: Value, depth: int) -> None:
    if isinstance(value, Ref):
        _encode_head(writer, _REF)
        _encode(writer, value.target, depth)
    elif isinstance(value, Array):
        _encode_head(writer, _ARRAY)
        writer.leb(len(value.items))
        for item in value.items:
            _encode(writer, item, depth)
    elif isinstance(value, Hash):
        _encode_head(writer, _HASH)
        writer.leb(len(value))
        for key, item in value.items():
            writer.bytes(key)
            _encode(writer, item, depth)
    else:
        raise FvbcError("E0114", f"{type(value).__name__} is no kind of value", part="constants")


def _encode_head(writer: Writer, number: int) -> None:
    writer.leb(number << 2 | 2)
