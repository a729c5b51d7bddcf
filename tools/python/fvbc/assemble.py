"""The text form, read (chapter 6). The twin that prints it is `text`.

A text is read line by line into `_Chunk`, whose tables fill in the order of the text; what may stand before its
definition (labels, blocks, names of handlers) is resolved at the chunk's end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from . import limits
from .constants import alike_key
from .cursor import Cursor
from .errors import FvbcError
from .lexer import text_lines, tokens
from .opcodes import BY_MNEMONIC, Op
from .record import ARGUMENTS, CALLS, FIXED, FUNCTION, UNKNOWN, Block, Chunk, Import, Link, Sub
from .text import CODE_WORDS, IMPORT_KINDS, IMPORT_WORDS, default_import
from .values import Value
from .verify import declared_height
from .wire import I64_MAX, I64_MIN, U64_MAX

_RANGES = {
    "int": (I64_MIN, I64_MAX),
    "imm": (-(1 << 31), (1 << 31) - 1),
    "slot": (0, 65_535),
    "count": (0, 65_535),
    "count8": (0, 255),
    "argc": (0, 255),
    "code": (0, 255),
    "id": (0, 65_535),
    "payload": (0, U64_MAX),
}
"""What an integer operand of each kind may be (chapter 3)."""

_KINDS = {word: kind for kind, word in IMPORT_KINDS.items()}


def assemble(text: bytes) -> tuple[list[Chunk], dict[str, bytes]]:
    """The chunks and the metadata that a text is; raises the first error, which names the line."""
    assembler = _Assembler()
    for number, line in text_lines(text):
        try:
            assembler.line(number, line)
        except FvbcError as error:
            raise error.within(part=f"line {number}") from None
    assembler.end_chunk()
    return assembler.chunks, assembler.meta


@dataclass
class _Scope:
    """Where names of slots belong: a sub's text, or the chunk."""

    slots: dict[str, int] = field(default_factory=dict)
    highest: int = -1

    def add(self, name: str, number: int) -> int:
        """Gives the name this number."""
        if number > 65_535:
            raise FvbcError("E0315", "more than 65,536 slots")
        self.slots[name] = number
        self.highest = max(self.highest, number)
        return number


