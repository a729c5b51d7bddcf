"""Conversions between kinds (chapter 5, section 5.1): truth, to Int, to Float, string form, length."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from .values import Array, Hash, NativeFn, Ref, Status, Value
from .wire import I64_MAX, I64_MIN

_INT = re.compile(rb"[+-]?[0-9]+")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
LONGEST_NUMBER = 4096
"""A Str of more bytes is 0, whatever it says."""

_FLOAT_WORDS = {b"inf": math.inf, b"infinity": math.inf, b"nan": math.nan}


def wrapped(value: int) -> int:
    """The number modulo 2^64, from -2^63 on."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def truth(value: Value) -> bool:
    """Whether the value is true."""
    if isinstance(value, bytes):
        return value not in (b"", b"0")
    if isinstance(value, Array):
        return bool(value.items)
    if isinstance(value, Hash):
        return len(value) > 0
    if isinstance(value, Status):
        return value.code == 0
    if isinstance(value, (Ref, NativeFn)):
        return True
    # Undef, false, 0, 0.0 and -0.0 are false in Python too; NaN is true.
    return bool(value)


def parse_int(text: bytes) -> int:
    """The whole string as an Int, else 0."""
    if len(text) > LONGEST_NUMBER or not _INT.fullmatch(text):
        return 0
    digits = text.lstrip(b"+-").lstrip(b"0")
    # Python refuses to read thousands of digits; none of what is that long fits.
    if len(digits) > 19:
        return 0
    value = int(digits or b"0") * (-1 if text.startswith(b"-") else 1)
    return value if I64_MIN <= value <= I64_MAX else 0


def parse_float(text: bytes) -> float:
    """The whole string as a Float, else 0.0."""
    if len(text) > LONGEST_NUMBER:
        return 0.0
    if _FLOAT.fullmatch(text):
        return float(text)
    unsigned = text[1:] if text[:1] in (b"+", b"-") else text
    value = _FLOAT_WORDS.get(unsigned.lower())
    if value is None:
        return 0.0
    return -value if text[:1] == b"-" else value


def int_of_float(value: float) -> int:
    """Toward zero, saturating; NaN is 0."""
    if math.isnan(value):
        return 0
    if value >= 2.0**63:
        return I64_MAX
    return I64_MIN if value < -(2.0**63) else int(value)


def to_int(value: Value) -> int:
    """The value as an Int."""
    if isinstance(value, float):
        return int_of_float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return parse_int(value)
    if isinstance(value, Status):
        return value.code
    return len(value.items) if isinstance(value, Array) else 0


def to_float(value: Value) -> float:
    """The value as a Float."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, bytes):
        return parse_float(value)
    return float(value.code) if isinstance(value, Status) else 0.0


def float_form(value: float) -> bytes:
    """The shortest decimal that reads back, never with an exponent."""
    if math.isnan(value):
        return b"NaN"
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    text = format(Decimal(repr(value)), "f")
    return (text[:-2] if text.endswith(".0") else text).encode()


def scalar_form(value: Value) -> bytes:
    """The string form of what is no Array."""
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"1" if value else b""
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, float):
        return float_form(value)
    if isinstance(value, Status):
        return str(value.code).encode()
    if isinstance(value, NativeFn):
        return f"(builtin:{value.id})".encode()
    return b"(ref)" if isinstance(value, Ref) else b"(hash)"


def length(value: Value) -> int:
    """The bytes of a Str, the elements or entries of a collection, else the bytes of the string form."""
    if isinstance(value, Array):
        return len(value.items)
    return len(value) if isinstance(value, Hash) else len(scalar_form(value))
