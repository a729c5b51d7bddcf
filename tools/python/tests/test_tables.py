"""Are the generated tables those of the specification, and do the table's words mean what chapter 3 says?"""

from __future__ import annotations

import unittest

from support import PACKAGE, SPEC, Case

from fvbc import opcodes, tablegen
from fvbc._optable import LEVELS


class Generated(Case):
    def test_tables_are_fresh(self) -> None:
        for name, source in tablegen.tables(SPEC).items():
            with self.subTest(name):
                found = (PACKAGE / "fvbc" / name).read_text("utf-8")
                self.assertEqual(found, source, "run `python3 -m fvbc.tablegen ../../format-spec`")

    def test_the_level_has_the_rows_it_counts(self) -> None:
        self.assertEqual(len(opcodes.OPS), max(LEVELS.values()))


class Effects(Case):
    def test_every_effect_can_be_told(self) -> None:
        for op in opcodes.OPS.values():
            if not op.declared:
                pops, pushes = opcodes.effect((op.byte, *[7] * len(op.operands)))
                self.assertGreaterEqual(pops, 0)
                self.assertLessEqual(pushes, 4)

    def test_counts_come_from_operands(self) -> None:
        byte = opcodes.BY_NAME["MakeHash"].byte
        self.assertEqual(opcodes.effect((byte, 6)), (6, 1))
        byte = opcodes.BY_NAME["Exec"].byte
        self.assertEqual(opcodes.effect((byte, 3)), (3, 1))

    def test_param_pops(self) -> None:
        found = [opcodes.param_pops(modifier) for modifier in range(19)]
        self.assertEqual(found, [2, 2, 2, 2, 1, 2, 2, 2, 2, 3, 3, 1, 1, 1, 1, 1, 1, 3, 1])


class Code(Case):
    def test_every_op_both_ways(self) -> None:
        sample = {"int": -(1 << 63), "float": 0x7FF8_0000_0000_0001, "imm": -(1 << 31), "count8": 255, "argc": 255}
        sample |= {"code": 255, "target": (1 << 64) - 1, "payload": (1 << 64) - 1}
        code = [(op.byte, *[sample.get(kind, 65_535) for _, kind in op.operands]) for op in opcodes.OPS.values()]
        self.assertEqual(opcodes.decode_code(opcodes.encode_code(code), len(code)), code)

    def test_bytes_by_hand(self) -> None:
        # load_int -3; load_float 1.0; slot_lt_int_jump_if_false 300, -1, 2
        data = bytes.fromhex("0105" + "02000000000000f03f" + "5fac020102")
        self.assertEqual(opcodes.decode_code(data, 3), [(1, -3), (2, 0x3FF0 << 48), (0x5F, 300, -1, 2)])

    def test_refusals(self) -> None:
        for data, count, code in (
            ("83", 1, "E0201"),
            ("ff", 1, "E0201"),
            ("01", 1, "E0203"),
            ("0200", 1, "E0203"),
            ("00", 2, "E0203"),
            ("03808004", 1, "E0202"),
            ("5f00ffffffff1f00", 1, "E0202"),
            ("038000", 1, "E0202"),
            ("0000", 1, "E0114"),
        ):
            with self.subTest(data), self.refused(code):
                opcodes.decode_code(bytes.fromhex(data), count)


if __name__ == "__main__":
    unittest.main()
