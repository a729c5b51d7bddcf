"""Is a file opened, searched, checked and written as chapter 1 says?"""

from __future__ import annotations

import unittest
from dataclasses import replace

from support import Case

from fvbc import index
from fvbc.container import (
    HEADER_BYTES,
    INDEX,
    META,
    Module,
    Root,
    Section,
    Slot,
    encode_header,
    encode_meta,
    encode_root,
    write_module,
)
from fvbc.errors import FvbcError
from fvbc.record import Body, Chunk, encode_record
from fvbc.wire import hash_of, seal_of


def chunks(count: int) -> list[Chunk]:
    return [Chunk(name=f"f{number}", body=Body(height=2, code=[(1, number)])) for number in range(count)]


def resealed(data: bytes, root_at: int) -> bytes:
    """A file of one segment whose root was changed: new root hash, new slot."""
    root = data[root_at:]
    return encode_header("test", Slot(1, root_at, len(root), len(data), hash_of(root))) + data[HEADER_BYTES:]


def appended(first: bytes, added: list[Chunk], number: int = 1) -> bytes:
    """The file with a second segment, which holds these chunks beside those of the first."""
    old = Module(first)
    data = bytearray(first)
    entries = old.entries()
    for chunk in added:
        record = encode_record(chunk)
        key = index.name_key(chunk.space, chunk.name)
        entries.append(index.Entry(key, len(data), len(record), len(chunk.body.code)))
        data += record
    nodes, node = index.encode(entries, len(data))
    data += nodes
    sections = {INDEX: Section(INDEX, 0, len(data), len(node), seal_of(node))}
    data += node
    start = len(first)
    root = Root(
        number,
        start,
        old.slot.root_offset,
        old.slot.root_length,
        1,
        len(entries),
        sum(entry.op_count for entry in entries),
        hash_of(bytes(data[start:])),
        old.root_hash,
        sections,
    )
    encoded = encode_root(root)
    slot = Slot(2, len(data), len(encoded), len(data) + len(encoded), hash_of(encoded))
    data += encoded
    data[:HEADER_BYTES] = encode_header("test", old.slot, slot)
    return bytes(data)


class Opening(Case):
    def setUp(self) -> None:
        self.data = write_module(chunks(3), {"k": b"v"}, "test")

    def test_the_empty_module(self) -> None:
        data = write_module([], {}, "")
        # header, a leaf of no entries, a root of one section
        self.assertEqual(len(data), 256 + 8 + 128 + 32)
        self.assertEqual(data[:16].hex(), "89465642430d0a1a" + "0100" + "0000" + "00010000")
        self.assertEqual(Module(data).check(), [])

    def test_what_was_written_is_read(self) -> None:
        module = Module(self.data)
        self.assertEqual(module.producer, "test")
        self.assertEqual(module.meta(), {"k": b"v"})
        self.assertEqual([chunk.name for chunk in module.check()], ["f0", "f1", "f2"])
        self.assertTrue(module.canonical)
        self.assertEqual(module.chunk("f1").body.code, [(1, 1)])
        with self.refused("E0116"):
            module.chunk("f3")
        with self.refused("E0116"):
            module.chunk("f1", "other")

    def test_within_another_file(self) -> None:
        self.assertEqual(len(Module(b"#!/bin/sh\n" + self.data + b"rest", 10).check()), 3)

    def test_header(self) -> None:
        for at, code in ((0, "E0102"), (8, "E0103"), (12, "E0105"), (16, "E0105"), (70, "E0105"), (230, "E0114")):
            mutant = bytearray(self.data)
            mutant[at] ^= 0x40
            with self.subTest(at), self.refused(code):
                Module(bytes(mutant))
        for length, code in ((0, "E0102"), (7, "E0104"), (8, "E0104"), (255, "E0104"), (len(self.data) - 1, "E0104")):
            with self.subTest(length), self.refused(code):
                Module(self.data[:length])

    def test_a_later_minor_version_is_accepted(self) -> None:
        data = bytearray(self.data)
        data[10] = 9
        slot = Module(self.data).slot
        data[140:144] = seal_of(bytes(data[:140])).to_bytes(4, "little")
        self.assertEqual(Module(bytes(data)).slot, slot)

    def test_root(self) -> None:
        module = Module(self.data)
        at = module.slot.root_offset
        mutant = bytearray(self.data)
        mutant[-1] ^= 1
        with self.refused("E0106"):
            Module(bytes(mutant))
        unknown = Section(77, 0, 300, 1, 0)
        for root, code in (
            (replace(module.root, sections={META: module.root.sections[META]}), "E0114"),
            (replace(module.root, sections={**module.root.sections, 77: unknown}), "E0110"),
            (replace(module.root, sections={1: replace(module.root.sections[1], offset=at)}), "E0114"),
            (replace(module.root, sections={1: replace(module.root.sections[1], offset=(1 << 64) - 1)}), "E0114"),
            (replace(module.root, chunk_count=1 << 25), "E0113"),
            (replace(module.root, sections={1: replace(module.root.sections[1], flags=2)}), "E0114"),
        ):
            with self.subTest(root), self.refused(code):
                Module(resealed(self.data[:at] + encode_root(root), at))
        ancillary = replace(module.root, sections={**module.root.sections, 77: replace(unknown, flags=1)})
        changed = Module(resealed(self.data[:at] + encode_root(ancillary), at))
        self.assertEqual(changed.chunk("f1").name, "f1")
        with self.refused("E0109"):
            changed.check()

    def test_a_full_check_reads_every_byte(self) -> None:
        for at in range(HEADER_BYTES, len(self.data)):
            mutant = bytearray(self.data)
            mutant[at] ^= 1
            with self.subTest(at), self.assertRaises(FvbcError):
                Module(bytes(mutant)).check()

    def test_counts(self) -> None:
        module = Module(self.data)
        at = module.slot.root_offset
        for root in (replace(module.root, chunk_count=2), replace(module.root, chunk_count=4)):
            with self.refused("E0114"):
                Module(resealed(self.data[:at] + encode_root(root), at)).check()
        with self.refused("E0114"):
            root = replace(module.root, op_count=2)
            Module(resealed(self.data[:at] + encode_root(root), at)).check()
        with self.refused("E0114"):
            root = replace(module.root, opset_level=2)
            Module(resealed(self.data[:at] + encode_root(root), at)).check()
        with self.refused("E0112"):
            root = replace(module.root, segment_hash=bytes(32))
            Module(resealed(self.data[:at] + encode_root(root), at)).check()

    def test_names(self) -> None:
        with self.refused("E0117"):
            write_module(chunks(1) * 2, {}, "")
        write_module([Chunk("a", "x"), Chunk("b", "x")], {}, "")
        with self.refused("E0113"):
            write_module([Chunk("a", "x" * 65_536)], {}, "")
        with self.refused("E0113"):
            write_module([], {}, "x" * 49)


