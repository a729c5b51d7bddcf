"""Are records read as chapter 2 says, refused where it says so, and written as they were read?"""

from __future__ import annotations

import unittest

from support import Case, reseal_record

from fvbc.record import (
    ARGUMENTS,
    BUILTIN,
    FIXED,
    FUNCTION,
    UNKNOWN,
    Block,
    Body,
    Chunk,
    Import,
    Link,
    Sub,
    decode_body,
    decode_lines,
    decode_record,
    encode_body,
    encode_lines,
    encode_record,
)
from fvbc.values import Array, Hash, NativeFn, Ref, Status
from fvbc.wire import bits_of, seal_of

# height 2, one op of one byte, nothing in the tables, `load_true`
SMALLEST = "020101" + "00" * 5 + "04"


def body_of(constants: str = "00", names: str = "00", rest: str = "000000") -> bytes:
    """A body of one `nop`, with these tables."""
    return bytes.fromhex("000101" + constants + names + rest + "00")


class Bodies(Case):
    def test_the_smallest(self) -> None:
        body = decode_body(bytes.fromhex(SMALLEST))
        self.assertEqual((body.height, body.loose, body.code), (2, False, [(4,)]))
        self.assertEqual(encode_body(body).hex(), SMALLEST)

    def test_constants(self) -> None:
        data = (
            "0e"  # 14 entries
            + "0c616263"  # 0: "abc"
            + "01"  # 1: as 0
            + "02060a"  # 2 to 4: Undef, false, true
            + "0e05"  # 5: Int -3
            + "12000000000000f87f"  # 6: Float NaN
            + "1601"  # 7: Status -1
            + "1aac02"  # 8: NativeFn 300
            + "1e02"  # 9: Array of 2:
            + "02" + "0478"  # Undef, "x"
            + "2201" + "016b" + "26" + "02"  # 10: Hash of 1: "k" => Ref Undef
            + "00"  # 11: ""
            + "2d"  # 12: as 11
            + "1200000000000000" + "80"  # 13: Float -0.0
        )  # fmt: skip
        body = decode_body(body_of(constants=data))
        pool = body.constants
        self.assertEqual(pool[:6], [b"abc", b"abc", None, False, True, -3])
        self.assertEqual(bits_of(float(pool[6])), 0x7FF8 << 48)  # type: ignore[arg-type]
        self.assertEqual(pool[7:9], [Status(-1), NativeFn(300)])
        assert isinstance(pool[9], Array) and isinstance(pool[10], Hash)
        self.assertEqual(pool[9].items, [None, b"x"])
        inner = pool[10].get(b"k")
        assert isinstance(inner, Ref)
        self.assertIsNone(inner.target)
        self.assertEqual(pool[11:13], [b"", b""])
        self.assertEqual(encode_body(body), body_of(constants=data))

    def test_constants_refused(self) -> None:
        for data, code in (
            ("01" + "05", "E0114"),  # names constant 1, which is itself
            ("02" + "02" + "01", "E0114"),  # names Undef
            ("03" + "0461" + "01" + "05", "E0114"),  # names one of class 1
            ("02" + "0461" + "0461", "E0118"),  # repeats the bytes
            ("01" + "03", "E0114"),  # class 3
            ("01" + "2a", "E0114"),  # kind 10
            ("01" + "1680808080" + "10", "E0114"),  # Status of 33 bits
            ("01" + "1a808004", "E0114"),  # NativeFn of 17 bits
            ("01" + "2202" + "0002" + "0002", "E0114"),  # two empty keys
            ("02" + "0461" + "1e01" + "01", "E0114"),  # class 1 within an array
            ("01" + "1e" * 1, "E0114"),
            ("818004", "E0114"),  # 65,537 constants in no bytes
            ("818004" + "02" * 65_537, "E0113"),
        ):
            with self.subTest(data), self.refused(code):
                decode_body(body_of(constants=data))

    def test_nesting(self) -> None:
        deepest = body_of(constants="01" + "26" * 64 + "02")
        self.assertEqual(encode_body(decode_body(deepest)), deepest)
        with self.refused("E0113"):
            decode_body(body_of(constants="01" + "26" * 65 + "02"))
        with self.refused("E0113"):
            decode_body(body_of(constants="01" + "26" * 100_000 + "02"))

    def test_tables(self) -> None:
        body = Body(
            names=["f", "ü"],
            subs=[Sub(0, 0), Sub(1, 0, 0), Sub(1, 1, 255)],
            blocks=[Block(0, 1)],
            imports=[
                Import(BUILTIN, 7, ARGUMENTS, pushes=1, globals=True, space="sh", name="echo"),
                Import(BUILTIN, 300, FIXED, pops=2, pushes=1, slots=True),
                Import(FUNCTION, 1, UNKNOWN, frames=True),
            ],
            code=[(0,)],
        )
        data = encode_body(body)
        self.assertEqual(
            data.hex(),
            "000101"
            + "00"
            + "02" + "0166" + "02c3bc"
            + "03" + "000000" + "010001" + "01018002"
            + "01" + "0001"
            + "03" + "10" + "07" + "01" + "027368" + "046563686f"
            + "24" + "ac02" + "0201" + "0000"
            + "4b" + "01" + "0000"
            + "00",
        )  # fmt: skip
        self.assertEqual(decode_body(data), body)

    def test_refusals(self) -> None:
        for data, code in (
            (body_of(rest="01000081" + "02" + "0000"), "E0114"),  # 256 arguments
            (body_of(rest="0000" + "01" + "0c" + "00" + "0000"), "E0114"),  # effect 3
            (body_of(rest="0000" + "01" + "80" + "00" + "00" + "0000"), "E0114"),  # bit 7
            (bytes.fromhex(SMALLEST + "00"), "E0114"),
            (bytes.fromhex(SMALLEST)[:-1], "E0114"),
            (bytes.fromhex("020201" + "00" * 5 + "04"), "E0203"),
            (bytes.fromhex("02ffffffffffffffffff0101" + "00" * 5 + "04"), "E0203"),
            (bytes.fromhex("8180040101" + "00" * 5 + "04"), "E0113"),
            (b"", "E0114"),
        ):
            with self.subTest(data.hex()), self.refused(code):
                decode_body(data)


