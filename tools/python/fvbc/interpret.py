"""Running a chunk (chapter 5): constants, stack, variables, control, calls, and the loop over them all.

Other ops stand in `arithmetic`, `tables`, `fused` and `shell`; `HANDLERS` has every op of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from . import fused, shell, tables
from .arithmetic import BINARY, STRING, UNARY, string_order
from .convert import length, to_int, truth
from .errors import FvbcError
from .machine import Machine
from .meter import Limits
from .opcodes import OPS
from .record import BUILTIN, EXTENSION, UNKNOWN, WIDE_EXTENSION, Chunk
from .text import default_import
from .values import Array, Hash, Status, Value, share
from .wire import float_of

Handler = Callable[..., object]

_IDLE_IF_SHORT = frozenset(
    "Add Sub Mul Mod NumEq NumNe NumLt NumGt NumLe NumGe Spaceship Swap Dup2 Rot".split()  # noqa: SIM905
)
"""Ops that have no effect with fewer operands than they take (5.13)."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a value, halted without one, or with a trap."""

    value: Value = None
    halted: bool = False
    trap: FvbcError | None = None


def run(chunk: Chunk, limits: Limits, stdin: BinaryIO) -> tuple[Outcome, Machine]:
    """Runs a chunk to its end; the machine has what it left."""
    machine = Machine(chunk, limits, stdin)
    try:
        _loop(machine)
    except FvbcError as error:
        return Outcome(trap=error.within(chunk=chunk.name, op=machine.at)), machine
    if not machine.stack:
        return Outcome(halted=True), machine
    return Outcome(machine.stack.pop()), machine


def _loop(machine: Machine) -> None:
    code, meter = machine.code, machine.meter
    while True:
        while machine.blocks and machine.end_of_block():
            pass
        if machine.over or machine.next >= len(code):
            return
        machine.at = machine.next
        machine.next = machine.at + 1
        instruction = code[machine.at]
        HANDLERS[instruction[0]](machine, *instruction[1:])
        meter.settle()


def _loads(value: Value) -> Handler:
    return lambda machine: machine.push(value)


def _nop(machine: Machine) -> None:
    pass


def _load_const(machine: Machine, index: int) -> None:
    machine.push(share(machine.constant(index)))


def _dup(machine: Machine) -> None:
    machine.push(share(machine.stack[-1]) if machine.stack else None)


def _dup2(machine: Machine) -> None:
    machine.stack += [share(value) for value in machine.stack[-2:]]


def _swap(machine: Machine) -> None:
    a, b = machine.take(2)
    machine.stack += [b, a]


def _rot(machine: Machine) -> None:
    a, b, c = machine.take(3)
    machine.stack += [b, c, a]


def _get_var(machine: Machine, name: int) -> None:
    machine.push(share(machine.globals.get(name)))


def _set_var(machine: Machine, name: int) -> None:
    machine.globals[name] = machine.pop()


def _declare_array(machine: Machine, name: int) -> None:
    machine.globals[name] = Array()


def _declare_hash(machine: Machine, name: int) -> None:
    machine.globals[name] = Hash()


def _get_slot(machine: Machine, slot: int) -> None:
    machine.push(share(machine.slot(slot)))


def _set_slot(machine: Machine, slot: int) -> None:
    machine.set_slot(slot, machine.pop())


def _unary(apply: Callable[[Value], Value]) -> Handler:
    return lambda machine: machine.push(apply(machine.pop()))


def _binary(apply: Callable[[Value, Value], Value]) -> Handler:
    return lambda machine: machine.push(apply(*machine.take(2)))


def _concat(machine: Machine) -> None:
    a, b = machine.take(2)
    left, right = machine.meter.take(a), machine.meter.take(b)
    machine.meter.sized(len(left) + len(right))
    machine.meter.work(len(right))
    machine.push(left + right)


def _string_repeat(machine: Machine) -> None:
    text, count = machine.take(2)
    form, times = machine.meter.take(text), max(0, to_int(count))
    machine.meter.sized(len(form) * times)
    machine.meter.work(len(form) * times)
    # Nothing, however often, is nothing: an empty form must not be repeated 2^62 times.
    machine.push(form * times if form else b"")


def _compares(decide: Callable[[int], Value]) -> Handler:
    def apply(machine: Machine) -> None:
        a, b = machine.take(2)
        left, right = machine.meter.take(a), machine.meter.take(b)
        machine.meter.work(min(len(left), len(right)))
        machine.push(decide(string_order(left, right)))

    return apply


