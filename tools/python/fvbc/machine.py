"""The state of a run (chapter 5, section 5.2), and what all ops need of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import BinaryIO

from .errors import FvbcError
from .meter import Limits, Meter
from .opcodes import Instruction
from .record import Block, Body, Chunk, Import
from .values import Value

BlockRuns = Generator[tuple[Value, ...], Value, None]
"""An op that runs a block: it yields what to push for a run, and gets the run's result."""


@dataclass
class Frame:
    """A frame: the program's, a call's or a scope's. `returns_to` is where a call goes on, None for the others."""

    base: int
    returns_to: int | None = None
    by_exec: bool = False
    slots: dict[int, Value] = field(default_factory=dict)

    @property
    def is_call(self) -> bool:
        """Whether it is a call's."""
        return self.returns_to is not None


@dataclass
class BlockRun:
    """A block that is active: the op that runs it, and what there was before its current run."""

    op: int
    block: Block
    runs: BlockRuns
    frames: int
    height: int = 0


class Machine:
    """A run's state. Ops are functions of the machine and their operands (`interpret`)."""

    def __init__(self, chunk: Chunk, limits: Limits, stdin: BinaryIO) -> None:
        self.chunk = chunk
        self.body: Body = chunk.body
        self.code: list[Instruction] = chunk.body.code
        self.meter = Meter(limits)
        self.stdin = stdin
        self.output = bytearray()
        self.stack: list[Value] = []
        self.frames: list[Frame] = [Frame(0)]
        self.blocks: list[BlockRun] = []
        self.globals: dict[int, Value] = {}
        self.status = 0
        self.at = 0
        """The op that is executed."""
        self.next = 0
        """The op to go on with."""
        self.calls = 0
        """How many calls are active."""
        self.over = False
        # By mark of redirections, how many frames there were.
        self.marks: list[int] = []
        self.subs: dict[int, int] = {}
        for sub in self.body.subs:
            self.subs.setdefault(sub.name, sub.entry)
        self.imports: dict[tuple[int, int], Import] = {(row.kind, row.id): row for row in self.body.imports}

    def take(self, count: int) -> list[Value]:
        """Takes the `count` topmost values, bottom to top; Undef for each one that is missing (5.13)."""
        missing = max(0, count - len(self.stack))
        return [None] * missing + self.take_present(count - missing)

    def take_present(self, count: int) -> list[Value]:
        """Takes the `count` topmost values, or as many as there are, bottom to top."""
        keep = max(0, len(self.stack) - count)
        taken = self.stack[keep:]
        del self.stack[keep:]
        return taken

    def pop(self) -> Value:
        """Takes the top; Undef if there is none."""
        return self.stack.pop() if self.stack else None

    def push(self, value: Value) -> None:
        """Pushes a value."""
        self.stack.append(value)

    def cut(self, height: int) -> None:
        """Cuts the stack down; never makes it higher."""
        del self.stack[height:]

    def slot(self, index: int) -> Value:
        """The slot of the innermost frame; Undef if there is no frame at all (5.7)."""
        return self.frames[-1].slots.get(index) if self.frames else None

    def set_slot(self, index: int, value: Value) -> None:
        """Writes the slot of the innermost frame; dropped if there is no frame at all."""
        if self.frames:
            self.frames[-1].slots[index] = value

    def constant(self, index: int) -> Value:
        """The constant; Undef if it isn't there (5.13)."""
        return self.body.constants[index] if index < len(self.body.constants) else None

    def running_block(self) -> BlockRun | None:
        """The block that control is in: the innermost one, unless a call was made within it."""
        if not self.blocks:
            return None
        block = self.blocks[-1]
        return None if any(frame.is_call for frame in self.frames[block.frames :]) else block

    def jump(self, target: int) -> None:
        """Takes a jump (5.6): a backward one is paid for, and none leaves the block that control is in."""
        block = self.running_block()
        if block is not None and not block.block.start <= target <= block.block.end:
            raise FvbcError("E0412", f"a jump out of the block, to op {target}")
        if target <= self.at:
            self.meter.pay()
        self.next = target

    @property
    def depth(self) -> int:
        """How many calls and blocks are active."""
        return self.calls + len(self.blocks)

    def call(self, entry: int, argc: int, *, by_exec: bool = False) -> None:
        """Calls a sub whose arguments are on the stack (5.7)."""
        self.meter.pay()
        self.meter.deepened(self.depth + 1)
        self.calls += 1
        self.frames.append(Frame(max(0, len(self.stack) - argc), self.at + 1, by_exec))
        self.next = entry

    def push_scope(self) -> None:
        """Opens a scope."""
        self.frames.append(Frame(len(self.stack)))

    def pop_frame(self) -> None:
        """Takes the innermost frame, of whatever kind (5.7), and cuts the stack down to its base."""
        if self.blocks and len(self.frames) == self.blocks[-1].frames:
            raise FvbcError("E0412", "a block closes a scope that it didn't open")
        if self.frames:
            frame = self.frames.pop()
            self.calls -= frame.is_call
            self.cut(frame.base)

    def run_block(self, index: int, runs: Callable[[], BlockRuns]) -> None:
        """Begins an op that runs a block (5.8)."""
        if index >= len(self.body.blocks) or self.body.blocks[index].end > len(self.code):
            raise FvbcError("E0412", f"block {index} is not within the code")
        self._next_run(BlockRun(self.at, self.body.blocks[index], runs(), len(self.frames)), None)

    def _next_run(self, run: BlockRun, result: Value) -> None:
        """Gives an op its block's result, and begins the next run if it wants one."""
        try:
            pushed = run.runs.send(result)
        except StopIteration:
            if self.blocks and self.blocks[-1] is run:
                self.blocks.pop()
            self.next = run.op + 1
            return
        self.meter.pay()
        if not (self.blocks and self.blocks[-1] is run):
            self.meter.deepened(self.depth + 1)
            self.blocks.append(run)
        run.height = len(self.stack)
        self.stack += pushed
        self.next = run.block.start

    def end_of_block(self) -> bool:
        """Ends the current run if control has come to the end of the block that it is in."""
        run = self.running_block()
        if run is None or self.next != run.block.end:
            return False
        self.at = run.op
        result = self.stack[-1] if len(self.stack) > run.height else None
        self.cut(run.height)
        del self.frames[run.frames :]
        self._next_run(run, result)
        return True
