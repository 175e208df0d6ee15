"""The registry under FastAPI, for both kinds of connection; driven through ASGI itself."""

import json
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket

from orchestrator_kernel.dependencies import Registry, provider


class Journal:
    def __init__(self, name):
        self.name = name


def make_app(name):
    app = FastAPI()
    app.state.registry = Registry()
    app.state.registry.provide(Journal, Journal(name))

    @app.get("/journal")
    async def read(journal: Annotated[Journal, Depends(provider(Journal))]) -> str:
        return journal.name

    @app.websocket("/journal")
    async def stream(socket: WebSocket, journal: Annotated[Journal, Depends(provider(Journal))]) -> None:
        await socket.accept()
        await socket.send_text(journal.name)
        await socket.close()

    return app


async def drive(app, scope, incoming):
    """Everything the application sends for one connection."""
    sent = []
    events = iter(incoming)

    async def receive():
        return next(events)

    async def send(message):
        sent.append(message)

    base = {"path": "/journal", "raw_path": b"/journal", "query_string": b"", "headers": [], "root_path": ""}
    await app({**base, **scope}, receive, send)
    return sent


async def test_a_route_is_given_what_its_own_application_provides():
    scope = {"type": "http", "method": "GET", "http_version": "1.1", "scheme": "http"}
    for name in ("first", "second"):
        sent = await drive(make_app(name), scope, [{"type": "http.request", "body": b""}])
        assert sent[0]["status"] == 200
        assert json.loads(sent[1]["body"]) == name


async def test_a_websocket_is_given_it_too():
    scope = {"type": "websocket", "scheme": "ws", "subprotocols": []}
    sent = await drive(make_app("journal"), scope, [{"type": "websocket.connect"}])
    assert [message.get("text") for message in sent] == [None, "journal", None]


def test_the_provider_is_no_parameter_of_the_api():
    operation = make_app("journal").openapi()["paths"]["/journal"]["get"]
    assert "parameters" not in operation
    assert "requestBody" not in operation
