"""The commands and their options; what a command needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._audit_commands import audit
from orchestrator_app.cli._auth_commands import auth
from orchestrator_app.cli._call_commands import calls, tenants
from orchestrator_app.cli._options import Config, Data, Json
from orchestrator_app.cli._watch_commands import alerts, dashboards, resilience, slo

__all__ = ["app", "main"]

app = typer.Typer(
    name="orchestrator",
    help="The voice-call orchestrator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _group in (
    ("calls", calls),
    ("tenants", tenants),
    ("audit", audit),
    ("auth", auth),
    ("resilience", resilience),
    ("slo", slo),
    ("alerts", alerts),
    ("dashboards", dashboards),
):
    app.add_typer(_group, name=_name)


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
    kill: Annotated[  # noqa: FBT002
        bool, typer.Option("--kill", help="Kill the service in the middle of a sentence; the call goes on.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=8, help="So many services on one PostgreSQL; the one that speaks is killed.")
    ] = 1,
    audio: Annotated[
        Path | None,
        typer.Option(help="A caller's recording (WAV): one call from its audio instead.", show_default=False),
    ] = None,
) -> None:
    """Take complete calls, over the network, and show them."""
    if audio is not None:
        from orchestrator_app.cli._demo_audio import run_audio_demo  # noqa: PLC0415

        run_audio_demo(audio, as_json=as_json, wav=wav)
        return
    from orchestrator_app.cli._demo import run_demo  # noqa: PLC0415

    run_demo(as_json=as_json, wav=wav, kill=kill, processes=processes)


@app.command()
def talk(
    tenant: Annotated[str | None, typer.Option(help="As `tenants list` shows it.", show_default=False)] = None,
    language: Annotated[
        str | None, typer.Option(help="The caller's, BCP 47; the tenant's first one unless given.", show_default=False)
    ] = None,
    wav: Annotated[Path | None, typer.Option(help="Keep what is heard.", show_default=False)] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Make a call from this terminal. Type what the caller says, #1 for keys; Ctrl-C interrupts the speech.

    Without --tenant it is a call with the one called default, or else the first that `tenants list` shows.
    """
    from orchestrator_app.cli._talk import run_talk  # noqa: PLC0415

    run_talk(tenant=tenant, language=language, wav=wav, config=config, data=data)


@app.command()
def bench(
    calls: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 500,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two turns of a call.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=1, help="Of measurement.")] = 60.0,
    target: Annotated[float, typer.Option(min=1, help="Milliseconds that 99 of 100 turns are to keep.")] = 50.0,
    most: Annotated[
        int, typer.Option(min=0, help="Look for the largest number of calls that keeps the target, up to this one.")
    ] = 0,
    url: Annotated[
        str | None, typer.Option(help="A running service; one of its own when absent.", show_default=False)
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Load a service with calls, and show how long answers take."""
    from orchestrator_app.cli._bench import Plan, run_bench  # noqa: PLC0415

    run_bench(Plan(calls, every, seconds, target, most), url=url, config=config, data=data, as_json=as_json)


@app.command()
def migrate(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Bring the tables of all packages up to date."""
    from orchestrator_app.cli._data import run_migrate  # noqa: PLC0415

    run_migrate(config=config, data=data, as_json=as_json)


@app.command()
def check(
    config: Config = None,
    data: Data = None,
    security: Annotated[bool, typer.Option("--security", help="The state of each door instead.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Check the settings, and that what they name can be reached."""
    from orchestrator_app.cli._check import run_check  # noqa: PLC0415

    run_check(config=config, data=data, as_json=as_json, security=security)


@app.command("config")
def show_config(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the settings in force, and where each comes from."""
    from orchestrator_app.cli._config import run_config  # noqa: PLC0415

    run_config(config=config, data=data, as_json=as_json)


@app.command("metrics")
def list_metrics(as_json: Json = False) -> None:  # noqa: FBT002
    """List every metric that can be scraped."""
    from orchestrator_app.cli._metrics import run_metrics  # noqa: PLC0415

    run_metrics(as_json=as_json)


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
