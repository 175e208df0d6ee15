"""The commands and their options; what a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="orchestrator",
    help="The voice-call orchestrator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
calls = typer.Typer(help="List calls and show their transcripts.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(calls, name="calls")


Config = Annotated[
    Path | None, typer.Option(help="The settings file; orchestrator.toml here when absent.", show_default=False)
]
Data = Annotated[
    Path | None, typer.Option(help="The data folder; the setting data_dir when absent.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,  # noqa: FBT002
) -> None:
    """The voice-call orchestrator."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415

        typer.echo(installed("orchestrator-app"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.", show_default=False)] = None,
    config: Config = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell URL and data folder as one line of JSON.")] = False,  # noqa: FBT002
) -> None:
    """Take calls until it is told to stop."""
    from orchestrator_app.cli._serve import run_serve  # noqa: PLC0415

    run_serve(host=host, port=port, config=config, data=data, as_json=as_json)


@app.command()
def demo(
    as_json: Json = False,  # noqa: FBT002
    wav: Annotated[Path, typer.Option(help="Where to keep what the caller heard.")] = Path("demo-call.wav"),
) -> None:
    """Take one complete call, over the network, and show it."""
    from orchestrator_app.cli._demo import run_demo  # noqa: PLC0415

    run_demo(as_json=as_json, wav=wav)


@app.command()
def talk(
    language: Annotated[str, typer.Option(help="The caller's language, BCP 47.")] = "en-US",
    wav: Annotated[Path | None, typer.Option(help="Keep what is heard.", show_default=False)] = None,
) -> None:
    """Make a call from this terminal: type what the caller says, #1 for keys, Ctrl-C interrupts the speech."""
    from orchestrator_app.cli._talk import run_talk  # noqa: PLC0415

    run_talk(language=language, wav=wav)


@app.command()
def migrate(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Bring the tables of all packages up to date."""
    from orchestrator_app.cli._data import run_migrate  # noqa: PLC0415

    run_migrate(config=config, data=data, as_json=as_json)


@app.command()
def check(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Check the settings, and that what they name can be reached."""
    from orchestrator_app.cli._check import run_check  # noqa: PLC0415

    run_check(config=config, data=data, as_json=as_json)


@app.command("config")
def show_config(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the settings in force, secrets hidden, and where each comes from."""
    from orchestrator_app.cli._config import run_config  # noqa: PLC0415

    run_config(config=config, data=data, as_json=as_json)


@calls.command("list")
def list_calls(
    config: Config = None,
    data: Data = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only calls that are not over.")] = False,  # noqa: FBT002
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """List calls, newest first."""
    from orchestrator_app.cli._data import run_list  # noqa: PLC0415

    run_list(config=config, data=data, open_only=open_only, limit=limit, as_json=as_json)


@calls.command("show")
def show_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show the transcript of a call."""
    from orchestrator_app.cli._data import run_show  # noqa: PLC0415

    run_show(call_id, config=config, data=data, as_json=as_json)


def main() -> None:
    """Run a command; what goes wrong is told in one sentence, with 2 for settings and 1 for everything else as exit code."""
    from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError  # noqa: PLC0415

    try:
        app()
    except ConfigurationError as error:
        typer.echo(f"orchestrator: {error}", err=True)
        sys.exit(2)
    except OrchestratorError as error:
        typer.echo(f"orchestrator: {error}", err=True)
        sys.exit(1)
