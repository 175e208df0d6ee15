"""`orchestrator serve`."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from orchestrator_app.app import create_app
from orchestrator_app.cli._print import print_json
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.application import Application, compose
from orchestrator_app.composition.logging import configure_logging
from orchestrator_app.composition.speech import Voices
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import StartFailed

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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is not None or not self.started:
            super().handle_exit(sig, frame)
            return
        self._draining = asyncio.ensure_future(self._drain(sig, frame))

    async def _drain(self, sig: int, frame: FrameType | None) -> None:
        limit = self._application.settings.server.drain_seconds
        logger.info("draining", extra={"limit_seconds": limit})
        await self._application.lifecycle.drain(limit)
        super().handle_exit(sig, frame)


def run_serve(*, host: str | None, port: int | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Serve until a signal."""
    settings = load_settings(config, data_dir=data, server__host=host, server__port=port).value
    configure_logging(settings)
    application = compose(settings)
    listener = _listen(settings.server.host, settings.server.port)
    shown = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    server = _Server(
        uvicorn.Config(
            create_app(application),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws_max_size=64 * 1024,
            timeout_graceful_shutdown=10,
        ),
        application,
        lambda: _announce(application, url, as_json=as_json),
    )
    # The server restores and raises a second time the signals that it took; an ordered end is a success.
    failure = _run(server, listener)
    if failure is not None:
        raise failure


def _run(server: _Server, listener: socket.socket) -> Exception | None:
    async def run() -> Exception | None:
        try:
            await server.serve(sockets=[listener])
        except StartFailed as error:
            return error.errors[0]
        return None

    try:
        failure = asyncio.run(run())
    except KeyboardInterrupt:
        return None
    if failure is None and not server.started:
        sys.exit(1)
    return failure


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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
        print_json(
            {
                "url": url,
                "data": str(settings.data_dir.resolve()),
                "token_file": str(token_file.resolve()) if token_file else None,
                "voices": list(voices.names),
            }
        )
        sys.stdout.flush()
        return
    lines = [
        f"Orchestrator {application.version} serves {url}",
        f"  data          {settings.data_dir.resolve()}",
        f"  access token  {token_file.resolve() if token_file else 'from the settings'}",
        f"  voice         {', '.join(voices.names) or 'none: ' + voices.missing}",
        "  stop          Ctrl-C",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - a command speaks on standard output