class Metadata(Case):
    def test_keys_are_sorted_and_differ(self) -> None:
        self.assertEqual(encode_meta({"b": b"2", "a": b"1"}).hex(), "02" + "0161" + "0131" + "0162" + "0132")
        good = write_module([], {"a": b"1", "b": b"2"}, "test")
        module = Module(good)
        meta = module.root.sections[META]
        for changed in ("02" + "0162" + "0131" + "0161" + "0132", "02" + "0161" + "0131" + "0161" + "0132"):
            data = bytearray(good)
            data[meta.offset : meta.offset + meta.length] = bytes.fromhex(changed)
            sections = {**module.root.sections, META: replace(meta, seal=seal_of(bytes.fromhex(changed)))}
            at = module.slot.root_offset
            data[at:] = encode_root(replace(module.root, sections=sections))
            with self.refused("E0114"):
                Module(resealed(bytes(data), at)).meta()


class Segments(Case):
    def setUp(self) -> None:
        self.first = write_module(chunks(3), {}, "test")
        self.data = appended(self.first, [Chunk(name="new", body=Body(code=[(0,)]))])

    def test_the_newest_root_counts(self) -> None:
        module = Module(self.data)
        self.assertEqual([chunk.name for chunk in module.check()], ["f0", "f1", "f2", "new"])
        self.assertFalse(module.canonical)

    def test_a_crash_leaves_the_old(self) -> None:
        torn = self.data[:144] + bytes(80) + self.data[224:]
        self.assertEqual(len(Module(torn).check()), 3)
        half = self.data[:150] + b"\xee" + self.data[151:]
        self.assertEqual(len(Module(half).check()), 3)

    def test_the_chain_is_checked(self) -> None:
        old = bytearray(self.data)
        old[Module(self.first).slot.root_offset + 48] ^= 1
        self.assertEqual(len(Module(bytes(old)).chunk("f1").body.code), 1)
        with self.refused("E0106"):
            Module(bytes(old)).check()
        with self.refused("E0114"):
            Module(appended(self.first, [], number=5)).check()


class Index(Case):
    def test_name_key(self) -> None:
        # the hash of 02 00 's' 'p' 'n'
        self.assertEqual(index.name_key("sp", "n"), int.from_bytes(hash_of(b"\x02\x00spn")[:8], "big"))

    def test_shape(self) -> None:
        entries = [index.Entry(number << 58 | low, 256, 1, 1) for number in range(2) for low in range(64)]
        nodes, root = index.encode(entries, 1000)
        self.assertEqual((len(nodes), len(root)), (2 * (8 + 64 * 24), 8 + 64 * 16))
        self.assertEqual(root[:24].hex(), "0100020000000000" + "e803000000000000" + "08060000" + root[20:24].hex())
        data = bytes(1000) + nodes

        def fetch(offset: int, length: int, what: str) -> bytes:
            return data[offset : offset + length]

        self.assertEqual(list(index.walk(fetch, root, 128)), entries)
        self.assertEqual(index.find(fetch, root, 1 << 58 | 5), [entries[69]])
        self.assertEqual(index.find(fetch, root, 9 << 58), [])

    def test_a_leaf_of_64(self) -> None:
        entries = [index.Entry(number, 256, 1, 1) for number in range(64)]
        nodes, root = index.encode(entries[::-1], 0)
        self.assertEqual((nodes, index.decode_node(root).entries), (b"", entries))

    def test_too_many_alike(self) -> None:
        with self.refused("E0113"):
            index.encode([index.Entry(5, 256 + number, 1, 1) for number in range(65)], 0)

    def test_a_branch_that_is_its_own_child(self) -> None:
        branch = bytes([1, 0, 64, 0]) + bytes(4)
        loop = branch + (b"\0\1\0\0\0\0\0\0" + len(branch + bytes(1024)).to_bytes(4, "little") + bytes(4)) * 64

        def fetch(offset: int, length: int, what: str) -> bytes:
            return loop

        with self.refused("E0107"):
            list(index.walk(fetch, loop, 10))


if __name__ == "__main__":
    unittest.main()
