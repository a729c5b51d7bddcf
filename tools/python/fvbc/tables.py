"""Arrays, hashes and blocks (chapter 5, sections 5.5 and 5.8), as ops of the machine."""

from __future__ import annotations

from collections.abc import Callable

from .arithmetic import num_gt
from .convert import to_int, truth
from .errors import FvbcError
from .machine import BlockRuns, Machine
from .meter import ENTRY_BYTES
from .values import Array, Hash, Value, share


def element(held: Value, index: Value) -> Value:
    """The element at the index; Undef if there is none, or nothing that has elements."""
    at = to_int(index)
    if not isinstance(held, Array) or not 0 <= at < len(held.items):
        return None
    return share(held.items[at])


def stored(machine: Machine, held: Value, index: Value, value: Value) -> Value:
    """What the variable holds behind a store."""
    if not isinstance(held, Array):
        return held
    at = to_int(index)
    if at < 0:
        raise FvbcError("E0409", f"a store at index {at}")
    gap = at - len(held.items)
    if gap >= 0:
        machine.meter.elements(at + 1)
        machine.meter.work(gap)
    array = held.owned()
    if gap >= 0:
        array.items += [None] * (gap + 1)
    array.items[at] = value
    return array


def array_get(machine: Machine, name: int) -> None:
    """Reads an element of a global."""
    machine.push(element(machine.globals.get(name), machine.pop()))


def array_set(machine: Machine, name: int) -> None:
    """Stores an element of a global."""
    value, index = machine.take(2)
    machine.globals[name] = stored(machine, machine.globals.get(name), index, value)


def slot_array_get(machine: Machine, slot: int) -> None:
    """Reads an element of a slot."""
    machine.push(element(machine.slot(slot), machine.pop()))


def slot_array_set(machine: Machine, slot: int) -> None:
    """Stores an element of a slot."""
    value, index = machine.take(2)
    machine.set_slot(slot, stored(machine, machine.slot(slot), index, value))


def _owned_array(machine: Machine, name: int) -> Array | None:
    """The global's array, to be written to; None if it is none."""
    held = machine.globals.get(name)
    if not isinstance(held, Array):
        return None
    machine.globals[name] = array = held.owned()
    return array


def _owned_hash(machine: Machine, name: int) -> Hash | None:
    held = machine.globals.get(name)
    if not isinstance(held, Hash):
        return None
    machine.globals[name] = table = held.owned()
    return table


def array_push(machine: Machine, name: int) -> None:
    """Appends to a global."""
    value = machine.pop()
    array = _owned_array(machine, name)
    if array is not None:
        machine.meter.elements(len(array.items) + 1)
        array.items.append(value)


def array_pop(machine: Machine, name: int) -> None:
    """Takes the last element."""
    array = _owned_array(machine, name)
    machine.push(array.items.pop() if array is not None and array.items else None)


def array_shift(machine: Machine, name: int) -> None:
    """Takes the first element."""
    array = _owned_array(machine, name)
    machine.push(array.items.pop(0) if array is not None and array.items else None)


def array_len(machine: Machine, name: int) -> None:
    """Pushes the number of elements."""
    held = machine.globals.get(name)
    machine.push(len(held.items) if isinstance(held, Array) else 0)


def push_array(machine: Machine, count: int, items: Callable[[], list[Value]]) -> None:
    """Pushes an array of `count` elements, once its size and its work are found to be within the limits."""
    machine.meter.elements(count)
    machine.meter.work(count)
    machine.push(Array(items()))


def make_array(machine: Machine, count: int) -> None:
    """Makes an array of the topmost values."""
    items = machine.take_present(count)
    push_array(machine, len(items), lambda: items)


def key_form(machine: Machine, key: Value) -> bytes:
    """The bytes of a key, which are paid for."""
    form = machine.meter.take(key)
    machine.meter.work(len(form))
    return form


def hash_get(machine: Machine, name: int) -> None:
    """Reads an entry."""
    key, held = machine.pop(), machine.globals.get(name)
    machine.push(share(held.get(key_form(machine, key))) if isinstance(held, Hash) else None)


def _enter(machine: Machine, table: Hash, key: Value, value: Value) -> None:
    form = key_form(machine, key)
    if form not in table:
        machine.meter.sized(ENTRY_BYTES * (len(table) + 1))
    table.set(form, value)


def hash_set(machine: Machine, name: int) -> None:
    """Stores an entry."""
    value, key = machine.take(2)
    table = _owned_hash(machine, name)
    if table is not None:
        _enter(machine, table, key, value)


def hash_delete(machine: Machine, name: int) -> None:
    """Removes an entry and pushes it."""
    key = machine.pop()
    table = _owned_hash(machine, name)
    machine.push(None if table is None else table.delete(key_form(machine, key)))


def hash_exists(machine: Machine, name: int) -> None:
    """Tells whether the key is there."""
    key, held = machine.pop(), machine.globals.get(name)
    machine.push(isinstance(held, Hash) and key_form(machine, key) in held)


def hash_keys(machine: Machine, name: int) -> None:
    """Pushes the keys."""
    held = machine.globals.get(name)
    table = held if isinstance(held, Hash) else Hash()
    push_array(machine, len(table), lambda: list(table.keys))


