"""Which tenants there are, where the service knows: nobody is given a role or a key where nobody is."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import ValidationError

__all__ = ["TenantUnknown", "require_tenant"]


class TenantUnknown(ValidationError):
    """The service has no such tenant."""

    default_code = "tenant_unknown"
    default_status = 404


def require_tenant(tenant: str, known: Collection[str] | None) -> None:
    """Return if the service has the tenant; the platform is always there, and None lets every name pass.

    Ask after the decision whether somebody may act there: the answer lists all names.

    Raises:
        TenantUnknown: It has not.
    """
    if known is None or tenant == ALL_TENANTS or tenant in known:
        return
    there = ", ".join([*sorted(known), f"{ALL_TENANTS} for the platform"])
    raise TenantUnknown(f"There is no tenant {tenant!r}; there is {there}.")