class Lines(Case):
    def test_both_ways(self) -> None:
        for data, lines in (
            ("", [0, 0, 0]),
            ("10", [1, 0, 0]),
            ("12", [1, 1, 1]),
            ("01" + "10", [0, 0, 1]),
            ("30" + "18", [3, 1, 0]),
            ("1700", [1] * 8),
            ("1702" + "23", [1] * 10 + [3] * 4),
            ("30" + "28" + "10", [3, 0, 1]),
        ):
            with self.subTest(data):
                self.assertEqual(encode_lines(lines).hex(), data)
                self.assertEqual(decode_lines(bytes.fromhex(data), len(lines)), lines)

    def test_refusals(self) -> None:
        for data, code in (
            ("10" + "00", "E0114"),  # a difference of 0
            ("00", "E0114"),  # the last line is 0
            ("10" + "08", "E0114"),  # likewise
            ("13", "E0114"),  # four of three ops
            ("17" + "ffffffffffffffffff01", "E0114"),
            ("08", "E0114"),  # line -1
        ):
            with self.subTest(data), self.refused(code):
                decode_lines(bytes.fromhex(data), 3)


class Records(Case):
    def setUp(self) -> None:
        self.chunk = Chunk("sp", "näme", b"\xff\x00", "src.sh", Link(b"h" * 32, -5, 99), Body(code=[(0,)]), [7])
        self.data = encode_record(self.chunk)

    def test_layout(self) -> None:
        body = encode_body(self.chunk.body)
        expected = (
            bytes.fromhex("0100" + "0100" + "0200" + "0500" + "0200" + "0600")
            + len(body).to_bytes(4, "little")
            + (1).to_bytes(4, "little")
            + "spnäme".encode()
            + b"\xff\x00src.sh"
            + b"h" * 32
            + (-5).to_bytes(8, "little", signed=True)
            + (99).to_bytes(8, "little")
            + body
            + b"\x70"
        )
        self.assertEqual(self.data, seal_of(expected).to_bytes(4, "little") + expected)
        self.assertEqual(decode_record(self.data), self.chunk)

    def test_every_flip_is_told(self) -> None:
        for at in range(len(self.data)):
            mutant = bytearray(self.data)
            mutant[at] ^= 1
            # The lengths come before the seal; they tell where the record ends.
            with self.subTest(at), self.refused("E0114" if at == 6 or 8 <= at < 24 else "E0108"):
                decode_record(bytes(mutant))

    def test_refusals(self) -> None:
        malformed = [(at, byte, "E0114") for at, byte in ((4, 2), (4, 0), (6, 3), (8, 3), (24, 255))]
        for at, byte, code in ((4, 3, "E0111"), *malformed):
            mutant = bytearray(self.data)
            mutant[at] = byte
            with self.subTest(at), self.refused(code):
                decode_record(reseal_record(bytes(mutant)))
        with self.refused("E0114"):
            decode_record(reseal_record(self.data + b"\0"))
        with self.refused("E0114"):
            decode_record(b"")

    def test_the_hash_covers_the_body_only(self) -> None:
        other = Chunk(body=self.chunk.body)
        self.assertEqual(other.hash, self.chunk.hash)
        self.assertNotEqual(Chunk(body=Body(code=[(4,)])).hash, self.chunk.hash)


if __name__ == "__main__":
    unittest.main()
