"""The command line: `python3 -m fvbc info|check|dis|asm|run|hash …`.

Exit status: 0 fine, 1 a check that failed, 2 wrong usage, 125 a trap, 126 a file that can't be loaded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .assemble import assemble
from .container import Module, write_module
from .convert import scalar_form
from .errors import FvbcError
from .interpret import run as run_chunk
from .meter import Limits
from .printer import print_module
from .values import Array, kind_of
from .verify import check_declared

PRODUCER = "fvbc for Python"


def info(arguments: argparse.Namespace) -> int:
    """Tells what the header, the root and the metadata say."""
    module = Module.open(arguments.file)
    root = module.root
    print(f"producer     {module.producer}")
    print(f"generation   {module.slot.generation}")
    print(f"segments     {root.segment_number + 1}")
    print(f"opset level  {root.opset_level}")
    print(f"chunks       {root.chunk_count}")
    print(f"ops          {root.op_count}")
    print(f"root hash    {module.root_hash.hex()}")
    print(f"canonical    {'yes' if module.canonical else 'no'}")
    for key, value in module.meta().items():
        print(f"meta         {key} = {value!r}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Checks files whole, code included."""
    failed = False
    for path in arguments.files:
        try:
            chunks = Module.open(path).check()
            loose = sum(chunk.body.loose for chunk in chunks if check_declared(chunk))
            print(f"{path}: ok, {len(chunks)} chunks, {loose} loose")
        except FvbcError as error:
            failed = True
            print(f"{path}: {error}", file=sys.stderr)
    return 1 if failed else 0


def dis(arguments: argparse.Namespace) -> int:
    """Prints the text form."""
    module = Module.open(arguments.file)
    sys.stdout.write(print_module(module.chunks(), module.meta()))
    return 0


def asm(arguments: argparse.Namespace) -> int:
    """Assembles a text."""
    try:
        text = Path(arguments.file).read_bytes()
    except OSError as error:
        raise FvbcError("E0101", f"{arguments.file}: {error.strerror}") from None
    chunks, meta = assemble(text)
    try:
        Path(arguments.output).write_bytes(write_module(chunks, meta, arguments.producer))
    except OSError as error:
        raise FvbcError("E0602", f"{arguments.output}: {error.strerror}") from None
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Runs a chunk: `main`, or the one that is named, or the only one."""
    module = Module.open(arguments.file)
    name = arguments.entry
    chunks = list(module.chunks())
    if name is None:
        name = chunks[0].name if len(chunks) == 1 else "main"
    found = [chunk for chunk in chunks if chunk.name == name]
    if not found:
        raise FvbcError("E0116", f"no chunk {name!r}")
    check_declared(found[0])
    outcome, machine = run_chunk(found[0], Limits(fuel=arguments.fuel), sys.stdin.buffer)
    sys.stdout.buffer.write(machine.output)
    sys.stdout.buffer.flush()
    if outcome.trap is not None:
        print(outcome.trap, file=sys.stderr)
        return 125
    if arguments.result:
        value = outcome.value
        form = f"of {len(value.items)}" if isinstance(value, Array) else repr(scalar_form(value))
        print("no result" if outcome.halted else f"{kind_of(value)} {form}", file=sys.stderr)
    return 0


def hashes(arguments: argparse.Namespace) -> int:
    """Prints the root hash and each chunk's hash."""
    module = Module.open(arguments.file)
    print(f"{module.root_hash.hex()}  {arguments.file}")
    for chunk in module.chunks():
        print(f"{chunk.hash.hex()}  {chunk.space + ':' if chunk.space else ''}{chunk.name}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fvbc", description="Reads .fvbc files as their specification says.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("info", info), ("dis", dis), ("hash", hashes)):
        command = commands.add_parser(name, help=function.__doc__)
        command.add_argument("file")
        command.set_defaults(function=function)
    command = commands.add_parser("check", help=check.__doc__)
    command.add_argument("files", nargs="+", metavar="file")
    command.set_defaults(function=check)
    command = commands.add_parser("asm", help=asm.__doc__)
    command.add_argument("file")
    command.add_argument("output")
    command.add_argument("--producer", default=PRODUCER)
    command.set_defaults(function=asm)
    command = commands.add_parser("run", help=run.__doc__)
    command.add_argument("file")
    command.add_argument("--entry", metavar="NAME")
    command.add_argument("--fuel", type=int, metavar="N")
    command.add_argument("--result", action="store_true", help="tell the result on standard error")
    command.set_defaults(function=run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        status: int = parsed.function(parsed)
    except FvbcError as error:
        print(error, file=sys.stderr)
        return 126
    return status


if __name__ == "__main__":
    sys.exit(main())
