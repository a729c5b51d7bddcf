"""Does only `FvbcError` come out, whatever bytes go in?

Mutants run twice: as they are, and with the seals made right.
"""

from __future__ import annotations

import random
import unittest

from support import Case, reseal_record

from fvbc.container import HEADER_BYTES, INDEX, Module, Slot, encode_header, encode_root, write_module
from fvbc.errors import FvbcError
from fvbc.opcodes import OPS
from fvbc.record import Block, Body, Chunk, Import, Link, Sub, decode_record, encode_record
from fvbc.values import Array, Hash, Ref, Status, Value
from fvbc.wire import hash_of, seal_of

SEED = 20_260_101


def sample() -> Chunk:
    """A chunk with something of everything."""
    kinds = {"int": -7, "float": 1 << 62, "imm": -9, "target": 1, "payload": 1 << 40}
    code = [(op.byte, *[kinds.get(kind, 0) for _, kind in op.operands]) for op in OPS.values()]
    pool: list[Value] = [b"abc", 1.5, Array([None, Hash([(b"k", Ref(Status(3)))])]), b"abc"]
    return Chunk(
        "space",
        "name",
        b"key",
        "source",
        Link(bytes(32), 1, 2),
        Body(0, pool, ["a", "b"], [Sub(0, 1, 2)], [Block(0, 3)], [Import(0, 1, 0, pushes=1), Import(3, 1, 1)], code),
        [number // 3 for number in range(len(code))],
    )


def mutated(rng: random.Random, data: bytes, first: int = 0) -> bytes:
    """The bytes with one to four changes: flips, extremes, pieces cut out or doubled."""
    mutant = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(first, len(mutant))
        choice = rng.randrange(5)
        if choice < 2:
            mutant[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif choice == 2:
            mutant[at : at + 9] = b"\xff" * 9
        elif choice == 3 and len(mutant) > first + 20:
            del mutant[at : at + rng.randint(1, 8)]
        else:
            mutant[at:at] = mutant[at : at + rng.randint(1, 8)]
    return bytes(mutant)


class Hostile(Case):
    def test_records(self) -> None:
        rng = random.Random(SEED)
        record = encode_record(sample())
        accepted = 0
        for round_number in range(6_000):
            mutant = reseal_record(mutated(rng, record, 4))
            if round_number % 2:
                # The record's length was changed: let the head agree, so that the body is reached.
                grown = int.from_bytes(mutant[16:20], "little") + len(mutant) - len(record)
                if 0 <= grown < 1 << 32:
                    mutant = reseal_record(mutant[:16] + grown.to_bytes(4, "little") + mutant[20:])
            try:
                chunk = decode_record(mutant)
            except FvbcError:
                continue
            accepted += 1
            self.assertEqual(encode_record(chunk), mutant, f"seed {SEED}, round {round_number}")
        self.assertGreater(accepted, 0)

    def test_files(self) -> None:
        rng = random.Random(SEED)
        data = write_module([sample(), *(Chunk(name=f"f{number}") for number in range(100))], {"k": b"v"}, "test")
        slot = Module(data).slot
        for round_number in range(1_500):
            mutant = mutated(rng, data, 0 if round_number % 2 else HEADER_BYTES)
            if not round_number % 2:
                mutant = self.resealed(mutant, slot.root_offset, slot.root_length)
            try:
                module = Module(mutant)
                module.check()
                module.chunk("f7")
            except FvbcError:
                pass

    @staticmethod
    def resealed(data: bytes, root_at: int, root_length: int) -> bytes:
        """The file with right hashes and seals of the header, the segment and the INDEX section, where it has them."""
        try:
            root = Module(data).root
        except FvbcError:
            root_bytes = bytearray(data[root_at : root_at + root_length])
        else:
            index = root.sections[INDEX]
            seal = seal_of(data[index.offset : index.offset + index.length])
            root_bytes = bytearray(encode_root(root))
            root_bytes[64:96] = hash_of(data[HEADER_BYTES:root_at])
            root_bytes[152:156] = seal.to_bytes(4, "little")
        data = data[:root_at] + bytes(root_bytes)
        slot = Slot(1, root_at, len(root_bytes), len(data), hash_of(bytes(root_bytes)))
        return encode_header("test", slot) + data[HEADER_BYTES:]


if __name__ == "__main__":
    unittest.main()
