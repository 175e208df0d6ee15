"""Every endpoint of the running application, asked over the network by everybody: nobody, those who were somebody, all roles in all places, programs, browsers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from app_authz import DENIED, IN, NOBODY, Stage, expected, operations, sockets, stage
from app_support import listening, new_call, settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from orchestrator_app.app import create_app
from orchestrator_auth.guard import Proof

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody(data: Path) -> AsyncGenerator[Stage, None]:
    async with listening(settings(data)) as client:
        # On a busy machine an answer takes long; it is not wrong for that.
        client.http.timeout = httpx.Timeout(60)
        yield await stage(client)


async def test_every_operation_answers_everybody_as_its_rule_says(everybody: Stage) -> None:
    every = operations(create_app(everybody.client.app))

    wrong = await everybody.wrong(every)

    asked = len(every) * len(everybody.identities)
    print(f"{len(every)} operations, {len(everybody.identities)} identities: {asked} answers, {len(wrong)} exceptions")
    assert wrong == []


async def test_every_socket_opens_for_those_whom_its_rule_lets_in(everybody: Stage) -> None:
    call = new_call()
    await everybody.client.event(call, "call_started")
    wrong: list[str] = []
    every = sockets(create_app(everybody.client.app))
    for operation in every:
        url = everybody.client.url.replace("http", "ws", 1) + operation.path.replace("{call_id}", call)
        for who in everybody.identities:
            wanted = expected(operation, who)
            headers = dict(who.headers)
            if "cookie" in headers:
                # A page of ours names its origin when it opens a socket; the token of a change cannot be sent there.
                headers["origin"] = everybody.client.url if who.csrf else "https://evil.example"
                wanted = wanted if who.csrf else "refused"
            got = await opened(url, headers)
            if isinstance(operation.rule, Proof):
                good = got not in {"101", "500"}
            else:
                good = {NOBODY: got == "401", DENIED: got == "403", IN: got == "101"}.get(wanted, got in {"401", "403"})
            if not good:
                wrong.append(f"{operation} opened by {who.name}: {got}, declared {wanted}")
    assert wrong == []
    assert len(every) >= 3


async def opened(url: str, headers: dict[str, str]) -> str:
    """The status of a handshake."""
    try:
        async with connect(url, additional_headers=headers):
            return "101"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
