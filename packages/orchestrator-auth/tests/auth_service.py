"""A service with all routes below `/auth`, over HTTP without a network, and people in it."""

from __future__ import annotations

import base64
from collections.abc import Collection

from auth_support import BindingSealer, HandClock, ListSink
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from orchestrator_auth._totp import hotp, step_of
from orchestrator_auth.fastapi_routes import PUBLIC_PATHS, ResetMail, auth_router
from orchestrator_auth.jwt_service import MemoryRevocations
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.middleware import AuthMiddleware
from orchestrator_auth.models import Grant
from orchestrator_auth.passwords import HasherConfig
from orchestrator_auth.records import MemoryRecords
from orchestrator_auth.service import Auth, AuthConfig
from orchestrator_auth.users import User

PASSWORD = "correct horse battery"


class Mailbox(ResetMail):
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.invites = False

    async def invite(self, user: User, token: str) -> bool:
        if self.invites:
            await self.send(user, token)
        return self.invites

    async def send(self, user: User, token: str) -> None:
        self.sent.append((user.id, token))


class Service:
    def __init__(self, tenants: Collection[str] | None = None) -> None:
        self.clock, self.sink, self.mail = HandClock(), ListSink(), Mailbox()
        config = AuthConfig(
            issuer="https://calls.example",
            audience="calls",
            origins=["https://calls.example"],
            tenants=tenants,
            hashing=HasherConfig(time_cost=1, memory_kib=256, parallelism=1),
        )
        self.auth = Auth.build(
            config,
            records=MemoryRecords(),
            revocations=MemoryRevocations(),
            sealer=BindingSealer(),
            pepper=Pepper({"one": b"1" * 32}),
            sink=self.sink,
            clock=self.clock,
        )
        self.app = FastAPI()
        self.app.include_router(auth_router(self.auth, mail=self.mail))
        public = PUBLIC_PATHS | {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
        self.app.add_middleware(
            AuthMiddleware,
            authenticator=self.auth.authenticator,
            guard=self.auth.guard,
            audit=self.auth.audit,
            public=public,
        )
        self.http = AsyncClient(transport=ASGITransport(self.app), base_url="https://calls.example")
        self.seed = b""

    async def person(self, name: str = "zoe", role: str = "hotel_staff", tenant: str = "hotel-7") -> User:
        grants = [Grant(role, tenant)]
        return await self.auth.users.create(f"{name}@example.org", tenant=tenant, grants=grants, password=PASSWORD)

    async def login(self, name: str = "zoe", password: str = PASSWORD) -> Response:
        return await self.http.post("/auth/login", json={"email": f"{name}@example.org", "password": password})

    async def signed_in(self, name: str = "zoe") -> dict[str, str]:
        """The header that a signed-in person sends."""
        return header((await self.login(name)).json()["tokens"])

    def code(self) -> str:
        self.clock.seconds += 30
        return hotp(self.seed, step_of(self.clock.now().timestamp()))

    async def enrol(self, headers: dict[str, str]) -> list[str]:
        enrolment = (await self.http.post("/auth/mfa/enroll", headers=headers)).json()
        assert enrolment["qr_svg"].startswith("<?xml")
        self.seed = base64.b32decode(enrolment["secret"] + "=" * (-len(enrolment["secret"]) % 8))
        answer = await self.http.post("/auth/mfa/enroll/verify", headers=headers, json={"code": self.code()})
        return answer.json()["recovery_codes"]


def header(tokens: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}