def _jump_if(wanted: bool, *, keep: bool) -> Handler:
    def apply(machine: Machine, target: int) -> None:
        present = bool(machine.stack)
        value = machine.pop()
        if keep and present:
            machine.push(value)
        if truth(value) == wanted:
            machine.jump(target)

    return apply


def _call(machine: Machine, name: int, argc: int) -> None:
    if name not in machine.subs:
        raise FvbcError("E0408", f"no sub has the name {name}")
    machine.call(machine.subs[name], argc)


def _returns(with_value: bool) -> Handler:
    def apply(machine: Machine) -> None:
        at = len(machine.frames) - 1
        while at >= 0 and not machine.frames[at].is_call:
            at -= 1
        if at < 0:
            machine.over = True
            return
        value = machine.pop() if with_value else None
        frame = machine.frames[at]
        del machine.frames[at:]
        machine.calls -= 1
        while machine.blocks and machine.blocks[-1].frames > at:
            machine.blocks.pop()
        machine.cut(frame.base)
        if frame.by_exec:
            machine.push(_status_of(value) if with_value else Status(machine.status))
        elif with_value:
            machine.push(value)
        assert frame.returns_to is not None
        machine.next = frame.returns_to

    return apply


def _status_of(value: Value) -> Status:
    return value if isinstance(value, Status) else Status(shell.low_32_bits(value))


def _call_builtin(machine: Machine, number: int, argc: int) -> None:
    _missing(machine, BUILTIN, number)
    arguments = machine.take_present(argc)
    machine.push(arguments[-1] if arguments else None)


def _extended(kind: int) -> Handler:
    return lambda machine, number, _: _missing(machine, kind, number)


def _missing(machine: Machine, kind: int, number: int) -> None:
    """Traps for a handler that the import table declares; there are no handlers here.

    A row that says no more than what holds without declaration (6.6), or that the effect is unknown, declares nothing.
    """
    row = machine.imports.get((kind, number))
    if row is not None and row.effect != UNKNOWN and row != default_import(kind, number):
        raise FvbcError("E0418", f"no handler {row.name or number} is here")


def _own_handlers() -> dict[str, Handler]:
    return {
        "Nop": _nop,
        "LoadInt": lambda machine, value: machine.push(value),
        "LoadFloat": lambda machine, bits: machine.push(float_of(bits)),
        "LoadConst": _load_const,
        "LoadTrue": _loads(True),
        "LoadFalse": _loads(False),
        "LoadUndef": _loads(None),
        "Pop": Machine.pop,
        "Dup": _dup,
        "Dup2": _dup2,
        "Swap": _swap,
        "Rot": _rot,
        **dict.fromkeys(["GetVar", "GetArray", "GetHash"], _get_var),
        **dict.fromkeys(["SetVar", "DeclareVar", "SetArray", "SetHash"], _set_var),
        "DeclareArray": _declare_array,
        "DeclareHash": _declare_hash,
        "GetSlot": _get_slot,
        "SetSlot": _set_slot,
        **{name: _unary(apply) for name, apply in UNARY.items()},
        **{name: _binary(apply) for name, apply in BINARY.items()},
        **{name: _compares(decide) for name, decide in STRING.items()},
        "Concat": _concat,
        "StringRepeat": _string_repeat,
        "StringLen": _unary(length),
        "Jump": Machine.jump,
        "JumpIfTrue": _jump_if(True, keep=False),
        "JumpIfFalse": _jump_if(False, keep=False),
        "JumpIfTrueKeep": _jump_if(True, keep=True),
        "JumpIfFalseKeep": _jump_if(False, keep=True),
        "Call": _call,
        "Return": _returns(False),
        "ReturnValue": _returns(True),
        "PushFrame": Machine.push_scope,
        "PopFrame": Machine.pop_frame,
        "CallBuiltin": _call_builtin,
        "Extended": _extended(EXTENSION),
        "ExtendedWide": _extended(WIDE_EXTENSION),
    }


def _idle_if_short(handler: Handler, count: int) -> Handler:
    def apply(machine: Machine, *operands: int) -> None:
        if len(machine.stack) >= count:
            handler(machine, *operands)

    return apply


def _handlers() -> dict[int, Handler]:
    named = {**_own_handlers(), **tables.OPS, **fused.OPS, **shell.OPS}
    for name in _IDLE_IF_SHORT:
        named[name] = _idle_if_short(named[name], next(int(op.pops) for op in OPS.values() if op.name == name))
    return {op.byte: named[op.name] for op in OPS.values()}


HANDLERS: dict[int, Handler] = _handlers()
"""By byte, what each op does; an op without a handler would fail at import."""
