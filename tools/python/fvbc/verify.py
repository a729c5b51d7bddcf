"""Verification (chapter 4): whether a chunk is strict, and if not, its first error and the op that it is at.

The four stages are functions in the order of the chapter; `_Walk` is the walk of section 4.7, which decides which error
is the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import limits
from .errors import FvbcError
from .opcodes import BY_NAME, OPS, Instruction, effect
from .record import (
    ARGUMENTS,
    BUILTIN,
    EXTENSION,
    FIXED,
    FUNCTION,
    UNKNOWN,
    WIDE_EXTENSION,
    Block,
    Body,
    Chunk,
    Import,
)

MAX_SCOPES = 65_535
"""Scopes that may be open in a region beside its outermost one (4.5)."""

CALLS = {"CallBuiltin": BUILTIN, "Extended": EXTENSION, "ExtendedWide": WIDE_EXTENSION}
"""The ops that call what the import table declares, with its kind."""

_BLOCK_ENTRY = {
    "MapBlock": (1, True),
    "GrepBlock": (1, True),
    "SortBlock": (2, True),
    "ForEachBlock": (1, False),
    "CmdSubst": (0, False),
    "ProcessSubIn": (0, False),
    "ProcessSubOut": (0, False),
    "TrapSet": (0, False),
}
"""Ops that use a block: the height at its entry, and whether they demand that it leaves one value (4.1)."""

_JUMP, _RETURN, _RETURN_VALUE = (BY_NAME[name].byte for name in ("Jump", "Return", "ReturnValue"))
_PUSH_FRAME, _POP_FRAME, _CALL = (BY_NAME[name].byte for name in ("PushFrame", "PopFrame", "Call"))
_TARGETS = {
    op.byte: [kind for _, kind in op.operands].index("target") + 1
    for op in OPS.values()
    if "target" in [kind for _, kind in op.operands]
}
"""By byte of a jump or branch, where its target stands in the instruction."""


@dataclass(frozen=True)
class Verdict:
    """What verification finds: the chunk's height (4.6) if it is strict, else the first error."""

    height: int
    error: FvbcError | None = None

    @property
    def strict(self) -> bool:
        """Whether there is no error."""
        return self.error is None


def verify(body: Body) -> Verdict:
    """Looks at a body as it is, whatever it says of itself."""
    try:
        _check_tables(body)
        _check_ops(body)
        return Verdict(_Flow(body, _Subs(body)).height)
    except FvbcError as error:
        return Verdict(0, error)


def check_declared(chunk: Chunk) -> Verdict:
    """Refuses a chunk that says it is strict and isn't, one that is and doesn't say so, and one of another height;
    and tables that no writer gives the chunk."""
    verdict = verify(chunk.body)
    if chunk.body.loose and verdict.strict:
        raise FvbcError("E0118", "a strict chunk that says it is loose", chunk=chunk.name)
    if not chunk.body.loose and verdict.error is not None:
        raise verdict.error.within(chunk=chunk.name)
    if not chunk.body.loose and verdict.height + 1 != chunk.body.height:
        message = f"height {verdict.height}, declared is {chunk.body.height - 1}"
        raise FvbcError("E0216", message, chunk=chunk.name)
    try:
        _check_canonical(chunk.body)
    except FvbcError as error:
        raise error.within(chunk=chunk.name) from None
    return verdict


