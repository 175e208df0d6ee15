"""What the operator does from a shell, and what becomes of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from urllib.parse import unquote

import pytest
from auth_support import BindingSealer
from auth_world import PEPPER, World

from orchestrator_auth.admin import OPERATOR, Admin, FirstAdminExists
from orchestrator_auth.api_keys import NewKey
from orchestrator_auth.exceptions import CredentialRefused, LoginRefused, TokenRefused
from orchestrator_auth.mfa import SecondFactor, Subject, authenticator_code
from orchestrator_auth.models import ALL_TENANTS, Permission
from orchestrator_auth.passwords import HasherConfig, PasswordHasher
from orchestrator_auth.rbac import context_of
from orchestrator_auth.sessions import Sessions
from orchestrator_auth.signin import SignedIn, SignIn
from orchestrator_auth.users import LoginTaken, UserNotFound, Users
from orchestrator_kernel.exceptions import ValidationError

LINK = "https://calls.example/set-password"
PASSWORD = "correct horse battery"


class Office(World):
    """The world with people in it."""

    def __init__(self) -> None:
        super().__init__()
        hasher = PasswordHasher(HasherConfig(time_cost=1, memory_kib=256, parallelism=1))
        self.users = Users(self.records, BindingSealer(), hasher, pepper=PEPPER, audit=self.audit, clock=self.clock)
        self.factor = SecondFactor(
            self.records, BindingSealer(), pepper=PEPPER, audit=self.audit, clock=self.clock, issuer="Calls"
        )
        self.sessions = Sessions(
            self.records,
            self.issuer,
            self.revocations,
            pepper=PEPPER,
            roles_of=self.users.roles,
            audit=self.audit,
            clock=self.clock,
        )
        self.signin = SignIn(self.users, self.factor, self.sessions, pepper=PEPPER, audit=self.audit, clock=self.clock)
        self.admin = self.with_second_factor_roles(())

    def with_second_factor_roles(self, roles: Collection[str]) -> Admin:
        return Admin(
            users=self.users,
            sessions=self.sessions,
            keys=self.keys,
            ring=self.ring,
            revocations=self.revocations,
            factor=self.factor,
            policies=self.policies,
            store=self.records,
            audit=self.audit,
            clock=self.clock,
            second_factor_roles=roles,
        )

    async def zoe(self) -> str:
        """Somebody with a password, by her id."""
        link = await self.admin.invite("zoe@example.org", tenant="hotel-7", role="hotel_staff", link=LINK)
        return (await self.users.finish_reset(token_of(link), PASSWORD)).id

    async def signs_in(self, login: str = "zoe@example.org") -> SignedIn:
        found = await self.signin.password(login, PASSWORD, address="a")
        assert isinstance(found, SignedIn)
        assert found.pair is not None
        return found


def token_of(link: str) -> str:
    place, _, token = link.partition("#")
    assert place == LINK
    return unquote(token)


@pytest.fixture
async def office() -> Office:
    office = Office()
    await office.open()
    return office


async def test_the_first_administrator_comes_by_a_link_that_works_once(office: Office) -> None:
    link = await office.admin.first_admin("root@example.org", link=LINK)
    await office.users.finish_reset(token_of(link), PASSWORD)
    with pytest.raises(LoginRefused):
        await office.users.finish_reset(token_of(link), "another good one")
    signed = await office.signs_in("root@example.org")
    assert signed.pair is not None
    user = context_of(await office.verifier.verify(signed.pair.access_token), office.policies.policy)
    assert user.may(Permission.SYSTEM_ADMIN)
    assert user.may_access("any-hotel")
    with pytest.raises(FirstAdminExists):
        await office.admin.first_admin("root@example.org", link=LINK)
    with pytest.raises(FirstAdminExists):
        await office.admin.first_admin("other@example.org", link=LINK)
    event = next(event for event in office.sink.events if event.type == "auth.first_admin")
    assert (event.actor, event.severity) == (OPERATOR, "high")


async def test_a_link_that_was_lost_is_made_anew_and_the_old_one_ends(office: Office) -> None:
    old = await office.admin.first_admin("root@example.org", link=LINK)
    new = await office.admin.first_admin("root@example.org", link=LINK)
    with pytest.raises(LoginRefused):
        await office.users.finish_reset(token_of(old), PASSWORD)
    await office.users.finish_reset(token_of(new), PASSWORD)
    assert len(await office.users.of_tenant(ALL_TENANTS)) == 1


async def test_a_link_lasts_a_day(office: Office) -> None:
    link = await office.admin.first_admin("root@example.org", link=LINK)
    office.clock.seconds += 86_400
    with pytest.raises(LoginRefused):
        await office.users.finish_reset(token_of(link), PASSWORD)


async def test_somebody_who_is_there_does_not_become_the_first_administrator(office: Office) -> None:
    await office.zoe()
    with pytest.raises(FirstAdminExists):
        await office.admin.first_admin("zoe@example.org", link=LINK)
    assert not any(grant.tenant == ALL_TENANTS for grant in (await office.admin.user("zoe@example.org")).grants)


async def test_people_are_found_by_name_or_id(office: Office) -> None:
    user_id = await office.zoe()
    assert (await office.admin.user("ZOE@example.org")).id == user_id == (await office.admin.user(user_id)).id
    for nobody in ("max@example.org", "u-0000", "u-../x", ""):
        with pytest.raises(UserNotFound):
            await office.admin.user(nobody)
    with pytest.raises(LoginTaken):
        await office.admin.invite("zoe@example.org", tenant="hotel-8", role="hotel_staff", link=LINK)


async def test_roles_are_given_taken_and_explained(office: Office) -> None:
    user_id = await office.zoe()
    assert await office.admin.explain(user_id, "call:end", tenant="hotel-7") == (
        f"refused: call:end in hotel-7 (policy {office.policies.policy.revision})",
        "hotel_staff in hotel-7 does not hold it",
        "not granted; held by: hotel_admin, system_admin",
    )
    await office.admin.grant("zoe@example.org", "hotel_admin", tenant="hotel-7")
    verdict, *lines = await office.admin.explain("zoe@example.org", "call:end", tenant="hotel-7")
    assert verdict.startswith("allowed: call:end in hotel-7")
    assert lines[0] == "granted by hotel_admin in hotel-7"
    with pytest.raises(ValidationError, match="hotel_admin"):
        await office.admin.grant("zoe@example.org", "hotel_adnim", tenant="hotel-7")
    signed = await office.signs_in()
    assert signed.pair is not None
    await office.admin.withdraw(user_id, "hotel_admin", tenant="hotel-7")
    with pytest.raises(TokenRefused):
        await office.verifier.verify(signed.pair.access_token)
    pair = await office.sessions.refresh(signed.pair.refresh_token)
    assert (await office.verifier.verify(pair.access_token)).roles == {"hotel_staff"}


async def test_a_role_that_counts_with_a_second_factor_only_is_explained_as_such(office: Office) -> None:
    careful = office.with_second_factor_roles({"hotel_admin"})
    user_id = await office.zoe()
    await careful.grant(user_id, "hotel_admin", tenant="hotel-7")
    verdict, *lines = await careful.explain(user_id, "call:end", tenant="hotel-7")
    assert verdict.startswith("refused: call:end in hotel-7")
    assert lines == [
        "granted by hotel_admin in hotel-7, once a second factor was shown in the session",
        "hotel_staff in hotel-7 does not hold it",
        "needs: the tenant hotel-7",
        "has no second factor: enrol, then show it",
    ]
    # What another role comes to besides is there at once.
    assert (await careful.explain(user_id, "call:start", tenant="hotel-7"))[0].startswith("allowed: ")
    enrolment = await office.factor.enrol(Subject(user_id, "hotel-7"), account="zoe")
    await office.factor.confirm(Subject(user_id, "hotel-7"), authenticator_code(enrolment.secret, office.clock.now()))
    verdict, *lines = await careful.explain(user_id, "call:end", tenant="hotel-7")
    assert verdict.startswith("allowed: call:end in hotel-7")
    assert lines[0].endswith("once a second factor was shown in the session")
    assert "has no second factor" not in str(lines)


async def test_the_operator_ends_a_session_of_the_platform_s_own_people(office: Office) -> None:
    link = await office.admin.first_admin("root@example.org", link=LINK)
    await office.users.finish_reset(token_of(link), PASSWORD)
    signed = await office.signs_in("root@example.org")
    assert signed.pair is not None
    await office.admin.end_session(signed.pair.session_id)
    assert await office.admin.sessions("root@example.org") == []


async def test_somebody_disabled_is_out_at_once(office: Office) -> None:
    user_id = await office.zoe()
    signed = await office.signs_in()
    assert signed.pair is not None
    await office.admin.disable(user_id)
    with pytest.raises(TokenRefused):
        await office.verifier.verify(signed.pair.access_token)
    assert (await office.admin.explain(user_id, "call:view", tenant="hotel-7"))[0].startswith(
        "disabled: may do nothing"
    )
    await office.admin.enable(user_id)
    await office.signs_in()


async def test_a_lost_second_factor_and_a_lost_password(office: Office) -> None:
    user_id = await office.zoe()
    assert not await office.admin.reset_second_factor(user_id)
    await office.factor.enrol(Subject(user_id, "hotel-7"), account="zoe")
    assert await office.admin.reset_second_factor(user_id)
    link = await office.admin.reset_password(user_id, link=LINK)
    await office.users.finish_reset(token_of(link), "another good one")
    with pytest.raises(LoginRefused):
        await office.signs_in()


async def test_somebody_deleted_leaves_nothing(office: Office) -> None:
    user_id = await office.zoe()
    signed = await office.signs_in()
    assert signed.pair is not None
    await office.admin.delete("zoe@example.org")
    with pytest.raises(TokenRefused):
        await office.verifier.verify(signed.pair.access_token)
    assert not [key for key in office.records._records if user_id in key and key[0] != "session"]


async def test_sessions_are_listed_and_ended(office: Office) -> None:
    user_id = await office.zoe()
    first, second = await office.signs_in(), await office.signs_in()
    assert {session.id for session in await office.admin.sessions(user_id)} == {first.session_id, second.session_id}
    await office.admin.end_session(first.session_id)
    assert await office.admin.end_sessions(user_id) == 1
    assert await office.admin.sessions(user_id) == []


async def test_keys_are_made_rotated_and_revoked(office: Office) -> None:
    made = await office.admin.create_key(NewKey(service="billing", tenant="hotel-7", permissions={"call:view"}))
    new = await office.admin.rotate_key(made.key.id)
    office.clock.seconds += timedelta(hours=25).total_seconds()
    with pytest.raises(CredentialRefused):
        await office.keys.verify(made.text)
    assert (await office.keys.verify(new.text)).service == "billing"
    await office.admin.revoke_key(new.key.id)
    with pytest.raises(CredentialRefused):
        await office.keys.verify(new.text)


async def test_signing_keys_are_rotated_listed_and_removed(office: Office) -> None:
    await office.zoe()
    signed = await office.signs_in()
    assert signed.pair is not None
    new = await office.admin.rotate_signing_key()
    assert [line.state for line in await office.admin.signing_keys()] == ["signs", "published"]
    office.clock.seconds += 2
    old, line = await office.admin.signing_keys()
    assert (old.state, line.state, line.kid) == ("verifies", "signs", new)
    await office.verifier.verify(signed.pair.access_token)
    assert await office.admin.remove_signing_key(old.kid)
    with pytest.raises(TokenRefused):
        await office.verifier.verify(signed.pair.access_token)
    assert office.sink.events[-1].severity == "critical"


async def test_everything_that_is_out_can_be_refused(office: Office) -> None:
    await office.zoe()
    signed = await office.signs_in()
    assert signed.pair is not None
    await office.admin.revoke_everything()
    with pytest.raises(TokenRefused):
        await office.verifier.verify(signed.pair.access_token)
    await office.verifier.verify((await office.sessions.refresh(signed.pair.refresh_token)).access_token)
