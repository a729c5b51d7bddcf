"""Output, input, and what of the shell ops needs no host (chapter 5, sections 5.10 and 5.12).

This package has no host: no commands, no files, no home directories. Ops that need one trap with E0410.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .braces import parse
from .convert import to_int
from .errors import FvbcError
from .machine import Machine
from .meter import ELEMENT_BYTES
from .params import expand_param
from .values import Array, Status, Value
from .verify import Segments

WHITE = b" \t\n"


def print_forms(machine: Machine, count: int) -> None:
    """Prints the string forms."""
    _print(machine, count, b"")


def print_line(machine: Machine, count: int) -> None:
    """Prints the string forms and a newline."""
    _print(machine, count, b"\n")


def _print(machine: Machine, count: int, end: bytes) -> None:
    parts: list[bytes] = []
    held = 0
    for value in machine.take_present(count):
        parts.append(machine.meter.write(value, held))
        held += len(parts[-1])
    most = machine.meter.limits.output
    if most is not None and len(machine.output) + held + len(end) > most:
        raise FvbcError("E0405", f"more than {most} bytes of output")
    machine.output += b"".join([*parts, end])


def read_line(machine: Machine) -> None:
    """Pushes the next line of standard input; Undef at its end."""
    # One byte more than a value may have tells a line that is too long from one that is not.
    line = machine.stdin.readline(machine.meter.limits.value + 2)
    if not line:
        machine.push(None)
        return
    line = line[:-1] if line.endswith(b"\n") else line
    machine.meter.sized(len(line))
    machine.meter.work(len(line))
    machine.push(line)


def low_32_bits(value: Value) -> int:
    """The Int's low 32 bits, as a number with a sign."""
    return (to_int(value) + (1 << 31)) % (1 << 32) - (1 << 31)


def set_status(machine: Machine) -> None:
    """Sets `$?`."""
    machine.status = low_32_bits(machine.pop())


def get_status(machine: Machine) -> None:
    """Pushes `$?`."""
    machine.push(Status(machine.status))


def _words(machine: Machine, values: list[Value]) -> list[bytes]:
    """The words of a command: arrays give those of their elements, nested ones too, all else its string form."""
    words: list[bytes] = []
    size = 0
    pending = values[::-1]
    while pending:
        value = pending.pop()
        machine.meter.work(1)
        if isinstance(value, Array):
            pending += value.items[::-1]
            continue
        word = machine.meter.take(value)
        size += len(word) + ELEMENT_BYTES
        machine.meter.sized(size)
        machine.meter.work(len(word))
        words.append(word)
    return words


def exec_words(machine: Machine, argc: int) -> None:
    """Runs a sub of the chunk; a command needs a host."""
    words = _words(machine, machine.take_present(argc))
    if not words:
        machine.push(Status(0))
        return
    for sub in machine.body.subs:
        if sub.name < len(machine.body.names) and machine.body.names[sub.name].encode() == words[0]:
            machine.stack += words[1:]
            machine.call(sub.entry, len(words) - 1, by_exec=True)
            return
    raise FvbcError("E0410", "there are no commands here")


def _held_words(machine: Machine, words: Iterable[bytes]) -> Array:
    """An array of words, each word and its bytes paid for."""
    held: list[Value] = []
    size = 0
    for word in words:
        machine.meter.elements(len(held) + 1)
        machine.meter.sized(len(word))
        machine.meter.work(1 + len(word))
        size += ELEMENT_BYTES + len(word)
        machine.meter.fits(size)
        held.append(word)
    return Array(held)


def word_split(machine: Machine) -> None:
    """Splits into words by IFS."""
    text = machine.meter.take(machine.pop())
    separators: Value = None
    if "IFS" in machine.body.names:
        separators = machine.globals.get(machine.body.names.index("IFS"))
    at = WHITE if separators is None else machine.meter.take(separators)
    machine.push(_held_words(machine, split(text, at)))


def split(text: bytes, separators: bytes) -> list[bytes]:
    """The words of a text: white space separates in runs, each other separator ends a word."""
    white = bytes(byte for byte in separators if byte in WHITE)
    words: list[bytes] = []
    at, end = 0, len(text)

    def skip_white() -> None:
        nonlocal at
        while at < end and text[at] in white:
            at += 1

    skip_white()
    while at < end:
        start = at
        while at < end and text[at] not in separators:
            at += 1
        words.append(text[start:at])
        skip_white()
        if at < end and text[at] in separators:
            at += 1
            skip_white()
    return words


def brace_expand(machine: Machine) -> None:
    """Expands braces."""
    text = machine.meter.take(machine.pop())
    word = parse(text)
    machine.meter.told(word.count())
    machine.push(_held_words(machine, word.words()))


def tilde_expand(machine: Machine) -> None:
    """Leaves what doesn't begin with a tilde; whose home is where, only a host knows."""
    text = machine.meter.take(machine.pop())
    if text.startswith(b"~"):
        raise FvbcError("E0410", "there are no home directories here")
    machine.meter.sized(len(text))
    machine.push(text)


def needs_host(machine: Machine, *_: int) -> None:
    """Any op that this package has nothing for."""
    raise FvbcError("E0410", "there is no host here")


def _begin(machine: Machine, *_: int) -> None:
    """What begins a copy of the process, if it pairs."""
    if _end_of_pair(machine) is None:
        raise FvbcError("E0412", "the op pairs with no other")
    needs_host(machine)


def _not_begun(machine: Machine) -> None:
    raise FvbcError("E0412", "nothing has begun that the op could end")


def _end_of_pair(machine: Machine) -> int | None:
    return Segments(machine.body.code).end(machine.next - 1)


def redirect_mark(machine: Machine) -> None:
    """Begins commands with the same redirections; there are none here."""
    if _end_of_pair(machine) is None:
        raise FvbcError("E0412", "the op pairs with no other")
    machine.marks.append(len(machine.frames))


def redirect_pop(machine: Machine) -> None:
    """Ends them."""
    while machine.marks and machine.marks[-1] > len(machine.frames):
        machine.marks.pop()
    if not machine.marks:
        raise FvbcError("E0412", "no redirections were marked here")
    machine.marks.pop()


OPS: dict[str, Callable[..., None]] = {
    "Print": print_forms,
    "PrintLn": print_line,
    "ReadLine": read_line,
    "Exec": exec_words,
    "SetStatus": set_status,
    "GetStatus": get_status,
    "WordSplit": word_split,
    "BraceExpand": brace_expand,
    "TildeExpand": tilde_expand,
    "TrapCheck": lambda machine: None,
    "RedirectMark": redirect_mark,
    "RedirectPop": redirect_pop,
    **dict.fromkeys(["PipelineBegin", "SubshellBegin"], _begin),
    **dict.fromkeys(["PipelineStage", "PipelineEnd", "SubshellEnd"], _not_begun),
    "ExpandParam": expand_param,
    **dict.fromkeys(
        [
            "ExecBg",
            "Redirect",
            "HereDoc",
            "HereString",
            "CmdSubst",
            "ProcessSubIn",
            "ProcessSubOut",
            "Glob",
            "GlobRecursive",
            "TestFile",
            "TrapSet",
        ],
        needs_host,
    ),
}