def _check_canonical(body: Body) -> None:
    """What 2.2 and 2.4 ask of the tables of subs and imports for the sake of one form."""
    declared: dict[int, int | None] = {}
    for sub in body.subs:
        if declared.setdefault(sub.name, sub.argc) != sub.argc:
            raise FvbcError("E0118", f"subs of name {sub.name} that declare other arguments", part="subs")
    called = set(body.called())
    lacking = called.difference((row.kind, row.id) for row in body.imports)
    if lacking:
        raise FvbcError("E0118", f"calls without a row: {sorted(lacking)[:3]}", part="imports")
    called_names = {body.names[number] for kind, number in called if kind == FUNCTION}
    first: dict[str, int] = {}
    for number, name in enumerate(body.names):
        first.setdefault(name, number)
    rows: dict[str, Import] = {}
    for row in body.imports:
        if row.kind != FUNCTION:
            continue
        name = body.names[row.id]
        if (row.kind, row.id) not in called and (name in called_names or row.id != first[name]):
            raise FvbcError("E0118", f"a row for name {row.id}, which isn't called", part="imports")
        if replace(row, id=0) != rows.setdefault(name, replace(row, id=0)):
            raise FvbcError("E0118", f"functions named {name[:30]!r} that differ", part="imports")


def declared_height(body: Body) -> int:
    """The height that a record of this body has to declare."""
    verdict = verify(body)
    return verdict.height + 1 if verdict.strict else 0


def _check_tables(body: Body) -> None:
    """The first stage (4.2)."""
    limits.within(len(body.code), limits.OPS, "ops")
    for table in (body.constants, body.names, body.subs, body.blocks, body.imports):
        limits.within(len(table), limits.POOL, "entries of a table")
    for index, sub in enumerate(body.subs):
        if sub.name >= len(body.names):
            raise FvbcError("E0205", f"sub {index} has name {sub.name}", part="subs")
        if sub.entry >= len(body.code):
            raise FvbcError("E0208", f"sub {index} begins at op {sub.entry}", part="subs")
    for index, block in enumerate(body.blocks):
        if block.end > len(body.code):
            raise FvbcError("E0206", f"block {index} ends at op {block.end}", part="blocks")
    before: tuple[int, int] | None = None
    for index, row in enumerate(body.imports):
        if before is not None and (row.kind, row.id) <= before:
            raise FvbcError("E0209", f"import {index} is not in order", part="imports")
        before = (row.kind, row.id)
        if row.kind == FUNCTION and row.id >= len(body.names):
            raise FvbcError("E0205", f"import {index} has name {row.id}", part="imports")
        if row.kind == WIDE_EXTENSION and row.effect == ARGUMENTS:
            raise FvbcError("E0209", f"import {index} has no operand that counts arguments", part="imports")


def _check_ops(body: Body) -> None:
    """The second stage (4.3)."""
    tables = {
        "const": ("E0204", len(body.constants)),
        "name": ("E0205", len(body.names)),
        "block": ("E0206", len(body.blocks)),
        "target": ("E0207", len(body.code) + 1),
    }
    subs = {sub.name for sub in body.subs}
    imports = {(row.kind, row.id) for row in body.imports}
    for at, instruction in enumerate(body.code):
        op = OPS[instruction[0]]
        for (name, kind), value in zip(op.operands, instruction[1:]):
            if kind in tables and value >= tables[kind][1]:
                raise FvbcError(tables[kind][0], f"{name} {value}, there are {tables[kind][1]}", op=at)
        if op.declared and not (op.byte == _CALL and instruction[1] in subs):
            kind_of_import = FUNCTION if op.byte == _CALL else CALLS[op.name]
            if (kind_of_import, instruction[1]) not in imports:
                raise FvbcError("E0209", f"{op.name} of {instruction[1]} without a row in the import table", op=at)


_OPENS = {"PipelineBegin": "pipeline", "SubshellBegin": "subshell", "RedirectMark": "redirections"}
_CLOSES = {"PipelineEnd": "pipeline", "SubshellEnd": "subshell", "RedirectPop": "redirections"}
_MARKS = {BY_NAME[name].byte for name in (*_OPENS, *_CLOSES, "PipelineStage")}
"""The bytes of the ops that pair (4.1)."""


