"""What of a chunk's tables its text declares ahead, and where its labels are (chapter 6, section 6.8)."""

from __future__ import annotations

from collections.abc import Iterator

from .opcodes import OPS
from .record import Block, Body


class Plan:
    """How much of each table is declared ahead, as the length of a first part; and the number of each op's label."""

    def __init__(self, body: Body, first_names: list[bool], first_constants: list[bool]) -> None:
        self.body = body
        self.subs = self._subs()
        self.blocks = self._blocks()
        self.names = _not_in_order(self._mentions("name"), first_names)
        self.constants = _not_in_order(self._mentions("const"), first_constants)
        places = {place for place in self._places() if place <= len(body.code)}
        self.labels = {place: number for number, place in enumerate(sorted(places), 1)}

    def _subs(self) -> int:
        entry = len(self.body.code)
        for index in reversed(range(len(self.body.subs))):
            if self.body.subs[index].entry > entry:
                return index + 1
            entry = self.body.subs[index].entry
        return 0

    def _blocks(self) -> int:
        # Of the blocks behind the one at hand those that lie within no other, the first on top.
        outermost: list[Block] = []
        for index in reversed(range(len(self.body.blocks))):
            block = self.body.blocks[index]
            if block.end > len(self.body.code) or (outermost and block.start > outermost[-1].start):
                return index + 1
            while outermost and outermost[-1].start < block.end:
                if outermost[-1].end > block.end:
                    return index + 1
                outermost.pop()
            outermost.append(block)
        return 0

    def _mentions(self, wanted: str) -> Iterator[int]:
        """The indices of names or constants in the order in which the text mentions them."""
        subs = self.body.subs if wanted == "name" else []
        for sub in subs[: self.subs]:
            yield sub.name
        at = self.subs
        for place in range(len(self.body.code) + 1):
            while at < len(subs) and subs[at].entry == place:
                yield subs[at].name
                at += 1
            if place < len(self.body.code):
                yield from self._operands(place, wanted)

    def _operands(self, place: int, wanted: str) -> Iterator[int]:
        instruction = self.body.code[place]
        for (_, kind), value in zip(OPS[instruction[0]].operands, instruction[1:]):
            if kind == wanted:
                yield value

    def _places(self) -> Iterator[int]:
        """The places that have a label, if they are ops or the end."""
        for place in range(len(self.body.code)):
            yield from self._operands(place, "target")
        for sub in self.body.subs[: self.subs]:
            yield sub.entry
        for block in self.body.blocks[: self.blocks]:
            yield block.start
            yield block.end


def _not_in_order(mentions: Iterator[int], firsts: list[bool]) -> int:
    """The length of the part of a table that must be declared: behind it the order is that of the first mentions."""
    order: dict[int, int] = {}
    for place, index in enumerate(mentions):
        order.setdefault(index, place)
    limit = max(order.values(), default=0) + 1
    for index in reversed(range(len(firsts))):
        if not firsts[index] or order.get(index, limit) >= limit:
            return index + 1
        limit = order[index]
    return 0