class _Assembler:
    """The module so far."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.meta: dict[str, bytes] = {}
        self.names: set[tuple[str, str]] = set()
        self.chunk: _Chunk | None = None

    def line(self, number: int, line: str) -> None:
        """Reads a line."""
        cursor = Cursor(tokens(line))
        while (token := cursor.peek()) is not None and (mark := cursor.peek(1)) is not None:
            if token.kind != "word" or (mark.kind, mark.text) != ("mark", ":"):
                break
            self._chunk(number).label(token.text)
            cursor.at += 2
        token = cursor.peek()
        if token is None:
            return
        cursor.at += 1
        if token.kind == "word":
            self._chunk(number).op(token.text, cursor)
        elif token.kind != "directive":
            raise FvbcError("E0309", f"{token.text[:30]!r} begins no line")
        elif token.text == ".meta":
            self._meta(cursor)
        elif token.text == ".chunk":
            self.end_chunk()
            self.chunk = _Chunk(cursor.name("name"), number)
        else:
            self._chunk(number).directive(token.text, cursor)
        cursor.end()

    def _meta(self, cursor: Cursor) -> None:
        if self.chunk is not None:
            raise FvbcError("E0314", "`.meta` behind the first chunk")
        key = cursor.name("key")
        if key in self.meta:
            raise FvbcError("E0313", f"the key {key!r} is there already")
        self.meta[key] = cursor.bytes("value")

    def _chunk(self, number: int) -> _Chunk:
        """The chunk that a line belongs to: without any so far, one named `main`."""
        if self.chunk is None:
            self.chunk = _Chunk("main", number)
        self.chunk.number = number
        return self.chunk

    def end_chunk(self) -> None:
        """Finishes the current chunk, if there is one."""
        if self.chunk is None:
            return
        chunk = self.chunk.finish()
        if (chunk.space, chunk.name) in self.names:
            raise FvbcError("E0117", "another chunk has its name", chunk=chunk.name)
        self.names.add((chunk.space, chunk.name))
        self.chunks.append(chunk)


class _Chunk:
    """A chunk being read."""

    def __init__(self, name: str, number: int) -> None:
        self.chunk = Chunk(name=name)
        self.body = self.chunk.body
        self.number = number
        self.once: set[str] = set()
        self.code: list[list[int]] = []
        self.first_name: dict[str, int] = {}
        self.first_constant: dict[bytes, int] = {}
        self.constant_words: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self.blocks: dict[str, int] = {}
        self.open_blocks: list[int] = []
        self.scope = self.chunk_scope = _Scope()
        self.imports: dict[tuple[int, int], Import] = {}
        self.functions: dict[str, Import] = {}
        self.arguments: dict[int, int] = {}
        self.handlers: dict[tuple[int, str], int] = {}
        self.source_line: int | None = 0
        # What is looked up at the end, with the line that asks for it.
        self.pending: list[tuple[str, Callable[[], None]]] = []
        self.directives: dict[str, Callable[[Cursor], None]] = {
            ".space": self._space,
            ".key": self._key,
            ".source": self._source,
            ".link": self._link,
            ".import": self._import,
            ".name": self._name,
            ".const": self._const,
            ".slot": self._slot,
            ".sub": self._sub,
            ".end": self._end,
            ".block": self._block,
            ".endblock": self._endblock,
            ".line": self._line,
        }

    def label(self, name: str) -> None:
        """The label means the next op."""
        if name in self.labels:
            raise FvbcError("E0311", name[:30])
        self.labels[name] = len(self.code)

    def directive(self, word: str, cursor: Cursor) -> None:
        """A directive that belongs to a chunk."""
        if word not in self.directives:
            raise FvbcError("E0306", word[:30])
        if word in (".space", ".key", ".source", ".link"):
            if word in self.once:
                raise FvbcError("E0313", f"a second {word}")
            self.once.add(word)
        self.directives[word](cursor)

    def _space(self, cursor: Cursor) -> None:
        self.chunk.space = cursor.name("name space")

    def _key(self, cursor: Cursor) -> None:
        self.chunk.key = cursor.bytes("key")
        limits.within(len(self.chunk.key), limits.NAME_BYTES, "bytes of a key")

    def _source(self, cursor: Cursor) -> None:
        self.chunk.source = cursor.name("source name")

    def _link(self, cursor: Cursor) -> None:
        token = cursor.next("hash")
        digits = token.data.decode("latin-1")
        if token.kind != "string" or len(digits) != 64 or not set(digits) <= set("0123456789abcdefABCDEF"):
            raise FvbcError("E0309", "a hash is a string of 64 hex digits")
        cursor.expect("mtime")
        mtime = cursor.integer("mtime", I64_MIN, I64_MAX)
        cursor.expect("size")
        self.chunk.link = Link(bytes.fromhex(digits), mtime, cursor.integer("size", 0, U64_MAX))

    def _import(self, cursor: Cursor) -> None:
        word = cursor.word("kind of import")
        if word not in _KINDS:
            raise FvbcError("E0309", f"{word[:30]!r} is no kind of import")
        kind = _KINDS[word]
        name = ""
        number = 0
        if kind == FUNCTION:
            name = cursor.name("name")
        else:
            number = cursor.integer("number", 0, 65_535)
            token = cursor.peek()
            if token is not None and not (token.kind == "word" and token.text in IMPORT_WORDS):
                name = cursor.name("name")
        if name in self.functions if kind == FUNCTION else (kind, number) in self.imports:
            raise FvbcError("E0313", "it is imported already")
        row = default_import(kind, number)
        if cursor.takes("space"):
            row = replace(row, space=cursor.name("name space"))
        if cursor.takes("pops"):
            effect = ARGUMENTS if cursor.takes("argc") else FIXED
            pops = cursor.integer("number of values", 0, 255) if effect == FIXED else 0
            cursor.expect("pushes")
            row = replace(row, effect=effect, pops=pops, pushes=cursor.integer("number of values", 0, 255))
        elif cursor.takes("unknown"):
            row = replace(row, effect=UNKNOWN, pops=0, pushes=0)
        if cursor.takes("touches"):
            touched = self._touches(cursor)
            row = replace(row, globals="globals" in touched, slots="slots" in touched, frames="frames" in touched)
        if kind == FUNCTION:
            self.functions[name] = row
            return
        self.imports[kind, number] = replace(row, name=name)
        if name:
            self.handlers.setdefault((kind, name), number)

    @staticmethod
    def _touches(cursor: Cursor) -> set[str]:
        if cursor.takes("nothing"):
            return set()
        everything = {"globals", "slots", "frames"}
        if cursor.takes("everything"):
            return everything
        touched: set[str] = set()
        while not touched or cursor.peek() is not None:
            word = cursor.word("what it touches")
            if word not in everything:
                raise FvbcError("E0309", f"{word[:30]!r} is nothing that a handler touches")
            touched.add(word)
        return touched

    def _name(self, cursor: Cursor) -> None:
        self._append_name(cursor.name("name"))

    def _append_name(self, name: str) -> int:
        if len(self.body.names) == limits.POOL:
            raise FvbcError("E0315", "more than 65,536 names")
        self.body.names.append(name)
        self.first_name.setdefault(name, len(self.body.names) - 1)
        return len(self.body.names) - 1

    def _name_index(self, name: str) -> int:
        index = self.first_name.get(name)
        return self._append_name(name) if index is None else index

    def _name_reference(self, cursor: Cursor) -> int:
        index = self._index(cursor)
        return self._name_index(cursor.name("name")) if index is None else index

    @staticmethod
    def _index(cursor: Cursor) -> int | None:
        """Takes an index of a table if one comes next; it is not looked up."""
        token = cursor.peek()
        if token is None or token.kind != "index":
            return None
        cursor.at += 1
        if token.number > 65_535:
            raise FvbcError("E0304", f"{token.text[:30]} is not from 0 to 65535")
        return token.number

    def _const(self, cursor: Cursor) -> None:
        word = None
        if not cursor.begins_constant():
            word = cursor.word("constant")
            if word in self.constant_words:
                raise FvbcError("E0313", word[:30])
        index = self._append_constant(cursor.constant())
        if word is not None:
            self.constant_words[word] = index

    def _append_constant(self, value: Value) -> int:
        if len(self.body.constants) == limits.POOL:
            raise FvbcError("E0315", "more than 65,536 constants")
        self.body.constants.append(value)
        self.first_constant.setdefault(alike_key(value), len(self.body.constants) - 1)
        return len(self.body.constants) - 1

    def _constant_reference(self, cursor: Cursor) -> int:
        index = self._index(cursor)
        if index is not None:
            return index
        if cursor.begins_constant():
            value = cursor.constant()
            first = self.first_constant.get(alike_key(value))
            return self._append_constant(value) if first is None else first
        word = cursor.word("constant")
        if word not in self.constant_words:
            raise FvbcError("E0312", word[:30])
        return self.constant_words[word]

    def _slot(self, cursor: Cursor) -> None:
        name = cursor.word("slot")
        if name in self.scope.slots:
            raise FvbcError("E0313", name[:30])
        number = self.scope.highest + 1
        if cursor.peek() is not None:
            number = cursor.integer("slot", 0, 65_535)
        self.scope.add(name, number)

    def _sub(self, cursor: Cursor) -> None:
        name = self._name_reference(cursor)
        argc = cursor.integer("number of arguments", 0, 255) if cursor.takes("args") else None
        if argc is not None and self.arguments.setdefault(name, argc) != argc:
            raise FvbcError("E0313", f"the sub was declared with {self.arguments[name]} arguments before")
        place = len(self.body.subs)
        if place == limits.POOL:
            raise FvbcError("E0315", "more than 65,536 subs")
        self.body.subs.append(Sub(name, len(self.code), argc))
        if cursor.takes("at"):
            target = self._target(cursor)

            def resolve() -> None:
                self.body.subs[place] = Sub(name, target(), argc)

            self._later(resolve)
        else:
            self.scope = _Scope()

    def _end(self, cursor: Cursor) -> None:
        if self.scope is self.chunk_scope:
            raise FvbcError("E0314", "`.end` without a sub")
        self.scope = self.chunk_scope

    def _block(self, cursor: Cursor) -> None:
        name = cursor.word("block")
        if name in self.blocks:
            raise FvbcError("E0313", name[:30])
        place = self.blocks[name] = len(self.body.blocks)
        if place == limits.POOL:
            raise FvbcError("E0315", "more than 65,536 blocks")
        self.body.blocks.append(Block(len(self.code), 0))
        if not cursor.takes("from"):
            self.open_blocks.append(place)
            return
        start = self._target(cursor)
        cursor.expect("to")
        end = self._target(cursor)

        def resolve() -> None:
            if end() < start():
                raise FvbcError("E0304", f"the block {name[:30]} ends before it begins")
            self.body.blocks[place] = Block(start(), end() - start())

        self._later(resolve)

    def _endblock(self, cursor: Cursor) -> None:
        if not self.open_blocks:
            raise FvbcError("E0314", "`.endblock` without a block")
        place = self.open_blocks.pop()
        start = self.body.blocks[place].start
        self.body.blocks[place] = Block(start, len(self.code) - start)

    def _line(self, cursor: Cursor) -> None:
        self.source_line = None if cursor.takes("auto") else cursor.integer("line", 0, (1 << 32) - 1)

    def op(self, mnemonic: str, cursor: Cursor) -> None:
        """An op with its operands."""
        op = BY_MNEMONIC.get(mnemonic)
        if op is None:
            raise FvbcError("E0305", mnemonic[:30])
        instruction = [op.byte]
        limits.within(len(self.code) + 1, limits.OPS, "ops")
        for name, kind in op.operands:
            instruction.append(self._operand(op, name, kind, cursor, instruction))
        self.code.append(instruction)
        self.chunk.lines.append(self.number if self.source_line is None else self.source_line)

    def _operand(self, op: Op, name: str, kind: str, cursor: Cursor, instruction: list[int]) -> int:
        token = cursor.peek()
        word = token is not None and token.kind in ("word", "string")
        if kind == "float":
            return cursor.float_bits()
        if kind == "const":
            return self._constant_reference(cursor)
        if kind == "name":
            return self._name_reference(cursor)
        if kind == "target":
            return self._resolved(instruction, self._target(cursor))
        if kind == "block":
            index = self._index(cursor)
            return self._resolved(instruction, self._block_reference(cursor)) if index is None else index
        if kind == "id" and word:
            return self._resolved(instruction, self._handler(op, cursor))
        if kind == "slot" and word:
            return self._slot_reference(cursor)
        words = CODE_WORDS.get((op.name, name), ())
        if words and token is not None and token.kind == "word":
            cursor.at += 1
            if token.text not in words:
                raise FvbcError("E0312", token.text[:30])
            return words.index(token.text)
        return cursor.integer(name, *_RANGES[kind])

    def _resolved(self, instruction: list[int], value: Callable[[], int]) -> int:
        """Puts the value into the next operand at the chunk's end; 0 until then."""
        place = len(instruction)

        def resolve() -> None:
            instruction[place] = value()

        self._later(resolve)
        return 0

    def _later(self, resolve: Callable[[], None]) -> None:
        self.pending.append((f"line {self.number}", resolve))

    def _target(self, cursor: Cursor) -> Callable[[], int]:
        token = cursor.next("target")
        if token.kind == "place":
            return lambda: token.number
        if token.kind != "word":
            raise FvbcError("E0309", f"{token.text[:30]!r} is no target")

        def find() -> int:
            if token.text not in self.labels:
                raise FvbcError("E0310", token.text[:30])
            return self.labels[token.text]

        return find

    def _block_reference(self, cursor: Cursor) -> Callable[[], int]:
        name = cursor.word("block")

        def find() -> int:
            if name not in self.blocks:
                raise FvbcError("E0312", name[:30])
            return self.blocks[name]

        return find

    def _handler(self, op: Op, cursor: Cursor) -> Callable[[], int]:
        name = cursor.name("handler")

        def find() -> int:
            number = self.handlers.get((CALLS[op.name], name))
            if number is None:
                raise FvbcError("E0312", name[:30])
            return number

        return find

    def _slot_reference(self, cursor: Cursor) -> int:
        name = cursor.word("slot")
        number = self.scope.slots.get(name)
        return self.scope.add(name, self.scope.highest + 1) if number is None else number

    def finish(self) -> Chunk:
        """The chunk, with all that was pending."""
        if self.open_blocks:
            raise FvbcError("E0317", "a block without its `.endblock`", chunk=self.chunk.name)
        for part, resolve in self.pending:
            try:
                resolve()
            except FvbcError as error:
                raise error.within(chunk=self.chunk.name, part=part) from None
        self.body.code = [tuple(instruction) for instruction in self.code]
        # What one sub declares holds for all of its name.
        self.body.subs = [replace(sub, argc=self.arguments.get(sub.name)) for sub in self.body.subs]
        self._import_calls()
        self.body.imports = [row for _, row in sorted(self.imports.items())]
        limits.within(len(self.body.imports), limits.POOL, "imports")
        self.body.height = declared_height(self.body)
        return self.chunk

    def _import_calls(self) -> None:
        """Gives what is called without declaration its row, and functions that are declared those that they need."""
        names = self.body.names
        called = set()
        for kind, number in self.body.called():
            row = default_import(kind, number)
            if kind == FUNCTION:
                called.add(names[number])
                row = replace(self.functions.get(names[number], row), id=number)
            self.imports.setdefault((kind, number), row)
        for name in sorted(set(self.functions) - called, key=str.encode):
            number = self._name_index(name)
            self.imports[FUNCTION, number] = replace(self.functions[name], id=number)
