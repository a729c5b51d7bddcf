"""Are numbers, texts and seals what the specification's first page says?"""

from __future__ import annotations

import unittest

from support import Case

from fvbc.wire import Reader, Writer, hash_of, seal_of, unzigzag, zigzag


def read(data: str) -> Reader:
    return Reader(bytes.fromhex(data), "test")


class Numbers(Case):
    def test_leb_both_ways(self) -> None:
        for value, data in (
            (0, "00"),
            (1, "01"),
            (127, "7f"),
            (128, "8001"),
            (300, "ac02"),
            ((1 << 64) - 1, "ff" * 9 + "01"),
        ):
            writer = Writer()
            writer.leb(value)
            self.assertEqual(writer.data.hex(), data)
            self.assertEqual(read(data).leb(), value)

    def test_leb_longer_than_the_shortest(self) -> None:
        for data in ("8000", "ff00", "80" * 9 + "00"):
            with self.refused("E0114"):
                read(data).leb()

    def test_leb_of_more_than_64_bits(self) -> None:
        for data in ("ff" * 9 + "02", "ff" * 10 + "01"):
            with self.refused("E0114"):
                read(data).leb()

    def test_leb_without_its_end(self) -> None:
        with self.refused("E0114"):
            read("ff").leb()

    def test_zigzag(self) -> None:
        self.assertEqual([zigzag(value) for value in (0, -1, 1, -2)], [0, 1, 2, 3])
        for value in (-(1 << 63), (1 << 63) - 1, 12345, -12345):
            self.assertEqual(unzigzag(zigzag(value)), value)
            self.assertLess(zigzag(value), 1 << 64)


class Texts(Case):
    def test_text(self) -> None:
        self.assertEqual(read("0468c3a975").text(), "héu")
        with self.refused("E0114"):
            read("0268c3").text()
        with self.refused("E0114"):
            read("0568").text()

    def test_surrogates_are_no_utf8(self) -> None:
        with self.refused("E0114"):
            read("03eda080").text()


class Sums(Case):
    def test_the_seal_is_the_crc_of_zlib(self) -> None:
        self.assertEqual(seal_of(b"123456789"), 0xCBF43926)

    def test_the_hash_is_blake3(self) -> None:
        self.assertEqual(hash_of(b"").hex()[:16], "af1349b9f5f9a1a6")


if __name__ == "__main__":
    unittest.main()
