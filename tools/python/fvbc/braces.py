"""What `BraceExpand` makes of a word (chapter 5, section 5.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import FvbcError
from .wire import I64_MAX, I64_MIN

LEVELS = 32
WORD_BYTES = 1 << 20
MANY = 1 << 60
"""As good as infinite."""

_NUMBERS = re.compile(rb"([+-]?[0-9]{1,20})\.\.([+-]?[0-9]{1,20})(?:\.\.([+-]?[0-9]{1,20}))?")
_LETTERS = re.compile(rb"([A-Za-z])\.\.([A-Za-z])(?:\.\.([+-]?[0-9]{1,20}))?")


@dataclass
class _Terms:
    """The terms of a sequence: numbers of some width, or letters."""

    terms: range
    width: int = 0
    letters: bool = False

    def count(self) -> int:
        """How many terms there are; `len` can't tell of more than 2^63."""
        return abs(self.terms[-1] - self.terms.start) // abs(self.terms.step) + 1

    def words(self) -> Iterator[bytes]:
        """The terms in their form."""
        for term in self.terms:
            yield bytes([term]) if self.letters else f"{term:0{self.width}d}".encode()


@dataclass
class _Parts:
    """The parts between commas."""

    parts: list[Text]

    def count(self) -> int:
        """How many words there are; no more than `MANY` are told apart."""
        return min(MANY, sum(part.count() for part in self.parts))

    def words(self) -> Iterator[bytes]:
        """The words of one part after the other."""
        for part in self.parts:
            yield from part.words()


@dataclass
class Text:
    """Text and braces behind each other."""

    items: list[bytes | _Terms | _Parts] = field(default_factory=list)

    def add(self, text: bytes) -> None:
        """Appends text."""
        self.items.append(text)

    def count(self) -> int:
        """How many words there are; no more than `MANY` are told apart."""
        count = 1
        for item in self.items:
            if not isinstance(item, bytes):
                count = min(MANY, count * item.count())
        return count

    def words(self) -> Iterator[bytes]:
        """All combinations, the leftmost brace varying slowest; braces nest 32 deep, so recursion is bounded."""
        turning = [place for place, item in enumerate(self.items) if not isinstance(item, bytes)]
        sources: list[Iterator[bytes]] = [_words(self.items[place]) for place in turning]
        now = [item if isinstance(item, bytes) else b"" for item in self.items]
        for place, source in zip(turning, sources):
            now[place] = next(source)
        while True:
            yield b"".join(now)
            wheel = len(turning) - 1
            while wheel >= 0:
                word = next(sources[wheel], None)
                if word is not None:
                    now[turning[wheel]] = word
                    break
                # This wheel has come round: it begins anew, and the one to its left turns.
                sources[wheel] = _words(self.items[turning[wheel]])
                now[turning[wheel]] = next(sources[wheel])
                wheel -= 1
            if wheel < 0:
                return


def _words(item: bytes | _Terms | _Parts) -> Iterator[bytes]:
    return iter([item]) if isinstance(item, bytes) else item.words()


def parse(text: bytes) -> Text:
    """A word with its braces."""
    if b"{" not in text:
        return Text([text])
    if len(text) > WORD_BYTES:
        raise FvbcError("E0403", f"a word of {len(text)} bytes with a brace, at most {WORD_BYTES}")
    # The braces that are open, each with the parts before its last comma; the last of all parts is the open one.
    levels: list[list[Text]] = [[Text()]]
    at = 0
    while at < len(text):
        end = _plain(text, at)
        if end > at:
            levels[-1][-1].add(text[at:end])
        elif text[at : at + 1] == b"{":
            if len(levels) > LEVELS:
                raise FvbcError("E0403", f"braces nest more than {LEVELS} deep")
            levels.append([Text()])
            end = at + 1
        elif text[at : at + 1] == b"," and len(levels) > 1:
            levels[-1].append(Text())
            end = at + 1
        elif text[at : at + 1] == b"}" and len(levels) > 1:
            parts = levels.pop()
            _close(levels[-1][-1], parts)
            end = at + 1
        else:
            end = at + 1
            levels[-1][-1].add(text[at:end])
        at = end
    while len(levels) > 1:
        parts = levels.pop()
        levels[-1][-1].add(b"{")
        _splice(levels[-1][-1], parts)
    return levels[0][0]


def _plain(text: bytes, at: int) -> int:
    """Where the text that stays ends: bytes of no meaning, a backslash with the one behind it, or `${...}`."""
    while at < len(text):
        if text[at : at + 1] == b"\\":
            at += 2
        elif text[at : at + 2] == b"${":
            at = _parameter(text, at + 2)
        elif text[at : at + 1] in (b"{", b",", b"}"):
            break
        else:
            at += 1
    return min(at, len(text))


def _parameter(text: bytes, at: int) -> int:
    """The place behind the brace that ends a `${`; the end of the text if none does."""
    depth = 1
    while at < len(text) and depth:
        byte = text[at : at + 1]
        depth += (byte == b"{") - (byte == b"}")
        at += 2 if byte == b"\\" else 1
    return min(at, len(text))


def _close(into: Text, parts: list[Text]) -> None:
    """A brace is closed: parts, a sequence, or text with braces around it."""
    if len(parts) > 1:
        into.items.append(_Parts(parts))
        return
    items = parts[0].items
    terms = _terms(items[0]) if len(items) == 1 and isinstance(items[0], bytes) else None
    if terms is not None:
        into.items.append(terms)
        return
    into.add(b"{")
    into.items += items
    into.add(b"}")


def _splice(into: Text, parts: list[Text]) -> None:
    """A brace without an end: its parts and commas are text again."""
    for place, part in enumerate(parts):
        if place:
            into.add(b",")
        into.items += part.items


def _terms(text: bytes) -> _Terms | None:
    numbers, letters = _NUMBERS.fullmatch(text), _LETTERS.fullmatch(text)
    match = numbers or letters
    if match is None:
        return None
    first, last, by = match.groups()
    step = abs(int(by)) if by and int(by) else 1
    if letters:
        return _Terms(_range(first[0], last[0], step), letters=True)
    start, end = int(first), int(last)
    if not all(I64_MIN <= number <= I64_MAX for number in (start, end, step)):
        return None
    padded = any(len(digits) > 1 and digits.startswith(b"0") for digits in (first.lstrip(b"+-"), last.lstrip(b"+-")))
    return _Terms(_range(start, end, step), max(len(first), len(last)) if padded else 0)


def _range(start: int, end: int, step: int) -> range:
    """From one to the other, both included, up or down."""
    return range(start, end + 1, step) if start <= end else range(start, end - 1, -step)
