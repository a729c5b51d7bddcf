"""Numbers, logic, comparison and strings (chapter 5, sections 5.3 and 5.4), as functions of values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from .convert import to_float, to_int, truth, wrapped
from .values import Value


def is_int(value: Value) -> bool:
    """Whether the kind is Int; in Python a Bool is an int too."""
    return type(value) is int


def _wrapping(of_ints: Callable[[int, int], int], of_floats: Callable[[float, float], float]) -> _Binary:
    """An op that wraps on two Ints, and takes any other kinds to Float."""

    def apply(a: Value, b: Value) -> Value:
        if is_int(a) and is_int(b):
            return wrapped(of_ints(to_int(a), to_int(b)))
        return of_floats(to_float(a), to_float(b))

    return apply


_Binary = Callable[[Value, Value], Value]

add = _wrapping(operator.add, operator.add)
sub = _wrapping(operator.sub, operator.sub)
mul = _wrapping(operator.mul, operator.mul)


def div(a: Value, b: Value) -> Value:
    """Divides as Float; by zero it is Undef."""
    divisor = to_float(b)
    return None if divisor == 0 else to_float(a) / divisor


def _remainder(a: int, b: int) -> int:
    return 0 if b == 0 else int(math.copysign(1, a)) * (abs(a) % abs(b))


def _fmod(a: float, b: float) -> float:
    # What C's fmod answers with NaN is an exception in Python.
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or b == 0:
        return math.nan
    return math.fmod(a, b)


mod = _wrapping(_remainder, _fmod)


def power(a: Value, b: Value) -> float:
    """C's `pow`, of which Python makes exceptions for poles, overflow and what is undefined; the square root is exact."""
    x, y = to_float(a), to_float(b)
    if y == 0.5 and x >= 0:
        # The root of -0.0 is -0.0, its power 0.0.
        return abs(math.sqrt(x))
    try:
        return math.pow(x, y)
    except ValueError:
        if x != 0:
            return math.nan
    except OverflowError:
        pass
    # A pole at zero, or too large: the sign is that of x for odd y.
    odd = math.fmod(y, 2) in (1, -1)
    return math.copysign(math.inf, x) if odd else math.inf


def negate(a: Value) -> Value:
    """An Int wraps, all else gives the negated Float."""
    return wrapped(-to_int(a)) if is_int(a) else -to_float(a)


def bit_op(of_ints: Callable[[int, int], int]) -> _Binary:
    """An op on the bits of two Ints."""
    return lambda a, b: of_ints(to_int(a), to_int(b))


def shl(a: Value, n: Value) -> int:
    """Shifts left; the count is taken modulo 64."""
    return wrapped(to_int(a) << (to_int(n) & 63))


def shr(a: Value, n: Value) -> int:
    """Shifts right keeping the sign; the count is taken modulo 64."""
    return to_int(a) >> (to_int(n) & 63)


def compare(decide: Callable[[float, float], bool]) -> _Binary:
    """A comparison as numbers: of two Ints exact, else as Floats."""

    def apply(a: Value, b: Value) -> Value:
        if is_int(a) and is_int(b):
            return decide(to_int(a), to_int(b))
        return decide(to_float(a), to_float(b))

    return apply


num_gt = compare(operator.gt)


def spaceship(a: Value, b: Value) -> int:
    """-1, 0 or 1 as numbers; 0 with NaN."""
    return int(bool(num_gt(a, b))) - int(bool(num_gt(b, a)))


def string_order(a: bytes, b: bytes) -> int:
    """-1, 0 or 1 bytewise."""
    return (a > b) - (a < b)


UNARY: dict[str, Callable[[Value], Value]] = {
    "Negate": negate,
    "Inc": lambda a: wrapped(to_int(a) + 1),
    "Dec": lambda a: wrapped(to_int(a) - 1),
    "LogNot": lambda a: not truth(a),
    "BitNot": lambda a: ~to_int(a),
}

BINARY: dict[str, _Binary] = {
    "Add": add,
    "Sub": sub,
    "Mul": mul,
    "Div": div,
    "Mod": mod,
    "Pow": power,
    "NumEq": compare(operator.eq),
    "NumNe": compare(operator.ne),
    "NumLt": compare(operator.lt),
    "NumGt": num_gt,
    "NumLe": compare(operator.le),
    "NumGe": compare(operator.ge),
    "Spaceship": spaceship,
    "LogAnd": lambda a, b: truth(a) and truth(b),
    "LogOr": lambda a, b: truth(a) or truth(b),
    "BitAnd": bit_op(operator.and_),
    "BitOr": bit_op(operator.or_),
    "BitXor": bit_op(operator.xor),
    "Shl": shl,
    "Shr": shr,
}

STRING: dict[str, Callable[[int], Value]] = {
    "StrEq": lambda order: order == 0,
    "StrNe": lambda order: order != 0,
    "StrLt": lambda order: order < 0,
    "StrGt": lambda order: order > 0,
    "StrLe": lambda order: order <= 0,
    "StrGe": lambda order: order >= 0,
    "StrCmp": lambda order: order,
}
"""What the comparisons of string forms make of their order."""
