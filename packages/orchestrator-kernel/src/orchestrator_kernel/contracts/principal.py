"""What every `Principal` promises."""

from __future__ import annotations

from orchestrator_kernel.models import require_identifier
from orchestrator_kernel.ports import Principal


class PrincipalContract:
    """Subclass; return a principal of `tenant` that holds `permission` and not `other_permission`."""

    tenant = "t1"
    other_tenant = "t2"
    permission = "call:view"
    other_permission = "system:admin"

    def make(self) -> Principal:
        raise AssertionError("return the principal under test")

    def test_its_id_is_an_identifier(self) -> None:
        principal = self.make()
        assert require_identifier(principal.id, "principal") == principal.id

    def test_it_holds_what_it_was_given_and_nothing_else(self) -> None:
        principal = self.make()
        assert principal.may(self.permission)
        assert not principal.may(self.other_permission)
        assert not principal.may("")
        assert not principal.may(self.permission.upper())

    def test_it_stays_in_its_tenant(self) -> None:
        principal = self.make()
        assert principal.may_access(self.tenant)
        assert not principal.may_access(self.other_tenant)
        assert not principal.may_access("")
