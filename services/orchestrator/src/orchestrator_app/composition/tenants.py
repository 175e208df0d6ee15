"""The tenants: those of the settings, and those that were added while the service runs.

`with_tenants(settings)` gives settings whose `tenants` is a `TenantBook`: a mapping that is read like any other and sees a tenant a second after
`orchestrator tenants add` has returned. A file that cannot be used changes nothing: the tenants stay as they were, and the log says why.

What is made of a tenant (its script, its endpoints) comes from `per_tenant`: it is made, and so checked, before the tenant is published, in a
thread of its own, so that no call waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from orchestrator_app.composition.secrets import data_folder
from orchestrator_app.composition.tenants_file import Stored, Table, TenantsFile
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError

__all__ = ["PerTenant", "TenantBook", "merge", "per_tenant", "read_tenant", "settings_for", "with_tenants"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Hook = Callable[[str, TenantSettings], object]

FILE: Final = "tenants.toml"
EVERY: Final = 1.0
"""Seconds between two looks at the file."""


def with_tenants(settings: AppSettings) -> AppSettings:
    """The settings with the tenants of the data folder.

    Raises:
        ConfigurationError: The file cannot be used, or says otherwise than the settings; names both.
    """
    if isinstance(settings.tenants, TenantBook):
        return settings
    book = TenantBook(settings.tenants, TenantsFile(data_folder(settings) / FILE))
    return settings_for(settings, book)


def settings_for(settings: AppSettings, tenants: Mapping[str, TenantSettings]) -> AppSettings:
    """The settings with these tenants in the place of their own, taken as they are."""
    # Pydantic's own copy: that of `Settings` validates and freezes, and a book is to follow its file.
    copied = cast("object", BaseModel.model_copy(settings, update={"tenants": tenants}))
    return cast("AppSettings", copied)


class TenantBook(Mapping[str, TenantSettings]):
    """All tenants by their id.

    A tenant that was removed is in no list and takes no new calls, but is still found by its id, for the calls that it has.

    Args:
        fixed: Those of the settings.
        file: Those that were added.

    Raises:
        ConfigurationError: As `with_tenants`.
    """

    def __init__(self, fixed: Mapping[str, TenantSettings], file: TenantsFile) -> None:
        self.fixed = fixed
        self.file = file
        self._hooks: list[Hook] = []
        self._published: list[Callable[[], None]] = []
        self._seen = file.mark()
        self._refused = ""
        self._task: asyncio.Task[None] | None = None
        self._tenants: dict[str, TenantSettings] = {}
        self._retired: dict[str, TenantSettings] = {}
        self._tenants, self._retired = self._read()

    def __getitem__(self, name: str) -> TenantSettings:
        return self._tenants[name] if name in self._tenants else self._retired[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tenants

    def __iter__(self) -> Iterator[str]:
        return iter(self._tenants)

    def __len__(self) -> int:
        return len(self._tenants)

    def source(self, name: str) -> str:
        """Where a tenant is from: `settings` or the name of the file."""
        return "settings" if name in self.fixed else self.file.path.name

    def before_publishing(self, hook: Hook) -> None:
        """Have `hook` called, in a thread, for each tenant that is new or changed; when it raises, the tenants stay as they were."""
        self._hooks.append(hook)

    def after_publishing(self, hook: Callable[[], None]) -> None:
        """Have `hook` called whenever the tenants have changed."""
        self._published.append(hook)

    async def start(self) -> None:
        """Follow the file from now on."""
        self._task = asyncio.create_task(self._follow(), name="tenants")

    async def stop(self) -> None:
        """Follow it no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def refresh(self) -> bool:
        """Take the file in if it changed; whether it was taken in. A file that cannot be used is logged, once."""
        mark = self.file.mark()
        if mark == self._seen:
            return False
        try:
            tenants, retired = await asyncio.to_thread(self._prepared)
        except OrchestratorError as error:
            self._seen = mark
            if error.message != self._refused:
                self._refused = error.message
                logger.error("the tenants stay as they were", extra={"reason": error.message})  # noqa: TRY400
            return False
        self._seen, self._refused = mark, ""
        # Somebody may have edited the file, and not kept there what calls go on with.
        gone = {name: own for name, own in {**self._retired, **self._tenants}.items() if name not in tenants}
        self._tenants, self._retired = tenants, gone | retired
        for hook in self._published:
            hook()
        logger.info("tenants were read", extra={"tenants": len(tenants)})
        return True

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.refresh()

    def _prepared(self) -> tuple[dict[str, TenantSettings], dict[str, TenantSettings]]:
        tenants, retired = self._read()
        for name, tenant in tenants.items():
            if self._tenants.get(name) is not tenant:
                for hook in self._hooks:
                    hook(name, tenant)
        return tenants, retired

    def _read(self) -> tuple[dict[str, TenantSettings], dict[str, TenantSettings]]:
        stored = self.file.read()
        found = merge(self.fixed, stored, str(self.file.path))
        tenants = {name: self._known(name, tenant) for name, tenant in found.items()}
        retired = {
            name: self._known(name, read_tenant(name, table, str(self.file.path)))
            for name, table in stored.retired.items()
            if name not in tenants
        }
        return tenants, retired

    def _known(self, name: str, tenant: TenantSettings) -> TenantSettings:
        """An unchanged tenant stays the same object, so that nothing is made of it anew."""
        before = (self._tenants.get(name), self._retired.get(name))
        return next((known for known in before if known == tenant and known is not None), tenant)


