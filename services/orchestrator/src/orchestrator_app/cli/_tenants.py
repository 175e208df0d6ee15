"""`orchestrator tenants`: tenants that are added and removed while the service runs."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.calls import make_responders
from orchestrator_app.composition.tenants import TenantBook, merge, read_tenant, settings_for, with_tenants
from orchestrator_app.composition.tenants_file import Stored, Table
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

__all__ = ["TenantNotFound", "run_add", "run_list", "run_remove", "run_show"]


_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class TenantNotFound(ValidationError):
    """No tenant has this id."""

    default_code = "tenant_not_found"
    default_status = 404


def run_add(
    name: str, *, given: Mapping[str, object], file: Path | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Add a tenant; everything about it is checked first, its script too."""
    settings, book = _open(config, data)
    table = _table(name, given, file)
    if not _ID.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no id of a tenant: up to 64 letters, digits, _ and -, a letter first")
    with book.file.locked():
        stored = book.file.read()
        if name in stored.tenants:
            raise ConfigurationError(f"there is a tenant {name} already; `orchestrator tenants remove {name}` first")
        retired = {other: was for other, was in stored.retired.items() if other != name}
        after = Stored({**stored.tenants, name: table}, retired)
        merge(book.fixed, after, str(book.file.path))
        tenant = read_tenant(name, table, str(file or "the options"))
        _check(settings, name, tenant)
        book.file.replace(after)
    _tell(name, tenant, book.file.path.name, as_json=as_json)


def run_list(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """List all tenants, with where each is from."""
    _, book = _open(config, data)
    rows = [
        {
            "tenant": name,
            "name": tenant.name,
            "numbers": list(tenant.numbers),
            "languages": list(tenant.languages),
            "answers": "chat" if tenant.chat is not None else "script",
            "from": book.source(name),
        }
        for name, tenant in book.items()
    ]
    if as_json:
        print_json(rows)
        return
    cells = [[", ".join(value) if isinstance(value, list) else value for value in row.values()] for row in rows]
    print_table("Tenants", ["tenant", "name", "numbers", "languages", "answers", "from"], cells)


def run_show(name: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show one tenant, secrets hidden."""
    _, book = _open(config, data)
    if name not in book:
        raise _unknown(name, book)
    _tell(name, book[name], book.source(name), as_json=as_json)


def run_remove(name: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Remove a tenant that was added; it takes no new calls, and its running ones are answered to the end."""
    _, book = _open(config, data)
    with book.file.locked():
        stored = book.file.read()
        if name not in stored.tenants:
            if name in book.fixed:
                raise ConfigurationError(
                    f"tenant {name} stands in the settings; remove it there and restart the service"
                )
            raise _unknown(name, book)
        tenants = {other: table for other, table in stored.tenants.items() if other != name}
        book.file.replace(replace(stored, tenants=tenants, retired={**stored.retired, name: stored.tenants[name]}))
    if as_json:
        print_json({"tenant": name, "removed": True})
    else:
        sys.stdout.write(f"{name} is removed; calls that it has go on\n")


def _open(config: Path | None, data: Path | None) -> tuple[AppSettings, TenantBook]:
    settings = with_tenants(load_settings(config, data_dir=data).value)
    return settings, cast("TenantBook", settings.tenants)


def _table(name: str, given: Mapping[str, object], file: Path | None) -> Table:
    """The tenant as the file of tenants has it: the members of `file`, and the options over them."""
    table: Table = {}
    if file is not None:
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} cannot be read: {getattr(error, 'strerror', error)}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{file} is no TOML: {error}") from error
        # A part of a settings file is as good as the members alone.
        inner = content.get("tenants")
        found = cast("dict[str, Table]", inner).get(name) if isinstance(inner, dict) else content
        if found is None:
            raise ConfigurationError(f"{file} has no table [tenants.{name}]")
        table = dict(found)
    table |= {member: value for member, value in given.items() if value not in (None, [], {})}
    script = table.get("script")
    if isinstance(script, str):
        # The service may run in another folder than this command.
        base = file.parent if file is not None and "script" not in given else Path()
        table["script"] = str((base / script).resolve())
    return table


def _check(settings: AppSettings, name: str, tenant: TenantSettings) -> None:
    """What the service would refuse about this tenant."""
    from orchestrator_app.composition.actions import endpoints_of  # noqa: PLC0415 - costs more than the other commands may
    from orchestrator_utils.pronunciation import Pronunciations  # noqa: PLC0415

    make_responders(settings_for(settings, {name: tenant}))
    endpoints_of(name, tenant)
    Pronunciations(tenant.pronunciations)


def _tell(name: str, tenant: TenantSettings, source: str, *, as_json: bool) -> None:
    shown = {"tenant": name, "from": source, **tenant.model_dump(mode="json", exclude_defaults=True)}
    if as_json:
        print_json(shown)
    else:
        print_table(f"Tenant {name}", ["setting", "value"], [(key, _cell(value)) for key, value in shown.items()])


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_cell(each)}" for key, each in cast("Mapping[str, object]", value).items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_cell, cast("Sequence[object]", value)))
    return str(value)


def _unknown(name: str, book: TenantBook) -> TenantNotFound:
    return TenantNotFound(f"there is no tenant {name}; there is {', '.join(book)}")
