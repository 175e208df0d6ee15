"""Letters to people who sign in, through a real SMTP conversation on the loopback."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from app_support import AUTHORIZED, SHORT, TENANT, running, settings

from orchestrator_auth.mfa import authenticator_code
from orchestrator_auth.models import Grant
from orchestrator_auth.service import Auth
from orchestrator_kernel.ports import SystemClock

PASSWORD = "a password of several words"


class Post:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.port = 0
        self.letters: asyncio.Queue[email.message.EmailMessage] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post.example ESMTP\r\n")
        while line := await reader.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                letter = email.message_from_bytes(text, policy=email.policy.default)
                await self.letters.put(letter)  # type: ignore[arg-type]
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                break
        writer.close()

    async def next(self) -> tuple[str, str, str]:
        """To whom, about what, and the text."""
        async with asyncio.timeout(10):
            letter = await self.letters.get()
        return str(letter["To"]), str(letter["Subject"]), str(letter.get_content())


@asynccontextmanager
async def post_office() -> AsyncGenerator[Post, None]:
    post = Post()
    server = await asyncio.start_server(post.serve, "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    async with server:
        yield post


def configured(data: Path, port: int) -> Any:
    mail = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "desk@calls.example",
        "recipients": ("ops@calls.example",),
    }
    public = {"public_url": "https://calls.example"}
    return settings(data, tenants=SHORT, server=public, monitoring={"email": mail, "alerting": False})


async def test_a_forgotten_password_is_chosen_anew_by_a_letter(data: Path) -> None:
    async with post_office() as post, running(configured(data, post.port)) as service:
        auth = service.app.registry.get(Auth)
        await auth.users.create("zoe@example.org", tenant=TENANT, grants=[Grant("hotel_staff", TENANT)])
        answers = [
            await service.http.post("/auth/password/reset", json={"email": name})
            for name in ("nobody@example.org", "zoe@example.org")
        ]
        assert {(each.status_code, each.text) for each in answers} == {(202, "null")}

        to, subject, text = await post.next()
        assert (to, subject) == ("zoe@example.org", "Choose a new password (calls.example)")
        link = re.search(r"https://calls.example/auth/password/set#\S+", text)
        assert link is not None
        body = {"token": unquote(link[0].partition("#")[2]), "password": PASSWORD}
        assert (await service.http.post("/auth/password/set", json=body)).status_code == 204
        to, _, text = await post.next()
        assert (to, "Your password was changed." in text) == ("zoe@example.org", True)
        assert post.letters.empty()


async def test_who_is_invited_gets_a_letter_and_whoever_invites_sees_no_token(data: Path) -> None:
    async with post_office() as post, running(configured(data, post.port)) as service:
        invited = {"email": "zoe@example.org", "tenant": TENANT, "role": "hotel_staff"}
        made = await service.http.post("/auth/users", json=invited, headers=AUTHORIZED)
        assert (made.status_code, made.json()["token"]) == (201, None)
        to, subject, text = await post.next()
        assert (to, subject) == ("zoe@example.org", "You are invited (calls.example)")
        link = re.search(r"https://calls.example/auth/password/set#\S+", text)
        assert link is not None
        body = {"token": unquote(link[0].partition("#")[2]), "password": PASSWORD}
        assert (await service.http.post("/auth/password/set", json=body)).status_code == 204
        # A name that is no address gets no letter.
        made = await service.http.post("/auth/users", json={**invited, "email": "desk-4"}, headers=AUTHORIZED)
        assert made.json()["token"].startswith("opr_")


async def test_people_are_told_what_is_done_with_their_account_and_who_tries(data: Path) -> None:
    async with post_office() as post, running(configured(data, post.port)) as service:
        auth, http = service.app.registry.get(Auth), service.http
        grants = [Grant("hotel_staff", TENANT)]
        await auth.users.create("zoe@example.org", tenant=TENANT, grants=grants, password=PASSWORD)
        body = {"email": "zoe@example.org", "password": PASSWORD}
        tokens = (await http.post("/auth/login", json=body)).json()["tokens"]
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        secret = (await http.post("/auth/mfa/enroll", headers=bearer)).json()["secret"]
        code = authenticator_code(secret, SystemClock().now())
        await http.post("/auth/mfa/enroll/verify", json={"code": code}, headers=bearer)
        assert "new recovery codes" in (await post.next())[2]

        challenge = (await http.post("/auth/login", json=body)).json()["second_factor"]["challenge"]
        for _ in range(3):
            await http.post("/auth/login/second-factor", json={"challenge": challenge, "code": "000000"})
        assert "Somebody gave your password, and then a wrong code." in (await post.next())[2]
        for _ in range(2):
            await http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert "A copy of your sign-in was used" in (await post.next())[2]
        await auth.admin.reset_second_factor("zoe@example.org")
        assert "Your second factor was removed." in (await post.next())[2]
        # One letter of a kind, however often.
        assert post.letters.empty()


async def test_a_mail_server_that_is_not_there_hinders_nobody(data: Path) -> None:
    async with running(configured(data, 9)) as service:
        auth = service.app.registry.get(Auth)
        await auth.users.create("zoe@example.org", tenant=TENANT, grants=[Grant("hotel_staff", TENANT)])
        answer = await service.http.post("/auth/password/reset", json={"email": "zoe@example.org"})
        assert answer.status_code == 202
        assert (await service.http.get("/healthz")).status_code == 200
