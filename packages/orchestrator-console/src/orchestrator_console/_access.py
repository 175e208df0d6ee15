"""What somebody may see and do here: pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_console.config import Permissions
from orchestrator_kernel.ports.operations import Viewer

__all__ = ["Access"]


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of one viewer. Calls belong to tenants; everything else is the platform's."""

    viewer: Viewer
    permissions: Permissions

    def sees_calls(self) -> bool:
        """Whether there is any call that they might see."""
        return self.viewer.principal.may(self.permissions.calls)

    def sees_calls_of(self, tenant: str) -> bool:
        """Whether they may see the calls of `tenant`, and what is said in them."""
        return self.sees_calls() and self.viewer.principal.may_access(tenant)

    def may_call(self, tenant: str) -> bool:
        """Whether they may place a test call to `tenant`."""
        principal = self.viewer.principal
        return principal.may(self.permissions.test_calls) and principal.may_access(tenant)

    def may_on_platform(self, permission: str) -> bool:
        """Whether they hold `permission` for the platform as a whole."""
        return self.viewer.platform and self.viewer.principal.may(permission)
