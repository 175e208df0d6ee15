"""The bodies of the routes (extra `[fastapi]`): strict, bounded, and silent about what was sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

from orchestrator_auth.api_keys import ApiKey, MadeKey, NewKey
from orchestrator_auth.models import KeyLimits, TokenPair
from orchestrator_auth.sessions import Session
from orchestrator_auth.users import User
from orchestrator_kernel.models import AuditEvent


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Code = Annotated[str, StringConstraints(min_length=6, max_length=20)]
Tenant = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127})$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Whole = BeforeValidator(_whole)
"""JSON has one kind of number: 5.0 is as whole as 5."""
Secret = Annotated[SecretStr, Field(max_length=256)]


class Body(BaseModel):
    """Nothing but what is asked for, each member of its own JSON type, and no echo of it in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Login(Body):
    login: Text = Field(alias="email")
    password: Secret
    tenant: Tenant | None = None
    browser: bool = False


class SecondFactorAnswer(Body):
    challenge: Text
    code: Code


class Refresh(Body):
    refresh_token: Text


class Logout(Body):
    session_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = None
    all_sessions: bool = False


class ResetPassword(Body):
    login: Text = Field(alias="email")


class SetPassword(Body):
    token: Text
    password: Secret


class ChangePassword(Body):
    old: Secret
    new: Secret


class CodeBody(Body):
    code: Code


class Introspect(Body):
    token: Annotated[str, StringConstraints(max_length=8192)]


class TokensView(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the kind
    expires_in: int
    session_id: str

    @classmethod
    def of(cls, pair: TokenPair) -> Self:
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_in=pair.expires_in,
            session_id=pair.session_id,
        )


class ChallengeView(BaseModel):
    challenge: str
    expires_in: int


class LoginAnswer(BaseModel):
    """The challenge that a code has to answer first; or tokens; or, for a browser, a cookie and the token that its page sends with each change as `X-CSRF-Token`."""

    tokens: TokensView | None = None
    second_factor: ChallengeView | None = None
    csrf_token: str | None = None


class CsrfView(BaseModel):
    csrf_token: str


class Me(BaseModel):
    user_id: str
    tenant: str
    roles: list[str]
    permissions: list[str]
    withheld: list[str] = Field(description="What comes besides once a second factor was shown in this session.")
    session_id: str
    second_factor_at: datetime | None


class ServiceInfo(BaseModel):
    service: str
    key_id: str
    tenant: str
    permissions: list[str]
    expires_at: datetime | None


class Invite(Body):
    """Names of other scripts are invited from the shell, where whoever types sees what they are."""

    login: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,254}$")] = Field(alias="email")
    tenant: Tenant
    role: RoleName


class GrantView(BaseModel):
    role: str
    tenant: str


class PersonView(BaseModel):
    """Somebody, as those see them who administer them."""

    user_id: str
    email: str
    tenant: str
    roles: list[GrantView]
    state: Literal["active", "invited", "disabled"]
    second_factor: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User, *, login: str, second_factor: bool) -> Self:
        return cls(
            user_id=user.id,
            email=login,
            tenant=user.tenant,
            roles=[GrantView(role=each.role, tenant=each.tenant) for each in sorted(user.grants)],
            state=user.state,
            second_factor=second_factor,
            created_at=user.created_at,
        )


class Invited(BaseModel):
    """`token` is for `POST /auth/password/set`, works once, within a day, and is shown this once; none where it was sent by mail."""

    user: PersonView
    token: str | None


class SessionView(BaseModel):
    session_id: str
    kind: str
    label: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool

    @classmethod
    def of(cls, session: Session, current: str) -> Self:
        return cls(
            session_id=session.id,
            kind=str(session.kind),
            label=session.label,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
            current=session.id == current,
        )


class EnrolmentView(BaseModel):
    """Shown once."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodes(BaseModel):
    """Shown once."""

    recovery_codes: list[str]


class FactorView(BaseModel):
    enabled: bool
    enabled_at: datetime | None
    recovery_codes_left: int


class FactorEvent(BaseModel):
    """One thing that happened to a second factor."""

    type: str
    occurred_at: datetime
    actor: str
    outcome: str
    method: str | None = None

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        method = event.details.get("method")
        return cls(
            type=event.type,
            occurred_at=event.occurred_at,
            actor=event.actor,
            outcome=str(event.outcome),
            method=None if method is None else str(method),
        )


class FactorEvents(BaseModel):
    """A page of them; `next` leads to the page after."""

    events: list[FactorEvent]
    next: datetime | None


class StepUp(BaseModel):
    """`tokens` says that the second factor was shown; none for a browser's session, which knows."""

    method: str
    tokens: TokensView | None


class LimitsBody(Body):
    per_minute: Annotated[int, Field(gt=0, lt=2**31), Whole] | None = 100
    per_hour: Annotated[int, Field(gt=0, lt=2**31), Whole] | None = 1_000
    per_day: Annotated[int, Field(gt=0, lt=2**31), Whole] | None = 10_000

    def limits(self) -> KeyLimits:
        return KeyLimits(per_minute=self.per_minute, per_hour=self.per_hour, per_day=self.per_day)


class NewKeyBody(Body):
    service: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,119}$")]
    tenant: Tenant
    permissions: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*:[a-z][a-z0-9_]*$")]], Field(max_length=100)
    ]
    limits: LimitsBody = LimitsBody()
    days: Annotated[int, Field(ge=1, le=3_660), Whole] = 365
    label: Annotated[str, StringConstraints(max_length=100)] = ""

    def new_key(self) -> NewKey:
        return NewKey(
            service=self.service,
            tenant=self.tenant,
            permissions=frozenset(self.permissions),
            limits=self.limits.limits(),
            lifetime=timedelta(days=self.days),
            label=self.label,
        )


class KeyView(BaseModel):
    """A key without its secret."""

    key_id: str
    service: str
    tenant: str
    permissions: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str
    label: str

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(
            key_id=key.id,
            service=key.service,
            tenant=key.tenant,
            permissions=sorted(key.permissions),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
            replaced_by=key.replaced_by,
            label=key.label,
        )


class MadeKeyView(BaseModel):
    """`api_key` is shown this once."""

    api_key: str
    key: KeyView

    @classmethod
    def of(cls, made: MadeKey) -> Self:
        return cls(api_key=made.text, key=KeyView.of(made.key))
