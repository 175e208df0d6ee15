"""Aligned plain text. ASCII only, because a report may go to any terminal or log."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (0.0, "ns"))


def duration(seconds: float) -> str:
    """Three digits and the unit that suits them: `12.3 us`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{_digits(seconds / (size or 1e-9))} {unit}"
    return f"{seconds:g} s"


def ratio(value: float) -> str:
    """A ratio with three digits that mean something: `0.413`, `1.02`, `64.1`."""
    return _digits(value) if value >= 1 else f"{value:.3f}"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def aligned(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Lines whose columns stand under each other; the columns in `right` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first row is its heading."""
    heading, *lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([heading, "|---" * len(rows[0]) + "|", *lines])
