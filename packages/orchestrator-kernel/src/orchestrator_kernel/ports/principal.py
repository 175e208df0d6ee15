"""Who stands behind a request."""

from __future__ import annotations

from typing import Protocol


class Principal(Protocol):
    """A verified user or service."""

    @property
    def id(self) -> str:
        """Stable and unique; safe to log."""
        ...

    def may(self, permission: str) -> bool:
        """Whether it holds `permission` (`resource:verb`)."""
        ...

    def may_access(self, tenant: str) -> bool:
        """Whether it may see and change what belongs to `tenant`."""
        ...
