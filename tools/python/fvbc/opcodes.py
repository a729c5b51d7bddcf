"""The opcodes (chapter 3): the table, and instructions as bytes and back.

An instruction is a tuple of the opcode byte and its operands, all of them ints: a float operand is the 64 bits of its
binary64, so that decoding and encoding lose nothing. The table itself is generated (`_optable.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ._optable import LEVELS, ROWS
from .errors import FvbcError
from .wire import U64_MAX, Reader, Writer

Instruction = tuple[int, ...]

LEVEL = max(LEVELS)
"""The highest level of the opset that this package knows."""

_BITS = {"const": 16, "name": 16, "slot": 16, "block": 16, "count": 16, "id": 16, "target": 64, "payload": 64}
"""Operand kinds that are a `leb`, with their width."""

_SIGNED_BITS = {"int": 64, "imm": 32}
"""Operand kinds that are a `sleb`, with their width."""

_BYTES = frozenset({"count8", "argc", "code"})
"""Operand kinds that are one byte."""


@dataclass(frozen=True)
class Op:
    """A row of the table. `pops` and `pushes` are as the table has them: a number, an operand's name, or a word."""

    byte: int
    name: str
    mnemonic: str
    operands: tuple[tuple[str, str], ...]
    pops: str
    pushes: str

    @property
    def declared(self) -> bool:
        """Whether the sub called, or the import table, decides the effect."""
        return self.pops == "declared"


OPS: dict[int, Op] = {row[0]: Op(*row) for row in ROWS}
BY_NAME: dict[str, Op] = {op.name: op for op in OPS.values()}
BY_MNEMONIC: dict[str, Op] = {op.mnemonic: op for op in OPS.values()}


def param_pops(modifier: int) -> int:
    """How many values `ExpandParam` with this modifier pops."""
    if modifier <= 3 or 5 <= modifier <= 8:
        return 2
    return 3 if modifier in (9, 10, 17) else 1


def effect(instruction: Instruction) -> tuple[int, int]:
    """What an instruction pops and pushes; not for the ones whose effect is declared elsewhere."""
    op = OPS[instruction[0]]
    if op.pops.isdigit():
        pops = int(op.pops)
    elif op.pops.startswith("param_pops"):
        pops = param_pops(instruction[1])
    else:
        # The count of values stands in the operand that the table names.
        pops = instruction[1 + [name for name, _ in op.operands].index(op.pops)]
    return pops, int(op.pushes)


def level_of(code: list[Instruction]) -> int:
    """The lowest level of the opset that has all of these ops; the first level if there are none."""
    highest = max((instruction[0] for instruction in code), default=0)
    return min(level for level, count in LEVELS.items() if highest < count)


def decode_code(data: bytes, count: int) -> list[Instruction]:
    """The `count` instructions that `data` is; raises E0201 to E0203 with the op's index."""
    reader = Reader(data, "code", missing="E0203", malformed="E0202")
    code: list[Instruction] = []
    try:
        for _ in range(count):
            code.append(_decode(reader))
    except FvbcError as error:
        raise error.within(op=len(code)) from None
    reader.end("the code")
    return code


def _decode(reader: Reader) -> Instruction:
    start = reader.pos
    op = OPS.get(reader.u8())
    if op is None:
        raise FvbcError("E0201", f"no op of byte {reader.data[start]:02x}", part="code", offset=start)
    return (op.byte, *[_decode_operand(reader, name, kind) for name, kind in op.operands])


def _decode_operand(reader: Reader, name: str, kind: str) -> int:
    if kind in _BITS:
        value = reader.leb()
        if value >> _BITS[kind]:
            raise reader.fail("E0202", f"operand {name} is {value}, which takes more than {_BITS[kind]} bits")
        return value
    if kind in _SIGNED_BITS:
        value = reader.sleb()
        bits = _SIGNED_BITS[kind]
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise reader.fail("E0202", f"operand {name} is {value}, which takes more than {bits} bits")
        return value
    return reader.u8() if kind in _BYTES else reader.uint(8)


def encode_code(code: list[Instruction]) -> bytes:
    """The bytes of these instructions."""
    writer = Writer()
    for instruction in code:
        _encode(writer, instruction)
    return bytes(writer.data)


def _encode(writer: Writer, instruction: Instruction) -> None:
    op = OPS[instruction[0]]
    writer.u8(op.byte)
    for (_, kind), value in zip(op.operands, instruction[1:]):
        _encode_operand(writer, kind, value)


def _encode_operand(writer: Writer, kind: str, value: int) -> None:
    if kind in _BITS:
        writer.leb(value)
    elif kind in _SIGNED_BITS:
        writer.sleb(value)
    elif kind in _BYTES:
        writer.u8(value)
    else:
        writer.uint(value & U64_MAX, 8)