class Segments:
    """The pairs of a chunk and the segments between their marks (4.1)."""

    def __init__(self, code: list[Instruction]) -> None:
        # By mark that pairs: the first mark of its pair, and the next one, None for the last.
        self.marks: dict[int, tuple[int, int | None]] = {}
        opened: list[tuple[str, int, list[int]]] = []
        for at, instruction in enumerate(code):
            if instruction[0] not in _MARKS:
                continue
            name = OPS[instruction[0]].name
            if name in _OPENS:
                opened.append((_OPENS[name], instruction[1] if len(instruction) > 1 else 1, [at]))
            elif opened and opened[-1][0] == _CLOSES.get(name, "pipeline"):
                opened[-1][2].append(at)
                if name in _CLOSES:
                    _, stages, marks = opened.pop()
                    if len(marks) == stages + 1:
                        following: list[int | None] = [*marks[1:], None]
                        self.marks.update((mark, (marks[0], after)) for mark, after in zip(marks, following))
        # By op, the mark that begins its segment; one more, for the end of the ops.
        self.of: list[int | None] = []
        segment: int | None = None
        around: list[int | None] = []
        for at in range(len(code) + 1):
            self.of.append(segment)
            if at in self.marks:
                opener, end = self.marks[at]
                if opener == at:
                    around.append(segment)
                segment = around.pop() if end is None else at

    def end(self, at: int) -> int | None:
        """The mark that ends the segment which the op begins; None if it begins none."""
        return self.marks[at][1] if at in self.marks else None

    def crosses(self, at: int, following: int) -> bool:
        """Whether an edge leaves the segment that control is in behind its first op."""
        return self.of[at + 1] != self.of[following]


class _Notes:
    """What a stage has noted for ops, and the walk that notes it (4.7)."""

    NEW, PENDING, DONE = range(3)

    def __init__(self, code: list[Instruction], segments: Segments) -> None:
        self.code = code
        self.segments = segments
        self.marks = bytearray(len(code))

    def walk(self, entry: int, begins: int) -> None:
        """Walks from an entry; `begins` is the op at which the edge to it begins."""
        pending: list[int] = []
        at = self._goes_on(begins, entry)
        while True:
            while at is None:
                if not pending:
                    return
                top = pending.pop()
                if self.marks[top] == self.PENDING:
                    self.marks[top] = self.DONE
                    at = top
            instruction = self.code[at]
            if not self.look(at, instruction):
                at = None
                continue
            place = _TARGETS.get(instruction[0])
            if instruction[0] == _JUMP:
                at = self._goes_on(at, instruction[1])
                continue
            target = self.segments.end(at) if place is None else instruction[place]
            if target is not None:
                if self.edge(at, target) and self.marks[target] == self.NEW:
                    self.note(target)
                    self.marks[target] = self.PENDING
                    pending.append(target)
            at = self._goes_on(at, at + 1)

    def _goes_on(self, at: int, following: int) -> int | None:
        """The edge on which a path goes on: the op that it comes to, None where it ends."""
        if not self.edge(at, following) or self.marks[following] == self.DONE:
            return None
        if self.marks[following] == self.NEW:
            self.note(following)
        self.marks[following] = self.DONE
        return following

    def look(self, at: int, instruction: Instruction) -> bool:
        """Looks at an op; tells whether the path goes on behind it."""
        raise NotImplementedError

    def edge(self, at: int, following: int) -> bool:
        """Checks an edge; tells whether there is an op at its end."""
        raise NotImplementedError

    def note(self, at: int) -> None:
        """Notes what holds before an op."""
        raise NotImplementedError


