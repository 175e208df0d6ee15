"""Logging, from the settings; only a process that serves configures it."""

from __future__ import annotations

from orchestrator_app.settings import AppSettings

__all__ = ["configure_logging"]


def configure_logging(settings: AppSettings) -> None:
    """Native structured logs on standard error: for people in a terminal, JSON elsewhere."""
    from orchestrator_utils.logging_adapter import LogConfig, configure  # noqa: PLC0415 - not every command logs

    # httpx logs whole URLs, and a query may be personal.
    levels = {"httpx": "WARNING", "httpcore": "WARNING"}
    configure(LogConfig(level=settings.log.level, levels=levels, format=settings.log.format))
