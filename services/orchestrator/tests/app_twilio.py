"""Twilio's side of a call: webhooks signed by its own SDK, and the relay's end of the socket."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from app_support import Client
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ACCOUNT = "AC" + "1" * 32
OTHER = "AC" + "2" * 32
TOKENS = {ACCOUNT: "auth-token-of-the-tests-1", OTHER: "auth-token-of-the-tests-2"}
CALLER, DIALED, DESK = "+4915112345678", "+4930901821", "+4930901899"


def new_sid() -> str:
    return f"CA{secrets.token_hex(16)}"


def signature(url: str, form: dict[str, str], token: str) -> str:
    return str(RequestValidator(token).compute_signature(url, form))


async def post(
    service: Client, path: str, call: str, *, token: str = TOKENS[ACCOUNT], account: str = ACCOUNT, **form: str
) -> httpx.Response:
    """A webhook as Twilio sends it."""
    url = path if path.startswith("http") else f"{service.url}/v1/twilio/{path}"
    members = {"AccountSid": account, "CallSid": call, "ApiVersion": "2010-04-01", **form}
    headers = {"x-twilio-signature": signature(url, members, token)}
    return await service.http.post(url, data=members, headers=headers)


async def ring(service: Client, call: str, **form: str) -> ET.Element:
    answer = await post(
        service,
        "voice",
        call,
        **{"CallStatus": "ringing", "From": CALLER, "To": DIALED, "Direction": "inbound", **form},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/xml")
    return ET.fromstring(answer.text)


class Relay:
    """Twilio's side of the socket: plays each text to its end as soon as it comes, unless it is to be slow."""

    def __init__(self, socket: ClientConnection, *, plays: bool = True) -> None:
        self.socket = socket
        self.plays = plays
        self.messages: list[dict[str, Any]] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for data in self.socket:
                message = json.loads(data)
                self.messages.append(message)
                if self.plays and message["type"] == "text" and message["token"]:
                    await self.send(type="info", name="tokensPlayed", value=message["token"])
        except ConnectionClosed:
            return

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def says(self, text: str, *, last: bool = True) -> None:
        await self.send(type="prompt", voicePrompt=text, lang="en-US", last=last)

    @property
    def spoken(self) -> str:
        return "".join(each["token"] for each in self.messages if each["type"] == "text")

    @property
    def cycles(self) -> int:
        return sum(each["type"] == "text" and each["last"] for each in self.messages)

    async def until(self, condition: Any, limit: float = 5.0) -> None:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.005)

    async def answered(self, cycles: int) -> None:
        await self.until(lambda: self.cycles >= cycles)

    async def closed(self) -> tuple[int | None, str | None]:
        async with asyncio.timeout(10):
            await self._task
        return self.socket.close_code, self.socket.close_reason

    async def leave(self) -> None:
        await self.socket.close()
        await asyncio.gather(self._task, return_exceptions=True)


def setup(call: str, session: str = "VX1", **more: Any) -> dict[str, Any]:
    return {
        "type": "setup",
        "sessionId": f"{session}-{call}",
        "accountSid": ACCOUNT,
        "callSid": call,
        "parentCallSid": "",
        "from": CALLER,
        "to": DIALED,
        "direction": "inbound",
        "callStatus": "RINGING",
        "customParameters": {},
        **more,
    }


def relay_url(service: Client) -> str:
    return f"{service.url.replace('http', 'ws', 1)}/v1/twilio/relay"


@asynccontextmanager
async def relayed(
    service: Client, call: str, *, session: str = "VX1", plays: bool = True, **more: Any
) -> AsyncGenerator[Relay, None]:
    """A session of the relay for a call."""
    url = relay_url(service)
    headers = {"x-twilio-signature": signature(url, {}, TOKENS[ACCOUNT])}
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        relay = Relay(socket, plays=plays)
        await relay.send(**setup(call, session, **more))
        yield relay
        await relay.leave()
