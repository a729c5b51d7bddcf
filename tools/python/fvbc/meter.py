"""What a run may use, and what it has used (chapter 5, section 5.14): fuel, depth, sizes of values, output.

The string form of an Array is made here too, as what it costs is defined element by element.
"""

from __future__ import annotations

from dataclasses import dataclass

from .convert import scalar_form
from .errors import FvbcError
from .values import Array, Value

ELEMENT_BYTES = 16
"""What an element of an Array counts for in its size (5.1)."""

ENTRY_BYTES = 48
"""What an entry of a Hash counts for in its size (5.1)."""

WORK_UNITS = 64
"""Units of bulk work that a unit of fuel pays for."""


@dataclass(frozen=True)
class Limits:
    """The limits of a run. The specification leaves their values to whoever runs a program; None is no limit.

    `memory` is looked at only where one op could take any amount of it; there is no account of all memory.
    """

    fuel: int | None = None
    depth: int = 1 << 16
    value: int = 1 << 26
    output: int | None = None
    memory: int = 1 << 30


class Meter:
    """The account of a run. An op's bulk work is added up and paid when the op is over."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.fuel = limits.fuel
        self._units = 0

    def _empty(self) -> FvbcError:
        self.fuel = 0
        return FvbcError("E0401", "the fuel is used up")

    def pay(self, units: int = 1) -> None:
        """Pays whole units of fuel, or traps with E0401 and none left."""
        self.settle()
        if self.fuel is not None:
            if self.fuel < units:
                raise self._empty()
            self.fuel -= units

    def work(self, units: int) -> None:
        """Does bulk work of the current op, or traps with E0401 if it can't be paid."""
        self._units += units
        if self.fuel is not None and self._units > WORK_UNITS * self.fuel + WORK_UNITS - 1:
            raise self._empty()

    def settle(self) -> None:
        """Pays for the bulk work since the last time: a unit for each 64, rounded down."""
        if self.fuel is not None:
            self.fuel -= self._units // WORK_UNITS
        self._units = 0

    def sized(self, size: int) -> None:
        """Traps with E0403 if a value of this size must not be made."""
        if size > self.limits.value:
            raise FvbcError("E0403", f"a value of {size} bytes, at most {self.limits.value}")

    def elements(self, count: int) -> None:
        """Traps with E0403 if an Array of so many elements must not be made."""
        self.sized(ELEMENT_BYTES * count)

    def fits(self, size: int) -> None:
        """Traps with E0404 if an op must not hold so many bytes in all its values together."""
        if size > self.limits.memory:
            raise FvbcError("E0404", f"{size} bytes, at most {self.limits.memory}")

    def told(self, count: int) -> None:
        """Traps if an Array of so many elements is out of reach from the start, before any of it is made.

        Where fuel leaves less room than the size of a value, it is the fuel that has run out.
        """
        if ELEMENT_BYTES * count > self.limits.value:
            if self.fuel is not None and WORK_UNITS * self.fuel + WORK_UNITS - 1 - self._units < self.limits.value:
                raise self._empty()
            self.elements(count)

    def deepened(self, depth: int) -> None:
        """Traps with E0402 if so many calls and blocks must not be active."""
        if depth > self.limits.depth:
            raise FvbcError("E0402", f"calls and blocks {depth} deep, at most {self.limits.depth}")

    def take(self, value: Value) -> bytes:
        """Takes the string form of a value: free, but for an Array."""
        return self._array_form(value, 0) if isinstance(value, Array) else scalar_form(value)

    def write(self, value: Value, held: int = 0) -> bytes:
        """Writes the string form of a value; `held` bytes count with it as one value."""
        if isinstance(value, Array):
            return self._array_form(value, held)
        form = scalar_form(value)
        self.sized(held + len(form))
        self.work(len(form))
        return form

    def _array_form(self, value: Array, held: int) -> bytes:
        """Element by element: its unit, the space before it, its bytes; sizes before units."""
        parts: list[bytes] = []
        size = held
        nests = [iter(enumerate(value.items))]
        while nests:
            place, element = next(nests[-1], (-1, None))
            if place < 0:
                nests.pop()
                continue
            self.work(1)
            nested = isinstance(element, Array)
            for part in (b" " if place else b"", b"" if nested else scalar_form(element)):
                size += len(part)
                self.sized(size)
                self.work(len(part))
                parts.append(part)
            if isinstance(element, Array):
                nests.append(iter(enumerate(element.items)))
        return b"".join(parts)
