"""The canonical text of modules (chapter 6, section 6.8). The twin that reads it is `assemble`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .opcodes import OPS, Instruction
from .plan import Plan
from .record import CALLS, FIXED, FUNCTION, UNKNOWN, Chunk, Import
from .text import (
    CODE_WORDS,
    IMPORT_KINDS,
    IMPORT_WORDS,
    constant_text,
    default_import,
    float_text,
    name_text,
    quoted,
)
from .wire import float_of

SHORT_BYTES = 60
"""A name or constant of more bytes is written out once, and a handler's name not at all."""
SHOWN_CHARACTERS = 40
"""How much of a name or constant a comment shows."""
COMMENT_COLUMN = 40
INDENTED_BLOCKS = 8
"""How many open blocks count for the spaces before an op."""


def print_module(chunks: Iterable[Chunk], meta: dict[str, bytes]) -> str:
    """The text of a whole module."""
    lines = [f".meta {name_text(key)} {quoted(meta[key])}" for key in sorted(meta)]
    for chunk in chunks:
        if lines:
            lines.append("")
        lines += print_chunk(chunk)
    return "\n".join([*lines, ""]) if lines else ""


def print_chunk(chunk: Chunk) -> list[str]:
    """The lines of a chunk's text."""
    return _Printer(chunk).lines


class _Table:
    """Names or constants as the text mentions them: the first time, and where one is long only then, in full."""

    def __init__(self, sizes: list[int], firsts: list[bool], spell: Callable[[int], str], show: Callable[[int], str]):
        self.sizes = sizes
        self.firsts = firsts
        self.spell = spell
        self.show = show
        self.is_out = [False] * len(sizes)

    def mention(self, index: int) -> tuple[str, str | None]:
        """How the entry stands in the text, and the comment that it needs."""
        if index >= len(self.sizes):
            return f"#{index}", None
        if self.firsts[index] and (self.sizes[index] <= SHORT_BYTES or not self.is_out[index]):
            self.is_out[index] = True
            return self.spell(index), None
        return f"#{index}", self.show(index)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def is_first(texts: list[str]) -> list[bool]:
    """Of each text whether none before it is the same."""
    seen: set[str] = set()
    firsts = []
    for text in texts:
        firsts.append(text not in seen)
        seen.add(text)
    return firsts


