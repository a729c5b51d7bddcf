"""What the tests share: the package on the path, the specification's folder, and a way to expect an error's code."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
SPEC = PACKAGE.parent.parent / "format-spec"

if str(PACKAGE) not in sys.path:
    sys.path.insert(0, str(PACKAGE))

try:
    import blake3  # noqa: F401
except ImportError:
    raise unittest.SkipTest("the package `blake3` is not installed: python3 -m pip install blake3") from None

from fvbc.errors import FvbcError  # noqa: E402


class Case(unittest.TestCase):
    """A test case that can expect a code."""

    @contextmanager
    def refused(self, code: str) -> Iterator[None]:
        """The body of the `with` raises an `FvbcError` of this code."""
        with self.assertRaises(FvbcError) as caught:
            yield
        self.assertEqual(caught.exception.code, code, str(caught.exception))


def reseal_record(record: bytes) -> bytes:
    """The record with the seal that its bytes need."""
    from fvbc.wire import seal_of  # noqa: PLC0415

    return seal_of(record[4:]).to_bytes(4, "little") + record[4:]
