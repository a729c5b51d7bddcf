"""Makes `_optable.py` and `_codetable.py` from the tables of chapters 3 and 7.

`python3 -m fvbc.tablegen ../../format-spec` writes both; a test fails while they are stale.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_BANNER = '"""Generated from format-spec/{chapter} by `python3 -m fvbc.tablegen`. Do not edit."""\n\n'
_OPERAND = re.compile(r"`(\w+): (\w+)`")
_LEVEL = re.compile(r"^Level (\d+) has (\d+) ops", re.MULTILINE)


def _rows(text: str, first_cell: str) -> list[list[str]]:
    """The cells of the table rows whose first cell matches, without backticks where a cell is one quoted word."""
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if re.fullmatch(first_cell, cells[0].strip("` ")):
                rows.append(cells)
    return rows


def op_table(chapter: str) -> str:
    """The source of `_optable.py` for the text of chapter 3."""
    lines = [
        _BANNER.format(chapter="3-opcodes.md"),
        "# byte, name, mnemonic, operands (name, kind), pops, pushes\n",
        "ROWS: tuple[tuple[int, str, str, tuple[tuple[str, str], ...], str, str], ...] = (\n",
    ]
    for cells in _rows(chapter, "[0-9a-f]{2}"):
        byte, name, mnemonic, _, effect, *_ = (cell.strip("`") for cell in cells)
        pairs = "".join(f'("{operand}", "{kind}"), ' for operand, kind in _OPERAND.findall(cells[3]))
        # An effect that the import table or the sub decides is written as the one word `declared`.
        pops, _, pushes = effect.partition(" => ")
        lines.append(f'    (0x{byte}, "{name}", "{mnemonic}", ({pairs.rstrip()}), "{pops}", "{pushes or pops}"),\n')
    lines.append(")\n\n# level: how many ops it has\nLEVELS: dict[int, int] = {\n")
    lines += [f"    {level}: {count},\n" for level, count in _LEVEL.findall(chapter)]
    return "".join([*lines, "}\n"])


def code_table(chapter: str) -> str:
    """The source of `_codetable.py` for the text of chapter 7."""
    lines = [
        _BANNER.format(chapter="7-errors.md"),
        "# code: name, what it says\n",
        "CODES: dict[str, tuple[str, str]] = {\n",
    ]
    lines += [f'    "{code}": ("{name}", {json.dumps(says)}),\n' for code, name, says, *_ in _rows(chapter, r"E\d{4}")]
    return "".join([*lines, "}\n"])


def tables(spec: Path) -> dict[str, str]:
    """The generated files' sources by their names."""
    return {
        "_optable.py": op_table((spec / "3-opcodes.md").read_text("utf-8")),
        "_codetable.py": code_table((spec / "7-errors.md").read_text("utf-8")),
    }


def main(arguments: list[str]) -> int:
    """Writes the tables for the folder of the specification that is named."""
    if len(arguments) != 1:
        print("usage: python3 -m fvbc.tablegen FORMAT_SPEC_FOLDER", file=sys.stderr)
        return 2
    for name, source in tables(Path(arguments[0])).items():
        (Path(__file__).parent / name).write_text(source, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
