"""The commands of `orchestrator auth` and their options; the work is in `_auth.py`, imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator_app.cli._options import Config, Data, Json, group

__all__ = ["auth"]


auth = group(
    "People, roles, keys, sessions: who may do what. The shell is the credential; everything is audited as local-operator."
)
users = group("Invite, show and remove people.")
roles = group("Show, give and take away roles.")
keys = group("API keys for services.")
sessions = group("Where somebody is signed in.")
signing_keys = group("The keys that sign access tokens.")
for _name, _each in (
    ("users", users),
    ("roles", roles),
    ("keys", keys),
    ("sessions", sessions),
    ("signing-keys", signing_keys),
):
    auth.add_typer(_each, name=_name)

Who = Annotated[str, typer.Argument(help="Id, or the name to sign in with.")]
Tenant = Annotated[str, typer.Option(help="The tenant; * is the platform.")]


@auth.command("first-admin")
def first_admin(
    email: Annotated[str, typer.Argument(help="The name to sign in with.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Make the first administrator. Prints the link to choose a password with, good once, for a day."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.first_admin(email, work.Where(config, data, as_json=as_json))


@auth.command()
def explain(
    who: Who,
    permission: Annotated[str, typer.Argument(help="Such as call:view.")],
    tenant: Tenant,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Say whether somebody may do something. Through which role, or why not; leaves with 1 when they may not."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.explain(who, permission, tenant, work.Where(config, data, as_json=as_json))


@auth.command()
def policy(
    file: Annotated[Path | None, typer.Argument(help="A policy to check.", show_default=False)] = None,
) -> None:
    """Print the built-in policy, or check a file. What is printed is where one's own begins."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.policy(file)


@auth.command("revoke-all")
def revoke_all(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Refuse every access token that is out. Sessions get new ones by their refresh tokens."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.revoke_all(work.Where(config, data, as_json=as_json))


@users.command("list")
def list_users(tenant: Tenant = "*", config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the people of a tenant."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.list_users(tenant, work.Where(config, data, as_json=as_json))


@users.command("show")
def show_user(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Show somebody with roles, second factor and sessions."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.show_user(who, work.Where(config, data, as_json=as_json))


@users.command("invite")
def invite(
    email: Annotated[str, typer.Argument(help="The name to sign in with.")],
    tenant: Tenant,
    role: Annotated[str, typer.Option(help="As `roles list` shows it.")],
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Add somebody. Prints the link to choose a password with, good once, for a day."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.invite(email, tenant, role, work.Where(config, data, as_json=as_json))


@users.command("reset-password")
def reset_password(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Print a link to choose a new password. It is good once, for a day."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.reset_password(who, work.Where(config, data, as_json=as_json))


@users.command("reset-second-factor")
def reset_second_factor(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Remove a second factor that was lost. The sessions of its owner end."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.reset_second_factor(who, work.Where(config, data, as_json=as_json))


@users.command("disable")
def disable(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Keep somebody out, at once."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.set_disabled(who, work.Where(config, data, as_json=as_json), disabled=True)


@users.command("enable")
def enable(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Let somebody in again."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.set_disabled(who, work.Where(config, data, as_json=as_json), disabled=False)


@users.command("delete")
def delete(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Remove somebody. Second factor and sessions are removed too."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.delete(who, work.Where(config, data, as_json=as_json))


@roles.command("list")
def list_roles(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the roles of the policy in force, and what each may do."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.list_roles(work.Where(config, data, as_json=as_json))


@roles.command("grant")
def grant(who: Who, role: str, tenant: Tenant, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Give somebody a role in a tenant."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.grant(who, role, tenant, work.Where(config, data, as_json=as_json))


@roles.command("withdraw")
def withdraw(
    who: Who,
    role: str,
    tenant: Tenant,
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Take a role away; tokens that still hold it are refused at once."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.withdraw(who, role, tenant, work.Where(config, data, as_json=as_json))


@keys.command("create")
def create_key(
    service: Annotated[str, typer.Argument(help="The program's name.")],
    tenant: Tenant,
    permission: Annotated[list[str], typer.Option(help="Such as call:start; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=3_660)] = 365,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests.")] = 100,
    label: Annotated[str, typer.Option(help="What the list shows.")] = "",
    config: Config = None,
    data: Data = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Make a key; its text is printed this once."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    wanted = work.Wanted(service, tenant, frozenset(permission), days, per_minute, label)
    work.create_key(wanted, work.Where(config, data, as_json=as_json))


@keys.command("list")
def list_keys(tenant: Tenant = "*", config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the keys of a tenant, those that are over included."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.list_keys(tenant, work.Where(config, data, as_json=as_json))


@keys.command("rotate")
def rotate_key(key: str, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Make a successor; the old key works a day longer."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.rotate_key(key, work.Where(config, data, as_json=as_json))


@keys.command("revoke")
def revoke_key(key: str, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Refuse a key from now on."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.revoke_key(key, work.Where(config, data, as_json=as_json))


@sessions.command("list")
def list_sessions(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List somebody's sessions, the last used first."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.list_sessions(who, work.Where(config, data, as_json=as_json))


@sessions.command("end")
def end_session(session: str, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """End one session."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.end_session(session, work.Where(config, data, as_json=as_json))


@sessions.command("end-all")
def end_sessions(who: Who, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """End all of somebody's sessions."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.end_sessions(who, work.Where(config, data, as_json=as_json))


@signing_keys.command("list")
def list_signing_keys(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """List the signing keys, oldest first."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.list_signing_keys(work.Where(config, data, as_json=as_json))


@signing_keys.command("rotate")
def rotate_signing_key(config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Make a new one; the old one verifies until its last token is over."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.rotate_signing_key(work.Where(config, data, as_json=as_json))


@signing_keys.command("remove")
def remove_signing_key(kid: str, config: Config = None, data: Data = None, as_json: Json = False) -> None:  # noqa: FBT002
    """Stop believing one that leaked. All its tokens are refused at once."""
    from orchestrator_app.cli import _auth as work  # noqa: PLC0415

    work.remove_signing_key(kid, work.Where(config, data, as_json=as_json))