class _Subs(_Notes):
    """The third stage (4.4): argument counts and arities."""

    def __init__(self, body: Body) -> None:
        super().__init__(body.code, Segments(body.code))
        self.body = body
        # By name index, the first row of a sub.
        self.rows: dict[int, int] = {}
        for row, sub in enumerate(body.subs):
            self.rows.setdefault(sub.name, row)
        called: dict[int, int] = {}
        for instruction in body.code:
            if instruction[0] == _CALL and instruction[1] in self.rows:
                called.setdefault(self.rows[instruction[1]], instruction[2])
        self.argc = [called.get(row, 0) if sub.argc is None else sub.argc for row, sub in enumerate(body.subs)]
        # By row, the return op that decides its arity; nothing for a sub that never returns.
        self.returns: dict[int, int] = {}
        self.row = 0
        self.noted: dict[int, int] = {}
        for row in sorted(called):
            self.row = row
            self.walk(body.subs[row].entry, body.subs[row].entry)

    def look(self, at: int, instruction: Instruction) -> bool:
        if instruction[0] not in (_RETURN, _RETURN_VALUE):
            return True
        self.check_return(self.row, at, instruction)
        return False

    def check_return(self, row: int, at: int, instruction: Instruction) -> None:
        """The first return of a sub decides its arity; one of another arity is refused."""
        if self.returns.setdefault(row, instruction[0]) != instruction[0]:
            raise FvbcError("E0214", "another return of the sub leaves another number of values", op=at)

    def edge(self, at: int, following: int) -> bool:
        if following == len(self.code):
            return False
        if self.noted.get(following, self.row) != self.row:
            raise FvbcError("E0212", f"op {following} belongs to another sub", op=at)
        return True

    def note(self, at: int) -> None:
        self.noted[at] = self.row


@dataclass(frozen=True, eq=False)
class _Scope:
    """A scope; two are the same if they are the same object."""

    base: int
    around: _Scope | None
    depth: int
    opened_by: int | None = None


@dataclass(eq=False)
class _Region:
    """A region (4.1): the main program, a sub of this row, or a block that an op uses."""

    row: int | None = None
    block: Block | None = None
    one_value: bool = False


@dataclass(frozen=True)
class _Use:
    """The first use of a block that a walk came to."""

    op: int
    entry_height: int
    one_value: bool


