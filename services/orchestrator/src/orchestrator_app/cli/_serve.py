"""`orchestrator serve`."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from orchestrator_app.app import create_app
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.application import Application, compose
from orchestrator_app.composition.console import open_console
from orchestrator_app.composition.logging import configure_logging
from orchestrator_app.composition.speech import Voices
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.lifecycle import StartFailed, StopFailed
from orchestrator_security.pii_redactor import PiiRedactor

__all__ = ["run_serve"]

logger = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """At the first SIGTERM or Ctrl-C calls may finish, at the second everything ends at once."""

    def __init__(self, config: uvicorn.Config, application: Application, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._application = application
        self._ready = ready
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The server takes no signals itself: it would raise them again after an ordered end, which is a success."""
        yield

    def signalled(self) -> None:
        """A signal asks for the end."""
        if self.started and self._draining is None:
            self._draining = asyncio.create_task(self._drain())
            return
        self.force_exit = self._draining is not None
        self.should_exit = True

    async def _drain(self) -> None:
        limit = self._application.settings.server.drain_seconds
        logger.info("draining", extra={"limit_seconds": limit})
        await self._application.lifecycle.drain(limit)
        # Pages that are open would be waited for.
        open_console(self._application.registry).close()
        self.should_exit = True


def run_serve(*, host: str | None, port: int | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Serve until a signal."""
    settings = load_settings(config, data_dir=data, server__host=host, server__port=port).value
    configure_logging(settings)
    application = compose(settings)
    configure_logging(settings, application.registry.get(PiiRedactor))
    with _listen(settings.server.host, settings.server.port) as listener:
        _serve(application, listener, as_json=as_json)


def _serve(application: Application, listener: socket.socket, *, as_json: bool) -> None:
    settings = application.settings
    shown = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    server = _Server(
        uvicorn.Config(
            create_app(application),
            log_config=None,
            access_log=False,
            server_header=False,
            # Whose forwarding headers are believed is a setting; the server would believe everybody on this machine.
            proxy_headers=False,
            lifespan="off",
            ws_max_size=64 * 1024,
            timeout_graceful_shutdown=10,
        ),
        application,
        lambda: _announce(application, url, as_json=as_json),
    )
    asyncio.run(_run(server, application, listener))


async def _run(server: _Server, application: Application, listener: socket.socket) -> None:
    # Started here and not as the server's lifespan, which would log a traceback and leave with a code of its own.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.signalled)
    try:
        async with application.lifecycle:
            await server.serve(sockets=[listener])
    except StartFailed as failure:
        _log_stops(failure.errors[1:])
        raise (failure.errors[0] if isinstance(failure.errors[0], OrchestratorError) else failure) from None
    except StopFailed as failure:
        _log_stops(failure.exceptions)
        raise OrchestratorError("not everything could be stopped in order; the log says what") from None


def _log_stops(errors: Iterable[Exception]) -> None:
    for error in errors:
        logger.error("stop failed", exc_info=error)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only on a socket whose protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port with --port"
        ) from error
    return listener


def _announce(application: Application, url: str, *, as_json: bool) -> None:
    settings, token_file = application.settings, application.secrets.access_token_file
    voices = application.registry.get(Voices)
    if as_json:
        told = {
            "url": url,
            "data": str(settings.data_dir.resolve()),
            "token_file": str(token_file.resolve()) if token_file else None,
            "voices": list(voices.names),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        return
    lines = [
        f"Orchestrator {application.version} serves {url}",
        f"  data          {settings.data_dir.resolve()}",
        f"  access token  {token_file.resolve() if token_file else 'from the settings'}",
        f"  voice         {', '.join(voices.names) or voices.missing or 'none'}",
        "  stop          Ctrl-C",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - a command speaks on standard output
