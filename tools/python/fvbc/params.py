"""`ExpandParam` (5.12), where there is no host: parameters are globals, or unset."""

from __future__ import annotations

from .convert import to_int
from .errors import FvbcError
from .machine import Machine
from .values import Array, Hash, Status, Value

_CLASSES: dict[bytes, bytes] = {
    b"alpha": bytes(range(65, 91)) + bytes(range(97, 123)),
    b"digit": bytes(range(48, 58)),
    b"lower": bytes(range(97, 123)),
    b"upper": bytes(range(65, 91)),
    b"space": b" \t\n\v\f\r",
    b"blank": b" \t",
    b"punct": bytes(c for c in range(33, 127) if not chr(c).isalnum()),
    b"print": bytes(range(32, 127)),
    b"graph": bytes(range(33, 127)),
    b"cntrl": bytes([*range(32), 127]),
    b"xdigit": b"0123456789abcdefABCDEF",
    b"alnum": bytes(c for c in range(128) if chr(c).isalnum()),
}

_UNSET_STATUS = 2
_STEPS = 1 << 30


def _bracket(pattern: bytes, at: int) -> tuple[frozenset[int], int] | None:
    """The bytes of the bracket expression behind `[` at `at`, and the place behind it."""
    start = at + (pattern[at : at + 1] in (b"!", b"^"))
    place = start
    members: set[int] = set()
    while place < len(pattern) and (pattern[place] != 0x5D or place == start):
        name_end = pattern.find(b":]", place + 2) if pattern[place : place + 2] == b"[:" else -1
        if name_end >= 0 and pattern[place + 2 : name_end] in _CLASSES:
            members.update(_CLASSES[pattern[place + 2 : name_end]])
            place = name_end + 2
            continue
        if pattern[place] == 0x5C and place + 1 < len(pattern):
            place += 1
        low, place = pattern[place], place + 1
        if pattern[place : place + 1] == b"-" and pattern[place + 1 : place + 2] not in (b"", b"]"):
            members.update(range(low, pattern[place + 1] + 1))
            place += 2
        else:
            members.add(low)
    if place >= len(pattern):
        return None
    if start > at:
        members = set(range(256)) - members
    return frozenset(members), place + 1


def _units(pattern: bytes) -> list[frozenset[int] | None]:
    """What stands for one byte each, None for a run."""
    units: list[frozenset[int] | None] = []
    at = 0
    while at < len(pattern):
        byte, at = pattern[at], at + 1
        if byte == 0x2A:
            units.append(None)
        elif byte == 0x3F:
            units.append(frozenset(range(256)))
        elif byte == 0x5C:
            units.append(frozenset({pattern[at] if at < len(pattern) else byte}))
            at += 1
        elif byte == 0x5B and (found := _bracket(pattern, at)):
            units.append(found[0])
            at = found[1]
        else:
            units.append(frozenset({byte}))
    return units


def _ends(units: list[frozenset[int] | None], text: bytes) -> list[int]:
    """The lengths of the beginnings of the text that match, the shortest first."""

    def closed(places: set[int]) -> set[int]:
        for place in sorted(places):
            while place < len(units) and units[place] is None:
                place += 1
                places = places | {place}
        return places

    places = closed({0})
    ends = [0] if len(units) in places else []
    for length, byte in enumerate(text, 1):
        following: set[int] = set()
        for place in places:
            if place < len(units):
                unit = units[place]
                if unit is None:
                    following.add(place)
                elif byte in unit:
                    following.add(place + 1)
        places = closed(following)
        if len(units) in places:
            ends.append(length)
    return ends


def _strip(code: int, text: bytes, pattern: bytes) -> bytes:
    units = _units(pattern)
    if code in (7, 8):
        units, text = units[::-1], text[::-1]
    ends = _ends(units, text)
    cut = (ends[0] if code in (5, 7) else ends[-1]) if ends else 0
    left = text[cut:]
    return left[::-1] if code in (7, 8) else left


def _substitute(text: bytes, pattern: bytes, replacement: bytes, everywhere: bool) -> bytes:
    units = _units(pattern)
    result = b""
    at = 0
    while at < len(text):
        longest = max(_ends(units, text[at:]), default=0)
        if longest == 0:
            result += text[at : at + 1]
            at += 1
            continue
        result += replacement
        at += longest
        if not everywhere:
            break
    return result + text[at:]


def _slice(length: int, offset: int, count: int | None) -> tuple[int, int]:
    start = offset + length if offset < 0 else offset
    end = length if count is None else count + length if count < 0 else min(start + count, length)
    return (start, end) if 0 <= start <= end else (0, 0)


