"""A port of its own for scrapers and probes, which carry no credentials: it listens where only they can reach it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version

import uvicorn

from orchestrator_app.composition.health import HealthKeeper
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_monitoring.operations import OperationsApp

__all__ = ["OperationsPort"]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the main server's."""
        yield


class OperationsPort:
    """Serves metrics and health while the application runs, if the settings name a port."""

    def __init__(self, settings: AppSettings, metrics: Metrics, keeper: HealthKeeper) -> None:
        self._settings = settings.metrics
        self._app = OperationsApp(
            metrics=metrics.counted,
            health=keeper.health,
            path=settings.metrics.path,
            version=version("orchestrator-app"),
        )
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port: int | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: The port is taken, or the host is not this one.
        """
        if self._settings.port is None or not self._settings.enabled:
            return
        listener = self._listen(self._settings.host, self._settings.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none"
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="operations port")
        while not self._server.started:
            if self._task.done():
                raise OrchestratorError("the port for metrics does not serve") from self._task.exception()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Answer what was asked, and listen no more."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    def _listen(self, host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                f"metrics.port: cannot listen on {host}:{port}: {error.strerror}", details={"setting": "metrics.port"}
            ) from error
        return listener
