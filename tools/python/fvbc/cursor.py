"""A line's tokens, taken one after the other, and the constants among them (chapter 6, sections 6.1 and 6.4)."""

from __future__ import annotations

from . import limits
from .errors import FvbcError
from .lexer import Token, is_nan, signed
from .text import QUIET_NAN
from .values import Array, Hash, NativeFn, Ref, Status, Value
from .wire import bits_of, float_of

CONSTANT_WORDS = frozenset({"undef", "true", "false", "inf", "nan", "status", "builtin", "ref"})
"""The words that begin a constant and so can't name one."""


class Cursor:
    """What is left of a line."""

    def __init__(self, line: list[Token]) -> None:
        self.tokens = line
        self.at = 0

    def peek(self, ahead: int = 0) -> Token | None:
        """The next token, or one further ahead; None behind the last."""
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def next(self, what: str) -> Token:
        """Takes the next token; `what` says what is missing if there is none."""
        token = self.peek()
        if token is None:
            raise FvbcError("E0307", f"{what} is missing")
        self.at += 1
        return token

    def takes(self, text: str) -> bool:
        """Takes the next token if it is this word or mark."""
        token = self.peek()
        if token is None or token.kind not in ("word", "mark") or token.text != text:
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        """Takes this word or mark, which has to come next."""
        token = self.peek()
        if not self.takes(text):
            code = "E0307" if token is None else "E0309"
            raise FvbcError(code, f"`{text}` is missing")

    def end(self) -> None:
        """Nothing may be left."""
        token = self.peek()
        if token is not None:
            raise FvbcError("E0308", f"{token.text[:30]!r} is too much")

    def word(self, what: str) -> str:
        """A word."""
        token = self.next(what)
        if token.kind != "word":
            raise FvbcError("E0309", f"{token.text[:30]!r} is no {what}")
        return token.text

    def bytes(self, what: str) -> bytes:
        """Bytes: a word or a string."""
        token = self.next(what)
        if token.kind not in ("word", "string"):
            raise FvbcError("E0309", f"{token.text[:30]!r} is no {what}")
        return token.data if token.kind == "string" else token.text.encode()

    def name(self, what: str) -> str:
        """A name: a word or a string of UTF-8, no longer than a name may be."""
        data = self.bytes(what)
        limits.within(len(data), limits.NAME_BYTES, f"bytes of a {what}")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise FvbcError("E0309", f"the {what} is not UTF-8") from None

    def integer(self, what: str, least: int, most: int) -> int:
        """An integer within these bounds."""
        token = self.next(what)
        if token.kind != "int":
            raise FvbcError("E0309", f"{token.text[:30]!r} is no {what}")
        if not least <= token.number <= most:
            raise FvbcError("E0304", f"{what} {token.number} is not from {least} to {most}")
        return token.number

    def float_bits(self) -> int:
        """The bits of a float operand."""
        bits = self._float_bits()
        if bits is None:
            token = self.next("a float")
            raise FvbcError("E0309", f"{token.text[:30]!r} is no float")
        return bits

    def _float_bits(self) -> int | None:
        """Takes a float if one comes next."""
        token = self.peek()
        if token is not None and token.kind == "float":
            self.at += 1
            return token.number
        if self.takes("inf"):
            return bits_of(float("inf"))
        if not self.takes("nan"):
            return None
        if not self.takes("("):
            return QUIET_NAN
        number = self.next("the bits")
        if number.kind != "int" or number.number < 0 or not is_nan(number.number):
            raise FvbcError("E0304", f"{number.text[:30]} is not the bits of a NaN")
        self.expect(")")
        return number.number

    def begins_constant(self) -> bool:
        """Whether a constant comes next, as against a word that stands for one, or an index."""
        token = self.peek()
        if token is None or token.kind in ("index", "place"):
            return False
        return token.kind != "word" or token.text in CONSTANT_WORDS

    def constant(self, depth: int = 0) -> Value:
        """A constant; `depth` is at most 64, so recursion is bounded."""
        bits = self._float_bits()
        if bits is not None:
            return float_of(bits)
        token = self.next("a constant")
        if token.kind == "int":
            return signed(token)
        if token.kind == "string":
            return token.data
        if token.kind == "word" and token.text in ("undef", "true", "false"):
            return None if token.text == "undef" else token.text == "true"
        if token.kind == "word" and token.text in ("status", "builtin"):
            self.expect("(")
            if token.text == "status":
                value: Value = Status(self.integer("status", -(1 << 31), (1 << 31) - 1))
            else:
                value = NativeFn(self.integer("number", 0, 65_535))
            self.expect(")")
            return value
        if (token.kind, token.text) in (("mark", "["), ("mark", "{"), ("word", "ref")):
            limits.within(depth + 1, limits.NESTING, "nesting of a constant")
            return self._nest(token.text, depth + 1)
        raise FvbcError("E0309", f"{token.text[:30]!r} is no constant")

    def _nest(self, opening: str, depth: int) -> Value:
        if opening == "ref":
            self.expect("(")
            target = self.constant(depth)
            self.expect(")")
            return Ref(target)
        if opening == "[":
            items: list[Value] = []
            while not self.takes("]"):
                if items:
                    self.expect(",")
                items.append(self.constant(depth))
            return Array(items)
        table = Hash()
        while not self.takes("}"):
            if len(table):
                self.expect(",")
            key = self.bytes("key")
            if key in table:
                raise FvbcError("E0313", f"two entries have the key {key[:30]!r}")
            self.expect(":")
            table.set(key, self.constant(depth))
        return table