def _value(machine: Machine, name: bytes) -> Value:
    """What stands for a parameter; None if nothing does."""
    if name == b"?":
        return Status(machine.status)
    if name == b"$":
        raise FvbcError("E0410", "there is no process here")
    if name == b"!":
        return None
    if name in (b"#", b"@", b"*") or name[:1].isdigit():
        arguments = _global(machine, b"ARGV")
        if name in (b"@", b"*"):
            return arguments
        items = arguments.items if isinstance(arguments, Array) else []
        if name == b"#":
            return len(items)
        place = int(name) if name.isdigit() else 0
        return items[place - 1] if 0 < place <= len(items) else None
    return _global(machine, name)


def _global(machine: Machine, name: bytes) -> Value:
    for index, known in enumerate(machine.body.names):
        if known.encode() == name:
            return machine.globals.get(index)
    return None


def _paid(machine: Machine, text: bytes) -> bytes:
    machine.meter.sized(len(text))
    machine.meter.work(len(text))
    return text


def expand_param(machine: Machine, code: int) -> None:
    """Expands a parameter."""
    if code > 17:
        machine.pop()
        raise FvbcError("E0414", f"there is no modifier {code}")
    if code <= 3:
        _or_word(machine, code)
    elif code == 4:
        value = _value(machine, machine.meter.take(machine.pop()))
        if isinstance(value, Array):
            machine.push(len(value.items))
        elif isinstance(value, Hash):
            machine.push(len(value))
        else:
            machine.push(len(machine.meter.take(value)))
    elif code == 16:
        _keys(machine)
    elif code == 17:
        _part(machine)
    else:
        machine.push(_paid(machine, _changed(machine, code)))


def _or_word(machine: Machine, code: int) -> None:
    word = machine.pop()
    name = machine.meter.take(machine.pop())
    text = machine.meter.take(_value(machine, name))
    if code == 3:
        machine.push(machine.meter.take(word) if text else b"")
    elif text or code == 0:
        machine.push(text or machine.meter.take(word))
    elif code == 1:
        machine.push(_assign(machine, name, machine.meter.take(word)))
    else:
        machine.status = _UNSET_STATUS
        machine.push(Status(_UNSET_STATUS))
        machine.over = True


def _assign(machine: Machine, name: bytes, text: bytes) -> bytes:
    is_name = name.replace(b"_", b"a").isalnum() and name.isascii() and not name[:1].isdigit()
    if not is_name:
        raise FvbcError("E0414", "it can't be assigned to")
    for index, known in enumerate(machine.body.names):
        if known.encode() == name:
            machine.globals[index] = text
            break
    return text


def _changed(machine: Machine, code: int) -> bytes:
    """The text that the codes make which give one of the value's."""
    operands = [machine.meter.take(machine.pop()) for _ in range(1 if code <= 8 else 2 if code <= 10 else 0)][::-1]
    text = machine.meter.take(_value(machine, machine.meter.take(machine.pop())))
    if operands and len(text) * len(operands[0]) > _STEPS:
        raise FvbcError("E0403", "matching takes too many steps")
    if code <= 8:
        return _strip(code, text, operands[0])
    if code <= 10:
        return _substitute(text, operands[0], operands[1], code == 10)
    if code == 15:
        return machine.meter.take(_value(machine, text))
    end = len(text) if code <= 12 else 1
    head = text[:end].upper() if code in (11, 13) else text[:end].lower()
    return head + text[end:]


def _keys(machine: Machine) -> None:
    value = _value(machine, machine.meter.take(machine.pop()))
    keys: list[Value]
    if value is None:
        keys = []
    elif isinstance(value, Array):
        keys = list(range(len(value.items)))
    elif isinstance(value, Hash):
        keys = list(value.keys)
    else:
        keys = [0]
    machine.meter.elements(len(keys))
    machine.meter.work(len(keys))
    machine.push(Array(keys))


def _part(machine: Machine) -> None:
    length = machine.pop()
    offset = to_int(machine.pop())
    count = None if length is None else to_int(length)
    value = _value(machine, machine.meter.take(machine.pop()))
    if isinstance(value, Array):
        start, end = _slice(len(value.items), offset, count)
        machine.meter.work(end - start)
        machine.push(Array(value.items[start:end]))
        return
    text = machine.meter.take(value)
    start, end = _slice(len(text), offset, count)
    machine.push(_paid(machine, text[start:end]))
