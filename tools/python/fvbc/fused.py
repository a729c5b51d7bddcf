"""Fused ops (chapter 5, section 5.9).

The loops are computed in one step: how many iterations the limits allow, then what they come to. The fuel and the trap
are those of the iterations one by one.
"""

from __future__ import annotations

from collections.abc import Callable

from .convert import to_int, wrapped
from .machine import Machine
from .meter import ELEMENT_BYTES, WORK_UNITS
from .values import Array


def pre_inc_slot(machine: Machine, slot: int) -> None:
    """Adds 1 to the slot and pushes it."""
    # Where there is no frame, nothing holds the sum, but it is pushed all the same.
    machine.push(_incremented(machine, slot))


def pre_inc_slot_void(machine: Machine, slot: int) -> None:
    """Adds 1 to the slot."""
    _incremented(machine, slot)


def _incremented(machine: Machine, slot: int) -> int:
    value = wrapped(to_int(machine.slot(slot)) + 1)
    machine.set_slot(slot, value)
    return value


def add_assign_slot_void(machine: Machine, a: int, b: int) -> None:
    """Adds a slot to another."""
    machine.set_slot(a, wrapped(to_int(machine.slot(a)) + to_int(machine.slot(b))))


def slot_lt_int_jump_if_false(machine: Machine, slot: int, limit: int, target: int) -> None:
    """Jumps unless the slot is below the limit."""
    if not to_int(machine.slot(slot)) < limit:
        machine.jump(target)


def slot_inc_lt_int_jump_back(machine: Machine, slot: int, limit: int, target: int) -> None:
    """Adds 1 to the slot and jumps if it is below the limit."""
    value = wrapped(to_int(machine.slot(slot)) + 1)
    if value < limit:
        # Paid for before the slot is written: an op that traps has changed nothing.
        machine.jump(target)
    machine.set_slot(slot, value)


def _affordable(machine: Machine, wanted: int, cost: int = 1) -> int:
    """How many of the iterations that are wanted the fuel allows, each at this cost."""
    fuel = machine.meter.fuel
    return wanted if fuel is None else min(wanted, fuel // cost)


def accum_sum_loop(machine: Machine, total: int, i: int, limit: int) -> None:
    """While i < limit: the sum grows by i, and i by 1."""
    start_sum, start = to_int(machine.slot(total)), to_int(machine.slot(i))
    wanted = max(0, limit - start)
    done = _affordable(machine, wanted)
    machine.meter.pay(done)
    machine.set_slot(total, wrapped(start_sum + done * start + done * (done - 1) // 2))
    machine.set_slot(i, start + done)
    if done < wanted:
        machine.meter.pay()


def concat_const_loop(machine: Machine, index: int, s: int, i: int, limit: int) -> None:
    """While i < limit: the constant's form is appended to s, and i grows by 1."""
    piece = machine.meter.take(machine.constant(index))
    text = machine.meter.take(machine.slot(s))
    machine.meter.settle()
    start = to_int(machine.slot(i))
    wanted = max(0, limit - start)
    done = _affordable(machine, wanted, 1 + len(piece) // WORK_UNITS)
    if piece:
        done = min(done, max(0, machine.meter.limits.value - len(text)) // len(piece))
    machine.meter.pay(done * (1 + len(piece) // WORK_UNITS))
    text += piece * done
    machine.set_slot(s, text)
    machine.set_slot(i, start + done)
    if done < wanted:
        machine.meter.pay()
        machine.meter.sized(len(text) + len(piece))
        machine.meter.work(len(piece))
        raise AssertionError("an iteration that the limits allow was left out")


def push_int_range_loop(machine: Machine, name: int, i: int, limit: int) -> None:
    """While i < limit: i is pushed to the global, and grows by 1."""
    start = to_int(machine.slot(i))
    held = machine.globals.get(name)
    array = held.owned() if isinstance(held, Array) else Array()
    wanted = max(0, limit - start)
    done = _affordable(machine, wanted)
    done = min(done, max(0, machine.meter.limits.value // ELEMENT_BYTES - len(array.items)))
    machine.meter.pay(done)
    array.items += range(start, start + done)
    machine.globals[name] = array
    machine.set_slot(i, start + done)
    if done < wanted:
        machine.meter.pay()
        machine.meter.elements(len(array.items) + 1)
        raise AssertionError("an iteration that the limits allow was left out")


OPS: dict[str, Callable[..., None]] = {
    "PreIncSlot": pre_inc_slot,
    "PreIncSlotVoid": pre_inc_slot_void,
    "AddAssignSlotVoid": add_assign_slot_void,
    "SlotLtIntJumpIfFalse": slot_lt_int_jump_if_false,
    "SlotIncLtIntJumpBack": slot_inc_lt_int_jump_back,
    "AccumSumLoop": accum_sum_loop,
    "ConcatConstLoop": concat_const_loop,
    "PushIntRangeLoop": push_int_range_loop,
}
