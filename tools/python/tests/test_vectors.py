"""Are the vectors of the specification read, verified, run and written as they say?"""

from __future__ import annotations

import io
import json
import math
import unittest
from pathlib import Path
from typing import Any

from support import SPEC, Case

from fvbc.container import Module
from fvbc.errors import FvbcError
from fvbc.interpret import Outcome, run
from fvbc.meter import Limits
from fvbc.values import Array, Hash, NativeFn, Ref, Status, Value
from fvbc.verify import check_declared
from fvbc.wire import bits_of

VECTORS = SPEC / "vectors"
STDIN = b"first\n\n\xff last"
"""What the vectors of `ReadLine` read."""


def json_value(value: Value) -> Any:
    """A value in the form that the vectors have; they nest little."""
    if value is None:
        return "Undef"
    if isinstance(value, bool):
        return {"Bool": value}
    if isinstance(value, int):
        return {"Int": str(value)}
    if isinstance(value, float):
        # Which NaN an op gives is not specified.
        return {"Float": "nan" if math.isnan(value) else f"{bits_of(value):016x}"}
    if isinstance(value, bytes):
        return {"Str": value.hex()}
    if isinstance(value, Status):
        return {"Status": value.code}
    if isinstance(value, NativeFn):
        return {"NativeFn": value.id}
    if isinstance(value, Ref):
        return {"Ref": json_value(value.target)}
    if isinstance(value, Array):
        return {"Array": [json_value(item) for item in value.items]}
    assert isinstance(value, Hash)
    return {"Hash": [[key.hex(), json_value(item)] for key, item in value.items()]}


def json_end(outcome: Outcome) -> Any:
    if outcome.trap is not None:
        return {"trap": outcome.trap.code, "op": outcome.trap.op}
    return "halted" if outcome.halted else {"ok": json_value(outcome.value)}


class Valid(Case):
    maxDiff = 2000

    def test_files(self) -> None:
        for path in sorted((VECTORS / "valid").glob("*.fvbc")):
            with self.subTest(path.stem):
                self.check_file(path)

    def check_file(self, path: Path) -> None:
        module = Module.open(path)
        chunks = module.check()
        self.assertTrue(module.canonical)
        expected = json.loads(path.with_suffix(".json").read_bytes())["chunks"]
        self.assertEqual([chunk.name for chunk in chunks], list(expected))
        for chunk in chunks:
            with self.subTest(chunk.name):
                says = expected[chunk.name]
                verdict = check_declared(chunk)
                self.assertEqual(verdict.strict, says["strict"])
                self.assertEqual(verdict.height if verdict.strict else None, says["height"])
                self.assertEqual(chunk.hash.hex(), says["hash"])
                outcome, machine = run(chunk, Limits(), io.BytesIO(STDIN))
                self.assertEqual(json_end(outcome), says["end"])
                self.assertEqual(machine.output.hex(), says["output"])


class Invalid(Case):
    def test_files(self) -> None:
        expected = json.loads((VECTORS / "invalid" / "expected.json").read_bytes())
        for name, says in expected.items():
            with self.subTest(name):
                with self.assertRaises(FvbcError) as caught:
                    for chunk in Module.open(VECTORS / "invalid" / f"{name}.fvbc").check():
                        check_declared(chunk)
                error = caught.exception
                self.assertEqual({"code": error.code, "chunk": error.chunk, "op": error.op}, says, str(error))

    def test_every_file_is_expected(self) -> None:
        expected = json.loads((VECTORS / "invalid" / "expected.json").read_bytes())
        self.assertEqual({path.stem for path in (VECTORS / "invalid").glob("*.fvbc")}, set(expected))


if __name__ == "__main__":
    unittest.main()
