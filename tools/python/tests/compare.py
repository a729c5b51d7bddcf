"""Runs every chunk of the modules in a folder and compares with the outcomes beside them.

    python3 tools/python/tests/compare.py FOLDER

The programs are those of the generator in `tests/kit`, with its extension ops; they are made by
`cargo run --release -p xtask -- figures --models COUNT`. Prints a line for each difference, then the number of
programs; fails if there is a difference.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from support import SPEC  # noqa: F401  (puts the package on the path)
from test_vectors import STDIN, json_end

from fvbc.arithmetic import add
from fvbc.container import Module
from fvbc.interpret import HANDLERS, run
from fvbc.machine import Machine
from fvbc.meter import Limits
from fvbc.opcodes import BY_NAME
from fvbc.verify import check_declared

LIMITS = Limits(fuel=5000, depth=200, value=1 << 16, output=1 << 16)


def extension(machine: Machine, number: int, argument: int) -> None:
    """The extension ops of generated programs."""
    if number == 0:
        machine.globals[0] = argument
    elif number == 1:
        machine.push(add(machine.pop(), argument))
    elif number == 2:
        machine.set_slot(0, machine.pop())
    elif number == 3:
        machine.push(machine.globals.get(1))


def main() -> int:
    HANDLERS[BY_NAME["Extended"].byte] = extension
    programs = differences = 0
    for path in sorted(Path(sys.argv[1]).glob("*.fvbc")):
        expected = json.loads(path.with_suffix(".json").read_bytes())["chunks"]
        for chunk in Module.open(path).check():
            programs += 1
            verdict = check_declared(chunk)
            outcome, machine = run(chunk, LIMITS, io.BytesIO(STDIN))
            found = {
                "strict": verdict.strict,
                "height": verdict.height if verdict.strict else None,
                "hash": chunk.hash.hex(),
                "end": json_end(outcome),
                "output": machine.output.hex(),
                "fuel": machine.meter.fuel,
            }
            says = expected[chunk.name]
            if outcome.trap is not None:
                # What a trap leaves of the fuel is not specified (5.14).
                found["fuel"] = says["fuel"]
            if found != says:
                differences += 1
                print(f"{chunk.name}: python {found}, rust {says}"[:2000])
    print(f"{programs} programs, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
