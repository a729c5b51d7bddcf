"""Is the text form printed and read as chapter 6 says, and as `fusevm` does?"""

from __future__ import annotations

import os
import unittest
from pathlib import Path

from compare_text import differences
from support import PACKAGE, SPEC, Case

from fvbc.assemble import assemble
from fvbc.container import Module, write_module
from fvbc.printer import print_module

TESTS = PACKAGE.parent.parent / "tests"
FUSEVM = os.environ.get("FUSEVM")
"""The program `fusevm`; `cargo run -p xtask -- ci` names it here."""


def printed(module: Module) -> str:
    return print_module(module.chunks(), module.meta())


class Texts(Case):
    """The modules that stand beside their canonical text."""

    maxDiff = 4000

    def modules(self) -> list[Path]:
        found = sorted([*SPEC.glob("vectors/text/*.fvbc"), *TESTS.glob("golden/*/*.fvbc")])
        self.assertGreaterEqual(len(found), 12)
        return found

    def test_modules_print_as_their_text(self) -> None:
        for path in self.modules():
            with self.subTest(path.stem):
                self.assertEqual(printed(Module.open(path)), path.with_suffix(".fvasm").read_text("utf-8"))

    def test_texts_assemble_to_their_module(self) -> None:
        for path in self.modules():
            with self.subTest(path.stem):
                module = Module.open(path)
                chunks, meta = assemble(path.with_suffix(".fvasm").read_bytes())
                self.assertEqual(write_module(chunks, meta, module.producer), module.data)


class RoundTrips(Case):
    def test_vectors_and_programs_come_back(self) -> None:
        for path in sorted([*SPEC.glob("vectors/valid/*.fvbc"), *TESTS.glob("programs/*.fvasm")]):
            with self.subTest(path.stem):
                if path.suffix == ".fvbc":
                    module = Module.open(path)
                else:
                    module = Module(write_module(*assemble(path.read_bytes()), "test"))
                text = printed(module)
                again = Module(write_module(*assemble(text.encode()), module.producer))
                self.assertEqual(again.data, module.data)
                self.assertEqual(printed(again), text)


@unittest.skipUnless(FUSEVM, "FUSEVM names no program to compare with")
class Agreement(Case):
    def test_fusevm_prints_and_assembles_the_same(self) -> None:
        modules = [*SPEC.glob("vectors/valid/*.fvbc"), *SPEC.glob("vectors/text/*.fvbc")]
        for path in sorted([*modules, *TESTS.glob("programs/*.fvasm"), *TESTS.glob("golden/*/*.fvbc")]):
            with self.subTest(path.stem):
                self.assertEqual(list(differences(str(FUSEVM), path)), [])


if __name__ == "__main__":
    unittest.main()
