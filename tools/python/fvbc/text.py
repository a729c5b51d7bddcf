"""How the text form spells things (chapter 6, sections 6.7 and 6.8): words, strings, floats, constants.

`printer` puts them together; `lexer` and `cursor` read them.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable

from .record import ARGUMENTS, BUILTIN, EXTENSION, FUNCTION, UNKNOWN, WIDE_EXTENSION, Import
from .values import Array, NativeFn, Ref, Status, Value
from .wire import bits_of

QUIET_NAN = 0x7FF8 << 48
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

IMPORT_KINDS = {
    BUILTIN: "builtin",
    EXTENSION: "extension",
    WIDE_EXTENSION: "extension_wide",
    FUNCTION: "function",
}
"""The words of 6.6."""

IMPORT_WORDS = frozenset({"space", "pops", "unknown", "touches"})
"""Handler's names that have to be quoted (6.6)."""

CODE_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("TestFile", "test"): tuple(
        [
            "is_file",
            "is_dir",
            "is_readable",
            "is_writable",
            "is_executable",
            "exists",
            "is_nonempty",
            "is_symlink",
            "is_socket",
            "is_fifo",
            "is_block_dev",
            "is_char_dev",
        ]
    ),
    ("Redirect", "op"): tuple(
        ["write", "append", "read", "read_write", "clobber", "dup_read", "dup_write", "write_both", "append_both"]
    ),
    ("ExpandParam", "modifier"): tuple(
        [
            "default",
            "assign",
            "error",
            "alternate",
            "length",
            "strip_short",
            "strip_long",
            "rstrip_short",
            "rstrip_long",
            "subst_first",
            "subst_all",
            "upper",
            "lower",
            "upper_first",
            "lower_first",
            "indirect",
            "keys",
            "slice",
        ]
    ),
}
"""By op and operand, the words for 0, 1, 2 … (6.7)."""

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\x1b": "\\e", "\\": "\\\\", '"': '\\"'}

_HIDDEN = (
    (0x80, 0x9F),
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x180E, 0x180E),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0xE000, 0xF8FF),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0xE0000, 0x10FFFF),
)
"""The characters beyond ASCII that strings escape, from and to."""
_HIDDEN_FROM = [first for first, _ in _HIDDEN]


def default_import(kind: int, number: int) -> Import:
    """The row of something that is called without declaration (6.6)."""
    if kind == BUILTIN:
        return Import(kind, number, ARGUMENTS, pushes=1, globals=True, slots=True)
    if kind == FUNCTION:
        return Import(kind, number, ARGUMENTS, pushes=1, globals=True)
    return Import(kind, number, UNKNOWN, globals=True, slots=True, frames=True)


def quoted(data: bytes) -> str:
    """The bytes as a string in double quotes."""
    parts = ['"']
    # A byte that belongs to no character comes out as a lone surrogate from dc80 to dcff.
    for character in data.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif code >= 0x80 and _is_hidden(code):
            parts.append(f"\\u{{{code:x}}}")
        else:
            parts.append(character)
    return "".join([*parts, '"'])


def _is_hidden(code: int) -> bool:
    place = bisect_right(_HIDDEN_FROM, code)
    return place > 0 and code <= _HIDDEN[place - 1][1]


def name_text(name: str, reserved: Iterable[str] = ()) -> str:
    """The name as a word if it is one and not reserved, else as a string."""
    return name if WORD.fullmatch(name) and name not in reserved else quoted(name.encode())


def float_text(value: float) -> str:
    """The float so that it is read back bit by bit."""
    if math.isnan(value):
        bits = bits_of(value)
        return "nan" if bits == QUIET_NAN else f"nan({bits:#018x})"
    # Python's form has the digits that are asked for, but another idea of exponents.
    mantissa, _, exponent = repr(value).partition("e")
    if exponent:
        return f"{mantissa}e{int(exponent)}"
    return mantissa


def constant_text(value: Value) -> str:
    """A constant (6.4); it is nested at most 64 deep, so recursion is bounded."""
    if value is None:
        return "undef"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, bytes):
        return quoted(value)
    if isinstance(value, Status):
        return f"status({value.code})"
    if isinstance(value, NativeFn):
        return f"builtin({value.id})"
    if isinstance(value, Ref):
        return f"ref({constant_text(value.target)})"
    if isinstance(value, Array):
        return "[" + ", ".join(constant_text(item) for item in value.items) + "]"
    return "{" + ", ".join(f"{quoted(key)}: {constant_text(item)}" for key, item in value.items()) + "}"
