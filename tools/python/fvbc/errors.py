"""The one exception of this package, with the codes of chapter 7.

Whatever bytes or text come in, what comes out is a result or an `FvbcError`; any other exception is a bug here.
"""

from __future__ import annotations

from ._codetable import CODES


class FvbcError(Exception):
    """Something is wrong with a file, a text or a run: a code of chapter 7, where it is, and what was found there.

    `chunk` is the chunk's name and `op` the index of its instruction, where they are known; `part` names the field or
    the table, and `offset` counts bytes from the beginning of the part or of the module.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        part: str = "",
        offset: int | None = None,
        chunk: str | None = None,
        op: int | None = None,
    ) -> None:
        super().__init__(code, message)
        if code not in CODES:
            raise AssertionError(f"{code} is not in chapter 7")
        self.code = code
        self.message = message
        self.part = part
        self.offset = offset
        self.chunk = chunk
        self.op = op

    @property
    def name(self) -> str:
        """The code's name in chapter 7."""
        return CODES[self.code][0]

    @property
    def place(self) -> str:
        """Where it is, as far as that is known, in words."""
        words = []
        if self.chunk is not None:
            words.append(f"chunk {self.chunk!r}")
        if self.op is not None:
            words.append(f"op {self.op}")
        if self.part:
            words.append(self.part)
        if self.offset is not None:
            words.append(f"byte {self.offset}")
        return ", ".join(words)

    def within(self, *, chunk: str | None = None, part: str = "", op: int | None = None) -> FvbcError:
        """Fills in what the raiser could not know of the place, and returns the error itself."""
        if self.chunk is None:
            self.chunk = chunk
        if not self.part:
            self.part = part
        if self.op is None:
            self.op = op
        return self

    def __str__(self) -> str:
        place = self.place
        return f"{self.code} {self.name}: {self.message}" + (f" ({place})" if place else "")
