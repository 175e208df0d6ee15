"""Twilio as a process of its own: rings a running service, and is the ConversationRelay that hears and speaks for it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, cast
from xml.etree import ElementTree as ET

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.http import http_errors
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json

__all__ = ["Relay", "TwilioAccount", "TwilioClient", "relay_session"]

WORD_SECONDS: Final = 0.12
"""How long the relay takes to play a word."""


class _Signer(Protocol):
    """What we use of Twilio's SDK, which has no types."""

    def compute_signature(self, uri: str, params: dict[str, str]) -> str: ...


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """An account that Twilio signs for."""

    sid: str
    token: str = field(repr=False)

    @classmethod
    def made(cls) -> TwilioAccount:
        """An account that nobody else has."""
        return cls(f"AC{secrets.token_hex(16)}", secrets.token_hex(16))

    def settings(self, tenant: str) -> str:
        """The account as a section of `orchestrator.toml`."""
        return f'[twilio]\naccount_sid = "{self.sid}"\nauth_token = "{self.token}"\ntenant = "{tenant}"\n'

    def sign(self, url: str, form: Mapping[str, str]) -> str:
        """The `X-Twilio-Signature` of a request, made by Twilio's own SDK.

        Raises:
            ConfigurationError: The SDK is not installed.
        """
        try:
            from twilio import request_validator  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "the demo signs its calls with Twilio's own SDK; install orchestrator-app[demo]"
            ) from error
        signer = cast("_Signer", request_validator.RequestValidator(self.token))
        return signer.compute_signature(url, dict(form))


@dataclass(slots=True)
class TwilioClient:
    """Sends the webhooks of one call."""

    http: httpx.AsyncClient
    base: str
    account: TwilioAccount
    caller: str
    dialed: str
    sid: str = field(default_factory=lambda: f"CA{secrets.token_hex(16)}")

    async def post(self, url: str, **form: str) -> ET.Element | None:
        """A webhook, signed; the TwiML that answers it, if there is any."""
        url = url if url.startswith("http") else f"{self.base}/v1/twilio/{url}"
        members = {"AccountSid": self.account.sid, "CallSid": self.sid, "From": self.caller, "To": self.dialed, **form}
        with http_errors("the service"):
            answer = await self.http.post(
                url, data=members, headers={"x-twilio-signature": self.account.sign(url, members)}
            )
        if answer.status_code >= 300:
            raise OrchestratorError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}")
        # The document is our own service's.
        return ET.fromstring(answer.text) if answer.text else None  # noqa: S314

    def setup(self) -> dict[str, Json]:
        """The first message of a session."""
        return {
            "type": "setup",
            "sessionId": f"VX{secrets.token_hex(16)}",
            "accountSid": self.account.sid,
            "callSid": self.sid,
            "from": self.caller,
            "to": self.dialed,
            "direction": "inbound",
            "callStatus": "IN-PROGRESS",
        }


class Relay:
    """The relay's side of the socket: plays text word by word, and stops when the caller speaks over it."""

    def __init__(self, socket: ClientConnection, clock: Clock, spoken: Callable[[str], None]) -> None:
        self._socket = socket
        self._clock = clock
        self._spoken = spoken
        self._waiting: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        self._playing: list[str] = []
        self._interrupted = asyncio.Event()
        self.first_token_at: float | None = None
        self.cycles = 0
        self.playing = ""
        self.order: dict[str, str] = {}

    async def say(self, text: str, *, last: bool = True) -> None:
        """The caller speaks."""
        await self._send(type="prompt", voicePrompt=text, lang="en-US", last=last)

    async def press(self, digit: str) -> None:
        """The caller presses a key."""
        await self._send(type="dtmf", digit=digit)

    async def interrupt(self) -> str:
        """The caller speaks over us; what was played until then."""
        heard = " ".join(self._playing)
        self._interrupted.set()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        await self._send(
            type="interrupt",
            utteranceUntilInterrupt=heard,
            durationUntilInterruptMs=round(len(self._playing) * WORD_SECONDS * 1000),
        )
        return heard

    async def listen(self) -> None:
        """Take messages until the socket is closed."""
        async for data in self._socket:
            message = cast("dict[str, Json]", json.loads(data))
            if message["type"] == "text":
                if self.first_token_at is None:
                    self.first_token_at = self._clock.monotonic()
                self._waiting.put_nowait((str(message["token"]), message["last"] is True))
            elif message["type"] == "end":
                self.order = json.loads(str(message["handoffData"]))
                await self._socket.close()

    async def play(self) -> None:
        """Play what comes, in order."""
        while True:
            token, last = await self._waiting.get()
            self._interrupted.clear()
            self._playing, self.playing = [], token.strip()
            if token.strip():
                self._spoken(token.strip())
            for word in token.split():
                if not self._interrupted.is_set():
                    await self._clock.sleep(WORD_SECONDS)
                    self._playing.append(word)
            if token.strip() and not self._interrupted.is_set():
                await self._send(type="info", name="tokensPlayed", value=token.strip())
            self.playing = ""
            self.cycles += last

    async def until(self, condition: Callable[[Relay], bool], limit: float, what: str) -> None:
        """Wait for something; TimeoutError names it."""
        deadline = self._clock.monotonic() + limit
        while not condition(self):
            if self._clock.monotonic() > deadline:
                raise TimeoutError(f"{what} within {limit:g} s")
            await self._clock.sleep(0.01)

    async def _send(self, **message: Json) -> None:
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed:
            return  # whoever closed it knows


@asynccontextmanager
async def relay_session(
    url: str, client: TwilioClient, clock: Clock, spoken: Callable[[str], None]
) -> AsyncGenerator[Relay, None]:
    """A session of the relay with the socket at `url`, for as long as the context lasts.

    Raises:
        OrchestratorError: The service does not let us in.
    """
    try:
        connection = await connect(url, additional_headers={"x-twilio-signature": client.account.sign(url, {})})
    except (WebSocketException, OSError) as error:
        raise OrchestratorError(f"the relay's socket cannot be opened: {error}") from error
    async with connection as socket:
        await socket.send(json.dumps(client.setup()))
        relay = Relay(socket, clock, spoken)
        tasks = [asyncio.create_task(relay.listen()), asyncio.create_task(relay.play())]
        try:
            yield relay
        finally:
            await cancel(*tasks)
