"""Does this package print and read the text form as `fusevm` does?

    python3 tools/python/tests/compare_text.py FUSEVM FILE…

FUSEVM is the program. A FILE that is a module is printed by both, to the same text, which assembles to the canonical
bytes of the module. A FILE of assembly text is assembled by both, to the same bytes. Prints a line for each difference,
then the number of files; fails if there is a difference.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support import SPEC  # noqa: F401  (puts the package on the path)

from fvbc.assemble import assemble
from fvbc.container import Module, write_module
from fvbc.printer import print_module


def output_of(fusevm: str, *arguments: str | Path) -> bytes:
    """What the program writes to standard output."""
    return subprocess.run([fusevm, *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout


def differences(fusevm: str, path: Path) -> Iterator[str]:
    """What the two implementations don't agree on, about a module or a text."""
    if path.suffix == ".fvasm":
        with tempfile.TemporaryDirectory() as folder:
            built = Path(folder) / "built.fvbc"
            output_of(fusevm, "asm", path, "-o", built)
            module = Module.open(built)
            if write_module(*assemble(path.read_bytes()), module.producer) != module.data:
                yield "assembles to other bytes"
            yield from module_differences(fusevm, module, built)
    else:
        yield from module_differences(fusevm, Module.open(path), path)


def module_differences(fusevm: str, module: Module, path: Path) -> Iterator[str]:
    """The same about a module only."""
    chunks, meta = list(module.chunks()), module.meta()
    text = print_module(chunks, meta).encode()
    theirs = output_of(fusevm, "dis", path)
    if text != theirs:
        for number, (line, other) in enumerate(zip(text.split(b"\n"), theirs.split(b"\n")), 1):
            if line != other:
                yield f"line {number} is printed as {line!r}, by fusevm as {other!r}"
                break
        else:
            yield f"{len(text)} bytes are printed, by fusevm {len(theirs)}"
    canonical = write_module(chunks, meta, module.producer)
    if write_module(*assemble(text), module.producer) != canonical:
        yield "the text assembles to another module"


def main() -> int:
    """Compares what the command line names."""
    fusevm, *files = sys.argv[1:]
    found = 0
    for file in files:
        for difference in differences(fusevm, Path(file)):
            found += 1
            print(f"{file}: {difference}"[:500])
    print(f"{len(files)} files, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
