"""Logging, from the settings; only a process that serves configures it."""

from __future__ import annotations

import logging
from typing import Final

from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Redactor

__all__ = ["configure_logging"]

# Third parties write down whole URLs, headers, frames and statements: tokens, and what callers say.
_TALKATIVE: Final[tuple[str, ...]] = (
    "aiosqlite",
    "alembic",
    "asyncpg",
    "httpcore",
    "httpx",
    "sqlalchemy",
    "uvicorn",
    "websockets",
)

# An error to uvicorn: a WebSocket handshake that is refused with a problem document.
_REFUSED_HANDSHAKE: Final = "ASGI callable returned without completing handshake."


def configure_logging(settings: AppSettings, redactor: Redactor | None = None) -> None:
    """Native structured logs on standard error: for people in a terminal, JSON elsewhere; `redactor` sees every event."""
    from orchestrator_utils.logging_adapter import LogConfig, configure  # noqa: PLC0415 - not every command logs

    uvicorns = logging.getLogger("uvicorn.error")
    if _wanted not in uvicorns.filters:
        uvicorns.addFilter(_wanted)
    levels: dict[str, str] = dict.fromkeys(_TALKATIVE, "WARNING")
    configure(LogConfig(level=settings.log.level, levels=levels, format=settings.log.format), redactor=redactor)


def _wanted(record: logging.LogRecord) -> bool:
    return record.msg != _REFUSED_HANDSHAKE
