"""The commands of `orchestrator calls` and `orchestrator tenants`; what a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._options import Config, Data, Json, group

__all__ = ["calls", "tenants"]

calls = group("List calls and show their transcripts.")
tenants = group("Add, list, show and remove tenants. A running service sees it within seconds.")


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


@calls.command("export")
def export_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="A file; standard output when absent.", show_default=False)] = None,
    transcript: Annotated[bool, typer.Option("--transcript", help="The transcript in place of the events.")] = False,  # noqa: FBT002
) -> None:
    """Write all that is kept of a call as JSON lines. The call comes first, then its events."""
    from orchestrator_app.cli._data import run_export  # noqa: PLC0415

    run_export(call_id, config=config, data=data, out=out, transcript=transcript)


@calls.command("trace")
def trace_call(
    call_id: Annotated[str, typer.Argument(help="As `calls list` shows it.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Print the id of a call's trace. Look for it in Jaeger, Tempo or Grafana."""
    from orchestrator_app.cli._traces import run_trace  # noqa: PLC0415

    run_trace(call_id, config=config, data=data)


@tenants.command("add")
def add_tenant(
    tenant: Annotated[str, typer.Argument(help="Its id, for example harbour.")],
    file: Annotated[
        Path | None,
        typer.Option("--from", help="A TOML file with its settings, as under [tenants.NAME].", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option(help="How the house is called.", show_default=False)] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="A telephone number, E.164; may be repeated.", show_default=False)
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="BCP 47; may be repeated, the first is spoken first.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="For example Europe/Berlin.", show_default=False)] = None,
    script: Annotated[str | None, typer.Option(help="A dialogue script.", show_default=False)] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Add a tenant. What an option says goes before the same in the file."""
    from orchestrator_app.cli._tenants import run_add  # noqa: PLC0415

    given: dict[str, object] = {
        "name": name,
        "numbers": number,
        "languages": language,
        "time_zone": time_zone,
        "script": script,
    }
    given = {key: value for key, value in given.items() if value}
    run_add(tenant, given=given, file=file, config=config, data=data, as_json=as_json)


@tenants.command("list")
def list_tenants(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the tenants. Each is from the settings, or was added."""
    from orchestrator_app.cli._tenants import run_list  # noqa: PLC0415

    run_list(config=config, data=data, as_json=as_json)


@tenants.command("show")
def show_tenant(
    tenant: Annotated[str, typer.Argument(help="As `tenants list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show a tenant, secrets hidden."""
    from orchestrator_app.cli._tenants import run_show  # noqa: PLC0415

    run_show(tenant, config=config, data=data, as_json=as_json)


@tenants.command("remove")
def remove_tenant(
    tenant: Annotated[str, typer.Argument(help="As `tenants list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Remove a tenant that was added; calls that it has go on."""
    from orchestrator_app.cli._tenants import run_remove  # noqa: PLC0415

    run_remove(tenant, config=config, data=data, as_json=as_json)
