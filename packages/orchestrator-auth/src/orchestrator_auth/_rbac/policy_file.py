"""A policy from a TOML file: validated as a whole, and replaced as a whole while everything runs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from orchestrator_auth._rbac.policy import Condition, Policy, PolicySource, RoleDefinition
from orchestrator_auth.exceptions import PolicyInvalid
from orchestrator_kernel.ports import Clock

logger = logging.getLogger(__name__)

_MAX_BYTES = 1_000_000


def load_policy(text: str) -> Policy:
    """The policy that the TOML text describes; its revision is the beginning of the text's SHA-256.

    Raises:
        PolicyInvalid: It does not describe one; the message names the place.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyInvalid(f"the policy is not TOML: {error}") from None
    _only(document, ("version", "vocabulary", "roles", "tenants", "conditions"), "policy")
    if document.get("version") != 1:
        raise PolicyInvalid("version: must be 1")
    source = PolicySource(
        roles=_roles(document.get("roles", {}), "roles"),
        tenants=_tenants(document.get("tenants", {})),
        conditions=_conditions(document.get("conditions", {})),
        vocabulary=_texts(document.get("vocabulary", []), "vocabulary"),
    )
    return Policy(source, revision=hashlib.sha256(text.encode()).hexdigest()[:12])


def default_policy() -> Policy:
    """The policy that comes with the package."""
    return load_policy(default_policy_text())


def default_policy_text() -> str:
    """Its TOML, to start one's own from."""
    return files("orchestrator_auth").joinpath("policy.toml").read_text(encoding="utf-8")


class PolicyFile:
    """The policy of a file, read again when the file changes. A file that became invalid changes nothing, and is reported.

    Args:
        path: The TOML file.
        clock: For `watch`.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._policy: Policy | None = None
        self._seen = ""
        self.error: PolicyInvalid | None = None
        """Why the file as it is now is not in force; None if it is."""

    @property
    def policy(self) -> Policy:
        """The one in force; always a whole one.

        Raises:
            PolicyInvalid: None was loaded yet.
        """
        if self._policy is None:
            raise PolicyInvalid("no policy is loaded; call load first")
        return self._policy

    async def load(self) -> Policy:
        """Read the file, at start.

        Raises:
            PolicyInvalid: It cannot be read, or is no policy.
        """
        await self.reload()
        if self.error is not None:
            raise self.error
        return self.policy

    async def reload(self) -> bool:
        """Read the file if it changed; true if another policy is in force now."""
        try:
            text = await asyncio.to_thread(self._read)
        except (OSError, UnicodeDecodeError, PolicyInvalid) as error:
            self._report(PolicyInvalid(f"the policy file cannot be read: {type(error).__name__}"))
            return False
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest == self._seen:
            return False
        self._seen = digest
        try:
            policy = load_policy(text)
        except PolicyInvalid as error:
            self._report(error)
            return False
        changed = self._policy is None or self._policy.revision != policy.revision
        self._policy, self.error = policy, None
        logger.info("policy in force", extra={"revision": policy.revision})
        return changed

    async def watch(self, interval: float = 2.0) -> None:
        """Reload whenever the file changed, looked at every `interval` seconds; runs until cancelled."""
        while True:
            await self._clock.sleep(interval)
            await self.reload()

    def _read(self) -> str:
        with self._path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise PolicyInvalid("the policy file is too large")
        return data.decode()

    def _report(self, error: PolicyInvalid) -> None:
        if self.error is None or self.error.message != error.message:
            logger.error("policy file not in force, the last policy stays", extra={"error": error.message})
        self.error = error
        if error.message.startswith("the policy file"):
            self._seen = ""


def _only(table: Mapping[str, Any], allowed: Iterable[str], place: str) -> None:
    for name in table:
        if name not in allowed:
            raise PolicyInvalid(f"{place}: unknown key {name!r}; there are {', '.join(allowed)}")


def _table(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyInvalid(f"{place}: must be a table")
    return cast("dict[str, Any]", value)


def _texts(value: object, place: str) -> tuple[str, ...]:
    members = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(one, str) for one in members):
        raise PolicyInvalid(f"{place}: must be a list of texts")
    if len(set(cast("list[str]", members))) != len(members):
        raise PolicyInvalid(f"{place}: something stands twice")
    return tuple(cast("list[str]", members))


def _roles(value: object, place: str) -> dict[str, RoleDefinition]:
    return {name: _role(role, f"{place}.{name}") for name, role in _table(value, place).items()}


def _role(value: object, place: str) -> RoleDefinition:
    table = _table(value, place)
    _only(table, ("permissions", "inherits", "description"), place)
    description = table.get("description", "")
    if not isinstance(description, str):
        raise PolicyInvalid(f"{place}.description: must be a text")
    return RoleDefinition(
        permissions=frozenset(_texts(table.get("permissions", []), f"{place}.permissions")),
        inherits=_texts(table.get("inherits", []), f"{place}.inherits"),
        description=description,
    )


def _tenants(value: object) -> dict[str, Mapping[str, RoleDefinition]]:
    found: dict[str, Mapping[str, RoleDefinition]] = {}
    for tenant, each in _table(value, "tenants").items():
        table = _table(each, f"tenants.{tenant}")
        _only(table, ("roles",), f"tenants.{tenant}")
        found[tenant] = _roles(table.get("roles", {}), f"tenants.{tenant}.roles")
    return found


def _conditions(value: object) -> dict[str, Condition]:
    found: dict[str, Condition] = {}
    for permission, each in _table(value, "conditions").items():
        place = f"conditions.{permission}"
        table = _table(each, place)
        kinds = {"own_tenant": bool, "own_resource": bool, "unless": str, "service_only": bool}
        _only(table, (*kinds, "second_factor_within"), place)
        for name, kind in kinds.items():
            if name in table and not isinstance(table[name], kind):
                raise PolicyInvalid(f"{place}.{name}: must be a {kind.__name__}")
        within = table.get("second_factor_within")
        if within is not None and (isinstance(within, bool) or not isinstance(within, int | float)):
            raise PolicyInvalid(f"{place}.second_factor_within: must be a number of seconds")
        found[permission] = Condition(**table)
    return found