class _Printer:
    """Prints a chunk's lines one after the other."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        body = self.body = chunk.body
        names = body.names
        constants = [constant_text(value) for value in body.constants]
        first_names, first_constants = is_first(names), is_first(constants)
        self.plan = Plan(body, first_names, first_constants)
        self.names = _Table(
            [len(name.encode()) for name in names],
            first_names,
            lambda index: name_text(names[index]),
            lambda index: name_text(_cut(names[index])),
        )
        self.constants = _Table(
            [len(text.encode()) for text in constants],
            first_constants,
            lambda index: constants[index],
            lambda index: _cut(constants[index]),
        )
        self.handlers: dict[tuple[int, int], str] = {}
        self.lines: list[str] = []
        self._head()
        self._imports()
        self._tables()
        self._code()

    def _head(self) -> None:
        chunk = self.chunk
        self.lines.append(f".chunk {name_text(chunk.name)}")
        if chunk.space:
            self.lines.append(f".space {quoted(chunk.space.encode())}")
        if chunk.key:
            self.lines.append(f".key {quoted(chunk.key)}")
        if chunk.link is not None:
            self.lines.append(f'.link "{chunk.link.hash.hex()}" mtime {chunk.link.mtime} size {chunk.link.size}')
        if chunk.source:
            self.lines.append(f".source {quoted(chunk.source.encode())}")

    def _imports(self) -> None:
        called = set(self.body.called())
        functions: dict[bytes, Import] = {}
        taken: set[tuple[int, str]] = set()
        for row in self.body.imports:
            if row == default_import(row.kind, row.id) and (row.kind, row.id) in called:
                continue
            if row.kind == FUNCTION:
                functions.setdefault(self.body.names[row.id].encode(), row)
                continue
            if row.name and (row.kind, row.name) not in taken:
                taken.add((row.kind, row.name))
                if len(row.name.encode()) <= SHORT_BYTES:
                    self.handlers[row.kind, row.id] = row.name
            self._import(row, [str(row.id), *([name_text(row.name, IMPORT_WORDS)] if row.name else [])])
        for name, row in sorted(functions.items()):
            self._import(row, [name_text(name.decode(), IMPORT_WORDS)])

    def _import(self, row: Import, names: list[str]) -> None:
        words = [".import", IMPORT_KINDS[row.kind], *names]
        if row.space:
            words += ["space", name_text(row.space)]
        if row.effect == UNKNOWN:
            words.append("unknown")
        else:
            words += ["pops", str(row.pops) if row.effect == FIXED else "argc", "pushes", str(row.pushes)]
        touched = [word for word in ("globals", "slots", "frames") if getattr(row, word)]
        words += ["touches", *(["everything"] if len(touched) == 3 else touched or ["nothing"])]
        self.lines.append(" ".join(words))

    def _tables(self) -> None:
        """What is declared ahead."""
        for index in range(self.plan.names):
            self.names.is_out[index] = True
            self.lines.append(f".name {name_text(self.body.names[index])}")
        for index in range(self.plan.constants):
            self.constants.is_out[index] = True
            self.lines.append(f".const {self.constants.spell(index)}")
        for index in range(self.plan.subs):
            self.lines.append(f"{self._sub(index)} at {self._target(self.body.subs[index].entry)}")
        for index in range(self.plan.blocks):
            block = self.body.blocks[index]
            self.lines.append(f".block B{index} from {self._target(block.start)} to {self._target(block.end)}")

    def _sub(self, index: int) -> str:
        sub = self.body.subs[index]
        return f".sub {self.names.mention(sub.name)[0]}" + ("" if sub.argc is None else f" args {sub.argc}")

    def _code(self) -> None:
        code = self.body.code
        if code:
            self.lines.append("")
        subs = iter(range(self.plan.subs, len(self.body.subs)))
        blocks = iter(range(self.plan.blocks, len(self.body.blocks)))
        sub, block = next(subs, None), next(blocks, None)
        open_blocks: list[int] = []
        line = 0
        for place in range(len(code) + 1):
            self._close_blocks(place, open_blocks)
            while sub is not None and self.body.subs[sub].entry == place:
                self._blank()
                self.lines.append(self._sub(sub))
                sub = next(subs, None)
            while block is not None and self.body.blocks[block].start == place:
                self._open_block(block, open_blocks)
                self._close_blocks(place, open_blocks)
                block = next(blocks, None)
            if place in self.plan.labels:
                self.lines.append(f"{self._target(place)}:")
            if place == len(code):
                break
            indent = self._indent(open_blocks)
            if self.chunk.lines[place] != line:
                line = self.chunk.lines[place]
                self.lines.append(f"{indent}.line {line}")
            self.lines.append(indent + self._instruction(code[place], len(indent)))

    def _blank(self) -> None:
        if self.lines[-1]:
            self.lines.append("")

    def _open_block(self, index: int, open_blocks: list[int]) -> None:
        if not open_blocks:
            self._blank()
        self.lines.append(f"{self._indent(open_blocks)}.block B{index}")
        open_blocks.append(self.body.blocks[index].end)

    def _close_blocks(self, place: int, open_blocks: list[int]) -> None:
        while open_blocks and open_blocks[-1] == place:
            open_blocks.pop()
            self.lines.append(f"{self._indent(open_blocks)}.endblock")

    @staticmethod
    def _indent(open_blocks: list[int]) -> str:
        return "    " * (1 + min(len(open_blocks), INDENTED_BLOCKS))

    def _instruction(self, instruction: Instruction, indent: int) -> str:
        op = OPS[instruction[0]]
        words, comments = [op.mnemonic], []
        for (name, kind), value in zip(op.operands, instruction[1:]):
            word, comment = self._operand(op.name, name, kind, value)
            words.append(word)
            if comment is not None:
                comments.append(comment)
        text = " ".join(words)
        if comments:
            text += " " * max(COMMENT_COLUMN - indent - len(text), 1) + "; " + "  ".join(comments)
        return text

    def _operand(self, op: str, name: str, kind: str, value: int) -> tuple[str, str | None]:
        """How an operand stands in the text, and the comment that it needs."""
        if kind == "const":
            return self.constants.mention(value)
        if kind == "name":
            return self.names.mention(value)
        if kind == "float":
            return float_text(float_of(value)), None
        if kind == "block":
            return f"B{value}" if value < len(self.body.blocks) else f"#{value}", None
        if kind == "target":
            return self._target(value), None
        if kind == "id":
            handler = self.handlers.get((CALLS[op], value))
            return str(value) if handler is None else name_text(handler), None
        words = CODE_WORDS.get((op, name), ())
        return words[value] if kind == "code" and value < len(words) else str(value), None

    def _target(self, place: int) -> str:
        label = self.plan.labels.get(place)
        return f"@{place}" if label is None else f"L{label}"
