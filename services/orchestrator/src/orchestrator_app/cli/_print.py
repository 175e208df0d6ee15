"""Printing tables and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from operator import gt
from typing import Final

__all__ = ["counted", "print_json", "print_table"]

BETWEEN: Final = 3
"""Columns of the terminal between two cells."""


def counted(number: int, noun: str) -> str:
    """A number of things, in words.

    >>> counted(1, "call"), counted(0, "call")
    ('1 call', '0 calls')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "nothing"
) -> None:
    """A table as wide as the terminal; lines break inside the cells, words only where there is no other way."""
    from rich import box  # noqa: PLC0415 - rich costs more than most commands
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    cells = [[str(cell) for cell in row] for row in rows]
    console = Console(highlight=False)
    for column, width in zip(columns, _widths([list(columns), *cells], console.width), strict=True):
        table.add_column(column, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    if cells:
        console.print(table)
    else:
        console.print(f"{title}: {empty}")


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide each column is: what it needs, less where it is widest, and not less than its longest word if the terminal lets it."""
    from rich.cells import cell_len  # noqa: PLC0415 - rich costs more than most commands

    columns = [[cell for cell in column if cell] for column in zip(*rows, strict=True)]
    widths = [max((cell_len(line) for cell in column for line in cell.splitlines()), default=1) for column in columns]
    words = [max((cell_len(word) for cell in column for word in cell.split()), default=1) for column in columns]
    room -= BETWEEN * len(columns) - 1
    for longest in (room, 40, 24, 12, 1):
        least = [min(word, longest) for word in words]
        if sum(least) <= room:
            break
    while sum(widths) > room and any(map(gt, widths, least)):
        widest = max((width, number) for number, width in enumerate(widths) if width > least[number])[1]
        widths[widest] -= 1
    return widths
