"""Logging, from the settings; only a process that serves configures it."""

from __future__ import annotations

from orchestrator_app.settings import AppSettings

__all__ = ["configure_logging"]


def configure_logging(settings: AppSettings) -> None:
    """Native structured logs on standard error: for people in a terminal, JSON elsewhere."""
    from orchestrator_utils.logging_adapter import LogConfig, configure  # noqa: PLC0415 - not every command logs

    configure(LogConfig(level=settings.log.level, format=settings.log.format))
