"""Options that many commands have, and how a group of commands is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Config", "Data", "Json", "Url", "group"]

Config = Annotated[
    Path | None, typer.Option(help="The settings file; orchestrator.toml here when absent.", show_default=False)
]
Data = Annotated[
    Path | None, typer.Option(help="The data folder; the setting data_dir when absent.", show_default=False)
]
Url = Annotated[
    str | None, typer.Option(help="The running service; server.host and port when absent.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def group(help_text: str) -> typer.Typer:
    """Commands below a word of their own."""
    return typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
