"""Printing tables and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

__all__ = ["print_json", "print_table"]


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "nothing"
) -> None:
    """A table as wide as the terminal; lines break inside the cells."""
    from rich import box  # noqa: PLC0415 - rich costs more than most commands
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    filled = False
    for row in rows:
        filled = True
        table.add_row(*[Text(str(cell)) for cell in row])
    console = Console(highlight=False)
    if filled:
        console.print(table)
    else:
        console.print(f"{title}: {empty}")