def read_tenant(name: str, table: Table, source: str) -> TenantSettings:
    """One tenant of a file.

    Raises:
        ConfigurationError: Names each wrong member, never its value.
    """
    try:
        return TenantSettings.model_validate(table)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, each['loc'])) or name}: {each['msg']}" for each in error.errors(include_input=False)
        ]
        raise ConfigurationError(f"{source}: tenant {name}: {'; '.join(wrong)}") from None


def merge(fixed: Mapping[str, TenantSettings], stored: Stored, source: str) -> dict[str, TenantSettings]:
    """The tenants of the settings and of a file together.

    Raises:
        ConfigurationError: A tenant stands in both, or a number belongs to two; names both and where they are from.
    """
    tenants = dict(fixed)
    sources = dict.fromkeys(fixed, "the settings")
    for name, table in stored.tenants.items():
        if name in tenants:
            raise ConfigurationError(
                f"tenant {name} stands in the settings and in {source}; remove it from one of them"
            )
        tenants[name], sources[name] = read_tenant(name, table, source), source
    owners: dict[str, str] = {}
    for name, tenant in tenants.items():
        for number in tenant.numbers:
            if number in owners:
                other = owners[number]
                raise ConfigurationError(
                    f"tenants {other} (of {sources[other]}) and {name} (of {sources[name]}) have the number {number} in common"
                )
            owners[number] = name
    return tenants


class PerTenant(Mapping[str, T], Generic[T]):
    """Something that is made of each tenant, once for as long as its settings stay the same. See `per_tenant`."""

    def __init__(self, tenants: Mapping[str, TenantSettings], make: Callable[[str, TenantSettings], T]) -> None:
        self._tenants = tenants
        self._make = make
        self._made: dict[str, tuple[tuple[TenantSettings, T], ...]] = {}

    def __getitem__(self, name: str) -> T:
        return self.of(name, self._tenants[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tenants)

    def __len__(self) -> int:
        return len(self._tenants)

    def of(self, name: str, tenant: TenantSettings) -> T:
        """What is made of these settings, which need not be published yet."""
        made = self._made.get(name, ())
        for settings, value in made:
            if settings is tenant:
                return value
        value = self._make(name, tenant)
        # The one before is still asked for until the new one is published.
        self._made[name] = (*made[-1:], (tenant, value))
        return value


def per_tenant(tenants: Mapping[str, TenantSettings], make: Callable[[str, TenantSettings], T]) -> PerTenant[T]:
    """Make something of every tenant now, and of those that come later before they are published.

    Raises:
        ConfigurationError: What `make` raises.
    """
    made = PerTenant(tenants, make)
    for name in tenants:
        made.of(name, tenants[name])
    if isinstance(tenants, TenantBook):
        tenants.before_publishing(cast("Hook", made.of))
    return made
