"""`orchestrator audit`: whether the log is whole, what is in it, and a copy that proves itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator_app.cli._print import counted, print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.audit import audit_keys, audit_public_key
from orchestrator_app.composition.database import open_databases
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SystemClock
from orchestrator_security.audit_logging import (
    AuditQuery,
    SignedHead,
    Verification,
    event_members,
    export_audit,
    show_audit,
    verify_audit,
    verify_export,
)

__all__ = ["run_export", "run_key", "run_show", "run_verify"]

T = TypeVar("T")


def run_verify(
    file: Path | None, *, witness: Sequence[str], config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Check the log, or an exported one; leave with 1 when something was changed."""
    settings = load_settings(config, data_dir=data).value
    keys, now = audit_keys(settings, load_secrets(settings)), SystemClock().now()
    try:
        witnesses = [SignedHead.read(each) for each in witness]
        if file is None:
            found = asyncio.run(
                _with_engine(settings, lambda engine: verify_audit(engine, keys, now=now, witnesses=witnesses))
            )
        else:
            with file.open(encoding="utf-8") as lines:
                found = verify_export(lines, keys, now=now, witnesses=witnesses)
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"cannot be verified: {error}") from error
    _show_verification(found, as_json=as_json)
    if not found.intact:
        sys.exit(1)


def _show_verification(found: Verification, *, as_json: bool) -> None:
    findings = [(each.kind, each.seq, each.text) for each in found.findings]
    if as_json:
        members = [{"kind": kind, "record": seq, "detail": detail} for kind, seq, detail in findings]
        print_json({"intact": found.intact, "records": found.entries, "findings": members})
    elif found.intact:
        sys.stdout.write(f"The audit log is intact: {counted(found.entries, 'record')}.\n")
    else:
        print_table("The audit log was changed", ["what", "record", "detail"], findings)


def run_show(
    *,
    event_type: str,
    tenant: str,
    since: datetime | None,
    limit: int,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """The newest events that fit, newest first."""
    settings = load_settings(config, data_dir=data).value
    query = AuditQuery(event_type=event_type, tenant=tenant, since=since, limit=limit)
    events = asyncio.run(_with_engine(settings, lambda engine: show_audit(engine, query)))
    if as_json:
        print_json([event_members(event) for event in events])
        return
    rows = [
        (f"{event.occurred_at:%Y-%m-%d %H:%M:%S}", event.type, event.actor, event.action, event.resource, event.outcome)
        for event in events
    ]
    print_table("Audit", ["when (UTC)", "what", "who", "action", "where", "outcome"], rows, empty="no events")


def run_export(file: Path, *, config: Path | None, data: Path | None) -> None:
    """Write the log to a file; tell its signed end, to be kept elsewhere as a witness."""
    settings = load_settings(config, data_dir=data).value
    try:
        with file.open("x", encoding="utf-8") as out:
            head = asyncio.run(_with_engine(settings, lambda engine: export_audit(engine, out)))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
    sys.stdout.write(f"{head.text() if head else ''}\n")


def run_key(*, config: Path | None, data: Path | None) -> None:
    """Tell the public key that the log is signed with now."""
    settings = load_settings(config, data_dir=data).value
    sys.stdout.write(f"{audit_public_key(load_secrets(settings)).hex()}\n")


async def _with_engine(settings: AppSettings, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    databases = open_databases(settings)
    try:
        return await work(databases.data)
    finally:
        await databases.close()
