"""A small table for people, or JSON for programs.

Not here: what is measured.
"""

import json
from collections.abc import Mapping, Sequence

Row = Mapping[str, str | float]


def show(tables: Mapping[str, Sequence[Row]], *, as_json: bool) -> None:
    """Tables by their titles."""
    if as_json:
        print(json.dumps(tables, indent=2))
        return
    for title, rows in tables.items():
        print(title)
        for line in _aligned(rows):
            print("  " + line)


def _aligned(rows: Sequence[Row]) -> list[str]:
    """The first column to the left, the numbers to the right."""
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return lines


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"
