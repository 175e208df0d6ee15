"""The commands of `orchestrator audit`; what a command needs is imported when it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._options import Config, Data, Json, group

__all__ = ["audit"]

audit = group("Verify, show and export the audit log.")


@audit.command("verify")
def verify_audit(
    file: Annotated[
        Path | None, typer.Argument(help="An exported log; the database when absent.", show_default=False)
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(help="A signed end of the log that was kept elsewhere; may be repeated.", show_default=False),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Find every edit, removal, insertion and truncation. Leaves with 1 if there is one."""
    from orchestrator_app.cli._audit import run_verify  # noqa: PLC0415

    run_verify(file, witness=witness or [], config=config, data=data, as_json=as_json)


@audit.command("show")
def show_audit(
    event_type: Annotated[
        str, typer.Option("--type", help="One type, or with a dot at its end all below: `auth.`.")
    ] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    since: Annotated[datetime | None, typer.Option(help="UTC.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show audit events, newest first."""
    from orchestrator_app.cli._audit import run_show  # noqa: PLC0415

    after = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    run_show(event_type=event_type, tenant=tenant, since=after, limit=limit, config=config, data=data, as_json=as_json)


@audit.command("export")
def export_audit(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the log to a file. It can be verified without the database; prints its signed end."""
    from orchestrator_app.cli._audit import run_export  # noqa: PLC0415

    run_export(file, config=config, data=data)


@audit.command("key")
def audit_key(config: Config = None, data: Data = None) -> None:
    """Print the public key that signs the log now. Keep it before you change the root key."""
    from orchestrator_app.cli._audit import run_key  # noqa: PLC0415

    run_key(config=config, data=data)
