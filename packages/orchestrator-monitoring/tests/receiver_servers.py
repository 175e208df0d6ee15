"""Local servers that speak the receivers' documented protocols, and judge what they get."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

Answer = tuple[int, str, Mapping[str, str]]
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SECRET = base64.b64encode(b"k" * 32).decode()


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Server:
    """An HTTP server; `judge` answers, `next_answers` come first."""

    judge: Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)
    next_answers: list[Answer] = field(default_factory=list)
    hang: bool = False
    url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Request(method, path, headers, body)
                self.requests.append(request)
                if self.hang:
                    await asyncio.sleep(3600)
                status, text, more = self.next_answers.pop(0) if self.next_answers else self.judge(request)
                extra = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-length: {len(text.encode())}\r\n{extra}\r\n{text}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(judge: Callable[[Request], Answer]) -> AsyncIterator[Server]:
    found = Server(judge)
    listening = await asyncio.start_server(found.handle, "127.0.0.1", 0, limit=4_000_000)
    port = listening.sockets[0].getsockname()[1]
    found.url = f"http://127.0.0.1:{port}"
    try:
        yield found
    finally:
        listening.close()


def slack(request: Request) -> Answer:
    """Incoming webhooks, as docs.slack.dev describes them."""
    if request.path != "/services/T0/B0/right":
        return 404, "no_service", {}
    if not request.headers.get("content-type", "").startswith("application/json"):
        return 400, "invalid_payload", {}
    message = request.json
    if not message.get("text") and not message.get("blocks") and not message.get("attachments"):
        return 400, "no_text", {}
    groups = [message.get("blocks", []), *(each["blocks"] for each in message.get("attachments", []))]
    for blocks in groups:
        if len(blocks) > 50 or not all(map(_slack_block, blocks)):
            return 400, "invalid_blocks", {}
    return 200, "ok", {}


def _slack_block(block: Mapping) -> bool:
    text = block["text"]["text"]
    if block["type"] == "header":
        return block["text"]["type"] == "plain_text" and 0 < len(text) <= 150
    plain = re.sub(r"<https?://[^<>|]+\|[^<>|]+>", "", text)
    return block["type"] == "section" and 0 < len(text) <= 3000 and not re.search(r"<|>|&(?!amp;|lt;|gt;)", plain)


def pagerduty(request: Request) -> Answer:
    """Events API v2, as developer.pagerduty.com describes it."""

    def invalid(reason: str) -> Answer:
        return (
            400,
            json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": [reason]}),
            {},
        )

    event = request.json
    if request.path != "/v2/enqueue" or len(request.body) > 512_000:
        return invalid("size")
    if event.get("routing_key") != ROUTING_KEY:
        return invalid("Invalid routing key")
    action = event.get("event_action")
    if action not in {"trigger", "acknowledge", "resolve"}:
        return invalid("event_action")
    key = event.get("dedup_key", "")
    if len(key) > 255 or (action != "trigger" and not key):
        return invalid("dedup_key")
    if action == "trigger":
        payload = event.get("payload", {})
        if not 0 < len(payload.get("summary", "")) <= 1024 or not payload.get("source"):
            return invalid("payload")
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            return invalid("severity")
        datetime.fromisoformat(payload["timestamp"])
        if any(set(link) - {"href", "text"} for link in event.get("links", [])):
            return invalid("links")
    return 202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}), {}


def alertmanager(request: Request) -> Answer:
    """API v2, as Alertmanager's OpenAPI document describes it."""
    if request.method == "GET" and request.path == "/-/healthy":
        return 200, "OK", {}
    if (request.method, request.path) != ("POST", "/api/v2/alerts"):
        return 404, "", {}
    for alert in request.json:
        if set(alert) - {"labels", "annotations", "startsAt", "endsAt", "generatorURL"} or not alert["labels"]:
            return 400, '"bad alert"', {}
        if not all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in (*alert["labels"], *alert["annotations"])):
            return 400, '"bad label"', {}
        if datetime.fromisoformat(alert["endsAt"]) < datetime.fromisoformat(alert["startsAt"]):
            return 400, '"start time must be before end time"', {}
    return 200, "", {}


def standard_webhook(request: Request) -> Answer:
    """A consumer of Standard Webhooks, after the specification."""
    headers = request.headers
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(base64.b64decode(SECRET), content, hashlib.sha256).digest()).decode()
    if f"v1,{expected}" not in headers["webhook-signature"].split(" ") or "." in headers["webhook-id"]:
        return 401, "", {}
    if set(request.json) != {"type", "timestamp", "data"}:
        return 400, "", {}
    return 204, "", {}


class Signer:
    """Signs as the specification says."""

    def sign(self, body: bytes, *, delivery_id: str, at: datetime) -> Mapping[str, str]:
        stamp = str(int(at.timestamp()))
        content = f"{delivery_id}.{stamp}.".encode() + body
        proof = base64.b64encode(hmac.new(base64.b64decode(SECRET), content, hashlib.sha256).digest()).decode()
        return {"webhook-id": delivery_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{proof}"}
