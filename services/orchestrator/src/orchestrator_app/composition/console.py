"""The operators' page over this service: who stands behind its ports, and what the doors have to know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

from orchestrator_app.composition.audit import Auditing
from orchestrator_app.composition.console_calls import CallBoard
from orchestrator_app.composition.console_figures import (
    AlertDesk,
    AuditPages,
    HealthBoard,
    ObjectiveBoard,
    PolicyBoard,
)
from orchestrator_app.composition.console_sign_in import ConsoleSignIn
from orchestrator_app.composition.console_test_calls import TestCalls
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.health import HealthKeeper
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.settings import AppSettings
from orchestrator_auth.service import Auth
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_console import CONTENT_SECURITY_POLICY, FORM_PATHS, PUBLIC_PATHS, STREAM_PATHS, Console, ConsoleConfig
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.alerting import AlertService
from orchestrator_monitoring.slo_monitor import SloMonitor
from orchestrator_security.headers_middleware import ContentSecurityPolicy, HeaderPolicy

__all__ = ["FORMS", "PATH", "PUBLIC", "STREAMS", "ConsoleDoor", "header_policy", "open_console"]

PATH: Final = "/console"
PUBLIC: Final = frozenset(PATH + path for path in PUBLIC_PATHS)
"""What answers without a session: the page where one signs in, and what it loads."""
FORMS: Final = frozenset(PATH + path for path in FORM_PATHS)
"""Where forms are sent instead of JSON."""
STREAMS: Final = frozenset(PATH + path for path in STREAM_PATHS)
"""Routes whose answers go on for as long as a page is open."""

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def open_console(registry: Registry) -> Console:
    """The console of the application; there is one, whoever asks first."""
    return registry.get(Console) if Console in registry else registry.provide(Console, _make_console(registry))


def _make_console(registry: Registry) -> Console:
    """Over what the application provides; what it does not provide has no part on the page."""
    clock = registry.get(Clock)  # type: ignore[type-abstract]  # a protocol names what is provided
    journal = registry.get(Journal)  # type: ignore[type-abstract]
    settings, board = registry.get(AppSettings), registry.get(CallBoard)
    monitor, alerting = _perhaps(registry, SloMonitor), _perhaps(registry, AlertService)
    keeper, auditing = _perhaps(registry, HealthKeeper), registry.get(Auditing)
    return Console(
        sign_in=ConsoleSignIn(registry.get(Auth)),
        calls=board,
        health=None if keeper is None else HealthBoard(keeper.health),
        objectives=None if monitor is None else ObjectiveBoard(monitor, clock),
        alerts=None if alerting is None else AlertDesk(alerting.store, auditing.log, clock),
        policies=PolicyBoard(registry.get(Resilience)),
        audit=AuditPages(registry.get(Databases).data),
        test_calls=TestCalls(settings, journal, registry.get(CallRuntime), registry.get(Voices), board, clock),
        config=ConsoleConfig(title="Orchestrator"),
        clock=clock,
    )


def _perhaps(registry: Registry, kind: type[T]) -> T | None:
    return registry.get(kind) if kind in registry else None


def header_policy(*, report_to: str = "") -> HeaderPolicy:
    """The headers of the pages; browsers send what they stop to `report_to`."""
    directives = {name: list(places) for name, places in CONTENT_SECURITY_POLICY.items()}
    content = ContentSecurityPolicy(directives=directives, report_to=report_to)
    # Under `no-referrer` a form tells no origin, and nobody could see where it comes from.
    return HeaderPolicy(content=content, referrer="same-origin")


class ConsoleDoor:
    """Leads people who are not signed in to the page where they can be; the gate further in would only refuse them. Pure ASGI."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_lost(scope):
            await self._app(scope, receive, send)
            return
        query = bytes(scope.get("query_string", b"")).decode("latin-1")
        wanted = str(scope["path"]) + (f"?{query}" if query else "")
        login = f"{PATH}/login" if wanted in {PATH, f"{PATH}/"} else f"{PATH}/login?next={quote(wanted, safe='')}"
        headers = [(b"location", login.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _is_lost(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or "principal" in scope or scope["path"] in PUBLIC:
        return False
    if scope["path"] != PATH and not str(scope["path"]).startswith(PATH + "/"):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
