"""The text form's lines and tokens (chapter 6, section 6.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import FvbcError
from .wire import I64_MAX, I64_MIN, U64_MAX, bits_of, float_of

TEXT_BYTES = 1 << 30

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
      | (?P<comment>;.*)
      | (?P<directive>\.[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?(?:[0-9](?:_?[0-9a-zA-Z])*)(?:\.[0-9](?:_?[0-9a-zA-Z])*)?(?:(?<=[eE])[+-][0-9](?:_?[0-9])*)?)
      | (?P<infinity>-inf(?![A-Za-z0-9_.]))
      | (?P<index>[#@][0-9]+)
      | (?P<mark>[\[\](){},:])""",
    re.VERBOSE,
)
_INTEGER = re.compile(r"(-?)(?:0x([0-9a-fA-F](?:_?[0-9a-fA-F])*)|([0-9](?:_?[0-9])*))")
_FLOAT = re.compile(r"-?[0-9](_?[0-9])*(\.[0-9](_?[0-9])*([eE][+-]?[0-9](_?[0-9])*)?|[eE][+-]?[0-9](_?[0-9])*)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|([ntr0e\\\"]))")
_NAMED = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "e": b"\x1b", "\\": b"\\", '"': b'"'}


@dataclass(frozen=True)
class Token:
    """A token: its kind, its text, and what it means.

    Kinds are `word`, `directive`, `string`, `int`, `float`, `index`, `place` and `mark`.
    `data` is a string's bytes, `number` an integer's or index's value and a float's bits.
    """

    kind: str
    text: str
    data: bytes = b""
    number: int = 0


def text_lines(text: bytes) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers, counted from 1."""
    if len(text) > TEXT_BYTES:
        raise FvbcError("E0316", f"{len(text)} bytes, at most {TEXT_BYTES}", part="text")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FvbcError("E0301", "not UTF-8", part="text", offset=error.start) from None
    if decoded.startswith("\ufeff"):
        decoded = decoded[1:]
    for number, line in enumerate(decoded.split("\n"), 1):
        yield number, line[:-1] if line.endswith("\r") else line


def tokens(line: str) -> list[Token]:
    """The tokens of a line without its end."""
    for character in line:
        if character != "\t" and (character < " " or character == "\x7f"):
            raise FvbcError("E0301", f"the control character U+{ord(character):04X}")
    found: list[Token] = []
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            if line[at] == '"':
                raise FvbcError("E0302", "no closing quote on the line")
            raise FvbcError("E0301", f"{line[at]!r}")
        kind, text = str(match.lastgroup), match.group()
        at = match.end()
        if kind not in ("space", "comment"):
            found.append(_token(kind, text))
    return found


def _token(kind: str, text: str) -> Token:
    if kind == "string":
        return Token("string", text, _unescaped(text[1:-1]))
    if kind == "number":
        return _number(text)
    if kind == "infinity":
        return Token("float", text, number=bits_of(float("-inf")))
    if kind == "index":
        return Token("index" if text[0] == "#" else "place", text, number=_bounded(text[1:]))
    return Token(kind, text)


def _unescaped(text: str) -> bytes:
    parts = []
    at = 0
    while at < len(text):
        end = text.find("\\", at)
        if end < 0:
            end = len(text)
        parts.append(text[at:end].encode())
        if end == len(text):
            break
        match = _ESCAPE.match(text, end)
        if match is None:
            raise FvbcError("E0303", text[end : end + 2])
        byte, character, named = match.groups()
        if byte is not None:
            parts.append(bytes.fromhex(byte))
        elif character is not None:
            parts.append(_character(int(character, 16)))
        else:
            parts.append(_NAMED[named])
        at = match.end()
    return b"".join(parts)


def _character(code: int) -> bytes:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise FvbcError("E0303", f"U+{code:X} is no character")
    return chr(code).encode()


def _bounded(digits: str) -> int:
    """The number that decimal digits are, if it fits 64 bits."""
    # Python refuses to read thousands of digits; none of what is that long fits.
    value = int(digits) if len(digits.lstrip("0")) <= 20 else U64_MAX + 1
    if value > U64_MAX:
        raise FvbcError("E0304", f"{digits[:30]} takes more than 64 bits")
    return value


def _number(text: str) -> Token:
    match = _INTEGER.fullmatch(text)
    if match is not None:
        sign, hexadecimal, digits = match.groups()
        value = _bounded(digits.replace("_", "")) if digits else int(hexadecimal.replace("_", ""), 16)
        value = -value if sign else value
        if not I64_MIN <= value <= U64_MAX:
            raise FvbcError("E0304", f"{text[:30]} takes more than 64 bits")
        return Token("int", text, number=value)
    if _FLOAT.fullmatch(text) is None:
        raise FvbcError("E0304", text[:30])
    number = float(text.replace("_", ""))
    if number in (float("inf"), float("-inf")):
        raise FvbcError("E0304", f"{text[:30]} is not finite as a float")
    return Token("float", text, number=bits_of(number))


def signed(token: Token) -> int:
    """An integer token's value as one of 64 bits with a sign."""
    if not I64_MIN <= token.number <= I64_MAX:
        raise FvbcError("E0304", f"{token.text[:30]} takes more than 64 bits with a sign")
    return token.number


def is_nan(bits: int) -> bool:
    """Whether these are the bits of a NaN."""
    return math.isnan(float_of(bits))