def hash_values(machine: Machine, name: int) -> None:
    """Pushes the values."""
    held = machine.globals.get(name)
    table = held if isinstance(held, Hash) else Hash()
    push_array(machine, len(table), lambda: [share(value) for value in table.values])


def make_hash(machine: Machine, count: int) -> None:
    """Makes a hash of the topmost values; of an odd number the last is dropped."""
    values = machine.take_present(count)
    machine.meter.work(len(values) // 2)
    table = Hash()
    for key, value in zip(values[::2], values[1::2]):
        _enter(machine, table, key, value)
    machine.push(table)


def range_of(machine: Machine) -> None:
    """The integers from one to the other."""
    start, end = machine.take(2)
    _push_range(machine, range(to_int(start), to_int(end) + 1))


def range_step(machine: Machine) -> None:
    """The integers by a step, as far as not to pass the end."""
    start, end, step = (to_int(value) for value in machine.take(3))
    if step == 0:
        _push_range(machine, range(0))
    else:
        _push_range(machine, range(start, end + (1 if step > 0 else -1), step))


def _push_range(machine: Machine, numbers: range) -> None:
    # `len` can't tell of more than 2^63 elements.
    count = max(0, (numbers.stop - numbers.start + numbers.step - (1 if numbers.step > 0 else -1)) // numbers.step)
    push_array(machine, count, lambda: list(numbers))


def map_block(machine: Machine, block: int) -> None:
    """Runs the block for each element; its results are the new array."""

    def runs(array: Array) -> BlockRuns:
        results = []
        for item in array.items:
            results.append((yield (item,)))
        machine.push(Array(results))

    _run(machine, block, runs)


def grep_block(machine: Machine, block: int) -> None:
    """Keeps the elements for which the block's result is true."""

    def runs(array: Array) -> BlockRuns:
        kept: list[Value] = []
        for item in array.items:
            if truth((yield (item,))):
                kept.append(item)
        machine.push(Array(kept))

    _run(machine, block, runs)


def sort_block(machine: Machine, block: int) -> None:
    """Sorts by what the block says: merging from the bottom up, asking in a defined order."""

    def runs(array: Array) -> BlockRuns:
        items, width = array.items, 1
        while width < len(items):
            merged: list[Value] = []
            for start in range(0, len(items), 2 * width):
                left, right = start, start + width
                left_end, right_end = min(right, len(items)), min(start + 2 * width, len(items))
                while left < left_end and right < right_end:
                    if num_gt((yield (items[left], items[right])), 0):
                        merged.append(items[right])
                        right += 1
                    else:
                        merged.append(items[left])
                        left += 1
                merged += items[left:left_end] + items[right:right_end]
            items, width = merged, 2 * width
        machine.push(Array(list(items)))

    _run(machine, block, runs)


def for_each_block(machine: Machine, block: int) -> None:
    """Runs the block for each element."""

    def runs(array: Array) -> BlockRuns:
        for item in array.items:
            yield (item,)

    _run(machine, block, runs, drops=True)


def _run(machine: Machine, block: int, runs: Callable[[Array], BlockRuns], *, drops: bool = False) -> None:
    """Takes the operand and runs the block for it; what is no array is pushed back, or dropped."""
    operand = machine.pop()
    if isinstance(operand, Array):
        # Elements go to the stack, and from there anywhere, while the array goes on holding them.
        for item in operand.items:
            share(item)
        machine.run_block(block, lambda: runs(operand))
    elif not drops:
        machine.push(operand)


def sort_default(machine: Machine) -> None:
    """Sorts by the bytes of the string forms, stable."""
    operand = machine.pop()
    if not isinstance(operand, Array):
        machine.push(operand)
        return
    forms: list[bytes] = []
    held = 0
    for item in operand.items:
        if isinstance(item, bytes):
            forms.append(item)
        else:
            forms.append(machine.meter.write(item, held))
            held += len(forms[-1])
    count = len(forms)
    machine.meter.work((count + sum(map(len, forms))) * count.bit_length())
    order = sorted(range(count), key=forms.__getitem__)
    machine.push(Array([share(operand.items[place]) for place in order]))


OPS: dict[str, Callable[..., None]] = {
    "SlotArrayGet": slot_array_get,
    "SlotArraySet": slot_array_set,
    "ArrayGet": array_get,
    "ArraySet": array_set,
    "ArrayPush": array_push,
    "ArrayPop": array_pop,
    "ArrayShift": array_shift,
    "ArrayLen": array_len,
    "MakeArray": make_array,
    "HashGet": hash_get,
    "HashSet": hash_set,
    "HashDelete": hash_delete,
    "HashExists": hash_exists,
    "HashKeys": hash_keys,
    "HashValues": hash_values,
    "MakeHash": make_hash,
    "Range": range_of,
    "RangeStep": range_step,
    "MapBlock": map_block,
    "GrepBlock": grep_block,
    "SortBlock": sort_block,
    "SortDefault": sort_default,
    "ForEachBlock": for_each_block,
}