class _Flow(_Notes):
    """The fourth stage (4.5), and the height that comes of it (4.6)."""

    def __init__(self, body: Body, subs: _Subs) -> None:
        super().__init__(body.code, subs.segments)
        self.body = body
        self.subs = subs
        self.imports: dict[tuple[int, int], Import] = {(row.kind, row.id): row for row in body.imports}
        # In the order in which walks came to them; it grows while blocks are walked through.
        self.uses: dict[int, _Use] = {}
        self.height = 0
        # What is noted for each op: region, innermost scope, height before it.
        self.states: dict[int, tuple[_Region, _Scope, int]] = {}
        self._region(_Region(), 0, 0, 0)
        for row, sub in enumerate(body.subs):
            self._region(_Region(row=row), sub.entry, subs.argc[row], sub.entry)
        walked = 0
        while walked < len(self.uses):
            for index in list(self.uses)[walked:]:
                use, block = self.uses[index], body.blocks[index]
                self._region(_Region(block=block, one_value=use.one_value), block.start, use.entry_height, use.op)
                walked += 1

    def _region(self, region: _Region, entry: int, height: int, begins: int) -> None:
        self.region = region
        self.scope = _Scope(0, None, 1)
        self.now = height
        self.height = max(self.height, height)
        self.entering = True
        self.walk(entry, begins)

    def look(self, at: int, instruction: Instruction) -> bool:
        self.entering = False
        self.region, self.scope, self.now = self.states[at]
        takes, leaves = self._effect(at, instruction)
        if self.now - self.scope.base < takes:
            raise FvbcError("E0211", f"{takes} values taken, {self.now - self.scope.base} are there", op=at)
        self.now += leaves - takes
        if self.now > limits.STACK_HEIGHT:
            raise FvbcError("E0220", f"{self.now} values", op=at)
        goes_on = self._by_op(at, instruction)
        self.height = max(self.height, self.now)
        return goes_on

    def _effect(self, at: int, instruction: Instruction) -> tuple[int, int]:
        """What the op takes and leaves, after the checks of calls."""
        op = OPS[instruction[0]]
        if not op.declared:
            return effect(instruction)
        if op.byte == _CALL and instruction[1] in self.subs.rows:
            row = self.subs.rows[instruction[1]]
            if instruction[2] != self.subs.argc[row]:
                raise FvbcError("E0213", f"{instruction[2]} arguments, the sub has {self.subs.argc[row]}", op=at)
            return self.subs.argc[row], int(self.subs.returns.get(row) == _RETURN_VALUE)
        declared = self.imports[FUNCTION if op.byte == _CALL else CALLS[op.name], instruction[1]]
        if declared.effect == UNKNOWN:
            raise FvbcError("E0217", "the import's effect is unknown", op=at)
        if declared.frames:
            raise FvbcError("E0218", "the import may touch frames", op=at)
        return declared.pops if declared.effect == FIXED else instruction[2], declared.pushes

    def _by_op(self, at: int, instruction: Instruction) -> bool:
        byte = instruction[0]
        if byte in (_RETURN, _RETURN_VALUE):
            if self.region.block is not None:
                raise FvbcError("E0212", "a return within a block", op=at)
            if self.region.row is not None:
                self.subs.check_return(self.region.row, at, instruction)
            return False
        if byte == _PUSH_FRAME:
            if self.scope.depth == MAX_SCOPES + 1:
                raise FvbcError("E0220", f"{MAX_SCOPES} scopes are open", op=at)
            self.scope = _Scope(self.now, self.scope, self.scope.depth + 1, at)
        elif byte == _POP_FRAME:
            if self.scope.around is None:
                raise FvbcError("E0215", "no scope is open", op=at)
            if self.segments.of[self.scope.opened_by or 0] != self.segments.of[at]:
                raise FvbcError("E0215", "the scope was opened outside of this pair of ops", op=at)
            self.now, self.scope = self.scope.base, self.scope.around
        elif byte in _MARKS:
            opener, _ = self.segments.marks.get(at, (None, None))
            if opener is None or opener not in self.states or self.states[opener][0] is not self.region:
                raise FvbcError("E0215", "the op pairs with none that control came through", op=at)
        elif OPS[byte].name in _BLOCK_ENTRY:
            self._use(at, instruction[1], *_BLOCK_ENTRY[OPS[byte].name])
        return True

    def _use(self, at: int, index: int, entry_height: int, one_value: bool) -> None:
        first = self.uses.setdefault(index, _Use(at, entry_height, one_value))
        if first.entry_height != entry_height:
            raise FvbcError("E0210", f"op {first.op} begins the block with {first.entry_height} values", op=at)
        if first.one_value != one_value:
            raise FvbcError("E0219", f"op {first.op} asks another number of values of the block", op=at)

    def edge(self, at: int, following: int) -> bool:
        block = self.region.block
        if not self.entering:
            place = block.start if block is not None and following == block.end else following
            if self.segments.crosses(at, place):
                raise FvbcError("E0212", f"op {following} is not within the same pair of ops", op=at)
        if block is not None:
            if not block.start <= following <= block.end:
                raise FvbcError("E0212", f"op {following} is not in the block", op=at)
            if following == block.end:
                if self.scope.around is not None:
                    raise FvbcError("E0215", "the block ends within a scope", op=at)
                if self.region.one_value and self.now != 1:
                    raise FvbcError("E0219", f"the block leaves {self.now} values", op=at)
                return False
        if following == len(self.code):
            return False
        state = self.states.get(following)
        if state is not None:
            region, scope, height = state
            if region is not self.region:
                raise FvbcError("E0212", f"op {following} belongs to another region", op=at)
            if scope is not self.scope:
                raise FvbcError("E0215", f"op {following} is reached within another scope", op=at)
            if height != self.now:
                raise FvbcError("E0210", f"op {following} is reached with {height} and {self.now} values", op=at)
        return True

    def note(self, at: int) -> None:
        self.states[at] = (self.region, self.scope, self.now)
