"""Values as data (chapter 5; as constants chapter 2, section 2.3).

Undef is `None`, Bool, Int and Float are Python's own, Str is `bytes`; the other kinds have a class here. Arrays and
hashes are values: whoever stores one that something else may still hold asks for a copy first (`owned`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Union


@dataclass(frozen=True)
class Status:
    """An exit status, a 32-bit number."""

    code: int


@dataclass(frozen=True)
class NativeFn:
    """The number of a builtin, 16 bits."""

    id: int


@dataclass(frozen=True, eq=False)
class Ref:
    """A reference to a value."""

    target: Value


@dataclass(eq=False)
class Array:
    """A sequence of values. `shared` is set as soon as a second holder may exist."""

    items: list[Value] = field(default_factory=list)
    shared: bool = False

    def owned(self) -> Array:
        """This array if nothing else holds it, else a copy to write to; its elements are held twice from then on."""
        return Array([share(item) for item in self.items]) if self.shared else self


class Hash:
    """Entries in order of insertion; `delete` moves the last entry into the gap."""

    def __init__(self, entries: Iterable[tuple[bytes, Value]] = ()) -> None:
        self.keys: list[bytes] = []
        self.values: list[Value] = []
        self.shared = False
        self._places: dict[bytes, int] = {}
        for key, value in entries:
            self.set(key, value)

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def items(self) -> Iterator[tuple[bytes, Value]]:
        """The entries in order."""
        return zip(self.keys, self.values)

    def get(self, key: bytes) -> Value:
        """The entry's value, Undef if there is none."""
        place = self._places.get(key)
        return None if place is None else self.values[place]

    def set(self, key: bytes, value: Value) -> None:
        """Stores an entry; one that is there keeps its place."""
        place = self._places.get(key)
        if place is None:
            self._places[key] = len(self.keys)
            self.keys.append(key)
            self.values.append(value)
        else:
            self.values[place] = value

    def delete(self, key: bytes) -> Value:
        """Removes the entry and returns its value, Undef if there is none."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        value = self.values[place]
        last_key, last_value = self.keys.pop(), self.values.pop()
        if place < len(self.keys):
            self.keys[place], self.values[place] = last_key, last_value
            self._places[last_key] = place
        return value

    def owned(self) -> Hash:
        """This hash if nothing else holds it, else a copy to write to."""
        return Hash((key, share(value)) for key, value in self.items()) if self.shared else self


Value = Union[None, bool, int, float, bytes, Array, Hash, Status, Ref, NativeFn]


def share(value: Value) -> Value:
    """Says that the value has a second holder from now on, and returns it."""
    if isinstance(value, (Array, Hash)):
        value.shared = True
    return value


def kind_of(value: Value) -> str:
    """The name of the value's kind."""
    if value is None:
        return "Undef"
    return _KINDS.get(type(value)) or type(value).__name__


_KINDS: dict[type, str | None] = {bool: "Bool", int: "Int", float: "Float", bytes: "Str"}
